# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The options of the command line: typed, explained, and strict about unknown names."""

import os
import sys
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from torpor.board import Board, board_names, load_board
from torpor.errors import TorporError, UsageError, unknown_name
from torpor.image.version import Version
from torpor.paths import ENGINES, FIRMWARE, MODELS, TFLM, TORPOR, kind_of, model_names, variant
from torpor_build.apps import DEFAULT_MODEL, App, load_app

IMAGE_TARGETS = ("boot", "image", "update")
PORT_TARGETS = ("update", "flash", "monitor", "test")
PROBE_TARGETS = ("flash", "gdb")
ALONE = ("test", "monitor", "all-boards")
SERVE, DEMO = "serve", "demo"
_LARGEST_COUNTER = 0xFFFFFFFF
_LARGEST_ARENA = 1 << 28
DEVELOPMENT_KEY = FIRMWARE / "keys" / "development.pem"

_SWITCH = {"0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}


@dataclass(frozen=True)
class Options:
    """What the user asked for.

    Attributes:
        app: what the firmware does.
        always: the wake loop infers all the time, to compare with.
        model: a folder of models/, or a quantized .tflite file.
        bits: of the weights; 0 where the model is a file that is already quantized.
        packaged: the model comes quantized, out of a package (models/alexa).
        engine: what runs the model, of ENGINES.
        tflm_dir: the user's tree of TensorFlow Lite Micro; empty for none. `tflm_lib` is the
            archive, empty for the one in there.
        arena: bytes of its tensor arena, None to measure them.
        link: address of the image, None for the start of the code memory.
        key: the file of the key that images are signed with.
        version: of the images, as the user wrote it.
        counter: their security counter.
        port: of the device to update, flash, watch or test; empty for none.
        serial: number of the probe; empty for the only one.
        since: the commit that sizes are compared with; empty for the last.
        with_images: a bootloader or images are wanted.
        needs_build: something is wanted that has to be built here.
        arguments: as they were given: NAME -> VALUE.
    """

    board: Board
    app: App
    always: bool
    model: Path
    bits: int
    packaged: bool
    engine: str
    tflm_dir: str
    tflm_lib: str
    arena: int | None
    keep_input: bool
    release: bool
    link: int | None
    key: Path
    version: str
    counter: int
    port: str
    serial: str
    since: str
    with_images: bool
    needs_build: bool
    arguments: Mapping[str, str] = field(compare=False)

    @property
    def variant(self) -> str:
        """Name of the folder in build/<board>/ that everything of this build lies in."""
        kind = kind_of(self.app.name, always=self.always, engine=self.engine)
        return variant(self.model.name if self.bits else self.model, self.bits, kind)

    @property
    def environment(self) -> dict[str, str]:
        """Variables for what is called: where TensorFlow Lite Micro is."""
        places = {"TFLM_DIR": self.tflm_dir, "TFLM_LIB": self.tflm_lib}
        return {name: str(Path(place).resolve()) for name, place in places.items() if place}

    @property
    def run_kind(self) -> str:
        """What `run` does: DEMO where the model has recordings, else ""."""
        has_recordings = self.bits and not self.packaged and self.model.parent == MODELS
        return DEMO if has_recordings and self.app.name == SERVE else ""

    @property
    def fitted(self) -> Board:
        """The board, with the memory that the application asks for."""
        return self.app.fitted(self.board)


@dataclass(frozen=True)
class Option:
    """NAME=VALUE: its default, what it can be, and what it is for."""

    default: str
    values: str
    help: str


def table() -> dict[str, Option]:
    """Return all options by name."""
    return {
        "board": Option("mps2_an386", "NAME", "What to build for: see below."),
        "model": Option(
            DEFAULT_MODEL,
            "NAME",
            "What to build in: see below. An application of your own may name another default.",
        ),
        "bits": Option(
            "8",
            "8 | 4",
            "Bits of the weights; a FILE.tflite, and a model that comes quantized, has its own.",
        ),
        "app": Option(
            SERVE,
            "NAME",
            "What the firmware does: see below.",
        ),
        "always": Option("0", "0 | 1", "app=wake: infer all the time, to compare with."),
        "engine": Option(
            TORPOR,
            " | ".join(ENGINES),
            "What runs the model: torpor's own engine, or your TensorFlow Lite Micro.",
        ),
        "TFLM_DIR": Option(
            "",
            "FOLDER",
            "engine=tflm: your tree of TensorFlow Lite Micro, with what you built of it. It may "
            "come from the environment, as TFLM_LIB.",
        ),
        "TFLM_LIB": Option(
            "", "FILE.a", "engine=tflm: the archive to link, where several in the tree fit."
        ),
        "arena": Option(
            "",
            "BYTES",
            "engine=tflm: its tensor arena, where it is not to be measured.",
        ),
        "keep_input": Option("0", "0 | 1", "Forbid the model to overwrite its input (more RAM)."),
        "release": Option(
            "0",
            "0 | 1",
            "Leave out debug information; bootloader and images need a key of your own.",
        ),
        "link": Option(
            "", "0xADDRESS", "Where in the code memory the image lies; empty for its start."
        ),
        "version": Option("0.1.0", "1.2.3[+4]", "Version of the images."),
        "counter": Option(
            "0",
            "N",
            "Security counter of the images: a device never goes back below that of what it has "
            "confirmed.",
        ),
        "key": Option(
            "",
            "FILE.pem",
            "What images are signed with, and devices ask for; empty for the development key, "
            "which everybody has.",
        ),
        "port": Option("", "PORT", f"Serial port, for {', '.join(PORT_TARGETS)}."),
        "serial": Option("", "NUMBER", f"Of the probe, for {' and '.join(PROBE_TARGETS)}."),
        "since": Option("", "COMMIT", "What 'size' compares with; empty for the last commit."),
    }


def read_options(arguments: Mapping[str, str], targets: Collection[str] = ()) -> Options:
    """Return the options given as NAME=VALUE on the command line.

    Args:
        arguments: NAME -> VALUE.
        targets: what to build, for example "run"; empty for the firmware.

    Raises:
        UsageError: an unknown option or value, or some that contradict each other; names the
            nearest valid one.
    """
    known = table()
    for name in arguments:
        if name not in known:
            raise unknown_name("option", name, known)
    values = {name: arguments.get(name, option.default) for name, option in known.items()}
    app = load_app(values["app"])
    values["model"] = arguments.get("model") or _own_model(app)
    wanted_bits = int(_choice("bits", values["bits"], ("8", "4")))
    model = _model(values["model"])
    is_file = values["model"].endswith(".tflite")
    bits = _bits(model, wanted_bits, is_file=is_file, is_given="bits" in arguments)
    board = load_board(board_names()[0] if "all-boards" in targets else values["board"])
    engine = _choice("engine", values["engine"], ENGINES)
    _check_engine(engine, arguments)
    if engine == TFLM and "all-boards" not in targets:
        _check_compiler(board)
    release = _SWITCH[_choice("release", values["release"].lower(), _SWITCH)]
    key = _key(values["key"])
    with_images = any(target in IMAGE_TARGETS for target in targets)
    with_images |= "flash" in targets and board.slots is not None and not values["link"]
    if with_images:
        _check_images(board, values["link"], key if release else None)
    _check_targets(values, targets)
    if "run" in targets:
        _check_run(board, values["link"])
    return Options(
        board=board,
        app=app,
        always=_SWITCH[_choice("always", values["always"].lower(), _SWITCH)],
        model=model,
        bits=bits,
        packaged=not is_file and _own_bits(model) > 0,
        engine=engine,
        tflm_dir=values["TFLM_DIR"] or os.environ.get("TFLM_DIR", ""),
        tflm_lib=values["TFLM_LIB"] or os.environ.get("TFLM_LIB", ""),
        arena=_arena(values["arena"]),
        keep_input=_SWITCH[_choice("keep_input", values["keep_input"].lower(), _SWITCH)],
        release=release,
        link=_address(values["link"]),
        key=key,
        version=str(Version.parse(values["version"])),
        counter=_counter(values["counter"]),
        port=values["port"],
        serial=values["serial"],
        since=values["since"],
        with_images=with_images,
        needs_build=not targets or any(target not in ALONE for target in targets),
        arguments=dict(arguments),
    )


def _bits(model: Path, bits: int, *, is_file: bool, is_given: bool) -> int:
    """Return the bits of the weights, 0 of a file; `bits` are wanted, by the user if `is_given`."""
    if is_file and is_given:
        raise UsageError(
            f"bits={bits} with a file: {model.name} is quantized already", "leave bits= out"
        )
    own = 0 if is_file else _own_bits(model)
    if own and is_given and bits != own:
        raise UsageError(
            f"bits={bits}: {model.name} comes quantized, to {own} bits", "leave bits= out"
        )
    return 0 if is_file else own or bits


def _check_run(board: Board, link: str) -> None:
    """Raise UsageError where nothing can be run here."""
    if link:
        raise UsageError(
            f"'run' starts images at the start of the code memory, not at link={link}",
            "leave link= or 'run' out",
        )
    if board.emulator is None:
        raise UsageError(
            f"board '{board.name}' has no emulator to run in", "scons ... flash monitor"
        )


def _check_targets(values: Mapping[str, str], targets: Collection[str]) -> None:
    """Raise UsageError where targets and options do not fit."""
    if "update" in targets and not values["port"]:
        raise UsageError("'update' needs port=", "scons ... update port=/dev/ttyACM0")
    for name, users in (("port", PORT_TARGETS), ("serial", PROBE_TARGETS), ("since", ("size",))):
        if values[name] and not any(target in users for target in targets):
            raise UsageError(f"{name}= is for {', '.join(users)}", f"scons ... {users[0]} {name}=")
    if "all-boards" in targets and len(targets) > 1:
        raise UsageError("'all-boards' goes alone", "scons all-boards")


def _check_images(board: Board, link: str, released_key: Path | None) -> None:
    """Raise UsageError where images cannot, or must not, be made."""
    if board.slots is None:
        raise UsageError(
            f"board '{board.name}' has no slots for images", f"[slots] of boards/{board.name}"
        )
    if link:
        raise UsageError(f"images lie in their slots, not at link={link}", "leave link= out")
    if released_key is None:
        return
    from torpor.image.keys import read_key  # noqa: PLC0415 - for releases only

    if read_key(released_key).is_development:
        raise UsageError(
            "release=1 with the development key, with which anybody can sign",
            "make one: torpor keys new FILE.pem, then scons release=1 key=FILE.pem ...",
        )


def _key(value: str) -> Path:
    if value and not Path(value).is_file():
        raise UsageError(f"key={value}: there is no such file", "torpor keys new FILE.pem")
    return Path(value).resolve() if value else DEVELOPMENT_KEY


def _counter(value: str) -> int:
    if not (value.isascii() and value.isdecimal()) or int(value) > _LARGEST_COUNTER:
        raise UsageError(f"counter={value} is no security counter", f"0 to {_LARGEST_COUNTER}")
    return int(value)


def _own_bits(model: Path) -> int:
    """Return the bits of a model that comes quantized, 0 of one that is quantized here."""
    try:
        table = tomllib.loads((model / "model.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return 0  # whoever needs the rest says what is wrong
    bits = table["quantized"].get("bits") if isinstance(table.get("quantized"), dict) else 0
    return bits if isinstance(bits, int) else 0


def _check_engine(engine: str, arguments: Mapping[str, str]) -> None:
    """Raise UsageError where options are given that this engine does not look at."""
    for name in ("TFLM_DIR", "TFLM_LIB", "arena"):
        if name in arguments and engine != TFLM:
            raise UsageError(f"{name}= is for engine={TFLM}", f"scons engine={TFLM} {name}=...")


def _check_compiler(board: Board) -> None:
    """Raise UsageError where TensorFlow Lite Micro cannot be linked: it is written in C++."""
    if board.core.architecture == "riscv":
        raise UsageError(
            f"engine={TFLM} is not for board '{board.name}': {board.core.toolchain} has no C++ "
            "headers with picolibc",
            "leave engine= out, or take a board with an Arm core",
        )


def _arena(value: str) -> int | None:
    if not value:
        return None
    is_number = value.isascii() and value.isdecimal() and len(value) < 10
    if not is_number or not 0 < int(value) <= _LARGEST_ARENA:
        raise UsageError(f"arena={value} is no size of an arena", f"bytes, up to {_LARGEST_ARENA}")
    return int(value)


def _choice(name: str, value: str, valid: "Mapping[str, bool] | tuple[str, ...]") -> str:
    if value not in valid:
        raise unknown_name(f"value of {name}", value, valid)
    return value


def _model(value: str) -> Path:
    if value.endswith(".tflite"):
        if not Path(value).is_file():
            raise UsageError(f"model={value}: there is no such file")
        return Path(value).resolve()
    if value in model_names():
        return MODELS / value
    if (Path(value) / "model.toml").is_file():
        return Path(value).resolve()
    raise unknown_name("model", value, model_names())


def _own_model(app: App) -> str:
    """Return the model= of an application that names one, else the default."""
    name = app.settings.model
    if not name or name in model_names():
        return name or DEFAULT_MODEL
    path = app.folder / name
    if not path.exists():
        known = ", ".join(model_names())
        raise UsageError(f"{app.file}: 'model': there is no {name}", f"known: {known}")
    return str(path)


def _address(value: str) -> int | None:
    try:
        return int(value, 0) if value else None
    except ValueError:
        raise UsageError(f"link={value} is no address", "for example link=0x8000") from None


@contextmanager
def user_errors(leave: Callable[[int], object]) -> Iterator[None]:
    """Turn an error of the user's into lines on stderr and a call of `leave` with its exit code."""
    try:
        yield
    except TorporError as error:
        print(f"scons: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        leave(error.exit_code)
    except OSError as error:  # a name too long, a folder that is not ours: it says what and where
        print(f"scons: {error.strerror}: {error.filename}", file=sys.stderr)
        leave(TorporError.exit_code)
