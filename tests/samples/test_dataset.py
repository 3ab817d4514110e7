# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Data sets are what the model was fed: the numbers of its codes, and of nothing else."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.samples.conftest import CRC, INPUT_BYTES, LABELS, PLAN, sample
from tests.support.plans import one_op
from torpor.engine import Engine
from torpor.errors import ModelError, TorporError, UsageError
from torpor.monitor.dataset import Input, export, find_inputs, read_input
from torpor.monitor.sample_folder import Sample
from torpor.plan.layout import CONST

ABOUT = read_input(PLAN)
LABELLED = [
    Sample(sample(1), "walking"),
    Sample(sample(2)),
    Sample(sample(3), "resting"),
    Sample(sample(4, kind=1), "standing"),
]


def load(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def test_the_input_is_as_the_engine_sees_it() -> None:
    info = Engine(PLAN).inputs[0]
    assert (1, *ABOUT.shape) == info.shape
    assert (ABOUT.scale, ABOUT.zero_point) == (info.scale, info.zero_point)
    assert ABOUT.labels == LABELS
    assert np.prod(ABOUT.shape) == INPUT_BYTES


def test_inputs_are_the_numbers_of_the_codes_that_were_kept(tmp_path: Path) -> None:
    written = export(LABELLED, {CRC: ABOUT}, tmp_path / "out")
    assert written == {f"samples-{CRC:08x}.npz": 3, f"summaries-{CRC:08x}.npz": 1}
    arrays = load(tmp_path / "out" / f"samples-{CRC:08x}.npz")
    assert arrays["inputs"].dtype == np.float32
    assert arrays["inputs"].shape == arrays["codes"].shape == (3, *ABOUT.shape)
    assert [row.tobytes() for row in arrays["codes"]] == [s.entry.data for s in LABELLED[:3]]
    real = (arrays["codes"].astype(np.float64) - ABOUT.zero_point) * ABOUT.scale
    np.testing.assert_allclose(arrays["inputs"], real, rtol=1e-6)


def test_labels_scores_and_times_stand_beside_them(tmp_path: Path) -> None:
    export(LABELLED, {CRC: ABOUT}, tmp_path)
    arrays = load(tmp_path / f"samples-{CRC:08x}.npz")
    entries = [s.entry for s in LABELLED[:3]]
    assert arrays["labels"].tolist() == ["walking", "", "resting"]
    assert arrays["classes"].tolist() == [2, -1, 4]
    assert arrays["class_names"].tolist() == list(LABELS)
    assert arrays["numbers"].tolist() == [1, 2, 3]
    assert arrays["times"].tolist() == [60, 120, 180]
    assert arrays["best"].tolist() == [e.best for e in entries]
    assert arrays["why"].tolist() == [e.why for e in entries]
    np.testing.assert_allclose(arrays["scores"], [e.score / 255 for e in entries], rtol=1e-6)
    assert arrays["plan_crc"] == CRC


def test_summaries_are_apart_and_are_no_inputs(tmp_path: Path) -> None:
    export(LABELLED, {CRC: ABOUT}, tmp_path)
    arrays = load(tmp_path / f"summaries-{CRC:08x}.npz")
    codes = np.frombuffer(LABELLED[3].entry.data, np.int8).reshape(1, 3, 2)
    assert "inputs" not in arrays
    np.testing.assert_allclose(
        arrays["means"], (codes[..., 0].astype(np.float64) - ABOUT.zero_point) * ABOUT.scale,
        rtol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(arrays["deviations"], codes[..., 1] * ABOUT.scale, rtol=1e-6)
    assert arrays["labels"].tolist() == ["standing"]


def test_every_plan_has_data_sets_of_its_own(tmp_path: Path) -> None:
    other = Input((6,), "int8", 0.5, 3, ())
    samples = [
        *LABELLED,
        Sample(sample(7, plan=5, size=6), "b"),
        Sample(sample(8, plan=5, size=6), "a"),
    ]
    written = export(samples, {CRC: ABOUT, 5: other}, tmp_path)
    assert written[f"samples-{5:08x}.npz"] == 2
    arrays = load(tmp_path / f"samples-{5:08x}.npz")
    assert arrays["inputs"].shape == (2, 6)
    assert arrays["class_names"].tolist() == ["a", "b"]  # the plan has none
    assert arrays["classes"].tolist() == [1, 0]


def test_samples_of_unknown_plans_are_left_out(tmp_path: Path) -> None:
    samples = [*LABELLED[:1], Sample(sample(7, plan=5))]
    assert list(export(samples, {CRC: ABOUT}, tmp_path)) == [f"samples-{CRC:08x}.npz"]


def test_without_any_known_plan_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plan of no sample is known"):
        export(LABELLED, {5: ABOUT}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [0, INPUT_BYTES - 1, INPUT_BYTES + 1])
def test_a_sample_of_another_length_is_an_error_that_names_it(tmp_path: Path, size: int) -> None:
    with pytest.raises(TorporError, match=f"sample 7 has {size} bytes, not {INPUT_BYTES}"):
        export([Sample(sample(7, size=size))], {CRC: ABOUT}, tmp_path)


def test_summaries_of_different_lengths_are_an_error(tmp_path: Path) -> None:
    samples = [Sample(sample(7, kind=1)), Sample(sample(8, kind=1, size=2))]
    with pytest.raises(TorporError, match="sample 8 has 2 bytes, not 6"):
        export(samples, {CRC: ABOUT}, tmp_path)


def test_a_kind_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TorporError, match="sample 7 is of the unknown kind 2"):
        export([Sample(sample(7, kind=2))], {CRC: ABOUT}, tmp_path)


def test_plans_are_found_by_their_crc_in_a_build_or_as_they_are_given(tmp_path: Path) -> None:
    folder = tmp_path / "build" / "board" / "variant"
    folder.mkdir(parents=True)
    (folder / "plan.bin").write_bytes(PLAN)
    (tmp_path / "build" / "board" / "other").mkdir()
    (tmp_path / "build" / "board" / "other" / "plan.bin").write_bytes(b"an old plan")
    build = tmp_path / "build"
    assert find_inputs({CRC, 5}, [], build) == {CRC: ABOUT}
    assert find_inputs({5}, [], build) == {}
    assert find_inputs(set(), [folder / "plan.bin"], tmp_path / "none") == {CRC: ABOUT}


@pytest.mark.parametrize("content", [None, b"", b"an old plan"])
def test_a_given_file_that_is_no_plan_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "plan.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"plan"):
        find_inputs({CRC}, [path], tmp_path)


def test_a_plan_of_other_numbers_is_refused() -> None:
    built = one_op("COPY", [8, 8], lambda _: {"bytes": 8})
    built.inputs[0]["type"] = CONST["PLAN_TYPE_UINT8"]
    with pytest.raises(ModelError, match="only inputs of int8"):
        read_input(built.build())


def test_a_plan_of_one_dimension_keeps_it() -> None:
    built = one_op("COPY", [8, 8], lambda _: {"bytes": 8})
    assert read_input(built.build()).shape == (8,)
    assert zlib.crc32(built.build()) != CRC
