# SPDX-License-Identifier: Apache-2.0
"""Writes docs/OPERATORS.md from the compiler itself: what each operator's file registers and says.

`python tools/operators_table.py` writes it; with --check it only says whether it is stale (exit 1).
The kernels and refusals of an operator are those that its function, or one that it calls, names in
its source.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from torpor.compile.lowering import OPERATORS, Operator
from torpor.compile.ops import load_all
from torpor.paths import ROOT
from torpor.plan.layout import OPCODES
from torpor.plan.tflm import REGISTRATIONS
from torpor.tflm import needs

PAGE = ROOT / "docs" / "OPERATORS.md"
HEAD = """# Operators

Written by `python tools/operators_table.py` from the compiler's own sources; do not edit.

Every operator gives the bytes of TensorFlow Lite Micro's interpreter from PyPI, or is refused in
one sentence that names the operator and the tensor. The last column has the sentences that are
torpor's own, with N for a number of the model; what is refused because that interpreter refuses it
is not listed. A constant where an activation is expected is refused by all operators that do not
name it.
"""
COLUMNS = ("operator", "int8", "int4", "int16", "others", "supported", "kernels", "refused")
TFLM_HEAD = """
## TensorFlow Lite Micro

Firmware of `engine=tflm` has of TensorFlow Lite Micro the operators of its models. A registration
for int8 or int4 alone is taken where it fits all uses of the operator in the model: with CMSIS-NN's
kernels it leaves others out of the firmware, with the reference kernels it is the same as the one
for all types. UNIDIRECTIONAL_SEQUENCE_LSTM_INT8 is never taken, as a wrong assertion in CMSIS-NN's
kernel stops the device.

What an operator computes with is up to TensorFlow Lite Micro: its interpreter from PyPI runs the
model when the arena is measured, and what it refuses is refused in its words. torpor also refuses
what one of the two sets of kernels would compute wrongly or stop at, as a plan in a model slot does
not know which of them a firmware has:
"""
GOLDEN = "TensorFlow Lite Micro"
SUFFIXES = {"int8": "_S8", "int4": "_S4", "int16": "_S16"}
OTHER = re.compile(r"(?<!constant )\b(uint8|int32|float32|bool)\b(?! (?:bias|axes|or int64))")


@dataclass
class Facts:
    """What the source of an operator names: kernels, and refusals as sentences."""

    kernels: set[str] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)
    seen: set[Callable[..., Any]] = field(default_factory=set)


def gather(function: FunctionType, facts: Facts) -> Facts:
    """Add what `function` and the functions of the compiler that it calls name."""
    if function in facts.seen:
        return facts
    facts.seen.add(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in OPCODES.values():
            facts.kernels.add(str(node.value))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "unsupported":
            facts.refusals += sentence(node.args[0], function)
        elif isinstance(node, ast.Name):
            called = function.__globals__.get(node.id)
            if isinstance(called, FunctionType) and called.__module__.startswith("torpor.compile"):
                gather(called, facts)
    return facts


def sentence(node: ast.expr, function: FunctionType) -> Iterator[str]:
    """Yield a refusal's text with its constants put in, unless it is the interpreter's own."""
    if isinstance(node, ast.JoinedStr):
        text = "".join(_piece(part, function) for part in node.values)
    else:
        text = str(getattr(node, "value", ""))
    if text and GOLDEN not in text:
        yield text


def _piece(part: ast.expr, function: FunctionType) -> str:
    """Return a part of an f-string: text, the value of a constant, or N for what is computed."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    inner = part.value if isinstance(part, ast.FormattedValue) else part
    name = inner.id if isinstance(inner, ast.Name) else ""
    return str(function.__globals__[name]) if name in function.__globals__ else "N"


def kernels_of(operator: Operator, facts: Facts) -> list[str]:
    """Return the kernels that have the operator's name, and those that its source names.

    What has the name of another operator counts only where there is none of its own.
    """
    own = _named(operator.name)
    foreign = set().union(*(_named(n) for n in OPERATORS if n != operator.name)) if own else set()
    return sorted(own | (facts.kernels - foreign))


def _named(operator: str) -> set[str]:
    return {k for k in OPCODES.values() if re.fullmatch(rf"{operator}(_[SF]\d+)*", k)}


def row(operator: Operator) -> list[str]:
    """Return the cells of an operator."""
    lower = operator.lower
    assert isinstance(lower, FunctionType)
    facts = gather(lower, Facts())
    kernels = kernels_of(operator, facts)
    types = [
        "yes" if name in operator.supports or any(k.endswith(end) for k in kernels) else ""
        for name, end in SUFFIXES.items()
    ]
    return [
        operator.name,
        *types,
        ", ".join(dict.fromkeys(OTHER.findall(operator.supports))),
        operator.supports,
        ", ".join(f"`{k}`" for k in kernels),
        "; ".join(dict.fromkeys(facts.refusals)),
    ]


def page() -> str:
    """Return the text of docs/OPERATORS.md."""
    load_all()
    rows = [list(COLUMNS), ["---"] * len(COLUMNS)]
    rows += [row(operator) for _, operator in sorted(OPERATORS.items())]
    lines = ["| " + " | ".join(cells) + " |\n" for cells in rows]
    return HEAD + "\n" + "".join(re.sub(r" +", " ", line) for line in lines) + tflm_section()


def tflm_refusals() -> list[str]:
    """Return the sentences with which models for TensorFlow Lite Micro are refused."""
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(needs))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "refuse":
            text = node.args[0]
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            found.append("".join(str(getattr(part, "value", "")) for part in map(_plain, parts)))
    return found


def _plain(part: ast.expr) -> ast.expr:
    """Return a part of a sentence, N for what the model says."""
    return ast.Constant("N") if isinstance(part, ast.FormattedValue) else part


def tflm_section() -> str:
    """Return the part about engine=tflm: what is refused, and the operators."""
    refused = "".join(f"- {text}\n" for text in sorted(tflm_refusals()))
    only, four = ", ".join(needs.FLOATS_ONLY), ", ".join(needs.FOUR_DIMENSIONS)
    names = sorted(name for name, entry in REGISTRATIONS.items() if not entry.of)
    operators = ", ".join(map(_with_registrations, names))
    return (
        f"{TFLM_HEAD}\n{refused}\n"
        f"For floats only are {only}. At most four dimensions, in int8, have {four}.\n\n"
        f"Operators, and their registrations for few types: {operators}.\n"
    )


def _with_registrations(operator: str) -> str:
    special = [f"`{name}`" for name, entry in REGISTRATIONS.items() if entry.of == operator]
    return f"{operator} ({', '.join(special)})" if special else operator


def main() -> int:
    """Write the page, or with --check tell whether it is stale."""
    if sys.argv[1:] == ["--check"]:
        stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page()
        if stale:
            print("docs/OPERATORS.md is stale: run tools/operators_table.py")
        return int(stale)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
