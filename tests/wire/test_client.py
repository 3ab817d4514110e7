# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The client against a device in Python: right answers or helpful errors, never wrong answers."""

import dataclasses
import hashlib
from collections.abc import Sequence
from itertools import islice
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smp import packet as smp_packet

from torpor.errors import DeviceError
from torpor.link import DeviceClient
from torpor.link.fake import FakeDevice, FakeTransport
from torpor.link.faults import KINDS, Damage, FaultyTransport, random_faults
from torpor.wire import framing, records

PINNED = settings(derandomize=True, deadline=None, max_examples=150)


def stretch(inputs: list[bytes], size: int) -> bytes:
    """A 'model': `size` bytes that depend on every input byte."""
    return hashlib.shake_128(b"".join(inputs)).digest(size)


def device(
    input_sizes: tuple[int, ...] = (600,), output_sizes: tuple[int, ...] = (4,), **fields: Any
) -> FakeDevice:
    def model(inputs: list[bytes]) -> list[bytes]:
        return [stretch([*inputs, bytes([i])], n) for i, n in enumerate(output_sizes)]

    return FakeDevice(model, input_sizes, output_sizes, **fields)


def client(fake: FakeDevice, noise: bytes = b"", **options: Any) -> DeviceClient:
    return DeviceClient(FakeTransport(fake, noise), first_seq=100, **options)


def inputs_for(fake: FakeDevice, seed: int = 0) -> list[bytes]:
    return [stretch([bytes([seed, i])], n) for i, n in enumerate(fake.input_sizes)]


# ---- the straight way


def test_hello_tells_who_is_there() -> None:
    hello = client(device()).hello()
    assert (hello.board, hello.input_bytes, hello.output_bytes) == ("fake", 600, 4)


@pytest.mark.parametrize(
    "input_sizes", [(1,), (256,), (257,), (600,), (3, 700, 256)], ids=lambda s: f"in{s}"
)
@pytest.mark.parametrize(
    "output_sizes",
    [(1,), (64,), (65,), (256,), (320,), (576,), (4, 4), (64, 1), (512, 256, 3), (1, 1024)],
    ids=lambda s: f"out{s}",
)
def test_outputs_of_any_size_come_back_whole(
    input_sizes: tuple[int, ...], output_sizes: tuple[int, ...]
) -> None:
    fake = device(input_sizes, output_sizes)
    inputs = inputs_for(fake)
    assert client(fake).infer(7, inputs).outputs == fake.model(inputs)


def test_best_is_the_largest_code() -> None:
    fake = FakeDevice(lambda _inputs: [bytes([0x80, 0x7F, 0x00, 0x7F])], [1], [4])
    assert client(fake).infer(0, [b"\0"]).best == 1


def test_each_window_runs_once_on_a_clean_wire() -> None:
    fake = device()
    link = client(fake)
    for window in range(5):
        inputs = inputs_for(fake, window)
        assert link.infer(window, inputs).outputs == fake.model(inputs)
    assert fake.runs == 5
    assert link.counters.resent == 0
    assert link.counters.device.dropped == 0


def test_text_and_smp_lines_between_records_are_no_obstacle() -> None:
    fake = device()
    lines: list[str] = []
    noise = fake.start() + b"warming up\r\n" + b"".join(smp_packet.encode(bytes(20)))
    link = client(fake, noise, on_text=lines.append)
    link.hello()
    assert lines == ["torpor fake", "warming up"]
    assert (link.counters.text, link.counters.smp) == (2, 1)


def test_poll_hands_over_text_without_asking_for_anything() -> None:
    fake = device()
    lines: list[str] = []
    client(fake, b"one\ntwo\n", on_text=lines.append).poll(0)
    assert lines == ["one", "two"]
    assert fake.frames == 0


def test_two_clients_in_a_row_do_not_share_sequence_numbers() -> None:
    fake = device()
    first, second = (DeviceClient(FakeTransport(fake)) for _ in range(2))
    assert abs(first.hello().seq - second.hello().seq) > 10  # by chance once in 10^8
    inputs = [inputs_for(fake, seed) for seed in range(2)]
    assert first.infer(0, inputs[0]).outputs == fake.model(inputs[0])
    assert second.infer(0, inputs[1]).outputs == fake.model(inputs[1])
    assert fake.runs == 2


def test_sequence_numbers_wrap_round_zero() -> None:
    link = DeviceClient(FakeTransport(device()), first_seq=2**32 - 1)
    assert link.hello().seq == 1


# ---- refusals


def test_another_schema_is_named_before_anything_is_run() -> None:
    fake = device(schema=0x12345678)
    with pytest.raises(DeviceError, match=r"records 12345678, this torpor") as caught:
        client(fake).infer(0, inputs_for(fake))
    assert "build and load the firmware again" in caught.value.hint
    assert fake.runs == 0


@pytest.mark.parametrize("extra", [[], ["board"], ["board", "model", 1, 2, 3, 4, 5, 6, 7]])
def test_another_schema_is_recognised_in_a_hello_of_another_shape(extra: list[Any]) -> None:
    payload = cbor2.dumps([records.Hello.spec.id, 0, 0xABCD, *extra], canonical=True)
    with pytest.raises(DeviceError, match="records 0000abcd"):
        client(device(), framing.encode_frame(payload)).hello()


def test_a_refused_plan_is_reported_and_never_run() -> None:
    fake = device(plan_status=9)
    with pytest.raises(DeviceError, match=r"refused its model: tensor \(a tensor is out"):
        client(fake).infer(0, inputs_for(fake))
    assert fake.runs == 0


@pytest.mark.parametrize(
    ("number", "message", "told", "hint"),
    [
        (6, "", "arena (the arena given is too small)", "arena=BYTES"),
        (6, "Requested: 9", "arena (tflm: Requested: 9)", "measured anew"),
        (7, "no SOFTMAX", "kernel (tflm: no SOFTMAX)", "build a firmware with this model"),
        (2, "", "version (another plan format", "update the firmware"),
        (18, "", "model (the flatbuffer is broken", "convert it again"),
        (19, "", "engine (TensorFlow Lite Micro has failed otherwise)", "`torpor verify`"),
        (250, "", "status250 (status 250, which this torpor does not know)", "compile"),
    ],
)
def test_a_refused_plan_is_told_by_name_with_the_engine_s_words_and_what_to_do(
    number: int, message: str, told: str, hint: str
) -> None:
    fake = device(plan_status=number, engine="tflm", message=message)
    with pytest.raises(DeviceError) as caught:
        client(fake).infer(0, inputs_for(fake))
    assert f"refused its model: {told}" in caught.value.message
    assert hint in caught.value.hint


def test_an_inference_that_fails_is_told_with_what_the_engine_says_then() -> None:
    fake = device(engine="tflm")
    link = client(fake)
    link.infer(0, inputs_for(fake))
    fake.fails, fake.message = True, "Node SOFTMAX (number 3) failed to invoke"
    with pytest.raises(DeviceError, match="the inference failed on the device") as caught:
        link.infer(1, inputs_for(fake))
    assert "engine (tflm: Node SOFTMAX (number 3) failed to invoke)" in caught.value.message
    assert fake.runs == 2, "it is not tried again"


def test_an_inference_that_fails_without_a_word_is_told_too() -> None:
    fake = device(fails=True)
    with pytest.raises(DeviceError, match=r"engine \(TensorFlow Lite Micro has failed"):
        client(fake).infer(1, inputs_for(fake))


def test_a_repeated_request_finds_the_failure_again() -> None:
    fake = device(fails=True)
    for _ in range(2):
        with pytest.raises(DeviceError, match="inference failed"):
            client(fake).infer(1, inputs_for(fake))
    assert fake.runs == 1


def test_inputs_of_the_wrong_size_are_refused_with_both_sizes() -> None:
    with pytest.raises(DeviceError, match="takes 600 input bytes, not 599"):
        client(device()).infer(0, [bytes(599)])


def test_inputs_split_wrongly_are_refused_by_the_device() -> None:
    with pytest.raises(DeviceError, match="bad_request"):
        client(device((300, 300))).infer(0, [bytes(299), bytes(301)])


def test_a_wrong_window_in_the_answer_is_an_error() -> None:
    fake = device()
    real = fake._run
    fake._run = lambda run: real(records.Run(run.seq, run.window + 1, run.crc))  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="window 4, not 3"):
        client(fake).infer(3, inputs_for(fake))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"index": 1}, "other bytes of output 0 than asked for"),
        ({"offset": 65}, "other bytes of output 0 than asked for"),
        ({"data": bytes(237)}, "1 more output bytes than it said"),
        ({"data": b""}, "lost its inputs or outputs 8 times in a row"),
    ],
    ids=["index", "offset", "long", "empty"],
)
def test_other_bytes_than_asked_for_are_an_error(wrong: dict[str, Any], message: str) -> None:
    fake = device(output_sizes=(300,))
    real = fake._on_read
    fake._on_read = lambda read: [  # type: ignore[method-assign]
        dataclasses.replace(answer, **wrong) for answer in real(read)
    ]
    with pytest.raises(DeviceError, match=message):
        client(fake).infer(0, inputs_for(fake))


@pytest.mark.parametrize(
    "sizes", [(256,), (64, 1), (320, 256), (3, 512, 1), (576, 64, 64, 64)], ids=str
)
def test_outputs_of_any_sizes_come_whole_and_apart(sizes: tuple[int, ...]) -> None:
    fake = device(output_sizes=sizes)
    got = client(fake).infer(0, inputs_for(fake)).outputs
    assert [len(data) for data in got] == list(sizes)
    assert got == fake.model(inputs_for(fake))


# ---- silence and noise


class Parrot:
    """A transport that answers every write with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.arrived, self.writes = answer, b"", 0

    def write(self, data: bytes) -> None:
        self.arrived += self.answer
        self.writes += 1

    def read(self, timeout: float) -> bytes:
        data, self.arrived = self.arrived, b""
        return data

    def close(self) -> None:
        self.arrived = b""


ACK = framing.encode_frame(records.encode(records.Ack(1, 0)))


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (b"", "nothing at all", "firmware is running"),
        (b"panic: stack\r\n", "only text, at last: panic: stack", "without an error"),
        (b"\xf8\x00\xc6\n", "only garbage", "baud rate"),
        (b"\x05\x12AAAA!\n", "only garbage", "baud rate"),
        (ACK, "only ack records", "another program"),
    ],
    ids=["nothing", "text", "noise", "broken-frames", "others"],
)
def test_no_answer_says_what_came_instead(answer: bytes, message: str, hint: str) -> None:
    parrot = Parrot(answer)
    with pytest.raises(DeviceError, match=message) as caught:
        DeviceClient(parrot, tries=3, timeout=0.5).hello()
    assert "no answer to ping in 3 tries, 1.5 s" in caught.value.message
    assert hint in caught.value.hint
    assert parrot.writes == 3


def test_a_run_is_waited_for_longer_and_longer_but_not_for_ever() -> None:
    parrot = Parrot(b"")
    link = DeviceClient(parrot, tries=2, timeout=1, run_timeout=60)
    with pytest.raises(DeviceError, match="no answer to run in 9 tries, 66 s"):
        link.request(records.Run(1, 0, 0), "result")


# ---- damage

fault_lists = st.lists(
    st.tuples(st.integers(0, 900), st.sampled_from(KINDS), st.integers(1, 255)), max_size=12
)


def run_damaged(to_device: Any, to_host: Any, **options: Any) -> tuple[FakeDevice, bool]:
    """Three windows over a bad wire; every answer is checked. False if the client gave up."""
    fake = device((300, 20), (70, 3))
    wire = FaultyTransport(FakeTransport(fake), Damage(to_device), Damage(to_host))
    link = DeviceClient(wire, first_seq=2**32 - 20, **options)
    for window in range(3):
        inputs = inputs_for(fake, window)
        try:
            inference = link.infer(window, inputs)
        except DeviceError:
            return fake, False
        assert inference.outputs == fake.model(inputs)
    return fake, True


@given(fault_lists, fault_lists)
@PINNED
def test_a_few_damaged_bytes_never_change_an_answer_nor_lose_one(
    to_device: list[tuple[int, str, int]], to_host: list[tuple[int, str, int]]
) -> None:
    tries = len(to_device) + len(to_host) + 2
    _, answered = run_damaged(to_device, to_host, tries=tries)
    assert answered


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("gap", [60, 400, 2000])
def test_a_steadily_bad_wire_gives_the_right_answer_or_an_error(seed: int, gap: int) -> None:
    _, answered = run_damaged(random_faults(seed, gap), random_faults(~seed, gap), tries=30)
    assert answered or gap == 60


@pytest.mark.parametrize("side", ["to_device", "to_host"])
def test_a_device_that_restarts_in_between_is_given_its_inputs_again(side: str) -> None:
    fake = device()
    link = client(fake)
    link.hello()
    real = fake._on_run
    fresh = device()

    def restart_first(run: Any) -> Any:
        fake._on_run = real  # type: ignore[method-assign]
        fake._inputs = fresh._inputs
        fake.restart()
        return real(run) if side == "to_device" else []

    fake._on_run = restart_first  # type: ignore[method-assign]
    inputs = inputs_for(fake)
    assert link.infer(0, inputs).outputs == fake.model(inputs)


def test_outputs_lost_by_a_restart_are_computed_again() -> None:
    fake = device(output_sizes=(300,))
    real = fake._on_read

    def forget_first(read: Any) -> Any:
        fake._on_read = real  # type: ignore[method-assign]
        fake.restart()
        return real(read)

    fake._on_read = forget_first  # type: ignore[method-assign]
    inputs = inputs_for(fake)
    assert client(fake).infer(0, inputs).outputs == fake.model(inputs)
    assert fake.runs == 2


def test_inputs_that_never_arrive_undamaged_end_in_an_error() -> None:
    fake = device()
    fake._run = lambda run: records.Result(run.seq, 2, run.window, 0, 0, 0, 0, b"")  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="lost its inputs or outputs 3 times"):
        client(fake, tries=3).infer(0, inputs_for(fake))


# ---- models with state


class Summing:
    """A model with state: its output depends on every input since the last reset."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def forget(self) -> None:
        self.seen.clear()

    def __call__(self, inputs: list[bytes]) -> list[bytes]:
        self.seen += inputs
        return [stretch(self.seen, 70)]


def stateful() -> FakeDevice:
    model = Summing()
    return FakeDevice(model, [300], [70], on_reset=model.forget)


def run_sequence(link: DeviceClient, fake: FakeDevice, count: int) -> None:
    """Run windows from a reset on; every answer must be that of a model that ran each once."""
    alone = Summing()
    link.reset()
    for window in range(count):
        inputs = inputs_for(fake, window)
        inference = link.infer(window, inputs)
        assert inference.outputs == alone(inputs)
        assert inference.runs == window + 1


def test_a_sequence_keeps_the_state_and_a_reset_begins_again() -> None:
    fake = stateful()
    link = client(fake)
    for _ in range(3):
        run_sequence(link, fake, 4)
    assert fake.runs == 12


@given(fault_lists, fault_lists)
@PINNED
def test_a_few_damaged_bytes_never_advance_a_state_twice(
    to_device: list[tuple[int, str, int]], to_host: list[tuple[int, str, int]]
) -> None:
    fake = stateful()
    wire = FaultyTransport(FakeTransport(fake), Damage(to_device), Damage(to_host))
    run_sequence(DeviceClient(wire, tries=len(to_device) + len(to_host) + 2), fake, 4)
    assert fake.runs == 4


@pytest.mark.parametrize("window", [1, 2])
def test_a_state_lost_by_a_restart_is_an_error_not_a_wrong_answer(window: int) -> None:
    fake = stateful()
    link = client(fake)
    run_sequence(link, fake, window)
    fake.restart()
    with pytest.raises(DeviceError, match=f"has run 1 windows since .* not {window + 1}") as caught:
        link.infer(window, inputs_for(fake, window))
    assert "reset" in caught.value.hint
    run_sequence(link, fake, 2)


def test_without_a_reset_nobody_counts() -> None:
    fake = device()
    link = client(fake)
    for window in range(2):
        fake.restart()
        assert link.infer(window, inputs_for(fake)).runs == 1


def test_a_refused_model_cannot_be_reset() -> None:
    with pytest.raises(DeviceError, match=r"refused its model: tensor \(a tensor is out"):
        client(device(plan_status=9)).reset()


def test_another_plan_than_expected_is_an_error() -> None:
    link = client(device())
    with pytest.raises(DeviceError, match="embeds another plan"):
        link.expect_plan(b"plan")
    link.expect_plan(b"")  # the CRC-32 of nothing is the fake's 0


# ---- inputs that come another way


def test_loaded_inputs_are_announced_and_only_run_over_the_wire() -> None:
    fake = device((600, 20))
    heard: list[str] = []
    real = fake._on_input

    def load(inputs: Sequence[bytes]) -> None:
        heard.append("load")
        for memory, data in zip(fake._inputs, inputs, strict=True):
            memory[:] = data

    def listen(part: Any) -> Any:
        heard.append(f"input of {len(part.data)}")
        return real(part)

    fake._on_input = listen  # type: ignore[method-assign]
    inputs = inputs_for(fake)
    assert client(fake, load=load).infer(0, inputs).outputs == fake.model(inputs)
    assert heard == ["input of 0", "load"]


def test_loaded_inputs_that_did_not_arrive_are_never_run() -> None:
    fake = device()
    with pytest.raises(DeviceError, match="lost its inputs or outputs 3 times"):
        client(fake, load=lambda _inputs: None, tries=3).infer(0, inputs_for(fake))
    assert fake.runs == 0


# ---- the bad wire itself


def test_damage_does_what_it_says() -> None:
    faults = [(1, "flip", 0x01), (0, "drop", 1), (1, "duplicate", 1), (0, "insert", 0x78)]
    damage = Damage(faults)
    assert damage.apply(b"aaZ") + damage.apply(b"bcdef") == b"a`b" + b"cc" + b"xdef"
    assert damage.done == 4


def test_random_faults_repeat_for_a_seed_and_come_as_often_as_asked() -> None:
    first, again = (list(islice(random_faults(5, 100), 2000)) for _ in range(2))
    assert first == again
    mean = sum(gap for gap, _, _ in first) / len(first)
    assert 90 < mean < 110
    assert {kind for _, kind, _ in first} == set(KINDS)
