# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The steps of a build. Each function declares some targets and returns their nodes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from SCons.Script import Action

from torpor.board import BOOT_FILES, CLOCKS, CORES, Board, load_board
from torpor.paths import FIRMWARE, ROOT
from torpor.wire.schema import SCHEMA
from torpor_build import config, linker, records, third_party
from torpor_build.options import Options

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion"]
TORPOR = [sys.executable, "-m", "torpor"]
INFER = ("infer", "infer/ops", "infer/kernels")
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


class Objects:
    """Compiles the C of a board: each file once, however many programs it is linked into."""

    def __init__(self, env: Any, board: Board) -> None:
        self._env = env
        self._board = board
        self._out = f"#build/{board.name}/obj"
        self._made: dict[str, Any] = {}
        self._ours = env.Clone()
        self._ours.Append(CCFLAGS=[*WARNINGS])
        third_party.include(self._ours, "zcbor", "monocypher", "bearssl")
        self._fast = self._ours.Clone()
        self._fast.Append(CCFLAGS=["-O2"])
        self._ours.Append(CCFLAGS=["-Os"])

    def folders(self, *names: str) -> list[Any]:
        """Compile all C files of folders of firmware/, inference for speed, the rest for size."""
        found = [path for name in names for path in sorted((FIRMWARE / name).glob("*.c"))]
        return self._files(found)

    def port(self) -> list[Any]:
        """Compile what the board's hardware needs."""
        return self._files(port_files(self._board))

    def boot_port(self) -> list[Any]:
        """Compile what only the bootloader needs of the port."""
        names = BOOT_FILES.get(self._board.core.name, ())
        return self._files([FIRMWARE / "port" / name for name in names])

    def generated(self, sources: list[Any]) -> list[Any]:
        """Compile C files that the build makes for the board."""
        return [self._once(self._ours, f"gen/{s.name[:-2]}.o", s) for s in sources]

    def libraries(self, *names: str) -> list[Any]:
        """Compile libraries of firmware/third_party.toml."""
        for name in names:
            if name not in self._made:
                self._made[name] = third_party.objects(self._env, self._out, name)
        return _cleaned(self._env, [node for name in names for node in self._made[name]])

    def _files(self, sources: list[Path]) -> list[Any]:
        return [self._file(source) for source in sources]

    def _file(self, source: Path) -> Any:
        relative = source.relative_to(FIRMWARE)
        env = self._fast if relative.parts[0] == "infer" else self._ours
        return self._once(env, str(relative.with_suffix(".o")), f"#{source.relative_to(ROOT)}")

    def _once(self, env: Any, name: str, source: Any) -> Any:
        if name not in self._made:
            self._made[name] = env.Object(f"{self._out}/{name}", source)[0]
            _cleaned(env, [self._made[name]])
        return self._made[name]


def firmware_objects(env: Any, objects: Objects, board: Board) -> list[Any]:
    """Compile everything of the firmware without bootloader that does not depend on the model."""
    return [
        *objects.folders("app", "app/alone", "core", "wire"),
        *objects.port(),
        *objects.folders(*INFER),
        *objects.generated(generated(env, board)),
        *objects.libraries("zcbor"),
    ]


def _cleaned(env: Any, objects: list[Any]) -> list[Any]:
    """Let `scons -c` remove what GCC writes beside `objects`; return them."""
    for obj in objects if env.GetOption("clean") else ():
        env.Clean(obj, [f"{str(obj)[:-2]}{suffix}" for suffix in (".ci", ".su")])
    return objects


def port_files(board: Board) -> list[Path]:
    """Return the C files of the ports that a board consists of."""
    port = FIRMWARE / "port"
    folders = [board.port, "common", *(["bare"] if board.memory else [])]
    shared = [*CORES[board.core.name], CLOCKS[board.timer.kind]] if board.memory else []
    found = [path for folder in folders for path in sorted((port / folder).glob("*.c"))]
    return [*found, *(port / name for name in shared)]


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
