# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""engine=tflm in the build: TensorFlow Lite Micro, from an archive that the user has built.

    model --compile--> first/plan.bin --.               with the arena that this computer needs
    app/measure, adapter, archive ------+--> measure/firmware.elf --emulator--> arena.json
    model, arena.json --compile--> plan.bin --> firmware.elf

Where no emulator has the board's core, the plan is that of the first step.
"""

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from SCons.Script import Action, Environment

from torpor.board import Board
from torpor.errors import UsageError
from torpor.paths import FIRMWARE
from torpor.plan.tflm import REGISTRATIONS
from torpor.tflm import tree
from torpor.tflm.measure import STACK_BYTES, stand_in
from torpor_build import config, cplusplus, steps
from torpor_build.apps import App
from torpor_build.options import Options
from torpor_build.place import ours

_C = ("infer/plan", "infer/tflm")
_FOLDER = FIRMWARE / "infer" / "tflm"
_RUNTIME = _FOLDER / "runtime.cc"  # for boards without an operating system
_MEASURE = _FOLDER / "measure.c"  # for the measuring program alone
_COMPILE = "golden"  # what `compile --engine tflm` uses besides steps.COMPILE
_SPARE = 64 << 10  # bytes of the measuring program's arena beyond what this computer needs
_OTHERS = 16 << 10  # bytes of RAM that the measuring program has besides arena and stack


class Adapter:
    """Compiles what is between our firmware and TensorFlow Lite Micro, for one board.

    Args:
        env: for the board's core.
        board: the board.
        found: the user's TensorFlow Lite Micro.
        out: the folder of the objects: they depend on what the user has.
    """

    def __init__(self, env: Any, board: Board, found: tree.Tflm, out: str) -> None:
        self._plain = env
        self._env = cplusplus.environment(env, board, map(str, found.include_paths), found.defines)
        self._out = out
        self._is_bare = bool(board.memory)
        self._archive = env.fs.File(str(found.archive.path))
        self._made: dict[str, Any] = {}

    def objects(self) -> list[Any]:
        """Compile the adapter; a process has the runtime of C++ from the system."""
        files = [p for p in sorted(_FOLDER.glob("*.cc")) if self._is_bare or p != _RUNTIME]
        return [self._object(path) for path in files]

    def resolver(self, kernels: Any, out: str) -> Any:
        """Write and compile the resolver for `kernels`, a list in a file."""
        source = self._env.Command(
            f"{out}/gen/resolver.cc", kernels, Action(_write_resolver, "  write   $TARGET")
        )
        self._env.Depends(source, steps.tool_sources("plan", "tflm/resolver.py"))
        return self._compiled(source[0], f"{out}/obj/infer/tflm/resolver.o")

    def linked(self, board: Board, objects: list[Any], elf: str, link: int | None = None) -> Any:
        """Declare the ELF file `elf`, with the archive; see `steps.linked`."""
        env = self._plain.Clone()
        env.Append(LIBS=["m"] if self._is_bare else ["stdc++", "m"])
        program = steps.linked(env, board, [*objects, self._archive], elf, link)
        if self._is_bare:
            env.AddPostAction(program, Action(_check_program, None))
        return program

    def _object(self, source: Path) -> Any:
        name = f"{self._out}/obj/infer/tflm/{source.stem}.o"
        if name not in self._made:
            self._made[name] = self._compiled(self._env.fs.File(str(source)), name)
        return self._made[name]

    def _compiled(self, source: Any, name: str) -> Any:
        made = self._env.Object(name, source)[0]
        self._env.Depends(made, self._archive)  # its headers are those of the archive
        if self._env.GetOption("clean"):
            self._env.Clean(made, [f"{name[:-2]}{suffix}" for suffix in (".ci", ".su")])
        return made


class Tflm:
    """TensorFlow Lite Micro; see engines.Torpor for what it does."""

    known_as = "registration"

    def __init__(self, env: Any, options: Options, objects: steps.Objects, out: str) -> None:
        self._env = env
        self._options = options
        self._objects = objects
        self._out = out
        self._found = tree.find(options.tflm_dir, options.tflm_lib, options.board.core)
        self._adapter = Adapter(env, options.board, self._found, out)
        self._arena_file: Any = None

    @property
    def known(self) -> Collection[str]:
        """Names of all registrations that it could have."""
        return REGISTRATIONS

    @property
    def reserve(self) -> str:
        """Name of the key that lists registrations which images keep ready."""
        return "reserve_tflm"

    def compiled(self, model: Any) -> steps.PlanFiles:
        """Declare the plan and the files made from it, with an arena that was measured."""
        if self._options.arena is not None:
            return self._plan(model, self._out, ["--arena", str(self._options.arena)])
        board = stand_in(self._options.board)
        if isinstance(board, str):
            self._check_unmeasured(board)
            note = f" (arena as on this computer, 64 bits: {board})"
            return self._plan(model, self._out, [], note=note)
        first = self._plan(model, f"{self._out}/first", [])
        self._arena_file = self._measured_arena(board, first)
        words = ["--arena-file", self._arena_file.abspath]
        return self._plan(model, self._out, words, (self._arena_file,))

    def tables(self, plan: steps.PlanFiles, target: str, kernels: Any, arena: int = 0) -> Any:
        """Declare the C file with the arena: `kernels` are in the resolver."""
        return _arena_source(self._env, plan, target, arena, _write_arena)

    def objects(self, kernels: Any, out: str) -> list[Any]:
        """Compile the adapter and a resolver for `kernels`; that goes to `out`."""
        adapter = self._adapter
        return [*_common(self._objects), *adapter.objects(), adapter.resolver(kernels, out)]

    def linked(self, board: Board, objects: list[Any], elf: str, link: int | None = None) -> Any:
        """Declare the ELF file `elf`; see `steps.linked`."""
        return self._adapter.linked(board, objects, elf, link)

    def measured(self, board: Board, elf: Any, report: str, link: int | None, app: App) -> Any:
        """Declare `report`; see `steps.measured`."""
        known = () if self._arena_file is None else (self._arena_file,)
        return steps.measured(self._env, board, elf, report, link, app, known)

    def _plan(
        self, model: Any, out: str, words: list[str], needs: tuple[Any, ...] = (), note: str = ""
    ) -> steps.PlanFiles:
        common = steps.tool_sources(_COMPILE)
        checked = [ours(path) for name in _C for path in sorted((FIRMWARE / name).glob("*.[ch]"))]
        words = ["--engine", "tflm", *words]
        needs = (*needs, *common, *checked)
        return steps.plan_files(self._env, self._options, model, out, words, needs, note)

    def _check_unmeasured(self, reason: str) -> None:
        """Raise UsageError where the arena of this computer says nothing of the device's."""
        if self._found.archive.kernels != "reference":
            raise UsageError(
                f"the arena for {self._found.archive.kernels} kernels cannot be measured: {reason}",
                "say how large it is: scons ... arena=BYTES",
            )

    def _measured_arena(self, board: Board, first: steps.PlanFiles) -> Any:
        """Declare arena.json: what the measuring program says on `board`."""
        elf = self._measuring_program(board, first)
        step = Action(_run_measuring, "  measure $TARGET (tensor arena)", varlist=["ON_BOARD"])
        report = f"{self._out}/first/report.json"
        target = f"{self._out}/arena.json"
        node = self._env.Command(
            target, [elf, report], step, ON_BOARD=board.name, LOADED_BOARD=board
        )
        self._env.Depends(node, steps.tool_sources("board", "emulate", "tflm/measure.py"))
        return node[0]

    def _measuring_program(self, board: Board, first: steps.PlanFiles) -> Any:
        """Declare the program that finds the smallest arena of the first plan."""
        out = f"{self._out}/measure"
        env, objects, adapter = self._env, self._objects, self._adapter
        if board.name != self._options.board.name:
            other = dataclasses.replace(self._options, board=board)
            env = steps.environment(Environment(tools=[]), other)
            objects = steps.Objects(env, board)
            adapter = Adapter(env, board, self._found, out)
        tables = _arena_source(env, first, f"{out}/gen/model.c", _room(board), _write_measuring)
        made = [
            *steps.model_objects(env, [first.source, tables], out),
            *objects.folders("app/measure", "core"),
            *objects.port(),
            *_common(objects),
            *objects.files([_MEASURE]),
            *objects.generated("board.c"),
            *adapter.objects(),
            adapter.resolver(first.kernels, out),
        ]
        return adapter.linked(_with_stack(board), made, f"{out}/firmware.elf")


def _common(objects: steps.Objects) -> list[Any]:
    """Compile the C between a firmware and the adapter."""
    files = [path for name in _C for path in sorted((FIRMWARE / name).glob("*.c"))]
    return objects.files(path for path in files if path != _MEASURE)


def _room(board: Board) -> int:
    """Return the most bytes that an arena on `board` can have in the measuring program."""
    if not board.memory:
        return 1 << 30
    return board.memory["ram"].size - STACK_BYTES - _OTHERS


def _with_stack(board: Board) -> Board:
    """Return the board with the measuring program's stack."""
    if board.budget is None:
        return board
    budget = dataclasses.replace(board.budget, stack=STACK_BYTES)
    return dataclasses.replace(board, budget=budget)


def _arena_source(env: Any, plan: steps.PlanFiles, target: str, arena: int, write: Any) -> Any:
    step = Action(write, "  write   $TARGET", varlist=["ARENA_BYTES"])
    source = env.Command(target, plan.binary, step, ARENA_BYTES=arena)
    env.Depends(source, [*steps.tool_sources("plan"), ours("site_scons/torpor_build/config.py")])
    return source[0]


def _write_arena(target: list[Any], source: list[Any], env: Any) -> None:
    bytes_, align = steps.arena_of(Path(str(source[0])), env["ARENA_BYTES"])
    Path(str(target[0])).write_text(config.arena_source(bytes_, align), encoding="utf-8")


def _write_measuring(target: list[Any], source: list[Any], env: Any) -> None:
    needed, align = steps.arena_of(Path(str(source[0])), 0)
    text = config.arena_source(min(needed + _SPARE, env["ARENA_BYTES"]), align)
    Path(str(target[0])).write_text(text, encoding="utf-8")


def _write_resolver(target: list[Any], source: list[Any], env: Any) -> None:
    from torpor.tflm import resolver  # noqa: PLC0415 - not needed where nothing is to do

    names = Path(str(source[0])).read_text(encoding="utf-8").split()
    Path(str(target[0])).write_text(resolver.resolver_source(names), encoding="utf-8")


def _run_measuring(target: list[Any], source: list[Any], env: Any) -> None:
    from torpor.tflm import measure  # noqa: PLC0415 - not needed where nothing is to do
    from torpor_build.budget import failing  # noqa: PLC0415

    elf, report = (Path(str(node)) for node in source)
    with failing():
        known = json.loads(report.read_text(encoding="utf-8"))["tensor_arena"]
        found = measure.measure(elf, env["LOADED_BOARD"], known["host"])
    print(f"  {found.summary()}")
    Path(str(target[0])).write_text(found.to_json(), encoding="utf-8")


def _check_program(target: list[Any], source: list[Any], env: Any) -> None:
    from torpor.footprint import check_no_heap  # noqa: PLC0415 - not where nothing is to do
    from torpor_build.budget import failing  # noqa: PLC0415

    with failing():
        check_no_heap(Path(str(target[0])))
