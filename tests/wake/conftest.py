# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sleeping device as a process of this computer, on a clock that is a number."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cffi
import numpy as np
import pytest

from tests.support import faulty_engine
from tests.support.shared import build_shared
from tests.support.tflite_builder import GraphBuilder
from torpor.board import load_board
from torpor.compile import compile_model
from torpor.model.wake import Decision, Gate, Policy, Samples, Trigger, Wake
from torpor.paths import FIRMWARE, ROOT
from torpor.plan.reader import Plan
from torpor.plan.writer import c_array
from torpor.scene.scene import Event, Scene, pack
from torpor.wire import framing, records
from torpor.wire.records import Record
from torpor.wire.schema import SCHEMA

sys.path.insert(0, str(ROOT / "site_scons"))
from torpor_build import config, wake
from torpor_build import records as record_files

RATE, BLOCK, ROWS = 10, 2, 8
LABELS = ("rest", "left", "right")
REST, LEFT, RIGHT = range(3)
DECLARATIONS = """
    typedef struct {
        bool kept; uint32_t reason; uint32_t exception; uint32_t pc; uint32_t lr; uint32_t cfsr;
        uint8_t cause;
    } restart_t;
    typedef struct { uint32_t time; uint16_t what; uint16_t value; } trace_entry_t;
    extern uint8_t shim_sent[1048576];
    extern uint32_t shim_sent_length;
    extern uint64_t shim_ticks;
    extern uint32_t shim_look_ticks, shim_sleeps, shim_fed, shim_watchdogs, shim_plan_status;
    extern uint32_t shim_deep_sleeps;
    extern bool shim_busy, shim_stuck, shim_edge, shim_has_flash;
    extern uint32_t shim_flash_uses;
    extern const uint8_t *shim_arriving;
    extern uint32_t shim_arriving_length, shim_arriving_mask;
    extern restart_t shim_restart;
    extern trace_entry_t shim_trace[8];
    extern uint32_t shim_traced;
    extern const uint8_t *shim_scene;
    extern uint32_t shim_scene_bytes;
    void shim_start(void);
    void shim_run(uint64_t microseconds);
    void shim_again(void);
"""


def toy_model() -> bytes:
    """Return a model that says which axis moves: [8, 1, 2] codes to rest, left or right.

    The scores are the sums of squares, as far as one dense layer of |x| can tell: the window is
    taken apart into what is above and below zero first.
    """
    g = GraphBuilder()
    x = g.input((1, ROWS, 1, 2), scale=1 / 32, name="window")
    flat = g.reshape(x, (1, 2 * ROWS))
    signs = np.concatenate([np.eye(2 * ROWS), -np.eye(2 * ROWS)]).astype(np.int8)
    up = g.constant(signs * 100, scale=0.01)
    parts = g.fully_connected(flat, up, scale=1 / 32, activation="relu", zero_point=-128)
    weights = np.zeros((3, 4 * ROWS), np.int8)
    for column in range(4 * ROWS):
        weights[LEFT + column % 2, column] = 100
    last = g.constant(weights, scale=0.01)
    scores = g.fully_connected(parts, last, g.bias(parts, last, [6000, 0, 0]), scale=0.15)
    return g.build([g.softmax(scores)])


WAKE = Wake(
    sensor="motion",
    counts=(100.0, 100.0),
    block=BLOCK,
    hop=1,
    tail=2,
    interval_s=60,
    longest=100,
    trigger=Trigger(on=100, off=50, debounce=1, hold=2, windows=3),
    gate=Gate(low=70, high=200),
    decision=Decision(
        smoothing="mean",
        windows=2,
        cutoff=0.5,
        refractory_ms=3000,
        expiry_s=30,
        fallback="rest",
        ignored=("rest",),
        deadline_ms=50,
    ),
    policy=Policy(hot=(45.0, 55.0, 65.0), low=(30.0, 15.0, 5.0)),
    samples=Samples(percent=2.0, low=0.5),
)


def described(table: Wake) -> Any:
    """Return what config_source() wants to know of a model.toml."""
    shape = (ROWS, 1, 2)
    axes = SimpleNamespace(
        axes=("x", "y"), rate_hz=float(RATE), shape=shape, scale=(1.0, 1.0), limit=3.0
    )
    return SimpleNamespace(title="toy", input=axes, wake=table)


def sources() -> list[Path]:
    """Return the C files of a sleeping device of motion, without main() and port."""
    folders = ("app/wake", "app/wake/motion", "core", "wire", "duty", "stats", "drivers/replay")
    infer = ("infer", "infer/plan", "infer/ops", "infer/kernels")
    found = [p for f in (*folders, *infer) for p in sorted((FIRMWARE / f).glob("*.c"))]
    app = [FIRMWARE / "app" / name for name in ("console.c", "report.c", "session.c", "start.c")]
    return [p for p in (*found, *app) if p.name != "main.c"]


def build(folder: Path, *, always: bool = False) -> Path:
    """Compile the device with the toy model in it."""
    compiled = compile_model(toy_model(), name="toy", labels=list(LABELS), keep_input=True)
    plan = Plan.parse(compiled.plan)
    texts = {
        "gen/wire_records.h": record_files.header(SCHEMA),
        "gen/wire_records.c": record_files.source(SCHEMA),
        "plan.c": c_array(compiled.plan, "torpor_plan"),
        "model.c": config.model_source(plan.header["arena_bytes"], 16, compiled.kernels),
        "wake.c": wake.config_source(described(WAKE), plan, load_board("native"), always=always),
    }
    (folder / "gen").mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    made = [folder / name for name in texts if name.endswith(".c")]
    made += [Path(__file__).with_name("shim.c"), faulty_engine.SOURCE]
    return build_shared(folder, [*sources(), *made], wrapped=faulty_engine.WRAPPED)


@dataclass
class Device:
    """A device from its first instruction on. Its library is a copy, so that its RAM is new."""

    library: Path
    ffi: Any = field(default_factory=cffi.FFI)
    alive: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ffi.cdef(DECLARATIONS + faulty_engine.DECLARED)
        self.c = self.ffi.dlopen(str(self.library))
        self._decoder = framing.Decoder()
        self._taken = 0

    def put_scene(self, scene: Scene) -> None:
        """Let the sensor measure a scene that lies in memory."""
        content = self._bytes(pack(scene))
        self.c.shim_scene, self.c.shim_scene_bytes = content, len(pack(scene))

    def _bytes(self, content: bytes) -> Any:
        self.alive.append(self.ffi.new("uint8_t[]", content))
        return self.alive[-1]

    def start(self, **restart: Any) -> list[Record]:
        """Let it begin."""
        for name, value in restart.items():
            setattr(self.c.shim_restart, name, value)
        self.c.shim_start()
        return self.heard()

    def run(self, seconds: float, *requests: Record, mask: int = 0) -> list[Record]:
        """Let time pass; requests arrive at its beginning. Returns what the device says."""
        content = b"".join(framing.encode_frame(records.encode(r)) for r in requests)
        if content:
            self.c.shim_arriving = self._bytes(content)
            self.c.shim_arriving_length = len(content)
        self.c.shim_arriving_mask = mask
        self.c.shim_run(round(seconds * 1_000_000))
        return self.heard()

    def heard(self) -> list[Record]:
        """Return the records since the last call; everything that is no text must be one."""
        sent = bytes(self.ffi.buffer(self.c.shim_sent, self.c.shim_sent_length))
        found: list[Any] = []
        for event in self._decoder.feed(sent[self._taken :]):
            assert isinstance(event, framing.Frame | framing.Text), event
            if isinstance(event, framing.Frame):
                found.append(records.decode(event.payload))
        self._taken = len(sent)
        return found


def of(kind: type, heard: list[Record]) -> list[Any]:
    """Return the records of a kind."""
    return [record for record in heard if isinstance(record, kind)]


Maker = Callable[[], Device]


def _maker(library: Path, folder: Path) -> Iterator[Maker]:
    made = 0

    def make() -> Device:
        nonlocal made
        made += 1
        copy = folder / f"{library.parent.name}-{made}.so"
        shutil.copy(library, copy)
        return Device(copy)

    yield make


@pytest.fixture(scope="session")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wake"))


@pytest.fixture(scope="session")
def _always_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("always"), always=True)


@pytest.fixture
def device(_library: Path, tmp_path: Path) -> Iterator[Maker]:
    """Make a device that waits for its first instruction."""
    yield from _maker(_library, tmp_path)


@pytest.fixture
def always(_always_library: Path, tmp_path: Path) -> Iterator[Maker]:
    """Make one that infers all the time."""
    yield from _maker(_always_library, tmp_path)


def moving(axis: int, seconds: float, height: int = 200) -> np.ndarray:
    """Return a clip: one axis goes up and down."""
    clip = np.zeros((round(seconds * RATE), 2), np.int16)
    clip[::2, axis], clip[1::2, axis] = height, -height
    return clip


def scene(seconds: float, *events: tuple[float, int, float], height: int = 200) -> Scene:
    """Return a scene at rest, but for events: (when, axis, how long), in seconds."""
    clips = tuple(moving(axis, lasts, height) for _, axis, lasts in events)
    played = tuple(Event(round(start * RATE), i) for i, (start, _, _) in enumerate(events))
    return Scene(RATE, round(seconds * RATE), (0, 0), clips, played, noise=5, seed=1)
