# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor samples, from a device at a socket to a data set."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.samples.conftest import CRC, LABELS, PLAN, sample
from torpor.cli.main import dispatch
from torpor.errors import TorporError, UsageError
from torpor.link.fake import FakeDevice
from torpor.monitor.sample_folder import read_folder

Port = tuple[FakeDevice, str]


@pytest.fixture
def plan(tmp_path: Path) -> str:
    (tmp_path / "plan.bin").write_bytes(PLAN)
    return str(tmp_path / "plan.bin")


def samples(*words: object) -> int:
    return dispatch(["samples", *map(str, words)])


def test_what_a_device_has_kept_becomes_a_data_set(
    port: Port, plan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "kept", tmp_path / "out"
    assert samples("fetch", "--port", port[1], "-o", folder) == 0
    assert samples("label", folder, "--label", "3=walking", "--plan", plan) == 0
    assert samples("export", folder, "-o", out, "--plan", plan) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"3 new, 3 in {folder}",
        f"1 labelled in {folder}",
        f"{out}/samples-{CRC:08x}.npz: 2",
        f"{out}/summaries-{CRC:08x}.npz: 1",
    ]
    with np.load(out / f"samples-{CRC:08x}.npz") as arrays:
        assert arrays["labels"].tolist() == ["walking", ""]
        assert arrays["codes"][1].tobytes() == sample(4).data


def test_fetching_again_adds_what_is_new_and_keeps_labels(
    port: Port, plan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "kept"
    samples("fetch", "--port", port[1], "-o", folder)
    samples("label", folder, "--label", "4=running", "--plan", plan)
    port[0].samples = [sample(4), sample(12)]
    assert samples("fetch", "--port", port[1], "-o", folder) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"1 new, 4 in {folder}"
    assert [s.entry.number for s in read_folder(folder)] == [3, 4, 9, 12]
    assert read_folder(folder)[1].label == "running"


def test_a_list_names_the_classes_of_a_plan_that_is_known(
    port: Port, plan: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert samples("list", "--port", port[1], "--plan", plan, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in rows] == [3, 4, 9]
    assert [row["best"] for row in rows] == [LABELS[3], LABELS[4], LABELS[4]]
    assert [row["kind"] for row in rows] == ["raw", "raw", "summary"]
    assert [row["why"] for row in rows] == ["low score", "random", "low score"]
    assert rows[0]["plan"] == f"{CRC:08x}"


def test_a_list_is_a_table_and_shows_labels_of_a_folder(
    port: Port, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples("fetch", "--port", port[1], "-o", tmp_path / "kept")
    samples("label", tmp_path / "kept", "--label", "3=[a label]")
    capsys.readouterr()
    assert samples("list", tmp_path / "kept") == 0
    shown = capsys.readouterr().out
    assert "[a label]" in shown
    assert "class 3" in shown  # its plan is in no build
    assert "low score" in shown


def test_a_device_that_has_kept_nothing_says_so(
    port: Port, capsys: pytest.CaptureFixture[str]
) -> None:
    port[0].samples = []
    assert samples("list", "--port", port[1]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "the device has kept nothing yet\n")
    assert samples("list", "--port", port[1], "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_labels_come_from_a_table_and_single_ones_win(
    port: Port, plan: str, tmp_path: Path
) -> None:
    folder, table = tmp_path / "kept", tmp_path / "labels.csv"
    samples("fetch", "--port", port[1], "-o", folder)
    table.write_text("number,label\n3,walking\n4,running\n")
    assert samples("label", folder, "--csv", table, "--label", "4=resting", "--plan", plan) == 0
    assert [s.label for s in read_folder(folder)] == ["walking", "resting", ""]


def test_an_unknown_label_changes_nothing(port: Port, plan: str, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    samples("fetch", "--port", port[1], "-o", folder)
    with pytest.raises(UsageError, match="unknown label 'walkng'") as raised:
        samples("label", folder, "--label", "3=walking", "--label", "4=walkng", "--plan", plan)
    assert "did you mean 'walking'?" in raised.value.hint
    assert [s.label for s in read_folder(folder)] == ["", "", ""]


def test_a_wrong_label_that_was_written_by_hand_is_found_at_the_export(
    port: Port, plan: str, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    samples("fetch", "--port", port[1], "-o", folder)
    samples("label", folder, "--label", "3=wlking")
    with pytest.raises(UsageError, match="unknown label 'wlking'"):
        samples("export", folder, "-o", tmp_path / "out", "--plan", plan)


def test_what_belongs_to_no_known_plan_is_told(
    port: Port, plan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port[0].samples = [sample(1), sample(2, plan=0xABC)]
    samples("fetch", "--port", port[1], "-o", tmp_path / "kept")
    assert samples("export", tmp_path / "kept", "-o", tmp_path / "out", "--plan", plan) == 0
    assert "1 left out: plan 00000abc is unknown" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["list", "folder", "--port", "unix:x"],
        ["list", "folder"],
        ["label", "folder", "--label", "1=a"],
        ["export", "folder", "-o", "out"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_an_error_with_a_hint(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as raised:
        samples(*words)
    assert "torpor samples" in raised.value.hint


def test_labels_have_to_be_given(port: Port, tmp_path: Path) -> None:
    samples("fetch", "--port", port[1], "-o", tmp_path / "kept")
    with pytest.raises(UsageError, match="no labels given"):
        samples("label", tmp_path / "kept")


@pytest.mark.parametrize("text", ["walking", "=walking", "x=walking", "-1=walking"])
def test_a_label_without_a_number_is_refused(text: str) -> None:
    with pytest.raises((UsageError, SystemExit)):
        samples("label", "folder", f"--label={text}")


def test_a_port_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TorporError, match=r"cannot open|cannot connect"):
        samples("fetch", "--port", tmp_path / "no", "-o", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
