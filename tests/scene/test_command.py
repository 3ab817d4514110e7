# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor replay as a user sees it: a device at a port, an emulated one; output and exit codes."""

import contextlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulated.conftest import require
from tests.scene.conftest import Library
from tests.scene.fake import ReplayDevice, measured, verdicts
from tests.update_host.ports import Port, SocketEnd, TerminalEnd
from torpor.board import load_board
from torpor.cli.main import main
from torpor.link.faults import Damage, random_faults
from torpor.model import load_model
from torpor.scene import Scene, read, write
from torpor.scene.motion import motion_scene

Done = subprocess.CompletedProcess[str]
SCENE = Scene(10, 1000, (1, 2, 3, 4, 5, 6), noise=500, seed=3)
BLOCK = 8


def torpor(*words: object) -> Done:
    """Run the command in this process, which is faster."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["torpor", "replay", *map(str, words)])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main()
    return Done(sys.argv, code, out.getvalue(), err.getvalue())


def as_process(*words: object) -> Done:
    """Run the command as a process of its own: it starts others."""
    command = [sys.executable, "-m", "torpor", "replay", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Served:
    """A device at a port that skips the time in which nobody has to do anything."""

    def __init__(self, library: Library, rate: int = 10, axes: int = 6, block: int = BLOCK) -> None:
        self.device = ReplayDevice(library, rate, axes, block)
        self.device.out()

    def feed(self, data: bytes) -> bytes:
        self.device.feed(data)
        while (due := self.device.measures_at) is not None:
            self.device.run(due)
        return self.device.out()


@contextlib.contextmanager
def at_port(
    folder: Path, served: Served, make: Any = SocketEnd, seed: int | None = None
) -> Iterator[Port]:
    """Give the port of a device; with a seed one byte in 2,000 is damaged."""
    with contextlib.closing(Port(folder / "port", served.feed, make)) as port:
        if seed is not None:
            port.to_device = Damage(random_faults(seed, 2000))
            port.to_host = Damage(random_faults(seed + 1, 2000))
        yield port


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    write(SCENE, tmp_path / "a.scene")
    return tmp_path / "a.scene"


def crcs(done: Done) -> list[int]:
    """Return what the device has decided, from --json."""
    return [json.loads(line)["latency"] for line in done.stdout.splitlines()]


# ---- at a port


@pytest.mark.parametrize("make", [SocketEnd, TerminalEnd], ids=["socket", "terminal"])
def test_decisions_are_printed_and_all_of_the_recording_is_measured(
    library: Library, tmp_path: Path, scene: Path, make: Any
) -> None:
    served = Served(library)
    with at_port(tmp_path, served, make) as port:
        done = torpor(scene, "--port", port.name, "--speed", "fast")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert len(lines) == 125
    assert lines[0] == "     0.00 s  moving, 90%"
    assert lines[-1] == "    99.20 s  moving, 90%"
    assert f"motion-int8 on fake measures 1,000 samples = 100.0 s of {scene}" in done.stderr
    assert "1,000 of 1,000 samples measured\n" in done.stderr


def test_json_has_an_object_a_decision(library: Library, tmp_path: Path, scene: Path) -> None:
    with at_port(tmp_path, Served(library)) as port:
        done = torpor(scene, "--port", port.name, "--speed", "fast", "--json")
    assert crcs(done) == measured(SCENE, BLOCK)
    first = json.loads(done.stdout.splitlines()[0])
    assert (first["label"], first["score"], first["source"]) == ("moving", 0.9, "model")


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_wire_is_survived_and_told(
    library: Library, tmp_path: Path, scene: Path, seed: int
) -> None:
    served = Served(library)
    with at_port(tmp_path, served, seed=seed) as port:
        done = torpor(scene, "--port", port.name, "--speed", "fast", "--json")
    assert done.returncode == 0
    assert served.device.blocks == 125
    assert set(crcs(done)) <= set(measured(SCENE, BLOCK))
    assert "1,000 of 1,000 samples measured" in done.stderr
    assert "garbled" in done.stderr


def test_a_table_of_numbers_is_fed_at_the_rate_of_the_device(
    library: Library, tmp_path: Path
) -> None:
    samples = np.arange(480, dtype=np.int16).reshape(80, 6)
    np.save(tmp_path / "a.npy", samples)
    with at_port(tmp_path, Served(library)) as port:
        done = torpor(tmp_path / "a.npy", "--port", port.name, "--speed", "fast", "--json")
    assert crcs(done) == verdicts(samples, BLOCK)
    assert "measures 80 samples of" in done.stderr


def test_a_sound_file_is_fed_to_a_device_that_hears(library: Library, tmp_path: Path) -> None:
    numbers = np.arange(3200, dtype=np.int16)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(numbers.astype("<i2").tobytes())
    with at_port(tmp_path, Served(library, 16000, 1, 160)) as port:
        done = torpor(tmp_path / "a.wav", "--port", port.name, "--speed", "fast", "--json")
    assert crcs(done) == verdicts(numbers.reshape(-1, 1), 160)


@pytest.mark.parametrize(
    ("sensor", "words"),
    [
        ((25, 6), "a.scene has 10 samples a second, the device's sensor 25"),
        ((10, 3), "a.scene has 6 axes, the device's sensor 3"),
    ],
    ids=["rate", "axes"],
)
def test_a_recording_of_another_sensor_is_refused_with_both_numbers(
    library: Library, tmp_path: Path, scene: Path, sensor: tuple[int, int], words: str
) -> None:
    with at_port(tmp_path, Served(library, *sensor)) as port:
        done = torpor(scene, "--port", port.name, "--speed", "fast")
    assert done.returncode == 2
    assert words in done.stderr
    assert "hint: " in done.stderr
    assert done.stdout == ""


def test_a_port_that_is_not_there_is_an_error_of_the_device(scene: Path) -> None:
    done = torpor(scene, "--port", "/dev/none")
    assert done.returncode == 7
    assert "cannot open /dev/none" in done.stderr


def test_a_device_whose_cable_is_pulled_ends_the_replay(
    library: Library, tmp_path: Path, scene: Path
) -> None:
    served = Served(library)

    def feed(data: bytes) -> bytes:
        if served.device.blocks > 50:
            port.unplug()
        return served.feed(data)

    with contextlib.closing(Port(tmp_path / "port", feed, SocketEnd)) as port:
        done = torpor(scene, "--port", port.name, "--speed", "fast")
    assert done.returncode == 7
    assert "was closed by the other end" in done.stderr
    assert " of 1,000 samples measured" in done.stderr


def test_ctrl_c_ends_it_and_says_how_far_it_came(
    library: Library, tmp_path: Path, scene: Path
) -> None:
    served = Served(library)
    with at_port(tmp_path, served) as port:
        command = [sys.executable, "-m", "torpor", "replay", str(scene), "--port", port.name]
        with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline().endswith("moving, 90%\n")  # at real time: 96 s to go
            process.send_signal(signal.SIGINT)
            talk = process.stderr.read()
            assert process.wait() == 130
        assert "Traceback" not in talk
        assert " of 1,000 samples measured" in talk
        begun = served.device.blocks
        done = torpor(scene, "--port", port.name, "--speed", "fast")
    assert done.returncode == 0  # the device was waiting
    assert served.device.blocks >= begun + 124


def test_a_bar_is_shown_on_a_terminal(library: Library, tmp_path: Path, scene: Path) -> None:
    with at_port(tmp_path, Served(library)) as port:
        command = ["replay", str(scene), "--port", port.name, "--speed", "fast"]
        master, slave = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "torpor", *command], stdout=subprocess.DEVNULL, stderr=slave
        ) as process:
            os.close(slave)
            seen = b""
            with contextlib.suppress(OSError):  # the other end is closed
                while data := os.read(master, 4096):
                    seen += data
            assert process.wait() == 0
        os.close(master)
    assert b"replay seconds" in seen
    assert b"1,000 of 1,000 samples measured" in seen


# ---- what cannot be


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.wav"], "where is the device?"),
        (["a.wav", "--port", "x", "--board", "native"], "where is the device?"),
        (["a.wav", "--board", "native"], "--model is missing"),
        (["a.wav", "--port", "x", "--frames"], "--frames is of no use with --port"),
        (["a.wav", "--port", "x", "--elf", "y"], "--elf is of no use with --port"),
        (["a.wav", "--port", "x", "--model", "y"], "--model is of no use with --port"),
        (["--port", "x"], "FILE is missing"),
        (["a.wav", "--port", "x", "--keep", "y"], "--keep is for a scene that is made"),
        (["/none.wav", "--port", "x"], "cannot read /none.wav: No such file or directory"),
        (["--port", "x", "--model", "none"], "unknown model 'none'"),
    ],
    ids=" ".join,
)
def test_a_command_that_makes_no_sense_is_refused(words: list[str], message: str) -> None:
    done = torpor(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "hint: " in done.stderr or words[0] == "/none.wav"


# ---- emulated


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.xdist_group("build")
def test_a_scene_in_memory_and_over_the_wire_lead_to_the_same_decisions(tmp_path: Path) -> None:
    require(load_board("mps2_an386"))
    kept = tmp_path / "a.scene"
    write(motion_scene(load_model("motion"), 420, 5, ["running", "walking"]).scene, kept)
    emulated = ["--board", "mps2_an386", "--model", "motion", "--speed", "fast", "--json"]
    memory = as_process(kept, *emulated)
    wire = as_process(kept, "--frames", *emulated)
    assert memory.returncode == wire.returncode == 0, memory.stderr + wire.stderr
    decisions = [
        [
            (found["device_ms"], found["label"], found["score"], found["source"])
            for found in map(json.loads, done.stdout.splitlines())
        ]
        for done in (memory, wire)
    ]
    assert decisions[0] == decisions[1]
    assert [found[1] for found in decisions[0]] in (["running", "walking"], ["walking", "running"])
    assert "4,200 of 4,200 samples measured" in memory.stderr


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.xdist_group("build")
def test_the_emulated_device_decides_what_really_happens(tmp_path: Path) -> None:
    require(load_board("mps2_an386"))
    kept = tmp_path / "a.scene"
    done = as_process(
        *("--keep", kept, "--board", "mps2_an386", "--model", "motion"),
        *("--speed", "fast", "--json"),
    )
    scene = read(kept)
    spans = [(event.start / 10, event.start / 10 + 10) for event in scene.events]
    times = [json.loads(line)["device_ms"] / 1000 for line in done.stdout.splitlines()]
    inside = [any(start <= at <= end + 2 for start, end in spans) for at in times]
    assert all(inside)
    hits = [any(start <= at <= end + 2 for at in times) for start, end in spans]
    assert sum(hits) >= len(spans) - 1


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.xdist_group("build")
def test_a_small_board_is_fed_over_the_wire_by_itself(tmp_path: Path) -> None:
    require(load_board("microbit"))
    short = Scene(10, 640, (0,) * 6, noise=100, seed=1)
    write(short, tmp_path / "a.scene")
    done = as_process(
        *(tmp_path / "a.scene", "--board", "microbit"), *("--model", "motion", "--speed", "fast")
    )
    assert done.returncode == 0, done.stderr
    assert "640 of 640 samples measured" in done.stderr
    assert done.stdout == ""  # nothing moves
