# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What runs the models of a firmware: our own engine, or TensorFlow Lite Micro (tflm.py)."""

from collections.abc import Collection
from typing import Any

from torpor.board import Board
from torpor.paths import TFLM
from torpor_build import steps
from torpor_build.apps import App
from torpor_build.options import Options


class Torpor:
    """Our own engine. What an engine must do is what this class does.

    Attributes:
        known_as: what is called one of its `known` names.
    """

    known_as = "kernel"

    def __init__(self, env: Any, options: Options, objects: steps.Objects, out: str) -> None:
        self._env = env
        self._options = options
        self._objects = objects
        self._out = out

    @property
    def known(self) -> Collection[str]:
        """Names of all kernels that it could have."""
        from torpor.plan.layout import OPCODES  # noqa: PLC0415 - reads plan.h, for this alone

        return OPCODES.values()

    @property
    def reserve(self) -> str:
        """Name of the key that lists kernels which images keep ready."""
        return "reserve"

    def compiled(self, model: Any) -> steps.PlanFiles:
        """Declare the plan and the files made from it."""
        return steps.compiled(self._env, self._options, model, self._out)

    def tables(self, plan: steps.PlanFiles, target: str, kernels: Any, arena: int = 0) -> Any:
        """Declare the C file with the arena; see `steps.model_source`."""
        return steps.model_source(self._env, plan, target, kernels, arena)

    def objects(self, kernels: Any, out: str) -> list[Any]:
        """Compile the engine with `kernels`, a list in a file; what is made goes to `out`."""
        return self._objects.folders(*steps.INFER)

    def linked(self, board: Board, objects: list[Any], elf: str, link: int | None = None) -> Any:
        """Declare the ELF file `elf`; see `steps.linked`."""
        return steps.linked(self._env, board, objects, elf, link)

    def measured(self, board: Board, elf: Any, report: str, link: int | None, app: App) -> Any:
        """Declare `report`; see `steps.measured`."""
        return steps.measured(self._env, board, elf, report, link, app)


def chosen(env: Any, options: Options, objects: steps.Objects, out: str) -> Any:
    """Return the engine that the user wants, a Torpor, or a Tflm, which can do the same."""
    if options.engine != TFLM:
        return Torpor(env, options, objects, out)
    from torpor_build.tflm import Tflm  # noqa: PLC0415 - what reads archives is not always needed

    return Tflm(env, options, objects, out)
