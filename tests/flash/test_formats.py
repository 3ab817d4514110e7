# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""UF2 and Intel HEX, read by readers that know nothing of the writers."""

import struct
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intelhex import IntelHex

from torpor.flash.formats import PAYLOAD, intel_hex, uf2

FAMILY = 0xE48BFF56


def read_uf2(data: bytes) -> tuple[dict[int, bytes], set[int]]:
    """Return the payloads by address and the families, as the specification has them."""
    assert len(data) % 512 == 0
    found: dict[int, bytes] = {}
    families = set()
    for number in range(len(data) // 512):
        block = data[512 * number : 512 * number + 512]
        assert block[:8] == b"UF2\n" + bytes.fromhex("57515d9e")
        assert block[508:] == bytes.fromhex("306fb10a")
        flags, address, size, at, count, family = struct.unpack_from("<6I", block, 8)
        assert flags == 0x2000, "a family, and nothing that is no flash"
        assert size == 256 and (at, count) == (number, len(data) // 512)
        assert address not in found and not any(block[32 + size : 508])
        found[address] = block[32 : 32 + size]
        families.add(family)
    return found, families


_RUNS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(0, 255)), min_size=1, max_size=5
)


@given(shape=_RUNS, origin=st.sampled_from([0, 0x10000000, 0xFFF00000]))
def test_uf2_says_every_byte_and_its_address(
    shape: list[tuple[int, int, int]], origin: int
) -> None:
    runs, at = [], origin
    for gap, blocks, seed in shape:
        at += gap * PAYLOAD
        data = bytes((seed + index * 3) & 0xFF for index in range(blocks * PAYLOAD))
        runs.append((at, data))
        at += len(data)
    found, families = read_uf2(uf2(runs, FAMILY))
    expected = {
        address + offset: data[offset : offset + PAYLOAD]
        for address, data in runs
        for offset in range(0, len(data), PAYLOAD)
    }
    assert found == expected
    assert families == {FAMILY}


@pytest.mark.parametrize("run", [(1, bytes(256)), (0, bytes(255)), (256, bytes(257))])
def test_uf2_takes_whole_blocks_only(run: tuple[int, bytes]) -> None:
    with pytest.raises(AssertionError):
        uf2([run], FAMILY)


@given(
    shape=st.lists(
        st.tuples(st.integers(0, 70_000), st.binary(min_size=1, max_size=300)),
        min_size=1,
        max_size=6,
    ),
    origin=st.sampled_from([0, 0xFFF3, 0x08000000, 0x1FFF0]),
)
def test_intel_hex_is_read_back_by_somebody_elses_reader(
    shape: list[tuple[int, bytes]], origin: int
) -> None:
    runs, at = [], origin
    for gap, data in shape:
        at += gap
        runs.append((at, data))
        at += len(data)
    reader = IntelHex()
    reader.loadhex(StringIO(intel_hex(runs).decode("ascii")))
    expected = dict(pair for address, data in runs for pair in enumerate(data, address))
    assert {address: reader[address] for address in reader.addresses()} == expected


def test_no_record_of_intel_hex_crosses_64_kilobytes() -> None:
    text = intel_hex([(0xFFF8, bytes(range(32)))]).decode("ascii").split()
    assert text == [
        ":08FFF8000001020304050607E5",
        ":020000040001F9",
        ":1000000008090A0B0C0D0E0F1011121314151617F8",
        ":0800100018191A1B1C1D1E1F0C",
        ":00000001FF",
    ]
