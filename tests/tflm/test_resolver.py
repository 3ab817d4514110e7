# SPDX-License-Identifier: Apache-2.0
"""resolver.cc registers each operator once, and says so in the bits that plans are checked with."""

import re

import pytest

from torpor.errors import UsageError
from torpor.plan.tflm import REGISTRATIONS, with_special
from torpor.tflm.resolver import WORDS, registered, resolver_source, words_of


def calls(source: str) -> list[str]:
    return re.findall(r"resolver->(\w+\(.*?\));", source)


def bits(source: str) -> set[str]:
    """Return the names in tflm_registrations."""
    match = re.search(r"tflm_registrations\[(\d+)\] = \{(.*)\}", source)
    assert match and int(match[1]) == WORDS
    words = [int(word.rstrip("u"), 16) for word in match[2].split(", ")]
    assert len(words) == WORDS
    return {n for n, e in REGISTRATIONS.items() if words[e.number // 32] >> e.number % 32 & 1}


def test_each_registration_is_one_call_in_the_order_of_their_numbers() -> None:
    source = resolver_source(["SOFTMAX_INT8", "RESHAPE", "CONV_2D_INT4"])
    assert calls(source) == [
        "AddReshape()",
        "AddSoftmax(tflite::Register_SOFTMAX_INT8())",
        "AddConv2D(tflite::Register_CONV_2D_INT4())",
    ]
    assert "MicroMutableOpResolver<3>" in source
    assert bits(source) == {"SOFTMAX_INT8", "RESHAPE", "CONV_2D_INT4"}


@pytest.mark.parametrize(
    "names",
    [
        ("CONV_2D_INT8", "CONV_2D_INT4"),
        ("CONV_2D", "CONV_2D_INT8"),
        ("CONV_2D_INT4", "CONV_2D", "CONV_2D_INT8"),
        ("CONV_2D", "CONV_2D"),
    ],
)
def test_different_ones_of_an_operator_become_the_one_for_all_types(names: tuple[str, ...]) -> None:
    source = resolver_source(names)
    assert calls(source) == ["AddConv2D()"] and "MicroMutableOpResolver<1>" in source
    assert bits(source) == {"CONV_2D", "CONV_2D_INT8", "CONV_2D_INT4"}


def test_the_same_registration_twice_is_one() -> None:
    assert calls(resolver_source(["CONV_2D_INT8"] * 2)) == [
        "AddConv2D(tflite::Register_CONV_2D_INT8())"
    ]


def test_a_firmware_with_all_registrations_has_each_operator_once() -> None:
    source = resolver_source(REGISTRATIONS)
    operators = {entry.operator for entry in REGISTRATIONS.values()}
    assert len(calls(source)) == len(operators) and bits(source) == set(REGISTRATIONS)
    assert f"MicroMutableOpResolver<{len(operators)}>" in source


def test_the_order_of_the_names_does_not_matter() -> None:
    names = ["RESHAPE", "CONV_2D_INT8", "ADD"]
    assert resolver_source(names) == resolver_source(reversed(names))


def test_no_registration_at_all_still_compiles() -> None:
    source = resolver_source([])
    assert "MicroMutableOpResolver<1>" in source and not calls(source) and not bits(source)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown registration 'CONV_2D_INT2'") as caught:
        resolver_source(["CONV_2D_INT2"])
    assert "CONV_2D" in caught.value.hint


@pytest.mark.parametrize("name", sorted(REGISTRATIONS))
def test_every_registration_alone_has_its_own_bit(name: str) -> None:
    source = resolver_source([name])
    assert bits(source) == with_special([name])
    [call] = calls(source)
    assert call.startswith(f"{REGISTRATIONS[name].add}(")
    assert (f"tflite::Register_{name}()" in call) == bool(REGISTRATIONS[name].of)


def test_headers_are_included_for_what_the_resolver_does_not_declare() -> None:
    header = '#include "tensorflow/lite/micro/kernels/pad.h"\n'
    source = resolver_source(["PAD_INT8", "ADD"])
    assert source.index(header) > source.index("micro_mutable_op_resolver.h"), "they need it"
    assert "kernels/" not in resolver_source(["PAD", "PAD_INT8", "CONV_2D_INT8"])


def test_bits_are_those_of_the_numbers() -> None:
    assert words_of(["ABS", "AVERAGE_POOL_2D", "CONV_2D_INT8"]) == [1 | 1 << 6, 0, 1 << 27, 0]
    assert [entry.name for entry in registered(["ADD", "ABS"])] == ["ABS", "ADD"]
