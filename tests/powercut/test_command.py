# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""`torpor powercut` as people and programs use it."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.broken_update import build, mistakes
from torpor.cli.main import dispatch, main
from torpor.powercut import run as runner
from torpor.powercut.proof import FAILURES

SIZES = ("--board", "microbit", "--size", "2048", "--model-size", "700")
NUMBERS = ("states", "torn", "double", *FAILURES[1:])


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Powercut = Callable[..., Done]


@pytest.fixture
def powercut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Powercut:
    """Return a function that runs the command line in this process."""

    def run(*words: str) -> Done:
        command = ["torpor", "powercut", "--processes", "1", *words]
        monkeypatch.setattr(sys, "argv", command)
        try:
            code = main()
        except SystemExit as end:  # argparse's
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def break_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes a mistake of broken.toml, by its name."""

    def make(name: str) -> None:
        (mistake,) = (one for one in mistakes() if one.name == name)
        library = build(mistake, tmp_path)
        monkeypatch.setattr(runner, "proof_library", lambda: library)

    return make


# ---- a run without a failure


def test_json_has_all_numbers_and_their_sum(powercut: Powercut) -> None:
    done = powercut(*SIZES, "--scenario", "confirm", "--scenario", "first-install", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert set(facts) == {
        *("board", "engine", "size", "model_size", "write_size", "erase_size", "seed", "every"),
        *NUMBERS,
        *("seconds", "scenarios", "failures"),
    }
    assert (facts["board"], facts["write_size"], facts["erase_size"]) == ("microbit", 4, 1024)
    assert list(facts["scenarios"]) == ["confirm", "first-install"]
    for scenario in facts["scenarios"].values():
        assert set(scenario) == {"operations", *NUMBERS, "seconds"}
        assert scenario["double"] > 0
    for name in NUMBERS:
        assert facts[name] == sum(one[name] for one in facts["scenarios"].values())
    assert facts["states"] > facts["torn"] > 0
    assert [facts[kind] for kind in FAILURES[1:]] == [0] * len(FAILURES[1:])
    assert facts["failures"] == []
    assert facts["seconds"] > 0


def test_the_other_engine_has_the_same_states_and_is_named(powercut: Powercut) -> None:
    words = ("--scenario", "confirm", "--every", "4", "--json")
    ours = json.loads(powercut(*SIZES, *words).stdout)
    done = powercut(*SIZES, *words, "--engine", "tflm")
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    assert (ours["engine"], theirs["engine"]) == ("torpor", "tflm")
    assert [ours[name] for name in NUMBERS] == [theirs[name] for name in NUMBERS]


def test_people_get_a_table_and_a_verdict(powercut: Powercut) -> None:
    names = ("--scenario", "take-back", "--scenario", "revert-self-test-and-model")
    done = powercut(*SIZES, *names, "--every", "2")
    assert done.returncode == 0, done.stderr
    assert "take-back" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("no state fails; ")
    head = next(line for line in done.stdout.splitlines() if "scenario" in line)
    assert head.split() == ["scenario", "ops", "states", "torn", "double", "failing"]
    name = next(line for line in done.stdout.splitlines() if "-and-model" in line)
    assert "revert-self-test-and-model" in name, "in a terminal of 80 columns names are whole"


def test_how_far_it_is_goes_to_stderr(powercut: Powercut) -> None:
    done = powercut(*SIZES, "--scenario", "take-back", "--every", "4", "--json")
    assert done.stderr.splitlines()[-1] == "powercut: 16 of 16 operations cut"
    json.loads(done.stdout)


def test_other_units_blocks_and_seeds_are_taken(powercut: Powercut) -> None:
    words = ("--write-size", "16", "--erase-size", "2048", "--seed", "7")
    done = powercut(*SIZES, *words, "--scenario", "confirm", "--json")
    facts: dict[str, Any] = json.loads(done.stdout)
    assert (facts["write_size"], facts["erase_size"], facts["seed"]) == (16, 2048, 7)
    assert facts["scenarios"]["confirm"]["operations"] == 4, "two records of two units"


def test_one_state_is_told(powercut: Powercut) -> None:
    done = powercut(*SIZES, "--scenario", "confirm", "--cut", "5:random", "--cut", "9:complete")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    cuts = [line.partition(" at ")[0] for line in lines if line.startswith("power fails")]
    assert cuts == [
        "power fails in operation 5, a programming of the journal",
        "power fails in operation 9, a programming of the journal",
    ]
    assert lines[-1] == "judge: all is well"


def test_one_state_as_json(powercut: Powercut) -> None:
    done = powercut(*SIZES, "--scenario", "confirm", "--cut", "5:random", "--json")
    facts = json.loads(done.stdout)
    assert facts["failure"] is None
    assert facts["lines"][-1] == "judge: all is well"


@pytest.fixture
def working() -> Iterator["subprocess.Popen[str]"]:
    """A long run in a group of processes, as soon as all of them are there."""
    command = [sys.executable, "-m", "torpor", "powercut", "--board", "microbit"]
    with subprocess.Popen(
        [*command, "--size", "4096", "--scenario", "upload-resume-small", "--processes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(children.read_text(encoding="ascii").split()) < 3:  # with multiprocessing's own
            assert process.poll() is None
        yield process


def test_ctrl_c_ends_all_processes_without_a_word(working: "subprocess.Popen[str]") -> None:
    os.killpg(working.pid, signal.SIGINT)  # as a terminal does it
    out, err = working.communicate(timeout=60)  # until the last of them has closed its end
    assert (working.returncode, out, err) == (130, "", "")


def test_no_process_stays_behind_when_the_first_one_is_killed(
    working: "subprocess.Popen[str]",
) -> None:
    working.kill()
    working.communicate(timeout=60)


# ---- a run with failures


def test_a_failing_state_is_printed_with_the_command_that_replays_it(
    break_code: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    break_code("a torn place is written again")
    words = ["powercut", *SIZES, "--scenario", "confirm", "--processes", "1"]
    assert dispatch(words) == 1
    out = capsys.readouterr().out
    assert "failing: " in out
    assert " rule" in out
    shown = out[out.index("confirm: rule: programming of a unit that is not erased") :]
    command = shlex.split(shown.splitlines()[1])
    assert command[:2] == ["torpor", "powercut"]
    assert dispatch(command[1:]) == 1
    told = capsys.readouterr().out.splitlines()
    assert any(line.startswith("power fails in operation") for line in told)
    assert told[-1] == "judge: programming of a unit that is not erased"


def test_the_command_of_a_double_cut_has_both_cuts_and_all_options(
    break_code: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    break_code("the next block of the journal is not erased")
    sizes = ["--write-size", "8", "--erase-size", "512"]
    words = ["powercut", *SIZES, *sizes, "--scenario", "journal-wrap-3", "--processes", "1"]
    assert dispatch([*words, "--seed", "3", "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["rule"] > 0
    commands = [shlex.split(failure["command"]) for failure in facts["failures"]]
    double = next(command for command in commands if command.count("--cut") == 2)
    assert set(sizes) < set(double)
    assert double[double.index("--seed") + 1] == "3"
    assert dispatch([*double[1:], "--json"]) == 1
    replayed = json.loads(capsys.readouterr().out)
    assert replayed["failure"]["kind"] == "rule"
    assert len([line for line in replayed["lines"] if "power fails" in line]) == 2


def test_the_command_of_a_failing_state_names_the_engine(
    break_code: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    break_code("attempts are not counted")
    words = ["powercut", *SIZES, "--scenario", "revert-watchdog", "--processes", "1", "--json"]
    assert dispatch([*words, "--engine", "tflm"]) == 1
    facts = json.loads(capsys.readouterr().out)
    command = shlex.split(facts["failures"][0]["command"])
    assert command[command.index("--engine") + 1] == "tflm"


def test_a_scenario_that_fails_without_a_cut_is_one_failing_state(
    break_code: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    break_code("attempts are not counted")
    words = ["powercut", *SIZES, "--scenario", "revert-watchdog", "--processes", "1", "--json"]
    assert dispatch(words) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["states"], facts["history"]) == (1, 1)
    assert "--cut" not in facts["failures"][0]["command"]


# ---- mistakes of users


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cut", "5"), "'5' is no cut"),
        (("--cut", "0:random"), "'0:random' is no cut"),
        (("--cut", "5:half"), "'5:half' is no cut"),
        (("--cut", "5:random"), "a state is one of one scenario"),
        (("--scenario", "confirm", "--cut", "99:prefix"), "no state of confirm"),
        (("--scenario", "nothing"), "unknown scenario 'nothing'"),
        (("--board", "nrf51_large"), "nrf51_large has no slots"),
        (("--size", "300"), "no image has only 300 bytes"),
        (("--size", "1000000"), "1,000,000 bytes do not fit"),
        (("--write-size", "3"), "a write unit of 3 bytes"),
        (("--every", "0"), "'0' is no whole number"),
        (("--engine", "tlfm"), "unknown engine 'tlfm'"),
        (("--engine", "tflm", "--model-size", "600"), "no image has only 600 bytes"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(
    powercut: Powercut, words: tuple[str, ...], said: str
) -> None:
    done = powercut(*SIZES, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert said in first
    assert second.startswith("hint: ")
