# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The monitor's page: a small HTTP server that only gives, and needs nothing from elsewhere.

/                        the page, from static/
/static/NAME             its parts, and plotly's script out of the installed package
/api/devices             all snapshots: a JSON list of `torpor.monitor.document.Snapshot`
/api/history?device=D    the history of one of them
/api/stream              server-sent events: `devices` (as above, without histories, but with
                         `history_until`, the time of their newest point) at once and when
                         something has changed, `beat` when nothing has
"""

import contextlib
import hashlib
import importlib.util
import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

from torpor.errors import MissingToolError
from torpor.monitor.address import Address, cannot_listen, may_ask, parse
from torpor.monitor.document import Snapshot

STATIC = Path(__file__).parent / "static"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
PACE_S = 0.5
"""Least time between two events of a stream."""
BEAT_S = 2.0
"""Most time between two events of a stream; the page gives up after some of these."""
STREAMS = 32
"""Most streams at once: each is a thread."""


class Source(Protocol):
    """What the page shows: `torpor.monitor.Monitor`, or anything like it."""

    def snapshots(self) -> list[Snapshot]:
        """Return what is known now, one for each device."""
        ...

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback`, from any thread, whenever something has changed.

        Returns:
            a function that ends it.
        """
        ...


class File(NamedTuple):
    """Something that does not change while we run."""

    kind: str
    content: bytes
    tag: str


def serve(monitor: Source, address: str | Address = "") -> "Server":
    """Serve the page of `monitor` from threads of its own, until the server's `close`.

    Args:
        monitor: asked for snapshots from several threads at once.
        address: "HOST:PORT", see `torpor.monitor.address.parse`; port 0 takes any that is free.

    Raises:
        UsageError: no address, or nothing can listen there.
        MissingToolError: plotly is not installed.
    """
    where = parse(address) if isinstance(address, str) else address
    try:
        server = Server(monitor, where, _files())
    except OSError as error:
        raise cannot_listen(where, error, "--web HOST:PORT") from None
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="web").start()
    return server


def _files() -> dict[str, File]:
    """Return what is served, by path. What is not in here cannot be asked for."""
    files = {f"/static/{path.name}": _file(path) for path in STATIC.iterdir() if path.is_file()}
    files["/"] = files.pop("/static/index.html")
    files["/static/plotly.min.js"] = _file(_plotly_script())
    return files


def _file(path: Path) -> File:
    content = path.read_bytes()
    return File(KINDS[path.suffix], content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _plotly_script() -> Path:
    """Return the browser's side of plotly; the package itself is not imported, that takes long."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise MissingToolError("plotly is not installed, which draws the charts", "tools/setup")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


class Changes:
    """Wakes the streams when something is new or all is over."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._number = 0
        self._streams = 0
        self._over = False

    def tell(self) -> None:
        """Say that something has changed."""
        with self._condition:
            self._number += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> int:
        """Return the number of the newest change: `seen` if none came in `timeout` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._over or self._number != seen, timeout)
            return self._number

    def wait_for_end(self, timeout: float) -> bool:
        """Return whether all is over, or becomes so in `timeout` seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: self._over, timeout)

    def enter(self) -> bool:
        """Count a stream in; False if there are too many."""
        with self._condition:
            if self._over or self._streams >= STREAMS:
                return False
            self._streams += 1
            return True

    def leave(self) -> None:
        """Count it out."""
        with self._condition:
            self._streams -= 1
            self._condition.notify_all()

    def end(self, timeout: float) -> None:
        """Let all streams end; wait for them at most `timeout` seconds."""
        with self._condition:
            self._over = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._streams == 0, timeout)


class Server(ThreadingHTTPServer):
    """Listens as soon as it is made."""

    daemon_threads = True

    def __init__(self, monitor: Source, address: Address, files: Mapping[str, File]) -> None:
        self.monitor = monitor
        self.files = files
        self.changes = Changes()
        self.address_family = address.family
        super().__init__((address.host, address.port), _Handler)
        self.address = Address(address.host, int(self.server_address[1]))
        self._end_subscription = contextlib.ExitStack()
        self._end_subscription.callback(monitor.subscribe(self.changes.tell))

    def server_bind(self) -> None:
        """Bind; the base class would look up the computer's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    @property
    def url(self) -> str:
        """Where a browser on this computer finds the page."""
        return f"http://{self.address.from_here}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that goes away is no error of ours."""

    def close(self) -> None:
        """End all streams, stop listening. Safe to call twice."""
        self._end_subscription.close()
        self.changes.end(timeout=2.0)
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 10  # seconds that a client may take to ask, or to take what it asked for
    server_version = "torpor"
    sys_version = ""
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"

    def do_GET(self) -> None:
        if not may_ask(self.headers.get("Host"), self.server.address):
            self.send_error(HTTPStatus.FORBIDDEN, "Unknown name in Host")
            return
        try:
            url = urlsplit(self.path)
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        self._answer(url.path, url.query)

    def _answer(self, path: str, query: str) -> None:
        if path in self.server.files:
            self._give_file(self.server.files[path])
        elif path == "/api/devices":
            self._give_json(self.server.monitor.snapshots())
        elif path == "/api/history":
            self._give_history(parse_qs(query).get("device", [""])[0])
        elif path == "/api/stream":
            self._give_stream()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _refuse(self) -> None:
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
        self.send_header("Allow", "GET")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = _refuse

    def _give_file(self, file: File) -> None:
        if self.headers.get("If-None-Match") == file.tag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.send_header("ETag", file.tag)
            self.end_headers()
            return
        self._give(file.kind, file.content, {"ETag": file.tag, "Cache-Control": "no-cache"})

    def _give_json(self, value: object) -> None:
        self._give("application/json", json.dumps(value).encode(), {"Cache-Control": "no-store"})

    def _give(self, kind: str, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _give_history(self, device: str) -> None:
        for snapshot in self.server.monitor.snapshots():
            if snapshot["device"] == device:
                self._give_json(snapshot["history"])
                return
        self.send_error(HTTPStatus.NOT_FOUND)

    def _give_stream(self) -> None:
        if not self.server.changes.enter():
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        try:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self._send_events()
        finally:
            self.server.changes.leave()

    def _send_events(self) -> None:
        seen, changes = -1, self.server.changes
        while True:
            # The number is taken before the snapshots, so a change while they are made is the next
            number = changes.wait(seen, BEAT_S)
            if changes.wait_for_end(0):
                return
            if number == seen:
                self._send_event("beat", {})
            else:
                self._send_event("devices", _without_history(self.server.monitor.snapshots()))
            seen = number
            if changes.wait_for_end(PACE_S):
                return

    def _send_event(self, name: str, value: object) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(value)}\n\n".encode())

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is for the devices."""


def _without_history(snapshots: list[Snapshot]) -> list[dict[str, Any]]:
    """Return the snapshots with the time of the newest point instead of all points."""
    return [
        {name: value for name, value in snapshot.items() if name != "history"}
        | {"history_until": _newest(snapshot["history"])}
        for snapshot in snapshots
    ]


def _newest(history: Mapping[str, list[list[float]]]) -> float:
    """Return the time of the newest point, seconds since 1970; 0 if there is none."""
    return max((points[-1][0] for points in history.values() if points), default=0.0)
