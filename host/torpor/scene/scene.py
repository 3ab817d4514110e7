# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Scenes as values: their bytes, and what a sensor measures in them, equal to scene.c."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from torpor.errors import UsageError
from torpor.scene.layout import (
    AXES_MAX,
    BEFORE_CRC,
    CLIP_BYTES,
    EVENT_BYTES,
    GAIN_ONE,
    HEADER_BYTES,
    MAGIC,
    NO_CLIP,
    VERSION,
    ffi,
)

Samples = NDArray[np.int16]
"""[samples, axes]"""

NOISE_MAX = 0xFFFF
SAMPLES_MAX = 0xFFFFFFFF
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1
_MEAN = 510  # of the sum of four bytes


@dataclass(frozen=True, order=True)
class Event:
    """A clip that plays once.

    Attributes:
        start: number of its first sample.
        clip: which one.
        gain: of 65536, at most GAIN_ONE.
    """

    start: int
    clip: int
    gain: int = GAIN_ONE


@dataclass(frozen=True, eq=False)
class Scene:
    """What a sensor measures.

    Attributes:
        rate_hz: samples a second.
        samples: of the whole scene.
        base: what the sensor shows at rest, of each axis.
        clips: int16 [samples, axes] each.
        events: by their starts.
        noise: level; the standard deviation is `noise` / sqrt(3).
        seed: of the noise, 0 to 2^32 - 1.
        background: clip that plays again and again, or None.

    Raises:
        UsageError: a number is out of its bounds.
    """

    rate_hz: int
    samples: int
    base: tuple[int, ...]
    clips: tuple[Samples, ...] = ()
    events: tuple[Event, ...] = ()
    noise: int = 0
    seed: int = 0
    background: int | None = None

    def __post_init__(self) -> None:
        _check(self)

    @property
    def axes(self) -> int:
        """Numbers in a sample."""
        return len(self.base)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples / self.rate_hz

    @cached_property
    def _longest(self) -> int:
        """Samples of the longest event."""
        return max((len(self.clips[event.clip]) for event in self.events), default=0)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.array([event.start for event in self.events], np.int64)

    def playing(self, start: int, count: int) -> Sequence[Event]:
        """Return the events that play at any of `count` samples from number `start` on."""
        first = np.searchsorted(self._starts, start - self._longest, "right")
        last = np.searchsorted(self._starts, start + count, "left")
        chosen = self.events[int(first) : int(last)]
        return [event for event in chosen if event.start + len(self.clips[event.clip]) > start]


def _check(scene: Scene) -> None:
    clips, rest = len(scene.clips), scene.background
    rules = {
        f"a scene has 1 to {AXES_MAX} axes, not {scene.axes}": 1 <= scene.axes <= AXES_MAX,
        "a rate is a whole number of Hz above 0": 1 <= scene.rate_hz <= SAMPLES_MAX,
        "a scene has 1 to 2^32 - 1 samples": 1 <= scene.samples <= SAMPLES_MAX,
        f"a noise level is 0 to {NOISE_MAX}": 0 <= scene.noise <= NOISE_MAX,
        "a seed is 0 to 2^32 - 1": 0 <= scene.seed <= SAMPLES_MAX,
        "a base is no int16": all(_LOW <= b <= _HIGH for b in scene.base),
        f"{clips} clips are too many": clips <= NO_CLIP,
        "the background is no clip": rest is None or 0 <= rest < clips,
    }
    rules |= {
        f"clip {i}: {why}": False for i, c in enumerate(scene.clips) for why in _bad(c, scene)
    }
    for message, holds in rules.items():
        if not holds:
            raise UsageError(message)
    _check_events(scene)


def _bad(clip: Samples, scene: Scene) -> list[str]:
    if clip.dtype != np.int16 or clip.ndim != 2 or clip.shape[1] != scene.axes or not len(clip):
        return [f"{clip.dtype} {list(clip.shape)} is not int16 [samples, {scene.axes}]"]
    return []


def _check_events(scene: Scene) -> None:
    before = 0
    for number, event in enumerate(scene.events):
        if not 0 <= event.clip < len(scene.clips) or not 0 <= event.gain <= GAIN_ONE:
            raise UsageError(f"event {number} has no such clip, or a gain above 1")
        if event.start < before:
            raise UsageError(f"event {number} starts before the one before it")
        if event.start + len(scene.clips[event.clip]) > scene.samples:
            raise UsageError(f"event {number} goes on after the end of the scene")
        before = event.start


# ---- what it sounds or feels like


def _scatter(numbers: NDArray[np.uint32], key: np.uint32) -> NDArray[np.uint32]:
    """Return a permutation of 32 bits that looks like chance, another one for each key."""
    with np.errstate(over="ignore"):
        mixed = numbers ^ (numbers >> np.uint32(16))
        mixed = mixed * np.uint32(0x85EBCA6B) + key
        mixed ^= mixed >> np.uint32(13)
        mixed *= np.uint32(0xC2B2AE35)
    found: NDArray[np.uint32] = mixed ^ (mixed >> np.uint32(16))
    return found


def noise(seed: int, first: int, count: int, level: int) -> NDArray[np.int32]:
    """Return noise number `first` and the following ones, int32 [count].

    Each is the sum of four bytes of a hash of its number (modulo 2^32), less the mean, times
    `level` / 256: nearly normal, with variance level^2 * 4 * (256^2 - 1) / 12 / 256^2, which is
    level^2 / 3.
    """
    key = _scatter(np.array([seed], np.uint32), np.uint32(0))[0]
    numbers = np.arange(first, first + count, dtype=np.int64).astype(np.uint32)
    bits = _scatter(numbers, key).view(np.uint8).reshape(-1, 4)
    sums = bits.sum(axis=1, dtype=np.int32)
    found: NDArray[np.int32] = ((sums - _MEAN) * np.int32(level) + np.int32(128)) >> 8
    return found


def render(scene: Scene, start: int, count: int) -> Samples:
    """Return what the sensor measures: int16 [count, axes], from sample number `start` on.

    Raises:
        UsageError: not all of them are in the scene.
    """
    if start < 0 or count < 0 or start + count > scene.samples:
        raise UsageError(f"{count} samples from {start} on are not in {scene.samples}")
    out = np.broadcast_to(np.array(scene.base, np.int32), (count, scene.axes)).copy()
    if scene.background is not None:
        clip = scene.clips[scene.background]
        out += clip[np.arange(start, start + count) % len(clip)]
    if scene.noise:
        chance = noise(scene.seed, start * scene.axes, count * scene.axes, scene.noise)
        out += chance.reshape(count, scene.axes)
    np.clip(out, _LOW, _HIGH, out=out)
    for event in scene.playing(start, count):
        _add(scene, event, start, out)
    return out.astype(np.int16)


def _add(scene: Scene, event: Event, start: int, out: NDArray[np.int32]) -> None:
    clip = scene.clips[event.clip]
    begin = max(event.start, start)
    end = min(event.start + len(clip), start + len(out))
    part = clip[begin - event.start : end - event.start].astype(np.int64)
    place = out[begin - start : end - start]
    place += ((part * event.gain + (1 << 15)) >> 16).astype(np.int32)
    np.clip(place, _LOW, _HIGH, out=place)


# ---- bytes and files


def pack(scene: Scene) -> bytes:
    """Return the bytes of a scene (docs/SPEC.md, "Scenes").

    Raises:
        UsageError: it has more than 2^32 - 1 bytes.
    """
    tables = HEADER_BYTES + CLIP_BYTES * len(scene.clips) + EVENT_BYTES * len(scene.events)
    contents = [np.ascontiguousarray(clip, "<i2").tobytes() for clip in scene.clips]
    ends = np.cumsum([tables, *map(len, contents)]).tolist()
    if ends[-1] > SAMPLES_MAX:
        raise UsageError(
            f"the clips of a scene have {ends[-1]:,} bytes", "use fewer or shorter ones"
        )
    clips = [(at, len(clip)) for at, clip in zip(ends, scene.clips, strict=False)]
    events = [(event.start, event.clip, event.gain) for event in scene.events]
    made = ffi.new("scene_header_t *", _header(scene, ends[-1]))
    parts = [
        bytes(ffi.buffer(made)),
        bytes(ffi.buffer(ffi.new("scene_clip_t[]", clips))),
        bytes(ffi.buffer(ffi.new("scene_event_t[]", events))),
        *contents,
    ]
    made.crc = crc32(b"".join(parts)[BEFORE_CRC:])
    parts[0] = bytes(ffi.buffer(made))
    return b"".join(parts)


def _header(scene: Scene, size: int) -> dict[str, Any]:
    return {
        "magic": MAGIC,
        "bytes": size,
        "version": VERSION,
        "axes": scene.axes,
        "rate_hz": scene.rate_hz,
        "samples": scene.samples,
        "seed": scene.seed,
        "noise": scene.noise,
        "background": NO_CLIP if scene.background is None else scene.background,
        "n_clips": len(scene.clips),
        "n_events": len(scene.events),
        "base": list(scene.base),
    }


def parse(content: bytes, where: str = "scene") -> Scene:
    """Return the scene in `content`, which may be followed by other bytes; `where` names it.

    Raises:
        UsageError: it is none, or damaged.
    """
    if len(content) < HEADER_BYTES or int.from_bytes(content[:4], "little") != MAGIC:
        raise UsageError(f"{where} is no scene")
    header: Any = ffi.new("scene_header_t *")
    ffi.memmove(header, content, HEADER_BYTES)
    if header.version != VERSION:
        raise UsageError(f"{where} is a scene of version {header.version}, not {VERSION}")
    if not HEADER_BYTES <= header.bytes <= len(content):
        raise UsageError(f"{where} has {len(content)} bytes of {header.bytes}", "is it complete?")
    if crc32(content[BEFORE_CRC : header.bytes]) != header.crc:
        raise UsageError(f"{where} is damaged: its CRC is wrong")
    try:
        return _parse_tables(content[: header.bytes], header)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}") from None


def _parse_tables(content: bytes, header: Any) -> Scene:
    events_at = HEADER_BYTES + CLIP_BYTES * header.n_clips
    tables = events_at + EVENT_BYTES * header.n_events
    if tables > len(content):
        raise UsageError("its tables are longer than itself")
    if not 1 <= header.axes <= AXES_MAX:
        raise UsageError(f"a scene has 1 to {AXES_MAX} axes, not {header.axes}")
    places = np.frombuffer(content, "<u4", 2 * header.n_clips, HEADER_BYTES).reshape(-1, 2)
    clips = [_clip(content, tables, int(at), int(count), header.axes) for at, count in places]
    rows = np.frombuffer(content, "<u4", 3 * header.n_events, events_at).reshape(-1, 3)
    return Scene(
        rate_hz=header.rate_hz,
        samples=header.samples,
        base=tuple(list(header.base)[: header.axes]),
        clips=tuple(clips),
        events=tuple(Event(*map(int, row)) for row in rows),
        noise=header.noise,
        seed=header.seed,
        background=None if header.background == NO_CLIP else header.background,
    )


def _clip(content: bytes, tables: int, offset: int, samples: int, axes: int) -> Samples:
    if offset < tables or offset % 2 or not samples:
        raise UsageError("a clip is empty, or lies where none can")
    if offset + 2 * samples * axes > len(content):
        raise UsageError("a clip is not all there")
    numbers = np.frombuffer(content, "<i2", samples * axes, offset)
    return numbers.astype(np.int16).reshape(samples, axes)


def write(scene: Scene, path: Path) -> None:
    """Write a scene to a file."""
    path.write_bytes(pack(scene))


def read(path: Path) -> Scene:
    """Return the scene in a file.

    Raises:
        UsageError: it cannot be read, or is no scene.
    """
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
