// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
// The page: a card for each device, kept as long as the monitor knows the device.

import { Card } from "./card.js";
import { follow } from "./stream.js";

const TITLE = document.title;
const list = document.getElementById("devices");
const connection = document.getElementById("connection");
const nobody = document.getElementById("nobody");
const cards = new Map();

function card(name) {
  if (!cards.has(name)) {
    cards.set(name, new Card());
    list.append(cards.get(name).root);
  }
  return cards.get(name);
}

function show(snapshots) {
  const now = performance.now();
  const names = new Set(snapshots.map(({ device }) => device));
  for (const [name, old] of cards) {
    if (names.has(name)) continue;
    old.root.remove();
    cards.delete(name);
  }
  for (const snapshot of snapshots) card(snapshot.device).show(snapshot, now);
  nobody.hidden = snapshots.length > 0;
  const alerts = snapshots.reduce((sum, { alerts }) => sum + alerts.length, 0);
  document.title = alerts ? `(${alerts}) ${TITLE}` : TITLE;
}

function showState(connected) {
  const text = connected ? "live" : "connection lost: is the monitor running? trying again";
  if (connection.textContent !== text) connection.textContent = text;
  document.body.dataset.live = connected;
}

setInterval(() => {
  const now = performance.now();
  for (const one of cards.values()) one.tick(now);
}, 1000);

follow("/api/stream", show, showState);
