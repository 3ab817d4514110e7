# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Keep an emulated device running, with a serial port to open.

Prints the path of the port, which any program may open, and runs until Ctrl-C (or SIGTERM), which
ends the emulator too. Builds the firmware first unless --elf names one.
"""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from torpor import emulate
from torpor.board import load_board
from torpor.emulate import firmware

PUMP_SECONDS = 1.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # nothing disturbs the cleaning up
    raise KeyboardInterrupt


@contextlib.contextmanager
def _until_stopped() -> Iterator[None]:
    """Let a signal end the block quietly."""
    for number in SIGNALS:
        signal.signal(number, _stop)
    with contextlib.suppress(KeyboardInterrupt):
        yield


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor emulate`."""
    parser.add_argument("--board", default="mps2_an386", help="default: %(default)s")
    parser.add_argument(
        "--model",
        default="motion",
        help="of models/, or a quantized FILE.tflite; default: motion",
    )
    parser.add_argument("--bits", type=int, choices=(8, 4), default=8, help="default: %(default)s")
    parser.add_argument("--elf", type=Path, help="the firmware to run; nothing is built")
    parser.add_argument("--link", type=Path, help="make this a symbolic link to the serial port")


def _model(words: str) -> str | Path:
    return Path(words) if words.endswith(".tflite") else words


def run(args: argparse.Namespace) -> int:
    """Emulate until a signal comes; 0 then."""
    board = load_board(args.board)
    with _until_stopped():
        elf = args.elf or firmware.build(board.name, _model(args.model), args.bits).elf
        with (
            emulate.start(board, elf) as emulator,
            contextlib.closing(emulate.Terminal(emulator.transport, args.link)) as terminal,
        ):
            print(f"{board.name} runs {elf}, until Ctrl-C, on the serial port", file=sys.stderr)
            print(args.link or terminal.path, flush=True)
            while True:
                terminal.pump(PUMP_SECONDS)
    return 0
