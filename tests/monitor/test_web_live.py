# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""From a device's wire through `torpor monitor` to what a person and Prometheus read."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.device import Sleeper, Wire, decision, packed, summary
from tests.support.browser import Browser
from torpor.wire import framing, records

pytestmark = pytest.mark.xdist_group("browser")

COMMAND = "from torpor.cli.main import main; raise SystemExit(main())"
Process = subprocess.Popen[str]


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    wire = Wire(tmp_path / "wire", lambda _: b"")  # it answers nothing; we say what it says
    yield wire
    wire.close()


@pytest.fixture
def monitor(wire: Wire) -> Iterator[tuple[Process, str, str]]:
    """Give the process of the monitor, the address of its page and that of its numbers."""
    options = ["--web", ":0", "--prometheus", "0", f"desk={wire.name}"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "monitor", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    page, numbers = (re.search(r"http://\S+", process.stderr.readline()) for _ in range(2))
    assert page and numbers
    yield process, page[0], numbers[0]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def line(record: Any) -> bytes:
    return framing.encode_frame(records.encode(record))


def test_what_a_device_says_is_on_the_page_and_in_the_numbers(
    wire: Wire, monitor: tuple[Process, str, str], tmp_path: Path
) -> None:
    process, url, numbers = monitor
    browser = Browser(tmp_path / "browser")
    try:
        page = browser.open(url)
        page.wait_for_text("desk", "h2", seconds=30)
        assert wire.heard.wait(30)  # it asks who is there
        wire.send(Sleeper(seed=5).start())  # with records 0 to 4
        page.wait_for_text("mps2_an386 · gestures", ".identity")
        wire.send(line(decision(5, best=2, score=870)))
        page.wait_for_text("knock", ".decision .label")
        assert page.text(".details").startswith("87 % · ")
        wire.send(line(summary(7, counts=packed([(0, 3), (2, 9)]), drift=312)))  # 6 was lost
        page.wait_for_text("0.31 (strong)", ".facts")
        page.wait_for_text("records on the way 1", ".facts")
        page.wait_for_text("drift 0.31: over the limit", ".alerts")
        page.wait("document.querySelectorAll('.plot')[2].data?.[0].y[0] === 0.312")
        assert " ".join(page.text(".counts").split()).endswith("still 3 knock 9")
        with urllib.request.urlopen(numbers, timeout=10) as answer:
            shown = answer.read().decode().splitlines()
        assert 'torpor_drift{device="desk"} 0.312' in shown
        assert 'torpor_lost_records_total{device="desk"} 1.0' in shown
        assert 'torpor_alerts{device="desk",metric="drift"} 3.0' in shown
        assert 'torpor_inferences_by_label_total{device="desk",label="knock"} 9.0' in shown
        wire.unplug()
        page.wait_for_text("not connected", ".state")
        process.send_signal(signal.SIGINT)
        process.wait(30)
        page.wait_for_text("connection lost", "#connection")
    finally:
        browser.close()


def test_ctrl_c_ends_it_while_somebody_looks(monitor: tuple[Process, str, str]) -> None:
    process, url, _ = monitor
    with urllib.request.urlopen(f"{url}api/stream", timeout=30) as stream:
        assert stream.readline() == b"event: devices\n"
        devices = json.loads(stream.readline().partition(b": ")[2])
        assert [it["device"] for it in devices] == ["desk"]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert "Traceback" not in said
        assert process.returncode in (0, 130)
