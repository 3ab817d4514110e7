# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Feed recorded sensor data to a device, print what it decides.

The device measures it in place of what its sensor would.

FILE is a scene of torpor's, a .wav (mono, 16 bit), a .npy or a .csv with whole numbers, [samples,
axes], as the sensor counts them. Without FILE it is a scene of 20 minutes in which four things
happen that --model is for: recordings that its training never saw, or words that espeak-ng says;
--keep writes that scene to a file.

The device runs a firmware of app=wake. With --port it is one that asks for its samples over the
wire: one whose sensor is replayed, and that has no scene in its memory. With --board and --model it
is built and emulated; a scene lies in its memory if there is room, and otherwise, or with --frames,
comes over the wire too.

--speed fast gives a device its samples as soon as it asks for them, and lets an emulator skip the
time in which it sleeps; a real device still measures at its own rate. Ctrl-C ends the replay; the
device waits for the next one.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torpor.cli import whole_number
from torpor.cli._engine import add_engine_argument, need
from torpor.errors import UsageError

if TYPE_CHECKING:
    from torpor.link import Transport
    from torpor.scene.feed import Feeder
    from torpor.scene.recording import Recording
    from torpor.wire.records import Record

EVENTS, EVENTS_AN_HOUR = 4, 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor replay`."""
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="what the sensor measures"
    )
    device = parser.add_argument_group("a device", "at a port, or emulated")
    device.add_argument(
        "--port", metavar="PORT", help="/dev/ttyACM0, unix:PATH, socket://HOST:PORT"
    )
    device.add_argument(
        "--baud", type=whole_number(1), default=115200, metavar="N", help="default: %(default)s"
    )
    device.add_argument("--board", metavar="BOARD", help="to emulate")
    device.add_argument("--model", metavar="MODEL", help="that is built into its firmware")
    device.add_argument("--bits", type=int, choices=(8, 4), default=8, help="default: %(default)s")
    add_engine_argument(device)
    device.add_argument("--elf", type=Path, metavar="FILE", help="the firmware: nothing is built")
    device.add_argument("--frames", action="store_true", help="over the wire in any case")
    parser.add_argument(
        "--speed", choices=("real", "fast"), default="real", help="default: %(default)s"
    )
    parser.add_argument("--keep", type=Path, metavar="FILE", help="for the scene that is made")
    parser.add_argument(
        "--seed", type=whole_number(0), default=1, metavar="N", help="of it; default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="print an object a decision")


def run(args: argparse.Namespace) -> int:
    """Replay, print decisions; 0 if the recording was measured to its end."""
    _check(args)
    recording = _recording(args)
    with _device(args, recording) as (transport, has_it):
        _replay(args, recording, transport, has_it=has_it)
    return 0


def _recording(args: argparse.Namespace) -> "Recording":
    from torpor.scene.recording import of_scene, open_recording  # noqa: PLC0415 - imports numpy

    if args.file is not None:
        return open_recording(args.file)
    from torpor.model import find_model  # noqa: PLC0415
    from torpor.power.scenes import scene  # noqa: PLC0415
    from torpor.scene import write  # noqa: PLC0415

    made = scene(find_model(args.model), EVENTS_AN_HOUR, EVENTS, args.seed)
    if args.keep:
        write(made.scene, args.keep)
    for truth in made.truth:
        print(f"{truth.start_s:>9.2f} s to {truth.end_s:.2f} s: {truth.label}", file=sys.stderr)
    return of_scene(made.scene, "a scene that was made")


def _check(args: argparse.Namespace) -> None:
    if args.file is None and not args.model:
        raise UsageError("FILE is missing", "or --model: then a scene is made")
    if args.file is not None and args.keep:
        raise UsageError("--keep is for a scene that is made", "leave FILE out")
    if (args.port is None) == (args.board is None):
        raise UsageError("where is the device?", "either --port PORT, or --board BOARD")
    if args.board and not (args.model or args.elf):
        raise UsageError("--model is missing", "the model that is built into the firmware")
    for option in ("elf", "frames", *(["model"] if args.file else [])):
        if args.port and getattr(args, option):
            raise UsageError(f"--{option} is of no use with --port", "the device is there already")


@contextlib.contextmanager
def _device(args: argparse.Namespace, recording: "Recording") -> Iterator[tuple["Transport", bool]]:
    """Give the device's wire, and whether it has the recording in its memory."""
    if args.board:
        yield from _emulated(args, recording)
        return
    from torpor.link import open_transport  # noqa: PLC0415

    with contextlib.closing(open_transport(args.port, args.baud)) as transport:
        yield transport, False


def _emulated(
    args: argparse.Namespace, recording: "Recording"
) -> Iterator[tuple["Transport", bool]]:
    from torpor.board import load_board  # noqa: PLC0415
    from torpor.emulate.firmware import App, build, built  # noqa: PLC0415
    from torpor.power.measure import shift_of  # noqa: PLC0415
    from torpor.scene.emulated import started  # noqa: PLC0415

    board = load_board(args.board)
    scene = None if args.frames else _scene(args, recording)
    if args.elf:
        elf = built(board.name, args.model or "", args.bits, args.elf).elf
    else:
        need(args.engine, board)
        app = App("wake", engine=args.engine)
        elf = build(board.name, args.model, args.bits, app=app).elf
    fast, shift = args.speed == "fast", shift_of(board)
    with started(board, elf, scene, fast=fast, icount_shift=shift) as emulator:
        yield emulator.transport, scene is not None


def _scene(args: argparse.Namespace, recording: "Recording") -> Any:
    """Return the recording as a scene that the board holds, or None."""
    from torpor.board import load_board  # noqa: PLC0415
    from torpor.model import find_model  # noqa: PLC0415
    from torpor.scene import pack  # noqa: PLC0415
    from torpor.scene.emulated import holds  # noqa: PLC0415
    from torpor.scene.speech import RATE_HZ  # noqa: PLC0415

    rate = recording.rate_hz
    if rate is None:
        if args.model is None:
            return None
        about = find_model(args.model).about
        is_sound = about.wake is not None and about.wake.sensor == "sound"
        rate = RATE_HZ if is_sound else round(about.input.rate_hz)
    scene = recording.as_scene(rate)
    return scene if holds(load_board(args.board), pack(scene)) else None


def _replay(
    args: argparse.Namespace, recording: "Recording", transport: "Transport", *, has_it: bool
) -> None:
    from torpor.cli._progress import progress  # noqa: PLC0415
    from torpor.scene.feed import Feeder  # noqa: PLC0415

    rate = recording.rate_hz or 1
    units = "samples" if recording.rate_hz is None else "seconds"
    with progress(-(-recording.samples // rate), units, "replay") as show:
        feeder = Feeder(
            transport,
            recording,
            real=args.speed == "real",
            has_it=has_it,
            moved=lambda: show(-(-feeder.position // rate)),
        )
        try:
            _print_all(feeder, _length(recording), as_json=args.json)
        finally:
            _print_health(feeder, recording)


def _length(recording: "Recording") -> str:
    seconds = f" = {recording.samples / recording.rate_hz:,.1f} s" if recording.rate_hz else ""
    return f"{recording.samples:,} samples{seconds} of {recording.name}"


def _print_all(feeder: "Feeder", what: str, *, as_json: bool) -> None:
    from torpor.monitor.plain import printable  # noqa: PLC0415

    labels: dict[int, str] = {}
    device = ""
    for record in feeder.run():
        fields: Any = record
        if record.spec.kind == "hello" and not device:
            device = f"{fields.model} on {fields.board}"
            print(f"{printable(device)} measures {what}", file=sys.stderr)
        elif record.spec.kind == "label":
            labels[fields.index] = fields.name
        elif record.spec.kind == "decision":
            print(_line(record, labels, as_json=as_json), flush=True)


def _line(record: "Record", labels: dict[int, str], *, as_json: bool) -> str:
    from torpor.monitor.describe import describe  # noqa: PLC0415
    from torpor.monitor.plain import decision, printable  # noqa: PLC0415

    words = describe(record, labels)
    if as_json:
        return json.dumps(words)
    text = f"{words['label']}, {words['score']:.0%}"
    if words["source"] != "model":
        text = decision(words["label"], 0, words["source"], words["failure"], 0)
    return f"{words['device_ms'] / 1000:>9.2f} s  {printable(text)}"


def _print_health(feeder: "Feeder", recording: "Recording") -> None:
    health = feeder.health
    parts = [f"{feeder.position:,} of {recording.samples:,} samples measured"]
    parts += [f"{health.garbled} lines garbled"] if health.garbled else []
    parts += [f"{health.again} requests sent again"] if health.again else []
    parts += [f"{health.restarts} restarts"] if health.restarts else []
    print(", ".join(parts), file=sys.stderr)
