# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Scenes: the same bytes and the same samples in C and in Python."""

import dataclasses
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scene.conftest import Library
from tests.scene.strategies import scenes
from torpor.errors import UsageError
from torpor.scene import Event, Scene, noise, pack, parse, read, render, write
from torpor.scene.layout import GAIN_ONE, HEADER_BYTES, NO_CLIP

ANYWHERE = st.floats(0, 1)


def pieces(scene: Scene, shares: list[tuple[float, float]]) -> list[tuple[int, int]]:
    """Return (start, count) of parts of a scene, from shares of it."""
    found = []
    for one, other in shares:
        start = int(one * scene.samples)
        found.append((start, int(other * (scene.samples - start))))
    return found


def clip(*numbers: int) -> Any:
    return np.array(numbers, np.int16).reshape(-1, 1)


def same(one: Scene, other: Scene) -> bool:
    plain = [f.name for f in dataclasses.fields(Scene) if f.name != "clips"]
    return (
        all(getattr(one, name) == getattr(other, name) for name in plain)
        and len(one.clips) == len(other.clips)
        and all(np.array_equal(a, b) for a, b in zip(one.clips, other.clips, strict=True))
    )


# ---- the same samples


@given(scenes(), st.lists(st.tuples(ANYWHERE, ANYWHERE), min_size=10, max_size=10))
@settings(max_examples=150)
def test_c_renders_any_piece_of_any_scene_as_python_does(
    library: Library, scene: Scene, shares: list[tuple[float, float]]
) -> None:
    opened = library.opened(pack(scene))
    assert opened is not None
    for start, count in pieces(scene, shares):
        got, wanted = library.render(opened, start, count), render(scene, start, count)
        np.testing.assert_array_equal(got, wanted)


@given(scenes(), st.integers(1, 50))
@settings(max_examples=100)
def test_blocks_one_after_the_other_are_the_whole(
    library: Library, scene: Scene, block: int
) -> None:
    whole = render(scene, 0, scene.samples)
    opened = library.opened(pack(scene))
    parts = [
        library.render(opened, at, min(block, scene.samples - at))
        for at in range(0, scene.samples, block)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("gain", [0, 1, 32767, 32768, 65535, GAIN_ONE])
@pytest.mark.parametrize("number", [-32768, -32767, -1, 0, 1, 32767])
def test_a_gain_is_the_same_at_its_corners(library: Library, gain: int, number: int) -> None:
    scene = Scene(10, 3, (0,), (clip(number),), (Event(1, 0, gain),))
    wanted = [[0], [int(np.floor(number * gain / 65536 + 0.5))], [0]]
    assert render(scene, 0, 3).tolist() == wanted
    assert library.render(library.opened(pack(scene)), 0, 3).tolist() == wanted


def test_overlapping_events_add_up_and_saturate_one_after_the_other(library: Library) -> None:
    clips = clip(30000, 30000), clip(-20000, -20000)
    scene = Scene(10, 4, (1000,), clips, (Event(0, 0), Event(1, 0), Event(1, 1)))
    wanted = [[31000], [12767], [11000], [1000]]
    assert render(scene, 0, 4).tolist() == wanted
    assert library.render(library.opened(pack(scene)), 0, 4).tolist() == wanted


def test_a_background_plays_from_the_first_sample_on_without_end(library: Library) -> None:
    scene = Scene(10, 8, (10,), (clip(1, 2, 3),), background=0)
    wanted = [11, 12, 13, 11, 12, 13, 11, 12]
    assert render(scene, 0, 8).ravel().tolist() == wanted
    assert library.render(library.opened(pack(scene)), 4, 4).ravel().tolist() == wanted[4:]


def test_a_long_event_is_heard_behind_short_ones_that_began_later(library: Library) -> None:
    clips = np.full((90, 1), 5, np.int16), clip(100)
    scene = Scene(10, 100, (0,), clips, (Event(0, 0), *(Event(i, 1) for i in range(10, 20))))
    opened = library.opened(pack(scene))
    for at in (80, 15, 89, 0, 95):
        wanted = 5 * (at < 90) + 100 * (10 <= at < 20)
        assert render(scene, at, 1)[0, 0] == wanted
        assert library.render(opened, at, 1)[0, 0] == wanted


def test_samples_that_are_not_in_the_scene_are_refused() -> None:
    scene = Scene(10, 100, (0,))
    assert render(scene, 100, 0).shape == (0, 1)
    for start, count in ((-1, 1), (100, 1), (0, 101), (5, -1)):
        with pytest.raises(UsageError, match="are not in 100"):
            render(scene, start, count)


def test_the_last_samples_of_the_longest_scene_are_the_same(library: Library) -> None:
    last = 2**32 - 1
    clips = (np.array([[1, 2, 3]], np.int16),)
    scene = Scene(16000, last, (0, 0, 0), clips, (Event(last - 1, 0),), noise=400, seed=9)
    opened = library.opened(pack(scene))
    got = library.render(opened, last - 50, 50)
    np.testing.assert_array_equal(got, render(scene, last - 50, 50))
    assert got.std() > 100


# ---- noise


@pytest.mark.parametrize("level", [64, 1000, 16000])
@pytest.mark.parametrize("seed", [1, 2**31])
def test_noise_is_nearly_normal_with_the_promised_deviation(level: int, seed: int) -> None:
    found = noise(seed, 0, 400_000, level).astype(float)
    deviation = level / np.sqrt(3)
    assert abs(found.mean()) < 0.01 * deviation
    assert found.std() == pytest.approx(deviation, rel=0.005)
    assert abs((found**3).mean() / deviation**3) < 0.02
    assert (found**4).mean() / deviation**4 == pytest.approx(2.7, abs=0.05)  # of four uniforms
    assert np.abs(found).max() <= 2 * level


@pytest.mark.parametrize("lag", [1, 2, 3, 6, 64, 160, 320])
def test_noise_does_not_resemble_itself(lag: int) -> None:
    found = noise(7, 0, 400_000, 1000).astype(float)
    like = np.corrcoef(found[:-lag], found[lag:])[0, 1]
    assert abs(like) < 0.01


@pytest.mark.parametrize("other", [0, 2, 3, 2**31 + 1])
def test_noise_of_another_seed_is_another_one(other: int) -> None:
    one, two = (noise(seed, 0, 100_000, 1000).astype(float) for seed in (1, other))
    assert all(abs(np.corrcoef(one[lag:], two[: len(two) - lag])[0, 1]) < 0.02 for lag in range(5))


def test_noise_has_no_tone() -> None:
    found = noise(3, 0, 1 << 16, 1000)
    power = np.abs(np.fft.rfft(found)[1:]) ** 2
    assert power.max() < 20 * power.mean()  # of exponentially distributed ones: e^-20 * 32768


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**33), st.integers(0, 40), st.integers(0, 65535))
def test_noise_is_the_same_wherever_one_begins(seed: int, at: int, skip: int, level: int) -> None:
    whole = noise(seed, at, 50, level)
    np.testing.assert_array_equal(whole[skip:], noise(seed, at + skip, 50 - skip, level))
    np.testing.assert_array_equal(whole, noise(seed, at % 2**32, 50, level))


# ---- bytes


@given(scenes())
def test_what_is_packed_comes_back(scene: Scene) -> None:
    assert same(parse(pack(scene)), scene)
    assert same(parse(pack(scene) + b"\xff" * 7), scene)


def test_files_keep_a_scene(tmp_path: Path) -> None:
    scene = Scene(10, 50, (1, 2), (np.ones((5, 2), np.int16),), (Event(3, 0),), 5, 6, 0)
    write(scene, tmp_path / "a.scene")
    assert same(read(tmp_path / "a.scene"), scene)
    with pytest.raises(UsageError, match=r"cannot read .*none: No such file"):
        read(tmp_path / "none")


def test_a_scene_is_what_the_specification_says() -> None:
    """Written by hand from docs/SPEC.md."""
    scene = Scene(10, 99, (-1, 7), (np.array([[1, -2]], np.int16),), (Event(5, 0, 8),), 3, 4)
    head = struct.pack("<IHHIIIHHII8h", 80, 1, 2, 10, 99, 4, 3, NO_CLIP, 1, 1, -1, 7, *[0] * 6)
    rest = (
        head + struct.pack("<II", 76, 1) + struct.pack("<III", 5, 0, 8) + struct.pack("<hh", 1, -2)
    )
    assert pack(scene) == b"TSCN" + struct.pack("<I", zlib.crc32(rest)) + rest


def sealed(content: bytes) -> bytes:
    """Return the bytes with a right CRC, so that what follows is looked at too."""
    length = min(max(int.from_bytes(content[8:12], "little"), 8), len(content))
    crc = zlib.crc32(content[8:length])
    return content[:4] + crc.to_bytes(4, "little") + content[8:]


def accepted(content: bytes) -> bool:
    try:
        parse(content)
    except UsageError:
        return False
    return True


NUMBERS = st.sampled_from([0, 1, 2, 8, 9, 55, 56, 57, 0xFFFE, 0xFFFF, 0x10000, 2**31, 2**32 - 1])
CHANGES = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([1, 2, 4]), NUMBERS | st.integers(0, 300)),
    min_size=1,
    max_size=4,
)


@given(scenes(most=40), CHANGES, st.booleans(), st.integers(0, 30))
@settings(max_examples=400)
def test_hostile_bytes_are_refused_or_are_a_scene_to_both_sides(
    library: Library, scene: Scene, changes: list[tuple[int, int, int]], seal: bool, cut: int
) -> None:
    content = bytearray(pack(scene))
    for offset, size, number in changes:
        at = offset % max(len(content) - size, 1)
        content[at : at + size] = (number % 256**size).to_bytes(size, "little")
    damaged = bytes(content[: len(content) - cut]) if cut < 20 else bytes(content)
    damaged = sealed(damaged) if seal and len(damaged) > 12 else damaged
    opened = library.opened(damaged)
    assert (opened is not None) == accepted(damaged)
    if opened is not None:
        found = parse(damaged)
        start, count = found.samples - min(found.samples, 60), min(found.samples, 60)
        np.testing.assert_array_equal(
            library.render(opened, start, count), render(found, start, count)
        )


SOUND = Scene(10, 50, (1,), (clip(1, 2), clip(3)), (Event(3, 0), Event(7, 1)), background=1)
CLIP, EVENT = HEADER_BYTES, HEADER_BYTES + 16  # the first ones
SPOILT = {
    "version": (12, "<H", 2),
    "no axes": (14, "<H", 0),
    "nine axes": (14, "<H", 9),
    "no rate": (16, "<I", 0),
    "no samples": (20, "<I", 0),
    "background that is not there": (30, "<H", 2),
    "too many clips": (32, "<I", 0x10000),
    "clips without end": (32, "<I", 2**32 - 1),
    "events without end": (36, "<I", 2**32 - 1),
    "a clip in the tables": (CLIP, "<I", EVENT + 22),
    "a clip at an odd offset": (CLIP, "<I", EVENT + 25),
    "a clip behind the end": (CLIP, "<I", 2**32 - 2),
    "a clip that ends behind the end": (CLIP, "<I", EVENT + 28),
    "an empty clip": (CLIP + 4, "<I", 0),
    "a clip without end": (CLIP + 4, "<I", 2**31),
    "an event without its clip": (EVENT + 4, "<I", 2),
    "an event that is too loud": (EVENT + 8, "<I", GAIN_ONE + 1),
    "an event out of order": (EVENT, "<I", 8),
    "an event behind the end": (EVENT + 12, "<I", 51),
    "an event that ends behind the end": (EVENT + 12, "<I", 50),
}


@pytest.mark.parametrize("name", SPOILT)
def test_one_thing_that_cannot_be_is_refused_by_both_sides_though_the_crc_is_right(
    library: Library, name: str
) -> None:
    content = bytearray(pack(SOUND))
    assert library.opened(sealed(bytes(content))) is not None
    offset, form, value = SPOILT[name]
    struct.pack_into(form, content, offset, value)
    assert library.opened(sealed(bytes(content))) is None
    assert not accepted(sealed(bytes(content)))


@pytest.mark.parametrize("length", range(0, HEADER_BYTES + 30, 3))
def test_a_scene_that_is_cut_off_is_refused(library: Library, length: int) -> None:
    content = pack(Scene(10, 50, (1,), (clip(*range(10)),), (Event(3, 0),)))[:length]
    assert library.opened(content) is None
    with pytest.raises(UsageError, match=r"is no scene|is it|bytes of"):
        parse(content)


def test_every_bit_that_flips_is_noticed(library: Library) -> None:
    content = pack(Scene(10, 50, (1,), (clip(1, 2),), (Event(3, 0),), 9, 9))
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        assert library.opened(bytes(damaged)) is None
        assert not accepted(bytes(damaged))


def test_a_scene_at_an_odd_address_or_nowhere_is_refused(library: Library) -> None:
    content = pack(Scene(10, 50, (1,)))
    memory = library.ffi.new("uint64_t[]", 20)
    library.ffi.memmove(library.ffi.cast("char *", memory) + 2, content, len(content))
    scene = library.ffi.new("scene_t *")
    assert not library.c.scene_open(scene, library.ffi.cast("char *", memory) + 2, len(content))
    assert not library.c.scene_open(scene, library.ffi.NULL, 1000)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base": ()}, "1 to 8 axes"),
        ({"base": (0,) * 9}, "1 to 8 axes"),
        ({"base": (32768,)}, "a base is no int16"),
        ({"rate_hz": 0}, "a rate"),
        ({"samples": 0}, "samples"),
        ({"samples": 2**32}, "samples"),
        ({"noise": -1}, "a noise level"),
        ({"noise": 65536}, "a noise level"),
        ({"seed": 2**32}, "a seed"),
        ({"background": 0}, "the background is no clip"),
        ({"clips": (np.zeros((3, 2), np.int16),)}, r"clip 0: int16 \[3, 2\]"),
        ({"clips": (np.zeros((3, 1), np.int32),)}, "clip 0: int32"),
        ({"clips": (np.zeros((0, 1), np.int16),)}, "clip 0"),
        ({"events": (Event(0, 0),)}, "event 0 has no such clip"),
        ({"clips": (clip(1),), "events": (Event(0, 0, 65537),)}, "a gain above 1"),
        ({"clips": (clip(1),), "events": (Event(5, 0), Event(4, 0))}, "event 1 starts before"),
        ({"clips": (clip(1, 2),), "events": (Event(99, 0),)}, "event 0 goes on after the end"),
    ],
    ids=str,
)
def test_a_scene_that_cannot_be_is_refused_with_the_reason(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        Scene(**{"rate_hz": 10, "samples": 100, "base": (0,), **change})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"RIFF" + bytes(100), "x is no scene"),
        (b"", "x is no scene"),
        (b"TSCN" + bytes(8) + b"\x02\0" + bytes(80), "x is a scene of version 2, not 1"),
        (pack(Scene(10, 5, (0,)))[:-1] + b"\1", "x is damaged: its CRC is wrong"),
    ],
    ids=["a sound", "nothing", "another version", "a changed byte"],
)
def test_what_is_no_scene_is_named(content: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(content, "x")


def test_a_byte_of_a_header_that_is_missing_is_counted() -> None:
    content = pack(Scene(10, 5, (0,), (clip(1, 2),)))
    with pytest.raises(UsageError, match="x has 67 bytes of 68"):
        parse(content[:-1], "x")
