# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The options of the command line: typed, explained, and strict about unknown names."""

import sys
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torpor.board import Board, board_names, load_board
from torpor.errors import TorporError, UsageError, unknown_name
from torpor.image.version import Version
from torpor.paths import FIRMWARE, MODELS, app_names, kind_of, model_names, variant

IMAGE_TARGETS = ("boot", "image", "update")
_LARGEST_COUNTER = 0xFFFFFFFF
DEVELOPMENT_KEY = FIRMWARE / "keys" / "development.pem"

_SWITCH = {"0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}


@dataclass(frozen=True)
class Options:
    """What the user asked for.

    Attributes:
        app: a folder of firmware/app: what the firmware does.
        always: the wake loop infers all the time, to compare with.
        model: a folder of models/, or a quantized .tflite file.
        bits: of the weights; 0 where the model is a file that is already quantized.
        packaged: the model comes quantized, out of a package (models/alexa).
        link: address of the image, None for the start of the code memory.
        key: the file of the key that images are signed with.
        version: of the images, as the user wrote it.
        counter: their security counter.
        port: of the device to update; empty for none.
        with_images: a bootloader or images are wanted.
    """

    board: Board
    app: str
    always: bool
    model: Path
    bits: int
    packaged: bool
    keep_input: bool
    release: bool
    link: int | None
    key: Path
    version: str
    counter: int
    port: str
    with_images: bool

    @property
    def variant(self) -> str:
        """Name of the folder in build/<board>/ that everything of this build lies in."""
        kind = kind_of(self.app, always=self.always)
        return variant(self.model.name if self.bits else self.model, self.bits, kind)


@dataclass(frozen=True)
class _Option:
    default: str
    values: str
    help: str


def _table() -> dict[str, _Option]:
    return {
        "board": _Option("mps2_an386", " | ".join(board_names()), "Which board to build for."),
        "model": _Option(
            "motion",
            " | ".join([*model_names(), "FILE.tflite"]),
            "Which model to build in: a folder of models/, or a quantized file.",
        ),
        "bits": _Option(
            "8",
            "8 | 4",
            "Bits of the weights; a FILE.tflite, and a model that comes quantized, has its own.",
        ),
        "app": _Option(
            "serve",
            " | ".join(app_names()),
            "What the firmware does: serve answers a host; wake is the sleeping device that a "
            "product ships (the model's [wake]).",
        ),
        "always": _Option("0", "0 | 1", "app=wake: infer all the time, to compare with."),
        "keep_input": _Option("0", "0 | 1", "Forbid the model to overwrite its input (more RAM)."),
        "release": _Option(
            "0",
            "0 | 1",
            "Leave out debug information; bootloader and images need a key of your own.",
        ),
        "link": _Option(
            "", "0xADDRESS", "Where in the code memory the image lies; empty for its start."
        ),
        "version": _Option("0.1.0", "1.2.3[+4]", "Version of the images."),
        "counter": _Option(
            "0",
            "N",
            "Security counter of the images: a device never goes back below that of what it has "
            "confirmed.",
        ),
        "key": _Option(
            "",
            "FILE.pem",
            "What images are signed with, and devices ask for; empty for the development key, "
            "which everybody has.",
        ),
        "port": _Option("", "PORT", "Serial port of the device, for 'update'."),
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
    table = _table()
    for name in arguments:
        if name not in table:
            raise unknown_name("option", name, table)
    values = {name: arguments.get(name, option.default) for name, option in table.items()}
    bits = int(_choice("bits", values["bits"], ("8", "4")))
    model = _model(values["model"])
    is_file = values["model"].endswith(".tflite")
    if is_file and "bits" in arguments:
        raise UsageError(
            f"bits={bits} with a file: {model.name} is quantized already", "leave bits= out"
        )
    own_bits = 0 if is_file else _own_bits(model)
    if own_bits and "bits" in arguments and bits != own_bits:
        raise UsageError(
            f"bits={bits}: {model.name} comes quantized, to {own_bits} bits", "leave bits= out"
        )
    if "run" in targets:
        unfit = f"the file {values['model']}" if is_file else f"{model.name}, which comes quantized"
        _check_run(unfit if is_file or own_bits else "", values["link"])
    board = load_board(values["board"])
    release = _SWITCH[_choice("release", values["release"].lower(), _SWITCH)]
    key = _key(values["key"])
    with_images = any(target in IMAGE_TARGETS for target in targets)
    if with_images:
        _check_images(board, values["link"], key if release else None)
    if ("update" in targets) != bool(values["port"]):
        raise UsageError("'update' and port= belong together", "scons ... update port=/dev/ttyACM0")
    return Options(
        board=board,
        app=_choice("app", values["app"], tuple(app_names())),
        always=_SWITCH[_choice("always", values["always"].lower(), _SWITCH)],
        model=model,
        bits=0 if is_file else own_bits or bits,
        packaged=bool(own_bits),
        keep_input=_SWITCH[_choice("keep_input", values["keep_input"].lower(), _SWITCH)],
        release=release,
        link=_address(values["link"]),
        key=key,
        version=str(Version.parse(values["version"])),
        counter=_counter(values["counter"]),
        port=values["port"],
        with_images=with_images,
    )


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


def _check_run(unfit: str, link: str) -> None:
    """Raise UsageError where the demo cannot run: it needs recordings, as a model of ours has."""
    if unfit:
        names = ", ".join(name for name in model_names() if not _own_bits(MODELS / name))
        raise UsageError(
            f"'run' needs a model of models/ with recordings, not {unfit}",
            f"model= one of: {names}; or compare a file with TFLM: torpor verify FILE --board B",
        )
    if link:
        raise UsageError(
            f"'run' starts images at the start of the code memory, not at link={link}",
            "leave link= or 'run' out",
        )


def _choice(name: str, value: str, valid: "Mapping[str, bool] | tuple[str, ...]") -> str:
    if value not in valid:
        raise unknown_name(f"value of {name}", value, valid)
    return value


def _model(value: str) -> Path:
    if value.endswith(".tflite"):
        if not Path(value).is_file():
            raise UsageError(f"model={value}: there is no such file")
        return Path(value).resolve()
    if value not in model_names():
        raise unknown_name("model", value, model_names())
    return MODELS / value


def _address(value: str) -> int | None:
    try:
        return int(value, 0) if value else None
    except ValueError:
        raise UsageError(f"link={value} is no address", "for example link=0x8000") from None


def help_text() -> str:
    """Return what `scons -h` prints."""
    lines = [
        "Builds a firmware with a model in it: build/<board>/<model>-int<bits>/firmware.elf,",
        "for a file build/<board>/<name of the file>-file/firmware.elf.\n",
        "    scons [NAME=VALUE ...]        build",
        "    scons [NAME=VALUE ...] run    build, start the emulator, stream test windows",
        "    scons [NAME=VALUE ...] boot   build the bootloader: build/<board>/boot/boot.elf",
        "    scons [NAME=VALUE ...] image  build it, and signed images: <model>/image/",
        "    scons [NAME=VALUE ...] update port=PORT    build images, bring them to a device",
        "    scons [NAME=VALUE ...] -c     remove what was built\n",
        "options:",
    ]
    for name, option in _table().items():
        lines.append(f"    {name}={option.values}")
        lines.append(f"        {option.help} Default: {option.default or 'empty'}.")
    return "\n".join(lines) + "\n"


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
