# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The server of the monitor's page, asked without a browser."""

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.monitor.made_up import MadeUpMonitor, history, snapshot
from torpor.errors import UsageError
from torpor.monitor import web
from torpor.monitor.address import Address

PATIENCE_S = 10.0


@pytest.fixture
def monitor() -> MadeUpMonitor:
    return MadeUpMonitor(
        snapshot("desk", history=history(5, seed=1)), snapshot("barn & yard", connected=False)
    )


@pytest.fixture
def server(monitor: MadeUpMonitor) -> Iterator[web.Server]:
    server = web.serve(monitor, "127.0.0.1:0")
    yield server
    server.close()


class Answer:
    """What the server says to one request."""

    def __init__(self, server: web.Server, path: str, method: str = "GET", **headers: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.address.port, PATIENCE_S)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        connection.close()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Stream:
    """Server-sent events, as they come."""

    def __init__(self, server: web.Server) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.address.port), PATIENCE_S)
        self._socket.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._file = self._socket.makefile("rb")
        self.head = b"".join(iter(self._file.readline, b"\r\n")).decode()

    def next(self) -> tuple[str, Any]:
        """Return name and value of the next event; ("", None) at the end."""
        lines = list(iter(self._file.readline, b"\n"))[:2] if self._file.peek(1) else []
        if not lines:
            return "", None
        name, data = (line.decode().rstrip("\n").partition(": ")[2] for line in lines)
        return name, json.loads(data)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def raw(server: web.Server, request: bytes) -> bytes:
    """Return all that the server answers to these bytes."""
    with socket.create_connection(("127.0.0.1", server.address.port), PATIENCE_S) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_page_and_its_parts_are_there(server: web.Server) -> None:
    page = Answer(server, "/")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    parts = re.findall(rb'(?:src|href)="(/static/[^"]+)"', page.body)
    assert b"/static/plotly.min.js" in parts
    assert {Answer(server, part.decode()).status for part in parts} == {200}


def test_every_module_that_a_script_asks_for_is_there(server: web.Server) -> None:
    scripts = [path for path in server.files if path.endswith(".js") and "plotly" not in path]
    assert len(scripts) > 3
    for path in scripts:
        for name in re.findall(r'from "\./([^"]+)"', Answer(server, path).body.decode()):
            assert f"/static/{name}" in scripts


def test_the_page_needs_nothing_from_elsewhere(server: web.Server) -> None:
    for path, file in server.files.items():
        if "plotly" not in path:
            text = file.content.replace(b"http://www.w3.org/2000/svg", b"")
            assert b"http:" not in text and b"https:" not in text, path
            assert not re.search(rb'["\'(]//', text), path


def test_plotly_is_the_one_that_is_installed(server: web.Server) -> None:
    answer = Answer(server, "/static/plotly.min.js")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert b"plotly.js v" in answer.body[:200]


def test_what_a_browser_has_is_not_sent_again(server: web.Server) -> None:
    tag = Answer(server, "/static/plotly.min.js").headers["ETag"]
    again = Answer(server, "/static/plotly.min.js", If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")
    assert Answer(server, "/static/style.css", If_None_Match=tag).status == 200


def test_devices_are_the_snapshots(server: web.Server, monitor: MadeUpMonitor) -> None:
    answer = Answer(server, "/api/devices")
    assert answer.json == monitor.snapshots()
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_history_is_given_by_device(server: web.Server, monitor: MadeUpMonitor) -> None:
    desk, barn = monitor.snapshots()
    assert Answer(server, "/api/history?device=desk").json == desk["history"]
    assert Answer(server, "/api/history?device=barn%20%26%20yard").json == barn["history"]


@pytest.mark.parametrize("query", ["", "?device=", "?device=nobody", "?device=barn", "?desk"])
def test_history_of_nobody_is_not_found(server: web.Server, query: str) -> None:
    assert Answer(server, f"/api/history{query}").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/static/",
        "/static/index.html",
        "/static/../web.py",
        "/static/%2e%2e/web.py",
        "/../../../../etc/passwd",
        "//etc/passwd",
        "/static//etc/passwd",
        "/static/style.css%00",
        "/static/..\\web.py",
        "/api",
        "/api/devices/",
        "/STATIC/style.css",
        "/favicon.ico",
    ],
)
def test_nothing_else_is_there(server: web.Server, path: str) -> None:
    answer = Answer(server, path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_nothing_can_be_done_but_get(server: web.Server, method: str) -> None:
    answer = Answer(server, "/api/devices", method)
    assert (answer.status, answer.headers["Allow"], answer.body) == (405, "GET", b"")


@pytest.mark.parametrize("path", ["/", "/api/devices", "/api/stream", "/static/main.js", "/no"])
def test_a_name_that_is_not_ours_is_refused(server: web.Server, path: str) -> None:
    answer = Answer(server, path, Host="evil.example:8765")
    assert answer.status == 403
    assert b"desk" not in answer.body


def test_a_request_without_host_is_refused(server: web.Server) -> None:
    assert raw(server, b"GET /api/devices HTTP/1.0\r\n\r\n").split()[1] == b"403"


@pytest.mark.parametrize("path", ["/", "/api/devices", "/nothing", "/static/style.css"])
def test_every_answer_forbids_scripts_from_elsewhere(server: web.Server, path: str) -> None:
    headers = Answer(server, path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "request_",
    [
        b"GET http://[/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n\r\n",
        b"\x00\xff",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G" * 70000,
        b"GET / HTTP/1.1\r\nHost: " + b"a" * 70000,
    ],
)
def test_garbage_is_refused_and_the_next_one_is_served(
    server: web.Server, request_: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        answer = raw(server, request_)
    except ConnectionError:  # the server did not read all of it
        answer = b""
    assert b" 200 " not in answer
    assert Answer(server, "/").status == 200
    assert capfd.readouterr() == ("", "")


def test_the_stream_begins_with_all_devices_without_their_histories(server: web.Server) -> None:
    stream = Stream(server)
    assert "Content-Type: text/event-stream" in stream.head
    name, devices = stream.next()
    assert name == "devices"
    assert [it["device"] for it in devices] == ["desk", "barn & yard"]
    newest = history(5, seed=1)["drift"][-1][0]
    assert [it["history_until"] for it in devices] == [newest, 0.0]
    assert not any("history" in it for it in devices)
    stream.close()


def test_the_stream_tells_what_has_changed(server: web.Server, monitor: MadeUpMonitor) -> None:
    stream = Stream(server)
    stream.next()
    monitor.become(snapshot("desk", policy="saving"))
    name, devices = stream.next()
    assert (name, [it["policy"] for it in devices]) == ("devices", ["saving"])
    stream.close()


def test_the_stream_beats_while_nothing_changes(
    server: web.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "BEAT_S", 0.01)
    monkeypatch.setattr(web, "PACE_S", 0.0)
    stream = Stream(server)
    assert [stream.next()[0] for _ in range(4)] == ["devices", "beat", "beat", "beat"]
    stream.close()


def test_a_flood_of_changes_is_few_events_and_the_last_one_is_the_truth(
    server: web.Server, monitor: MadeUpMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "PACE_S", 0.2)
    stream = Stream(server)
    stream.next()
    begin, events = time.monotonic(), 0
    for number in range(2000):
        monitor.become(snapshot("desk", stack=number))
    devices: Any = [{"stack": None}]
    while devices[0]["stack"] != 1999:
        events += 1
        _, devices = stream.next()
    assert events <= 2 + (time.monotonic() - begin) / 0.2
    stream.close()


def wait_for_streams(server: web.Server, number: int) -> None:
    """Wait until so many streams are open; the server tells when one ends."""
    condition = server.changes._condition
    with condition:
        assert condition.wait_for(lambda: server.changes._streams == number, PATIENCE_S)


def test_a_stream_whose_reader_has_gone_ends(
    server: web.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "BEAT_S", 0.01)
    monkeypatch.setattr(web, "PACE_S", 0.0)
    streams = [Stream(server) for _ in range(3)]
    for stream in streams:
        stream.next()
        stream.close()
    wait_for_streams(server, 0)


def test_too_many_streams_are_refused_until_one_ends(
    server: web.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "STREAMS", 2)
    monkeypatch.setattr(web, "BEAT_S", 0.01)
    monkeypatch.setattr(web, "PACE_S", 0.0)
    streams = [Stream(server), Stream(server)]
    assert [stream.next()[0] for stream in streams] == ["devices", "devices"]
    assert Answer(server, "/api/stream").status == 503
    assert Answer(server, "/api/devices").status == 200
    streams[0].close()
    wait_for_streams(server, 1)
    again = Stream(server)
    assert again.next()[0] == "devices"
    again.close()
    streams[1].close()


def test_closing_ends_streams_threads_and_the_subscription(monitor: MadeUpMonitor) -> None:
    before = set(threading.enumerate())
    server = web.serve(monitor, ":0")
    streams = [Stream(server) for _ in range(3)]
    for stream in streams:
        stream.next()
    assert monitor.subscribers == 1
    server.close()
    assert [stream.next() for stream in streams] == [("", None)] * 3
    assert monitor.subscribers == 0
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    for stream in streams:
        stream.close()
    server.close()  # once more does no harm


def test_by_default_only_this_computer_can_ask(monitor: MadeUpMonitor) -> None:
    server = web.serve(monitor, ":0")
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.address.port}/"
    server.close()


def test_elsewhere_is_served_when_it_is_said(monitor: MadeUpMonitor) -> None:
    server = web.serve(monitor, Address("0.0.0.0", 0))
    assert server.address.is_public
    assert Answer(server, "/", Host=f"192.0.2.7:{server.address.port}").status == 200
    assert Answer(server, "/", Host="evil.example").status == 403
    server.close()


def test_a_port_in_use_is_one_line_with_a_hint(server: web.Server) -> None:
    with pytest.raises(UsageError) as caught:
        web.serve(MadeUpMonitor(), str(server.address))
    assert caught.value.message == f"cannot serve at {server.address}: address already in use"
    assert "--web" in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_host_that_is_not_here_is_one_line(monitor: MadeUpMonitor) -> None:
    with pytest.raises(UsageError, match=r"cannot serve at 192\.0\.2\.1:0: cannot assign"):
        web.serve(monitor, "192.0.2.1:0")
    assert monitor.subscribers == 0


def test_strange_strings_come_through_as_they_are(
    server: web.Server, monitor: MadeUpMonitor
) -> None:
    strange = "</script>\n\ndata: x\r\u2028\0é😀"
    monitor.become(snapshot(strange, counts={strange: 3}))
    stream = Stream(server)
    _, devices = stream.next()
    assert devices[0]["device"] == strange
    assert devices[0]["counts"] == {strange: 3}
    stream.close()
