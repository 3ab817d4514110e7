# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The steps of a build. Each function declares some targets and returns their nodes."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SCons.Script import Action

from torpor.board import BOOT_FILES, CLOCKS, CORES, FAMILIES, Board
from torpor.paths import BUILD, FIRMWARE, ROOT, variant
from torpor.wire.schema import SCHEMA
from torpor_build import apps, config, linker, records, second_stage, sound, third_party, wake
from torpor_build.apps import App
from torpor_build.options import Options
from torpor_build.place import ours

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion"]
TORPOR = [sys.executable, "-m", "torpor"]
DRIVERS = apps.DRIVERS
HOOKS = ("cause", "deep")  # of every port
BARE_HOOKS = ("chip",)  # of those without an operating system
CRYPTO = ("monocypher", "bearssl")
INFER = ("infer", "infer/plan", "infer/ops", "infer/kernels")
COMPILE = (
    "cli/compile.py",
    "cli/_engine.py",
    "board",
    "compile",
    "engine",
    "graph",
    "plan",
    "stats",
    "tflm",
)
QUANTIZE = ("cli/quantize.py", "golden", "graph", "model", "quantize")


def environment(env: Any, options: Options) -> Any:
    """Make `env` an environment for the board's core, with what all our C code is built with."""
    board = options.board
    env["ENV"].update(PATH=os.environ.get("PATH", ""), PYTHONPATH=str(ROOT / "host"))
    env["ENV"]["TORPOR_BUILD"] = str(BUILD)
    tools = [str(ROOT / "site_scons" / "site_tools")]
    env.Tool(board.core.toolchain.replace("-", "_"), toolpath=tools)
    third_party.learn_suffixes(env)
    env.Tool("compilation_db")  # it looks at the compiler that is there
    env.Append(
        CPPPATH=[ours("firmware"), f"#build/{board.name}"],
        CCFLAGS=[*board.core.flags, "-ffunction-sections", "-fdata-sections"],
        CFLAGS=["-std=c11"],
        LINKFLAGS=[*board.core.flags, "-Wl,--gc-sections"],
    )
    env.Replace(CCCOMSTR="  cc      $SOURCE", LINKCOMSTR="  link    $TARGET")
    places = dict.fromkeys((ROOT, BUILD.parent))  # no path of this computer gets into a firmware
    env.Append(CCFLAGS=[f"-ffile-prefix-map={place}=." for place in places])
    env.Append(CCFLAGS=[] if options.release else ["-g"])
    env.Append(LINKFLAGS=["-Wl,--strip-debug"] if options.release else [])
    # Functions of equal code would be merged, and then one of them is missing in the call graph.
    env.Append(CCFLAGS=["-fstack-usage", "-fcallgraph-info=su", "-fno-ipa-icf"])
    return env


def generated(env: Any, board: Board) -> dict[str, Any]:
    """Write the files made from records.toml and board.toml; return the C files by name."""
    gen = f"#build/{board.name}/gen"
    texts = {
        "wire_records.h": records.header(SCHEMA),
        "wire_records.c": records.source(SCHEMA),
        "board_config.h": config.board_header(board),
        "board.c": config.board_source(board),
    }
    if board.slots:
        texts["layout.c"] = config.layout_source(board)
    nodes = {name: write_text(env, f"{gen}/{name}", text) for name, text in texts.items()}
    return {name: node for name, node in nodes.items() if name.endswith(".c")}


def write_text(env: Any, target: str, text: str) -> Any:
    """Declare a file with a known text."""

    def write(target: list[Any], source: list[Any], env: Any) -> None:
        Path(str(target[0])).write_text(source[0].read(), encoding="utf-8")

    action = Action(write, "  write   $TARGET")
    return env.Command(target, env.Value(text), action)[0]


class Objects:
    """Compiles the C of a board: each file once, however many programs it is linked into."""

    def __init__(self, env: Any, board: Board) -> None:
        self._env = env
        self._board = board
        self._out = f"#build/{board.name}/obj"
        self._made: dict[str, Any] = {}
        self._generated = generated(env, board)
        self._small = _ours(env, "-Os")
        self._fast = _ours(env, "-O2")

    def folders(self, *names: str) -> list[Any]:
        """Compile all C files of folders of firmware/."""
        return self.files(path for name in names for path in sorted((FIRMWARE / name).glob("*.c")))

    def files(self, paths: Iterable[Path]) -> list[Any]:
        """Compile C files of firmware/."""
        return [self._file(path) for path in paths]

    def port(self, *drivers: str) -> list[Any]:
        """Compile what the board's hardware needs; `drivers` are of DRIVERS."""
        return self.files(port_files(self._board, *drivers))

    def boot_port(self) -> list[Any]:
        """Compile what only the bootloader needs of the port."""
        names = BOOT_FILES.get(self._board.core.name, ())
        return [self._file(FIRMWARE / "port" / name) for name in names]

    def generated(self, *names: str) -> list[Any]:
        """Compile C files that the build makes of the board's facts."""
        return [self.once(f"gen/{Path(n).stem}.o", self._generated[n]) for n in names]

    def libraries(self, *names: str) -> list[Any]:
        """Compile libraries of firmware/third_party.toml."""
        for name in names:
            if name not in self._made:
                self._made[name] = third_party.objects(self._env, self._out, name)
        return _cleaned(self._env, [node for name in names for node in self._made[name]])

    def sound(self) -> list[Any]:
        """Compile the sound features: ours, the front end, and its tables."""
        tables = sound.tables(self._env, f"#build/{self._board.name}/gen/features.c")
        made = self.once("gen/features.o", tables, self._sound)
        return [*self.folders(sound.FOLDER), *self.libraries(*sound.HEADERS), made]

    def once(self, name: str, source: Any, env: Any = None) -> Any:
        """Compile one file of ours to `name`, for size unless `env` says otherwise."""
        if name not in self._made:
            self._made[name] = (env or self._small).Object(f"{self._out}/{name}", source)[0]
            _cleaned(self._env, [self._made[name]])
        return self._made[name]

    def _file(self, source: Path) -> Any:
        relative = source.relative_to(FIRMWARE)
        env = self._environment(str(relative.parent))
        return self.once(str(relative.with_suffix(".o")), self._env.fs.File(str(source)), env)

    def _environment(self, folder: str) -> Any:
        """Inference is compiled for speed; only updates see the headers of the cryptography, only
        the sound features those of the front end."""
        if folder.partition("/")[0] == "infer":
            return self._fast
        if folder == sound.FOLDER:
            return self._sound
        return self._crypto if folder == "update" else self._small

    @functools.cached_property
    def _crypto(self) -> Any:
        env = self._small.Clone()
        third_party.include(env, *CRYPTO)
        return env

    @functools.cached_property
    def _sound(self) -> Any:
        env = self._fast.Clone()
        third_party.include(env, *sound.HEADERS)
        return env


def _ours(env: Any, optimisation: str) -> Any:
    """Return an environment for C of ours."""
    env = env.Clone()
    env.Append(CCFLAGS=[*WARNINGS])
    third_party.include(env, "zcbor")
    env.Append(CCFLAGS=[optimisation])
    return env


def firmware_objects(objects: Objects, app: App, infer: list[Any]) -> list[Any]:
    """Compile what applications without bootloader have in common; `infer` runs their models."""
    return [
        *objects.folders("app", "app/alone", "core", "wire"),
        *objects.port(*app.drivers),
        *infer,
        *objects.generated("board.c", "wire_records.c"),
        *objects.libraries("zcbor"),
    ]


@dataclass(frozen=True)
class Application:
    """What an application consists of besides what all have in common.

    Attributes:
        plan: of its model.
        objects: of its C files.
        sources: C files that are made for the model.
    """

    plan: "PlanFiles"
    objects: list[Any]
    sources: list[Any]


def application(
    env: Any, options: Options, objects: Objects, plan: "PlanFiles", out: str
) -> Application:
    """Declare what the chosen application consists of, with the model that it runs."""
    app = options.app
    files = [*app.files, *app.folders]
    made = objects.files(path for path in files if path.is_relative_to(FIRMWARE))
    made += _own_objects(env, app, [p for p in files if not p.is_relative_to(FIRMWARE)], out)
    if not app.is_wake:
        return Application(plan, made, [])
    sensor = wake.described(options)["sensor"]
    source = wake.source(env, options, plan.binary, f"{out}/gen/wake.c")
    return Application(plan, [*made, *wake.objects(objects, sensor)], [source])


def _own_objects(env: Any, app: App, files: list[Path], out: str) -> list[Any]:
    """Compile the C files of an application elsewhere: a warning of theirs is no failure."""
    env = env.Clone()
    env.Append(CPPPATH=[env.fs.Dir(str(app.folder))])
    third_party.include(env, "zcbor")
    env.Append(CCFLAGS=["-Wall", "-Wextra", "-Os", *app.settings.flags])
    made = []
    for path in files:
        name = str(path.relative_to(app.folder).with_suffix(".o")).replace("$", "$$")
        made.append(env.Object(f"{out}/obj/app/{name}", env.fs.File(str(path)))[0])
    return _cleaned(env, made)


def model_objects(env: Any, sources: list[Any], out: str) -> list[Any]:
    """Compile the C files made from a plan, to out/obj."""
    env = env.Clone()
    env.Append(CCFLAGS=[*WARNINGS, "-Os"])
    return _cleaned(env, [env.Object(f"{out}/obj/{s.name[:-2]}.o", s)[0] for s in sources])


def _cleaned(env: Any, objects: list[Any]) -> list[Any]:
    """Let `scons -c` remove what GCC writes beside `objects`; return them."""
    for obj in objects if env.GetOption("clean") else ():
        env.Clean(obj, [f"{str(obj)[:-2]}{suffix}" for suffix in (".ci", ".su")])
    return objects


def port_files(board: Board, *drivers: str) -> list[Path]:
    """Return the C files of the ports that a board consists of.

    Args:
        board: the board.
        drivers: of DRIVERS. A driver or a hook is the file of that name in the port, in the folder
            of its family, in that of the core's architecture, in bare/ or common/, the first that
            there is. What else a core needs may be replaced by a file of that name in the port as
            well.
    """
    port = FIRMWARE / "port"
    own = [board.port, *([FAMILIES[board.port]] if board.port in FAMILIES else [])]
    folders = [*own, "common", *(["bare"] if board.memory else [])]
    shared = [*CORES[board.core.name], CLOCKS[board.timer.kind]] if board.memory else []
    found = [path for folder in folders for path in sorted((port / folder).glob("*.c"))]
    chosen = (*HOOKS, *(BARE_HOOKS if board.memory else ()), *drivers)
    found = [path for path in found if path.stem not in (*DRIVERS, *HOOKS, *BARE_HOOKS)]
    places = (*own, board.core.architecture or "host", "bare", "common")
    files = [[port / place / f"{name}.c" for place in places] for name in chosen]
    return [
        *found,
        *(port / name for name in shared if port / board.port / Path(name).name not in found),
        *(next(filter(Path.exists, f)) for f in files),
    ]


def tool_sources(*parts: str) -> list[str]:
    """Return the files of torpor that a command is made of, as SCons takes them.

    Args:
        parts: packages, and modules with ".py", in host/torpor; what all commands use is added.
    """
    folder = ROOT / "host" / "torpor"
    common = ("__init__.py", "__main__.py", "errors.py", "paths.py", "cli/__init__.py")
    files = {folder / part for part in (*common, "cli/main.py", *parts) if part.endswith(".py")}
    for package in (folder / part for part in parts if not part.endswith(".py")):
        files |= {path for path in package.rglob("*") if path.suffix in (".py", ".toml")}
    return [ours(path) for path in sorted(files)]


def torpor(words: str, *arguments: str) -> Any:
    """Return an action that shows `words` and runs a command of torpor.

    No shell looks at its arguments, which may be odd names of files. The command writes to the
    target, or to its folder where there are several.
    """
    text = "\0".join(arguments)  # a text belongs to what SCons compares, what a tuple has does not

    def run(target: list[Any], source: list[Any], env: Any) -> int:
        out = Path(str(target[0]))
        return run_torpor(text.split("\0"), out, env, several=len(target) > 1)

    return Action(run, words)


def run_torpor(words: list[str], out: Path, env: Any, *, several: bool = False) -> int:
    """Run a command of torpor that writes to `out`, or to its folder if it writes `several` files.

    What it prints goes to a .log file beside it. Returns its exit code.
    """
    command = [*TORPOR, *words, "-o", str(out.parent if several else out)]
    with Path(f"{out}.log").open("wb") as log:
        return subprocess.run(command, env=env["ENV"], stdout=log, check=False).returncode


def quantized(env: Any, options: Options) -> Any:
    """Declare the quantized model; the same file for every board."""
    if not options.bits:
        return env.fs.File(str(options.model))  # its name may have a "$"
    name, bits = options.model.name, str(options.bits)
    if options.packaged:
        return _packaged(env, options.model, f"#build/models/{variant(name, options.bits)}.tflite")
    arguments = [str(options.model), "--bits", bits, "--no-accuracy"]
    target = env.Command(
        f"#build/models/{name}-int{bits}.tflite",
        [env.fs.File(str(path)) for path in _model_files(options.model)],
        torpor(f"  quantize {name} to {bits} bits", "quantize", *arguments),
    )
    env.Depends(target, tool_sources(*QUANTIZE))
    env.Clean(target, f"{target[0]}.log")
    return target[0]


def _packaged(env: Any, folder: Path, target: str) -> Any:
    """Declare the copy of a model that comes quantized; it is fetched right here if need be."""
    from torpor.model import load_model  # noqa: PLC0415 - for such models only

    name = folder.name
    file = load_model(name, folder.parent).quantized_file()
    return env.Command(target, env.fs.File(str(file)), Action(_copy, f"  unpack  {name}"))[0]


def _copy(target: list[Any], source: list[Any], env: Any) -> None:
    shutil.copyfile(str(source[0]), str(target[0]))


def _model_files(model: Path) -> list[Path]:
    """Every file of a model's folder that the quantizer may read."""
    return sorted(p for p in model.iterdir() if p.suffix in (".tflite", ".toml", ".json"))


@dataclass(frozen=True)
class PlanFiles:
    """What the compiler makes: plan.bin, plan.c, and the names of the kernels that it needs."""

    binary: Any
    source: Any
    kernels: Any


def compiled(env: Any, options: Options, model: Any, out: str) -> PlanFiles:
    """Declare the plan for our own engine and the files made from it."""
    words = ["--target", options.board.core.plan_targets[0]]
    return plan_files(env, options, model, out, words)


def plan_files(  # noqa: PLR0917 - as compiled()
    env: Any,
    options: Options,
    model: Any,
    out: str,
    words: list[str],
    needs: tuple[Any, ...] = (),
    note: str = "",
) -> PlanFiles:
    """Declare a plan and the files made from it, in the folder `out`.

    Args:
        env: of the build.
        options: of the user.
        model: a node, the quantized model.
        out: the folder.
        words: for `torpor compile`, besides those that every plan has.
        needs: what it depends on besides.
        note: shown behind the name.
    """
    labels = _labels(options)
    arguments = [model.abspath, f"--name={options.model.stem}", *words]
    arguments += [f"--labels={labels}"] if labels else []
    arguments += ["--keep-input"] if _keeps_input(options) else []
    reference = [options.model / "reference.json"] if options.app.is_wake else []
    reference = [path for path in reference if path.is_file()]
    arguments += [f"--reference={path}" for path in reference]
    names = ["plan.bin", "plan.c", "kernels.txt", "report.json"]
    step = torpor(f"  compile $TARGET{note}", "compile", *arguments)
    plan = env.Command([f"{out}/{name}" for name in names], model, step)
    env.Depends(plan, [*tool_sources(*COMPILE), ours("firmware/infer/plan.h"), *needs])
    env.Depends(plan, [ours("firmware/stats/drift.h"), *(env.fs.File(str(p)) for p in reference)])
    env.Clean(plan, f"{plan[0]}.log")
    return PlanFiles(*plan[:3])


def _keeps_input(options: Options) -> bool:
    return options.keep_input or (
        options.app.is_wake and wake.keeps_inputs(wake.described(options))
    )


def _labels(options: Options) -> str:
    import tomllib  # noqa: PLC0415 - only for models of models/

    if not options.bits:
        return ""
    return ",".join(tomllib.loads((options.model / "model.toml").read_text())["labels"])


def model_source(env: Any, plan: PlanFiles, target: str, kernels: Any, arena: int = 0) -> Any:
    """Declare the C file with the table of `kernels` (a list in a file) and the arena.

    Args:
        env: of the build.
        plan: that has to run with them.
        target: the file.
        kernels: a node: names, one a line.
        arena: bytes at least.
    """
    step = Action(_write_model_source, "  write   $TARGET", varlist=["ARENA_BYTES"])
    source = env.Command(target, [plan.binary, kernels], step, ARENA_BYTES=arena)
    env.Depends(source, [*tool_sources("plan"), ours("site_scons/torpor_build/config.py")])
    return source[0]


def _write_model_source(target: list[Any], source: list[Any], env: Any) -> None:
    arena, align = arena_of(Path(str(source[0])), env["ARENA_BYTES"])
    kernels = Path(str(source[1])).read_text().split()
    text = config.model_source(arena, align, kernels)
    Path(str(target[0])).write_text(text, encoding="utf-8")


def arena_of(plan: Path, least: int) -> tuple[int, int]:
    """Return the size of the arena that a plan wants, at least `least` bytes, and its alignment."""
    from torpor.plan.reader import Plan  # noqa: PLC0415 - not needed where nothing is to do

    header = Plan.parse(plan.read_bytes()).header
    return max(header["arena_bytes"], least), header["arena_align"]


def linked(env: Any, board: Board, objects: list[Any], elf: str, link: int | None = None) -> Any:
    """Declare the ELF file `elf`: a program that lies in the board's code memory.

    Args:
        env: of the build.
        board: as the program finds it.
        objects: all of them.
        elf: what to make.
        link: address of the program; None is the start of the code memory.
    """
    env = env.Clone(CODE=board.memory.get("code"))
    beside = elf.removesuffix(".elf")
    map_file = env.File(f"{beside}.map")
    env.Append(LINKFLAGS=[f"-Wl,-Map={map_file.path}"])
    if board.memory:
        script = write_text(env, f"{beside}.ld", linker.script(board, link))
        env.Append(LINKFLAGS=["-T", script.path])
    program = env.Program(elf, objects)
    if board.memory and board.memory["code"].second_stage:
        checksum = Action(_put_checksum, "  sum     $TARGET", varlist=["CODE"])
        env.AddPostAction(program, checksum)
    env.SideEffect(map_file, program)
    env.Clean(program, map_file)
    if board.memory:
        env.Depends(program, script)
    return program[0]


def _put_checksum(target: list[Any], source: list[Any], env: Any) -> None:
    second_stage.finish(Path(str(target[0])), env["CODE"])


def measured(  # noqa: PLR0917 - as linked()
    env: Any,
    board: Board,
    elf: Any,
    report: str,
    link: int | None = None,
    app: App | None = None,
    engine: tuple[Any, ...] | None = None,
) -> Any:
    """Declare `report`: the build fails here if a program is over its budget.

    Arguments as those of `linked`; `app` may declare calls that the compiler does not see.
    `engine`: TensorFlow Lite Micro runs the model; a node, what was measured of it, if anything.
    """
    action = Action(_measure, "  measure $SOURCE")
    own = None if app is None or app.is_ours else (app.calls, str(app.file))
    facts: dict[str, Any] = {"MEASURED_BOARD": board, "LINK_ADDRESS": link, "OWN_CALLS": own}
    facts["MEASURED_ENGINE"] = None if engine is None else [str(node) for node in engine]
    node = env.Command(report, elf, action, **facts)
    env.Depends(node, list(engine or ()))
    env.Depends(node, [env.fs.File(str(app.file))] if app else [])
    tools = [*tool_sources("footprint", "board"), ours("site_scons/torpor_build/budget.py")]
    toml = ours(f"boards/{board.name}/board.toml")
    env.Depends(node, [toml, ours("firmware/calls.toml"), *tools])
    return node[0]


def _measure(target: list[Any], source: list[Any], env: Any) -> None:
    from torpor_build import budget  # noqa: PLC0415 - not needed where nothing is to do

    objects = [Path(str(o)) for o in source[0].sources if str(o).endswith(".o")]
    budget.measure_and_check(
        Path(str(source[0])),
        objects,
        env["MEASURED_BOARD"],
        env["LINK_ADDRESS"],
        Path(str(target[0])),
        env["OWN_CALLS"],
        env["MEASURED_ENGINE"],
    )
