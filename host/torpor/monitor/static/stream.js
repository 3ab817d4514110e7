// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The torpor authors
// The connection to the monitor. It is made again for as long as the page is open.

const QUIET_MS = 6000; // the monitor says something every two seconds
const AGAIN_MS = 1000;

/**
 * Calls `onDevices(list)` with what comes, `onState(true or false)` when it begins or ends.
 * It has ended, too, when nothing was heard for `quiet` ms.
 */
export function follow(url, onDevices, onState, quiet = QUIET_MS) {
  let stream = null;
  let watch = 0;

  function heard() {
    clearTimeout(watch);
    watch = setTimeout(lost, quiet);
    onState(true);
  }

  function lost() {
    clearTimeout(watch);
    stream.close(); // its own way to connect again gives up at some errors
    onState(false);
    watch = setTimeout(open, AGAIN_MS);
  }

  function open() {
    stream = new EventSource(url);
    stream.addEventListener("error", lost);
    stream.addEventListener("beat", heard);
    stream.addEventListener("devices", (event) => {
      heard();
      onDevices(JSON.parse(event.data));
    });
    watch = setTimeout(lost, quiet);
  }

  open();
}
