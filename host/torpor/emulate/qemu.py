# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""QEMU: its command line, and its time.

Counting: under `-icount shift=N` one instruction takes 2^N ns of virtual time, so a timer of the
guest counts instructions (QEMU documentation, "TCG Instruction Counting"). Without -icount QEMU
7.2 may lose the wake-up by the first received byte. While the core sleeps, virtual time is as fast
as that of the wall, or, with `sleep=off`, jumps to the next timer of the guest.
"""

from collections.abc import Sequence
from pathlib import Path

from torpor.board import Emulator, Memory
from torpor.emulate.image import Image
from torpor.errors import UsageError

FLASH_IMAGE = "flash.img"
UART_SOCKET = "uart.sock"
QMP_SOCKET = "qmp.sock"
DEBUG_SOCKET = "debug.sock"


def command(
    facts: Emulator,
    elf: Path,
    flash: Path | None = None,
    memory: Sequence[tuple[int, Path]] = (),
    *,
    skip_idle: bool = False,
) -> list[str]:
    """Return the command line. It starts stopped (-S): whoever connects loses no output.

    The sockets are relative to the working directory, so that no path has to be quoted; so is the
    flash image of a machine that starts from flash, see `flash_image`.

    Args:
        facts: of the board.
        elf: the firmware.
        flash: the file behind the flash that lasts, or None.
        memory: addresses, and files whose bytes are there from the start and after each reset.
        skip_idle: see `Setup`.
    """
    unit = ("if=pflash", "unit=0", "format=raw", f"file={FLASH_IMAGE}", "readonly=on")
    code = ["-drive", ",".join(unit)] if facts.flash_image else ["-kernel", str(elf.resolve())]
    count = [] if facts.icount_shift is None else ["-icount", f"shift={facts.icount_shift}"]
    if skip_idle:
        count[-1] += ",sleep=off"
    loads = (f"file={quoted(path)},addr={address:#x}" for address, path in memory)
    return [
        *(facts.program, "-M", *_machine(facts, flash), *code),
        *("-display", "none", "-monitor", "none", "-nic", "none", "-S"),
        *count,
        *("-chardev", f"socket,id=uart,path={UART_SOCKET},server=on,wait=off"),
        *("-serial", "chardev:uart", "-qmp", f"unix:{QMP_SOCKET},server=on,wait=off"),
        *("-gdb", f"unix:{DEBUG_SOCKET},server=on,wait=off"),
        *(word for load in loads for word in ("-device", f"loader,{load},force-raw=on")),
        *facts.args,
    ]


def _machine(facts: Emulator, flash: Path | None) -> list[str]:
    """Return the machine's name, and what puts a file behind its flash."""
    if flash and facts.flash == "memory":
        backend = f"memory-backend-file,id=flash,size={facts.memory_size},share=on"
        file = f"mem-path={quoted(flash)}"
        return [f"{facts.machine},memory-backend=flash", "-object", f"{backend},{file}"]
    if flash and facts.flash == "pflash":
        return [facts.machine, "-drive", f"if=pflash,unit=1,format=raw,file={quoted(flash)}"]
    return [facts.machine]


def quoted(path: Path) -> str:
    """Return a path as a value in QEMU's lists: a comma would end it."""
    return str(path).replace(",", ",,")


def write_flash_image(elf: Path, code: Memory, image: Path) -> None:
    """Write what a flash holds after `elf` was programmed: a sparse file, 0 where nothing is.

    Args:
        elf: the firmware.
        code: the flash.
        image: the file to write, as long as the flash.

    Raises:
        UsageError: `elf` is no ELF file, or has bytes outside the flash.
    """
    with image.open("wb") as flash:
        flash.truncate(code.size)
        for address, data in Image.read(elf).segments:
            if not code.origin <= address <= address + len(data) <= code.origin + code.size:
                raise UsageError(f"{elf} has bytes at {address:#x}, outside the flash")
            flash.seek(address - code.origin)
            flash.write(data)


def instructions(facts: Emulator, ticks: int, timer_hz: int) -> int | None:
    """Turn timer ticks into instructions, exact to one tick, those of interrupts
    taken meanwhile included; None if they are not counted.

    instructions = ticks * (10^9 / timer_hz) / 2^shift
    """
    if facts.icount_shift is None or not timer_hz:
        return None
    nanoseconds = ticks * 1_000_000_000 / timer_hz
    return round(nanoseconds / (1 << facts.icount_shift))
