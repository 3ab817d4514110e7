# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor monitor as a user sees it: processes, their output and exit codes."""

import argparse
import contextlib
import io
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.commands import finish, lines_until, objects, running, start
from tests.monitor.device import SPAN_MS, Sleeper, Wire, decision, line, summary
from tests.update_host.ports import SocketEnd, TerminalEnd
from torpor.cli import monitor as command
from torpor.cli.main import main
from torpor.errors import UsageError
from torpor.monitor.alerts import Limits
from torpor.wire.records import Record

Done = subprocess.CompletedProcess[str]


def torpor(*words: object) -> Done:
    """Run a command in this process, which is faster."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["torpor", "monitor", *map(str, words)])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main()
    return Done(sys.argv, code, out.getvalue(), err.getvalue())


class Script:
    """A device that says who it is when it is asked, and then what is written here."""

    def __init__(self, *given: Record) -> None:
        self._device = Sleeper(1)
        self._device.start()
        self._rest = b"".join(map(line, given))

    def feed(self, data: bytes) -> bytes:
        answer = self._device.feed(data)
        if answer:
            answer, self._rest = answer + self._rest, b""
        return answer


@contextlib.contextmanager
def served(folder: Path, *given: Record, name: str = "port") -> Iterator[str]:
    """Give the port of a device that says this once it was asked who it is."""
    with contextlib.closing(Wire(folder / name, Script(*given).feed)) as wire:
        yield wire.name


@contextlib.contextmanager
def awake(folder: Path, make: Any = SocketEnd) -> Iterator[tuple[Sleeper, Wire]]:
    """Give a device that was switched on, and the wire to it."""
    device = Sleeper(1)
    device.start()
    with contextlib.closing(Wire(folder / "port", device.feed, make)) as wire:
        yield device, wire


def summaries(count: int, **fields: Any) -> list[Record]:
    return [summary(100 + i, time=SPAN_MS * (i + 1), **fields) for i in range(count)]


# ---- what it shows


def test_lines_are_printed_where_there_is_no_terminal(tmp_path: Path) -> None:
    with served(tmp_path, decision(100), *summaries(1)) as port:
        done = finish(start(f"kitchen={port}", "--check", "--summaries", 1))
    assert done.returncode == 0
    text = done.stdout
    for part in (
        f"kitchen  connected: {port}",
        "kitchen  is mps2_an386 with the model gestures",
        "kitchen  firmware 1.2.0, model 1.0.0, motion, gated, policy normal",
        "kitchen  decided: wave, 94%, 12.3 ms",
        "kitchen  60 s: 4 wakes (1 rejected), 12 inferences, confidence 0.93 (low 0.88)",
    ):
        assert part in text
    assert done.stderr == "no alert\n"


def test_json_is_an_object_a_line_with_names_of_classes(tmp_path: Path) -> None:
    with served(tmp_path, decision(100), *summaries(1)) as port:
        done = finish(start(port, "--json", "--check", "--summaries", 1))
    told = objects(done.stdout.splitlines(keepends=True))
    types = [item["type"] for item in told]
    assert types[0] == "connected"
    assert {"hello", "about", "label", "ack", "decision", "lost", "summary"} <= set(types)
    assert types[-1] == "snapshot"
    assert all(item["device"] == "port" for item in told)
    (answer,) = (item for item in told if item["type"] == "decision")
    assert (answer["label"], answer["score"], answer["source"]) == ("wave", 0.94, "model")
    (interval,) = (item for item in told if item["type"] == "summary")
    assert interval["counts"] == {"still": 3, "wave": 9}
    assert told[-1]["totals"]["decisions"] == 1


def test_several_devices_are_told_apart(tmp_path: Path) -> None:
    with (
        served(tmp_path, *summaries(1), name="a") as a,
        served(tmp_path, *summaries(1), name="b") as b,
    ):
        done = finish(start(a, "--port", f"hall={b}", "--json", "--check", "--summaries", 1))
    told = objects(done.stdout.splitlines(keepends=True))
    assert {item["device"] for item in told} == {"a", "hall"}
    assert [item["device"] for item in told if item["type"] == "snapshot"] == ["a", "hall"]


def read_terminal(master: int, part: str) -> str:
    """Read from a terminal until it has shown something."""
    shown = b""
    while part.encode() not in shown:
        shown += os.read(master, 4096)
    return shown.decode()


def test_a_terminal_shows_a_panel_that_ends_quietly(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    with served(tmp_path, decision(100), *summaries(3)) as port:
        process = subprocess.Popen(
            [sys.executable, "-m", "torpor", "monitor", f"kitchen={port}"],
            stdout=slave,
            stderr=subprocess.PIPE,
            env=os.environ | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"},
            text=True,
        )
        os.close(slave)
        drain = threading.Thread(target=swallow, args=(master,), daemon=True)
        shown = read_terminal(master, "stack 1,812 bytes")
        drain.start()
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=60)[1]
    drain.join()
    os.close(master)
    assert (process.returncode, error) == (0, "")
    for part in ("kitchen", "wave, 94%", "mean 0.93, low 0.88", "Ctrl-C ends"):
        assert part in shown


def swallow(master: int) -> None:
    with contextlib.suppress(OSError):  # the other end is closed
        while os.read(master, 4096):
            pass


# ---- how it ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(tmp_path: Path, number: signal.Signals) -> None:
    with served(tmp_path, decision(100)) as port, running(port, "--json") as process:
        lines_until(process, '"decision"')
        process.send_signal(number)
        done = finish(process)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_check_without_a_verdict_is_no_success(tmp_path: Path) -> None:
    with served(tmp_path, decision(100)) as port:
        words = port, "--check", "--summaries", 1, "--json"
        with running(*words) as process:
            lines_until(process, '"decision"')
            process.send_signal(signal.SIGINT)
            done = finish(process)
    assert (done.returncode, done.stderr) == (130, "")


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    with awake(tmp_path) as (device, wire), running(wire.name, "--json") as process:
        lines_until(process, '"ack"')
        assert process.stdout is not None
        process.stdout.close()
        while process.poll() is None:
            wire.talk(device.work)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        assert process.stderr is not None
        assert (process.returncode, process.stderr.read()) == (0, "")


# ---- checks


@pytest.mark.parametrize(
    ("fields", "options", "code", "said"),
    [
        ({}, [], 0, "no alert"),
        ({"score_mean": 840}, [], 3, "1 alert"),
        ({"score_mean": 840}, ["--min-confidence", 80], 0, "no alert"),
        ({"score_mean": 840}, ["--min-confidence", 0], 0, "no alert"),
        ({"latency_95": 20_000}, ["--max-latency-us", 19_999], 3, "1 alert"),
        ({"latency_95": 20_000}, ["--max-latency-us", 20_000], 0, "no alert"),
        ({"drift": 260}, [], 3, "1 alert"),
        ({"drift": 260, "score_mean": 1}, [], 3, "2 alerts"),
        ({"drift": 260}, ["--max-drift", "0.3"], 0, "no alert"),
    ],
)
def test_a_check_ends_with_its_verdict(
    tmp_path: Path, fields: dict[str, Any], options: list[object], code: int, said: str
) -> None:
    with served(tmp_path, *summaries(2, **fields)) as port:
        done = torpor(port, "--check", "--summaries", 2, *options)
    assert (done.returncode, done.stderr) == (code, f"{said}\n")
    assert done.stdout.count("ALERT") == (int(said[0]) if code else 0)


def test_a_warning_fails_a_strict_check_only(tmp_path: Path) -> None:
    path = tmp_path / "x.torpor"
    usual = [{"latency_95": 10_000 + 400 * (i % 5)} for i in range(30)]
    warm = [{"latency_95": 14_400}] * 2
    given = [
        summary(100 + i, time=SPAN_MS * (i + 1), **fields) for i, fields in enumerate(usual + warm)
    ]
    with served(tmp_path, *given) as port:
        done = torpor(port, "--check", "--summaries", len(given), "--record", path)
    assert done.returncode == 0
    assert "latency_95 1.44e+04: 2 sigma from its usual" in done.stdout
    assert torpor("--replay", path, "--check").returncode == 0
    assert torpor("--replay", path, "--check", "--strict").returncode == 3


def test_an_alert_that_is_over_fails_a_check_too(tmp_path: Path) -> None:
    given = summary(100, score_mean=500), summary(101, time=2 * SPAN_MS)
    with served(tmp_path, *given) as port:
        done = torpor(port, "--check", "--summaries", 2)
    assert done.returncode == 3
    assert "as it should be again" in done.stdout


def test_a_check_of_a_silent_device_says_so(tmp_path: Path) -> None:
    with served(tmp_path, decision(100)) as port:
        done = torpor(f"kitchen={port}", "--check", "--for", 0.5)
    assert done.returncode == 7
    assert "torpor: kitchen sent 0 of 1 summaries" in done.stderr


def test_too_few_summaries_are_no_good_check(tmp_path: Path) -> None:
    with served(tmp_path, *summaries(2)) as port:
        done = torpor(port, "--check", "--summaries", 3, "--for", 0.5)
    assert done.returncode == 7
    assert "sent 2 of 3 summaries" in done.stderr


def test_an_alert_counts_more_than_a_silent_device(tmp_path: Path) -> None:
    with served(tmp_path, *summaries(1, drift=900), name="a") as a, served(tmp_path, name="b") as b:
        assert torpor(a, b, "--check", "--for", 0.5).returncode == 3


# ---- recordings


def snapshot(done: Done) -> Any:
    (made,) = (
        item
        for item in objects(done.stdout.splitlines(keepends=True))
        if item["type"] == "snapshot"
    )
    made.pop("last_seen_s")  # the replay's clock stands still at the last event
    if made["last_decision"]:
        made["last_decision"].pop("age_s")
    return made


def test_a_recording_replays_to_the_same_lines_and_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "x.torpor"
    given = decision(100), summary(103, score_mean=500), decision(104)
    with served(tmp_path, *given, *summaries(2)) as port:
        then = torpor(port, "--check", "--summaries", 2, "--json", "--record", path)
    again = torpor("--replay", path, "--json")
    assert (then.returncode, again.returncode) == (3, 0)
    assert snapshot(then) == snapshot(again)
    lines = [done.stdout.splitlines() for done in (then, again)]
    assert lines[0][:-1] == lines[1][:-1]
    assert torpor("--replay", path, "--check").returncode == 3


def test_a_replay_can_take_its_time(tmp_path: Path) -> None:
    path = tmp_path / "x.torpor"
    with served(tmp_path, *summaries(1)) as port:
        torpor(port, "--check", "--summaries", 1, "--record", path)
    quick, slow = torpor("--replay", path), torpor("--replay", path, "--speed", 10)
    assert quick.stdout == slow.stdout != ""


def test_a_replay_shows_the_session_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.torpor"
    for name in ("first", "second"):
        with served(tmp_path, *summaries(1), name=name) as port:
            torpor(port, "--check", "--summaries", 1, "--record", path)
    assert "second  connected" in torpor("--replay", path).stdout
    assert "first  connected" in torpor("--replay", path, "--session", 1).stdout
    done = torpor("--replay", path, "--session", 3)
    assert (done.returncode, "has 2 sessions, not 3" in done.stderr) == (2, True)


def test_what_cannot_be_recorded_is_said_at_once(tmp_path: Path) -> None:
    with served(tmp_path) as port:
        done = torpor(port, "--record", tmp_path / "no" / "x")
        assert (done.returncode, done.stdout) == (1, "")
        assert "cannot use the recording" in done.stderr
    done = torpor("--replay", tmp_path / "x")
    assert (done.returncode, "there is no recording" in done.stderr) == (1, True)


# ---- ports


def test_a_port_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = torpor(tmp_path / "no")
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr.startswith(f"torpor: cannot open {tmp_path}/no: ")
    assert "hint: is the device plugged in" in done.stderr


def test_a_port_may_come_later(tmp_path: Path) -> None:
    path = tmp_path / "port"
    with running(f"unix:{path}", "--wait", "--json") as process:
        lines_until(process, '"disconnected"')
        with served(tmp_path, decision(100)):
            lines_until(process, '"decision"')


def test_a_cable_that_is_pulled_out_and_put_in_again_goes_on(tmp_path: Path) -> None:
    with awake(tmp_path, TerminalEnd) as (device, wire), running(wire.name) as process:
        lines_until(process, "policy normal")
        wire.unplug()
        lines_until(process, "lost: ")
        device.work()  # nobody hears that
        wire.plug()
        lines_until(process, "connected: ")
        assert wire.heard.wait(60)
        wire.send(device.work())
        lines_until(process, "1 record lost")


def test_two_monitors_at_one_port_are_refused(tmp_path: Path) -> None:
    with awake(tmp_path, TerminalEnd) as (_, wire), running(wire.name) as process:
        lines_until(process, "policy normal")
        done = torpor(wire.name)
    assert (done.returncode, "is used by another command" in done.stderr) == (7, True)


# ---- words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which device?"),
        (["--replay", "x", "/dev/a"], "leave the ports out"),
        (["--replay", "x", "--record", "y"], "--record is for devices"),
        (["--replay", "x", "--wait"], "--wait is for devices"),
        (["/dev/a", "--speed", "2"], "are for --replay"),
        (["/dev/a", "--check"], "--check until when?"),
        (["/dev/a", "--summaries", "2"], "are for --check"),
        (["/dev/a", "--strict"], "are for --check"),
        (["/dev/a", "--check", "--for", "1", "--web"], "leave --web and --prometheus out"),
        (["/dev/a", "/dev/a"], "given twice"),
        (["x=/dev/a", "x=/dev/b"], "two devices are called 'x'"),
    ],
)
def test_words_that_make_no_sense_together_are_refused(words: list[str], said: str) -> None:
    done = torpor(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    "words", [["--for", "0"], ["--for", "x"], ["--max-drift", "-1"], ["--min-confidence", "nan"]]
)
def test_numbers_that_are_none_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        torpor("/dev/a", *words)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/dev/ttyACM0"], {"ttyACM0": "/dev/ttyACM0"}),
        (["a=/dev/x", "b=unix:/y"], {"a": "/dev/x", "b": "unix:/y"}),
        (["/one/port", "/two/port"], {"/one/port": "/one/port", "/two/port": "/two/port"}),
        (["socket://localhost:7?x=1"], {"localhost:7?x=1": "socket://localhost:7?x=1"}),
        (["unix:/tmp/a=b"], {"a=b": "unix:/tmp/a=b"}),
    ],
)
def test_ports_have_names(words: list[str], expected: dict[str, str]) -> None:
    assert command.targets(words) == expected


def test_a_port_behind_web_is_a_port() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args(["--web", "/dev/ttyACM0"])
    command._check_usage(args)
    assert (args.web, args.ports) == ("", ["/dev/ttyACM0"])
    args = parser.parse_args(["--web", "127.0.0.1:80", "/dev/a"])
    command._check_usage(args)
    assert (args.web, args.ports) == ("127.0.0.1:80", ["/dev/a"])
    with pytest.raises(UsageError, match="which device"):
        command._check_usage(parser.parse_args(["--web", ":80"]))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], Limits(0.85, None, 0.25)),
        (["--min-confidence", "70"], Limits(0.7, None, 0.25)),
        (["--max-drift", "0", "--max-latency-us", "5"], Limits(0.85, 5.0, None)),
        (["--min-confidence", "0"], Limits(None, None, 0.25)),
    ],
)
def test_limits_are_those_that_were_asked_for(words: list[str], expected: Limits) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.limits(parser.parse_args(words)) == expected


def test_a_replay_has_the_limits_of_its_recording_but_for_those_asked_for() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    recorded = Limits(0.5, 9.0, None)
    assert command.limits(parser.parse_args([]), recorded) == recorded
    args = parser.parse_args(["--max-drift", "0.1"])
    assert command.limits(args, recorded) == Limits(0.5, 9.0, 0.1)
