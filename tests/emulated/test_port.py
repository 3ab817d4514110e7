# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A serial port that stays while the process behind it ends and another one begins.

A script stands in for the bootloader of the `native` board.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated.processes import TORPOR, children, eventually
from torpor import emulate
from torpor.emulate import Emulator, Terminal
from torpor.errors import DeviceError, UsageError
from torpor.link import Transport, open_transport

STAND_IN = """\
#!{python}
import signal, socket, sys

flash, uart = sys.argv[2], sys.argv[4].removeprefix("unix:")
assert sys.argv[1::2] == ["--flash", "--uart"]
server = socket.socket(socket.AF_UNIX)
server.bind(uart)
server.listen()
wire = server.accept()[0]

def count(_signal=None, _frame=None):
    with open(flash, "r+b") as file:
        starts = 255 - file.read(1)[0]
        file.seek(0)
        file.write(bytes([254 - starts]))
    wire.sendall(b"start %d\\n" % starts)

signal.signal(signal.SIGUSR1, count)
count()
while data := wire.recv(4096):
    wire.sendall(data.upper())
"""


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    path = tmp_path / "boot.elf"
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    return path


def heard(emulator: Emulator, words: bytes, found: bytes = b"") -> bytes:
    """Read until `words` have come."""
    while words not in found:
        piece = emulator.transport.read(20)
        assert piece, found
        found += piece
    return found


def test_a_device_that_says_nothing_is_nudged_until_its_power_goes(
    boot: Path, tmp_path: Path
) -> None:
    nudges = []
    with emulate.start("native", boot, flash=tmp_path / "flash") as device:
        assert device.transport.nudge is None, "a process needs none"
        device.transport.nudge = lambda: nudges.append(len(nudges))
        heard(device, b"start 0\n")
        assert not nudges
        assert device.transport.read(0.01) == device.transport.read(0) == b""
        assert nudges == [0, 1]
        device.power_cut()
        assert device.transport.nudge is None


def test_the_port_goes_on_with_the_next_process(boot: Path, tmp_path: Path) -> None:
    with emulate.start("native", boot, flash=tmp_path / "flash") as device:
        for start in range(3):
            assert heard(device, b"\n") == b"start %d\n" % start
            device.transport.write(b"hello\n")
            assert heard(device, b"\n") == b"HELLO\n"
            device.power_cut()
    assert device.flash and device.flash.read(0, 2)[1] == 0xFF


def test_what_was_said_before_the_power_failed_is_read_first(boot: Path, tmp_path: Path) -> None:
    with emulate.start("native", boot, flash=tmp_path / "flash") as device:
        heard(device, b"start 0\n")
        device.transport.write(b"last words\n")
        assert eventually(lambda: waiting(device) >= 11)
        device.power_cut()
        assert heard(device, b"start 1\n") == b"LAST WORDS\nstart 1\n"


def waiting(device: Emulator) -> int:
    """Return how many bytes the kernel has for us."""
    with socket.socket(fileno=os.dup(device.transport.fileno())) as copy:
        try:
            return len(copy.recv(4096, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return 0


def test_the_reset_button_of_a_process_is_a_signal(boot: Path, tmp_path: Path) -> None:
    with emulate.start("native", boot, flash=tmp_path / "flash") as device:
        pid = device.pid
        heard(device, b"start 0\n")
        device.reset()
        heard(device, b"start 1\n")
        assert device.pid == pid


def test_a_process_without_bootloader_has_no_reset(tmp_path: Path) -> None:
    firmware = tmp_path / "firmware.elf"
    body = STAND_IN.replace("flash, uart = sys.argv[2], sys.argv[4]", "uart = sys.argv[2]")
    body = body.replace('["--flash", "--uart"]', '["--uart"]').replace("\ncount()", "")
    firmware.write_text(body.format(python=sys.executable))
    firmware.chmod(0o755)
    with emulate.start("native", firmware) as device:
        with pytest.raises(UsageError, match=r"firmware.elf on native has no reset"):
            device.reset()
        with pytest.raises(UsageError, match="'native' has no debug port"):
            device.cut_at(emulate.Moment((emulate.Code(0),)))
        device.transport.write(b"still there")
        heard(device, b"STILL THERE")


def test_a_process_that_ends_by_itself_is_still_an_error(boot: Path, tmp_path: Path) -> None:
    with emulate.start("native", boot, flash=tmp_path / "flash") as device:
        heard(device, b"start 0\n")
        os.kill(device.pid, signal.SIGKILL)
        with pytest.raises(DeviceError, match=r"boot.elf ended with signal 9"):
            device.transport.read(20)
        device.power_cut()
        heard(device, b"start 1\n")


def test_a_port_that_is_closed_says_so(boot: Path, tmp_path: Path) -> None:
    with emulate.start("native", boot, flash=tmp_path / "flash") as device:
        device.transport.close()
        device.transport.close()
        with pytest.raises(DeviceError, match="serial port is closed"):
            device.transport.read(1)
        with pytest.raises(DeviceError, match="serial port is closed"):
            device.transport.write(b"x")


def test_a_terminal_outlives_the_process_behind_it(boot: Path, tmp_path: Path) -> None:
    with emulate.start("native", boot, flash=tmp_path / "flash") as device:
        terminal = Terminal(device.transport)
        ours = os.open(terminal.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            for start in range(3):
                assert b"start %d\n" % start in from_terminal(terminal, ours, b"\n")
                os.write(ours, b"ping\n")
                assert from_terminal(terminal, ours, b"PING\n")
                device.power_cut()
        finally:
            os.close(ours)
            terminal.close()


def from_terminal(terminal: Terminal, end: int, words: bytes) -> bytes:
    """Pump until `words` have come out."""
    found = b""

    def look() -> bool:
        nonlocal found
        terminal.pump(0.05)
        try:
            found += os.read(end, 4096)
        except BlockingIOError:
            return False
        return words in found

    assert eventually(look), found
    return found


def test_an_emulator_that_cannot_start_lets_go_of_the_flash(tmp_path: Path) -> None:
    broken = tmp_path / "boot.elf"
    broken.write_text("no program")
    for _ in range(2):
        with pytest.raises(DeviceError, match="cannot be run"):
            emulate.start("native", broken, flash=tmp_path / "flash")


# ---- torpor emulate


@contextlib.contextmanager
def torpor_emulate(*words: str) -> Iterator["tuple[subprocess.Popen[str], Transport]"]:
    """Run the command; yield it, and its port."""
    process = subprocess.Popen(
        [TORPOR, "emulate", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        port = open_transport(process.stdout.readline().strip())
        with contextlib.closing(port):
            yield process, port
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def expect(port: Transport, words: bytes) -> None:
    found = b""
    while words not in found:
        piece = port.read(20)
        assert piece, found
        found += piece


def test_torpor_emulate_has_a_reset_button_a_power_switch_and_a_flash_that_lasts(
    boot: Path, tmp_path: Path
) -> None:
    words = ["--board", "native", "--elf", str(boot), "--flash", str(tmp_path / "flash")]
    with torpor_emulate(*words) as (process, port):
        port.write(b"hello")  # opening a port forgets what came before
        expect(port, b"HELLO")
        (first,) = children(process.pid)
        process.send_signal(signal.SIGUSR1)
        expect(port, b"start 1\n")
        assert children(process.pid) == [first]
        process.send_signal(signal.SIGUSR2)
        expect(port, b"start 2\n")
        assert first not in children(process.pid)
        port.write(b"hello")
        expect(port, b"HELLO")
    with torpor_emulate(*words, "--link", str(tmp_path / "tty")) as (process, port):
        process.send_signal(signal.SIGUSR2)
        expect(port, b"start 4\n")


def test_torpor_emulate_goes_on_if_there_is_no_button(boot: Path, tmp_path: Path) -> None:
    text = boot.read_text().replace("flash, uart = sys.argv[2], sys.argv[4]", "uart = sys.argv[2]")
    boot.write_text(text.replace('["--flash", "--uart"]', '["--uart"]').replace("\ncount()", ""))
    with torpor_emulate("--board", "native", "--elf", str(boot)) as (process, port):
        process.send_signal(signal.SIGUSR1)
        assert process.stderr
        while "has no reset" not in process.stderr.readline():
            assert process.poll() is None
        port.write(b"still there")
        expect(port, b"STILL THERE")


def test_torpor_emulate_refuses_a_flash_that_is_in_use(boot: Path, tmp_path: Path) -> None:
    words = ["--board", "native", "--elf", str(boot), "--flash", str(tmp_path / "flash")]
    with torpor_emulate(*words):
        done = subprocess.run(
            [TORPOR, "emulate", *words], capture_output=True, text=True, timeout=20, check=False
        )
    assert done.returncode == 2
    assert f"{tmp_path / 'flash'} is in use" in done.stderr
