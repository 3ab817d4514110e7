# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where members of variables lie, read from what a compiler tells debuggers."""

import subprocess
from pathlib import Path

import pytest

from torpor.emulate.image import Image
from torpor.errors import UsageError
from torpor.power.fields import Field, find

SOURCE = """
#include <stdint.h>
typedef struct { uint32_t first; uint16_t second; } inner_t;
typedef const volatile inner_t odd_t;
typedef struct { uint8_t small; inner_t inner; uint64_t table[3]; uint32_t grid[2][5]; } outer_t;
static outer_t kept = {1, {2, 3}, {4, 5, 6}, {{7}}};
const odd_t fixed = {8, 9};
int main(void) { return kept.small + (int)fixed.second + (int)kept.table[fixed.first]; }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("fields"), "-g")


def compiled(folder: Path, *flags: str) -> Path:
    (folder / "fields.c").write_text(SOURCE)
    elf = folder / "fields.elf"
    words = ["gcc", *flags, "-O0", "-no-pie", "fields.c", "-o", str(elf)]
    subprocess.run(words, cwd=folder, check=True)
    return elf


def test_members_lie_where_the_compiler_put_them(program: Path) -> None:
    image = Image.read(program)
    kept, fixed = (image.place(name)[0] for name in ("kept", "fixed"))
    paths = "kept.small", "kept.inner.second", "kept.table", "kept.grid", "fixed.second", "kept"
    assert find(program, "fields.c", *paths) == [
        Field(kept, 1),
        Field(kept + 4 + 4, 2),
        Field(kept + 16, 24),
        Field(kept + 40, 40),
        Field(fixed + 4, 2),
        Field(kept, 80),
    ]


def test_a_field_is_read_and_written_as_the_device_has_it(program: Path) -> None:
    content = Image.read(program).content("fixed")
    (field,) = find(program, "fields.c", "fixed.second")
    assert field.value(content[4:]) == 9
    assert field.content(0x0102) == b"\x02\x01"


@pytest.mark.parametrize(
    ("source", "path", "message"),
    [
        ("other.c", "kept.small", "has nothing of other.c"),
        ("fields.c", "lost.small", "has no variable lost"),
        ("fields.c", "kept.large", "has no kept.large"),
        ("fields.c", "kept.inner.third", "has no kept.inner.third"),
    ],
)
def test_what_is_not_there_is_named(program: Path, source: str, path: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        find(program, source, path)
    assert message in error.value.message
    assert "scons without release=1" in error.value.hint


def test_a_firmware_without_debugging_information_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not say where its variables lie"):
        find(compiled(tmp_path), "fields.c", "kept.small")
