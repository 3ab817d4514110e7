# SPDX-License-Identifier: Apache-2.0
"""The plan's layout comes from the C header alone, and cannot change unnoticed."""

import pytest

from torpor.plan import layout

# (PLAN_VERSION, fingerprint of all sizes, offsets, types and constants)
PINNED = (2, "82fae81304e1912a")


def test_the_layout_changes_only_together_with_the_format_version() -> None:
    found = (layout.CONST["PLAN_VERSION"], layout.fingerprint())
    assert found == PINNED, (
        "firmware/infer/plan.h has changed: if any plan written before would be read differently, "
        f"raise PLAN_VERSION; then write {found!r} into PINNED in {__file__}"
    )


def test_every_operator_has_a_record_struct_that_starts_with_the_common_head() -> None:
    for code in layout.OPCODES:
        first, field = layout.fields(layout.record_type(code))[0]
        assert (first, field.offset, field.type.cname) == ("op", 0, "plan_op_t")


def test_no_struct_has_hidden_padding() -> None:
    for name in layout.struct_names():
        used = sum(layout.ffi.sizeof(f.type) for _, f in layout.fields(name))
        assert used == layout.sizeof(name), name


def test_record_sizes_are_whole_words() -> None:
    assert all(layout.sizeof(layout.record_type(c)) % 4 == 0 for c in layout.OPCODES)


HEAD = "#ifndef X_H\n#define X_H\n#include <stdint.h>\n"


@pytest.mark.parametrize(
    "body",
    [
        "#define A sizeof(int)",
        "#define A (1 + 2)",
        "#ifdef B\n#endif",
        "#include <stddef.h>",
        "enum e { A };",
        "enum e { A = B };",
        "typedef struct { int x; } plan_x_t;",
        "typedef struct { uint8_t x : 3; } plan_x_t;",
        "typedef struct { uint64_t x; } plan_x_t;",
        "typedef struct { uint8_t *x; } plan_x_t;",
        "int f(void);",
        "static const int a = 1;",
    ],
)
def test_anything_but_numbers_enums_and_plain_structs_is_refused(body: str) -> None:
    with pytest.raises(layout.LayoutError):
        layout.parse_header(f"{HEAD}{body}\n#endif\n")


def test_comments_numbers_enums_and_structs_are_understood() -> None:
    body = "/* a */ #define A 0x10\nenum e { B = 3, };\ntypedef struct { int8_t x[2]; } plan_x_t;"
    declarations, constants = layout.parse_header(f"/* c */{HEAD}{body}\n#endif\n")
    assert constants == {"A": 16}
    assert layout.enum_names(declarations) == ["e"]


def test_a_header_without_include_guard_is_refused() -> None:
    with pytest.raises(layout.LayoutError, match="guard"):
        layout.parse_header("#define A 1\n")
