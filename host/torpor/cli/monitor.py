# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Show live what devices do, what it costs, what is wrong; record it.

PORT is /dev/ttyACM0, unix:PATH or socket://HOST:PORT; NAME=PORT gives a device a name. A port that
goes away is opened again when it is back. Ctrl-C ends it.

Alerts: a metric that is 2 (a warning) or 3 deviations off what it usually is, or beyond a limit.
With --check the command ends by itself, with exit code 3 if there was an alert (this command needs
no tool that could be missing), 7 if a device sent no summary, 0 if all is well.
"""

import argparse
import contextlib
import json
import math
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from torpor.cli import whole_number
from torpor.errors import DeviceError, UsageError
from torpor.monitor import panels, plain
from torpor.monitor.alerts import Limits
from torpor.monitor.events import Event, Notice

if TYPE_CHECKING:
    from torpor.monitor.collect import Collector
    from torpor.monitor.record import Recording, Session
    from torpor.monitor.watch import Monitor

EXIT_ALERT = 3
STEP_S = 0.2  # of silence, until a deadline is noticed
FRAME_S = 0.25  # between two pictures
LONGEST_CHECK_S = 600.0
SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_NAMED = re.compile(r"(?P<name>[^=/:]+)=(?P<port>.+)")
_ADDRESS = re.compile(r"[^=/]*:\d+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor monitor`."""
    parser.add_argument("ports", nargs="*", metavar="PORT", help="of a device, or NAME=PORT")
    parser.add_argument(
        "--port", action="append", default=[], metavar="PORT", help="the same, any number of times"
    )
    parser.add_argument(
        "--baud", type=whole_number(1), default=115200, metavar="N", help="default: %(default)s"
    )
    parser.add_argument("--wait", action="store_true", help="for ports that are not there yet")
    _add_output_arguments(parser)
    _add_alert_arguments(parser)
    _add_check_arguments(parser)


def _add_output_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print an object a line")
    group.add_argument("--record", type=Path, metavar="FILE", help="add to a recording (SQLite)")
    group.add_argument(
        "--replay", type=Path, metavar="FILE", help="show the last session of a recording"
    )
    group.add_argument(
        "--session",
        type=whole_number(1),
        metavar="N",
        help="of the recording, another than its last",
    )
    group.add_argument(
        "--speed", type=_positive, metavar="N", help="times real time; default: as fast as it goes"
    )
    group.add_argument(
        "--web",
        nargs="?",
        const="",
        metavar="HOST:PORT",
        help="serve a page with charts; default: 127.0.0.1:8765",
    )
    group.add_argument(
        "--prometheus", type=whole_number(0), metavar="PORT", help="serve numbers for Prometheus"
    )


def _add_alert_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "limits", "0 turns one off; a replay has those of its recording"
    )
    group.add_argument(
        "--min-confidence",
        type=_number,
        metavar="N",
        help="percent, of the mean score; default: 85",
    )
    group.add_argument(
        "--max-latency-us",
        type=_number,
        metavar="N",
        help="of 95 %% of the inferences; default: none",
    )
    group.add_argument("--max-drift", type=_number, metavar="X", help="default: 0.25")


def _add_check_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("checks")
    group.add_argument("--check", action="store_true", help="end by itself, with a verdict")
    group.add_argument(
        "--summaries", type=whole_number(1), metavar="N", help="end when each device has sent N"
    )
    group.add_argument(
        "--for",
        dest="seconds",
        type=_positive,
        metavar="SECONDS",
        help=f"end then; default with --summaries: {LONGEST_CHECK_S:g}",
    )
    group.add_argument("--strict", action="store_true", help="a warning (2 sigma) is an alert too")


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 0 on")
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if value == 0:
        raise argparse.ArgumentTypeError("it must be above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Watch until Ctrl-C (0), or until a check has its verdict."""
    _check_usage(args)
    with _stoppable(args):
        return _replay(args) if args.replay else _live(args)
    return 0


# ---- what is asked for


def _check_usage(args: argparse.Namespace) -> None:
    if args.web and not _ADDRESS.fullmatch(args.web):
        args.ports.append(args.web)  # `--web PORT`: the port of a device, not where to serve
        args.web = ""
    given = bool(args.ports or args.port)
    if args.replay:
        for name in ("record", "wait"):
            if getattr(args, name):
                raise UsageError(f"--{name} is for devices, not for a recording")
        if given:
            raise UsageError("--replay shows a recording: leave the ports out")
    elif not given:
        raise UsageError("which device?", "torpor monitor PORT, or --replay FILE")
    elif args.session or args.speed:
        raise UsageError("--session and --speed are for --replay FILE")
    _check_check(args)


def _check_check(args: argparse.Namespace) -> None:
    if not args.check:
        if args.summaries or args.seconds or args.strict:
            raise UsageError("--summaries, --for and --strict are for --check")
        return
    if args.web is not None or args.prometheus is not None:
        raise UsageError("--check ends by itself: leave --web and --prometheus out")
    if not (args.replay or args.summaries or args.seconds):
        raise UsageError("--check until when?", "--summaries N or --for SECONDS")


def targets(words: list[str]) -> dict[str, str]:
    """Return ports by the names of their devices, from PORT and NAME=PORT.

    Raises:
        UsageError: a name or a port comes twice.
    """
    pairs = [_target(word) for word in words]
    ports = [port for _, port in pairs]
    for port in ports:
        if ports.count(port) > 1:
            raise UsageError(f"the port {port} is given twice")
    made: dict[str, str] = {}
    for name, port in pairs:
        short = Path(port.rstrip("/")).name or port
        alone = sum(Path(other.rstrip("/")).name == short for other in ports) == 1
        key = name or (short if alone else port)
        if key in made:
            raise UsageError(f"two devices are called '{key}'", "give them names: NAME=PORT")
        made[key] = port
    return made


def _target(word: str) -> tuple[str, str]:
    found = _NAMED.fullmatch(word)
    return (found["name"].strip(), found["port"]) if found else ("", word)


def limits(args: argparse.Namespace, default: Limits | None = None) -> Limits:
    """Return the thresholds that are asked for, the others as `default` has them."""
    base = default or Limits()
    percent = args.min_confidence
    return Limits(
        base.min_confidence if percent is None else percent / 100 or None,
        base.max_latency_us if args.max_latency_us is None else args.max_latency_us or None,
        base.max_drift if args.max_drift is None else args.max_drift or None,
    )


# ---- running


@contextlib.contextmanager
def _stoppable(args: argparse.Namespace) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block: as wished for, but for a check that has no verdict."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        if args.check:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _live(args: argparse.Namespace) -> int:
    from torpor.monitor.record import Recorder  # noqa: PLC0415  (not for --help)

    devices, thresholds = targets(args.ports + args.port), limits(args)
    with contextlib.ExitStack() as stack:
        opened = _open(devices, args, stack)
        recorder = None
        if args.record:
            recorder = stack.enter_context(Recorder(args.record, time.time(), thresholds, devices))
        output = stack.enter_context(_output(args))
        monitor = _monitor(args, devices, thresholds, output, recorder=recorder)
        _serve(monitor, args, stack)
        for collector in _collectors(monitor, devices, opened, args):
            stack.callback(collector.stop)
            collector.start()
        begin = time.monotonic()
        while not _is_over(monitor, args, time.monotonic() - begin):
            monitor.step(STEP_S)
            output.refresh(monitor)
        return _verdict(monitor, output, args)


def _open(
    devices: dict[str, str], args: argparse.Namespace, stack: contextlib.ExitStack
) -> dict[str, Any]:
    """Open all ports, so that a wrong name is an error at once; with --wait none."""
    from torpor.monitor.collect import open_port  # noqa: PLC0415

    opened: dict[str, Any] = {}
    for name, port in {} if args.wait else devices.items():
        opened[name] = open_port(port, args.baud)
        stack.callback(opened[name].close)
    return opened


def _collectors(
    monitor: "Monitor", devices: dict[str, str], opened: dict[str, Any], args: argparse.Namespace
) -> list["Collector"]:
    from torpor.monitor.collect import Collector, open_port  # noqa: PLC0415

    def open_link(port: str) -> Any:
        return open_port(port, args.baud)

    return [
        Collector(name, port, monitor.put, opened=opened.get(name), open_link=open_link)
        for name, port in devices.items()
    ]


def _monitor(
    args: argparse.Namespace,
    devices: dict[str, str],
    thresholds: Limits,
    output: "_Output",
    **options: Any,
) -> "Monitor":
    from torpor.monitor.watch import Monitor  # noqa: PLC0415

    monitor = Monitor(devices, thresholds, show=output.show, **options)
    monitor.subscribe(output.flush)
    return monitor


def _serve(monitor: "Monitor", args: argparse.Namespace, stack: contextlib.ExitStack) -> None:
    if args.web is not None:
        from torpor.monitor import web  # noqa: PLC0415

        page = web.serve(monitor, args.web)
        stack.callback(page.close)
        who = "; whoever reaches this computer can see it" if page.address.is_public else ""
        _tell(f"the page is at {page.url}{who}")
    if args.prometheus is not None:
        from torpor.monitor import prometheus  # noqa: PLC0415

        numbers = prometheus.serve(monitor, args.prometheus)
        stack.callback(numbers.close)
        _tell(f"numbers for Prometheus are at {numbers.url}")


def _replay(args: argparse.Namespace) -> int:
    from torpor.monitor.record import Recording  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        recording = stack.enter_context(Recording(args.replay))
        session = _session(recording, args)
        thresholds = limits(args, session.limits)
        output = stack.enter_context(_output(args))
        now = session.started
        monitor = _monitor(args, session.devices, thresholds, output, clock=lambda: now)
        _serve(monitor, args, stack)
        for event in recording.events(session):
            _pause(event.time - now, args.speed)
            now = max(now, event.time)
            monitor.handle([event])
            output.refresh(monitor)
        output.refresh(monitor, last=True)
        if args.web is not None or args.prometheus is not None:
            _tell("the recording is over; Ctrl-C ends")
            threading.Event().wait()
        return _verdict(monitor, output, args)


def _session(recording: "Recording", args: argparse.Namespace) -> "Session":
    sessions = recording.sessions()
    number = args.session or len(sessions)
    if not 1 <= number <= len(sessions):
        raise UsageError(f"{args.replay} has {len(sessions)} sessions, not {number}")
    return sessions[number - 1]


def _pause(seconds: float, speed: float | None) -> None:
    if speed and seconds > 0:
        threading.Event().wait(seconds / speed)


# ---- checks


def _is_over(monitor: "Monitor", args: argparse.Namespace, elapsed: float) -> bool:
    if not args.check:
        return False
    wanted = args.summaries
    if wanted and all(count >= wanted for count in monitor.summaries().values()):
        return True
    return elapsed >= (args.seconds or LONGEST_CHECK_S)


def _verdict(monitor: "Monitor", output: "_Output", args: argparse.Namespace) -> int:
    output.end(monitor)
    if not args.check:
        return 0
    if output.alerts:
        _tell(f"{output.alerts} alert{'s' * (output.alerts != 1)}")
        return EXIT_ALERT
    for name, count in monitor.summaries().items():
        if count < (args.summaries or 1):
            raise DeviceError(
                f"{name} sent {count} of {args.summaries or 1} summaries",
                "is its interval longer than --for SECONDS? an hour has 3600",
            )
    _tell("no alert")
    return 0


# ---- output


class _Output:
    """Takes what happens; counts the alerts that fail a check."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._levels = {"limit", "3 sigma"} | ({"2 sigma"} if args.strict else set())
        self.alerts = 0

    def show(self, event: Event, words: dict[str, Any]) -> None:
        """Take something that has happened, when it is recorded."""
        if isinstance(event, Notice) and event.kind == "alert":
            self.alerts += event.detail["level"] in self._levels
        self.line(event, words)

    def line(self, event: Event, words: dict[str, Any]) -> None:
        """Print a line for it, or none."""

    def flush(self) -> None:
        """Let what was printed be read."""
        sys.stdout.flush()

    def refresh(self, monitor: "Monitor", *, last: bool = False) -> None:
        """Show how things are, if it is time."""

    def end(self, monitor: "Monitor") -> None:
        """Show how things are at the end."""


class _Lines(_Output):
    def line(self, event: Event, words: dict[str, Any]) -> None:
        text = plain.plain_line(event, words)
        if text is not None:
            print(text)


class _Json(_Output):
    def line(self, event: Event, words: dict[str, Any]) -> None:
        print(plain.json_line(event, words))

    def end(self, monitor: "Monitor") -> None:
        for snapshot in monitor.snapshots():
            print(json.dumps({"type": "snapshot", **snapshot}))
        self.flush()


class _Screen(_Output):
    def __init__(self, args: argparse.Namespace, live: Live) -> None:
        super().__init__(args)
        self._live = live
        self._due = 0.0
        what = f"recording to {args.record}" if args.record else ""
        self._footer = f"{what}; Ctrl-C ends" if what else "Ctrl-C ends"

    def flush(self) -> None:
        pass

    def refresh(self, monitor: "Monitor", *, last: bool = False) -> None:
        now = time.monotonic()
        if now < self._due and not last:
            return
        self._due = now + FRAME_S
        lines = self._live.console.size.height
        footer = "" if last else self._footer
        self._live.update(panels.screen(monitor.snapshots(), lines, footer), refresh=True)


@contextlib.contextmanager
def _output(args: argparse.Namespace) -> Iterator[_Output]:
    console = Console()
    if args.json:
        yield _Json(args)
    elif args.check or not console.is_terminal:
        yield _Lines(args)
    else:
        with Live(console=console, auto_refresh=False, screen=False) as live:
            yield _Screen(args, live)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
