# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which file goes into which slot, and whether there is anything to do. Decisions only, no I/O."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torpor.errors import ImageError, UsageError
from torpor.image.capability import Capability, fits, plan_header
from torpor.image.layout import TRAILER_BYTES
from torpor.image.reasons import NUMBERS, reason
from torpor.update.files import UpdateFile
from torpor.update.state import (
    COMPONENTS,
    FIRMWARE,
    MODEL,
    SLOTS,
    Status,
    component_of,
    short_name,
    slot_name,
)


@dataclass(frozen=True)
class Choice:
    """What to do.

    Attributes:
        file: to bring to the device.
        slot: where to, numbered through.
        step: what comes first: "send", "arm" (it is there already), "wait" (it is on trial already)
            or "nothing" (it runs and is confirmed).
    """

    file: UpdateFile
    slot: int
    step: str


def choose(
    files: Sequence[UpdateFile],
    status: Status,
    wish: int | None = None,
    last_used: Mapping[int, int] | None = None,
) -> Choice:
    """Choose file and slot.

    Args:
        files: one, or the two of a pair, of one component and version.
        status: the device.
        wish: slot that the user wants, or None.
        last_used: number of the last event about a slot: the lowest is overwritten first.

    Raises:
        ImageError: no file fits the device.
        UsageError: no slot is free, or the one that is wished for.
    """
    for file in files:
        check(file, status)
    found = _already_there(files, status, wish)
    if found is not None:
        return found
    component = files[0].component
    _refuse_busy(status, component)
    free = [slot for slot in SLOTS[component] if not status.is_protected(slot)]
    slots = _wished(status, wish, component) if wish is not None else free
    if not slots:
        raise UsageError(
            f"no {COMPONENTS[component]} slot is free",
            f"end the trial: torpor update --reject {COMPONENTS[component]}",
        )
    return _fitting(files, status, sorted(slots, key=_order(files[0], status, last_used or {})))


def check(file: UpdateFile, status: Status) -> None:
    """Refuse what the device would refuse, before a byte is sent.

    Raises:
        ImageError: with the reason in the words that the device would use.
    """
    component, image = status.components[file.component], file.image
    size = max(status.slots[slot].size for slot in SLOTS[file.component])
    if image.board is not None and image.board != status.board:
        wanted = f"scons board={status.board} image"
        raise _unfit(file, "board", f"it is for {image.board}, this is {status.board}", wanted)
    if len(file.data) > size - TRAILER_BYTES:
        room = f"{len(file.data):,} bytes, {size - TRAILER_BYTES:,} fit"
        raise _unfit(file, "size", room, "a smaller model, or larger slots in board.toml")
    if image.counter < component.counter:
        wanted = f"scons counter={component.counter} ..., or torpor image sign --counter"
        raise _unfit(file, "counter", f"{image.counter} < {component.counter}", wanted)
    if file.is_development != status.development:
        raise _unfit(file, "key", _key_words(status.development), _key_hint(file))
    if status.key_hash not in (b"", image.key_hash):
        named, wanted = image.key_hash.hex()[:16], status.key_hash.hex()[:16]
        detail = f"it names {named}, the device takes {wanted}"
        raise _unfit(file, "key", detail, _key_hint(file))


def check_fit(file: UpdateFile, firmware: Iterable[tuple[str, Capability]]) -> None:
    """Refuse a model that a firmware cannot run.

    Args:
        file: a model.
        firmware: version and capability of those that have to, as far as they are known here.

    Raises:
        ImageError: with what it needs.
    """
    header = plan_header(file.image.payload)
    if header is None:
        raise ImageError(f"{file.path} holds no plan", "make it: torpor image build")
    for version, capability in firmware:
        if problem := fits(header, capability):
            raise ImageError(
                f"{file.path} does not fit firmware {version} of the device: {problem}",
                "update the firmware first",
            )


def choose_back(
    status: Status, component: int, wish: int | None, last_used: Mapping[int, int]
) -> int:
    """Choose the slot whose image the device shall go back to.

    Args:
        status: the device.
        component: of which.
        wish: slot that the user wants, or None.
        last_used: number of the last event about a slot: the newest of the others is taken.

    Raises:
        UsageError: there is none, or only what was rejected, which has to be asked for by its slot.
    """
    _refuse_busy(status, component)
    state = status.components[component]
    others = [slot for slot in SLOTS[component] if slot in status.images and slot != state.running]
    if wish is not None:
        others = [slot for slot in others if slot == wish]
    sound = [slot for slot in others if wish is not None or slot not in state.rejected]
    if others and not sound:
        raise _only_rejected(status, others[0])
    if not sound:
        where = "another slot" if wish is None else slot_name(wish)
        raise UsageError(
            f"there is no {COMPONENTS[component]} to go back to in {where}",
            "torpor slots shows what is there",
        )
    return max(sound, key=lambda slot: last_used.get(slot, -1))


def _only_rejected(status: Status, slot: int) -> UsageError:
    version, name = status.images[slot].version, slot_name(slot)
    option = f"--slot {short_name(slot)}"
    if component_of(slot) == MODEL:
        option = f"--model-slot {SLOTS[MODEL].index(slot)}"
    return UsageError(
        f"{version} in {name} is no version to go back to: it was tried and rejected",
        f"torpor history says why; {option} tries it again",
    )


def _key_words(development: bool) -> str:
    if development:
        return "the device wants the development key"
    return "the device does not take the development key, which is public"


def _key_hint(file: UpdateFile) -> str:
    """Say how to get such an image: firmware has a key built in, too."""
    if file.component == MODEL:
        return "torpor image sign --key KEY signs it anew; torpor keys show tells keys apart"
    return "scons key=KEY ... image builds it for another key; torpor keys show tells keys apart"


def _unfit(file: UpdateFile, name: str, detail: str, hint: str) -> ImageError:
    return ImageError(f"{file.path}: {reason(NUMBERS[name]).sentence}: {detail}", hint)


def _already_there(files: Sequence[UpdateFile], status: Status, wish: int | None) -> Choice | None:
    """Return what is left to do if the device has one of the files already."""
    for file in files:
        state = status.components[file.component]
        for slot in status.holding(file.component, file.image.hash):
            if wish not in (None, slot):
                continue
            if slot == state.trial:
                return Choice(file, slot, "wait")
            if slot == state.confirmed == state.running and state.trial is None:
                return Choice(file, slot, "nothing")
            if not status.is_protected(slot) and status.images[slot].bootable:
                _refuse_busy(status, file.component)
                return Choice(file, slot, "arm")
    return None


def _refuse_busy(status: Status, component: int) -> None:
    """Refuse while another image is running on trial: it has to come to its end first."""
    state = status.components[component]
    if state.trial is not None and (state.trial == state.running or component == FIRMWARE):
        image = status.images.get(state.trial)
        version = image.version if image else "an image"
        name = COMPONENTS[component]
        raise UsageError(
            f"{version} is on trial in {slot_name(state.trial)} and has to be confirmed first",
            f"wait for it, or: torpor update --reject {name}",
        )


def _wished(status: Status, wish: int, component: int) -> list[int]:
    if component_of(wish) != component:
        raise UsageError(f"{slot_name(wish)} is not for a {COMPONENTS[component]}")
    if status.is_protected(wish):
        words = ", ".join(status.words(wish))
        raise UsageError(
            f"{slot_name(wish)} must not be overwritten: {words}", "leave the choice to torpor"
        )
    return [wish]


def _order(
    file: UpdateFile, status: Status, last_used: Mapping[int, int]
) -> Callable[[int], tuple[int, int]]:
    """Return the order in which slots are taken: the half-sent file, free, rejected, oldest."""
    transfer, state = status.transfer, status.components[file.component]

    def key(slot: int) -> tuple[int, int]:
        if slot not in status.images:
            half_sent = transfer and (transfer.slot, transfer.length) == (slot, len(file.data))
            return (0 if half_sent else 1), 0
        return (2 if slot in state.rejected else 3), last_used.get(slot, -1)

    return key


def _fitting(files: Sequence[UpdateFile], status: Status, slots: Sequence[int]) -> Choice:
    """Return the first slot that one of the files is linked for."""
    for slot in slots:
        for file in files:
            address = file.image.address
            if component_of(slot) != FIRMWARE or address in (None, status.slots[slot].link):
                return Choice(file, slot, "send")
    wanted, file = slots[0], files[0]
    link = status.slots[wanted].link
    raise ImageError(
        f"{file.path} is linked for address {file.image.address:#x}; {slot_name(wanted)} is free, "
        f"which is at {link:#x}",
        f"give the folder with both images, or the one for slot {short_name(wanted)}",
    )
