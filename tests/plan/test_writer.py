# SPDX-License-Identifier: Apache-2.0
"""Plans: complete headers, packed weights, the same bytes every time, and a C array of them."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.small_models import one_dense, small_cnn
from tests.support.tflite_builder import GraphBuilder
from torpor.cli.main import dispatch
from torpor.compile import compile_model
from torpor.compile.code_sizes import estimates
from torpor.compile.weights import pack_s4
from torpor.engine import check
from torpor.errors import ModelError, TorporError, UnsupportedError
from torpor.graph.model import unpack_int4
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan
from torpor.plan.writer import Data, c_array, pack_record, pack_struct

MODEL = small_cnn()
LABELS = ("sit", "walk", "jump", "wéit", "")


def test_the_header_is_complete() -> None:
    compiled = compile_model(MODEL, name="gait", labels=LABELS, keep_input=True)
    plan = Plan.parse(compiled.plan)
    header = plan.header
    assert header["flags"] == CONST["PLAN_FLAG_KEEP_INPUT"]
    assert header["target"] == CONST["PLAN_TARGET_PORTABLE"]
    assert header["length"] == len(compiled.plan) and len(compiled.plan) % 16 == 0
    assert header["data"] % 16 == 0
    assert header["arena_bytes"] == compiled.report.arena.bytes
    assert (header["n_inputs"], header["n_outputs"]) == (1, 1)
    assert plan.name == "gait" and plan.labels == LABELS


def test_the_bit_set_of_kernels_is_what_the_records_use() -> None:
    compiled = compile_model(MODEL)
    plan = Plan.parse(compiled.plan)
    bits = {c for c in range(64) if plan.header["kernels"][c // 32] >> c % 32 & 1}
    assert bits == {op.fields["op"]["code"] for op in plan.ops}
    assert compiled.kernels == tuple(sorted({op.name for op in plan.ops}))


def test_inputs_and_outputs_are_described() -> None:
    plan = Plan.parse(compile_model(MODEL).plan)
    (x,) = plan.inputs
    assert plan.string(x["name"]) == "window"
    assert (x["rank"], x["dims"], x["zero_point"]) == (4, (1, 9, 7, 3, 1), -5)
    assert x["scale"] == float(np.float32(0.04))
    assert plan.outputs[0]["zero_point"] == -128


def test_steps_of_tensors_follow_the_operators() -> None:
    plan = Plan.parse(compile_model(MODEL).plan)
    n = plan.header["n_ops"]
    assert plan.tensors[plan.inputs[0]["tensor"]]["first"] == 0
    assert plan.tensors[plan.outputs[0]["tensor"]]["last"] == n + 1
    for step, op in enumerate(plan.ops, 1):
        assert plan.tensors[op.fields["y"]]["first"] == step


def test_kept_inputs_live_until_the_end_and_the_cost_is_told() -> None:
    free, kept = compile_model(MODEL), compile_model(MODEL, keep_input=True)
    plan = Plan.parse(kept.plan)
    assert plan.tensors[plan.inputs[0]["tensor"]]["last"] == plan.header["n_ops"] + 1
    cost = kept.report.arena.bytes - free.report.arena.bytes
    assert kept.report.arena.keep_input_cost == cost > 0
    assert f"costs {cost} bytes" in kept.report.to_text()


@pytest.mark.parametrize("odd", [1, 3, 7])
def test_int4_rows_start_at_whole_bytes(odd: int) -> None:
    rows = np.arange(3 * odd).reshape(3, odd) % 15 - 7
    packed = pack_s4(rows)
    size = (odd + 1) // 2
    assert len(packed) == 3 * size
    for i in range(3):
        assert unpack_int4(packed[i * size : (i + 1) * size], odd).tolist() == rows[i].tolist()
        assert packed[(i + 1) * size - 1] >> 4 == 0


def test_equal_weights_are_stored_once() -> None:
    g = GraphBuilder()
    x = g.input((1, 64), scale=0.1)
    w = g.constant(np.arange(64 * 64).reshape(64, 64) % 200 - 99, scale=0.05)
    y = g.fully_connected(x, w, scale=0.2)
    report = compile_model(g.build([g.fully_connected(y, w, scale=0.2)])).report
    assert report.sections["data"] < 2 * 64 * 64
    assert report.ops[1].data.shared_bytes >= 64 * 64


def test_pieces_of_data_are_aligned_and_found_again() -> None:
    data = Data()
    assert data.add(b"abc") == (0, True)
    assert data.add(b"defg") == (4, True)
    assert data.add(b"abc") == (0, False)
    assert bytes(data.data) == b"abc\0defg"


def test_a_record_with_an_unknown_member_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        pack_record("COPY", 0, {"by": 1})
    with pytest.raises(OverflowError):
        pack_struct("plan_copy_t", {"x": 1 << 16})


def test_the_c_array_holds_the_same_bytes() -> None:
    plan = compile_model(MODEL).plan
    text = c_array(plan, "my_plan")
    listed = re.findall(r"0x([0-9a-f]{2})", text)
    assert bytes(int(b, 16) for b in listed) == plan
    assert "_Alignas(16) const uint8_t my_plan[]" in text
    assert f"const uint32_t my_plan_length = {len(plan)};" in text


def test_the_c_array_compiles_without_a_warning(tmp_path: Path) -> None:
    source = tmp_path / "plan.c"
    source.write_text(c_array(compile_model(MODEL).plan, "torpor_plan"))
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"]
    subprocess.run(["gcc", *flags, str(source)], check=True)


PROGRAM = """
import sys
import time
from torpor.cli.main import main
sys.argv = ["torpor", "compile", sys.argv[1], "-o", sys.argv[2], "--labels", "a,b,c,d,e"]
sys.exit(main())
"""


def test_two_runs_in_two_folders_with_other_hash_seeds_give_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for seed in ("1", "77"):
        folder = tmp_path / f"run{seed}"
        folder.mkdir()
        (folder / "gait.tflite").write_bytes(MODEL)
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(folder / "gait.tflite"), str(folder / "out")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=folder,
            check=True,
            capture_output=True,
        )
        files = sorted((folder / "out").iterdir())
        written.append({f.name: f.read_bytes() for f in files})
    assert written[0] == written[1]
    assert set(written[0]) == {"plan.bin", "plan.c", "kernels.txt", "report.json"}
    assert written[0]["kernels.txt"].decode().split() == list(compile_model(MODEL).kernels)


def test_the_command_prints_the_report_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(one_dense())
    assert dispatch(["compile", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["name"] == "tiny"
    assert report["plan_bytes"] == len(compile_model(one_dense(), name="tiny").plan)


def test_the_command_names_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*nothing\.tflite"):
        dispatch(["compile", str(tmp_path / "nothing.tflite")])


def test_the_command_names_a_folder_that_it_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(one_dense())
    with pytest.raises(TorporError, match="cannot write to"):
        dispatch(["compile", str(path), "-o", str(path)])


def test_the_report_accounts_for_every_byte_of_the_plan() -> None:
    compiled = compile_model(MODEL, labels=LABELS)
    report = compiled.report
    assert sum(report.sections.values()) == report.plan_bytes == len(compiled.plan)
    stored = sum(
        o.data.weights_bytes + o.data.channels_bytes + o.data.constant_bytes - o.data.shared_bytes
        for o in report.ops
    )
    assert 0 <= report.sections["data"] - stored < 4 * 2 * len(report.ops)
    assert sum(o.record_bytes for o in report.ops) == report.sections["records"]


def test_the_report_draws_the_arena_and_gives_reasons() -> None:
    report = compile_model(MODEL).report
    text = report.to_text()
    assert "proven minimal" in text
    assert "drop_views: operator 4 (RESHAPE) dropped" in text
    assert f"arena {report.arena.bytes} bytes" in text
    pictures = re.findall(r"^ +\d+ \|(.*)\|$", text, re.M)
    assert len(pictures) == len(report.ops) + 2
    assert all(len(p) == 64 and p.strip() for p in pictures)
    assert json.loads(report.to_json())["arena"]["bytes"] == report.arena.bytes


def test_code_sizes_are_estimated_per_core_where_they_are_recorded(tmp_path: Path) -> None:
    table = tmp_path / "sizes.toml"
    table.write_text(
        '[m4]\nbase = 1000\nCOPY = 20\nADD_S8 = 300\nPAD_S8 = 1\n"ADD_S8 PAD_S8" = 4000\n'
        "[m0]\nbase = 900\nCOPY = 5\n"
    )
    assert estimates(["COPY", "ADD_S8", "COPY"], table) == {"m0": None, "m4": 5320}
    assert estimates(["ADD_S8", "PAD_S8"], table) == {"m0": None, "m4": 5301}, "shared code is once"
    assert estimates(["COPY"], table) == {"m0": 905, "m4": 1020}
    assert estimates([], table) == {"m0": 900, "m4": 1000}
    assert estimates(["COPY"], tmp_path / "absent.toml") == {}


PLAN = compile_model(MODEL, labels=LABELS).plan


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4), st.integers(0))
def test_the_reader_answers_any_broken_plan_with_a_model_error(
    flips: list[tuple[int, int]], cut: int
) -> None:
    broken = bytearray(PLAN)
    for offset, value in flips:
        broken[offset] = value
    data = bytes(broken[: cut if cut < len(PLAN) else len(PLAN)])
    try:
        plan = Plan.parse(data)
        assert plan.name is not None and plan.labels is not None
    except ModelError as error:
        assert error.message


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [(0, 0, "wrong magic"), (4, 9, "format version 9"), (8, 1, "but has")],
)
def test_the_reader_says_what_is_wrong_with_a_header(offset: int, value: int, words: str) -> None:
    broken = bytearray(PLAN)
    broken[offset] = value
    with pytest.raises(ModelError, match=words):
        Plan.parse(bytes(broken))


def chain(length: int) -> bytes:
    """Return a model of `length` activations in a row, with an addition now and then."""
    g = GraphBuilder()
    last = earlier = g.input((1, 64), scale=0.1)
    for i in range(length):
        last = g.unary("RELU", last, scale=0.1 + 0.001 * (i % 7))
        if i % 30 == 29:
            last = g.add(last, earlier, scale=0.3)
            earlier = last
    return g.build([last])


def test_a_model_of_a_thousand_operators_compiles_in_seconds() -> None:
    began = time.monotonic()
    plan = compile_model(chain(980)).plan
    assert check(plan).ok
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("length", [1100, 4200])
def test_a_model_with_too_many_operators_is_refused(length: int) -> None:
    with pytest.raises(UnsupportedError, match="operators"):
        compile_model(chain(length))


def test_a_model_with_too_large_an_arena_is_refused() -> None:
    g = GraphBuilder()
    x = g.input((60_000, 30_000), scale=0.1)
    y = g.unary("RELU", x, scale=0.2)
    with pytest.raises(UnsupportedError, match="needs 5400000000 bytes of arena"):
        compile_model(g.build([y, g.add(y, x, scale=0.3)]))
