# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a firmware can run, and which models are among it."""

import re
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
from torpor.plan.tflm import REGISTRATIONS
from torpor.tflm.resolver import resolver_source, words_of

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


# ---- TensorFlow Lite Micro


def tflm_header(*names: str, arena: int = 1000) -> dict[str, Any]:
    """Return the header of a plan that needs some registrations."""
    return {
        "version": CONST["PLAN_VERSION"],
        "target": CONST["PLAN_TARGET_TFLM"],
        "kernels": tuple(words_of(names)),
        "arena_bytes": arena,
        "length": 640,
    }


def tflm(*names: str, needs: tuple[str, ...] = ()) -> Capability:
    """Return what a firmware can run that has to have some registrations."""
    return capability_of(tflm_header(*(needs or names)), names, 1000, ["portable"])


def test_a_firmware_with_the_other_engine_says_so_and_names_registrations() -> None:
    made = tflm("CONV_2D_INT8", "SOFTMAX")
    assert made.targets == {CONST["PLAN_TARGET_TFLM"]}
    assert made.is_tflm and not ALL.is_tflm
    assert made.kernel_names == ["CONV_2D_INT8", "SOFTMAX", "SOFTMAX_INT8"]
    assert decode(made.encode()) == made


@given(st.frozensets(st.sampled_from(sorted(REGISTRATIONS)), min_size=1, max_size=8))
def test_it_says_what_its_resolver_has(names: frozenset[str]) -> None:
    bits = re.findall(r"0x([0-9a-f]{8})u", resolver_source(names))
    words = [int(word, 16) for word in bits]
    made = tflm(*names)
    assert made.encode()[8:24] == b"".join(word.to_bytes(4, "little") for word in words)
    assert all(fits(tflm_header(name), made) == "" for name in names)


def test_registrations_that_nobody_has_heard_of_are_mistakes() -> None:
    with pytest.raises(UsageError, match="unknown registration 'CONV_2D_S8'") as caught:
        tflm("CONV_2D_S8", needs=("CONV_2D",))
    assert "did you mean 'CONV_2D" in caught.value.hint


def test_a_model_for_the_other_engine_is_said_to_be_one(header: dict[str, Any]) -> None:
    reason = "made for TensorFlow Lite Micro, the firmware runs torpor's own plans"
    assert fits(tflm_header("ADD"), ALL) == reason
    reason = "made for torpor's own engine, the firmware runs TensorFlow Lite Micro"
    assert fits(header, tflm("ADD")) == reason
    assert fits(header | {"target": 1}, tflm("ADD")) == reason


@pytest.mark.parametrize(
    ("have", "need", "reason"),
    [
        ("CONV_2D", "CONV_2D_INT8", ""),
        ("CONV_2D", "CONV_2D_INT4", ""),
        ("CONV_2D_INT8", "CONV_2D_INT8", ""),
        ("CONV_2D_INT8", "CONV_2D",
         "needs CONV_2D, which the firmware lacks: it has CONV_2D_INT8"),
        ("CONV_2D_INT8", "CONV_2D_INT4",
         "needs CONV_2D_INT4, which the firmware lacks: it has CONV_2D_INT8"),
        ("ADD", "MUL", "needs MUL, which the firmware lacks"),
        ("ADD_INT8", "MUL_INT8", "needs MUL_INT8, which the firmware lacks"),
    ],
)  # fmt: skip
def test_what_is_for_few_types_is_told_from_what_is_for_all(
    have: str, need: str, reason: str
) -> None:
    assert fits(tflm_header(need), tflm(have)) == reason


def test_registrations_of_a_newer_torpor_have_numbers() -> None:
    header = tflm_header("ADD") | {"kernels": (2, 0, 0, 1 << 31)}
    assert fits(header, tflm("ADD")) == "needs registration 127, which the firmware lacks"


def test_an_arena_counts_whatever_the_engine() -> None:
    assert fits(tflm_header("ADD", arena=1001), tflm("ADD")) == (
        "needs 1,001 bytes of arena of 1,000"
    )


@given(st.frozensets(st.integers(0, 127)), CAPABILITIES, st.integers(0, 255))
def test_any_record_is_compared_without_a_crash(
    wanted: frozenset[int], capability: Capability, target: int
) -> None:
    bits = sum(1 << code for code in wanted)
    words = tuple(bits >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96))
    header = {"version": capability.plan_version_min, "target": target, "kernels": words}
    said = fits(header | {"arena_bytes": 0}, capability)
    runs = target in capability.targets and wanted <= capability.kernels
    if capability.plan_version_min <= capability.plan_version_max:
        assert (said == "") == runs
    assert capability.kernel_names == sorted(capability.kernel_names)


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
    assert [target_name(number) for number in range(4)] == ["portable", "dsp", "mve", "tflm"]
