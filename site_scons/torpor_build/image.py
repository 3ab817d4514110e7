# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The steps of a build for updates: the bootloader, the application for each slot, signed images.

    boot/boot.elf                                           one a board
    <variant>/image/firmware-a.elf --sign--> firmware-a.bin
    <variant>/image/firmware-b.elf --sign--> firmware-b.bin
    <variant>/plan.bin             --sign--> model.bin

Where one link serves both slots (`links = 1`) there is firmware.elf and firmware.bin.
"""

import subprocess
from pathlib import Path
from typing import Any

from SCons.Script import Action

from torpor.board import Board, as_bootloader, as_image
from torpor.errors import UsageError, unknown_name
from torpor.plan.layout import OPCODES
from torpor_build import config, steps
from torpor_build.options import Options

SIGN = ("cli/image.py", "board", "emulate", "image", "link", "plan", "wire")


def declare_targets(
    env: Any, options: Options, objects: steps.Objects, app: steps.Application, out: str
) -> None:
    """Declare `boot` (the bootloader), `image` (that and all images) and `update` (of a device).

    Args:
        env: of the build.
        options: of the user.
        objects: of the board.
        app: what runs.
        out: folder of the build.
    """
    key = objects.once("gen/key.o", key_source(env, options))
    boot = bootloader(env, options, objects, key)
    common = [*app.objects, *application_objects(objects, options.app), key]
    images = signed_images(env, options, common, app, f"{out}/image")
    env.Alias("boot", boot)
    env.Alias("image", [*boot, *images])
    if options.port:
        env.AlwaysBuild(env.Alias("update", images, _update(env.Dir(f"{out}/image"), options.port)))


def _update(folder: Any, port: str) -> Any:
    """Return an action that brings images to a device; its progress goes to the terminal."""

    def run(target: list[Any], source: list[Any], env: Any) -> int:
        command = [*steps.TORPOR, "update", str(folder), "--port", port]
        return subprocess.run(command, env=env["ENV"], check=False).returncode

    return Action(run, f"  update  {folder}")


def key_source(env: Any, options: Options) -> Any:
    """Declare the C file with the key that bootloader and application know."""
    step = Action(_write_key, "  write   $TARGET")
    target = f"#build/{options.board.name}/gen/key.c"
    source = env.Command(target, env.fs.File(str(options.key)), step)
    env.Depends(source, [*steps.tool_sources("image"), "#site_scons/torpor_build/config.py"])
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
    return [elf, steps.measured(env, board, elf, f"{out}/footprint.json")]


def application_objects(objects: steps.Objects, app: str) -> list[Any]:
    """Compile everything of an application with slots that does not depend on model and key."""
    return [
        *objects.folders("app", f"app/{app}", "app/slots", "mgmt", "update", "core", "wire"),
        *objects.port(*steps.APP_DRIVERS[app]),
        *objects.folders(*steps.INFER),
        *objects.generated("board.c", "layout.c", "wire_records.c"),
        *objects.libraries("zcbor", *steps.CRYPTO),
    ]


def signed_images(
    env: Any, options: Options, common: list[Any], app: steps.Application, folder: str
) -> list[Any]:
    """Declare the application, once for each link address, with its footprint, and all images.

    Args:
        env: of the build.
        options: of the user.
        common: all objects but those that are made for the model.
        app: what runs.
        folder: where everything goes.
    """
    board, plan = options.board, app.plan
    kernels = _kernels(env, board, plan.kernels, f"{folder}/kernels.txt")
    target = f"{folder}/gen/model.c"
    tables = steps.model_source(env, plan, target, kernels, board.models.arena)
    own = steps.model_objects(env, [plan.source, tables, *app.sources], folder)
    made = [*own, *common]
    nodes = [_signed(env, options, [plan.binary], f"{folder}/model.bin")]
    for slot in "ab"[: board.links]:
        name = f"{folder}/firmware-{slot}" if board.links > 1 else f"{folder}/firmware"
        place = as_image(board, "ab".index(slot))
        elf = steps.linked(env, place, made, f"{name}.elf")
        footprint = steps.measured(env, place, elf, f"{name}.json")
        arguments = ["--slot", slot] if board.links > 1 else []
        sources = [elf, plan.binary, kernels]
        nodes += [footprint, _signed(env, options, sources, f"{name}.bin", *arguments)]
    return nodes


def _kernels(env: Any, board: Board, needed: Any, target: str) -> Any:
    """Declare the list of kernels that images have: the plan's, and those that are reserved."""
    for name in board.models.reserve:
        if name not in OPCODES.values():
            error = unknown_name("kernel", name, OPCODES.values())
            where = f"boards/{board.name}/board.toml: 'models.reserve'"
            raise UsageError(f"{where}: {error.message}", error.hint)

    def write(target: list[Any], source: list[Any], env: Any) -> None:
        names = {*Path(str(source[0])).read_text().split(), *env["RESERVED"]}
        Path(str(target[0])).write_text("".join(f"{name}\n" for name in sorted(names)))

    step = Action(write, "  write   $TARGET", varlist=["RESERVED"])
    return env.Command(target, needed, step, RESERVED=board.models.reserve)[0]


def _signed(env: Any, options: Options, sources: list[Any], target: str, *arguments: str) -> Any:
    """Declare an image of a plan, or of an ELF file, which its plan and its kernels follow."""
    words = ["--board", options.board.name, "--version", options.version]
    words += ["--counter", str(options.counter), "--key", str(options.key), *arguments]
    step = Action(_sign, "  sign    $TARGET", varlist=["SIGN_WORDS"])
    arena = options.board.models.arena
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
