# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The steps of a build for updates: the bootloader, the application for each slot, signed images.

    boot/boot.elf                                           one a board
    boot/boot.elf --esptool--> boot.bin                     where a ROM loads it
    <variant>/image/firmware-a.elf --sign--> firmware-a.bin
    <variant>/image/firmware-b.elf --sign--> firmware-b.bin
    <variant>/plan.bin             --sign--> model.bin

Where one link serves both slots (`links = 1`) there is firmware.elf and firmware.bin.
"""

import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

from SCons.Script import Action

from torpor.board import Board, as_bootloader, as_image
from torpor.errors import UsageError, unknown_name
from torpor_build import config, steps
from torpor_build.apps import App
from torpor_build.options import Options
from torpor_build.place import ours

_NAMES = ("tflm/__init__.py", "tflm/resolver.py")  # of registrations
SIGN = ("cli/image.py", "board", "emulate", "image", "link", "plan", "wire", *_NAMES)


def declare_targets(  # noqa: PLR0917 - what a build consists of
    env: Any,
    options: Options,
    objects: steps.Objects,
    engine: Any,
    app: steps.Application,
    out: str,
) -> list[Any]:
    """Declare `boot` (the bootloader) and `image` (that and all images); return the latter.

    Args:
        env: of the build.
        options: of the user.
        objects: of the board.
        engine: that runs the models; see engines.py.
        app: what runs.
        out: folder of the build.
    """
    key = objects.once("gen/key.o", key_source(env, options))
    boot = bootloader(env, options, objects, key)
    images = signed_images(env, options, objects, engine, key, app, f"{out}/image")
    env.Alias("boot", boot)
    env.Alias("image", [*boot, *images])
    return images


def key_source(env: Any, options: Options) -> Any:
    """Declare the C file with the key that bootloader and application know."""
    step = Action(_write_key, "  write   $TARGET")
    target = f"#build/{options.board.name}/gen/key.c"
    source = env.Command(target, env.fs.File(str(options.key)), step)
    env.Depends(source, [*steps.tool_sources("image"), ours("site_scons/torpor_build/config.py")])
    return source[0]


def _write_key(target: list[Any], source: list[Any], env: Any) -> None:
    from torpor.image.keys import read_key  # noqa: PLC0415 - not needed where nothing is to do

    key = read_key(Path(str(source[0])))
    text = config.key_source(key.public, key.hash, development=key.is_development)
    Path(str(target[0])).write_text(text, encoding="utf-8")


def bootloader(env: Any, options: Options, objects: steps.Objects, key: Any) -> list[Any]:
    """Declare boot.elf and its footprint."""
    out = f"#build/{options.board.name}/boot"
    board = as_bootloader(options.board)
    made = [
        *objects.folders("boot", "update", "core"),
        *objects.port(),
        *objects.boot_port(),
        *objects.generated("board.c", "layout.c"),
        key,
        *objects.libraries(*steps.CRYPTO),
    ]
    elf = steps.linked(env, board, made, f"{out}/boot.elf")
    measured = steps.measured(env, board, elf, f"{out}/footprint.json")
    return [elf, measured, *_for_rom(env, board, elf, f"{out}/boot.bin")]


def _for_rom(env: Any, board: Board, elf: Any, target: str) -> list[Any]:
    """Declare what the chip's ROM loads of the bootloader, on chips whose ROM does."""
    if board.probe is None or not board.probe.esptool:
        return []
    step = Action(_make_for_rom, "  esptool $TARGET")
    made = env.Command(target, elf, step, CHIP=board.probe.esptool)
    env.Depends(made, ours("host/torpor/flash/espressif.py"))
    env.Clean(made, f"{target}.log")
    return list(made)


def _make_for_rom(target: list[Any], source: list[Any], env: Any) -> int:
    from torpor.flash import espressif  # noqa: PLC0415 - not needed where nothing is to do

    out = Path(str(target[0]))
    words = espressif.command(Path(str(source[0])), env["CHIP"], out)
    with Path(f"{out}.log").open("wb") as log:
        return subprocess.run(words, env=env["ENV"], stdout=log, stderr=log, check=False).returncode


def image_objects(objects: steps.Objects, app: App, infer: list[Any]) -> list[Any]:
    """Compile what applications with slots have in common: no model, no key.

    `infer` runs their models.
    """
    return [
        *objects.folders("app", "app/slots", "mgmt", "update", "core", "wire"),
        *objects.port(*app.drivers),
        *infer,
        *objects.generated("board.c", "layout.c", "wire_records.c"),
        *objects.libraries("zcbor", *steps.CRYPTO),
    ]


def signed_images(  # noqa: PLR0917 - as declare_targets()
    env: Any,
    options: Options,
    objects: steps.Objects,
    engine: Any,
    key: Any,
    app: steps.Application,
    folder: str,
) -> list[Any]:
    """Declare the application, once for each link address, with its footprint, and all images.

    Args:
        env: of the build.
        options: of the user.
        objects: of the board.
        engine: that runs the models.
        key: the object with the key that the device knows.
        app: what runs.
        folder: where everything goes.
    """
    board, plan = options.fitted, app.plan
    kernels = _kernels(env, options, engine, plan.kernels, f"{folder}/kernels.txt")
    tables = engine.tables(plan, f"{folder}/gen/model.c", kernels, board.models.arena)
    own = steps.model_objects(env, [plan.source, tables, *app.sources], folder)
    infer = engine.objects(kernels, folder)
    made = [*own, *app.objects, *image_objects(objects, options.app, infer), key]
    nodes = [_signed(env, options, [plan.binary], f"{folder}/model.bin")]
    for slot in "ab"[: board.links]:
        name = f"{folder}/firmware-{slot}" if board.links > 1 else f"{folder}/firmware"
        place = as_image(board, "ab".index(slot))
        elf = engine.linked(place, made, f"{name}.elf")
        footprint = engine.measured(place, elf, f"{name}.json", None, options.app)
        arguments = ["--slot", slot] if board.links > 1 else []
        sources = [elf, plan.binary, kernels]
        nodes += [footprint, _signed(env, options, sources, f"{name}.bin", *arguments)]
    return nodes


def _kernels(env: Any, options: Options, engine: Any, needed: Any, target: str) -> Any:
    """Declare the list of kernels that images have: the plan's, and those that are reserved."""
    board, app, key = options.board, options.app, engine.reserve
    of_board = f"boards/{board.name}/board.toml: 'models.{key}'"
    _check_reserve(of_board, getattr(board.models, key), engine)
    _check_reserve(f"{app.file}: '{key}'", getattr(app.settings, key), engine)

    def write(target: list[Any], source: list[Any], env: Any) -> None:
        names = {*Path(str(source[0])).read_text().split(), *env["RESERVED"]}
        Path(str(target[0])).write_text("".join(f"{name}\n" for name in sorted(names)))

    step = Action(write, "  write   $TARGET", varlist=["RESERVED"])
    return env.Command(target, needed, step, RESERVED=getattr(options.fitted.models, key))[0]


def _check_reserve(where: str, names: Collection[str], engine: Any) -> None:
    for name in names:
        if name not in engine.known:
            error = unknown_name(engine.known_as, name, engine.known)
            raise UsageError(f"{where}: {error.message}", error.hint)


def _signed(env: Any, options: Options, sources: list[Any], target: str, *arguments: str) -> Any:
    """Declare an image of a plan, or of an ELF file, which its plan and its kernels follow."""
    words = ["--board", options.board.name, "--version", options.version]
    words += ["--counter", str(options.counter), "--key", str(options.key), *arguments]
    step = Action(_sign, "  sign    $TARGET", varlist=["SIGN_WORDS"])
    arena = options.fitted.models.arena
    image = env.Command(target, sources, step, SIGN_WORDS=words, ARENA_BYTES=arena)
    env.Depends(image, [env.fs.File(str(options.key)), *steps.tool_sources(*SIGN)])
    env.Clean(image, f"{target}.log")
    return image[0]


def _sign(target: list[Any], source: list[Any], env: Any) -> int:
    words = ["image", "build", str(source[0]), *env["SIGN_WORDS"]]
    if len(source) > 1:
        plan, kernels = (str(node) for node in source[1:])
        arena, _ = steps.arena_of(Path(plan), env["ARENA_BYTES"])
        words += ["--plan", plan, "--kernels", kernels, "--arena", str(arena)]
    return steps.run_torpor(words, Path(str(target[0])), env)
