# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/stats as Python calls it: the same methods as the twins in torpor.stats."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor.stats.sampler import Config, Why
from torpor.stats.store import Entry, Layout
from torpor.stats.summary import Figures

Opened = tuple[Any, Any]
META = ("number", "time", "plan", "why", "best", "score", "kind")


class Summary:
    """A summary_t."""

    def __init__(self, opened: Opened) -> None:
        self._ffi, self._lib = opened
        self.it = self._ffi.new("summary_t *")

    def inference(self, best: int, score: int, latency_us: int) -> None:
        self._lib.summary_inference(self.it, best, score, latency_us)

    def error(self) -> None:
        self._lib.summary_error(self.it)

    def begin(self) -> None:
        self._lib.summary_begin(self.it)

    def figures(self) -> Figures:
        found = self._lib.summary_figures(self.it)
        return Figures(
            found.inferences,
            bytes(found.sparse)[: found.sparse_bytes],
            found.score_mean,
            found.score_low,
            found.latency_50,
            found.latency_95,
            found.errors,
        )


class Drift:
    """A drift_t with the bytes of a reference, or None."""

    def __init__(self, opened: Opened, reference: bytes | None, *, length: int = -1) -> None:
        self._ffi, self._lib = opened
        self.it = self._ffi.new("drift_t *")
        self._bytes = self._ffi.new("uint32_t[]", -(-len(reference or b"") // 4) or 1)
        self._ffi.buffer(self._bytes)[: len(reference or b"")] = reference or b""
        pointer = self._ffi.NULL if reference is None else self._bytes
        length = len(reference or b"") if length < 0 else length
        self.opened: bool = self._lib.drift_open(self.it, pointer, length)

    def add(self, codes: NDArray[np.int8]) -> None:
        rows, channels = codes.shape
        data = self._ffi.from_buffer("int8_t[]", np.ascontiguousarray(codes))
        self._lib.drift_add(self.it, data, rows, channels)

    def index(self) -> int:
        return int(self._lib.drift_index(self.it))

    def begin(self) -> None:
        self._lib.drift_begin(self.it)

    def counts(self, channels: int) -> list[list[int]]:
        return [list(self.it.counts[channel]) for channel in range(channels)]


class Sampler:
    """A sampler_t."""

    def __init__(self, opened: Opened, seed: int) -> None:
        self._ffi, self._lib = opened
        self.it = self._ffi.new("sampler_t *")
        self._lib.sampler_start(self.it, seed)

    def choose(self, config: Config, score: int) -> Why:
        box = self._ffi.new("sampler_config_t *", vars(config))
        return Why(self._lib.sampler_choose(self.it, box, score))


class Store:
    """A store_t on the simulated flash, which is one for all: open one at a time."""

    def __init__(self, opened: Opened, layout: Layout, *, flash: bytes | None = None) -> None:
        self._ffi, self._lib = opened
        self._geometry = layout
        total = layout.offset + layout.size + layout.erase_size
        self.memory = self._ffi.new("uint8_t[]", flash or b"\xff" * total)
        self.sim = self._lib.flash_sim
        self.sim.bytes, self.sim.size = self.memory, total
        self.sim.erase_size, self.sim.write_size = layout.erase_size, layout.write_size
        self.sim.violations, self.sim.violation, self.sim.seed = 0, self._ffi.NULL, 1
        self.layout = self._ffi.new("store_layout_t *", vars(layout))
        self.restart()

    def restart(self) -> None:
        """Power comes back: all RAM is lost."""
        self._lib.flash_sim_power_on()
        self.it = self._ffi.new("store_t *")
        self._lib.store_open(self.it, self.layout)

    def flash(self) -> bytes:
        return bytes(self._ffi.buffer(self.memory)[0 : self.sim.size])

    def set_flash(self, content: bytes) -> None:
        """Put the flash back to what `flash()` has returned, and start anew."""
        self._ffi.buffer(self.memory)[0 : self.sim.size] = content
        self.restart()

    def put(self, entry: Entry) -> Entry | None:
        box = self._ffi.new("store_entry_t *")
        for name in META[1:]:
            setattr(box, name, getattr(entry, name))
        box.length = len(entry.data)
        data = self._ffi.new("uint8_t[]", entry.data + b"\0")  # a size of 0 has an address too
        if not self._lib.store_put(self.it, box, data):
            return None
        return Entry(entry.data, **{name: getattr(box, name) for name in META})

    def find(self, number: int) -> Entry | None:
        box = self._ffi.new("store_entry_t *")
        data = self._ffi.new("const uint8_t **")
        if not self._lib.store_find(self.it, number, box, data):
            return None
        content = bytes(self._ffi.buffer(data[0], box.length)) if box.length else b""
        return Entry(content, **{name: getattr(box, name) for name in META})

    def entries(self) -> list[Entry]:
        """All of them, as a host asks for them."""
        found: list[Entry] = []
        while entry := self.find(found[-1].number + 1 if found else 0):
            assert not found or entry.number > found[-1].number
            found.append(entry)
        return found

    def clear(self) -> bool:
        return bool(self._lib.store_clear(self.it))

    def violation(self) -> str:
        text = self.sim.violation
        return "" if text == self._ffi.NULL else str(self._ffi.string(text).decode())
