# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a device answers, on every lane: the bytes of TensorFlow Lite Micro."""

import zlib

import pytest

from tests.lanes import kit
from tests.lanes.fingerprint import Observations
from tests.lanes.stand import Stand
from torpor.link import DeviceClient
from torpor.link.faults import Damage, FaultyTransport, random_faults

MEAN_GAP = 500  # bytes between two that are damaged


def test_it_says_who_it_is(bench: Stand, seen: Observations) -> None:
    hello = bench.client().hello()
    assert (hello.board, hello.model, hello.plan_status) == (bench.board.name, kit.MODEL, 0)
    assert hello.engine == bench.engine
    assert hello.plan_crc == zlib.crc32(kit.plan(8, bench.board.name, bench.engine).plan)
    assert hello.timer_hz == bench.board.timer.hz
    seen.see("hello", [hello.board, hello.model, hello.plan_crc, hello.arena_bytes])


def test_every_byte_of_held_out_windows_is_that_of_tflite_micro(
    bench: Stand, seen: Observations
) -> None:
    client, held = bench.client(), kit.held_out(8)
    for window, (inputs, wanted) in enumerate(zip(held.inputs, held.outputs, strict=True)):
        answer = client.infer(window, [inputs])
        assert answer.outputs[0] == wanted
        seen.see(f"window {window}", answer.outputs[0], everywhere=True)
    assert len(set(held.outputs)) > 1, "different windows have different answers"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_cable_that_damages_bytes_changes_no_answer(
    bench: Stand, seen: Observations, seed: int
) -> None:
    wire = FaultyTransport(
        bench.transport,
        Damage(random_faults(seed, MEAN_GAP)),
        Damage(random_faults(~seed, MEAN_GAP)),
    )
    client, held = DeviceClient(wire, timeout=0.2, tries=60), kit.held_out(8)
    for window in range(4):
        answer = client.infer(window, [held.inputs[window]])
        assert answer.outputs[0] == held.outputs[window]
        seen.see(f"window {window}", answer.outputs[0], everywhere=True)


def test_it_goes_on_after_lines_that_mean_nothing(bench: Stand, seen: Observations) -> None:
    bench.transport.write(b"\x05\x12AAAA\n\x06\x09####\nhow are you?\n" + bytes(range(256)) + b"\n")
    client, held = bench.client(), kit.held_out(8)
    answer = client.infer(3, [held.inputs[3]])
    assert answer.outputs[0] == held.outputs[3]
    seen.see("window 3", answer.outputs[0], everywhere=True)
