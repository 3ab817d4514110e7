# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device of bootloader, firmware in slots and simulated flash, all of it the shipped C."""

import itertools
import shutil
import zlib
from pathlib import Path
from typing import Any

import cffi

from tests.firmware.conftest import DECLARATIONS, declared_records, generate, portable_sources
from tests.mgmt.device import able, copy_plan
from tests.support import faulty_engine, images
from tests.support.shared import build_shared
from tests.update.device import A, B, Geometry
from torpor.paths import FIRMWARE
from torpor.powercut import library
from torpor.wire import framing, records

ARENA = 512
RECEIVE = 2048
FACTORY = copy_plan(8)
BASE = 0x10000
BOARD = b"shim"
DECLARED = """
    extern update_layout_t update_layout;
    extern update_key_t update_key;
    extern uint32_t torpor_plan_length;
    extern restart_t shim_note;
    extern handoff_t shim_handoff;
    extern uint32_t shim_watchdog_ms;
    extern uint32_t shim_watchdog_started;
    extern uint32_t shim_fed;
    extern bool shim_hangs;
    extern uint32_t shim_resets;
    extern uint8_t shim_key_change;
    void shim_start(void);
    void shim_skip_bootloader(void);
    void shim_receive(const uint8_t *bytes, uint32_t length);
"""


def build_slots(folder: Path) -> tuple[Any, Path]:
    """Build bootloader and firmware with room for its plan; return (ffi, library)."""
    here = Path(__file__).parent
    made = [p for p in generate(folder, b"", ["COPY"], ARENA) if p.name != "plan.c"]
    config = f"#define BOARD_SLOTS_RECEIVE {RECEIVE}u\n"
    (folder / "gen" / "board_config.h").write_text(config)
    sources = [
        *(path for path in portable_sources("copy.c") if path.parent.name != "alone"),
        *sorted((FIRMWARE / "app" / "slots").glob("*.c")),
        *sorted((FIRMWARE / "mgmt").glob("*.c")),
        *(path for path in library.update_sources() if path.parent.name == "update"),
        *made,
        *(here / name for name in ("slots.c", "made.c", "bench.c")),
        library.HERE / "flash.c",
    ]
    third = ("zcbor", *library.LIBRARIES)
    file = build_shared(folder, sources, third, wrapped=faulty_engine.WRAPPED)
    ffi = cffi.FFI()
    headers = [FIRMWARE / "update" / f"{name}.h" for name in library.HEADERS]
    text = library.cdef([FIRMWARE / "hal" / "flash.h", *headers, library.HERE / "flash.h"])
    for name in ("update_layout", "update_key"):
        text = text.replace(f"extern const {name}_t {name};", "")
    handoff = "typedef struct { restart_t restart; uint8_t slot; bool trial; } handoff_t;"
    ffi.cdef(DECLARATIONS + declared_records() + text + handoff + DECLARED + faulty_engine.DECLARED)
    return ffi, file


class SlotsDevice:
    """A device: flash that lasts, RAM that a power loss wipes.

    Attributes:
        c: the library as it runs now; another one after each start.
        factory: the plan that is built into the firmware.
        faults: what fails in its engine, by the names of faulty_engine.c, from each start on.
        said: what it sent last.
    """

    copies = itertools.count()

    def __init__(self, built: tuple[Any, Path], geometry: Geometry, folder: Path) -> None:
        self.ffi, self._file = built
        self.geometry = geometry
        self._folder = folder
        self._room = self.ffi.new("uint8_t[]", b"\xff" * (geometry.total + 64))
        self._memory = self._room + -int(self.ffi.cast("uintptr_t", self._room)) % 64
        self._name = self.ffi.new("char[]", BOARD)
        self.development = False
        self.factory = FACTORY
        self.faults: dict[str, Any] = {}
        self.c: Any = None
        self.said = b""

    # ---- power

    def fresh(self) -> None:
        """Load the library anew: RAM as it is after a power loss."""
        copy = self._folder / f"device-{next(self.copies)}.so"
        shutil.copy(self._file, copy)
        if self.c is not None:
            self.ffi.dlclose(self.c)
        self.c = self.ffi.dlopen(str(copy))
        copy.unlink()
        plan = self.ffi.cast("uint8_t *", self.ffi.addressof(self.c, "torpor_plan"))
        self.ffi.memmove(plan, self.factory, len(self.factory))
        self.c.torpor_plan_length = len(self.factory)
        for name, value in self.faults.items():
            setattr(self.c, name, value)
        sim, geometry = self.c.flash_sim, self.geometry
        sim.bytes, sim.size = self._memory, geometry.total
        sim.erase_size, sim.write_size = geometry.erase, geometry.write
        layout = self.c.update_layout
        layout.board, layout.erase_step = self._name, 4
        layout.erase_size, layout.write_size = geometry.erase, geometry.write
        layout.journal_block = geometry.erase
        layout.journal = {"offset": 0, "size": geometry.erase * geometry.journal_blocks}
        layout.slots = [
            {"offset": offset, "size": size}
            for offset, size in zip(geometry.offsets, geometry.sizes, strict=True)
        ]
        layout.link = [self.address(A), self.address(B)]
        self.c.update_key.public_key = images.public_bytes(images.key())
        self.c.update_key.hash = images.key_hash(images.key())
        self.c.update_key.development = self.development

    def start(
        self, restart: dict[str, Any] | None = None, *, hangs: bool = False, cut_at: int = 0
    ) -> list[str]:
        """Start the bootloader after a power loss, or after a restart; return the lines of text.

        Args:
            restart: members of restart_t.
            hangs: the firmware does nothing at all.
            cut_at: number of the operation of the flash that fails; the later ones work again.
        """
        self.fresh()
        self.c.shim_restart = restart or {}
        self.c.shim_hangs = hangs
        self.c.flash_sim.cut_at = cut_at
        self.c.shim_start()
        self.c.flash_sim.dead = False
        return texts_in(self.take())

    def restart(self) -> list[str]:
        """Start anew as the firmware has left word."""
        note = self.c.shim_note
        assert self.c.shim_resets == 1, "it has not restarted"
        fields = ("kept", "reason", "exception", "pc", "lr")
        return self.start({name: getattr(note, name) for name in fields})

    # ---- flash

    def address(self, slot: int) -> int:
        """Return the CPU address of a slot."""
        return BASE + self.geometry.offsets[slot]

    def firmware(self, slot: int, payload: bytes = b"firmware", **fields: Any) -> bytes:
        """Return an image for a firmware slot."""
        more = {"board": BOARD, "capability": able(ARENA), **fields}
        return images.firmware(payload, address=self.address(slot), **more)

    def load(self, slot: int, image: bytes) -> None:
        """Put an image into a slot, as a factory would."""
        size = self.geometry.sizes[slot]
        self.ffi.memmove(
            self._memory + self.geometry.offsets[slot], image.ljust(size, b"\xff"), size
        )

    def slot(self, slot: int) -> bytes:
        """Return what a slot holds."""
        start = self._memory + self.geometry.offsets[slot]
        return bytes(self.ffi.buffer(start, self.geometry.sizes[slot]))

    # ---- the wire

    def receive(self, data: bytes) -> bytes:
        """Let bytes arrive; return what is sent until it sleeps or restarts."""
        self.c.shim_receive(data, len(data))
        return self.take()

    def miss(self, data: bytes) -> None:
        """Let bytes arrive while the device is at something else."""
        for byte in data:
            self.c.console_put(byte)

    def take(self) -> bytes:
        """Return what was sent, and forget it."""
        sent = bytes(self.ffi.buffer(self.c.shim_sent, self.c.shim_sent_length))
        self.c.shim_sent_length = 0
        self.said = sent
        return sent

    def ask(self, *requests: records.Record) -> list[Any]:
        """Send records of ours; return those that come back."""
        data = b"".join(framing.encode_frame(records.encode(r)) for r in requests)
        return records_in(self.receive(data))

    def plan_crc(self) -> int:
        """Return the CRC of the plan that the device says it runs."""
        (hello,) = self.ask(records.Ping(9))
        assert hello.plan_status == 0
        return int(hello.plan_crc)

    def infer(self, data: bytes) -> bytes:
        """Run the model on an input; return its output."""
        crc = zlib.crc32(data)
        replies = self.ask(records.Input(1, 0, 0, data), records.Run(2, next(self.copies), crc))
        (result,) = (r for r in replies if isinstance(r, records.Result))
        assert result.status == 0
        return bytes(result.data)


def texts_in(sent: bytes) -> list[str]:
    """Return the lines of text in what was sent."""
    return [str(e) for e in framing.Decoder().feed(sent) if isinstance(e, framing.Text)]


def records_in(sent: bytes) -> list[Any]:
    """Return our records in what was sent."""
    events = framing.Decoder().feed(sent)
    return [records.decode(e.payload) for e in events if isinstance(e, framing.Frame)]


def crc_of(plan: bytes) -> int:
    """Return the CRC that names a plan."""
    return zlib.crc32(plan)


def model(plan: bytes, **fields: Any) -> bytes:
    """Return the image of a model."""
    return images.model(plan, **fields)
