# SPDX-License-Identifier: Apache-2.0
"""docs/SPEC.md says what the sources say."""

from tools.spec_tables import BLOCK, SPEC, make, renew
from torpor.plan import layout


def test_no_table_of_the_specification_is_stale() -> None:
    assert renew(SPEC.read_text())[1] == [], "run: python tools/spec_tables.py"


def test_every_struct_of_the_plan_has_its_table() -> None:
    tables = {match[1] for match in BLOCK.findall(SPEC.read_text())}
    assert set(layout.struct_names()) <= tables


def test_a_stale_table_is_found_and_made_anew() -> None:
    text = "a\n<!-- table plan_rescale_t -->\nold\n<!-- end -->\nb\n"
    fresh, stale = renew(text)
    assert stale == ["plan_rescale_t"]
    assert renew(fresh) == (fresh, [])
    assert "| 4 | `int32_t` | `shift` | |" in fresh


def test_record_table_names_bounds_and_hash() -> None:
    text = make("records")
    assert "data bytes (<= 256)" in text
    assert "Schema hash: `0x" in text
