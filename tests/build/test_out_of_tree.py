# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Applications and models outside of this repository, which stays as it is."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build.conftest import Tree
from tests.support.slope_model import LABELS, slope_model
from torpor import emulate
from torpor.errors import BudgetError, UsageError
from torpor.image.parse import parse
from torpor.paths import FIRMWARE, MODELS, ROOT

pytestmark = pytest.mark.xdist_group("scons")

EXAMPLE = ROOT / "docs" / "example_app"
BOARD = "board=mps2_an386"
OUT = Path("build/mps2_an386/slope-file-slope")
LIMIT_S = 60.0


@dataclass(frozen=True)
class Elsewhere:
    """A folder of a user's, and torpor in another place."""

    folder: Path
    torpor: Path

    def scons(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run torpor's SConstruct in the folder."""
        command = [
            sys.executable,
            "-m",
            "SCons",
            "-Q",
            "-j2",
            "-f",
            str(self.torpor / "SConstruct"),
        ]
        return subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, *arguments: str) -> str:
        """Run it and insist on success; return what it said."""
        done = self.scons(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def user(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """A folder with the example in it, "my app", and none of torpor."""
    folder = tmp_path_factory.mktemp("user") / "für mich ✓"
    shutil.copytree(EXAMPLE, folder / "my app")
    return Elsewhere(folder, tree.folder)


@pytest.fixture
def own(user: Elsewhere) -> Iterator[Path]:
    """A folder for one more application, "own"; it is gone afterwards."""
    folder = user.folder / "own"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of all files but those that Python caches."""
    stats = {path: path.stat() for path in folder.rglob("*") if "__pycache__" not in path.parts}
    return {str(p): (s.st_size, s.st_mtime_ns) for p, s in stats.items() if p.is_file()}


def said(elf: Path, count: int) -> list[str]:
    """Return the first lines of text that a firmware says on its emulated board."""
    heard = b""
    with emulate.start("mps2_an386", elf) as emulator:
        end = time.monotonic() + LIMIT_S
        while heard.count(b"readings ") <= count and time.monotonic() < end:
            heard += emulator.transport.read(1.0)
    lines = [line.decode("ascii", "replace") for line in heard.split(b"\n")]
    return [line for line in lines if line.startswith("readings ")][:count]


def test_the_model_of_the_example_is_what_its_script_makes() -> None:
    assert (EXAMPLE / "slope.tflite").read_bytes() == slope_model()


def test_an_application_is_built_where_the_user_is_and_torpor_stays_as_it_is(
    user: Elsewhere,
) -> None:
    (user.torpor / "build" / "third_party").mkdir(parents=True, exist_ok=True)
    before = files_of(user.torpor)
    user.build("app=my app", BOARD)
    assert files_of(user.torpor) == before
    assert {path.name for path in user.folder.iterdir()} == {
        *("my app", "build", "compile_commands.json")
    }
    assert (user.folder / OUT / "footprint.json").is_file()
    assert "is up to date" in user.build("app=my app", BOARD)


@pytest.mark.emulated
def test_the_example_sleeps_infers_and_prints(user: Elsewhere) -> None:
    user.build("app=my app", BOARD)
    lines = said(user.folder / OUT / "firmware.elf", 4)
    words = [LABELS[0], LABELS[1], LABELS[2], LABELS[0]]
    expected = [f"readings {16 * i} to {16 * i + 15}: {word}" for i, word in enumerate(words)]
    assert lines == expected


@pytest.mark.emulated
def test_run_shows_what_an_application_prints_until_it_is_interrupted(user: Elsewhere) -> None:
    command = [sys.executable, "-m", "SCons", "-Q", "-f", str(user.torpor / "SConstruct")]
    with subprocess.Popen(
        [*command, "app=my app", BOARD, "run"],
        cwd=user.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as scons:
        assert scons.stdout
        shown = next(line for line in scons.stdout if line.startswith("readings "))
        os.killpg(scons.pid, signal.SIGINT)
        scons.communicate()
    assert shown == "readings 0 to 15: falling\n"
    assert scons.returncode == 0


def test_an_application_elsewhere_has_images_like_any_other(user: Elsewhere) -> None:
    user.build("app=my app", BOARD, "image", "version=3.2.1")
    for slot in "ab":
        image = parse((user.folder / OUT / "image" / f"firmware-{slot}.bin").read_bytes())
        assert str(image.version) == "3.2.1"
    assert (user.folder / "build/mps2_an386/boot/boot.elf").is_file()


def test_editors_find_the_users_files_and_ours(user: Elsewhere) -> None:
    user.build("app=my app", BOARD)
    commands = json.loads((user.folder / "compile_commands.json").read_text())
    files = {entry["file"] for entry in commands}
    assert "my app/main.c" in files
    assert str(user.torpor / "firmware" / "app" / "start.c") in files


def test_no_path_of_this_computer_gets_into_the_firmware(user: Elsewhere) -> None:
    user.build("app=my app", BOARD)
    elf = (user.folder / OUT / "firmware.elf").read_bytes()
    assert str(user.torpor).encode() not in elf
    assert str(user.folder).encode() not in elf


def test_a_call_that_nobody_knows_is_named_with_what_to_write_where(user: Elsewhere) -> None:
    file = user.folder / "my app" / "app.toml"
    text = file.read_text()
    file.write_text(text[: text.index("[calls.targets]")])
    done = user.scons("app=my app", BOARD)
    file.write_text(text)
    assert done.returncode == BudgetError.exit_code
    assert "scons: stack: on_time calls through a pointer\n" in done.stderr
    hint = next(line for line in done.stderr.splitlines() if line.startswith("hint: "))
    assert hint.startswith('hint: add on_time = ["what_it_calls", ...] to [calls.targets] of ')
    assert hint.endswith("/my app/app.toml")


def test_a_stack_that_is_too_small_for_the_application_fails_the_build(user: Elsewhere) -> None:
    file = user.folder / "my app" / "app.toml"
    text = file.read_text()
    file.write_text(text.replace("drivers", "stack = 256\ndrivers"))
    done = user.scons("app=my app", BOARD)
    file.write_text(text)
    assert done.returncode == BudgetError.exit_code
    assert "over the budget of 256" in done.stderr


def test_warnings_of_the_users_code_are_shown_and_fail_nothing(user: Elsewhere, own: Path) -> None:
    shutil.copy(FIRMWARE / "app" / "serve" / "main.c", own)
    (own / "more.c").write_text("static int unused(void)\n{\n    return 1;\n}\n")
    (own / "app.toml").write_text('model = "slope.tflite"\n')
    shutil.copy(EXAMPLE / "slope.tflite", own)
    done = user.scons("app=own", "board=native")
    assert done.returncode == 0, done.stderr
    assert "unused" in done.stderr


def test_a_sensor_of_ones_own_takes_the_place_of_the_replayed_one(
    user: Elsewhere, own: Path
) -> None:
    shutil.copy(FIRMWARE / "drivers" / "replay" / "replay.c", own)
    (own / "app.toml").write_text('base = "wake"\nname = "own-sensor"\n')
    user.build("app=own", "board=native", "model=motion")
    commands = json.loads((user.folder / "compile_commands.json").read_text())
    sensors = [entry["file"] for entry in commands if entry["file"].endswith("/replay.c")]
    assert sensors == ["own/replay.c"]
    made = user.folder / "build/native/motion-int8-own-sensor"
    assert (made / "firmware.elf").is_file() and (made / "gen" / "wake.c").is_file()


def test_a_model_folder_of_ones_own_is_quantized_and_built(user: Elsewhere) -> None:
    shutil.copytree(MODELS / "motion", user.folder / "wrist")
    user.build("model=wrist", "board=native", "bits=4")
    shutil.rmtree(user.folder / "wrist")
    assert (user.folder / "build/models/wrist-int4.tflite").is_file()
    assert (user.folder / "build/native/wrist-int4/firmware.elf").is_file()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('sources = ["none.c"]', "'sources': there is no none.c", ""),
        ('reserve = ["ADD_S9"]', "'reserve': unknown kernel 'ADD_S9'", "did you mean 'ADD_S8'"),
        ('model = "none.tflite"', "'model': there is no none.tflite", "known: alexa, motion"),
    ],
)
def test_a_mistake_is_two_lines_and_nothing_is_built(
    user: Elsewhere, own: Path, text: str, message: str, hint: str
) -> None:
    (own / "app.toml").write_text(text)
    (own / "main.c").touch()
    done = user.scons("app=own", BOARD, "image")
    assert done.returncode == UsageError.exit_code
    assert "Traceback" not in done.stderr and "  cc " not in done.stdout
    assert message in done.stderr and hint in done.stderr
