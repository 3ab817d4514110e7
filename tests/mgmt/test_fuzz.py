# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The entry points for fuzzers: any bytes, and messages with something wrong in them."""

import struct
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from smp import packet

from tests.mgmt.device import copy_plan
from tests.support import images

FILE = images.model(copy_plan())
NAMES = ["d", "off", "data", "len", "sha", "image", "hash", "confirm", "slot", "from", "component",
         "reason"]  # fmt: skip

values = st.one_of(
    st.sampled_from([0, 1, 2, 4, 22, 255, 300, len(FILE), 4048, 4049, 2**32 - 1, True, False]),
    st.sampled_from([FILE[:300], FILE[300:], sha256(FILE).digest(), bytes(32), b"", "text"]),
    st.lists(st.integers(0, 9), max_size=3),
)
bodies = st.dictionaries(st.sampled_from(NAMES), values, max_size=6).map(cbor2.dumps)
commands = st.sampled_from(
    [(0, 0), (0, 5), (0, 6), (1, 0), (1, 1), (1, 2), (1, 5), (9, 9)]
    + [(64, command) for command in range(4)]
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A request that may be right, or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=60))
    body = draw(st.one_of(bodies, bodies, st.binary(max_size=40)))
    group, command = draw(commands)
    operation = draw(st.sampled_from([0, 2, 8, 10, 10, 10, 26, 11]))
    return struct.pack("!BBHHBB", operation, 0, len(body), group, 1, command) + body


def upload() -> list[bytes]:
    """Return the requests of a whole upload."""
    first = {"off": 0, "data": FILE[:300], "len": len(FILE), "sha": sha256(FILE).digest(),
             "image": 2}  # fmt: skip
    parts = [cbor2.dumps(first), cbor2.dumps({"off": 300, "data": FILE[300:]})]
    return [struct.pack("!BBHHBB", 10, 0, len(part), 1, 1, 1) + part for part in parts]


def behind_lengths(requests: list[bytes]) -> bytes:
    return b"".join(struct.pack("!H", len(request)) + request for request in requests)


def in_lines(requests: list[bytes]) -> bytes:
    return b"".join(b"".join(packet.encode(r or b"\0", line_length=64)) for r in requests)


@settings(max_examples=400)
@given(st.lists(messages(), max_size=8))
@example(upload())
@example(upload() + upload())
def test_messages_with_something_wrong_in_them(
    opened: tuple[Any, Any], requests: list[bytes]
) -> None:
    _, lib = opened
    for data in (behind_lengths(requests), in_lines(requests)):
        assert lib.smp_fuzz_messages(data, len(data)) == 0
        assert lib.smp_fuzz_stream(data, len(data)) == 0


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_any_bytes(opened: tuple[Any, Any], data: bytes) -> None:
    _, lib = opened
    assert lib.smp_fuzz_messages(data, len(data)) == 0
    assert lib.smp_fuzz_stream(b"\x06\x09" + data, len(data) + 2) == 0


@pytest.mark.parametrize("entry", ["smp_fuzz_messages", "smp_fuzz_stream"])
def test_the_entry_points_reach_the_flash(opened: tuple[Any, Any], entry: str) -> None:
    _, lib = opened
    data = behind_lengths(upload()) if entry == "smp_fuzz_messages" else in_lines(upload())
    getattr(lib, entry)(data, len(data))
    assert lib.flash_sim.operations > len(FILE) // 4
