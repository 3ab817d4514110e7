# SPDX-License-Identifier: Apache-2.0
"""What a board.toml may say: one class for each table, one member for each key.

A member without a default is a key that must be there; the type of a member is the type that the
value must have. Addresses and sizes are in bytes, frequencies in Hz.
"""

from dataclasses import dataclass

# The files of firmware/port that a kind of timer and a core (as GCC calls it) need; their folder
# is the core's architecture. What every core needs is in bare/. A port's file of the same name
# takes the place of one of these.
CLOCKS = {
    "systick": "cortexm/systick.c",
    "nrf51-timer": "cortexm/no_systick.c",
    "stm32-tim2": "cortexm/no_systick.c",
    "nrf-rtc": "cortexm/no_systick.c",
    "rp2040-timer": "cortexm/no_systick.c",
    "mtime": "riscv/mtime.c",
    "esp-systimer": "riscv/systimer.c",
}
_CORTEXM = (
    *("cortexm/startup.c", "cortexm/cpu.c", "cortexm/sleep.c", "cortexm/fault.c"),
    *("cortexm/boot.c", "cortexm/reset.c"),
)
_RISCV = (
    *("riscv/startup.c", "riscv/cpu.c", "riscv/trap.c", "riscv/fault.c"),
    "riscv/boot.c",
)
CORES = {
    "cortex-m0": (*_CORTEXM, "cortexm/armv6m.c"),
    "cortex-m0plus": (*_CORTEXM, "cortexm/armv6m_vtor.c"),
    "cortex-m3": (*_CORTEXM, "cortexm/armv7m.c"),
    "cortex-m4": (*_CORTEXM, "cortexm/armv7m.c"),
    "cortex-m33": (*_CORTEXM, "cortexm/armv7m.c"),
    "cortex-m55": (*_CORTEXM, "cortexm/armv7m.c"),
    "rv32imac": _RISCV,
    "rv32imc": _RISCV,
}
BOOT_FILES = {"cortex-m0": ("cortexm/forward.c",)}  # what a bootloader needs besides
FAMILIES = {"nrf51": "nrf", "nrf52": "nrf"}  # port -> folder of what its maker's chips have alike
SHARED_PORTS = (  # of many boards: none is a port by itself
    *("bare", "common", "cortexm", "riscv"),
    *sorted({*FAMILIES.values()}),
)
KERNEL_SETS = ("portable",)
PROBE_TOOLS = ("openocd", "pyocd", "esptool", "uf2", "drive")


@dataclass(frozen=True)
class Core:
    """The processor and how to compile for it."""

    name: str  # one of CORES, or "native"
    toolchain: str  # a tool of site_scons/site_tools
    flags: tuple[str, ...]
    plan_targets: tuple[str, ...]  # the KERNEL_SETS that this core runs, best first

    @property
    def architecture(self) -> str:
        """The folder of firmware/port that its start-up is in: "cortexm", "riscv", or ""."""
        return CORES[self.name][0].partition("/")[0] if self.name in CORES else ""


@dataclass(frozen=True)
class Memory:
    """One region of the memory map."""

    kind: str  # "rom" or "ram"
    origin: int
    size: int
    constants: int | None = None  # of code: where data loads see its first byte, if elsewhere
    functions: int | None = None  # of "ram": where its first byte is executed, if elsewhere
    second_stage: int | None = None  # of "code": bytes at its start that a ROM loads and checks


@dataclass(frozen=True)
class Flash:
    """The flash that holds images, as the CPU sees it."""

    origin: int  # address of its first byte, from which offsets count
    size: int
    write_size: int
    erase_size: int
    erase_ms: int  # that erasing a block typically takes


@dataclass(frozen=True)
class Slots:
    """Where things lie in the flash: offsets. `boot` lies at the start of the code memory."""

    boot: int  # bytes for the bootloader
    stack: int  # of bootloader and images: verifying a signature takes more than inference
    journal: int
    journal_size: int
    firmware: tuple[int, ...]  # A and B
    firmware_size: int
    models: tuple[int, ...]  # three
    model_size: int
    journal_block: int | None = None  # of its erase blocks, where they are smaller than others
    window: int | None = None  # links = 1: where an MMU shows the slot that runs, as code
    receive: int = 2048  # bytes of an image's receive buffer; requests are as long as it allows


@dataclass(frozen=True)
class Watchdog:
    """The hardware that resets a firmware that hangs."""

    hz: int  # that it counts
    trial_ms: int  # that a firmware on trial has to confirm itself
    base: int | None = None
    exception: int = 2  # that warns before the reset (Cortex-M): 2 the NMI, 16 + n interrupt n


@dataclass(frozen=True)
class Models:
    """What images keep ready for models that come later."""

    reserve: tuple[str, ...] = ()  # kernels: "CONV_2D_S8", ...
    reserve_tflm: tuple[str, ...] = ()  # registrations, with engine=tflm: "CONV_2D", ...
    arena: int = 0  # bytes at least


@dataclass(frozen=True)
class Uart:
    """The console."""

    base: int
    irq: int
    clock_hz: int
    baud: int
    tx_pin: int | None = None
    rx_pin: int | None = None


@dataclass(frozen=True)
class Timer:
    """The clock that durations are measured with."""

    kind: str  # one of CLOCKS, or "posix"
    hz: int
    base: int | None = None


@dataclass(frozen=True)
class Alarm:
    """The timer that wakes the CPU; RISC-V has its own, a process the system's."""

    irq: int
    base: int | None = None  # None: it is the timer of the clock
    hz: int | None = None  # at most the clock's


@dataclass(frozen=True)
class Pin:
    """The input whose edges wake the CPU."""

    base: int  # of what watches it
    irq: int
    number: int
    rising: bool = False  # which edge


@dataclass(frozen=True)
class Emulator:
    """The program that stands in for the board."""

    kind: str  # "qemu", "renode", or "native" where the ELF is a program of this computer
    program: str
    package: str  # the Debian package that has it
    machine: str = ""  # QEMU's name; for Renode the .repl in the board's folder
    args: tuple[str, ...] = ()
    flash_image: bool = False  # starts from flash: the ELF is given as an image of memory.code
    # how [flash] lasts: "memory", "pflash", "debug-port", "argument", "model" (Renode); "": not
    flash: str = ""
    memory_origin: int = 0  # "memory": the machine's memory that the flash is part of
    memory_size: int = 0
    icount_shift: int | None = None  # one instruction is 2^shift ns of virtual time

    @property
    def skips_idle(self) -> bool:
        """Whether its time can jump to the next timer while the core sleeps."""
        return self.kind == "renode" or self.icount_shift is not None

    @property
    def how_to_get(self) -> str:
        """What to do where the program is missing."""
        if self.kind == "renode":
            return "unpack a release of Renode and put it on PATH: docs/RENODE.md"
        return f"apt-get install {self.package}"


@dataclass(frozen=True)
class Budget:
    """What the firmware may use at most: the build fails above it."""

    flash: int
    ram: int  # static: data, bss and what a reset keeps
    stack: int  # reserved for the stack at the end of RAM


@dataclass(frozen=True)
class Power:
    """Currents of a real chip that is like the board, for estimates; an emulator has none.

    The currents of states that are left out are that of stage 2: the CPU runs.
    """

    chip: str
    volts: float  # of its supply, that the currents are for
    clock_hz: int
    cycles_per_instruction: float  # an estimate
    sleep_ua: float  # RAM kept, a clock running
    stage_2_ua: float
    battery_mah: float  # an assumption
    sources: tuple[str, ...]  # of the numbers, one or more
    capture_ua: float | None = None
    stage_1_ua: float | None = None
    serial_ua: float | None = None
    flash_ua: float | None = None
    listen_ua: float | None = None  # asleep while a microphone is sampled: its clocks run


@dataclass(frozen=True)
class Scene:
    """Memory that a scene may be put into from outside, for a replayed sensor (drivers/replay)."""

    origin: int
    size: int


@dataclass(frozen=True)
class Samples:
    """Where in the flash inputs are kept (firmware/stats/store.h): never more than this."""

    offset: int
    size: int


@dataclass(frozen=True)
class Probe:
    """The cable that firmware comes over the first time, and who can use it."""

    tools: tuple[str, ...]  # of PROBE_TOOLS, best first
    usb: tuple[str, ...] = ()  # "VID:PID" of what is on the board, hexadecimal
    openocd: tuple[str, ...] = ()  # its configuration files and commands, in order
    pyocd: str = ""  # its name of the target
    esptool: str = ""  # its name of the chip
    uf2_family: int | None = None  # of the UF2 specification
    volume: str = ""  # label of the drive that takes files
    help: str = ""  # what to do by hand so that it is found: a button, a jumper

    @property
    def openocd_words(self) -> tuple[str, ...]:
        """How OpenOCD's command line says its files (*.cfg) and commands."""
        options = ("-f" if word.endswith(".cfg") else "-c" for word in self.openocd)
        return tuple(part for pair in zip(options, self.openocd, strict=True) for part in pair)


@dataclass(frozen=True)
class Board:
    """All facts of one board; what is optional is None if it has none."""

    name: str
    title: str
    tier: str  # "emulated", "built" or "hardware": how far it was tested
    port: str  # a folder of firmware/port
    links: int
    sources: tuple[str, ...]
    core: Core
    timer: Timer
    memory: dict[str, Memory]
    flash: Flash | None = None
    slots: Slots | None = None
    watchdog: Watchdog | None = None
    models: Models = Models()
    uart: Uart | None = None
    alarm: Alarm | None = None
    pin: Pin | None = None
    emulator: Emulator | None = None
    budget: Budget | None = None
    power: Power | None = None
    scene: Scene | None = None
    samples: Samples | None = None
    probe: Probe | None = None

    @property
    def journal_block(self) -> int:
        """Bytes of an erase block of the journal; for boards with slots."""
        assert self.flash is not None and self.slots is not None
        return self.slots.journal_block or self.flash.erase_size
