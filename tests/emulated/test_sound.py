# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sound features on emulated cores (sound.c) and on this computer: the same numbers."""

import subprocess
import sys
import time
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.emulated.conftest import require
from torpor import emulate
from torpor.board import Board, load_board
from torpor.features import RATE_HZ, SLICE, Features
from torpor.features.tables import tables_source
from torpor.paths import FIRMWARE, ROOT
from torpor.third_party import library
from torpor.wire import framing

sys.path.insert(0, str(ROOT / "site_scons"))
from torpor_build import config, linker, steps

LINES = 6
LINE_SLICES = 100
PATIENCE_S = 120
MOST_INSTRUCTIONS = {"mps2_an386": 95_000, "riscv_virt": 115_000, "microbit": 205_000}
"""Of a slice, on average."""

Samples = NDArray[np.int16]


def heard() -> list[Samples]:
    """Return what sound.c hears, line by line: white noise, each a fourth as loud; silence."""
    state, lines = 1, []
    for line in range(LINES):
        samples = np.zeros(LINE_SLICES * SLICE, np.int16)
        for i in range(len(samples)):
            state = (state * 1664525 + 1013904223) % (1 << 32)
            sample = int(np.array(state >> 16, np.uint16).astype(np.int16))
            samples[i] = 0 if line == LINES - 1 else int(sample / (1 << 2 * line))
        lines.append(samples)
    return lines


def expected() -> list[tuple[int, int, int]]:
    """Return (slices, rows, CRC) after each line."""
    features, rows, crc, found = Features("undefined"), 0, 0, []
    for line, samples in enumerate(heard()):
        made = features.process(samples)
        rows += len(made)
        crc = zlib.crc32(made.astype("<u2").tobytes(), crc)
        found.append(((line + 1) * LINE_SLICES, rows, crc))
        features.resume()
    return found


def build(board: Board, folder: Path) -> Path:
    """Build sound.c for a board, its C compiled as the firmware's is."""
    (folder / "gen").mkdir()
    (folder / "gen" / "board_config.h").write_text(config.board_header(board))
    (folder / "board.c").write_text(config.board_source(board))
    (folder / "features.c").write_text(tables_source())
    (folder / "script.ld").write_text(linker.script(board))
    front_end = library("microfrontend")
    own = [*sorted((FIRMWARE / "drivers" / "sound").glob("*.c")), folder / "features.c"]
    rest = [*steps.port_files(board), FIRMWARE / "core" / "crc32.c", FIRMWARE / "core" / "text.c"]
    here = [Path(__file__).with_name("sound.c"), folder / "board.c"]
    ours = [*steps.WARNINGS, f"-I{FIRMWARE}", f"-I{folder}"]
    objects = compiled(board, folder / "rest", [*ours, "-Os"], [*here, *rest])
    objects += compiled(board, folder / "own", [*ours, *front_end.flags, "-O2"], own)
    flags = ["-Os", *front_end.tuning, *front_end.own_flags]
    objects += compiled(board, folder / "third", flags, front_end.sources)
    link = ["-nostartfiles", "-T", str(folder / "script.ld"), "-Wl,--gc-sections", "-Wl,--nmagic"]
    elf = folder / "sound.elf"
    run(board, folder, [*link, "-Wl,--no-warn-rwx-segments", *map(str, objects), "-o", str(elf)])
    return elf


def compiled(
    board: Board, folder: Path, flags: list[str], sources: "list[Path] | tuple[Path, ...]"
) -> list[Path]:
    """Compile sources with the same flags; return the objects."""
    folder.mkdir()
    objects = [folder / f"{number}-{source.stem}.o" for number, source in enumerate(sources)]
    for source, made in zip(sources, objects, strict=True):
        common = ["-std=c11", "-ffunction-sections"]
        run(board, folder, [*common, *flags, "-c", str(source), "-o", str(made)])
    return objects


def run(board: Board, folder: Path, arguments: list[str]) -> None:
    """Run the board's compiler."""
    command = [f"{board.core.toolchain}-gcc", "--specs=picolibc.specs", *board.core.flags]
    subprocess.run([*command, *arguments], cwd=folder, check=True)


def spoken(board: Board, elf: Path) -> list[str]:
    """Return the lines that the program says."""
    decoder, lines = framing.Decoder(), list[str]()
    deadline = time.monotonic() + PATIENCE_S
    with emulate.start(board, elf) as device:
        while len(lines) < LINES:
            assert time.monotonic() < deadline, lines
            lines += [str(event) for event in decoder.feed(device.transport.read(1))]
        ticks = sum(int(line.split()[3]) for line in lines)
        instructions = device.instructions(ticks, board.timer.hz)
    assert instructions is not None
    print(f"{board.name}: {instructions / (LINES * LINE_SLICES):,.0f} instructions a slice")
    assert instructions / (LINES * LINE_SLICES) < MOST_INSTRUCTIONS[board.name]
    return lines


@pytest.mark.emulated
@pytest.mark.parametrize("name", MOST_INSTRUCTIONS)
def test_a_core_makes_the_features_that_this_computer_makes(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    require(board)
    lines = spoken(board, build(board, tmp_path))
    found = [(int(s), int(r), int(crc, 16)) for s, r, crc, _ in map(str.split, lines)]
    assert found == expected()
    assert len({crc for _, _, crc in found}) == LINES
    assert found[-1][1] == LINES * (LINE_SLICES - 2), "a row for all slices but the first two"


def test_what_is_heard_is_a_second_of_each_loudness() -> None:
    lines = heard()
    assert all(len(samples) == RATE_HZ for samples in lines)
    levels = [int(np.abs(samples.astype(int)).mean()) for samples in lines]
    assert all(high > 3 * low for high, low in pairwise(levels))
    assert levels[0] > 16_000 and levels[-1] == 0
