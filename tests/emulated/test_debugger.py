# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Inputs that are loaded into an emulated device's memory, with a debug port that pretends."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulated.conftest import Device, Reference
from tests.emulated.processes import elf_with
from tests.support.small_models import small_cnn
from tests.support.tflite_builder import GraphBuilder
from torpor import emulate
from torpor.compile import compile_model
from torpor.emulate import debugger, firmware
from torpor.emulate.debugger import (
    Code,
    Debugger,
    InputLoader,
    Place,
    Store,
    functions,
    input_loader,
)
from torpor.emulate.image import Image
from torpor.errors import DeviceError, UsageError
from torpor.golden import Golden
from torpor.link import DeviceClient
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan

PACKET = re.compile(rb"\$([^#]*)#([0-9a-f]{2})")


class Probe:
    """A debug port with a memory, and a core that makes one step after the other.

    Gives its answers in pieces of `piece` bytes.

    Args:
        size: of the memory, which begins at 0.
        piece: how many bytes one read brings.
        running: whether the core runs.
    """

    def __init__(self, size: int = 1 << 16, piece: int = 1 << 20, *, running: bool = True) -> None:
        self.memory, self.running, self.stops = bytearray(size), running, 0
        self.arrived, self.piece, self.longest, self.closed = b"", piece, 0, False
        self.steps, self.places, self.wrong = 0, set[bytes](), b""

    def fileno(self) -> int:
        raise AssertionError("nobody waits for this one")

    def write(self, data: bytes) -> None:
        if data == debugger.INTERRUPT:
            assert self.running
            self.running, self.stops = False, self.stops + 1
            self.answer(b"T02thread:p01.01;")
            return
        for found in PACKET.finditer(data):
            assert int(found[2], 16) == sum(found[1]) % 256
            self.longest = max(self.longest, len(found[0]))
            self._obey(found[1])

    def _obey(self, packet: bytes) -> None:
        assert not self.running
        self.arrived += b"+"
        if packet == b"c":
            self.running = True
        elif packet == b"s":
            self.steps += 1
            self.answer(b"T05thread:p01.01;")
        elif packet.startswith((b"Z", b"z")):
            (self.places.add if packet[:1] == b"Z" else self.places.remove)(packet[1:])
            self.answer(self.wrong or b"OK")
        elif packet.startswith(b"m"):
            address, length = (int(word, 16) for word in packet[1:].split(b","))
            assert 2 * length <= 4096
            data = self.memory[address : address + length]
            self.answer(data.hex().encode() if len(data) == length else b"E14")
        else:
            self._store(packet)

    def _store(self, packet: bytes) -> None:
        words = re.fullmatch(rb"M([0-9a-f]+),([0-9a-f]+):([0-9a-f]*)", packet)
        assert words, packet
        address, length = int(words[1], 16), int(words[2], 16)
        data = bytes.fromhex(words[3].decode())
        assert len(data) == length
        fits = address + length <= len(self.memory)
        if fits:
            self.memory[address : address + length] = data
        self.answer(b"OK" if fits else b"E14")

    def answer(self, packet: bytes) -> None:
        self.arrived += b"$%s#%02x" % (packet, sum(packet) % 256)

    def read(self, timeout: float) -> bytes:
        data, self.arrived = self.arrived[: self.piece], self.arrived[self.piece :]
        return data

    def close(self) -> None:
        self.closed = True


# ---- the debug port


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=9000)), max_size=4),
    st.integers(1, 40),
)
def test_every_byte_arrives_at_its_address(pieces: list[tuple[int, bytes]], piece: int) -> None:
    probe, expected = Probe(piece=piece), bytearray(1 << 16)
    port = Debugger(probe)
    for _ in range(2):
        port.write(pieces)
        assert probe.running
    for address, data in pieces:
        expected[address : address + len(data)] = data
    assert probe.memory == expected
    assert probe.stops == 2


def test_a_packet_is_not_longer_than_qemu_takes() -> None:
    probe = Probe(1 << 20)
    Debugger(probe).write([(0xFFFFF - 30000, bytes(30000))])
    assert 3000 < probe.longest <= 4096 - len("fff00000") + len("fffff")


def test_an_address_without_memory_is_named() -> None:
    with pytest.raises(DeviceError, match=r"refuses 2 bytes at 0xffff: b'E14'"):
        Debugger(Probe()).write([(0xFFFF, b"ab")])


def test_a_port_that_is_silent_is_an_error() -> None:
    class Silent(Probe):
        def write(self, data: bytes) -> None:
            pass

    with pytest.raises(DeviceError, match="has not answered for 10 s"):
        Debugger(Silent()).write([(0, b"a")])


@settings(deadline=None)
@given(st.integers(0, 9000), st.integers(0, 9000), st.integers(1, 40))
def test_every_byte_of_memory_is_read(address: int, length: int, piece: int) -> None:
    probe = Probe(piece=piece)
    probe.memory[:] = bytes(i * 7 % 251 for i in range(len(probe.memory)))
    assert Debugger(probe).read(address, length) == probe.memory[address : address + length]
    assert probe.running


def test_memory_that_is_not_there_is_not_read() -> None:
    probe = Probe()
    with pytest.raises(DeviceError, match=r"does not read 2 bytes at 0xffff: b'E14'"):
        Debugger(probe).read(0xFFFF, 2)
    assert probe.running, "the core goes on all the same"


def test_a_core_that_stands_still_is_not_stopped_and_stays_so() -> None:
    probe = Probe(running=False)
    port = Debugger(probe, running=False)
    port.write([(1, b"ab")])
    with port.paused(), port.paused():
        assert port.read(0, 4) == b"\0ab\0"
    assert (probe.stops, probe.running) == (0, False)
    port.resume()
    with port.paused(), port.paused():
        assert not probe.running
    assert (probe.stops, probe.running) == (1, True)


def test_places_are_set_and_taken_back_and_a_step_is_one_step() -> None:
    probe = Probe(running=False)
    port = Debugger(probe, running=False)
    places: list[Place] = [Code(0x1234), Store(0x21000000, 0x1000)]
    port.set_places(places)
    assert probe.places == {b"1,1234,2", b"2,21000000,1000"}
    port.step()
    port.clear_places(places[:1])
    assert (probe.steps, probe.places) == (1, {b"2,21000000,1000"})
    probe.wrong = b"E22"
    with pytest.raises(DeviceError, match=r"refuses to stop at Code\(address=9\): b'E22'"):
        port.set_places([Code(9)])


@pytest.mark.parametrize("piece", [1, 3, 100])
def test_a_core_that_stops_by_itself_is_noticed_once(piece: int) -> None:
    probe = Probe(running=False, piece=piece)
    port = Debugger(probe, running=False)
    assert port.has_stopped(), "it never ran"
    port.resume()
    assert not port.has_stopped()
    probe.running = False
    probe.answer(b"T05thread:p01.01;watch:21000000;")
    assert port.has_stopped() and port.has_stopped()
    port.pause()
    assert probe.stops == 0


def test_functions_are_where_their_code_is(tmp_path: Path) -> None:
    source = tmp_path / "f.s"
    source.write_text(
        ".thumb\n.global f, g\n.type f, %function\n.type g, %function\n.thumb_func\n"
        "f: bx lr\n.thumb_func\ng: bx lr\n"
    )
    elf = tmp_path / "f.elf"
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m0", "-nostdlib", "-Wl,-Ttext=0x100,-e,f"]
    subprocess.run([*command, str(source), "-o", str(elf)], check=True)
    assert functions(elf, "f", "g") == [Code(0x100), Code(0x102)]
    with pytest.raises(UsageError, match="has no symbol h"):
        functions(elf, "f", "h")


def test_functions_of_a_process_may_begin_anywhere(tmp_path: Path) -> None:
    source = tmp_path / "f.s"
    source.write_text(".byte 0\n.global f\n.type f, %function\nf: .byte 0\n")
    elf = tmp_path / "f.elf"
    command = ["gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x401000,-e,f"]
    subprocess.run([*command, str(source), "-o", str(elf)], check=True)
    assert functions(elf, "f") == [Code(0x401001)]


def test_closing_closes_the_port() -> None:
    probe = Probe()
    Debugger(probe).close()
    assert probe.closed


# ---- what the ELF file says


def test_an_image_has_segments_and_no_symbols_where_there_are_none(tmp_path: Path) -> None:
    image = Image.read(elf_with(tmp_path, (0x100, b"code", 4), (0x8000, b"", 64)))
    assert image.segments == ((0x100, b"code"),)
    with pytest.raises(UsageError, match="has no symbol model_arena") as caught:
        image.place("model_arena")
    assert "not stripped" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"no ELF", b"\x7fELF", bytes(100)])
def test_a_file_that_is_no_elf_has_no_image(tmp_path: Path, content: bytes) -> None:
    elf = tmp_path / "f.elf"
    elf.write_bytes(content)
    with pytest.raises(UsageError, match="is no ELF file"):
        Image.read(elf)


def test_an_object_has_the_bytes_at_its_address() -> None:
    symbols = {"a": (0x12, 2), "end": (0x1E, 2), "beyond": (0x1F, 2), "before": (0xF, 2)}
    image = Image(Path("f"), ((0x100, bytes(16)), (0x10, bytes(range(16)))), symbols)
    assert image.content("a") == b"\2\3"
    assert image.content("end") == b"\x0e\x0f"
    for name in ("beyond", "before"):
        with pytest.raises(UsageError, match=f"no bytes for {name}"):
            image.content(name)


# ---- the loader

ARENA = 0x4000


@pytest.fixture(scope="module")
def plan() -> bytes:
    return compile_model(small_cnn(), name="small").plan


def image_with(plan: bytes) -> Image:
    symbols = {"torpor_plan": (0, len(plan)), "model_arena": (ARENA, 4096)}
    return Image(Path("f"), ((0, plan),), symbols)


def test_inputs_are_put_where_the_plan_has_them(plan: bytes) -> None:
    probe = Probe()
    data = bytes(i % 251 for i in range(189))
    InputLoader(Debugger(probe).write, image_with(plan))([data])
    parsed = Plan.parse(plan)
    start = ARENA + parsed.tensors[parsed.inputs[0]["tensor"]]["offset"]
    assert probe.memory[start : start + len(data)] == data
    assert probe.memory.count(0) == len(probe.memory) - len(data.replace(b"\0", b""))


@pytest.mark.parametrize("lengths", [[], [188], [190], [189, 1]])
def test_inputs_of_other_sizes_are_refused_and_nothing_is_written(
    plan: bytes, lengths: list[int]
) -> None:
    probe = Probe()
    with pytest.raises(DeviceError, match=r"the model takes \[189\]"):
        InputLoader(Debugger(probe).write, image_with(plan))([bytes(n) for n in lengths])
    assert probe.stops == 0


def test_where_the_engine_decides_about_places_nothing_is_loaded(plan: bytes) -> None:
    probe = Probe()
    assert input_loader(Debugger(probe).write, image_with(plan)) is not None
    theirs = plan[:6] + bytes([CONST["PLAN_TARGET_TFLM"]]) + plan[7:]
    assert Plan.parse(theirs).header["target"] == CONST["PLAN_TARGET_TFLM"]
    assert input_loader(Debugger(probe).write, image_with(theirs)) is None


# ---- the firmware that ships


@pytest.mark.emulated
def test_loaded_inputs_give_the_bytes_of_tflite_micro(device: Device, reference: Reference) -> None:
    """Without one byte of input on the wire; every second input goes over it all the same."""
    load = device.emulator.input_loader()
    assert (load is None) == (device.board.name == "native")
    wire = DeviceClient(device.emulator.transport, timeout=20)
    loading = DeviceClient(device.emulator.transport, timeout=20, load=load)
    ticks = set()
    for window, inputs in enumerate(reference.inputs[:8]):
        answer = (loading if window % 2 else wire).infer(window, [inputs])
        assert answer.outputs == reference.outputs[window], f"window {window}"
        ticks.add(loading.infer(100 + window, [reference.inputs[0]]).ticks)
    assert loading.counters.resent == wire.counters.resent == 0
    if load:
        assert max(ticks) - min(ticks) < 20, "more than the timer's own interrupt came between"


@pytest.mark.emulated
def test_a_large_input_costs_no_more_on_the_wire_than_a_small_one(
    qemu_program: str, tmp_path: Path
) -> None:
    graph = GraphBuilder()
    image = graph.input((1, 96, 96, 3))
    path = tmp_path / "large.tflite"
    path.write_bytes(graph.build([graph.pool_2d("MAX_POOL_2D", image, (8, 8), stride=(8, 8))]))
    made = firmware.build("mps2_an386", path)
    golden, random_codes = Golden(made.model), np.random.default_rng(1)
    with emulate.start("mps2_an386", made.elf) as emulator:
        client = DeviceClient(emulator.transport, timeout=20, load=emulator.input_loader())
        client.hello()
        for window in range(3):
            sent = client.counters.sent
            codes = random_codes.integers(-128, 128, (1, 96, 96, 3)).astype(np.int8)
            (output,) = client.infer(window, [codes.tobytes()]).outputs
            assert output == golden.invoke([codes])[0].tobytes()
            reads = -(-(len(output) - 64) // 256)  # what does not fit into the result
            assert client.counters.sent - sent == 2 + reads
