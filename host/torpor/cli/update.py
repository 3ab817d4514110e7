# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Bring new firmware or a new model to a device.

FILE is an image, or the folder of a build with the pair of firmware images. The device tries the
image: it confirms itself after its self-test, or the device goes back to what ran before and says
why. The command waits for that. What was confirmed is never overwritten. If the cable or the power
is lost, the update goes on when the device is back; the same command goes on where an interrupted
one was.

Exits 0 when the image is confirmed, 1 when the device went back, 8 when the image does not fit the
device, 7 when the device does not answer or refuses, 2 when nothing can be done now.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torpor.cli import whole_number
from torpor.cli._device import add_port_arguments, open_device
from torpor.cli._progress import transfer
from torpor.errors import ImageError, MissingToolError, ModelError, UsageError
from torpor.image.capability import Capability, fits
from torpor.image.sound import refuse_unsound
from torpor.monitor.plain import printable
from torpor.update import choice
from torpor.update.builds import Builds
from torpor.update.files import MODEL_FILE, UpdateFile, find, read
from torpor.update.state import (
    COMPONENTS,
    FIRMWARE,
    MODEL,
    MODEL_SLOTS,
    SlotImage,
    Status,
    component_of,
    short_name,
    slot_name,
)

if TYPE_CHECKING:
    from torpor.update.device import Device
    from torpor.update.flow import Outcome, Updater

WENT_BACK = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor update`."""
    parser.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, help="an image, or the folder of a build"
    )
    add_port_arguments(parser)
    parser.add_argument(
        "--back",
        nargs="?",
        choices=COMPONENTS,
        const=COMPONENTS[FIRMWARE],
        metavar="PART",
        help="try what is in the other slot again: firmware (default) or model",
    )
    parser.add_argument(
        "--reject",
        choices=COMPONENTS,
        metavar="PART",
        help="end the trial of firmware or model: the device goes back now",
    )
    parser.add_argument(
        "--slot", type=str.upper, choices=("A", "B"), help="for firmware; default: the free one"
    )
    parser.add_argument(
        "--model-slot",
        type=int,
        choices=range(len(MODEL_SLOTS)),
        metavar="N",
        help="for a model; default: a free one, else the one that was not used for longest",
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="do not wait for the end of the trial"
    )
    parser.add_argument(
        "--timeout",
        type=whole_number(1),
        default=120,
        metavar="S",
        help="seconds until the device has to have decided; default: %(default)s",
    )
    parser.add_argument(
        "--wait",
        type=whole_number(0),
        default=60,
        metavar="S",
        help="seconds that a lost device may take to come back; default: %(default)s",
    )
    parser.add_argument("--json", action="store_true", help="print an object")


def run(args: argparse.Namespace) -> int:
    """Update, go back or end a trial; print how it ended; return the exit code."""
    if sum(map(bool, (args.file, args.back, args.reject))) != 1:
        raise UsageError("name an image or a folder, or --back, or --reject")
    files = find(args.file) if args.file else []
    with open_device(args) as device, _refusals(), _interruptions():
        if args.reject:
            return _reject(device, args)
        status = device.status()
        for file in files:
            if file.component == MODEL:
                choice.check_fit(file, _firmware(status))
                _check_plan(file)
        if args.back:
            return _go_back(device, status, args)
        return _install(device, status, files, args)


# ---- the three things that can be done


def _install(
    device: "Device", status: Status, files: list[UpdateFile], args: argparse.Namespace
) -> int:
    wish = _wish(args, files[0].component)
    chosen = choice.choose(files, status, wish, _last_used(device))
    _say_what_else(args.file, chosen, status)
    updater = _updater(device, args)
    image = SlotImage(str(chosen.file.image.version), chosen.file.image.hash)
    begin, sent, outcome = time.monotonic(), 0, None
    if chosen.step != "send":
        was_rejected = chosen.slot in status.component(chosen.slot).rejected
        words = ", where it was tried and rejected" if was_rejected else ""
        _tell(f"{image.version} is in {slot_name(chosen.slot)} already{words}")
        outcome = _try_what_is_there(updater, chosen, image, args)
    if outcome is None:
        sent = _send(updater, chosen)
        outcome = _try(updater, chosen.slot, image, "arm", args)
    return _report(outcome, args, status.board, sent, time.monotonic() - begin)


def _try_what_is_there(
    updater: "Updater", chosen: choice.Choice, image: SlotImage, args: argparse.Namespace
) -> "Outcome | None":
    """Try an image that is in its slot.

    Returns:
        None if the device finds it damaged: an upload may have been interrupted near its end.
    """
    from torpor.update.device import RefusedError  # noqa: PLC0415  (imports smpclient)

    try:
        return _try(updater, chosen.slot, image, chosen.step, args)
    except RefusedError as error:
        if chosen.step != "arm" or not error.is_about_image:
            raise
        _tell(f"it is not whole: {error.message}")
        return None


def _send(updater: "Updater", chosen: choice.Choice) -> int:
    """Send the file, showing how far it is; return how many bytes were not there before."""
    file, first = chosen.file, None
    name = f"{COMPONENTS[file.component]} {file.image.version} to {slot_name(chosen.slot)}"
    with transfer(len(file.data), name) as bar:

        def show(done: int) -> None:
            nonlocal first
            first = done if first is None else first
            bar(done)

        updater.send(chosen.slot, file.data, show)
    return len(file.data) - (first or 0)


def _try(
    updater: "Updater", slot: int, image: SlotImage, step: str, args: argparse.Namespace
) -> "Outcome":
    """Let an image that is in a slot run, and wait for the verdict."""
    from torpor.update.flow import Outcome  # noqa: PLC0415  (imports smpclient)

    if step == "nothing":
        return Outcome("confirmed", slot, image.version, image.hash)
    since = updater.start(slot, image)
    if args.no_wait:
        return Outcome("armed", slot, image.version, image.hash)
    return updater.wait(slot, image, since)


def _go_back(device: "Device", status: Status, args: argparse.Namespace) -> int:
    component = COMPONENTS.index(args.back)
    slot = choice.choose_back(status, component, _wish(args, component), _last_used(device))
    begin = time.monotonic()
    outcome = _try(_updater(device, args), slot, status.images[slot], "arm", args)
    return _report(outcome, args, status.board, 0, time.monotonic() - begin)


def _reject(device: "Device", args: argparse.Namespace) -> int:
    slot = _updater(device, args).end_trial(COMPONENTS.index(args.reject))
    running = device.state().component(slot).running
    if args.json:
        print(json.dumps({"rejected": short_name(slot), "running": _short(running)}, indent=2))
    else:
        after = "the built-in model" if running is None else slot_name(running)
        print(f"the trial in {slot_name(slot)} is over; {after} runs")
    return 0


# ---- parts


def _updater(device: "Device", args: argparse.Namespace) -> "Updater":
    from torpor.update.flow import Patience, Updater  # noqa: PLC0415  (imports smpclient)

    return Updater(device, Patience(args.wait, args.timeout, _tell))


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Let what a device finds wrong with an image be what we say when we find it ourselves."""
    from torpor.update.device import RefusedError  # noqa: PLC0415  (imports smpclient)

    try:
        yield
    except RefusedError as error:
        if error.is_about_image:
            raise ImageError(error.message, error.hint) from None
        raise


@contextlib.contextmanager
def _interruptions() -> Iterator[None]:
    """Say what Ctrl-C leaves behind."""
    try:
        yield
    except KeyboardInterrupt:
        _tell("interrupted: what was confirmed is untouched; the same command goes on from here")
        raise


def _wish(args: argparse.Namespace, component: int) -> int | None:
    """Return the slot that is wished for, numbered through."""
    option = "--model-slot" if component == FIRMWARE else "--slot"
    if (args.model_slot is not None) if component == FIRMWARE else args.slot:
        raise UsageError(f"{option} is not for a {COMPONENTS[component]}")
    if component == FIRMWARE:
        return None if args.slot is None else "AB".index(args.slot)
    return None if args.model_slot is None else MODEL_SLOTS[args.model_slot]


def _last_used(device: "Device") -> dict[int, int]:
    return {event.slot: event.number for event in device.events() if event.slot is not None}


def _firmware(status: Status) -> Iterator[tuple[str, Capability]]:
    """Yield what the firmware that a model has to fit says of itself."""
    for slot in {status.firmware.running, status.firmware.confirmed}:
        image = status.images.get(slot) if slot is not None else None
        if image and image.content and image.content.capability:
            yield image.version, image.content.capability


def _check_plan(file: UpdateFile) -> None:
    """Refuse a plan that is unsound, as far as this computer can tell: the device checks again."""
    with contextlib.suppress(MissingToolError):
        try:
            refuse_unsound(file.image.payload)
        except ModelError as error:
            raise ImageError(f"{file.path}: {error.message}", error.hint) from None


def _say_what_else(path: Path, chosen: choice.Choice, status: Status) -> None:
    """Tell what becomes of the model that runs, and of the one beside a firmware."""
    running = status.model.running
    if chosen.file.component == MODEL or running is None:
        return
    image = status.images.get(running)
    problem = _does_not_fit(chosen.file, image)
    if problem:
        _tell(f"it will run its built-in model, not that in {slot_name(running)}: {problem}")
        return
    beside = path / MODEL_FILE
    if beside.exists() and (image is None or image.hash != read(beside).image.hash):
        _tell(f"the device goes on with its own model; to replace it too: torpor update {beside}")


def _does_not_fit(file: UpdateFile, model: SlotImage | None) -> str:
    """Say why a firmware cannot run a model of the device, "" if it can or nobody says."""
    header = model.content.plan if model and model.content else None
    capability = file.image.capability
    return fits(header, capability) if header and capability else ""


def _tell(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)


def _short(slot: int | None) -> str | None:
    return None if slot is None else short_name(slot)


def _place(outcome: "Outcome", board: str) -> str | None:
    """Return the name of the function in which a run ended, if it is known here."""
    event = outcome.event
    if event is None or event.pc is None:
        return None
    symbols = Builds(board).symbols(outcome.hash)
    return symbols.name(event.pc) if symbols else None


def describe(outcome: "Outcome", place: str | None = None) -> dict[str, Any]:
    """Return what --json prints of an outcome; `place` is the function that a run ended in."""
    event = outcome.event
    return {
        "verdict": outcome.verdict,
        "component": COMPONENTS[component_of(outcome.slot)],
        "slot": short_name(outcome.slot),
        "version": outcome.version,
        "hash": outcome.hash.hex(),
        "reason": event.reason.name if event else None,
        "why": event.reason.sentence if event else None,
        "pc": event.pc if event else None,
        "lr": event.lr if event else None,
        "pc_name": place,
    }


def _report(
    outcome: "Outcome", args: argparse.Namespace, board: str, sent: int, seconds: float
) -> int:
    place = _place(outcome, board)
    if args.json:
        numbers = {"sent": sent, "seconds": round(seconds, 3)}
        print(json.dumps(describe(outcome, place) | numbers, indent=2))
    else:
        print(_words(outcome, place))
    if outcome.verdict != "reverted":
        return 0
    _tell("hint: torpor history tells of each attempt")
    return WENT_BACK


def _words(outcome: "Outcome", place: str | None) -> str:
    where = f"{outcome.version} in {slot_name(outcome.slot)}"
    if outcome.verdict == "confirmed":
        return f"{where} runs and is confirmed"
    if outcome.verdict == "armed":
        return f"{where} goes on trial"
    event = outcome.event
    why = event.reason.sentence if event else "the device does not say why"
    at = f" at {event.pc:#010x} {place or ''}".rstrip() if event and event.pc else ""
    return f"the device went back: {where}: {why}{at}"
