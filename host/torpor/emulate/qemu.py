# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""QEMU: its command line, and the few words of QMP that are needed to let it go.

Counting: under `-icount shift=N` one instruction takes 2^N ns of virtual time, so a timer of the
guest counts instructions (QEMU documentation, "TCG Instruction Counting"). Without -icount QEMU
7.2 may lose the wake-up by the first received byte.
"""

import json
import socket
from collections.abc import Callable
from pathlib import Path

from torpor.board import Emulator, Memory
from torpor.emulate.image import Image
from torpor.errors import DeviceError, UsageError

FLASH_IMAGE = "flash.img"
UART_SOCKET = "uart.sock"
QMP_SOCKET = "qmp.sock"
DEBUG_SOCKET = "debug.sock"
QMP_TIMEOUT = 10.0


def command(facts: Emulator, elf: Path) -> list[str]:
    """Return the command line. It starts stopped (-S): whoever connects loses no output.

    The sockets are relative to the working directory, so that no path has to be quoted; so is the
    flash image of a machine that starts from flash, see `flash_image`.
    """
    flash = ("if=pflash", "unit=0", "format=raw", f"file={FLASH_IMAGE}", "readonly=on")
    code = ["-drive", ",".join(flash)] if facts.flash_image else ["-kernel", str(elf.resolve())]
    count = [] if facts.icount_shift is None else ["-icount", f"shift={facts.icount_shift}"]
    return [
        *(facts.program, "-M", facts.machine, *code),
        *("-display", "none", "-monitor", "none", "-nic", "none", "-S"),
        *count,
        *("-chardev", f"socket,id=uart,path={UART_SOCKET},server=on,wait=off"),
        *("-serial", "chardev:uart", "-qmp", f"unix:{QMP_SOCKET},server=on,wait=off"),
        *("-gdb", f"unix:{DEBUG_SOCKET},server=on,wait=off"),
        *facts.args,
    ]


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


def release(path: Path) -> None:
    """Let a stopped QEMU run.

    Args:
        path: its QMP socket, which exists already.

    Raises:
        DeviceError: QEMU does not do it.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(QMP_TIMEOUT)
        try:
            connection.connect(str(path))
            with connection.makefile("rwb") as stream:
                stream.readline()  # the greeting
                for word in ("qmp_capabilities", "cont"):
                    stream.write(json.dumps({"execute": word}).encode() + b"\n")
                    stream.flush()
                    _await_return(stream.readline, word)
        except OSError as error:
            raise DeviceError(f"QEMU does not take orders: {error}") from None


def _await_return(readline: Callable[[], bytes], word: str) -> None:
    """Read answers until the one to `word`; events in between are passed over."""
    while line := readline():
        answer = json.loads(line)
        if "error" in answer:
            raise DeviceError(f"QEMU refused '{word}': {answer['error'].get('desc', '')}")
        if "return" in answer:
            return
    raise DeviceError(f"QEMU ended instead of answering '{word}'")
