# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The numbers that the README shows are those that the demo prints."""

import pytest

from tests.docs.test_readme import shell
from tools import readme_updates
from tools.readme_output import BLOCK, README, WAKE_BLOCK, excerpt, numbers, printed, wake_rows

PRINTED = """\
              motion, int8, on b

 window   truth     prediction
 ─────────────────────────────
      0   running   running      91%   1,001
      1   running   running      91%   1,002
      2   running   running      91%   1,003
      3   running   running      91%   1,004
      4   running   running      91%   1,005

 motion on b              int8      int4
 ─────────────────────────────────────────
 recognised      16 of 16 = 100.0%   15 of 16 = 93.8%
 flash, bytes               20,456     17,320
"""


def test_the_excerpt_has_four_rows_and_the_whole_summary() -> None:
    lines = excerpt(PRINTED).splitlines()
    assert [line.split()[0] for line in lines[3:8]] == ["0", "1", "2", "3", "…"]
    assert lines[-1].split() == ["flash,", "bytes", "20,456", "17,320"]
    assert "" not in lines


def test_numbers_are_read_by_row() -> None:
    found = numbers(excerpt(PRINTED))
    assert found["recognised"] == [16, 16, 100, 15, 16, 93.8]
    assert found["flash, bytes"] == [20456, 17320]


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.xdist_group("build")  # with the test that the command succeeds
def test_no_number_of_the_readme_is_more_than_5_percent_off() -> None:
    block = BLOCK.search(README.read_text())
    assert block is not None
    told, real = numbers(block[2]), numbers(excerpt(shell("tools/demo")))
    assert set(told) == set(real)
    assert len(told) >= 6
    for name, values in real.items():
        assert told[name] == pytest.approx(values, rel=0.05), "run: python tools/readme_output.py"


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.xdist_group("build")
def test_the_update_in_the_readme_says_what_an_update_says() -> None:
    block = readme_updates.BLOCK.search(README.read_text())
    assert block is not None
    words = readme_updates.words_of
    assert words(block[2]) == words(readme_updates.session()), "python -m tools.readme_updates"


WAKE = """\
  scene               events   found   ratio   mAh/d
 ────────────────────────────────────────────────────
  alexa quiet 24 dB       28      23    7.0%     128
  motion                   6       6    6.4%   0.538
"""


def test_lines_of_scenes_are_read_by_their_names() -> None:
    assert wake_rows(WAKE) == {
        "alexa quiet 24 dB": [28, 23, 7.0, 128],
        "motion": [6, 6, 6.4, 0.538],
    }


def test_the_readme_shows_a_sleeping_device_that_misses_one_event_at_most() -> None:
    found = WAKE_BLOCK.search(README.read_text())
    assert found
    rows = wake_rows(found[2])
    assert len(rows) == 7
    for name, (events, asleep, always, _wakes, _work, ratio, _charge) in rows.items():
        assert always - asleep <= 1, name
        assert events >= always
        assert ratio <= 10, name


@pytest.mark.emulated
@pytest.mark.slow
def test_the_sleeping_device_of_the_readme_is_the_one_that_there_is() -> None:
    found = WAKE_BLOCK.search(README.read_text())
    assert found
    shown = wake_rows(found[2])["motion"]
    fresh = wake_rows(printed("wake", "--scene", "motion"))["motion"]
    assert fresh == pytest.approx(shown, rel=0.05)
