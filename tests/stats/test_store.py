# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The ring of kept inputs: what it keeps, what it frees, where its bytes lie."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stats.device import Opened
from tests.stats.device import Store as OnDevice
from torpor.stats.sampler import Why
from torpor.stats.store import WEAR, Entry, Layout, Store

HEAD, RECORD = 16, 28
SMALL = Layout(size=4 * 512, erase_size=512, write_size=4, offset=512)
LAYOUTS = [
    SMALL,
    Layout(2 * 1024, 1024, 4),
    Layout(3 * 512, 512, 8),
    Layout(5 * 1024, 1024, 64, 2048),
    Layout(4 * 4096, 4096, 256),
]


def name(layout: Layout) -> str:
    return f"{layout.size // layout.erase_size}x{layout.erase_size}/{layout.write_size}"


def entry(number: int, size: int = 100, why: int = Why.RANDOM) -> Entry:
    """Return an entry whose every field depends on a number."""
    data = random.Random(number).randbytes(size)
    small = {"best": number % 12, "score": number % 256, "kind": number % 2}
    return Entry(data, time=1000 + number, plan=0xC0FFEE00 + number % 256, why=why, **small)


def twin(layout: Layout, flash: bytes | None = None) -> tuple[bytearray, Store]:
    memory = bytearray(flash or b"\xff" * (layout.offset + layout.size + layout.erase_size))
    return memory, Store(memory, layout)


def fill(store: OnDevice, entries: list[Entry]) -> list[Entry]:
    """Put all of them and return them as they were kept."""
    kept = [store.put(e) for e in entries]
    assert None not in kept
    return [e for e in kept if e]


@pytest.mark.parametrize("layout", LAYOUTS, ids=name)
def test_what_was_put_is_found_with_all_that_belongs_to_it(opened: Opened, layout: Layout) -> None:
    store = OnDevice(opened, layout)
    kept = fill(store, [entry(i, 10 * i) for i in range(6)])
    assert [e.number for e in kept] == list(range(6))
    assert store.entries() == kept
    store.restart()
    assert store.entries() == kept
    assert store.violation() == ""


def test_the_lowest_number_from_one_on_is_found(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    fill(store, [entry(i) for i in range(40)])
    numbers = [e.number for e in store.entries()]
    assert numbers[0] > 5
    for wanted in range(45):
        found = store.find(wanted)
        expected = next((n for n in numbers if n >= wanted), None)
        assert (found.number if found else None) == expected


@pytest.mark.parametrize("layout", LAYOUTS, ids=name)
@pytest.mark.parametrize("seed", range(3))
def test_the_ring_never_leaves_its_place_and_writes_the_same_bytes_as_the_twin(
    opened: Opened, layout: Layout, seed: int
) -> None:
    store, draw = OnDevice(opened, layout), random.Random(seed)
    memory, other = twin(layout)
    for i in range(150):
        wanted = entry(i, draw.randrange(layout.erase_size // 2), draw.choice(list(Why)))
        assert store.put(wanted) == other.put(wanted)
        if draw.random() < 0.1:
            store.restart()
            other = Store(memory, layout)
        assert store.flash() == bytes(memory)
    assert store.entries() == other.entries()
    assert store.violation() == ""
    flash = store.flash()
    outside = flash[: layout.offset] + flash[layout.offset + layout.size :]
    assert outside == b"\xff" * len(outside)


@pytest.mark.parametrize("layout", LAYOUTS, ids=name)
def test_the_largest_entry_fills_a_block_and_a_larger_one_is_refused(
    opened: Opened, layout: Layout
) -> None:
    store = OnDevice(opened, layout)
    most = layout.erase_size - layout.padded(HEAD) - RECORD
    assert store.put(entry(1, most + 1)) is None
    assert store.flash() == b"\xff" * len(store.flash())
    kept = fill(store, [entry(i, most) for i in range(9)])
    assert store.entries() == kept[-layout.blocks :]
    assert twin(layout)[1].put(entry(1, most + 1)) is None
    assert store.put(entry(10, 65535)) is None


@pytest.mark.parametrize("blocks", [0, 1])
def test_a_place_of_less_than_two_blocks_keeps_nothing(opened: Opened, blocks: int) -> None:
    layout = Layout(blocks * 512, 512)
    store = OnDevice(opened, layout)
    assert store.put(entry(1)) is None
    assert store.entries() == []
    assert store.clear()
    assert store.flash() == b"\xff" * len(store.flash())
    assert twin(layout)[1].put(entry(1)) is None


def test_a_layout_of_size_zero_may_have_no_sizes_at_all(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    store.layout.size = store.layout.erase_size = store.layout.write_size = 0
    store.restart()
    assert store.put(entry(1, 0)) is None
    assert store.entries() == []


def one_a_block(store: OnDevice, whys: Sequence[int], start: int = 0) -> list[Entry]:
    """Put entries that fill a block each."""
    size = 512 - HEAD - RECORD
    return fill(store, [entry(start + i, size, why) for i, why in enumerate(whys)])


def test_the_block_with_the_fewest_low_scores_of_the_older_half_is_freed(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    one_a_block(store, [Why.LOW, Why.RANDOM, Why.RANDOM, Why.RANDOM])
    one_a_block(store, [Why.LOW], start=4)
    assert [e.number for e in store.entries()] == [0, 2, 3, 4]


def test_of_equally_boring_blocks_the_oldest_is_freed(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    one_a_block(store, [Why.RANDOM] * 6)
    assert [e.number for e in store.entries()] == [2, 3, 4, 5]
    one_a_block(store, [Why.LOW] * 6, start=6)
    assert [e.number for e in store.entries()] == [8, 9, 10, 11]


def test_the_newer_half_is_not_freed_however_boring_it_is(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    one_a_block(store, [Why.LOW, Why.LOW, Why.RANDOM, Why.RANDOM, Why.RANDOM])
    assert [e.number for e in store.entries()] == [1, 2, 3, 4]


def test_an_entry_that_does_not_fit_leaves_room_for_none(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    kept = fill(store, [entry(0, 300), entry(1, 300), entry(2, 10)])
    assert store.entries() == kept
    assert store.flash()[512 + 512 :][:16] != b"\xff" * 16


def erases(flash: bytes, layout: Layout) -> list[int]:
    """Return how often each block says it was erased."""
    starts = range(layout.offset, layout.offset + layout.size, layout.erase_size)
    return [int.from_bytes(flash[at + 8 : at + 12], "little") for at in starts]


@pytest.mark.parametrize("layout", LAYOUTS, ids=name)
@pytest.mark.parametrize("low", [0.0, 0.1, 0.5, 1.0])
def test_all_blocks_wear_out_together(opened: Opened, layout: Layout, low: float) -> None:
    store, draw = OnDevice(opened, layout), random.Random(f"{low}")
    for i in range(60 * layout.blocks):
        size = layout.erase_size // 2 - 100
        store.put(entry(i, size, Why.LOW if draw.random() < low else Why.RANDOM))
    counts = erases(store.flash(), layout)
    assert min(counts) > 10
    assert max(counts) - min(counts) <= WEAR


def test_a_block_that_is_never_boring_is_freed_before_the_others_wear_out(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    one_a_block(store, [Why.LOW] + [Why.RANDOM] * 3)
    lives = 0
    while store.find(0) == entry(0, 512 - HEAD - RECORD, Why.LOW):
        one_a_block(store, [Why.RANDOM], start=100 + lives)
        lives += 1
    assert WEAR <= lives < 4 * WEAR
    assert max(erases(store.flash(), SMALL)) - min(erases(store.flash(), SMALL)) <= WEAR


def blocks_of(store: OnDevice) -> list[bytes]:
    """Return the content of each block of SMALL."""
    return [store.flash()[512 * (block + 1) :][:512] for block in range(4)]


def test_what_the_test_of_wear_counts_is_what_the_flash_has_done(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    done: Counter[int] = Counter()
    before = blocks_of(store)
    for i in range(60):
        one_a_block(store, [Why.RANDOM], start=i)
        after = blocks_of(store)
        done.update(block for block in range(4) if before[block] != after[block])
        before = after
    assert erases(store.flash(), SMALL) == [done[block] for block in range(4)]


def test_nothing_is_left_after_a_clear_but_numbers_go_on(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    memory, other = twin(SMALL)
    for i in range(30):
        store.put(entry(i))
        other.put(entry(i))
    assert store.clear()
    other.clear()
    assert store.flash() == bytes(memory)
    assert store.entries() == []
    store.restart()
    kept = fill(store, [entry(i) for i in range(30, 33)])
    assert [e.number for e in kept] == [30, 31, 32]
    assert store.entries() == kept
    assert store.violation() == ""


def test_a_fresh_flash_can_be_cleared(opened: Opened) -> None:
    store = OnDevice(opened, SMALL)
    assert store.clear()
    assert fill(store, [entry(1)])[0].number == 0


@given(st.data())
def test_any_bytes_in_the_flash_are_read_alike_and_do_no_harm(
    opened: Opened, data: st.DataObject
) -> None:
    layout = Layout(3 * 512, 512, 4)
    store = OnDevice(opened, layout)
    fill(store, [entry(i, 60 + i) for i in range(data.draw(st.integers(0, 30)))])
    flash = bytearray(store.flash())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, layout.size - 1))
        flash[at] = data.draw(st.integers(0, 255))
    store.set_flash(bytes(flash))
    memory, other = twin(layout, bytes(flash))
    assert store.entries() == other.entries()
    for i in range(8):
        kept = store.put(entry(i, 100))
        assert kept == other.put(entry(i, 100))
        assert kept is not None and store.find(kept.number) == kept
        assert store.flash() == bytes(memory)
    assert store.violation() == ""


@given(st.integers(0, 511), st.binary(min_size=1, max_size=200))
def test_a_place_that_held_something_else_is_empty(opened: Opened, at: int, content: bytes) -> None:
    layout = Layout(2 * 512, 512, 4)
    flash = (bytes(at) + content * 9).ljust(3 * 512, b"\0")[: 3 * 512]
    store = OnDevice(opened, layout, flash=flash)
    assert store.entries() == []
    assert fill(store, [entry(1)]) == store.entries()
    assert store.violation() == ""


@pytest.mark.parametrize("operation", range(1, 7))
def test_a_flash_that_fails_loses_one_entry_and_the_store_goes_on(
    opened: Opened, operation: int
) -> None:
    """As a cut, but the device lives: the operation fails, those after it do not."""
    store = OnDevice(opened, Layout(3 * 512, 512, 64))
    kept = fill(store, [entry(i, 60) for i in range(4)])
    store.sim.operations, store.sim.cut_at = 0, operation
    made = [store.put(entry(i, 60)) for i in range(4, 5 + (operation > 2) + (operation > 4))]
    assert store.sim.dead
    assert made[-1] is None
    store.sim.dead, store.sim.cut_at = False, 0
    for i in range(10, 16):
        again = store.put(entry(i, 60))
        assert again is not None
        assert store.find(again.number) == again == store.entries()[-1]
        made.append(again)
    there = store.entries()
    store.restart()
    assert store.entries() == there
    numbers = [e.number for e in made + kept if e]
    assert len(set(numbers)) == len(numbers)
    assert store.violation() == ""
