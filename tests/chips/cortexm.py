# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What unicorn lacks of a Cortex-M: NVIC, SysTick, exceptions, faults, sleep.

Of the Armv6-M and Armv7-M Architecture Reference Manuals (Arm DDI 0419, DDI 0403), part B. What is
stacked includes the FPU's registers where the FPU was used (not lazily). Not there: the process
stack (refused), the MPU, faults while stacking. An FPU works without CPACR here.
"""

import struct

import unicorn
from unicorn import arm_const as arm

from tests.chips.engine import Engine
from tests.chips.machine import Clock, Core, Machine, Peripheral, Timer

MODELS = {
    "m0": arm.UC_CPU_ARM_CORTEX_M0,
    "m0plus": arm.UC_CPU_ARM_CORTEX_M0,  # with VTOR
    "m3": arm.UC_CPU_ARM_CORTEX_M3,
    "m4": arm.UC_CPU_ARM_CORTEX_M4,
}
CPUID = {"m0": 0x410CC200, "m0plus": 0x410CC601, "m3": 0x412FC231, "m4": 0x410FC241}
PRIORITY_BITS = {"m0": 2, "m0plus": 2, "m3": 4, "m4": 4}

RESET, NMI, HARD, MEMORY, BUS, USAGE, SVC, PENDSV, SYSTICK = 1, 2, 3, 4, 5, 6, 11, 14, 15
FIXED = {NMI: -2, HARD: -1}
CAN_ENABLE = {MEMORY: 16, BUS: 17, USAGE: 18}  # bits of SHCSR
THREAD = 256  # its priority: below all others

PRECISERR, BFARVALID, IBUSERR = 1 << 9, 1 << 15, 1 << 8
UNDEFINSTR, INVSTATE, NOCP, UNALIGNED = 1 << 16, 1 << 17, 1 << 19, 1 << 24
FORCED = 1 << 30

LOW = [arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3]
FLOATS = [arm.UC_ARM_REG_S0 + n for n in range(16)]
FPCA = 1 << 2
ALIGNED = 1 << 9  # of the stacked xPSR: the stack was moved by 4
RETURNS = (0xFFFFFFF1, 0xFFFFFFF9, 0xFFFFFFE1, 0xFFFFFFE9)  # what EXC_RETURN may be here
WFI, WFE = 0xBF30, 0xBF20


class CortexM(Core):
    """The core, with its private peripherals."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.is_small = model.startswith("m0")  # Armv6-M
        mode = unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        self.engine = Engine(unicorn.UC_ARCH_ARM, mode, MODELS[model])
        self.lines: set[int] = set()  # exceptions whose interrupt is high
        self.vectors_at_reset = 0  # where the chip shows the CPU its vectors
        self._forget_all()

    def attach(self, machine: Machine) -> None:
        super().attach(machine)
        self.system = System(machine, self)
        machine.add(self.system)

    def _forget_all(self) -> None:
        self.pending = set(self.lines)
        self.enabled: set[int] = set()  # interrupts, as exceptions from 16 on
        self.active: list[int] = []
        self.priorities: dict[int, int] = {}
        self._sleeps = ""  # "wfi" or "wfe"
        self._event = False
        self._is_deep = False

    def reset(self) -> None:
        self._forget_all()
        put = self.engine.set
        for register in (arm.UC_ARM_REG_IPSR, arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_CONTROL):
            put(register, 0)
        self.system.vtor = self.vectors_at_reset
        put(arm.UC_ARM_REG_MSP, self._word(self.system.vtor))
        put(arm.UC_ARM_REG_LR, 0xFFFFFFFF)
        self.jump(self._word(self.system.vtor + 4))

    def _word(self, address: int) -> int:
        return int(struct.unpack("<I", self.engine.uc.mem_read(address, 4))[0])

    def jump(self, address: int) -> None:
        """Go on at an address, with bit 0 for Thumb."""
        self._pc = address & ~1
        self._is_thumb = bool(address & 1)

    @property
    def pc(self) -> int:
        return self._pc

    # Interrupts

    def line(self, irq: int, level: bool) -> None:
        """Set the level of interrupt `irq`; a rising edge makes it pending."""
        exception = 16 + irq
        if level and exception not in self.lines:
            self.lines.add(exception)
            self.pend(exception)
        elif not level:
            self.lines.discard(exception)

    def pend(self, exception: int) -> None:
        """Make an exception pending."""
        self.pending.add(exception)
        self.machine.look_again()

    def forget(self, exception: int) -> None:
        """Make it not pending, unless its line is still high."""
        if exception not in self.lines:
            self.pending.discard(exception)

    def priority_of(self, exception: int) -> int:
        """The lower the more urgent."""
        return FIXED.get(exception, self.priorities.get(exception, 0))

    def _group(self, priority: int) -> int:
        """Only the bits of the group count for that (AIRCR.PRIGROUP)."""
        return priority if priority < 0 else priority >> self.system.prigroup + 1

    def _running(self, *, masked: bool) -> int:
        """Return the group priority of what runs, with or without PRIMASK."""
        running = min((self._group(self.priority_of(n)) for n in self.active), default=THREAD)
        get = self.engine.get
        if not self.is_small:
            base = get(arm.UC_ARM_REG_BASEPRI) & 0xFF
            running = min(running, self._group(base)) if base else running
            running = min(running, -1) if get(arm.UC_ARM_REG_FAULTMASK) & 1 else running
        if masked and get(arm.UC_ARM_REG_PRIMASK) & 1:
            running = min(running, 0)
        return running

    def _due(self, *, masked: bool) -> int | None:
        """Return the exception that is more urgent than what runs."""
        if not self.pending:
            return None
        ready = [n for n in self.pending if n < 16 or n in self.enabled]
        best = min(ready, key=lambda n: (self.priority_of(n), n), default=None)
        if best is None or self._group(self.priority_of(best)) >= self._running(masked=masked):
            return None
        return best

    def service(self) -> bool:
        if self._sleeps and not self._wakes():
            return False
        if self._sleeps:
            self._sleeps = ""
            self.machine.on_wake(self._is_deep)
        exception = self._due(masked=True)
        if exception is not None:
            self.pending.discard(exception)
            self._enter(exception, self._pc | self._is_thumb)
        return True

    def _wakes(self) -> bool:
        if self._due(masked=False) is not None:
            return True
        return self._sleeps == "wfe" and (self._event or self.system.is_event_pending)

    # Exceptions

    def _enter(self, exception: int, resume: int) -> None:
        """Stack, and go to the handler; `resume` with bit 0 for Thumb."""
        get, put = self.engine.get, self.engine.set
        control, xpsr = get(arm.UC_ARM_REG_CONTROL), get(arm.UC_ARM_REG_XPSR)
        assert not control & 2, "the process stack is not modelled"
        xpsr = xpsr & ~(1 << 24) | (resume & 1) << 24
        words = [get(r) for r in (*LOW, arm.UC_ARM_REG_R12, arm.UC_ARM_REG_LR)]
        floats = bool(control & FPCA)
        sp = get(arm.UC_ARM_REG_SP)
        moved = sp & 4
        frame = [*words, resume & ~1, xpsr & ~ALIGNED | (ALIGNED if moved else 0)]
        if floats:
            frame += [*map(get, FLOATS), get(arm.UC_ARM_REG_FPSCR), 0]
        sp -= moved + 4 * len(frame)
        self.engine.uc.mem_write(sp, struct.pack(f"<{len(frame)}I", *frame))
        put(arm.UC_ARM_REG_CONTROL, control & ~FPCA)
        link = 0xFFFFFFF1 if self.active else 0xFFFFFFF9
        self.active.append(exception)
        put(arm.UC_ARM_REG_XPSR, exception)  # no flags, no IT block
        put(arm.UC_ARM_REG_IPSR, exception)
        put(arm.UC_ARM_REG_SP, sp)
        put(arm.UC_ARM_REG_LR, link & ~(floats << 4))
        self._event = True
        self.jump(self._word(self.system.vtor + 4 * exception))

    def _leave(self, link: int) -> None:
        """Return from an exception by EXC_RETURN."""
        if link not in RETURNS or not self.active:
            raise self.system.forbidden(f"cannot return to {link:#010x}")
        get, put = self.engine.get, self.engine.set
        left = self.active.pop()
        floats = not link & 1 << 4
        sp = get(arm.UC_ARM_REG_SP)
        count = 26 if floats else 8
        frame = struct.unpack(f"<{count}I", self.engine.uc.mem_read(sp, 4 * count))
        self._restore(frame, floats)
        put(arm.UC_ARM_REG_SP, sp + 4 * count + (4 if frame[7] & ALIGNED else 0))
        assert (frame[7] & 0x1FF) == (self.active[-1] if self.active else 0), "as they were entered"
        if left >= 16 and left in self.lines:
            self.pending.add(left)
        if left != NMI and not self.is_small:
            put(arm.UC_ARM_REG_FAULTMASK, 0)
        self._event = True
        self._sleep("wfi") if self.system.scr & 2 and not self.active else None

    def _restore(self, frame: tuple[int, ...], floats: bool) -> None:
        put = self.engine.set
        for register, value in zip(
            (*LOW, arm.UC_ARM_REG_R12, arm.UC_ARM_REG_LR), frame, strict=False
        ):
            put(register, value)
        put(arm.UC_ARM_REG_XPSR_NZCVQG, frame[7])
        put(arm.UC_ARM_REG_IPSR, frame[7] & 0x1FF)
        if floats:
            for register, value in zip(FLOATS, frame[8:24], strict=True):
                put(register, value)
            put(arm.UC_ARM_REG_FPSCR, frame[24])
        control = self.engine.get(arm.UC_ARM_REG_CONTROL)
        put(arm.UC_ARM_REG_CONTROL, control | FPCA if floats else control & ~FPCA)
        self.jump(frame[6] | (frame[7] >> 24 & 1))

    def _sleep(self, how: str) -> None:
        if how == "wfe" and self._event:
            self._event = False
            return
        self._is_deep = bool(self.system.scr & 4)
        self._sleeps = how
        if not self._wakes():
            self.machine.on_sleep(self._is_deep)
        else:
            self._sleeps = ""

    # Faults

    def _fault(self, exception: int, status: int, pc: int) -> None:
        """Take a fault of the instruction at `pc`, or what it escalates to."""
        if self._running(masked=False) <= FIXED[HARD]:
            self.machine.on_lockup()
            return
        if not self.is_small:
            self.system.cfsr |= status
        is_enabled = self.system.shcsr >> CAN_ENABLE.get(exception, 31) & 1
        group = self._group(self.priority_of(exception))
        if not is_enabled or group >= self._running(masked=True):
            self.system.hfsr |= FORCED
            exception = HARD
        self._enter(exception, pc | self._is_thumb)

    def _fault_of_bus(self) -> None:
        machine = self.machine
        assert machine.fault_address is not None
        pc, address = machine.pc, machine.fault_address
        machine.fault_address = None
        fetches = (unicorn.UC_MEM_FETCH_UNMAPPED, unicorn.UC_MEM_FETCH_PROT)
        if machine.fault_kind in fetches:
            self._fault(BUS, IBUSERR, address)
            return
        self.system.bfar = address
        self._fault(BUS, PRECISERR | BFARVALID, pc)

    def run(self, limit: int) -> None:
        machine = self.machine
        if not self._is_thumb:
            self._is_thumb = True
            self._fault(USAGE, INVSTATE, self._pc)
            return
        if self._due(masked=False) is not None:
            self.engine.watch(arm.UC_ARM_REG_PRIMASK, 1, 0)
        error = self.engine.run(self._pc | 1, limit)
        self._pc = self.engine.get(arm.UC_ARM_REG_PC)
        if machine.fault_address is not None:
            self._fault_of_bus()
        elif self._pc >= 0xFFFFFF00:
            self._leave(self._pc | 1)
        elif error != unicorn.UC_ERR_OK:
            self._trouble(error)
        elif not self.engine.slice.stopped and not self.engine.slice.stop:
            self._wait()

    def _wait(self) -> None:
        """Find out why the engine has stopped by itself."""
        opcode = self._half(machine_pc := self.machine.pc)
        if opcode != WFI:
            raise self.system.forbidden(f"stopped at {machine_pc:#010x} by {opcode:#06x}")
        self._pc = machine_pc + 2
        self._sleep("wfi")

    def _half(self, address: int) -> int:
        return int(struct.unpack("<H", self.engine.uc.mem_read(address, 2))[0])

    def _trouble(self, error: int) -> None:
        """Take what the translator does not know."""
        at = self.machine.pc
        opcode = self._half(at)
        if opcode == WFE:
            self._pc = at + 2
            self._sleep("wfe")
        elif opcode >> 8 == 0xDF:
            self._pc = at + 2
            self.pend(SVC)
        elif error == unicorn.UC_ERR_INSN_INVALID:
            self._fault(USAGE, UNDEFINSTR, at)
        elif opcode >> 8 == 0xBE:
            self.system.hfsr |= 1 << 31
            self._fault(HARD, 0, at)
        elif not self.engine.get(arm.UC_ARM_REG_XPSR) >> 24 & 1:
            self._fault(USAGE, INVSTATE, self._pc)
        else:
            raise self.system.forbidden(f"stopped by {opcode:#06x}, error {error} of unicorn")


class System(Peripheral):
    """The system control space: SysTick, NVIC, SCB (DDI 0403, B3.2 .. B3.4)."""

    size = 0x1000

    def __init__(self, machine: Machine, core: CortexM) -> None:
        super().__init__(machine, 0xE000E000)
        self.core = core
        self._clock = machine.clock
        self._timer = Timer(self._clock, self._on_zero)
        self.external = Clock(machine, 0)  # SysTick's other clock; the chip says how fast
        self.reset("power")

    def reset(self, cause: str) -> None:
        self.vtor = self.scr = self.shcsr = self.cfsr = self.hfsr = self.bfar = 0
        self.cpacr = self.prigroup = 0
        self.ccr = 0x200
        self.is_event_pending = False
        self._csr = self._reload = 0
        self._zero = 0  # the tick at which the count is 0 next, while it counts
        self._stopped_at = 0  # the count, while it does not
        self._has_wrapped = False
        self._timer.cancel()

    # SysTick

    def _count(self) -> int:
        if not self._csr & 1:
            return self._stopped_at
        return max(0, self._zero - self._clock.ticks)

    def _on_zero(self) -> None:
        """The count is 0; the next tick loads it anew."""
        self._has_wrapped = True
        if self._csr & 2:
            self.core.pend(SYSTICK)
        if self._reload:
            self._zero = self._zero + self._reload + 1
            self._timer.at(self._zero)

    def _start(self, count: int) -> None:
        """Count on from `count`; 0 is loaded anew by the next tick."""
        self._zero = self._clock.ticks + (count or self._reload + 1)
        if count or self._reload:
            self._timer.at(self._zero)

    def _write_systick(self, offset: int, value: int) -> None:
        if offset == 0x10:
            if value & 1 and not value & 4:
                raise self.forbidden("SysTick's external clock is not modelled")
            before, count = self._csr, self._count()
            self._csr = value & 7
            if value & 1 and not before & 1:
                self._start(count)
            elif not value & 1:
                self._stopped_at = count
                self._timer.cancel()
        elif offset == 0x14:
            self._reload = value & 0xFFFFFF
        else:
            self._has_wrapped = False
            self._stopped_at = 0
            self._timer.cancel()
            if self._csr & 1:
                self._start(0)

    def _read_systick(self, offset: int) -> int:
        if offset == 0x10:
            wrapped, self._has_wrapped = self._has_wrapped, False
            return self._csr | wrapped << 16
        if offset == 0x14:
            return self._reload
        if offset == 0x18:
            count = self._count()
            return self._reload if self._csr & 1 and count > self._reload else count
        return 0  # CALIB: no reference known

    # NVIC: an array of bits a function

    def _bits(self, word: int, numbers: set[int]) -> int:
        first = 16 + 32 * word
        return sum(1 << n - first for n in numbers if first <= n < first + 32)

    def _numbers(self, word: int, value: int) -> list[int]:
        return [16 + 32 * word + n for n in range(32) if value >> n & 1]

    def _read_nvic(self, offset: int) -> int:
        group, word = offset & ~0x7F, (offset & 0x7F) // 4
        if group in (0x100, 0x180):
            return self._bits(word, self.core.enabled)
        if group in (0x200, 0x280):
            return self._bits(word, self.core.pending)
        return self._bits(word, set(self.core.active))

    def _write_nvic(self, offset: int, value: int) -> None:
        group, word = offset & ~0x7F, (offset & 0x7F) // 4
        for number in self._numbers(word, value):
            if group == 0x100:
                self.core.enabled.add(number)
            elif group == 0x180:
                self.core.enabled.discard(number)
            elif group == 0x200:
                self.core.pending.add(number)
            elif group == 0x280:
                self.core.forget(number)
        self.machine.look_again()

    def _priority(self, first: int, offset: int, size: int) -> int:
        numbers = range(first + offset, first + offset + size)
        return sum(self.core.priorities.get(n, 0) << 8 * i for i, n in enumerate(numbers))

    def _set_priority(self, first: int, offset: int, size: int, value: int) -> None:
        keep = 0xFF & ~(0xFF >> PRIORITY_BITS[self.core.model])
        for i in range(size):
            self.core.priorities[first + offset + i] = value >> 8 * i & keep
        self.machine.look_again()

    # SCB

    def _read_icsr(self) -> int:
        core = self.core
        bits = (28, PENDSV), (26, SYSTICK), (31, NMI)
        value = sum(1 << bit for bit, number in bits if number in core.pending)
        ready = [n for n in core.pending if n < 16 or n in core.enabled]
        first = min(ready, key=lambda n: (core.priority_of(n), n), default=0)
        value |= first << 12 | any(n >= 16 for n in ready) << 22
        return value | (core.active[-1] if core.active else 0)

    def _write_icsr(self, value: int) -> None:
        for bit, number in ((28, PENDSV), (26, SYSTICK), (31, NMI)):
            if value >> bit & 1:
                self.core.pend(number)
        for bit, number in ((27, PENDSV), (25, SYSTICK)):
            if value >> bit & 1:
                self.core.pending.discard(number)

    def _write_aircr(self, value: int) -> None:
        if value >> 16 != 0x05FA:
            return
        self.prigroup = value >> 8 & 7 if not self.core.is_small else 0
        if value & 4:
            self.machine.reset("software")

    def read(self, offset: int, size: int) -> int:
        if 0x10 <= offset < 0x20:
            return self._read_systick(offset)
        if 0x100 <= offset < 0x380:
            return self._read_nvic(offset)
        if 0x400 <= offset < 0x4F0:
            return self._priority(16, offset - 0x400, size)
        if 0xD18 <= offset < 0xD24:
            return self._priority(4, offset - 0xD18, size)
        values = {
            0xD00: CPUID[self.core.model],
            0xD08: self.vtor,
            0xD0C: 0xFA050000 | self.prigroup << 8,
            0xD10: self.scr,
            0xD14: self.ccr,
            0xD24: self.shcsr,
            0xD28: self.cfsr,
            0xD2C: self.hfsr,
            0xD38: self.bfar,
            0xD88: self.cpacr,
            0xDF0: 0,  # DHCSR: no debugger
        }
        if offset == 0xD04:
            return self._read_icsr()
        return values[offset] if offset in values else super().read(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        if 0x10 <= offset < 0x1C:
            self._write_systick(offset, value)
        elif 0x100 <= offset < 0x300:
            self._write_nvic(offset, value)
        elif 0x400 <= offset < 0x4F0:
            self._set_priority(16, offset - 0x400, size, value)
        elif 0xD18 <= offset < 0xD24:
            self._set_priority(4, offset - 0xD18, size, value)
        elif offset == 0xD04:
            self._write_icsr(value)
        elif offset == 0xD0C:
            self._write_aircr(value)
        else:
            self._write_scb(offset, size, value)

    def _write_scb(self, offset: int, size: int, value: int) -> None:
        is_m0 = self.core.is_small
        if offset == 0xD08 and self.core.model != "m0":
            if value & (0xFF if is_m0 else 0x7F):
                raise self.forbidden(f"VTOR {value:#x} is not aligned")
            self.vtor = value
        elif offset == 0xD10:
            self.scr = value & 0x1F
        elif offset == 0xD14:
            self.ccr = value
        elif offset == 0xD24:
            self.shcsr = value & (1 << 15 if is_m0 else 7 << 16)
        elif offset == 0xD28 and not is_m0:
            self.cfsr &= ~value
        elif offset == 0xD2C and not is_m0:
            self.hfsr &= ~value
        elif offset == 0xD88 and not is_m0:
            self.cpacr = value
        elif offset == 0xD08:
            return  # VTOR: not there in Armv6-M, ignored
        else:
            super().write(offset, size, value)
