# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""`torpor image`: what it writes, what it says, and how it refuses."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import images
from tests.support.drafts import DRAFTS, Draft
from tests.support.elf import elf_file
from tests.support.images import BOARD, COUNTER
from tests.support.plans import changed
from tests.support.small_models import small_cnn
from torpor.board import load_board
from torpor.board.layout import code_region
from torpor.cli.main import dispatch
from torpor.compile import compile_model
from torpor.errors import ImageError, ModelError, TorporError, UsageError
from torpor.image.keys import DEVELOPMENT, new_key, read_key
from torpor.image.parse import read_image, verify
from torpor.paths import TFLM
from torpor.plan.reader import Plan
from torpor.powercut.plans import plan

COMPILED = compile_model(small_cnn(), name="small")
ARENA = Plan.parse(COMPILED.plan).header["arena_bytes"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like one of the build, which is the current one."""
    (tmp_path / "plan.bin").write_bytes(COMPILED.plan)
    (tmp_path / "kernels.txt").write_text("".join(f"{name}\n" for name in COMPILED.kernels))
    start = code_region(load_board("microbit"), 1).address
    elf_file(tmp_path / "b.elf", [(start, b"code" * 100)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def image(*words: object) -> int:
    """Run `torpor image` in this process."""
    return dispatch(["image", *map(str, words)])


FIRMWARE = ("build", "b.elf", "--board", "microbit", "--slot", "b", "--version", "1.2.3+4")
CAPABILITY = ("--plan", "plan.bin", "--kernels", "kernels.txt", "--arena", ARENA)


def test_a_firmware_is_built_and_described(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert image(*FIRMWARE, *CAPABILITY, "--counter", "5", "-o", "f.bin") == 0
    made = read_image(folder / "f.bin")
    verify(made, read_key(DEVELOPMENT))
    assert (made.board, made.counter, str(made.version)) == ("microbit", 5, "1.2.3+4")
    assert made.capability is not None
    assert made.capability.kernel_names == list(COMPILED.kernels)
    said = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["image", "firmware 1.2.3+4, security counter 5"] in said
    assert ["for", f"microbit, linked for {made.address:#x}, slot B"] in said
    assert ["key", "development"] in said
    assert ["signature", "right"] in said
    assert ["kernels", ", ".join(COMPILED.kernels)] in said


def test_a_model_is_built_and_described(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert image("build", "plan.bin", "--version", "1.0.0", "-o", "m.bin") == 0
    assert read_image(folder / "m.bin").payload == COMPILED.plan
    said = capsys.readouterr().out
    assert "any board whose firmware can run it" in said
    assert f"plan format 2, portable, arena {ARENA:,}" in said
    assert image("build", "plan.bin", "--version", "1.0.0", "--board", "native", "-o", "n.bin") == 0
    assert read_image(folder / "n.bin").board == "native"


def test_an_object_says_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(*FIRMWARE, *CAPABILITY, "-o", "f.bin")
    image("build", "plan.bin", "--version", "1.0.0", "-o", "m.bin")
    capsys.readouterr()
    assert image("inspect", "f.bin", "--json") == 0
    firmware = json.loads(capsys.readouterr().out)
    assert (firmware["kind"], firmware["version"], firmware["slots"]) == (
        "firmware",
        "1.2.3+4",
        ["B"],
    )
    assert firmware["can_run"]["kernels"] == list(COMPILED.kernels)
    assert firmware["can_run"]["arena_bytes"] == ARENA
    assert firmware["needs"] is None
    assert firmware["signature"] == "right"
    assert firmware["records"][0] == {
        "type": COUNTER,
        "name": "security counter",
        "bytes": 4,
        "protected": True,
    }
    assert image("inspect", "m.bin", "--json") == 0
    model = json.loads(capsys.readouterr().out)
    assert model["needs"] == {
        "plan_version": 2,
        "target": "portable",
        "arena_bytes": ARENA,
        "kernels": list(COMPILED.kernels),
    }
    assert (model["can_run"], model["slots"], model["board"]) == (None, [], None)
    assert set(model) == set(firmware)


TFLM_PLAN = plan(1024, 512, 1, TFLM)


def test_a_firmware_with_tensorflow_lite_micro_says_its_registrations(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "plan.bin").write_bytes(TFLM_PLAN)
    (folder / "kernels.txt").write_text("ADD\nCONV_2D_INT8\n")
    words = ("--plan", "plan.bin", "--kernels", "kernels.txt", "--arena", 2048)
    assert image(*FIRMWARE, *words, "-o", "f.bin") == 0
    said = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["kernels", "ADD, ADD_INT8, CONV_2D_INT8"] in said
    assert image("inspect", "f.bin", "--json") == 0
    can = json.loads(capsys.readouterr().out)["can_run"]
    assert (can["targets"], can["arena_bytes"]) == (["tflm"], 2048)


def test_a_model_for_tensorflow_lite_micro_says_what_it_needs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "plan.bin").write_bytes(TFLM_PLAN)
    assert image("build", "plan.bin", "--version", "1.0.0", "-o", "m.bin") == 0
    assert "plan format 2, tflm, arena 1,024" in capsys.readouterr().out
    image("inspect", "m.bin", "--json")
    needs = json.loads(capsys.readouterr().out)["needs"]
    assert (needs["target"], needs["kernels"]) == ("tflm", ["ADD"])


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (COMPILED.plan, "firmware would refuse the plan: "),
        (TFLM_PLAN, "firmware would refuse the model: "),
    ],
    ids=["torpor", "tflm"],
)
def test_a_plan_that_no_firmware_accepts_is_not_signed(
    folder: Path, sound: bytes, said: str
) -> None:
    (folder / "plan.bin").write_bytes(changed(sound, "tensor 0.bytes", 1 << 30))
    with pytest.raises(ModelError, match=said):
        image("build", "plan.bin", "--version", "1.0.0", "-o", "m.bin")
    assert not (folder / "m.bin").exists()


def test_a_plan_with_kernels_that_this_torpor_does_not_know_is_signed(folder: Path) -> None:
    (folder / "plan.bin").write_bytes(changed(TFLM_PLAN, "header.kernels[3]", 1 << 31))
    assert image("build", "plan.bin", "--version", "1.0.0", "-o", "m.bin") == 0


def test_an_image_is_signed_anew(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new_key(folder / "my.pem")
    image(*FIRMWARE, "--counter", "5", "-o", "f.bin")
    assert image("sign", "f.bin", "--key", "my.pem", "-o", "g.bin") == 0
    old, new = read_image(folder / "f.bin"), read_image(folder / "g.bin")
    verify(new, read_key(folder / "my.pem"))
    assert (new.version, new.counter, new.payload) == (old.version, 5, old.payload)
    said = capsys.readouterr()
    assert "not checked: torpor image verify FILE --key KEY" in said.out
    assert "its code does not know this key" in said.err
    assert image("sign", "f.bin", "--version", "9.0.0", "--counter", "0", "-o", "f.bin") == 0
    assert str(read_image(folder / "f.bin").version) == "9.0.0", "in place"
    assert read_image(folder / "f.bin").counter == 0


def test_a_firmware_whose_code_knows_the_key_is_signed_without_a_note(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = code_region(load_board("microbit"), 1).address
    elf_file(folder / "b.elf", [(start, b"code" + read_key(DEVELOPMENT).public)])
    assert image(*FIRMWARE, "-o", "f.bin") == 0
    assert image("build", "plan.bin", "--version", "1.0.0", "-o", "m.bin") == 0
    assert capsys.readouterr().err == ""


def test_an_image_is_verified_with_a_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(*FIRMWARE, "-o", "f.bin")
    capsys.readouterr()
    assert image("verify", "f.bin") == 0
    assert capsys.readouterr().out == f"f.bin: sound, signed with {DEVELOPMENT}\n"
    assert image("verify", "f.bin", "--board", "microbit", "--key", DEVELOPMENT) == 0
    assert capsys.readouterr().out.endswith("fits microbit\n")
    new_key(folder / "my.pem")
    with pytest.raises(ImageError, match=r"^f.bin: signed with another key"):
        image("verify", "f.bin", "--key", "my.pem")
    with pytest.raises(ImageError, match=r"^f.bin: made for another board"):
        image("verify", "f.bin", "--board", "mps2_an386")
    image("build", "plan.bin", "--version", "1.0.0", "-o", "m.bin")
    with pytest.raises(UsageError, match="nrf51_large has no slots"):
        image("verify", "m.bin", "--board", "nrf51_large")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("build", "b.elf", "--version", "1.0.0"), "a firmware is for one board"),
        (("build", "b.elf", "--version", "1", "--board", "microbit", "--slot", "b"), "no version"),
        (("build", "b.elf", "--version", "1.0.0", "--board", "microbit"), "needs --slot a or"),
        (("build", "b.elf", "--version", "1.0.0", "--board", "microbitt"), "unknown board"),
        (
            ("build", "b.elf", "--version", "1.0.0", "--board", "native", "--slot", "a"),
            "native needs no --slot",
        ),
        ((*FIRMWARE, "--arena", "1"), "belong together"),
        ((*FIRMWARE, "--plan", "plan.bin", "--arena", "1"), "belong together"),
        ((*FIRMWARE, *CAPABILITY[:4], "--arena", "1"), "cannot run the plan that is built in"),
        ((*FIRMWARE, "--plan", "none", *CAPABILITY[2:]), "cannot read none"),
        ((*FIRMWARE, "--plan", "b.elf", *CAPABILITY[2:]), "not a plan"),
        ((*FIRMWARE, *CAPABILITY[:2], "--kernels", "none", "--arena", "1"), "cannot read none"),
        ((*FIRMWARE, *CAPABILITY[:2], "--kernels", "b.elf", "--arena", "1"), "unknown kernel"),
        ((*FIRMWARE, "--key", "none"), "cannot read none"),
        ((*FIRMWARE, "--counter", str(2**32)), "is too large"),
        (("build", "plan.bin", "--version", "1.0.0", "--slot", "a"), "--slot is for firmware"),
        (("build", "plan.bin", "--version", "1.0.0", "--arena", "1"), "--arena is for firmware"),
        (("build", "kernels.txt", "--version", "1.0.0"), "neither an ELF file nor a plan"),
        (("build", "none", "--version", "1.0.0"), "cannot read none"),
        (("build", "plan.bin", "--version", "1.0.0", "--board", "nrf51_large"), "no slots"),
        (("sign", "plan.bin"), "plan.bin: not an image"),
        (("sign", "none"), "cannot read none"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    folder: Path, words: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(TorporError) as caught:
        image(*words, "-o", "out.bin")
    assert problem in caught.value.message
    assert not (folder / "out.bin").exists()


def test_a_place_that_cannot_be_written_is_named(folder: Path) -> None:
    with pytest.raises(TorporError, match=r"cannot write none/f.bin: No such file"):
        image(*FIRMWARE, "-o", "none/f.bin")


@pytest.mark.parametrize("action", ["inspect", "verify"])
def test_a_hostile_file_gives_one_line_and_exit_8(folder: Path, action: str) -> None:
    (folder / "x.bin").write_bytes(Draft(payload_bytes=0xFFFFFFFF).build())
    command = [sys.executable, "-m", "torpor", "image", action, "x.bin"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 8
    assert done.stdout == ""
    assert done.stderr == (
        "torpor: x.bin: truncated, or a length, flag or record is wrong: "
        "4,294,967,327 bytes of header and payload in 288\n"
    )


@given(draft=DRAFTS | st.binary(max_size=50).map(lambda name: Draft(protected=((BOARD, name),))))
def test_no_image_makes_a_terminal_do_things(
    tmp_path_factory: pytest.TempPathFactory, draft: Draft
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(draft.build())
    shown = run_and_capture("inspect", path)
    assert all(c.isprintable() or c == "\n" for c in shown)


def run_and_capture(*words: object) -> str:
    """Return what `torpor image` prints, or the message of its error."""

    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            image(*words)
    except TorporError as error:
        return error.message
    return out.getvalue()


def test_a_wrong_signature_is_shouted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.bin").write_bytes(Draft(signature=bytes(64)).build())
    assert image("inspect", "x.bin") == 0
    assert "WRONG: no device takes it" in capsys.readouterr().out


def test_a_firmware_for_a_board_that_nobody_knows_is_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.bin").write_bytes(Draft(flags=0, protected=((BOARD, b"toaster"),)).build())
    assert image("inspect", "x.bin") == 0
    assert "toaster, no slot that is known" in capsys.readouterr().out
    (folder / "x.bin").write_bytes(Draft(flags=0, protected=((BOARD, b"[red]\x1b[0m"),)).build())
    assert image("inspect", "x.bin") == 0
    assert "[red]\\x1b[0m, no slot" in capsys.readouterr().out


def test_a_firmware_without_kernels_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = b"\1" + bytes(27)
    draft = Draft(flags=0, protected=((BOARD, b""), (images.CAPABILITY, nothing)))
    (folder / "x.bin").write_bytes(draft.build())
    assert image("inspect", "x.bin") == 0
    assert ["kernels", "none"] in [line.split() for line in capsys.readouterr().out.splitlines()]
