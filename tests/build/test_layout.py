# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where slots and journal may lie: what board.toml must not say, and what follows from it."""

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.board import (
    HEADER_BYTES,
    Board,
    board_names,
    code_region,
    load_board,
    parse_board,
    regions,
)
from torpor.errors import UsageError
from torpor.paths import BOARDS, FIRMWARE

TEXT = (BOARDS / "microbit" / "board.toml").read_text()
FILE = "boards/x/board.toml"
WITH_SLOTS = [name for name in board_names() if load_board(name).slots]
LAYOUT_H = (FIRMWARE / "update" / "layout.h").read_text()


def changed(*changes: tuple[str, str]) -> Board:
    """Return the microbit with other values of keys."""
    text = TEXT
    for key, value in changes:
        text, count = re.subn(rf"^{key} = [^#\n]*", f"{key} = {value}", text, count=1, flags=re.M)
        assert count == 1, key
    return parse_board("x", text, FILE)


def test_every_board_but_the_one_for_measuring_has_slots() -> None:
    assert {*board_names()} - {*WITH_SLOTS} == {"nrf51_large"}


@pytest.mark.parametrize("name", WITH_SLOTS)
def test_slots_of_a_board_are_apart_from_each_other_and_from_the_bootloader(name: str) -> None:
    board = load_board(name)
    assert board.slots and board.flash
    places = regions(board)
    assert [p.key.removeprefix("slots.") for p in places] == [
        *("journal", "firmware", "firmware", "models", "models", "models")
    ]
    code = board.memory.get("code")
    for one, other in combinations(places, 2):
        assert one.end <= other.address or other.end <= one.address
    for place in places:
        assert board.flash.origin <= place.address < place.end
        assert place.end <= board.flash.origin + board.flash.size
        assert not code or not code.origin <= place.address < code.origin + board.slots.boot


@pytest.mark.parametrize("name", WITH_SLOTS)
def test_code_of_an_image_lies_between_its_header_and_its_records(name: str) -> None:
    board = load_board(name)
    assert board.slots
    for slot in (0, 1):
        place, code = regions(board)[1 + slot], code_region(board, slot)
        start = place.address if board.slots.window is None else board.slots.window
        assert code.address == start + HEADER_BYTES
        assert code.address % HEADER_BYTES == 0
        assert code.size == place.size - HEADER_BYTES - 1024


def test_the_counts_of_slots_are_those_of_the_firmware() -> None:
    for name, count in (("FIRMWARE", 2), ("MODEL", 3)):
        assert f"#define UPDATE_{name}_SLOTS " in LAYOUT_H
        assert re.search(rf"#define UPDATE_{name}_SLOTS +{count}\n", LAYOUT_H)


@pytest.mark.parametrize(
    ("key", "value", "message", "hint"),
    [
        ("links", "3", "'board.links' is 3", "1 or 2"),
        ("links", "0", "'board.links' is 0", "1 or 2"),
        ("erase_size", "1000", "'flash.erase_size' is 1000", "a power of two, at most 262144"),
        ("erase_size", "0", "'flash.erase_size' is 0", "a power of two"),
        ("erase_size", "2", "'flash.erase_size' is not a multiple of 'flash.write_size'", ""),
        ("erase_size", "0x80000", "'flash.erase_size' is 524288", "at most 262144"),
        ("write_size", "64", "'flash.write_size' is 64", "a power of two, at most 32"),
        ("write_size", "3", "'flash.write_size' is 3", "a power of two"),
        ("erase_ms", "0", "'flash.erase_ms' is 0", "at least 1"),
        ("journal", "0x6100", "'slots.journal' (0x6100 to 0x6900) is not made of blocks", "0x400"),
        ("journal_size", "0x900", "'slots.journal' (0x6000 to 0x6900) is not made of blocks", ""),
        ("journal_size", "0x400", "'slots.journal' (0x6000 to 0x6400) is too small", "0x800"),
        ("journal_size", "0xC00", "'slots.journal' (0x6000 to 0x6c00) and 'slots.firmware'", ""),
        ("firmware", "[0x6800]", "'slots.firmware' has 1 offsets", "2"),
        ("firmware", "[0x6800, 0x1C800, 0x24000]", "'slots.firmware' has 3 offsets", "2"),
        ("firmware", "0x6800", "'slots.firmware' must be a list of integers, not 26624", ""),
        ("firmware", '[0x6800, "x"]', "must be a list of integers, not [26624, 'x']", ""),
        ("firmware", "[0x6800, true]", "must be a list of integers, not [26624, True]", ""),
        ("firmware", "[-1024, 0x1C800]", "'slots.firmware' must not be negative, one is -1024", ""),
        ("firmware", "[0x6800, 0x6C00]", "(0x6800 to 0x1c800) and 'slots.firmware' (0x6c00", ""),
        ("firmware_size", "0x16400", "'slots.firmware' (0x6800 to 0x1cc00) and 'slots.firm", ""),
        ("firmware_size", "0x400", "'slots.firmware' (0x6800 to 0x6c00) is too small", "0x800"),
        ("models", "[0x32800, 0x37000]", "'slots.models' has 2 offsets", "3"),
        (
            "models",
            "[0x32800, 0x37000, 0x3C000]",
            "'slots.models' (0x3c000 to 0x40800) is not in",
            "",
        ),
        (
            "boot",
            "0x6400",
            "'slots.journal' (0x6000 to 0x6800) and 'slots.boot' (0x0 to 0x6400)",
            "",
        ),
        ("boot", "0", "'slots.boot' is 0x0", "at most 0x40000"),
        ("boot", "0x40400", "'slots.boot' is 0x40400", "at most 0x40000"),
        ("receive", "1000", "'slots.receive' is 1000", "a power of two, from 512 on"),
        ("receive", "256", "'slots.receive' is 256", "a power of two, from 512 on"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_with_the_key(
    key: str, value: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as error:
        changed((key, value))
    assert error.value.message.startswith(f"{FILE}: ")
    assert message in error.value.message
    assert hint in error.value.hint


def test_kernels_are_reserved_by_name() -> None:
    text = re.sub(r"reserve = \[[^]]*\]", "reserve = [1]", TEXT)
    with pytest.raises(UsageError, match=r"'models\.reserve' must be a list of texts, not \[1\]"):
        parse_board("x", text, FILE)


def test_a_journal_of_one_large_block_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'slots\.journal_size' is 0x800") as error:
        changed(("erase_size", "2048"))
    assert error.value.hint == "two blocks at least: 0x1000"


def test_slots_are_parts_of_a_flash() -> None:
    without = re.sub(r"\[flash\].*?(?=\[slots\])", "", TEXT, flags=re.S)
    with pytest.raises(UsageError, match="missing key 'flash'"):
        parse_board("x", without, FILE)


def test_code_must_lie_where_a_vector_table_may() -> None:
    small = [("erase_size", "256"), ("firmware", "[0x6900, 0x1C900]")]
    with pytest.raises(UsageError, match="is no place for code") as error:
        changed(*small)
    assert error.value.hint == "a multiple of 0x200"


def test_a_flash_beside_the_code_memory_may_begin_with_a_slot() -> None:
    board = changed(("origin", "0"), ("boot", "0x6000"))
    text = TEXT.replace("[flash] ", "[flash]\n#", 1)
    flash = text.index("[flash]")
    moved = text[:flash] + text[flash:].replace("origin = 0x00000000", "origin = 0x80000", 1)
    moved = moved.replace("journal = 0x6000", "journal = 0x0")
    assert regions(parse_board("x", moved, FILE))[0].address == 0x80000
    assert regions(board)[0].address == 0x6000


def test_a_flash_has_an_end_below_4_gib() -> None:
    text = (BOARDS / "mps2_an505" / "board.toml").read_text()
    assert "size = 0x1000000\n" in text
    with pytest.raises(UsageError, match="'flash' goes beyond the address 0x100000000"):
        parse_board("x", text.replace("size = 0x1000000\n", "size = 0x80000001\n"), FILE)


@given(
    st.permutations(list(range(6))),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
    st.lists(st.integers(6, 10), min_size=3, max_size=3),
)
def test_what_is_accepted_never_overlaps_and_what_does_not_is_accepted(
    order: list[int], shifts: list[int], sizes: list[int]
) -> None:
    places = [(6 + 9 * n + shift) * 0x1000 for n, shift in zip(order, shifts, strict=True)]
    journal, firmware, model = (n * 0x1000 for n in sizes)
    lengths = [journal, firmware, firmware, model, model, model]
    spans = [(0, 0x6000), *((p, p + n) for p, n in zip(places, lengths, strict=True))]
    apart = all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(spans, 2))
    inside = all(end <= 0x40000 for _, end in spans)
    changes = [
        ("journal", str(places[0])),
        ("journal_size", str(journal)),
        ("firmware", str(places[1:3])),
        ("firmware_size", str(firmware)),
        ("models", str(places[3:])),
        ("model_size", str(model)),
    ]
    if apart and inside:
        assert [(r.address, r.end) for r in regions(changed(*changes))] == spans[1:]
    else:
        with pytest.raises(UsageError, match=r"overlap|not in the flash"):
            changed(*changes)


# ---- room for inputs that are kept

WITH_SAMPLES = [name for name in WITH_SLOTS if load_board(name).samples]


def with_samples(offset: str, size: str) -> Board:
    """Return a board whose room for samples lies elsewhere."""
    text = (BOARDS / "mps2_an386" / "board.toml").read_text()
    changed_text, count = re.subn(
        r"(\[samples\][^\n]*)\noffset = \w+\nsize = \w+",
        rf"\1\noffset = {offset}\nsize = {size}",
        text,
    )
    assert count == 1
    return parse_board("x", changed_text, FILE)


def test_boards_with_room_in_their_flash_keep_samples() -> None:
    assert {*WITH_SLOTS} - {*WITH_SAMPLES} == {"microbit"}  # its slots fill the flash


@pytest.mark.parametrize("name", WITH_SAMPLES)
def test_samples_lie_in_whole_blocks_that_nothing_else_has(name: str) -> None:
    board = load_board(name)
    assert board.samples and board.flash
    block, start = board.flash.erase_size, board.flash.origin + board.samples.offset
    assert board.samples.offset % block == board.samples.size % block == 0
    assert board.samples.size >= 2 * block
    for place in regions(board):
        assert place.end <= start or start + board.samples.size <= place.address
    assert start + board.samples.size <= board.flash.origin + board.flash.size
    if board.scene and board.memory:
        end = board.scene.origin + board.scene.size
        assert end <= start or start + board.samples.size <= board.scene.origin


@pytest.mark.parametrize(
    ("offset", "size", "message"),
    [
        ("0x50F000", "0x10000", "'slots.models' (0x21410000 to 0x21510000) and 'samples' (0x2150f"),
        ("0x1000", "0x2000", "'slots.journal' (0x21000000 to 0x21002000) and 'samples' (0x21001"),
        ("0x7FF000", "0x2000", "'scene' (0x21800000 to 0x22000000) and 'samples' (0x217ff000"),
        ("0x510800", "0x10000", "'samples' (0x21510800 to 0x21520800) is not made of blocks"),
        ("0x510000", "0x10800", "'samples' (0x21510000 to 0x21520800) is not made of blocks"),
        ("0x510000", "0x1000", "'samples' (0x21510000 to 0x21511000) is too small"),
        ("0x510000", "0", "'samples' (0x21510000 to 0x21510000) is too small"),
        ("0x1000000", "0x2000", "'samples' (0x22000000 to 0x22002000) is not in the flash"),
    ],
)
def test_room_for_samples_that_cannot_be_is_refused(offset: str, size: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        with_samples(offset, size)
    assert error.value.message.startswith(f"{FILE}: ")
    assert message in error.value.message


def test_samples_may_begin_where_the_slots_end_and_end_where_the_scene_begins() -> None:
    samples = with_samples("0x510000", "0x2F0000").samples
    assert samples and samples.offset + samples.size == 0x800000


def test_a_board_without_slots_has_no_flash_to_keep_samples_in() -> None:
    text = (BOARDS / "nrf51_large" / "board.toml").read_text()
    with pytest.raises(UsageError, match=r"missing key '(flash|slots)'") as error:
        parse_board("x", text + "\n[samples]\noffset = 0x30000\nsize = 0x2000\n", FILE)
    assert error.value.hint == "[samples] lie behind [slots]"
