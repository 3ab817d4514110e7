# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a device says about its slots, and what that means for who wants to update it. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torpor.image.capability import Capability
from torpor.update.journal import ATTEMPTS, ID_BYTES

FIRMWARE, MODEL = 0, 1
COMPONENTS = ("firmware", "model")
FIRMWARE_SLOTS = (0, 1)
MODEL_SLOTS = (2, 3, 4)
SLOTS = (FIRMWARE_SLOTS, MODEL_SLOTS)
"""Slots of a component, numbered through."""


def component_of(slot: int) -> int:
    """Return FIRMWARE or MODEL."""
    return FIRMWARE if slot in FIRMWARE_SLOTS else MODEL


def slot_name(slot: int) -> str:
    """Return how people call a slot: "slot A", "model slot 0"."""
    return f"slot {'AB'[slot]}" if slot in FIRMWARE_SLOTS else f"model slot {slot - 2}"


def short_name(slot: int) -> str:
    """Return the same for a table: "A", "model 0"."""
    return "AB"[slot] if slot in FIRMWARE_SLOTS else f"model {slot - 2}"


@dataclass(frozen=True)
class Slot:
    """Where a slot lies: bytes from the start of the flash; the address for firmware in it."""

    offset: int
    size: int
    link: int


@dataclass(frozen=True)
class Content:
    """What a device knows about the image in a slot.

    Attributes:
        size: of the image in bytes.
        counter: its security counter.
        capability: what a firmware can run; None for a model, or if the firmware does not say.
        plan: header of a model's plan by C name; None for a firmware.
        name: of a model, or "".
    """

    size: int
    counter: int
    capability: Capability | None
    plan: dict[str, Any] | None
    name: str


@dataclass(frozen=True)
class SlotImage:
    """The image in a slot: version in words, SHA-256 of what is signed, its first byte is its id.

    Attributes:
        bootable: False if the device says that it cannot run.
        content: None if the device does not say.
    """

    version: str
    hash: bytes
    bootable: bool = True
    content: Content | None = None

    @property
    def id(self) -> bytes:
        """What the journal calls it."""
        return self.hash[:ID_BYTES]


@dataclass(frozen=True)
class Component:
    """Firmware or model, as the journal of the device has it.

    Attributes:
        running: slot that is executing, or None.
        confirmed: slot, or None.
        trial: slot, or None.
        attempts: of the trial that have begun.
        rejected: slots whose image was reverted and has not been armed again.
        counter: no image with a lower security counter may run.
    """

    running: int | None
    confirmed: int | None
    trial: int | None
    attempts: int
    rejected: frozenset[int]
    counter: int


@dataclass(frozen=True)
class Transfer:
    """A file that a slot is receiving, and how many of its bytes are there."""

    slot: int
    length: int
    offset: int


@dataclass(frozen=True)
class Status:
    """A device.

    Attributes:
        board: its name.
        development: it takes images that are signed with the development key, which is public.
        components: FIRMWARE and MODEL.
        slots: numbered through.
        images: image by slot, where there is one.
        transfer: None if nothing is being received.
        refused: number of the reason why the last request was refused, or 0.
        erase_size, write_size: of the flash, in bytes.
        key_hash: of the key that its images are signed with; b"" if it does not say.
    """

    board: str
    development: bool
    components: tuple[Component, Component]
    slots: tuple[Slot, ...]
    images: dict[int, SlotImage]
    transfer: Transfer | None
    refused: int
    erase_size: int
    write_size: int
    key_hash: bytes = b""

    @property
    def firmware(self) -> Component:
        """The component FIRMWARE."""
        return self.components[FIRMWARE]

    @property
    def model(self) -> Component:
        """The component MODEL."""
        return self.components[MODEL]

    def component(self, slot: int) -> Component:
        """Return the component that a slot belongs to."""
        return self.components[component_of(slot)]

    def is_protected(self, slot: int) -> bool:
        """True if the slot must not be written: it is running, confirmed or on trial."""
        state = self.component(slot)
        return slot in (state.running, state.confirmed, state.trial)

    def holding(self, component: int, image_hash: bytes) -> list[int]:
        """Return the slots of a component that hold an image."""
        images = self.images
        return [s for s in SLOTS[component] if s in images and images[s].hash == image_hash]

    def words(self, slot: int) -> list[str]:
        """Return the state of a slot in words for a table: ["running", "on trial, 2 of 3"]."""
        return list(self._words(slot)) or ["ready" if slot in self.images else "free"]

    def _is_receiving(self, slot: int) -> bool:
        """True if a file goes into the slot; a transfer stays known when it is complete."""
        aimed = self.transfer is not None and self.transfer.slot == slot
        return aimed and slot not in self.images and not self.is_protected(slot)

    def _words(self, slot: int) -> Iterator[str]:
        state = self.component(slot)
        if slot == state.running:
            yield "running"
        if slot == state.confirmed:
            yield "confirmed"
        if slot == state.trial:
            tried = f", attempt {state.attempts} of {ATTEMPTS}" if state.attempts else ""
            yield f"on trial{tried}"
        if slot in state.rejected and slot in self.images:  # it may be overwritten by now
            yield "rejected"
        if self._is_receiving(slot) and self.transfer:
            share = 100 * self.transfer.offset // max(self.transfer.length, 1)
            yield f"receiving, {share} %" if self.transfer.offset else "upload incomplete"
        if slot in self.images and not self.images[slot].bootable:
            yield "broken"
