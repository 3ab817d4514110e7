// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
// One device on the page. Names and labels come from devices: they are only ever set as text.

import { Charts } from "./charts.js";
import * as words from "./words.js";

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** Writes only what is new, so that a screen reader does not read everything again. */
function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/** Makes the children of `where` those that `make` gives for `items`, if they are others than before. */
function setChildren(where, items, make) {
  const key = JSON.stringify(items);
  if (where.dataset.key === key) return;
  where.dataset.key = key;
  where.replaceChildren(...items.map(make));
}

/** Each gives null while nothing is known. */
const FACTS = [
  ["confidence", ({ confidence: it }) => it && `${words.percent(it.mean)} mean, ${words.percent(it.low)} low`],
  ["latency", ({ latency_us: it }) => it && `${words.duration(it.p50)} median, ${words.duration(it.p95)} 95 %`],
  ["drift", ({ drift: it }) => it === null ? null : words.drift(it)],
  ["battery, estimated", ({ energy: it }) => it && `${it.mah_per_day_estimated.toFixed(2)} mAh a day, ${words.whole(it.days_estimated)} days`],
  ["wakes", ({ rates, totals }) => perMinute(rates?.wakes_per_min, totals.wakes)],
  ["inferences", ({ rates, totals }) => perMinute(rates?.inferences_per_min, totals.inferences)],
  ["rejected by stage 1", ({ totals }) => words.whole(totals.rejected)],
  ["awake", ({ residency: it }) => it && words.percent(1 - it.sleep, 1)],
  ["fallbacks, errors", ({ totals: it }) => words.counts([["fallbacks", it.fallbacks], ["errors", it.errors]])],
  ["resets", resets],
  ["lost", lost],
  ["stack", ({ stack }) => (stack ? `${words.whole(stack)} bytes at most` : null)],
];

function perMinute(rate, total) {
  const all = `${words.whole(total)} in all`;
  return rate === undefined ? all : `${words.rate(rate)} a minute, ${all}`;
}

function resets(it) {
  const { resets: all, watchdogs, faults } = it.totals;
  const causes = words.counts([["by watchdog", watchdogs], ["by faults", faults]]);
  return `${words.whole(all)}${causes === "none" ? "" : ` seen (${causes} since power came)`}`;
}

function lost(it) {
  const { lost_records, device_dropped, dropped_lines, sensor_lost } = it.totals;
  return words.counts([
    ["records on the way", lost_records],
    ["records in the device", device_dropped],
    ["garbled lines", dropped_lines],
    ["sensor blocks", sensor_lost],
  ]);
}

export class Card {
  constructor() {
    this.root = element("article", "card");
    this.name = element("h2");
    this.state = element("p", "state");
    this.identity = element("p", "identity");
    this.problem = element("p", "problem");
    this.alerts = element("ul", "alerts");
    this.alerts.setAttribute("aria-live", "polite");
    this.alerts.setAttribute("aria-label", "alerts");
    this.decision = element("section", "decision");
    this.label = element("p", "label");
    this.details = element("p", "details");
    this.decision.append(element("h3", "", "last decision"), this.label, this.details);
    this.facts = element("dl", "facts");
    this.values = FACTS.map(([name]) => this.#addFact(name));
    this.counts = element("table", "counts");
    this.rows = element("tbody");
    this.counts.append(element("caption", "", "inferences by label"), this.rows);
    this.charts = new Charts();
    const heading = element("div", "heading");
    heading.append(this.name, this.state);
    const left = element("div", "left");
    left.append(this.decision, this.counts);
    const numbers = element("div", "numbers");
    numbers.append(left, this.facts);
    this.root.append(heading, this.identity, this.problem, this.alerts, numbers, this.charts.root);
  }

  #addFact(name) {
    const value = element("dd");
    const pair = element("div");
    pair.append(element("dt", "", name), value);
    this.facts.append(pair);
    return value;
  }

  /** Shows `snapshot`, which came at `received` (of performance.now()). */
  show(snapshot, received) {
    this.snapshot = snapshot;
    this.received = received;
    setText(this.name, snapshot.device);
    this.root.setAttribute("aria-label", snapshot.device);
    this.root.dataset.connected = snapshot.connected;
    setText(this.identity, this.#identity(snapshot));
    const refused = snapshot.refused && `the model is refused: ${snapshot.refused}`;
    setText(this.problem, [snapshot.problem, refused].filter(Boolean).join(" · "));
    setChildren(this.alerts, snapshot.alerts, (it) => this.#alert(it));
    FACTS.forEach(([, value], index) => setText(this.values[index], value(snapshot) ?? words.NONE));
    this.#showCounts(snapshot.counts);
    this.charts.show(snapshot);
    this.tick(received);
  }

  /** Lets ages grow while nothing comes. */
  tick(now) {
    const passed = (now - this.received) / 1000;
    const { connected, last_seen_s: seen, policy, last_decision: decision } = this.snapshot;
    const heard = seen === null ? "nothing heard yet" : `heard ${words.age(seen + passed)}`;
    const parts = [connected ? "connected" : "not connected", heard];
    if (words.POLICY[policy]) parts.push(words.POLICY[policy]);
    setText(this.state, parts.join(" · "));
    setText(this.label, decision ? decision.label : "none yet");
    setText(this.details, decision ? this.#details(decision, passed) : "");
    this.decision.dataset.source = decision ? decision.source : "";
  }

  #identity(it) {
    const watch = [it.sensor, it.mode].filter(Boolean).join(", ");
    const firmware = it.firmware && `firmware ${it.firmware}`;
    const engine = it.engine && `engine ${it.engine}`;
    return [it.board, it.model, engine, firmware, watch, it.port].filter(Boolean).join(" · ");
  }

  #details(it, passed) {
    const parts = [words.percent(it.score), words.age(it.age_s + passed), words.source(it)];
    return [...parts, `latency ${words.duration(it.latency_us)}`].join(" · ");
  }

  #alert(it) {
    const item = element("li", it.level === "2 sigma" ? "warning" : "alert");
    item.append(element("strong", "", it.level === "2 sigma" ? "Warning" : "Alert"), ` ${words.alert(it)}`);
    return item;
  }

  #showCounts(counts) {
    const total = Object.values(counts).reduce((sum, value) => sum + value, 0);
    setChildren(this.rows, Object.entries(counts), (pair) => countRow(pair, total));
    this.counts.hidden = !this.rows.childElementCount;
  }
}

function countRow([label, number], total) {
  const bar = element("meter");
  bar.max = total || 1;
  bar.value = number;
  bar.setAttribute("aria-label", "share");
  const share = element("td", "share");
  share.append(bar);
  const name = element("th", "", label);
  name.scope = "row";
  const row = element("tr");
  row.append(name, element("td", "number", words.whole(number)), share);
  return row;
}
