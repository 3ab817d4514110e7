# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Whether a device would take a plan: infer_check() of the engine that it is for, run here."""

from torpor.errors import ModelError
from torpor.image.capability import plan_header
from torpor.plan.layout import CONST

_OF_FIRMWARE = ("version", "target", "kernel")
"""Names of statuses that say what a firmware lacks: others than this torpor's may have it."""


def refuse_unsound(plan: bytes) -> None:
    """Refuse a plan that no firmware accepts, whatever it can run.

    Raises:
        ModelError: it says what is wrong, and where.
        MissingToolError: there is no C compiler to try it with.
    """
    header = plan_header(plan)
    if header is not None and header["target"] == CONST["PLAN_TARGET_TFLM"]:
        from torpor.tflm import check as tflm  # noqa: PLC0415 - numpy and cffi

        if tflm.check(plan).name not in _OF_FIRMWARE:
            tflm.refuse_unsound(plan)
        return
    from torpor.engine import check  # noqa: PLC0415

    verdict = check(plan)
    if not verdict.ok and verdict.name not in _OF_FIRMWARE:
        raise ModelError(
            f"firmware would refuse the plan: {verdict.name} (index {verdict.index})",
            "compile the model again",
        )
