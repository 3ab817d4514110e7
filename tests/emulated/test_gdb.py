# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor gdb: what is started, that a debugger finds a halted CPU, and what is said without one."""

import shlex
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.emulated.conftest import built, require
from torpor.board import Board, load_board, parse_board
from torpor.emulate import attach
from torpor.errors import DeviceError, MissingToolError, UsageError
from torpor.paths import BOARDS

ELF = Path("/some where/firmware.elf")
PROBE = (
    '\n[probe]\ntools = ["openocd"]\nopenocd = ["interface/stlink.cfg", "target/stm32f4x.cfg"]\n'
)

# Speaks GDB's remote protocol: asks why the CPU stands still and where; then says so.
QEMU_ROM = 0x1000  # of its machine 'virt': jumps to the flash
FAKE = """
    import socket, sys, time

    def ask(link, text):
        link.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())
        answer = b""
        while b"#" not in answer:
            answer += link.recv(4096)
        link.sendall(b"+")
        return answer.partition(b"$")[2].partition(b"#")[0].decode()

    host, port = sys.argv[-1].split()[-1].split(":")
    end = time.monotonic() + 30
    while True:
        try:
            link = socket.create_connection((host, int(port)))
            break
        except OSError:
            assert time.monotonic() < end
    print(ask(link, "?"), ask(link, "g"), flush=True)
    ask(link, "D")
    sys.exit(5)
"""


def run(*words: str, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run torpor gdb, with programs of a folder before all others on PATH."""
    environment = {"PATH": f"{path}:/usr/bin:/bin"} if path else {"PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-m", "torpor", "gdb", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def fake(folder: Path, name: str, code: str) -> None:
    """Write a program of Python."""
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{textwrap.dedent(code)}")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def with_probe(name: str = "microbit") -> Board:
    """Return a board with a probe, whatever its own file says of one."""
    text = (BOARDS / name / "board.toml").read_text()
    head, _, tail = text.partition("\n[probe]")
    rest = tail[tail.index("\n[") :] if "\n[" in tail else ""
    return parse_board(name, head + rest + PROBE, "board.toml")


def test_the_emulator_is_halted_and_waits_at_a_tcp_port() -> None:
    found = attach.session(load_board("mps2_an386"), ELF, 3333, probe=False)
    assert found.server[:2] == ("qemu-system-arm", "-M")
    assert "-S" in found.server and "tcp:127.0.0.1:3333" in found.server
    assert "pty,id=uart" in found.server
    assert found.debugger[1:] == (str(ELF), "-ex", "target remote 127.0.0.1:3333")


def test_a_process_needs_no_server() -> None:
    found = attach.session(load_board("native"), ELF, 3333, probe=False)
    assert found.server == ()
    assert found.debugger == ("gdb", "--args", str(ELF), "--uart", "pty")


def test_a_probe_is_served_by_openocd_and_the_board_reset() -> None:
    found = attach.session(with_probe(), ELF, 3333, probe=True, serial="066E")
    files = ("-f", "interface/stlink.cfg", "-f", "target/stm32f4x.cfg")
    assert found.server == ("openocd", *files, "-c", "adapter serial 066E", "-c", "gdb_port 3333")
    assert found.debugger[2:] == (
        *("-ex", "target extended-remote 127.0.0.1:3333", "-ex", "monitor reset halt"),
    )


def test_the_only_probe_needs_no_number() -> None:
    server = attach.session(with_probe(), ELF, 3333, probe=True).server
    assert not [word for word in server if "serial" in word]


def test_a_board_without_probe_says_so() -> None:
    with pytest.raises(UsageError, match="neither an emulator nor a probe"):
        attach.session(load_board("mps2_an386"), ELF, 3333, probe=True)


def test_renode_gets_a_script_that_makes_the_machine_and_serves_gdb() -> None:
    found = attach.session(load_board("stm32f4_discovery"), ELF, 3333, probe=False)
    assert found.server == ("renode", "--disable-gui", "--console", "debug.resc")
    script = found.files["debug.resc"].splitlines()
    assert script[-1] == "machine StartGdbServer 3333"
    assert "sysbus LoadELF @/some\\ where/firmware.elf" in script
    load = next(i for i, line in enumerate(script) if "LoadPlatformDescription" in line)
    assert load < script.index("sysbus LoadELF @/some\\ where/firmware.elf")


def test_a_dry_run_prints_the_two_commands(tmp_path: Path) -> None:
    elf = tmp_path / "it's a firmware.elf"
    elf.touch()
    done = run("--board", "mps2_an386", "--elf", str(elf), "--dry-run", "--gdb-port", "4444")
    server, debugger = map(shlex.split, done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert server[0] == "qemu-system-arm" and str(elf) in server
    assert debugger[1:] == [str(elf), "-ex", "target remote 127.0.0.1:4444"]


def test_without_a_debugger_the_commands_are_printed_and_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "f.elf").touch()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torpor", "gdb"),
            *("--board", "mps2_an386", "--elf", str(tmp_path / "f.elf"), "--gdb-port", "4444"),
        ],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == MissingToolError.exit_code
    assert done.stdout.splitlines()[1].startswith("gdb-multiarch ")
    assert done.stderr.splitlines() == [
        "torpor: arm-none-eabi-gdb or gdb-multiarch is not installed",
        "hint: sudo apt install gdb-multiarch",
    ]


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("board", "program", "pc"),
    [("mps2_an386", "arm-none-eabi-gdb", 15), ("riscv_virt", "riscv64-unknown-elf-gdb", 32)],
)
def test_a_debugger_finds_the_cpu_before_its_first_instruction(
    tmp_path: Path, board: str, program: str, pc: int
) -> None:
    require(load_board(board))
    fake(tmp_path, program, FAKE)
    elf = built(board, 8).elf
    done = run("--board", board, "--elf", str(elf), path=tmp_path)
    assert done.returncode == 5, done.stderr  # that of GDB
    why, registers = done.stdout.split()
    assert why.startswith("T05")  # SIGTRAP: it stands still
    address = int.from_bytes(bytes.fromhex(registers[pc * 8 : pc * 8 + 8]), "little")
    entry = int.from_bytes(elf.read_bytes()[24:28], "little") & ~1
    assert address == (QEMU_ROM if board == "riscv_virt" else entry)
    assert "redirected to /dev/pts/" in done.stderr


@pytest.mark.emulated
def test_an_emulator_that_does_not_start_is_no_silent_failure(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    waiting = f"""
        import pathlib
        pid = pathlib.Path({str(pid)!r})
        while not (pid.exists() and pid.read_text()):
            pass
        while pathlib.Path("/proc", pid.read_text(), "stat").read_text().split()[2] != "Z":
            pass
    """
    failing = f"""
        import os, pathlib
        pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))
        raise SystemExit("no such machine")
    """
    fake(tmp_path, "arm-none-eabi-gdb", waiting)
    fake(tmp_path, "qemu-system-arm", failing)
    (tmp_path / "f.elf").touch()
    done = run("--board", "mps2_an386", "--elf", str(tmp_path / "f.elf"), path=tmp_path)
    assert done.returncode == DeviceError.exit_code
    assert "qemu-system-arm ended with code 1" in done.stderr
    assert "no such machine" in done.stderr


def test_whoever_ends_it_ends_the_server_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    forever = "import signal\nwhile True:\n    signal.pause()\n"
    told = f"import os, pathlib\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()) + '\\n')\n"
    fake(tmp_path, "qemu-system-arm", told + forever)
    fake(tmp_path, "arm-none-eabi-gdb", forever)
    (tmp_path / "f.elf").touch()
    words = ("--board", "mps2_an386", "--elf", str(tmp_path / "f.elf"))
    with subprocess.Popen(
        [sys.executable, "-m", "torpor", "gdb", *words], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}
    ) as gdb:
        while not (pid.exists() and pid.read_text().endswith("\n")):
            assert gdb.poll() is None
        server = Path("/proc", pid.read_text().strip())
        assert server.exists()
        gdb.terminate()
        assert gdb.wait(timeout=60) == 128 + signal.SIGTERM
    assert not server.exists()


def test_the_firmware_must_be_there(tmp_path: Path) -> None:
    done = run("--board", "mps2_an386", "--elf", str(tmp_path / "none.elf"))
    assert done.returncode == UsageError.exit_code
    assert "no such firmware" in done.stderr
