# SPDX-License-Identifier: Apache-2.0
"""docs/OPERATORS.md is what tools/operators_table.py makes of the compiler's sources."""

import inspect
import re
import sys
from pathlib import Path

import pytest

from tools import operators_table
from tools.operators_table import (
    COLUMNS,
    PAGE,
    Facts,
    gather,
    kernels_of,
    main,
    page,
    row,
    tflm_refusals,
)
from torpor.compile.lowering import OPERATORS, Operator, Site
from torpor.compile.ops import load_all
from torpor.plan.layout import OPCODES
from torpor.plan.tflm import REGISTRATIONS
from torpor.tflm import needs

load_all()
_LIMIT = 7


def _helper(site: Site) -> str:
    site.unsupported("the helper's reason")
    return "LUT_S8"


def _lower(site: Site) -> None:
    _helper(site)
    value = site.op.index
    site.unsupported(f"more than {_LIMIT} or {value}")
    site.unsupported("TensorFlow Lite Micro refuses it")
    site.need(False, "not a refusal of ours")


def cells(operator: str) -> dict[str, str]:
    return dict(zip(COLUMNS, row(OPERATORS[operator]), strict=True))


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tools/operators_table.py"


def test_every_operator_has_a_row() -> None:
    rows = [line.split("|")[1:-1] for line in page().splitlines() if line.startswith("|")]
    assert [r[0].strip() for r in rows[2:]] == sorted(OPERATORS)
    assert {len(r) for r in rows} == {len(COLUMNS)}


def test_every_kernel_belongs_to_an_operator() -> None:
    named = {kernel for operator in OPERATORS.values() for kernel in kernels_of_row(operator)}
    assert named == set(OPCODES.values())


def kernels_of_row(operator: Operator) -> list[str]:
    return [k.strip("`") for k in row(operator)[COLUMNS.index("kernels")].split(", ") if k]


def test_types_come_from_the_words_and_the_kernels() -> None:
    conv = cells("CONV_2D")
    assert (conv["int8"], conv["int4"]) == ("yes", "yes")
    assert conv["others"] == "", "the type of a bias is no type of the operator"
    joined = cells("CONCATENATION")
    assert joined["int4"] == "" and joined["others"] == "int32, float32, bool"


def test_kernels_are_those_of_the_name_and_of_the_functions_that_are_called() -> None:
    assert "`CONV_2D_S4`" in cells("CONV_2D")["kernels"]
    assert cells("TRANSPOSE")["kernels"] == "`STRIDED_COPY_S8`"
    assert cells("PADV2")["kernels"] == "`PAD_S8`"
    assert "MUL" not in cells("ADD")["kernels"]


def test_refusals_are_sentences_with_constants_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for function in (_helper, _lower):
        monkeypatch.setattr(function, "__module__", "torpor.compile.test")
    facts = gather(_lower, Facts())  # type: ignore[arg-type]
    assert sorted(facts.refusals) == ["more than 7 or N", "the helper's reason"]
    assert facts.kernels == {"LUT_S8"}
    assert kernels_of(Operator("NEW", "", lambda _: None), facts) == ["LUT_S8"]  # type: ignore[arg-type, return-value]


def test_the_registrations_and_refusals_of_tflm_are_listed() -> None:
    section = page().split("## TensorFlow Lite Micro")[1]
    for name in REGISTRATIONS:
        assert re.search(rf"\b{name}\b", section), name
    assert "- int4 weights need int8 activations in TensorFlow Lite Micro, not int16\n" in section
    assert "- dynamic range quantization (N weights, float activations) has no kernel" in section
    assert len(tflm_refusals()) == inspect.getsource(needs).count("use.refuse(")


@pytest.mark.parametrize(("text", "status"), [(None, 1), ("old", 1), ("", 0)])
def test_check_says_whether_the_page_is_stale(
    text: str | None, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "OPERATORS.md"
    monkeypatch.setattr(operators_table, "PAGE", path)
    if text is not None:
        path.write_text(text or page(), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["operators_table.py", "--check"])
    assert main() == status
    monkeypatch.setattr(sys, "argv", ["operators_table.py"])
    assert main() == 0 and path.read_text(encoding="utf-8") == page()
