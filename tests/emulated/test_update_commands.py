# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor update, slots and history on the firmware that ships, as a user types them."""

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.emulated import updatable
from tests.emulated.conftest import require
from tests.emulated.processes import TORPOR
from tests.emulated.updatable import Kit, Signed
from torpor.board import load_board
from torpor.emulate import FlashFile

BOARDS = ("mps2_an386", "microbit")
Done = subprocess.CompletedProcess[str]

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


@dataclass
class Bench:
    """An emulated device that `torpor emulate` keeps running, and a folder for files."""

    kit: Kit
    folder: Path
    process: "subprocess.Popen[str]" = field(init=False)

    def __post_init__(self) -> None:
        flash = self.folder / "flash"
        FlashFile(self.kit.board, flash).program(self.kit.offset(0), self.kit.old.data)
        words = ["--board", self.kit.board.name, "--elf", str(self.kit.boot)]
        words += ["--flash", str(flash), "--link", self.port]
        self.process = subprocess.Popen(
            [TORPOR, "emulate", *words], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        assert self.process.stdout.readline().strip() == self.port

    @property
    def port(self) -> str:
        return str(self.folder / "port")

    def torpor(self, *words: str) -> Done:
        command = [TORPOR, *words, "--port", self.port]
        return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)

    def update(self, image: Signed, *words: str) -> Done:
        file = self.folder / "image.bin"
        file.write_bytes(image.data)
        return self.torpor("update", str(file), *words)

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def elf(self) -> str:
        """Return the ELF of what is linked for slot B."""
        return str(self.kit.boot.parents[1] / "motion-int8" / "image" / "firmware-b.elf")


@pytest.fixture(params=BOARDS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    require(load_board(request.param))
    made = Bench(updatable.kit(request.param), tmp_path)
    yield made
    made.close()


def test_an_update_is_confirmed_and_a_crashing_one_is_explained(bench: Bench) -> None:
    done = bench.update(bench.kit.crashing)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("the device went back: 4.0.0 in slot B: an exception at 0x")

    last = json.loads(bench.torpor("history", "--json", "--last", "1", "--elf", bench.elf()).stdout)
    assert [(event["event"], event["reason"], event["pc_name"]) for event in last] == [
        ("reverted", "fault", "main")
    ]

    done = bench.update(bench.kit.new)
    assert (done.returncode, done.stdout) == (0, "2.0.0 in slot B runs and is confirmed\n"), done
    done = bench.update(bench.kit.models[1], "--json")
    assert json.loads(done.stdout)["slot"] == "model 0", done.stderr

    bench.process.send_signal(signal.SIGUSR2)  # power fails
    slots = {
        slot["slot"]: slot for slot in json.loads(bench.torpor("slots", "--json").stdout)["slots"]
    }
    running = {name: slot["version"] for name, slot in slots.items() if "running" in slot["state"]}
    assert running == {"B": "2.0.0", "model 0": "2.0.0"}

    done = bench.torpor("update", "--back")
    assert (done.returncode, done.stdout) == (0, "1.0.0 in slot A runs and is confirmed\n"), done


def test_emulate_makes_a_new_device_that_lasts_from_one_run_to_the_next(tmp_path: Path) -> None:
    """Two commands are all that a person needs for a device that can be updated."""
    require(load_board("native"))
    words = ["--board", "native", "--flash", str(tmp_path / "flash")]
    words += ["--link", str(tmp_path / "port")]
    for run in range(2):
        process = subprocess.Popen(
            [TORPOR, "emulate", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        found = subprocess.run(
            [TORPOR, "slots", "--json", "--port", str(tmp_path / "port")],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        slots = {slot["slot"]: slot["state"] for slot in json.loads(found.stdout)["slots"]}
        assert slots["A"] == ["running", "confirmed"]
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=30)
        assert ("is new: firmware.bin is in slot A" in talk) == (run == 0)


def test_a_board_without_slots_is_no_device_to_update(tmp_path: Path) -> None:
    done = subprocess.run(
        [TORPOR, "emulate", "--board", "nrf51_large", "--flash", str(tmp_path / "flash")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "torpor: board 'nrf51_large' has no slots for updates"
