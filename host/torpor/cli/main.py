# SPDX-License-Identifier: Apache-2.0
"""Entry point of `torpor`: finds the command, turns errors into exit codes."""

import argparse
import contextlib
import importlib
import io
import os
import pkgutil
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import torpor
from torpor import cli
from torpor.errors import TorporError, unknown_name

EXIT_CODES = """\
exit codes:
  0  success              5  model not supported
  1  check found a        6  does not fit a budget
     difference           7  device does not answer
  2  wrong usage          8  broken image or key
  3  tool missing; of    70  bug in torpor
     monitor --check:
     an alert
  4  broken model file
"""


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports mistakes as our errors do."""

    def error(self, message: str) -> NoReturn:
        print(f"torpor: {message}\nhint: {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def command_names() -> list[str]:
    """Return the names of all commands, sorted."""
    names = (module.name for module in pkgutil.iter_modules(cli.__path__))
    return sorted(name for name in names if name != "main" and not name.startswith("_"))


def _wrapped(text: str) -> str:
    """Return the paragraphs of `text`, each filled to the width of the terminal."""
    width = min(shutil.get_terminal_size().columns, 100) - 1
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return "\n\n".join(textwrap.fill(paragraph, width) for paragraph in paragraphs)


def _overview() -> str:
    lines = []
    for name in command_names():
        doc = importlib.import_module(f"torpor.cli.{name}").__doc__ or ""
        lines.append(f"  {name:<10} {doc.splitlines()[0].rstrip('.')}")
    return "commands:\n" + "\n".join(lines) + "\n\n" + EXIT_CODES


def _top_parser() -> _Parser:
    parser = _Parser(
        prog="torpor",
        description="From a trained model to firmware that sleeps, wakes and infers.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="torpor COMMAND [options]    (torpor COMMAND --help explains each)",
    )
    parser.add_argument("--version", action="version", version=f"torpor {torpor.__version__}")
    parser.add_argument("command", metavar="COMMAND", nargs="?")
    return parser


def dispatch(argv: Sequence[str]) -> int:
    """Run one command line (without the program name) and return its exit code."""
    top = _top_parser()
    if not argv or argv[0].startswith("-"):
        top.epilog = _overview() if not argv or argv[0] in ("-h", "--help") else ""
        if argv:
            top.parse_args(argv)
        top.print_help(sys.stderr)
        return 2
    name, rest = argv[0], argv[1:]
    if name not in command_names():
        raise unknown_name("command", name, command_names())
    module = importlib.import_module(f"torpor.cli.{name}")
    parser = _Parser(
        prog=f"torpor {name}",
        description=_wrapped(module.__doc__ or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(rest)))


def _prepare_stdout() -> None:
    """Let every name be printable, and a closed stdout be no reason to fail."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _give_up_stdout() -> None:
    """Send what is still buffered nowhere, or Python would complain about it when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch_and_flush(argv: Sequence[str]) -> int:
    try:
        return dispatch(argv)
    finally:
        sys.stdout.flush()


def main() -> int:
    """Run the command line of this process."""
    _prepare_stdout()
    try:
        return _dispatch_and_flush(sys.argv[1:])
    except TorporError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        _give_up_stdout()
        return 0
    except OSError as error:  # a full disk, a name too long: it says what and where
        _give_up_stdout()
        where = f": {error.filename}" if error.filename else ""
        return _fail(TorporError(f"{error.strerror or error}{where}"))
    except Exception:
        print("torpor: internal error, please report the text below", file=sys.stderr)
        sys.excepthook(*sys.exc_info())
        return 70


def _fail(error: TorporError) -> int:
    from torpor.monitor.plain import printable  # noqa: PLC0415 - for those who fail

    print(f"torpor: {printable(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"hint: {printable(error.hint)}", file=sys.stderr)
    return error.exit_code
