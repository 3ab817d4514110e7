# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A headless Chromium, told what to do through a pipe (Chrome DevTools Protocol).

The protocol needs no driver and no package: messages are JSON that end with a zero byte, on the
file descriptors 3 and 4 of the browser.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",  # tests run as root in CI
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE_S = 30.0
FIRST_FREE = 10
"""Descriptors of ours from here on, so that they are not in the way of 3 and 4."""

WAIT = """new Promise((resolve) => {
  const begin = performance.now();
  (function look() {
    let value = null;
    try { value = (%s); } catch (error) { value = null; }
    if (value) resolve(true);
    else if (performance.now() - begin > %d) resolve(false);
    else setTimeout(look, 15);
  })();
})"""


class Browser:
    """A running Chromium. Its pages share nothing with the user's."""

    def __init__(self, profile: Path) -> None:
        program = shutil.which("chromium")
        assert program, "chromium is not installed: tools/setup"
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        given = [_away(theirs_in), _away(theirs_out)]
        pipes = f'exec "$0" "$@" 3<&{given[0]} 4>&{given[1]}'
        self._process = subprocess.Popen(
            ["bash", "-c", pipes, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for descriptor in given:
            os.close(descriptor)
        self._buffer = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **arguments: Any) -> dict[str, Any]:
        """Have something done and return what the browser says about it."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": arguments}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        return self._answer(self._number, method)

    def _answer(self, number: int, method: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            message = self._receive(deadline)
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result
            self._events.append(message)

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._in, 1 << 16)
            assert data, "the browser has ended"
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def open(self, url: str, width: int = 1280, height: int = 900, dark: bool = False) -> "Page":
        """Open a page in a tab of its own."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        page.call("Runtime.enable")
        page.call("Log.enable")
        page.resize(width, height)
        page.prefer("dark" if dark else "light")
        page.call("Page.enable")
        page.call("Page.navigate", url=url)
        return page

    def events(self, session: str) -> list[dict[str, Any]]:
        """Return what a tab has told by itself so far."""
        return [event for event in self._events if event.get("sessionId") == session]

    def forget(self, session: str) -> None:
        """Forget what a tab has told so far."""
        self._events = [event for event in self._events if event.get("sessionId") != session]

    def close(self) -> None:
        """End the browser."""
        os.close(self._out)  # its pipe is gone: it ends
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)


class Page:
    """One tab."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Have something done in this tab."""
        return self._browser.call(method, self._session, **arguments)

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression of JavaScript (of a promise: what it becomes)."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = 15.0) -> None:
        """Wait until an expression is true.

        Raises:
            AssertionError: it did not become true; the message has the text of the page.
        """
        came = self.evaluate(WAIT % (condition, 1000 * seconds))
        assert came, f"never: {condition}\n{self.text()}\n{self.complaints()}"

    def wait_for_text(self, text: str, where: str = "body", seconds: float = 15.0) -> None:
        """Wait until an element, found by a CSS selector, contains `text`."""
        self.wait(
            f"document.querySelector({json.dumps(where)}).innerText"
            f".replaceAll('\\u00a0', ' ').includes({json.dumps(text)})",
            seconds,
        )

    def text(self, where: str = "body") -> str:
        """Return what a person reads in an element; all spaces are plain ones."""
        shown = self.evaluate(f"document.querySelector({json.dumps(where)})?.innerText ?? ''")
        return str(shown).replace("\u00a0", " ")

    def resize(self, width: int, height: int) -> None:
        """Be a screen of this size, in CSS pixels; a narrow one is a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def prefer(self, scheme: str) -> None:
        """Belong to somebody who likes "dark" or "light" pages."""
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def screenshot(self, path: Path) -> None:
        """Write a PNG of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """Return errors and warnings of the console, and scripts that failed."""
        self.evaluate("0")  # what was told before this has arrived
        return [
            text for event in self._browser.events(self._session) if (text := _complaint(event))
        ]

    def forget_complaints(self) -> None:
        """Let `complaints` return only what comes from now on."""
        self.evaluate("0")
        self._browser.forget(self._session)

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Target.closeTarget", targetId=self._target)


def _complaint(event: dict[str, Any]) -> str:
    kinds: dict[str, Callable[[dict[str, Any]], str]] = {
        "Runtime.exceptionThrown": lambda it: str(it["exceptionDetails"]),
        "Log.entryAdded": lambda it: f"{it['entry']['level']}: {it['entry']['text']}",
        "Runtime.consoleAPICalled": lambda it: f"{it['type']}: {it['args']}",
    }
    kind = kinds.get(event["method"])
    return kind(event["params"]) if kind else ""


def _away(descriptor: int) -> int:
    """Return the same end of a pipe under a number that the browser does not need."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
    os.close(descriptor)
    return moved
