# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Emulator processes: started, connected, ended; what they say when they die; nothing stays.

A script stands in for a firmware of the `native` board, so that it can be made to misbehave.
"""

import dataclasses
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from tests.emulated.processes import TORPOR, alive, children, elf_with, eventually
from torpor import emulate
from torpor.board import Board, Emulator, Memory, load_board
from torpor.emulate import qemu
from torpor.errors import DeviceError, MissingToolError, UsageError
from torpor.link import DeviceClient, open_transport

STAND_IN = """\
#!{python}
import os, signal, socket, sys, time
from torpor.link.fake import FakeDevice

assert sys.argv[1] == "--uart"
path = sys.argv[2].removeprefix("unix:")
fake = FakeDevice(lambda inputs: [inputs[0][::-1]], [8], [8])

def listen():
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    return server.accept()[0]

def serve(wire):
    wire.sendall(fake.start())
    while data := wire.recv(4096):
        wire.sendall(fake.feed(data))

{body}
"""


def script(folder: Path, body: str) -> Path:
    path = folder / "firmware.elf"
    path.write_text(STAND_IN.format(python=sys.executable, body=body))
    path.chmod(0o755)
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return script(tmp_path, "serve(listen())")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where emulators put their files, in this test."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def altered(board: str, **facts: object) -> Board:
    known = load_board(board)
    assert known.emulator
    return dataclasses.replace(known, emulator=dataclasses.replace(known.emulator, **facts))  # type: ignore[arg-type]


# ---- start and end


def test_a_process_is_talked_to_and_ended_without_a_trace(good: Path, temporary: Path) -> None:
    with emulate.start("native", good) as emulator:
        answer = DeviceClient(emulator.transport, timeout=5).infer(0, [b"12345678"])
        assert alive(emulator.pid)
    assert answer.outputs == [b"87654321"]
    assert not alive(emulator.pid)
    assert list(temporary.iterdir()) == []


def test_closing_twice_is_harmless(good: Path) -> None:
    emulator = emulate.start("native", good)
    emulator.close()
    emulator.close()
    assert not alive(emulator.pid)


def test_a_process_that_ignores_the_polite_request_is_killed(tmp_path: Path) -> None:
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nserve(listen())\ntime.sleep(60)"
    with emulate.start("native", script(tmp_path, stubborn)) as emulator:
        DeviceClient(emulator.transport, timeout=5).hello()
    assert not alive(emulator.pid)


def test_an_error_inside_the_block_still_ends_the_process(good: Path) -> None:
    with pytest.raises(RuntimeError), emulate.start("native", good) as emulator:
        raise RuntimeError
    assert not alive(emulator.pid)


# ---- death


def test_a_process_that_dies_at_once_is_quoted(tmp_path: Path, temporary: Path) -> None:
    with pytest.raises(DeviceError, match=r"firmware.elf ended with exit status 3") as caught:
        emulate.start("native", script(tmp_path, "os._exit(3)"))
    assert "it printed nothing" in caught.value.hint
    assert list(temporary.iterdir()) == []


def test_a_process_that_dies_later_is_quoted_with_its_last_lines(tmp_path: Path) -> None:
    body = "wire = listen()\nwire.recv(1)\nprint('line 1', flush=True)\nsys.exit('stack smashed')"
    with (
        emulate.start("native", script(tmp_path, body)) as emulator,
        pytest.raises(DeviceError, match="ended with exit status 1") as caught,
    ):
        DeviceClient(emulator.transport, timeout=5).hello()
    assert "line 1 | stack smashed" in caught.value.hint


def test_its_own_words_are_quoted_before_a_dump_of_registers(tmp_path: Path) -> None:
    body = (
        "wire = listen()\nwire.recv(1)\nprint('qemu: fatal: Lockup', file=sys.stderr, flush=True)\n"
        "for i in range(32): print(f'r{i:02}=00000000', file=sys.stderr)\nsys.exit(1)"
    )
    with (
        emulate.start("native", script(tmp_path, body)) as emulator,
        pytest.raises(DeviceError, match="ended with exit status 1") as caught,
    ):
        DeviceClient(emulator.transport, timeout=5).hello()
    assert caught.value.hint == "its last lines: qemu: fatal: Lockup"


def test_a_process_that_is_killed_names_the_signal(good: Path) -> None:
    with emulate.start("native", good) as emulator:
        client = DeviceClient(emulator.transport, timeout=5)
        client.hello()
        os.kill(emulator.pid, signal.SIGSEGV)
        with pytest.raises(DeviceError, match=f"signal {signal.SIGSEGV.value}"):
            for _ in range(3):
                client.hello()


def test_a_process_that_hangs_up_but_lives_on_is_told_apart(tmp_path: Path) -> None:
    body = "wire = listen()\nwire.recv(1)\nwire.close()\ntime.sleep(60)"
    with (
        emulate.start("native", script(tmp_path, body)) as emulator,
        pytest.raises(DeviceError, match="runs but closed its serial port"),
    ):
        DeviceClient(emulator.transport, timeout=5).hello()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_the_emulator_dies_with_its_parent_and_leaves_no_file(
    good: Path, temporary: Path, number: signal.Signals
) -> None:
    program = (
        "import sys, time; from torpor import emulate\n"
        "e = emulate.start('native', sys.argv[1]); print(e.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(good)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.send_signal(number)
    parent.wait(10)
    parent.stdout.close()
    assert eventually(lambda: not alive(pid))
    assert list(temporary.iterdir()) == []


# ---- what cannot start


def test_a_missing_emulator_names_the_package(good: Path) -> None:
    board = altered("mps2_an386", program="qemu-system-nowhere")
    with pytest.raises(MissingToolError, match="qemu-system-nowhere") as caught:
        emulate.start(board, good)
    assert caught.value.hint == "apt-get install qemu-system-arm"


def test_a_board_without_an_emulator_is_refused(good: Path) -> None:
    board = dataclasses.replace(load_board("native"), emulator=None)
    with pytest.raises(UsageError, match="'native' has no emulator"):
        emulate.start(board, good)


def test_a_missing_firmware_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such firmware"):
        emulate.start("native", tmp_path / "none.elf")


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "firmware.elf"
    path.write_text("hello")
    with pytest.raises(DeviceError, match="cannot be run"):
        emulate.start("native", path)


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"machine": "mps2-an000"}, "unsupported machine type"),
        ({"args": ("-x",)}, "invalid option"),
    ],
    ids=["machine", "option"],
)
def test_what_qemu_says_at_a_wrong_start_is_quoted(
    good: Path, facts: dict[str, object], words: str, qemu_program: str
) -> None:
    board = altered("mps2_an386", program=qemu_program, **facts)
    with pytest.raises(DeviceError, match="ended with exit status 1") as caught:
        emulate.start(board, good)
    assert words in caught.value.hint


@pytest.mark.emulated
def test_a_file_that_is_no_elf_is_quoted_by_qemu(tmp_path: Path, qemu_program: str) -> None:
    path = tmp_path / "firmware.elf"
    path.write_bytes(b"\x7fELF" + bytes(100))
    board = altered("mps2_an386", program=qemu_program)
    with (
        pytest.raises(DeviceError, match="ended with"),
        emulate.start(board, path) as emulator,
    ):
        DeviceClient(emulator.transport, tries=3).hello()


# ---- QEMU's command line and clock


def test_the_command_line_counts_and_starts_stopped(tmp_path: Path) -> None:
    facts = load_board("mps2_an386").emulator
    assert facts
    words = qemu.command(facts, tmp_path / "f.elf")
    assert words[:3] == ["qemu-system-arm", "-M", "mps2-an386"]
    assert "-S" in words
    assert words[words.index("-icount") + 1] == "shift=6"
    assert not any("," in word and str(tmp_path) in word for word in words)


def test_a_machine_that_starts_from_flash_gets_an_image_and_no_kernel(tmp_path: Path) -> None:
    facts = load_board("riscv_virt").emulator
    assert facts
    words = qemu.command(facts, tmp_path / "f.elf")
    assert "-kernel" not in words
    assert words[words.index("-drive") + 1].startswith("if=pflash,unit=0,format=raw,file=flash.img")
    assert not any(str(tmp_path) in word for word in words)


FLASH = Memory("rom", 0x20000000, 0x1000)


def test_a_flash_image_has_every_segment_at_its_place_and_the_size_of_the_flash(
    tmp_path: Path,
) -> None:
    end = FLASH.origin + FLASH.size
    elf = elf_with(tmp_path, (FLASH.origin, b"code", 4), (end - 2, b"zz", 9), (0x80000000, b"", 64))
    qemu.write_flash_image(elf, FLASH, tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == b"code" + bytes(FLASH.size - 6) + b"zz"


@pytest.mark.parametrize("address", [FLASH.origin - 1, FLASH.origin + FLASH.size - 1, 0])
def test_bytes_outside_the_flash_are_refused(tmp_path: Path, address: int) -> None:
    elf = elf_with(tmp_path, (address, b"ab", 2))
    with pytest.raises(UsageError, match=f"has bytes at {address:#x}, outside the flash"):
        qemu.write_flash_image(elf, FLASH, tmp_path / "image")


@pytest.mark.parametrize("content", [b"", b"no ELF", b"\x7fELF", bytes(100)])
def test_a_file_that_is_no_elf_makes_no_flash_image(tmp_path: Path, content: bytes) -> None:
    elf = tmp_path / "f.elf"
    elf.write_bytes(content)
    with pytest.raises(UsageError, match="is no ELF file"):
        qemu.write_flash_image(elf, FLASH, tmp_path / "image")


@pytest.mark.parametrize(
    ("shift", "hz", "ticks", "expected"),
    [(6, 25_000_000, 1_600, 1_000), (0, 16_000_000, 16, 1_000), (3, 25_000_000, 1, 5)],
)
def test_ticks_become_instructions(shift: int, hz: int, ticks: int, expected: int) -> None:
    facts = Emulator("qemu", "q", "p", icount_shift=shift)
    assert qemu.instructions(facts, ticks, hz) == expected


def test_ticks_of_a_process_are_not_instructions() -> None:
    assert qemu.instructions(Emulator("native", "gcc", "gcc"), 1000, 10_000_000) is None


# ---- the pseudo terminal


def test_a_terminal_carries_bytes_both_ways_and_readers_may_come_and_go(
    good: Path, tmp_path: Path
) -> None:
    link = tmp_path / "port"
    with emulate.start("native", good) as emulator:
        terminal = emulate.Terminal(emulator.transport, link)
        for _ in range(2):
            with serial.Serial(str(link), timeout=0) as port:
                port.write(b"\x05\x12ggEBdio=\n")
                received = b""
                while b"\n\x05\x12" not in b"\n" + received or not received.endswith(b"\n"):
                    terminal.pump(5)
                    received += port.read(4096)
        terminal.close()
    assert not link.is_symlink()


def test_a_terminal_without_a_reader_does_not_stop_the_device(tmp_path: Path) -> None:
    body = "wire = listen()\nfor i in range(64): wire.sendall(bytes(4096))\nwire.recv(1)"
    with emulate.start("native", script(tmp_path, body)) as emulator:
        terminal = emulate.Terminal(emulator.transport)
        while select.select([emulator.transport], [], [], 0.2)[0]:
            terminal.pump(1)
        assert alive(emulator.pid)
        terminal.close()


def test_an_old_link_is_replaced_and_a_file_is_not(good: Path, tmp_path: Path) -> None:
    old, file = tmp_path / "old", tmp_path / "file"
    old.symlink_to("/dev/nowhere")
    file.write_text("mine")
    with emulate.start("native", good) as emulator:
        terminal = emulate.Terminal(emulator.transport, old)
        assert str(old.readlink()) == terminal.path
        terminal.close()
        with pytest.raises(UsageError, match="exists and is no link"):
            emulate.Terminal(emulator.transport, file)
    assert file.read_text() == "mine"


# ---- torpor emulate, as a process


@dataclasses.dataclass
class Running:
    process: "subprocess.Popen[str]"
    port: str
    emulator: int


@pytest.fixture
def running(good: Path, tmp_path: Path) -> Iterator[Running]:
    command = [TORPOR, "emulate", "--board", "native"]
    process = subprocess.Popen(
        [*command, "--elf", str(good), "--link", str(tmp_path / "tty")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    port = process.stdout.readline().strip()
    (emulator,) = children(process.pid)
    yield Running(process, port, emulator)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_torpor_emulate_ends_cleanly_on(running: Running, number: signal.Signals) -> None:
    client = DeviceClient(open_transport(running.port), timeout=5)
    assert client.hello().model == "fake"
    client.close()
    running.process.send_signal(number)
    _, talk = running.process.communicate(timeout=20)
    assert running.process.returncode == 0
    assert "Traceback" not in talk
    assert not alive(running.emulator)
    assert not Path(running.port).is_symlink()


def test_torpor_emulate_reports_a_firmware_that_ends(running: Running) -> None:
    os.kill(running.emulator, signal.SIGKILL)
    _, talk = running.process.communicate(timeout=20)
    assert running.process.returncode == 7
    assert "torpor: firmware.elf ended with signal 9" in talk


def test_torpor_emulate_killed_hard_takes_the_emulator_along(running: Running) -> None:
    running.process.kill()
    running.process.wait(10)
    assert eventually(lambda: not alive(running.emulator))
