# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The steps of a build. Each function declares some targets and returns their nodes."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from SCons.Script import Action

from torpor.board import CLOCKS, CORES, Board, load_board
from torpor.errors import MissingToolError
from torpor.paths import FIRMWARE, ROOT
from torpor.wire.schema import SCHEMA
from torpor_build import config, linker, records
from torpor_build.options import Options

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion"]
TORPOR = [sys.executable, "-m", "torpor"]
COMPILE = ("cli/compile.py", "compile", "graph", "plan")
QUANTIZE = ("cli/quantize.py", "golden", "graph", "model", "quantize")


def environment(env: Any, options: Options) -> Any:
    """Make `env` an environment for the board's core, with what all our C code is built with."""
    board = options.board
    env["ENV"].update(PATH=os.environ.get("PATH", ""), PYTHONPATH=str(ROOT / "host"))
    env.Tool(board.core.toolchain.replace("-", "_"))
    env.Tool("compilation_db")  # it looks at the compiler that is there
    env.Append(
        CPPPATH=["#firmware", f"#build/{board.name}"],
        CCFLAGS=[*board.core.flags, "-ffunction-sections", "-fdata-sections"],
        CFLAGS=["-std=c11"],
        LINKFLAGS=[*board.core.flags, "-Wl,--gc-sections"],
    )
    env.Replace(CCCOMSTR="  cc      $SOURCE", LINKCOMSTR="  link    $TARGET")
    env.Append(CCFLAGS=[f"-ffile-prefix-map={ROOT}=.", *([] if options.release else ["-g"])])
    env.Append(LINKFLAGS=["-Wl,--strip-debug"] if options.release else [])
    env.Append(CCFLAGS=["-fstack-usage", "-fcallgraph-info=su"])
    return env


def zcbor_folder() -> Path:
    """Return the folder of the installed zcbor package, whose C sources the firmware uses."""
    spec = importlib.util.find_spec("zcbor")
    if spec is None or spec.origin is None:
        raise MissingToolError(
            "the Python package zcbor is missing", "run tools/setup, then use .venv/bin/scons"
        )
    return Path(spec.origin).parent


def generated(env: Any, board: Board) -> list[Any]:
    """Write the files made from records.toml and board.toml; return the C files among them."""
    gen = f"#build/{board.name}/gen"
    texts = {
        "wire_records.h": records.header(SCHEMA),
        "wire_records.c": records.source(SCHEMA),
        "board_config.h": config.board_header(board),
        "board.c": config.board_source(board),
    }
    nodes = [write_text(env, f"{gen}/{name}", text) for name, text in texts.items()]
    return [node for node in nodes if str(node).endswith(".c")]


def write_text(env: Any, target: str, text: str) -> Any:
    """Declare a file with a known text."""

    def write(target: list[Any], source: list[Any], env: Any) -> None:
        Path(str(target[0])).write_text(source[0].read(), encoding="utf-8")

    action = Action(write, "  write   $TARGET")
    return env.Command(target, env.Value(text), action)[0]


def firmware_objects(env: Any, board: Board) -> list[Any]:
    """Compile everything that does not depend on the model: once for each board."""
    zcbor = zcbor_folder()
    out = f"#build/{board.name}/obj"
    ours = env.Clone()
    ours.Append(CCFLAGS=[*WARNINGS, "-isystem", str(zcbor / "include")])
    ours.Append(CPPDEFINES=["ZCBOR_CANONICAL"])
    fast = ours.Clone()
    fast.Append(CCFLAGS=["-O2"])
    ours.Append(CCFLAGS=["-Os"])
    foreign = env.Clone()
    foreign.Append(CCFLAGS=["-w", "-Os", "-isystem", str(zcbor / "include")])
    foreign.Append(CPPDEFINES=["ZCBOR_CANONICAL"])
    objects = [_object(ours, out, source) for source in _portable_sources(board)]
    objects += [_object(fast, out, source) for source in _infer_sources(board)]
    for source in generated(env, board):
        objects += ours.Object(f"{out}/gen/{source.name[:-2]}.o", source)
    for name in ("common", "decode", "encode"):
        source = zcbor / "src" / f"zcbor_{name}.c"
        objects += foreign.Object(f"{out}/zcbor/{name}.o", str(source))
    return _cleaned(env, objects)


def _cleaned(env: Any, objects: list[Any]) -> list[Any]:
    """Let `scons -c` remove what GCC writes beside `objects`; return them."""
    for obj in objects if env.GetOption("clean") else ():
        env.Clean(obj, [f"{str(obj)[:-2]}{suffix}" for suffix in (".ci", ".su")])
    return objects


def _object(env: Any, out: str, source: Path) -> Any:
    name = source.relative_to(FIRMWARE).with_suffix(".o")
    return env.Object(f"{out}/{name}", f"#{source.relative_to(ROOT)}")[0]


def _portable_sources(board: Board) -> list[Path]:
    folders = ["app", "core", "wire", f"port/{board.port}"]
    sources = [path for folder in folders for path in sorted((FIRMWARE / folder).glob("*.c"))]
    if not board.memory:
        return sources
    port = FIRMWARE / "port"
    shared = [port / name for name in (*CORES[board.core.name], CLOCKS[board.timer.kind])]
    return [*sources, *sorted((port / "bare").glob("*.c")), *shared]


def _infer_sources(board: Board) -> list[Path]:
    folders = ["infer", "infer/ops", "infer/kernels"]
    return [path for folder in folders for path in sorted((FIRMWARE / folder).glob("*.c"))]


def tool_sources(*parts: str) -> list[str]:
    """Return the files of torpor that a command is made of, as SCons names them.

    Args:
        parts: packages, and modules with ".py", in host/torpor; what all commands use is added.
    """
    folder = ROOT / "host" / "torpor"
    common = ("__init__.py", "__main__.py", "errors.py", "paths.py", "cli/__init__.py")
    files = {folder / part for part in (*common, "cli/main.py", *parts) if part.endswith(".py")}
    for package in (folder / part for part in parts if not part.endswith(".py")):
        files |= {path for path in package.rglob("*") if path.suffix in (".py", ".toml")}
    return [f"#{path.relative_to(ROOT)}" for path in sorted(files)]


def torpor(words: str, *arguments: str) -> Any:
    """Return an action that shows `words` and runs a command of torpor.

    No shell looks at its arguments, which may be odd names of files. The command writes to the
    target, or to its folder where there are several; what it prints goes to a .log file beside it.
    """

    def run(target: list[Any], source: list[Any], env: Any) -> int:
        out = Path(str(target[0]))
        command = [*TORPOR, *arguments, "-o", str(out if len(target) == 1 else out.parent)]
        with Path(f"{out}.log").open("wb") as log:
            return subprocess.run(command, env=env["ENV"], stdout=log, check=False).returncode

    return Action(run, words)


def quantized(env: Any, options: Options) -> Any:
    """Declare the quantized model; the same file for every board."""
    if not options.bits:
        return env.fs.File(str(options.model))  # its name may have a "$"
    name, bits = options.model.name, str(options.bits)
    arguments = [str(options.model), "--bits", bits, "--no-accuracy"]
    target = env.Command(
        f"#build/models/{name}-int{bits}.tflite",
        _model_files(options.model),
        torpor(f"  quantize {name} to {bits} bits", "quantize", *arguments),
    )
    env.Depends(target, tool_sources(*QUANTIZE))
    env.Clean(target, f"{target[0]}.log")
    return target[0]


def _model_files(model: Path) -> list[str]:
    """Every file of a model's folder that the quantizer may read."""
    return sorted(str(p) for p in model.iterdir() if p.suffix in (".tflite", ".toml", ".json"))


def compiled(env: Any, options: Options, model: Any, out: str) -> Any:
    """Declare the plan and the C files made from it; return those C files."""
    labels = _labels(options)
    arguments = [model.abspath, f"--name={options.model.stem}"]
    arguments += ["--target", options.board.core.plan_targets[0]]
    arguments += [f"--labels={labels}"] if labels else []
    arguments += ["--keep-input"] if options.keep_input else []
    names = ["plan.bin", "plan.c", "kernels.txt", "report.json"]
    step = torpor("  compile $TARGET", "compile", *arguments)
    plan = env.Command([f"{out}/{name}" for name in names], model, step)
    env.Depends(plan, [*tool_sources(*COMPILE), "#firmware/infer/plan.h"])
    env.Clean(plan, f"{plan[0]}.log")
    step = Action(_write_model_source, "  write   $TARGET")
    source = env.Command(f"{out}/gen/model.c", [plan[0], plan[2]], step)
    env.Depends(source, [*tool_sources("plan"), "#site_scons/torpor_build/config.py"])
    return [plan[1], source[0]]


def _labels(options: Options) -> str:
    import tomllib  # noqa: PLC0415 - only for models of models/

    if not options.bits:
        return ""
    return ",".join(tomllib.loads((options.model / "model.toml").read_text())["labels"])


def _write_model_source(target: list[Any], source: list[Any], env: Any) -> None:
    from torpor.plan.reader import Plan  # noqa: PLC0415 - not needed where nothing is to do

    header = Plan.parse(Path(str(source[0])).read_bytes()).header
    kernels = Path(str(source[1])).read_text().split()
    text = config.model_source(header["arena_bytes"], header["arena_align"], kernels)
    Path(str(target[0])).write_text(text, encoding="utf-8")


def linked(env: Any, options: Options, objects: list[Any], sources: list[Any], out: str) -> Any:
    """Declare the ELF file."""
    env = env.Clone()
    env.Append(CCFLAGS=[*WARNINGS, "-Os"])
    own = _cleaned(env, [env.Object(f"{out}/obj/{s.name[:-2]}.o", s)[0] for s in sources])
    if options.board.memory:
        text = linker.script(options.board, options.link)
        script = write_text(env, f"{out}/firmware.ld", text)
        env.Append(LINKFLAGS=["-T", script.path])
    map_file = env.File(f"{out}/firmware.map")
    env.Append(LINKFLAGS=[f"-Wl,-Map={map_file.path}"])
    elf = env.Program(f"{out}/firmware.elf", [*own, *objects])
    env.SideEffect(map_file, elf)
    env.Clean(elf, map_file)
    if options.board.memory:
        env.Depends(elf, script)
    return elf[0]


def measured(env: Any, options: Options, elf: Any, out: str) -> Any:
    """Declare footprint.json: the build fails here if the firmware is over the board's budget."""

    action = Action(_measure, "  measure $SOURCE")
    report = env.Command(
        f"{out}/footprint.json", elf, action, BOARD=options.board.name, LINK_ADDRESS=options.link
    )
    board = f"#boards/{options.board.name}/board.toml"
    tools = [*tool_sources("footprint", "board"), "#site_scons/torpor_build/budget.py"]
    env.Depends(report, [board, "#firmware/calls.toml", *tools])
    return report[0]


def _measure(target: list[Any], source: list[Any], env: Any) -> None:
    from torpor_build import budget  # noqa: PLC0415 - not needed where nothing is to do

    objects = [Path(str(o)) for o in source[0].sources if str(o).endswith(".o")]
    board = load_board(env["BOARD"])
    budget.measure_and_check(
        Path(str(source[0])), objects, board, env["LINK_ADDRESS"], Path(str(target[0]))
    )


def run_target(env: Any, options: Options, elf: Any, footprint: Any) -> Any:
    """Declare `scons run`: the demo with the firmware that was built, of a model of models/."""
    command: list[Any] = [*TORPOR, "demo", options.model.name, "--board", options.board.name]
    command += ["--bits", options.bits, "--elf", "$SOURCE"]
    return env.AlwaysBuild(
        env.Alias("run", [elf, footprint], Action([command], "  run     $SOURCE"))
    )
