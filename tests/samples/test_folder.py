# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The folder of fetched samples: nothing in it is lost, and labels are those of the model."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.samples.conftest import CRC, LABELS, sample
from torpor.errors import TorporError, UsageError
from torpor.monitor.sample_folder import (
    TABLE,
    Sample,
    clean,
    merge,
    read_folder,
    read_labels,
    relabel,
    write_folder,
)

SOME = [Sample(sample(1), "walking"), Sample(sample(2)), Sample(sample(30, kind=1), 'é, "x"\n')]
KNOWN = {CRC: LABELS}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_folder(tmp_path / "new" / "folder", SOME)
    found = read_folder(tmp_path / "new" / "folder")
    assert [s.entry for s in found] == [s.entry for s in SOME]
    assert [s.label for s in found] == ["walking", "", 'é, "x"']


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert read_folder(tmp_path / "none") == []


def test_the_table_can_be_read_and_edited_by_people(tmp_path: Path) -> None:
    write_folder(tmp_path, SOME[:1])
    assert (tmp_path / TABLE).read_text() == (
        "number,time,plan,why,best,score,kind,label,file\n"
        f"1,60,{CRC:08x},2,1,{SOME[0].entry.score},0,walking,000001.bin\n"
    )
    text = (tmp_path / TABLE).read_text().replace("walking", " running ")
    (tmp_path / TABLE).write_text(text)
    assert read_folder(tmp_path)[0].label == "running"


def test_bytes_that_are_there_are_not_written_again(tmp_path: Path) -> None:
    write_folder(tmp_path, SOME)
    (tmp_path / "000001.bin").write_bytes(b"kept by hand")
    write_folder(tmp_path, SOME)
    assert (tmp_path / "000001.bin").read_bytes() == b"kept by hand"


def test_what_is_new_is_added_and_labels_stay() -> None:
    merged, new = merge(SOME, [sample(2), sample(5)])
    assert new == 1
    assert [s.entry.number for s in merged] == [1, 2, 5, 30]
    assert [s.label for s in merged] == ["walking", "", "", SOME[2].label]


def test_samples_of_another_device_are_not_mixed_in() -> None:
    with pytest.raises(UsageError, match="another sample 2") as raised:
        merge(SOME, [sample(5), sample(2, plan=9)])
    assert "one folder for each device" in raised.value.hint


HEADER = "number,time,plan,why,best,score,kind,label,file\n"
BROKEN = {
    "another header": "a,b\n1,2\n",
    "a letter": HEADER + "x,60,0,2,1,0,0,,000001.bin\n",
    "below 0": HEADER + "1,60,0,2,-1,0,0,,000001.bin\n",
    "a short row": HEADER + "1,60\n",
    "no label": "number,time,plan,why,best,score,kind,file,label\n1,60,0,2,1,0,0,000001.bin\n",
    "twice": HEADER + "1,6,0,2,1,0,0,,000001.bin\n" * 2,
    "no such file": HEADER + "1,60,0,2,1,0,0,,x.bin\n",
    "a way out": HEADER + "1,6,0,2,1,0,0,,../secret\n",
    "no text": "\udcff",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, SOME[:1])
    (tmp_path / TABLE).write_text(BROKEN[name], errors="surrogateescape")
    (tmp_path.parent / "secret").write_bytes(b"x")
    with pytest.raises(TorporError, match=r"samples\.csv|cannot read .*x\.bin"):
        read_folder(tmp_path)


def test_a_place_that_is_no_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TorporError, match="cannot write to"):
        write_folder(tmp_path / "file", SOME)


# ---- labels


def test_labels_are_set_changed_and_taken_away() -> None:
    labelled = relabel(SOME, {1: "", 2: "running"}, KNOWN)
    assert [s.label for s in labelled] == ["", "running", SOME[2].label]


@pytest.mark.parametrize(("label", "nearest"), [("walkng", "walking"), ("Running", "running")])
def test_a_label_that_the_model_does_not_know_is_refused_with_the_nearest(
    label: str, nearest: str
) -> None:
    with pytest.raises(UsageError, match=f"unknown label '{label}'") as raised:
        relabel(SOME, {2: label}, KNOWN)
    assert f"did you mean '{nearest}'?" in raised.value.hint


def test_a_number_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown sample '31'"):
        relabel(SOME, {31: "walking"}, KNOWN)


def test_without_the_plan_any_label_is_taken() -> None:
    assert relabel(SOME, {2: "anything"}, {})[1].label == "anything"


def test_labels_come_from_a_table_with_more_columns(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("who,label,number\nme, walking ,2\nyou,,1\n")
    assert read_labels(path) == {2: "walking", 1: ""}


@pytest.mark.parametrize(
    "text", ["number\n1\n", "label,number\nx,y\n", "label\nx\n", "number,label\n1\n"]
)
def test_a_table_without_numbers_and_labels_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(TorporError, match="no table of labels"):
        read_labels(tmp_path / "labels.csv")


def test_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TorporError, match=r"cannot read .*none\.csv"):
        read_labels(tmp_path / "none.csv")


@given(
    st.dictionaries(
        st.integers(0, 2**32 - 1), st.text(st.characters(exclude_categories=["Cs"])), max_size=5
    )
)
def test_any_labels_survive_the_table(
    tmp_path_factory: pytest.TempPathFactory, labels: dict[int, str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    samples = [Sample(sample(n, size=3), clean(label)) for n, label in sorted(labels.items())]
    write_folder(folder, samples)
    assert read_folder(folder) == samples
