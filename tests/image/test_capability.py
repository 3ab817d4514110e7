# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a firmware can run, and which models are among it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.small_models import small_cnn
from torpor.compile import compile_model
from torpor.errors import ImageError, UsageError
from torpor.image import layout
from torpor.image.capability import (
    Capability,
    capability_of,
    decode,
    fits,
    plan_header,
    plan_kernels,
    target_name,
)
from torpor.plan.layout import CONST, OPCODES

BYTE, WORD = st.integers(0, 0xFF), st.integers(0, 0xFFFFFFFF)
CAPABILITIES = st.builds(
    Capability,
    plan_version_min=BYTE,
    plan_version_max=BYTE,
    targets=st.frozensets(st.integers(0, 7)),
    arena_bytes=WORD,
    kernels=st.frozensets(st.integers(0, 127)),
    plan_bytes=WORD,
)
ALL = Capability(
    plan_version_min=1,
    plan_version_max=3,
    targets=frozenset([0, 1]),
    arena_bytes=1000,
    kernels=frozenset(OPCODES),
    plan_bytes=0,
)


@pytest.fixture(scope="session")
def plan() -> bytes:
    return compile_model(small_cnn(), name="small").plan


@pytest.fixture
def header(plan: bytes) -> dict[str, Any]:
    found = plan_header(plan)
    assert found is not None
    return found


@given(CAPABILITIES)
def test_a_capability_reads_as_it_is_written(capability: Capability) -> None:
    data = capability.encode()
    assert len(data) == layout.DEFINES["CAPABILITY_BYTES"]
    assert decode(data) == capability


def test_it_lies_as_the_header_says() -> None:
    assert list(layout.CAPABILITY_MEMBERS) == [
        "format",
        "plan_version_min",
        "plan_version_max",
        "targets",
        "arena_bytes",
        "kernels",
        "plan_bytes",
    ]
    made = Capability(2, 3, frozenset([0, 2]), 0x11223344, frozenset([1, 33, 127]), 0x55)
    assert made.encode().hex(" ", 4) == (
        "01020305 44332211 02000000 02000000 00000000 00000080 55000000"
    )


@given(st.binary(min_size=28, max_size=28))
def test_another_format_says_nothing(data: bytes) -> None:
    assert (decode(data) is None) == (data[0] != 1)


def test_a_firmware_can_run_what_is_built_in(header: dict[str, Any]) -> None:
    names = [OPCODES[code] for code in plan_kernels(header)]
    made = capability_of(header, names, header["arena_bytes"], ["portable"])
    assert fits(header, made) == ""
    assert made.plan_version_min == made.plan_version_max == CONST["PLAN_VERSION"]
    assert made.plan_bytes == header["length"]
    assert made.kernel_names == sorted(names)


def test_kernels_that_nobody_has_heard_of_are_mistakes(header: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="unknown kernel 'CONV_2D_S9'") as caught:
        capability_of(header, ["CONV_2D_S9"], 10000, ["portable"])
    assert "did you mean 'CONV_2D_S" in caught.value.hint
    with pytest.raises(UsageError, match="unknown set of kernels 'mve2'"):
        capability_of(header, [], 10000, ["mve2"])


def test_a_firmware_that_cannot_run_its_own_plan_is_a_mistake(header: dict[str, Any]) -> None:
    names = [OPCODES[code] for code in plan_kernels(header)]
    with pytest.raises(ImageError, match="the plan that is built in: needs CONV_2D_S8, which"):
        capability_of(header, set(names) - {"CONV_2D_S8"}, header["arena_bytes"], ["portable"])
    with pytest.raises(ImageError, match=r"bytes of arena of 1$"):
        capability_of(header, names, 1, ["portable"])


def test_a_model_fits_what_has_everything(header: dict[str, Any]) -> None:
    assert fits(header | {"arena_bytes": 1000}, ALL) == ""
    assert fits(header | {"arena_bytes": 1000, "version": 3, "target": 1}, ALL) == ""


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"version": 4}, "plan format 4, the firmware reads 1 to 3"),
        ({"version": 0}, "plan format 0, the firmware reads 1 to 3"),
        ({"target": 2}, "packed for mve kernels, the firmware has none"),
        ({"target": 9}, "packed for unknown (9) kernels, the firmware has none"),
        ({"arena_bytes": 1001}, "needs 1,001 bytes of arena of 1,000"),
        (
            {"kernels": (4, 0, 0, 1 << 31)},
            "needs operator 127, which the firmware lacks",
        ),
    ],
)
def test_what_a_firmware_lacks_is_named(
    header: dict[str, Any], changed: dict[str, Any], reason: str
) -> None:
    assert fits(header | {"arena_bytes": 1} | changed, ALL) == reason


@given(st.frozensets(st.integers(0, 127)), st.frozensets(st.integers(0, 127)))
def test_every_kernel_counts(wanted: frozenset[int], linked: frozenset[int]) -> None:
    bits = sum(1 << code for code in wanted)
    words = tuple(bits >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96))
    header = {"version": 1, "target": 0, "arena_bytes": 1, "kernels": words}
    assert plan_kernels(header) == wanted
    assert (fits(header, replace(ALL, kernels=linked)) == "") == (wanted <= linked)


def test_one_plan_format_is_no_range(header: dict[str, Any]) -> None:
    only = replace(ALL, plan_version_max=1)
    assert fits(header | {"version": 2}, only) == "plan format 2, the firmware reads 1"


@given(st.binary(max_size=100))
def test_what_is_no_plan_has_no_header(data: bytes) -> None:
    if data[:4] != b"TPLN" or len(data) < 96:
        assert plan_header(data) is None


def test_targets_have_the_names_of_board_toml() -> None:
    assert [target_name(number) for number in range(3)] == ["portable", "dsp", "mve"]
