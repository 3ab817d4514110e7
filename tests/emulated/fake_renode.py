#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A Renode that notes the commands it gets: its remote server, a UART and a debug port.

FAKE_RENODE names a JSON file: "log" is where commands go, one on a line; "refuse" maps beginnings
of commands to the reason; "busy" counts the ports that somebody else has taken; "late" is true for
one that never says its port; "dies" is true for one that ends at once.
"""

import json
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from xmlrpc.server import SimpleXMLRPCServer

SETUP: dict[str, Any] = json.loads(Path(os.environ["FAKE_RENODE"]).read_text())
FLASH: list[bytes] = [b""]


def greet(console: socket.socket) -> None:
    """Echo what the UART gets."""
    connection, _ = console.accept()
    while data := connection.recv(100):
        connection.sendall(data.upper())


def debug(port: socket.socket) -> None:
    """Answer packets as Renode's GDB stub does, its stops told twice."""
    connection, _ = port.accept()
    DEBUGGER.append(connection)
    arrived = b""
    while data := connection.recv(100):
        if b"\x03" in data:
            say(b"S02")
            say(b"T02")
        arrived += data.replace(b"\x03", b"")
        while b"#" in arrived and len(arrived) >= arrived.index(b"#") + 3:
            packet, rest = arrived.split(b"#", 1)
            arrived = rest[2:]
            kind = packet.lstrip(b"+")[1:2]
            connection.sendall(b"+")
            if kind == b"m":
                say(b"00" * int(packet.split(b",")[1], 16))


def say(packet: bytes) -> None:
    """Send a packet to the debugger."""
    DEBUGGER[0].sendall(b"$%s#%02x" % (packet, sum(packet) & 0xFF))


DEBUGGER: list[socket.socket] = []


def listen(port: int, serve: Any) -> None:
    """Serve the first connection to a port."""
    listener = socket.create_server(("", port))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()


def obey(command: str) -> str:
    """Do what a command says, as far as somebody could notice."""
    words = command.split()
    if command.startswith("emulation CreateServerSocketTerminal"):
        listen(int(words[2]), greet)
    elif command.startswith("machine StartGdbServer"):
        listen(int(words[2]), debug)
    elif command == "start":
        say(b"S05")
    elif command == "cpu PerformanceInMips":
        return "0x19\r\n"
    elif "LoadFrom" in command:
        FLASH[0] = Path(words[2].strip('"')).read_bytes()
    elif "SaveTo" in command:
        Path(words[2].strip('"')).write_bytes(FLASH[0][:-1] + b"!")
    return ""


def run_keyword(name: str, arguments: list[str]) -> dict[str, Any]:
    """Be the remote server."""
    (command,) = arguments
    with Path(SETUP["log"]).open("a") as log:
        print(command, file=log)
    if SETUP.get("busy", 0) and "Server" in command:
        SETUP["busy"] -= 1
        return {"status": "FAIL", "error": "SocketException: Address already in use\n"}
    for beginning, reason in SETUP.get("refuse", {}).items():
        if command.startswith(beginning):
            return {"status": "FAIL", "error": f"KeywordException: {reason}\n"}
    return {"status": "PASS", "return": obey(command)}


def main() -> None:
    """Run as a program."""
    if SETUP.get("dies"):
        sys.exit("renode: no .NET here")
    server = SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False, allow_none=True)
    server.register_function(run_keyword)  # type: ignore[arg-type]
    folder = Path(tempfile.gettempdir()) / f"renode-{os.getpid()}"
    folder.mkdir()
    (folder / "robot_port").write_text(str(server.server_address[1]))
    server.serve_forever()


if __name__ == "__main__":
    main()
