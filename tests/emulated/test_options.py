# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How a board may be emulated otherwise: its time, and files in its memory."""

import contextlib
import itertools
import random
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.emulated import tally
from tests.emulated.conftest import BOARDS, Reference, built, require
from tests.emulated.processes import TORPOR
from torpor import emulate
from torpor.board import Board, Memory, load_board
from torpor.emulate import qemu
from torpor.errors import DeviceError, UsageError
from torpor.link import DeviceClient, open_transport
from torpor.link.transport import Transport
from torpor.paths import FIRMWARE, ROOT
from torpor.scene.scene import Scene, write
from torpor.wire import framing, records

sys.path.insert(0, str(ROOT / "site_scons"))
from torpor_build import config, steps

EMULATED = [name for name in BOARDS if load_board(name).memory]
PATIENCE_S = 60
NOISE = 0x4000  # bytes at the beginning of the RAM
CONTENT = random.Random(5).randbytes(10_001)


def facts_of(name: str) -> tuple[Board, Memory]:
    """Return a board and its RAM, if it can be emulated here."""
    board = load_board(name)
    require(board)
    return board, board.memory["ram"]


# ---- the command line


def test_skipping_idle_time_is_a_word_of_icount(tmp_path: Path) -> None:
    facts = load_board("mps2_an386").emulator
    assert facts
    words = qemu.command(facts, tmp_path / "f.elf", skip_idle=True)
    assert words[words.index("-icount") + 1] == "shift=6,sleep=off"
    assert words.count("-icount") == 1


def test_files_are_loaded_as_they_are_at_their_addresses(tmp_path: Path) -> None:
    facts = load_board("mps2_an386").emulator
    assert facts
    files = [(0x20100000, Path("/a,b")), (0x21800000, Path("/c"))]
    words = qemu.command(facts, tmp_path / "f.elf", memory=files)
    loads = [after for word, after in itertools.pairwise(words) if word == "-device"]
    assert loads == [
        "loader,file=/a,,b,addr=0x20100000,force-raw=on",
        "loader,file=/c,addr=0x21800000,force-raw=on",
    ]


# ---- what is refused


@pytest.mark.parametrize("shift", [-1, 11, 64])
def test_a_shift_that_qemu_does_not_take_is_refused(tmp_path: Path, shift: int) -> None:
    (tmp_path / "elf").touch()
    with pytest.raises(UsageError, match=f"shift of {shift} is none") as caught:
        emulate.start("mps2_an386", tmp_path / "elf", icount_shift=shift)
    assert caught.value.hint == "0 to 10"


def test_the_time_of_a_process_is_that_of_the_wall(tmp_path: Path) -> None:
    (tmp_path / "elf").touch()
    with pytest.raises(UsageError, match="'native' counts no instructions"):
        emulate.start("native", tmp_path / "elf", icount_shift=3)
    with pytest.raises(UsageError, match="'native' counts no instructions"):
        emulate.start("native", tmp_path / "elf", skip_idle=True)


@pytest.mark.parametrize("name", BOARDS)
def test_a_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "elf").touch()
    with pytest.raises(UsageError, match=re.escape(f"no such file: {tmp_path / 'none'}")):
        emulate.start(name, tmp_path / "elf", memory={0: tmp_path / "none"})


def test_a_process_takes_one_file(tmp_path: Path) -> None:
    (tmp_path / "elf").touch()
    with pytest.raises(UsageError, match="'native' is a process"):
        emulate.start("native", tmp_path / "elf", memory=dict.fromkeys((0, 1), tmp_path / "elf"))


@pytest.mark.parametrize("name", EMULATED)
@pytest.mark.parametrize("offset", [-1, 0, 100, NOISE - 1])
def test_a_file_where_the_ram_begins_is_refused(name: str, offset: int, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"ab")
    ram = load_board(name).memory["ram"]
    with pytest.raises(UsageError, match="lies where the RAM begins") as caught:
        emulate.start(name, file, memory={ram.origin + offset: file})
    assert caught.value.hint == f"an address from {ram.origin + NOISE:#x} on"


# ---- files in memory


@pytest.mark.emulated
@pytest.mark.parametrize("name", [name for name in EMULATED if name != "microbit"])
def test_files_are_in_memory_from_the_start_and_again_after_resets_and_power_cuts(
    name: str, tmp_path: Path
) -> None:
    board, ram = facts_of(name)
    places = (ram.origin + NOISE, ram.origin + ram.size - len(CONTENT))
    files = [tmp_path / name for name in ("one, two", "three")]
    files[0].write_bytes(CONTENT)
    files[1].write_bytes(CONTENT[::-1])

    def look(device: emulate.Emulator) -> list[bytes]:
        return [device.debugger.read(place, len(CONTENT)) for place in places]

    memory = dict(zip(places, files, strict=True))
    with emulate.start(board, tally.build(board, tmp_path), memory=memory) as device:
        assert look(device) == [CONTENT, CONTENT[::-1]]
        device.debugger.write([(place, bytes(100)) for place in places])
        assert look(device)[0][:100] == bytes(100)
        device.reset()
        assert look(device) == [CONTENT, CONTENT[::-1]]
        files[0].write_bytes(CONTENT[1:] + CONTENT[:1])
        device.power_cut()
        assert look(device) == [CONTENT[1:] + CONTENT[:1], CONTENT[::-1]]


@pytest.mark.emulated
def test_a_file_that_does_not_fit_says_so(tmp_path: Path) -> None:
    board, _ = facts_of("mps2_an386")
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    code = board.memory["code"].origin
    with pytest.raises(DeviceError, match="ended with exit status 1") as caught:
        emulate.start(board, tally.build(board, tmp_path), memory={code: file})
    assert "overlap" in caught.value.hint


def build_memory(folder: Path) -> Path:
    """Return the program memory.c for this computer."""
    board = load_board("native")
    (folder / "gen").mkdir()
    (folder / "gen" / "board_config.h").write_text(config.board_header(board))
    (folder / "board.c").write_text(config.board_source(board))
    sources = [*steps.port_files(board), folder / "board.c", Path(__file__).with_name("memory.c")]
    elf = folder / "memory.elf"
    flags = ["-std=c11", "-D_GNU_SOURCE", *steps.WARNINGS, f"-I{FIRMWARE}", f"-I{folder}"]
    subprocess.run(["gcc", *flags, *map(str, sources), "-o", str(elf)], check=True)
    return elf


def what_it_says(device: emulate.Emulator) -> bytes:
    """Return what memory.c sends: a length, and as many bytes."""
    said = b""
    while len(said) < 4 or len(said) < 4 + struct.unpack("<I", said[:4])[0]:
        piece = device.transport.read(10)
        assert piece, said
        said += piece
    return said


def test_a_process_finds_the_file_again_after_a_reset(tmp_path: Path) -> None:
    file, flash = tmp_path / "file", tmp_path / "flash"
    file.write_bytes(CONTENT)
    with emulate.start(
        "native", build_memory(tmp_path), flash=flash, memory={0x20000000: file}
    ) as device:
        for _ in range(2):
            assert what_it_says(device) == struct.pack("<I", len(CONTENT)) + CONTENT
            device.reset()


def test_a_process_without_a_file_has_no_memory(tmp_path: Path) -> None:
    with emulate.start("native", build_memory(tmp_path)) as device:
        assert what_it_says(device) == bytes(4)


def test_a_process_refuses_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        emulate.start("native", build_memory(tmp_path), memory={0: tmp_path / "file"}) as device,
        pytest.raises(DeviceError, match="exit status 2") as caught,
    ):
        what_it_says(device)
    assert "is empty or too long" in caught.value.hint


# ---- time


@pytest.mark.emulated
@pytest.mark.parametrize("name", EMULATED)
def test_instructions_are_the_same_in_any_time(name: str) -> None:
    board, _ = facts_of(name)
    made = built(name, 8)
    reference = Reference(made)
    assert board.emulator and board.emulator.icount_shift is not None
    counts = {}
    for shift, skip in ((None, False), (None, True), (4, False), (4, True)):
        with emulate.start(board, made.elf, icount_shift=shift, skip_idle=skip) as device:
            client = DeviceClient(device.transport, timeout=20)
            hello = client.hello()
            result = client.infer(0, [reference.inputs[0]])
            assert result.outputs == reference.outputs[0]
            count = device.instructions(result.ticks, hello.timer_hz)
            assert count is not None
            used = board.emulator.icount_shift if shift is None else shift
            counts[shift, skip] = (count, 1e9 / hello.timer_hz / 2**used)
    first, _ = counts[None, False]
    for count, tick in counts.values():
        assert count == pytest.approx(first, abs=200 + 2 * tick), counts


# ---- torpor emulate


@pytest.mark.emulated
def test_emulate_takes_the_options_of_time() -> None:
    made = built("mps2_an386", 8)
    reference = Reference(made)
    words = ["emulate", "--elf", str(made.elf), "--icount", "4", "--skip-idle"]
    with subprocess.Popen([TORPOR, *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        client = DeviceClient(open_transport(process.stdout.readline().strip()), timeout=20)
        result = client.infer(0, [reference.inputs[0]])
        client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert result.outputs == reference.outputs[0]
    instructions = result.ticks * 40 / 2**4  # 25 MHz
    assert 1_000_000 < instructions < 3_000_000, "as many as with the board's own shift"


def test_emulate_refuses_them_where_time_is_the_walls(tmp_path: Path) -> None:
    (tmp_path / "elf").touch()
    words = ["emulate", "--board", "native", "--elf", str(tmp_path / "elf"), "--skip-idle"]
    done = subprocess.run([TORPOR, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (UsageError.exit_code, "")
    assert "'native' counts no instructions" in done.stderr


@pytest.mark.parametrize("name", ["native", "mps2_an386"])
def test_an_edge_at_a_pin_that_nobody_watches_is_nothing(name: str) -> None:
    require(load_board(name))
    made = built(name, 8)
    words = [TORPOR, "emulate", "--board", name, "--elf", str(made.elf)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        client = DeviceClient(open_transport(process.stdout.readline().strip()), timeout=20)
        process.send_signal(signal.SIGURG)
        assert client.hello().board == name
        client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert ("has no button" in process.stderr.read()) == (name != "native")


@pytest.mark.emulated
def test_emulate_runs_a_sleeping_device_with_a_scene(tmp_path: Path) -> None:
    """From memory, as its `need` of nothing says when the scene is over."""
    require(load_board("mps2_an386"))
    file = tmp_path / "scene"
    write(Scene(rate_hz=10, samples=40, base=(0,) * 6, seed=1), file)
    words = ["emulate", "--app", "wake", "--scene", str(file), "--skip-idle"]
    process = subprocess.Popen(
        [TORPOR, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout
        path = process.stdout.readline().strip()
        with contextlib.closing(open_transport(path)) as port:
            assert heard(port, records.Need).count == 0
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def heard(port: Transport, kind: type[records.Record]) -> Any:
    """Return the next record of a kind; the device is asked for it again and again."""
    decoder, deadline = framing.Decoder(), time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        port.write(framing.encode_frame(records.encode(records.Ask(1, 3))))
        for event in decoder.feed(port.read(0.2)):
            if isinstance(event, framing.Frame):
                record = records.decode(event.payload)
                if isinstance(record, kind):
                    return record
    raise AssertionError(f"no {kind.__name__}")


@pytest.mark.parametrize(
    ("board", "said"), [("microbit", "room for 0"), ("mps2_an386", "no scene")]
)
def test_emulate_names_a_scene_that_it_cannot_use(board: str, said: str, tmp_path: Path) -> None:
    require(load_board(board))
    file = tmp_path / "scene"
    if said == "no scene":
        file.write_bytes(b"something else")
    else:
        write(Scene(rate_hz=10, samples=40, base=(0,) * 6, seed=1), file)
    words = [TORPOR, "emulate", "--board", board, "--app", "wake", "--scene", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
