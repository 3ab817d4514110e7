# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The nRF52840 as its Product Specification v1.11 (PS) and its errata have it.

Kept on purpose: the DMA has a byte only after RXDRDY said so, compare values that are too near
never match, the watchdog outlives a reset by software, clocks take their time and are wrong before
their crystals run, whatever asks for the high-frequency clock is known when the CPU sleeps. Numbers
that the PS gives as typical are used as they are.
"""

import random
from functools import partial

from tests.chips.cortexm import CortexM
from tests.chips.machine import Clock, Flash, Machine, Peripheral, Timer
from torpor.board import Board

RAM = range(0x20000000, 0x20040000)
HFXO_S, LFRC_S, LFXO_S = 360e-6, 600e-6, 0.25  # PS, CLOCK: how long they take to start
LFRC_HZ = 33_000  # within its 5 % (PS, CLOCK), and not 32,768
WRITE_S = 41e-6  # PS, NVMC: tWRITE
ERASE_MS = 85  # PS, NVMC: tERASEPAGE
PART_FACTOR = 1.05  # of what a partial erase takes: tERASEPAGEPARTIAL,acc
MOST_WRITES = 2  # PS, NVMC: nWRITE
PAGE = 4096
RX_FIFO = 4  # bytes that the receiver holds while no DMA takes them, at least (PS, UARTE)
DMA_S = 0.5e-6  # from RXDRDY until the byte is in RAM; the PS gives no number
REASONS = {"pin": 0b0111, "watchdog": 0b0010, "software": 0b0100, "lockup": 0b1000}
"""Bits of RESETREAS, by cause; with the pin others are set too (erratum 136)."""


class Registers(Peripheral):
    """Registers that hold what was written, and events with interrupts, as every peripheral of
    Nordic's has them (PS, "Peripheral interface")."""

    size = 0x1000
    tasks: tuple[int, ...] = ()
    events: tuple[int, ...] = ()
    plain: tuple[int, ...] = ()
    irq: int | None = None

    def __init__(self, chip: "Nrf52840", base: int) -> None:
        super().__init__(chip.machine, base)
        self.chip = chip
        self.values: dict[int, int] = {}
        self.enabled = 0

    def reset(self, cause: str) -> None:
        self.values.clear()
        self.enabled = 0
        self.update()

    def raise_event(self, offset: int) -> None:
        """Raise an event: for the CPU, and for the PPI."""
        self.values[offset] = 1
        self.update()
        self.chip.ppi.on_event(self.base + offset)

    def update(self) -> None:
        """Set the interrupt's level: of events that are raised and enabled."""
        raised = any(
            self.values.get(e) and self.enabled >> (e - 0x100) // 4 & 1 for e in self.events
        )
        if self.irq is not None:
            self.machine.core.line(self.irq, raised)

    def read(self, offset: int, size: int) -> int:
        if offset in (0x304, 0x308) and self.events:
            return self.enabled
        if offset in self.events or offset in self.plain:
            return self.values.get(offset, 0)
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset in self.tasks:
            if value == 1:
                self.task(offset)
        elif offset in self.events:
            if value:
                raise self.forbidden(f"event {offset:#x} is only cleared")
            self.values[offset] = 0
        elif offset == 0x304 and self.events:
            self.enabled |= value
        elif offset == 0x308 and self.events:
            self.enabled &= ~value
        elif offset in self.plain:
            self.set(offset, value)
        else:
            super().write(offset, size, value)
        self.update()

    def set(self, offset: int, value: int) -> None:
        """Take the value of a plain register."""
        self.values[offset] = value

    def task(self, offset: int) -> None:
        """Do what a task says."""
        raise self.forbidden(f"task {offset:#x} is not modelled")


class ClockPower(Registers):
    """CLOCK and POWER, at one address, and the debug port's lock."""

    tasks = (0x000, 0x004, 0x008)
    plain = (0x518, 0x51C, 0x558, 0x578)  # LFCLKSRC, GPREGRET, APPROTECT.DISABLE, DCDCEN

    def __init__(self, chip: "Nrf52840", base: int) -> None:
        super().__init__(chip, base)
        self._always = Clock(chip.machine, 1_000_000)
        self._hfxo = Timer(self._always, self._on_hfxo)
        self._lfrc = Timer(self._always, self._on_lfrc)
        self._lfxo = Timer(self._always, self._on_lfxo)
        self.reasons = 0

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self.reasons = 0 if cause == "power" else self.reasons | REASONS[cause]
        self.hfxo = "off"
        self.is_lf_asked = False
        self.lf_source: int | None = None
        for timer in (self._hfxo, self._lfrc, self._lfxo):
            timer.cancel()
        self.chip.low.hz = 0

    def _on_hfxo(self) -> None:
        self.hfxo = "runs"

    def _on_lfrc(self) -> None:
        self.lf_source = 0
        self.chip.low.hz = LFRC_HZ

    def _on_lfxo(self) -> None:
        self.lf_source = 1
        self.chip.low.hz = 32_768

    def task(self, offset: int) -> None:
        if offset == 0x000 and self.hfxo == "off":
            self.hfxo = "starts"
            self._hfxo.after(int(HFXO_S * 1e6))
        elif offset == 0x004:
            self.hfxo = "off"
            self._hfxo.cancel()
        elif offset == 0x008 and not self.is_lf_asked:
            self.is_lf_asked = True
            self._lfrc.after(int(LFRC_S * 1e6))
            if self.values.get(0x518) == 1:
                self._lfxo.after(int(LFXO_S * 1e6))

    def set(self, offset: int, value: int) -> None:
        if offset == 0x518 and self.is_lf_asked:
            raise self.forbidden("LFCLKSRC must not change while the clock runs")
        super().set(offset, value)

    def read(self, offset: int, size: int) -> int:
        if offset == 0x400:
            return self.reasons
        if offset == 0x40C:
            return 1 << 16 | (self.hfxo == "runs")
        if offset == 0x414:
            return int(self.is_lf_asked)
        if offset == 0x418:
            return 0 if self.lf_source is None else 1 << 16 | self.lf_source
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x400:
            self.reasons &= ~value
        else:
            super().write(offset, size, value)


class Rtc(Registers):
    """An RTC with four compare registers."""

    tasks = (0x000, 0x008)
    events = (0x140, 0x144, 0x148, 0x14C)
    plain = (0x508, 0x540, 0x544, 0x548, 0x54C)
    RANGE = 1 << 24

    def __init__(self, chip: "Nrf52840", base: int, irq: int) -> None:
        super().__init__(chip, base)
        self.irq = irq
        self._timers = [Timer(chip.low, partial(self._match, n)) for n in range(4)]

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self._zero: int | None = None  # the tick at which it was 0
        for timer in self._timers:
            timer.cancel()

    @property
    def _now(self) -> int:
        """What it would have counted, were it wider."""
        return 0 if self._zero is None else max(0, self.chip.low.ticks - self._zero)

    def _match(self, number: int) -> None:
        self.raise_event(0x140 + 4 * number)
        self._timers[number].after(self.RANGE)

    def _compare(self, number: int, value: int) -> None:
        """What is one tick ahead or none is missed, and comes a whole round later."""
        assert self._zero is not None
        ahead = (value - self._now) % self.RANGE
        self._timers[number].at(
            self._zero + self._now + (ahead if ahead > 1 else ahead + self.RANGE)
        )

    def task(self, offset: int) -> None:
        if offset == 0x000:
            self._zero = self.chip.low.ticks + 1
            for number in range(4):
                self._compare(number, self.values.get(0x540 + 4 * number, 0))

    def set(self, offset: int, value: int) -> None:
        if offset == 0x508 and self._zero is not None:
            raise self.forbidden("PRESCALER is set while it counts")
        super().set(offset, value & (self.RANGE - 1))
        if offset >= 0x540 and self._zero is not None:
            self._compare((offset - 0x540) // 4, value)

    def _check(self) -> None:
        if self.chip.low.hz == 0:
            raise self.forbidden("is used before the low-frequency clock runs (erratum 20)")

    def read(self, offset: int, size: int) -> int:
        self._check()
        return self._now % self.RANGE if offset == 0x504 else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        self._check()
        super().write(offset, size, value)


class Wdt(Registers):
    """The watchdog; it has a clock even where nobody has started one."""

    tasks = (0x000,)
    events = (0x100,)
    plain = (0x504, 0x508, 0x50C)
    irq = 16

    def __init__(self, chip: "Nrf52840", base: int) -> None:
        super().__init__(chip, base)
        self.clock = Clock(chip.machine, 32_768)
        self._timer = Timer(self.clock, self._on_end)

    def reset(self, cause: str) -> None:
        """PS, POWER, "Reset behavior": a reset by software or by lockup leaves it as it is."""
        if cause in ("software", "lockup"):
            return
        super().reset(cause)
        self.is_running = self.is_over = False
        self._timer.cancel()

    def _on_end(self) -> None:
        if self.is_over or not self.enabled & 1:
            self.machine.reset("watchdog")
            return
        self.is_over = True
        self.raise_event(0x100)
        self._timer.after(2)

    def _begin(self) -> None:
        self._timer.after(self.values.get(0x504, 0xFFFFFFFF) + 1)

    def task(self, offset: int) -> None:
        if not self.is_running:
            self.is_running = True
            self._begin()

    def set(self, offset: int, value: int) -> None:
        if self.is_running:
            raise self.forbidden(f"{offset:#x} is locked while it runs")
        if offset == 0x504 and value < 0xF:
            raise self.forbidden("CRV is 15 at least")
        super().set(offset, value)

    def read(self, offset: int, size: int) -> int:
        return int(self.is_running) if offset == 0x400 else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x600:
            if value == 0x6E524635 and self.is_running and not self.is_over:
                self._begin()
        else:
            super().write(offset, size, value)

    def sleep(self, is_asleep: bool) -> None:
        """CONFIG.SLEEP: whether it goes on."""
        self.clock.hz = 0 if is_asleep and not self.values.get(0x50C, 1) & 1 else 32_768


class Gpio(Registers):
    """P0: outputs, inputs, SENSE."""

    def __init__(self, chip: "Nrf52840", base: int) -> None:
        super().__init__(chip, base)
        self.levels = [True] * 32  # what the board puts on its pins; pulled up where it does not

    def reset(self, cause: str) -> None:
        self.config = [2] * 32  # input buffer disconnected
        self.latch = 0
        self.is_detected = False

    def _senses(self, pin: int) -> bool:
        config = self.config[pin]
        return config & 3 == 0 and config >> 16 & 3 == (2 if self.levels[pin] else 3)

    def look(self) -> None:
        """LATCH keeps what was sensed; DETECT is the OR of all pins, and its rise an event."""
        self.latch |= sum(1 << pin for pin in range(32) if self._senses(pin))
        detected = any(map(self._senses, range(32)))
        if detected and not self.is_detected:
            self.chip.gpiote.raise_event(0x17C)
        self.is_detected = detected

    def drive(self, pin: int, level: bool) -> None:
        """Put a level on a pin, from outside."""
        self.levels[pin] = level
        self.look()

    def read(self, offset: int, size: int) -> int:
        if offset == 0x510:
            return sum(self.levels[pin] << pin for pin in range(32) if not self.config[pin] & 2)
        if offset == 0x520:
            return self.latch
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if 0x700 <= offset < 0x780:
            self.config[(offset - 0x700) // 4] = value
        elif offset == 0x520:
            self.latch &= ~value
        elif offset != 0x508:
            super().write(offset, size, value)
        self.look()


class Gpiote(Registers):
    """Only the event PORT: channels would ask for a clock."""

    events = (0x17C,)
    irq = 6


class Ppi(Registers):
    """Channel 0 .. 3: an event triggers a task."""

    plain = (0x510, 0x514, 0x518, 0x51C, 0x520, 0x524, 0x528, 0x52C)

    def reset(self, cause: str) -> None:
        self.values.clear()
        self.channels = 0

    def on_event(self, address: int) -> None:
        """Trigger what hangs on an event."""
        for number in range(4):
            if self.channels >> number & 1 and self.values.get(0x510 + 8 * number) == address:
                self.chip.trigger(self.values.get(0x514 + 8 * number, 0))

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x504:
            self.channels |= value
        else:
            super().write(offset, size, value)


class Counter(Registers):
    """A TIMER as a counter."""

    tasks = (0x000, 0x008, 0x00C, 0x010, 0x040)  # START, COUNT, CLEAR, SHUTDOWN, CAPTURE[0]
    plain = (0x504, 0x508, 0x540)

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self.count = 0
        self.is_started = False

    def task(self, offset: int) -> None:
        if offset in (0x000, 0x010):
            self.is_started = offset == 0x000
        elif offset == 0x00C:
            self.count = 0
        elif offset == 0x008:
            assert self.values.get(0x504) == 1, "no counter"
            bits = (16, 8, 24, 32)[self.values.get(0x508, 0)]
            self.count = (self.count + self.is_started) % (1 << bits)
        else:
            self.values[0x540] = self.count


class Uarte(Registers):
    """UARTE0, with the wire at its pins."""

    tasks = (0x000, 0x004, 0x008, 0x00C)
    events = (0x108, 0x110, 0x120, 0x144, 0x14C, 0x150, 0x158)
    events_only = frozenset({0x120, 0x144, 0x158})
    plain = (0x200, 0x500, 0x50C, 0x514, 0x524, 0x534, 0x538, 0x544, 0x548)
    irq = 2
    BYTE = 16_000_000 * 10 // 115_200  # ticks of the wire

    def __init__(self, chip: "Nrf52840", base: int) -> None:
        super().__init__(chip, base)
        self._wire = Clock(chip.machine, 16_000_000)
        self._next = Timer(self._wire, self._arrive)
        self._dma = Timer(self._wire, self._store)
        self._stopped = Timer(self._wire, self._on_stopped)
        self._sent_all = Timer(self._wire, self._on_sent)
        self.sent = bytearray()
        self.lost = 0  # bytes that nobody took
        self._coming: list[int] = []
        self._due = 0  # the tick of the wire at which the next byte is complete

    def reset(self, cause: str) -> None:
        super().reset(cause)
        self.receives = "off"  # "dma", "full" without a buffer, "stops"
        self.is_sending = False
        self._fifo: list[int] = []
        for timer in (self._dma, self._stopped, self._sent_all):
            timer.cancel()

    # From the wire

    def receive(self, data: bytes) -> None:
        """Send bytes to the device, as fast as the wire carries them."""
        if data and not self._coming:
            self._due = self._wire.ticks + self.BYTE
            self._next.at(self._due)
            self._start_bit()
        self._coming += data

    def _start_bit(self) -> None:
        pin = self.values.get(0x514, 8)
        for level in (False, True):
            self.chip.gpio.drive(pin, level)

    def _arrive(self) -> None:
        """Take a byte; the next one follows at once, however late the machine is with this one: the
        wire and the DMA go on while the CPU stands still."""
        byte, arrived = self._coming.pop(0), self._due
        if self._coming:
            self._due += self.BYTE
            self._next.at(self._due)
            self._start_bit()
        if self.receives == "off" or len(self._fifo) >= RX_FIFO:
            self.lost += 1
            return
        if self.chip.clock.hfxo != "runs":
            byte ^= 0x55
        self._fifo.append(byte)
        if self.receives == "dma" and self._dma.tick is None:
            self._dma.at(arrived + int(DMA_S * 16e6))
        self.raise_event(0x108)

    def _store(self) -> None:
        while self._fifo and self.receives == "dma":
            self.machine.uc.mem_write(self._to + self._amount, bytes([self._fifo.pop(0)]))
            self._amount += 1
            if self._amount == self._most:
                self._end()

    def _end(self) -> None:
        self.receives = "full" if self.receives == "dma" else self.receives
        self.raise_event(0x110)
        if self.values.get(0x200, 0) & 1 << 5:
            if self.receives == "stops":
                raise self.forbidden("the shortcut starts the receiver that is to stop")
            self._start_receiving()

    def _start_receiving(self) -> None:
        if self.receives in ("dma", "stops"):
            raise self.forbidden("STARTRX while it receives")
        self._to, self._most = self._buffer(0x534)
        self._amount = 0
        self.receives = "dma"
        self.raise_event(0x14C)

    def _stop_receiving(self) -> None:
        """PS, UARTE: up to four more bytes are taken before RXTO."""
        if self.receives == "off":
            raise self.forbidden("STOPRX of a receiver that is off: RXTO may never come")
        if self.values.get(0x200, 0) & 1 << 5:
            raise self.forbidden("the shortcut starts the receiver that is to stop")
        self.receives = "stops"
        self._stopped.after(4 * self.BYTE)

    def _on_stopped(self) -> None:
        self._end()
        self.receives = "off"
        self._fifo.clear()
        self.raise_event(0x144)

    # To the wire

    def _buffer(self, offset: int) -> tuple[int, int]:
        start, size = self.values.get(offset, 0), self.values.get(offset + 4, 0)
        if size == 0 or start not in RAM or start + size - 1 not in RAM:
            raise self.forbidden(f"DMA of {size} bytes at {start:#x}: not in RAM")
        return start, size

    def _start_sending(self) -> None:
        if self.chip.clock.hfxo != "runs":
            raise self.forbidden("sends without the crystal: its baud rate is off")
        if self._sent_all.tick is not None:
            raise self.forbidden("STARTTX before ENDTX")
        self.is_sending = True
        self.raise_event(0x150)
        self._sent_all.after(self.BYTE * self._buffer(0x544)[1])

    def _on_sent(self) -> None:
        start, size = self._buffer(0x544)
        self.sent += bytes(self.machine.uc.mem_read(start, size))
        self.raise_event(0x120)

    def _stop_sending(self) -> None:
        if not self.is_sending or self._sent_all.tick is not None:
            raise self.forbidden("STOPTX of a transmitter that is off, or in the middle")
        self.is_sending = False
        self.raise_event(0x158)

    def task(self, offset: int) -> None:
        if self.values.get(0x500) != 8:
            raise self.forbidden(f"task {offset:#x} while it is disabled")
        actions = {
            0x000: self._start_receiving,
            0x004: self._stop_receiving,
            0x008: self._start_sending,
            0x00C: self._stop_sending,
        }
        actions[offset]()

    def set(self, offset: int, value: int) -> None:
        if offset == 0x500 and value == 0 and (self.receives != "off" or self.is_sending):
            raise self.forbidden("is disabled while it works")
        if offset == 0x524 and value != 0x01D60000:
            raise self.forbidden(f"BAUDRATE {value:#x} is not 115,200")
        super().set(offset, value)


class Nvmc(Registers):
    """The flash controller. The CPU stands still while it works."""

    plain = (0x504, 0x51C, 0x540)

    def __init__(self, chip: "Nrf52840", base: int, flash: Flash) -> None:
        super().__init__(chip, base)
        self.flash = flash
        flash.on_store = self._store
        self._always = Clock(chip.machine, 1_000_000)
        self._done = Timer(self._always, lambda: None)
        self._writes: dict[int, int] = {}  # by word, since the erase
        self._parts: dict[int, float] = {}  # ms of an erase that is not complete, by page
        self._erased: set[int] = set()  # pages that nothing was written to since
        self.longest_stall = 0.0

    def _stall(self, seconds: float) -> None:
        self.longest_stall = max(self.longest_stall, seconds)
        self._done.after(int(seconds * 1e6) + 1)
        self.machine.stall_after_this(self._done)

    def _store(self, address: int, size: int, value: int) -> None:
        if self.values.get(0x504, 0) != 1:
            raise self.forbidden(f"a store to {address:#x} while CONFIG is not WEN")
        if size != 4 or address % 4:
            raise self.forbidden(f"{size} bytes stored at {address:#x}: only whole words")
        if address // PAGE in self._parts:
            raise self.forbidden(f"{address:#x} is in a page that is not erased to the end")
        self._writes[address] = self._writes.get(address, 0) + 1
        if self._writes[address] > MOST_WRITES:
            raise self.forbidden(f"{address:#x} is written {self._writes[address]} times")
        self._erased.discard(address // PAGE)
        self._stall(WRITE_S)
        self.flash.program(address, value.to_bytes(4, "little"))

    def _erase(self, address: int, milliseconds: int) -> None:
        if self.values.get(0x504, 0) != 2:
            raise self.forbidden("erases while CONFIG is not EEN")
        if address % PAGE or address >= self.flash.size or milliseconds == 0:
            raise self.forbidden(f"erases at {address:#x} for {milliseconds} ms")
        self._stall(milliseconds * PART_FACTOR / 1000)
        page = address // PAGE
        if page in self._erased:
            return  # longer than need be
        self._parts[page] = self._parts.get(page, 0) + milliseconds
        for word in range(address, address + PAGE, 4):
            self._writes.pop(word, None)
        if self._parts[page] < ERASE_MS:
            noise = random.Random(address + self._parts[page]).randbytes(PAGE)
            old = self.flash.read(address, PAGE)
            self.flash.put(address, bytes(o | n for o, n in zip(old, noise, strict=True)))
            return
        del self._parts[page]
        self._erased.add(page)
        self.flash.erase(address, PAGE)

    def read(self, offset: int, size: int) -> int:
        if offset in (0x400, 0x408):
            return 1  # whoever reads it had to wait until it was done
        return super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == 0x508:
            self._erase(value, ERASE_MS)
        elif offset == 0x518:
            self._erase(value, self.values.get(0x51C, 10))
        else:
            super().write(offset, size, value)


class Constants(Peripheral):
    """FICR or UICR: words by offset, all others erased."""

    size = 0x1000

    def __init__(self, machine: Machine, base: int, words: dict[int, int]) -> None:
        super().__init__(machine, base)
        self._words = words

    def read(self, offset: int, size: int) -> int:
        return self._words.get(offset, 0xFFFFFFFF)


class Arbiter(Registers):
    """What erratum 246 writes."""

    plain = (0xC84,)


class Nrf52840:
    """The chip, as far as firmware/port/nrf52 uses it.

    Attributes:
        asked: who asked for the high-frequency clock when the CPU slept last.
    """

    def __init__(self, board: Board, *, cycles_per_instruction: int = 1, revision: int = 3) -> None:
        core = CortexM("m4")
        machine = Machine(core, hz=64_000_000, cycles_per_instruction=cycles_per_instruction)
        self.machine = machine
        self.low = Clock(machine, 0)
        self.asked: set[str] = set()
        machine.add_ram(RAM.start, len(RAM))
        self.flash = machine.add_flash(0, board.memory["code"].size)
        self.ppi = Ppi(self, 0x4001F000)
        self.clock = ClockPower(self, 0x40000000)
        self.uart = Uarte(self, 0x40002000)
        self.gpiote = Gpiote(self, 0x40006000)
        self.counter = Counter(self, 0x40009000)
        self.wdt = Wdt(self, 0x40010000)
        self.rtc = Rtc(self, 0x40011000, 17)
        rtc0 = Rtc(self, 0x4000B000, 11)
        self.nvmc = Nvmc(self, 0x4001E000, self.flash)
        self.gpio = Gpio(self, 0x50000000)
        self.arbiter = Arbiter(self, 0x4007A000)
        ficr = Constants(machine, 0x10000000, {0x130: 8, 0x134: revision})
        self.uicr = Constants(machine, 0x10001000, {0x208: 0xFFFFFF5A})
        self._parts: tuple[Registers, ...] = (
            *(self.clock, self.uart, self.gpiote, self.counter, self.wdt),
            *(self.rtc, rtc0, self.nvmc, self.ppi, self.gpio, self.arbiter),
        )
        for part in (*self._parts, ficr, self.uicr):
            machine.add(part)
        machine.on_sleep, machine.on_wake = self._on_sleep, self._on_wake
        machine.on_lockup = lambda: machine.reset("lockup")

    def trigger(self, address: int) -> None:
        """Trigger a task, for the PPI."""
        for part in self._parts:
            if part.base <= address < part.base + part.size:
                part.task(address - part.base)

    def _on_sleep(self, deep: bool) -> None:
        self.wdt.sleep(True)
        users = {
            "hfxo": self.clock.hfxo != "off",
            "receiver": self.uart.receives != "off",
            "transmitter": self.uart.is_sending,
            "counter": self.counter.is_started,
        }
        self.asked = {name for name, asks in users.items() if asks}

    def _on_wake(self, deep: bool) -> None:
        self.wdt.sleep(False)

    def press(self) -> None:
        """Press button 1 and let it go."""
        self.gpio.drive(11, False)
        self.gpio.drive(11, True)
