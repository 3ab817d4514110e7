# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Versions: read strictly, written as they were read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.errors import UsageError
from torpor.image.version import Version

NUMBERS = st.tuples(
    st.integers(0, 0xFF), st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
)


@given(NUMBERS)
def test_a_version_reads_as_it_is_written(numbers: tuple[int, int, int, int]) -> None:
    version = Version(*numbers)
    assert Version.parse(str(version)) == version


def test_the_number_of_the_build_may_be_missing() -> None:
    assert Version.parse("1.2.3") == Version.parse("1.2.3+0") == Version(1, 2, 3)
    assert str(Version(1, 2, 3)) == "1.2.3"
    assert str(Version.parse("1.2.3+4")) == "1.2.3+4"


def test_versions_are_in_order() -> None:
    texts = ["0.0.1", "0.1.0", "0.1.0+1", "0.2.0", "0.10.0", "1.0.0"]
    assert sorted(texts, key=Version.parse) == texts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "1.2.3+",
        "01.2.3",
        "1.2.3-rc1",
        "v1.2.3",
        " 1.2.3",
        "1.2.3\n",
        "\u0661.0.0",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no version"):
        Version.parse(text)


@pytest.mark.parametrize("text", ["256.0.0", "0.256.0", "0.0.65536", "0.0.0+4294967296"])
def test_what_the_header_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is too large"):
        Version.parse(text)
