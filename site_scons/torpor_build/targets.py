# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What `scons run`, `size`, `test`, `flash`, `update`, `monitor`, `gdb` and `all-boards` call."""

import functools
import sys
from pathlib import Path
from typing import Any

from SCons.Script import GetOption

from torpor.board import Board
from torpor.errors import DeviceError, UsageError
from torpor.paths import ROOT, TORPOR, variant
from torpor_build import all_boards, size
from torpor_build.options import DEMO, SERVE, Options
from torpor_build.terminal import Terminal, call


def declare_alone(options: Options, terminal: Terminal) -> None:
    """Declare the targets for which nothing has to be built before."""
    terminal.program("test", _lane(options), functools.partial(_test, options))
    terminal.program("monitor", "", functools.partial(_monitor, options))
    jobs = GetOption("num_jobs")
    every = functools.partial(all_boards.build, options.arguments, options.variant, jobs)
    terminal.program("all-boards", "", every)


def declare(
    env: Any, options: Options, terminal: Terminal, needs: list[Any], images: list[Any]
) -> None:
    """Declare the targets that need what was built.

    Args:
        env: of the build.
        options: of the user.
        terminal: where they run.
        needs: the firmware without bootloader, and its footprint.json.
        images: what `image` stands for; empty where it was not asked for.
    """
    elf, board, folder = needs[0], options.board.name, str(needs[0].dir)
    env.Alias("firmware", needs)
    terminal.command("run", _run_words(options, str(elf)), needs)
    terminal.program("size", folder, lambda: size.show(Path(folder), options), needs)
    probe = ["--serial", options.serial] if options.serial else []
    terminal.command("gdb", ["gdb", "--elf", str(elf), "--board", board, *probe], needs)
    place = [*(["--port", options.port] if options.port else []), *probe]
    flash = ["flash", folder, "--board", board, *place]
    terminal.command("flash", flash, images or needs, locked=True)
    update = ["update", f"{folder}/image", "--port", options.port]
    terminal.command("update", update, images, locked=True)


def _run_words(options: Options, elf: str) -> list[str]:
    board, model = options.board.name, options.model
    if options.run_kind == DEMO:
        words = ["demo", model.name, "--bits", str(options.bits), "--elf", elf]
    elif options.app.name == SERVE:
        name = f"{variant(model.name, options.bits)}.tflite"
        file = Path("build/models") / name if options.bits else model
        words = ["verify", str(file), "--inputs", "5"]
    else:
        words = ["emulate", "--show", "--elf", elf]
    return [*words, "--board", board, *_engine_words(options)]


def _engine_words(options: Options) -> list[str]:
    return [] if options.engine == TORPOR else ["--engine", options.engine]


def _lane(options: Options) -> str:
    """Return what the tests of tests/lanes call the device: --device."""
    if options.port:
        return f"serial:{options.port}"
    kind = options.board.emulator.kind if options.board.emulator else "serial"
    return kind if kind == "native" else f"{kind}:{options.board.name}"


def _test(options: Options) -> int:
    if options.board.emulator is None and not options.port:
        raise UsageError(
            f"board '{options.board.name}' has no emulator to run tests in",
            "connect one that runs torpor: scons ... test port=/dev/ttyACM0",
        )
    command = ["pytest", "-q", "tests/lanes", "--device", _lane(options)]
    return _python([*command, *_engine_words(options)], cwd=ROOT)


def _monitor(options: Options) -> int:
    port = options.port or only_port(options.board)
    print(f"  the port is {port}", file=sys.stderr)
    return _python(["torpor", "monitor", "--wait", port])


def _python(words: list[str], cwd: Path | None = None) -> int:
    return call([sys.executable, "-m", *words], cwd)


def only_port(board: Board) -> str:
    """Return the serial port of the one board of this kind that is connected.

    Raises:
        UsageError: nothing is known of its USB.
        DeviceError: there is none, or more than one.
    """
    from serial.tools import list_ports  # noqa: PLC0415 - not needed where nothing is to do

    if board.probe is None or not board.probe.usb:
        raise UsageError(
            f"nothing is known of the USB of board '{board.name}'", "scons ... port=/dev/ttyACM0"
        )
    wanted = {name.lower() for name in board.probe.usb}
    found = [p for p in list_ports.comports() if p.vid and f"{p.vid:04x}:{p.pid:04x}" in wanted]
    if len(found) != 1:
        names = ", ".join(f"{p.device} ({p.serial_number})" for p in found) or "none is connected"
        raise DeviceError(f"which serial port is '{board.name}'? {names}", "name it: port=PORT")
    return str(found[0].device)
