# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Keep an emulated device running, with a serial port to open.

Prints the path of the port, which any program may open, and runs until Ctrl-C (or SIGTERM), which
ends the emulator too. Builds the firmware first unless --elf names one.

With --flash it is a device that can be updated: the bootloader runs, and the flash with its slots
lasts from one run to the next, in a file. If the file is not there it is made, and the firmware
programmed into slot A, as a factory does (with --elf it is left erased). `kill -USR1` to this
process presses the reset button; `kill -USR2` cuts the power and gives it back: RAM is lost, the
flash is not, the serial port stays open. `kill -URG` is an edge at the device's pin (native only).
"""

import argparse
import contextlib
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from torpor import emulate
from torpor.board import Board, load_board
from torpor.cli._engine import add_engine_argument, need
from torpor.emulate import firmware
from torpor.errors import UsageError
from torpor.monitor.plain import printable
from torpor.paths import app_names
from torpor.scene.emulated import place
from torpor.scene.scene import read
from torpor.wire.framing import Decoder, Text

PUMP_SECONDS = 0.1  # until a button is noticed while nothing is said
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BUTTONS = {
    signal.SIGUSR1: emulate.Emulator.reset,
    signal.SIGUSR2: emulate.Emulator.power_cut,
    signal.SIGURG: emulate.Emulator.edge,
}


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


class _Buttons:
    """What was asked for by signals; each is done when the bytes on their way have arrived."""

    def __init__(self) -> None:
        self._pressed: deque[int] = deque()
        for number in BUTTONS:
            signal.signal(number, lambda pressed, _frame: self._pressed.append(pressed))

    def serve(self, emulator: emulate.Emulator) -> None:
        while self._pressed:
            try:
                BUTTONS[signal.Signals(self._pressed.popleft())](emulator)
            except UsageError as error:  # this device has no such button
                print(f"torpor: {error.message}", file=sys.stderr)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor emulate`."""
    parser.add_argument("--board", default="mps2_an386", help="default: %(default)s")
    parser.add_argument(
        "--model",
        default="motion",
        help="of models/, or a quantized FILE.tflite; default: motion",
    )
    parser.add_argument("--bits", type=int, choices=(8, 4), default=8, help="default: %(default)s")
    parser.add_argument(
        "--app",
        choices=app_names(),
        default="serve",
        help="what the firmware does: serve a host, or sleep and wake; default: %(default)s",
    )
    add_engine_argument(parser)
    parser.add_argument(
        "--scene",
        type=Path,
        metavar="FILE",
        help="what the sensor of a sleeping device measures: see torpor replay --keep",
    )
    parser.add_argument("--elf", type=Path, help="the firmware to run; nothing is built")
    parser.add_argument(
        "--flash",
        type=Path,
        metavar="FILE",
        help="a file for the flash: a device that can be updated",
    )
    parser.add_argument(
        "--show", action="store_true", help="print the lines of text that the device says"
    )
    parser.add_argument("--link", type=Path, help="make this a symbolic link to the serial port")
    parser.add_argument(
        "--icount",
        type=int,
        metavar="N",
        help="an instruction takes 2^N ns of the device's time; default: the board's",
    )
    parser.add_argument(
        "--skip-idle", action="store_true", help="the device's time jumps on while it sleeps"
    )


def _model(words: str) -> str | Path:
    return Path(words) if words.endswith(".tflite") else words


def _updatable(board: Board, model: str | Path, bits: int, app: firmware.App, flash: Path) -> Path:
    """Build bootloader and images, return the former; a flash that is new gets the firmware."""
    if board.slots is None:
        raise UsageError(f"board '{board.name}' has no slots for updates", "leave --flash out")
    made = firmware.build_images(board, model, bits, app=app)
    is_new = not flash.exists()
    file = emulate.FlashFile(board, flash)
    if is_new:
        file.program(board.slots.firmware[0], made.firmware(0).read_bytes())
        print(f"{flash} is new: {made.firmware(0).name} is in slot A", file=sys.stderr)
    return made.boot


def _elf(args: argparse.Namespace, board: Board) -> Path:
    """Return what is to run, built if need be."""
    if args.elf:
        return Path(args.elf)
    need(args.engine, board)
    app, model = firmware.App(args.app, engine=args.engine), _model(args.model)
    if args.flash:
        return _updatable(board, model, args.bits, app, args.flash)
    return firmware.build(board.name, model, args.bits, app=app).elf


def _memory(board: Board, scene: Path | None) -> dict[int, Path]:
    """Return where a scene goes."""
    if scene is None:
        return {}
    read(scene)  # names what is wrong with it
    return place(board, scene, "feed it over the serial port: torpor replay FILE --port PORT")


def _printed(decoder: Decoder) -> Callable[[bytes], None]:
    """Return what prints the lines of text in what a device sends."""

    def listen(data: bytes) -> None:
        for event in decoder.feed(data):
            if isinstance(event, Text) and event.line.strip():
                print(printable(str(event)), flush=True)

    return listen


def run(args: argparse.Namespace) -> int:
    """Emulate until a signal comes; 0 then."""
    board = load_board(args.board)
    with _until_stopped():
        buttons = _Buttons()
        elf = _elf(args, board)
        with (
            emulate.start(
                board,
                elf,
                flash=args.flash,
                icount_shift=args.icount,
                skip_idle=args.skip_idle,
                memory=_memory(board, args.scene),
            ) as emulator,
            contextlib.closing(emulate.Terminal(emulator.transport, args.link)) as terminal,
        ):
            print(f"{board.name} runs {elf}, until Ctrl-C, on the serial port", file=sys.stderr)
            port = args.link or terminal.path
            print(port, file=sys.stderr if args.show else sys.stdout, flush=True)
            terminal.listener = _printed(Decoder()) if args.show else None
            while True:
                terminal.pump(PUMP_SECONDS)
                buttons.serve(emulator)
    return 0
