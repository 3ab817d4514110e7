# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How far a long run is: a bar on a terminal, lines now and then in a log."""

import io
import sys

import pytest

from torpor.cli._progress import LINE_SECONDS, progress


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


def test_a_terminal_shows_a_bar_and_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress(3, "inputs", "[net]") as show:
        for done in range(1, 4):
            show(done)
    shown = terminal.getvalue()
    assert "[net] inputs" in shown
    assert "3/3" in shown
    assert "of 3 inputs" not in shown
