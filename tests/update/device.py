# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device for tests: the real update code on simulated flash, with slots of a few kilobytes."""

from dataclasses import dataclass, field
from typing import Any

from tests.support import images
from torpor.image.reasons import REASONS

NONE = 0xFF
FIRMWARE, MODEL = 0, 1
A, B, M0, M1, M2 = range(5)
BOARD = b"toy"


def reason(name: str) -> int:
    """Return the number of a reason by its name, as "hash"."""
    return next(number for number, known in REASONS.items() if known.name == name)


@dataclass
class Geometry:
    """Where things lie: journal first, then the slots one after the other."""

    erase: int = 512
    write: int = 4
    journal_blocks: int = 2
    firmware: int = 4096
    model: int = 2048
    base: int = 0x10000
    sizes: list[int] = field(init=False)
    offsets: list[int] = field(init=False)

    def __post_init__(self) -> None:
        round_up = -(-max(self.firmware, self.erase) // self.erase) * self.erase
        model = -(-max(self.model, self.erase) // self.erase) * self.erase
        self.sizes = [round_up, round_up, model, model, model]
        start = self.erase * self.journal_blocks
        self.offsets = [start + sum(self.sizes[:i]) for i in range(5)]

    @property
    def total(self) -> int:
        return self.offsets[-1] + self.sizes[-1]


class Device:
    """The flash, and what is in RAM: `restart()` makes the latter anew."""

    def __init__(self, opened: tuple[Any, Any], geometry: Geometry | None = None) -> None:
        self.ffi, self.lib = opened
        self.geometry = geometry or Geometry()
        self.memory = self.ffi.new("uint8_t[]", b"\xff" * self.geometry.total)
        sim = self.lib.flash_sim
        sim.bytes, sim.size = self.memory, self.geometry.total
        sim.erase_size, sim.write_size = self.geometry.erase, self.geometry.write
        sim.violations, sim.violation, sim.seed = 0, self.ffi.NULL, 1
        self.lib.flash_sim_power_on()
        self._name = self.ffi.new("char[]", BOARD)
        self.layout = self._make_layout()
        self.key = self.ffi.new("update_key_t *")
        self.key.public_key = images.public_bytes(images.key())
        self.key.hash = images.key_hash(images.key())
        self.update: Any = None
        self.upload: Any = None
        self.restart()

    def _make_layout(self) -> Any:
        geometry = self.geometry
        layout = self.ffi.new("update_layout_t *")
        layout.board, layout.erase_step = self._name, 2
        layout.erase_size, layout.write_size = geometry.erase, geometry.write
        layout.journal_block = geometry.erase
        layout.journal = {"offset": 0, "size": geometry.erase * geometry.journal_blocks}
        layout.slots = [
            {"offset": offset, "size": size}
            for offset, size in zip(geometry.offsets, geometry.sizes, strict=True)
        ]
        layout.link = [self.address(A), self.address(B)]
        return layout

    def address(self, slot: int) -> int:
        """Return the CPU address of a slot."""
        return self.geometry.base + self.geometry.offsets[slot]

    # ---- images

    def firmware(self, slot: int, payload: bytes = b"firmware", **fields: Any) -> bytes:
        """Return an image for a firmware slot."""
        return images.firmware(payload, address=self.address(slot), **fields)

    def load(self, slot: int, image: bytes) -> None:
        """Put an image into a slot, as a factory would."""
        size = self.geometry.sizes[slot]
        assert len(image) <= size
        self.lib.flash_sim_load(self.geometry.offsets[slot], image.ljust(size, b"\xff"), size)

    def slot(self, slot: int) -> bytes:
        """Return what a slot holds."""
        start = self.geometry.offsets[slot]
        return bytes(self.ffi.buffer(self.memory)[start : start + self.geometry.sizes[slot]])

    def flash(self) -> bytes:
        """Return all of the flash."""
        return bytes(self.ffi.buffer(self.memory)[0 : self.geometry.total])

    def set_flash(self, content: bytes) -> None:
        """Put the flash back to what `flash()` has returned."""
        self.ffi.buffer(self.memory)[0 : self.geometry.total] = content

    # ---- running

    def restart(self) -> None:
        """Lose all RAM, and read the journal."""
        self.lib.flash_sim_power_on()
        self.update = self.ffi.new("update_t *")
        self.upload = self.ffi.new("upload_t *")
        self.lib.update_open(self.update, self.layout, self.key)

    def choose(
        self, component: int = FIRMWARE, end: str = "power", pc: int = 0, lr: int = 0
    ) -> Any:
        """Let the device choose; returns the update_choice_t."""
        ended = {"reason": reason(end), "pc": pc, "lr": lr}
        return self.lib.update_choose(self.update, component, ended, self.ffi.NULL, self.ffi.NULL)

    def boot(self, end: str = "power", **where: int) -> tuple[int, bool]:
        """Restart and choose the firmware: (slot, on trial)."""
        self.restart()
        choice = self.choose(FIRMWARE, end, **where)
        return choice.slot, choice.trial

    def arm(self, slot: int) -> str:
        """Arm a slot; returns the name of the reason ("ok")."""
        return self.name(self.lib.update_arm(self.update, slot, self.ffi.NULL, self.ffi.NULL))

    def confirm(self, component: int = FIRMWARE) -> str:
        """Confirm what runs."""
        return self.name(self.lib.update_confirm(self.update, component))

    def reject(self, component: int = FIRMWARE, why: str = "self_test") -> str:
        """End the trial."""
        return self.name(self.lib.update_reject(self.update, component, {"reason": reason(why)}))

    def check(self, slot: int) -> str:
        """Verify a slot."""
        return self.name(
            self.lib.update_check(self.update, slot, self.ffi.NULL, self.ffi.NULL, self.ffi.NULL)
        )

    def name(self, number: int) -> str:
        """Return the name of a reason."""
        return str(REASONS[number].name)

    def state(self, component: int = FIRMWARE) -> Any:
        """Return the update_state_t."""
        return self.update.state[component]

    def history(self) -> list[tuple[str, int, str, int]]:
        """Return the events: (what, slot, reason, attempt)."""
        names = {16: "armed", 17: "attempt", 18: "confirmed", 19: "reverted", 20: "upload",
                 21: "refused"}  # fmt: skip
        record = self.ffi.new("journal_record_t *")
        journal = self.ffi.addressof(self.update, "journal")
        events = []
        first = self.lib.journal_oldest_event(journal)
        for number in range(first, self.lib.journal_next_event(journal)):
            assert self.lib.journal_event(journal, number, record)
            events.append((names[record.kind], record.slot, self.name(record.reason),
                           record.attempt))  # fmt: skip
        return events

    def violation(self) -> str:
        """Return the first broken rule of the flash, or ""."""
        text = self.lib.flash_sim.violation
        return "" if text == self.ffi.NULL else str(self.ffi.string(text).decode())

    # ---- uploads

    def begin(self, slot: int, file: bytes) -> str:
        """Begin an upload, once."""
        from hashlib import sha256  # noqa: PLC0415

        return self.name(
            self.lib.upload_begin(
                self.update, self.upload, slot, len(file), sha256(file).digest(), file[:32]
            )
        )

    def send(self, slot: int, file: bytes, chunk: int = 100) -> str:
        """Upload a file as a client does that follows the offsets; returns the verdict."""
        for _ in range(2000):
            answer = self.begin(slot, file)
            if answer != "ok":
                return answer
            if self.upload.erased:
                break
        for _ in range(20000):
            if self.lib.upload_is_complete(self.upload):
                return self.name(
                    self.lib.upload_finish(self.update, self.upload, self.ffi.NULL, self.ffi.NULL)
                )
            at = self.upload.offset
            data = file[at : at + chunk]
            answer = self.name(self.lib.upload_write(self.update, self.upload, at, data, len(data)))
            if answer != "ok":
                return answer
        raise AssertionError("the upload does not come to an end")


def installed(opened: tuple[Any, Any], geometry: Geometry | None = None, **fields: Any) -> Device:
    """Return a device whose firmware in slot A is confirmed and runs."""
    device = Device(opened, geometry)
    device.load(A, device.firmware(A, b"first", version=(1, 0, 0, 0), **fields))
    assert device.boot() == (A, True)
    assert device.confirm() == "ok"
    return device
