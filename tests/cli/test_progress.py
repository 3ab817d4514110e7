# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How far a long run is: a bar on a terminal, lines now and then in a log."""

import io
import sys

import pytest

from torpor.cli._progress import LINE_SECONDS, progress, transfer


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines_of(capsys: pytest.CaptureFixture[str], seconds: float, total: int, **words: str) -> str:
    clock = Clock()
    with progress(total, "inputs", clock=clock, **words) as show:
        for done in range(1, total + 1):
            clock.now += seconds
            show(done)
    out, err = capsys.readouterr()
    assert out == "", "stdout is for data"
    return err


def test_a_short_run_writes_its_end_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_of(capsys, 0.01, 100) == "100 of 100 inputs\n"


def test_a_long_run_writes_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    shown = lines_of(capsys, LINE_SECONDS / 2, 7, name="net")
    assert shown == "".join(f"net: {done} of 7 inputs\n" for done in (2, 4, 6, 7))


def test_a_run_of_one_long_step_writes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_of(capsys, 60, 1) == "1 of 1 inputs\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_at(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal, for the rest of the test."""
    made = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_a_terminal_shows_a_bar_and_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_at(monkeypatch)
    with progress(3, "inputs", "[net]") as show:
        for done in range(1, 4):
            show(done)
    shown = terminal.getvalue()
    assert "[net] inputs" in shown
    assert "3/3" in shown
    assert "of 3 inputs" not in shown


def test_a_transfer_tells_its_speed_and_the_time_that_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    with transfer(10_000, "file", clock=clock) as show:
        for done in (4_000, 5_000, 6_000, 10_000):
            show(done)
            clock.now += LINE_SECONDS
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "file: 5,000 of 10,000 bytes, 200 bytes/s, 25 s left",
        "file: 6,000 of 10,000 bytes, 200 bytes/s, 20 s left",
        "file: 10,000 of 10,000 bytes, 400 bytes/s",
    ]


def test_a_transfer_of_which_nothing_is_there_yet_promises_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    with transfer(10_000, "file", clock=clock) as show:
        clock.now += LINE_SECONDS
        show(0)
    assert capsys.readouterr().err == "file: 0 of 10,000 bytes, 0 bytes/s\n"


def test_a_terminal_shows_a_transfer_with_its_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = terminal_at(monkeypatch)
    with transfer(3_000, "[file]") as show:
        for done in (1_000, 2_000, 3_000):
            show(done)
    shown = terminal.getvalue()
    assert "[file]" in shown
    assert "3.0/3.0 kB" in shown
    assert "/s" in shown
    assert "of 3,000 bytes" not in shown
