# SPDX-License-Identifier: Apache-2.0
"""The reader of .ts files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from torpor.errors import ModelError
from torpor.model.timeseries import Recordings, parse

HEADER = """\
#The data was made for a test.
@problemName Tiny
@timeStamps false
@missing false
@dimensions 2
@equalLength true
@seriesLength 3
@classLabel true up down
@data
"""
SOUND = HEADER + "1,2,3:4,5,6:up\n-1,-2.5,1e3:0,0,0:down\n"


def test_recordings_come_in_order_with_their_classes() -> None:
    found = parse(SOUND.encode())
    assert found.classes == ("up", "down")
    assert found.values.dtype == np.float32
    assert found.values.tolist() == [[[1, 2, 3], [4, 5, 6]], [[-1, -2.5, 1000], [0, 0, 0]]]


def test_windows_line_ends_comments_and_empty_lines_are_read() -> None:
    text = SOUND.replace("\n", "\r\n") + "\r\n# the end\r\n"
    assert parse(text.encode()).values.tolist() == parse(SOUND.encode()).values.tolist()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("@data", "", "line 10: neither header nor comment"),
        ("@timeStamps false", "@timeStamps true", "@timestamps is true"),
        ("@missing false", "@missing true", "@missing is true"),
        ("@equalLength true", "@equalLength false", "@equallength is false"),
        ("@classLabel true up down", "@classLabel false", "no @classLabel"),
        ("@classLabel true up down", "", "no @classLabel"),
        (":up", ":left", "line 10: class 'left'"),
        ("1,2,3", "1,2", "line 10: its dimensions have different lengths"),
        ("1,2,3", "1,x,3", "line 10: could not convert"),
        ("1,2,3", "1,nan,3", "line 10: a value is not a finite number"),
        ("1,2,3", "1,1e60,3", "line 10: a value is not a finite number"),
        ("1,2,3:4,5,6:up", "1,2,3:up", "line 10: 1 instead of @dimensions 2"),
        ("@seriesLength 3", "@seriesLength 4", "line 10: 3 instead of @seriesLength 4"),
        ("@seriesLength 3", "@seriesLength", "line 10: 3 instead of @seriesLength"),
        ("1,2,3:4,5,6:up", "up", "line 10"),
    ],
)
def test_a_file_that_is_not_read_is_refused_with_its_line(old: str, new: str, says: str) -> None:
    assert old in SOUND
    with pytest.raises(ModelError) as caught:
        parse(SOUND.replace(old, new, 1).encode(), "tiny.ts")
    assert caught.value.message.lower().startswith("tiny.ts")
    assert says.lower() in caught.value.message.lower()


def test_rows_of_different_shape_are_refused_even_without_sizes_in_the_header() -> None:
    text = SOUND.replace("@dimensions 2\n", "").replace("@seriesLength 3\n", "")
    assert parse(text.encode()).values.shape == (2, 2, 3)
    with pytest.raises(ModelError, match="before"):
        parse(text.replace("1,2,3:4,5,6:up", "1,2:4,5:up").encode())


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", HEADER.encode(), HEADER[:40].encode()])
def test_no_text_no_data_line_and_no_recordings_are_refused(content: bytes) -> None:
    with pytest.raises(ModelError):
        parse(content)


@given(st.binary(max_size=300))
def test_any_bytes_after_a_sound_header_are_read_or_refused(tail: bytes) -> None:
    try:
        found = parse(HEADER.encode() + tail)
    except ModelError:
        return
    assert found.values.shape[1:] == (2, 3)
    assert set(found.classes) <= {"up", "down"}


@given(st.text(alphabet="@#:,\n .0123456789eE-+naif datclsbLtru", max_size=400))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text.encode())
    except ModelError:
        return
    assert isinstance(found, Recordings)
    assert len(found.values) == len(found.classes) > 0


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=5),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.data(),
)
def test_what_was_written_is_read_back(values: np.ndarray, data: st.DataObject) -> None:
    classes = [data.draw(st.sampled_from(["up", "down"])) for _ in values]
    rows = [
        ":".join(",".join(repr(float(v)) for v in one) for one in recording) + f":{label}\n"
        for recording, label in zip(values, classes, strict=True)
    ]
    found = parse(("@classLabel true up down\n@data\n" + "".join(rows)).encode())
    assert np.array_equal(found.values, values)
    assert list(found.classes) == classes
