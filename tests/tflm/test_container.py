# SPDX-License-Identifier: Apache-2.0
"""A plan for TensorFlow Lite Micro: the .tflite unchanged, and what firmware must know of it."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.small_models import SCALES, one_dense, small_cnn
from tests.support.tflite_builder import GraphBuilder
from torpor.engine.library import INFER
from torpor.errors import ModelError, UnsupportedError, UsageError
from torpor.graph import read_tflite
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan
from torpor.tflm import check as checker
from torpor.tflm import container
from torpor.tflm.arena import Arena, HostArena
from torpor.tflm.check import check, parts, refuse_unsound, registration_table
from torpor.tflm.container import Contained, contain_model, keeps_state
from torpor.tflm.resolver import words_of

MODEL = small_cnn()
HOST = HostArena(4000, 3990, ((3984, "too small"), (4000, "enough")))
OWN = CONST["PLAN_TFLM_BYTES"]


@pytest.fixture(autouse=True)
def measured_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The arena of this computer: test_arena.py measures it."""
    monkeypatch.setattr(container, "measure_host", lambda tflite: HOST)


def contained(model: bytes = MODEL, **options: Any) -> tuple[Contained, Plan]:
    made = contain_model(model, **options)
    return made, Plan.parse(made.plan)


def test_the_tflite_is_the_data_section_unchanged_and_aligned() -> None:
    made, plan = contained()
    assert plan.data == MODEL
    start = plan.header["data"]
    assert start % 16 == 0 and made.plan[start : start + len(MODEL)] == MODEL


def test_the_header_says_what_it_is() -> None:
    made, plan = contained(name="cnn", labels=list("abcde"))
    header = plan.header
    assert header["target"] == CONST["PLAN_TARGET_TFLM"] and header["flags"] == 0
    assert header["n_ops"] == header["n_states"] == header["ops_bytes"] == 0
    assert header["arena_align"] == 16 and header["arena_bytes"] == OWN + HOST.bytes
    assert list(header["kernels"]) == words_of(made.kernels)
    assert plan.name == "cnn" and plan.labels == ("a", "b", "c", "d", "e")


def test_inputs_and_outputs_have_tensors_of_their_own() -> None:
    _, plan = contained()
    assert plan.tensors == (
        {"offset": 0, "bytes": 9 * 7 * 3, "first": 0, "last": 1},
        {"offset": 0, "bytes": 5, "first": 0, "last": 1},
    )
    [x], [y] = plan.inputs, plan.outputs
    assert (x["tensor"], y["tensor"]) == (0, 1)
    assert x["dims"] == (1, 9, 7, 3, 1) and x["rank"] == 4 and x["zero_point"] == -5
    assert x["scale"] == np.float32(0.04) and plan.string(x["name"]) == "window"
    assert (y["scale"], y["zero_point"]) == (1 / 256, -128)


def test_an_output_that_is_listed_twice_has_two_tensors() -> None:
    g = GraphBuilder()
    y = g.unary("RELU", g.input((1, 4)))
    _, plan = contained(g.build([y, y]))
    assert [io["tensor"] for io in (*plan.inputs, *plan.outputs)] == [0, 1, 2]


def two_inputs() -> bytes:
    g = GraphBuilder()
    a, b = g.input((1, 3), scale=0.1), g.input((1, 17, 3), scale=0.1)
    return g.build([g.add(a, b, scale=0.2)])


def test_kept_inputs_are_filled_up_to_sixteen_each() -> None:
    made, plan = contained(two_inputs(), keep_input=True)
    assert plan.header["flags"] == CONST["PLAN_FLAG_KEEP_INPUT"]
    assert made.report.kept_input_bytes == 16 + 64
    assert plan.header["arena_bytes"] == OWN + 16 + 64 + HOST.bytes


def test_the_arena_that_was_measured_on_a_core_counts() -> None:
    made, plan = contained(arena=Arena(3008, "board", "mps2_an386", 900))
    assert plan.header["arena_bytes"] == OWN + 3008
    assert "3008  tensor arena, measured on the emulated mps2_an386; stack 900" in (
        made.report.to_text()
    )


def test_extra_bytes_travel_with_it() -> None:
    _, plan = contained(extra=b"reference!")
    assert plan.extra == b"reference!" and plan.data == MODEL


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert contain_model(MODEL, name="n").plan == contain_model(MODEL, name="n").plan


# ---- state


def variable() -> bytes:
    g = GraphBuilder()
    x = g.input((1, 4), scale=0.1)
    handle = g.var_handle("v")
    old = g.read_variable(handle, (1, 4), scale=0.1)
    y = g.add(x, old, scale=0.1)
    g.assign_variable(handle, y)
    return g.build([y])


def svdf() -> bytes:
    g = GraphBuilder()
    x = g.input((1, 3), scale=0.1)
    feature = g.constant(np.ones((2, 3)), scale=0.1)
    time = g.constant(np.ones((2, 4)), "int16", scale=0.1)
    state = g.tensor((1, 8), "int16", scale=0.1, is_variable=True)
    return g.build([g.svdf(x, feature, time, state, scale=0.1)])


def in_a_subgraph() -> bytes:
    g = GraphBuilder()
    g.subgraph().var_handle("v")
    return g.build([g.unary("RELU", g.input((1, 4)))])


@pytest.mark.parametrize("make", [variable, svdf, in_a_subgraph])
def test_models_that_keep_something_have_the_flag(make: Any) -> None:
    made, plan = contained(make())
    assert plan.header["flags"] == CONST["PLAN_FLAG_STATE"] and made.report.state


def test_models_that_keep_nothing_have_it_not() -> None:
    assert not keeps_state(read_tflite(MODEL)) and not contained()[0].report.state


# ---- what is refused


def test_labels_must_fit_the_output() -> None:
    with pytest.raises(UsageError, match="3 labels for an output of 5 elements"):
        contain_model(MODEL, labels=["a", "b", "c"])


def test_ends_are_held_to_what_plans_can_say() -> None:
    g = GraphBuilder()
    x = g.input((1, 1, 1, 1, 1, 4), scale=0.1)
    with pytest.raises(UnsupportedError, match="more than 5 dimensions"):
        contain_model(g.build([g.unary("RELU", x)]))


def test_a_broken_file_is_refused() -> None:
    with pytest.raises(ModelError, match="identifier TFL3 missing"):
        contain_model(b"no model")


def test_an_arena_without_end_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="bytes of arena"):
        contain_model(MODEL, arena=Arena(1 << 30, "given"))


def test_refused_operators_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "measure_host", None)
    with pytest.raises(UnsupportedError, match="per channel"):
        contain_model(one_dense(dtype="int4", scale=list(SCALES[:2])))


# ---- firmware's own check


@pytest.mark.parametrize("keep_input", [False, True], ids=["", "keep-input"])
@pytest.mark.parametrize(
    "make", [small_cnn, lambda: small_cnn(weight="int4"), two_inputs, variable, svdf]
)
def test_firmware_accepts_what_is_made(make: Any, keep_input: bool) -> None:
    made = contain_model(make(), keep_input=keep_input, labels=[], extra=b"12345")
    assert check(made.plan, sanitizer="undefined").ok


def test_a_damaged_plan_is_refused_with_where() -> None:
    made, plan = contained()
    broken = bytearray(made.plan)
    broken[plan.header["data"]] ^= 0x80
    assert check(bytes(broken), sanitizer="undefined").name == "model"
    with pytest.raises(ModelError, match="firmware would refuse the model: model, in its "):
        refuse_unsound(bytes(broken))
    with pytest.raises(ModelError, match="length, index -1"):
        refuse_unsound(made.plan[:-16])


def test_the_parts_of_a_flatbuffer_have_names() -> None:
    assert parts()[0] == "none" and parts()[6] == "tensor"
    assert sorted(parts()) == list(range(len(parts())))


def test_the_check_knows_the_registrations_of_the_table() -> None:
    table = registration_table(["ABS", "CONV_2D_INT8"])
    assert "tflm_registrations[4] = {0x00000001u, 0x00000000u, 0x08000000u, 0x00000000u};" in table
    for name in checker.SOURCES:
        assert (INFER / "tflm" / name).is_file()


# ---- the report


def test_the_report_has_what_the_build_and_bench_read() -> None:
    made, _ = contained(arena=Arena(3008, "board", "mps2_an386", 900))
    found = json.loads(made.report.to_json())
    assert found["engine"] == "tflm" and found["ops"] == []
    assert found["kernels"] == list(made.kernels) and found["plan_bytes"] == len(made.plan)
    assert found["arena"] == {"bytes": OWN + 3008, "engine": OWN, "kept_inputs": 0}
    assert found["tensor_arena"] == {
        "bytes": 3008, "source": "board", "board": "mps2_an386", "stack": 900, "host": 4000,
        "host_lower_bound": 3990, "host_probes": [[3984, "too small"], [4000, "enough"]],
    }  # fmt: skip
    assert sum(found["sections"].values()) == len(made.plan)
    assert found["sections"]["data"] == found["model_bytes"] == len(MODEL)
    [conv] = [r for r in found["registrations"] if r["name"] == "CONV_2D_INT8"]
    assert conv["operators"] == 1 and conv["types"] == ["int8"] and conv["reason"]


def test_the_report_says_for_people_where_the_arena_comes_from() -> None:
    report = contained(name="cnn")[0].report
    text = report.to_text()
    assert text.startswith(f"cnn: plan {report.plan_bytes} bytes (.tflite {len(MODEL)})")
    assert "4000  tensor arena, measured on this computer (64 bits, reference kernels)" in text
    assert "  CONV_2D_INT8              1 x int8: fits all uses" in text
    given = replace(report, arena=Arena(4800, "given"), kept_input_bytes=64).to_text()
    assert "4800  tensor arena, given by the user" in given and "64  kept inputs" in given
    assert "(4000 on this computer: 64 bits, reference kernels)" in given
