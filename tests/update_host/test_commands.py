# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor slots, history and update as a user sees them: processes, their output and exit code."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mgmt.device import PART, copy_plan, image_hash
from tests.support import images
from tests.support.plans import changed
from tests.update.device import FIRMWARE, M0, M1, M2, A, B
from tests.update_host.ports import Port, SocketEnd
from tests.update_host.toy import Toy
from torpor.cli import update
from torpor.cli.main import main
from torpor.errors import MissingToolError
from torpor.link.fake import FakeDevice
from torpor.link.faults import Damage
from torpor.paths import TFLM
from torpor.powercut.plans import NEEDS, plan
from torpor.update import device as device_module
from torpor.update.device import Device

Done = subprocess.CompletedProcess[str]
UPLOAD = (2, 1, 1)
NEW = b"new code" * 2000


def process(*words: object) -> Done:
    """Run a command as a shell would."""
    return subprocess.run(
        [sys.executable, "-m", "torpor", *map(str, words)],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def torpor(*words: object, columns: int = 80) -> Done:
    """Run a command in this process, which is faster."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["torpor", *map(str, words)])
        patch.setenv("COLUMNS", str(columns))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main()
    return Done(sys.argv, code, out.getvalue(), err.getvalue())


def assert_quiet_failure(done: Done, code: int, *words: str) -> None:
    """One line and perhaps a hint, nothing on stdout, no trace."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if line.startswith(("torpor: ", "hint: "))]
    assert 1 <= len(said) <= 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.fixture
def pair(it: Toy, tmp_path: Path) -> Path:
    """A folder as the build makes it, with firmware 1.1.0."""
    return make_pair(it, tmp_path / "image", "1.1.0")


def make_pair(it: Toy, folder: Path, version: str, **fields: Any) -> Path:
    folder.mkdir()
    for slot, name in enumerate("ab"):
        image = it.firmware(slot, version, NEW, **fields)
        (folder / f"firmware-{name}.bin").write_bytes(image)
    return folder


@pytest.fixture
def socket(it: Toy, tmp_path: Path) -> Iterator[Port]:
    """The device behind a socket."""
    made = Port(tmp_path / "socket", it.feed, SocketEnd)
    yield made
    made.close()


class Nth:
    """Lets something happen at the n-th upload message, once; all messages are heard but that."""

    def __init__(self, number: int, action: Any) -> None:
        self.uploads = 0
        self._number, self._action = number, action

    def __call__(self, what: tuple[int, int, int]) -> bool:
        self.uploads += what == UPLOAD
        if what != UPLOAD or self.uploads != self._number:
            return True
        self._action()
        return False


# ---- firmware


def test_an_update_ends_with_the_confirmation(it: Toy, port: Port, pair: Path) -> None:
    done = process("update", pair, "--port", port.name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1.1.0 in slot B runs and is confirmed\n"
    assert it.kinds() == ["upload", "armed", "attempt", "confirmed"]
    size = (pair / "firmware-b.bin").stat().st_size
    first, *others = done.stderr.splitlines()
    assert first.startswith(f"firmware 1.1.0 to slot B: {size:,} of {size:,} bytes, ")
    assert others == ["1.1.0 runs on trial in slot B"]


def test_two_updates_use_the_slots_in_turn(it: Toy, socket: Port, tmp_path: Path) -> None:
    for number, slot in ((1, "B"), (2, "A"), (3, "B")):
        folder = make_pair(it, tmp_path / str(number), f"2.0.{number}")
        done = torpor("update", folder, "--port", socket.name, "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert (found["slot"], found["version"]) == (slot, f"2.0.{number}")


def test_the_outcome_is_an_object_for_scripts(it: Toy, socket: Port, pair: Path) -> None:
    done = torpor("update", pair, "--port", socket.name, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    image = (pair / "firmware-b.bin").read_bytes()
    assert found.pop("seconds") > 0
    assert found == {
        **{"verdict": "confirmed", "component": "firmware", "slot": "B", "version": "1.1.0"},
        **{"hash": image_hash(image).hex(), "reason": None, "why": None, "pc": None, "lr": None},
        "pc_name": None,
        "sent": len(image),
    }


def test_what_runs_already_is_not_sent_again(it: Toy, socket: Port, pair: Path) -> None:
    assert torpor("update", pair, "--port", socket.name).returncode == 0
    before = it.kinds()
    done = torpor("update", pair, "--port", socket.name, "--json")
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["verdict"], json.loads(done.stdout)["sent"]) == (
        *("confirmed", 0),
    )
    assert it.kinds() == before


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("fault", "an exception at 0x00001234"),
        ("watchdog", "it hung, or did not confirm in time at 0x00004321"),
        ("power", "power loss: RAM did not survive"),
        ("self_test", "the application's own self-test failed"),
    ],
)
def test_an_image_that_fails_ends_with_the_reason(
    it: Toy, socket: Port, pair: Path, end: str, words: str
) -> None:
    it.outcomes["1.1.0"] = end
    done = torpor("update", pair, "--port", socket.name)
    assert done.returncode == 1, done.stderr
    assert done.stdout == f"the device went back: 1.1.0 in slot B: {words}\n"
    assert done.stderr.splitlines()[-1] == "hint: torpor history tells of each attempt"
    assert it.kinds()[-1] == f"reverted {end}"
    attempts = [line for line in done.stderr.splitlines() if line.startswith("attempt ")]
    assert len(attempts) == (0 if end == "self_test" else 2)
    assert it.running(FIRMWARE) == A


def test_what_was_rejected_can_be_tried_again_without_sending_it(
    it: Toy, socket: Port, pair: Path
) -> None:
    it.outcomes["1.1.0"] = "self_test"
    assert torpor("update", pair, "--port", socket.name).returncode == 1
    done = torpor("update", "--back", "--port", socket.name)
    assert_quiet_failure(done, 2, "1.1.0 in slot B is no version to go back to", "--slot B tries")
    it.outcomes.clear()
    done = torpor("update", pair, "--port", socket.name)
    assert done.returncode == 0, done.stderr
    assert "1.1.0 is in slot B already, where it was tried and rejected" in done.stderr
    assert it.kinds().count("upload") == 1


def test_what_is_there_but_not_whole_is_sent(it: Toy, socket: Port, pair: Path) -> None:
    image = (pair / "firmware-b.bin").read_bytes()
    it.device.load(B, image[:-10])
    done = torpor("update", pair, "--port", socket.name)
    assert (done.returncode, done.stdout) == (0, "1.1.0 in slot B runs and is confirmed\n"), done
    assert "it is not whole: the device refuses: the signature is wrong" in done.stderr
    assert it.device.slot(B)[: len(image)] == image


def test_a_failed_update_is_an_object_with_the_reason(it: Toy, socket: Port, pair: Path) -> None:
    it.outcomes["1.1.0"] = "fault"
    done = torpor("update", pair, "--port", socket.name, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["verdict"], found["reason"], found["pc"], found["lr"]) == (
        *("reverted", "fault"),
        *(0x1234, 0x5678),
    )


# ---- bad circumstances


def test_a_cable_that_is_pulled_out_costs_only_time(it: Toy, port: Port, pair: Path) -> None:
    it.hears = Nth(9, port.unplug)
    done = process("update", pair, "--port", port.name)
    assert done.returncode == 0, done.stderr
    assert port.unplugged == 1
    assert "waiting for it" in done.stderr
    assert it.kinds().count("upload") == 1, "it went on where it was"
    messages = -(-(pair / "firmware-b.bin").stat().st_size // PART)
    assert it.hears.uploads < messages + 12


def test_power_loss_in_the_middle_of_an_upload_costs_only_time(
    it: Toy, socket: Port, pair: Path
) -> None:
    it.hears = Nth(12, it.power_cut)
    done = torpor("update", pair, "--port", socket.name)
    assert done.returncode == 0, done.stderr
    assert it.kinds() == ["upload", "armed", "attempt", "confirmed"]


def test_an_update_that_was_interrupted_goes_on_when_it_is_given_again(
    it: Toy, socket: Port, pair: Path
) -> None:
    words = [sys.executable, "-m", "torpor", "update", str(pair), "--port", socket.name]
    running = subprocess.Popen(words, stderr=subprocess.PIPE)
    it.hears = Nth(12, lambda: running.send_signal(signal.SIGINT))
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert b"Traceback" not in said
    done = torpor("update", pair, "--port", socket.name, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sent"] < (pair / "firmware-b.bin").stat().st_size
    assert it.kinds().count("upload") == 1


def test_a_bad_line_costs_only_time(
    it: Toy, socket: Port, pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Device.__init__.__kwdefaults__ or {}, "timeout", 0.5)
    socket.to_device = Damage([(4000, "flip", 1)])
    socket.to_host = Damage([(500, "drop", 1)])
    done = torpor("update", pair, "--port", socket.name)
    assert done.returncode == 0, done.stderr
    assert (socket.to_device.done, socket.to_host.done) == (1, 1)
    assert it.kinds()[-2:] == ["attempt", "confirmed"]


def test_text_and_records_on_the_wire_do_not_disturb(it: Toy, port: Port, pair: Path) -> None:
    it.chatty = True
    assert process("update", pair, "--port", port.name).returncode == 0
    assert process("slots", "--port", port.name, "--json").returncode == 0


def test_a_device_that_does_not_decide_is_left_alone_after_a_while(
    it: Toy, socket: Port, pair: Path
) -> None:
    it.outcomes["1.1.0"] = "hang"
    done = torpor("update", pair, "--port", socket.name, "--timeout", 1)
    assert_quiet_failure(done, 7, "1.1.0 runs in slot B and is not confirmed after 1 s")
    done = torpor("update", pair, "--port", socket.name, "--timeout", 1)
    assert_quiet_failure(done, 7, "1.1.0 runs in slot B and is not confirmed after 1 s")
    assert it.kinds() == ["upload", "armed", "attempt"], "waiting again costs no attempt"


def test_another_image_has_to_wait_for_the_end_of_a_trial(
    it: Toy, socket: Port, pair: Path, tmp_path: Path
) -> None:
    it.outcomes["1.1.0"] = "hang"
    assert torpor("update", pair, "--port", socket.name, "--no-wait").returncode == 0
    other = make_pair(it, tmp_path / "other", "1.2.0")
    done = torpor("update", other, "--port", socket.name)
    assert_quiet_failure(done, 2, "1.1.0 is on trial in slot B", "--reject firmware")
    done = torpor("update", "--reject", "firmware", "--port", socket.name)
    assert done.stdout == "the trial in slot B is over; slot A runs\n", done.stderr
    assert it.kinds()[-1] == "reverted user"
    assert torpor("update", other, "--port", socket.name).returncode == 0


def test_without_waiting_the_command_ends_when_the_trial_begins(
    it: Toy, socket: Port, pair: Path
) -> None:
    done = torpor("update", pair, "--port", socket.name, "--no-wait")
    assert (done.returncode, done.stdout) == (0, "1.1.0 in slot B goes on trial\n"), done.stderr
    assert it.kinds() == ["upload", "armed", "attempt"]


# ---- going back


def test_going_back_tries_the_version_in_the_other_slot(it: Toy, socket: Port, pair: Path) -> None:
    assert torpor("update", pair, "--port", socket.name).returncode == 0
    done = torpor("update", "--back", "--port", socket.name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1.0.0 in slot A runs and is confirmed\n"
    assert it.kinds()[-3:] == ["armed", "attempt", "confirmed"]


def test_going_back_where_nothing_is_says_so(it: Toy, socket: Port) -> None:
    done = torpor("update", "--back", "--port", socket.name)
    assert_quiet_failure(done, 2, "no firmware to go back to in another slot")
    done = torpor("update", "--back", "model", "--model-slot", 1, "--port", socket.name)
    assert_quiet_failure(done, 2, "no model to go back to in model slot 1")
    done = torpor("update", "--reject", "model", "--port", socket.name)
    assert_quiet_failure(done, 2, "no model is on trial")


# ---- models


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_models_go_through_their_slots(it: Toy, socket: Port, tmp_path: Path) -> None:
    slots = []
    for number in range(1, 5):
        file = write(tmp_path / "model.bin", it.model(f"1.{number}.0"))
        done = torpor("update", file, "--port", socket.name, "--json")
        assert done.returncode == 0, done.stderr
        slots.append(json.loads(done.stdout)["slot"])
    assert slots == ["model 0", "model 1", "model 2", "model 0"]
    done = torpor("update", "--back", "model", "--port", socket.name)
    assert done.stdout == "1.3.0 in model slot 2 runs and is confirmed\n"
    assert it.starts == 2, "a model needs no restart"


def test_a_model_that_fails_is_reverted_and_its_slot_is_used_next(
    it: Toy, socket: Port, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        file = write(tmp_path / "model.bin", it.model(f"1.{number}.0"))
        it.outcomes = {"1.2.0": "fault"}
        done = torpor("update", file, "--port", socket.name)
        assert done.returncode == (number == 2), done.stderr
    file = write(tmp_path / "model.bin", it.model("1.4.0"))
    done = torpor("update", file, "--port", socket.name)
    assert done.stdout == "1.4.0 in model slot 1 runs and is confirmed\n", done.stderr
    assert it.kinds().count("reverted fault") == 1


def test_a_model_slot_can_be_chosen_if_it_is_not_in_use(
    it: Toy, socket: Port, tmp_path: Path
) -> None:
    file = write(tmp_path / "m.bin", it.model("1.0.0"))
    done = torpor("update", file, "--port", socket.name, "--model-slot", 2)
    assert done.stdout == "1.0.0 in model slot 2 runs and is confirmed\n", done.stderr
    other = write(tmp_path / "other.bin", it.model("1.1.0"))
    done = torpor("update", other, "--port", socket.name, "--model-slot", 2)
    assert_quiet_failure(done, 2, "model slot 2 must not be overwritten: running, confirmed")


def test_a_model_that_needs_more_memory_is_refused_before_a_byte_is_sent(
    it: Toy, socket: Port, tmp_path: Path
) -> None:
    file = write(tmp_path / "m.bin", it.model("1.0.0", copy_plan(8, arena=4096)))
    done = torpor("update", file, "--port", socket.name)
    words = "does not fit firmware 1.0.0 of the device: needs 4,096 bytes of arena of 256"
    assert_quiet_failure(done, 8, words)
    assert it.kinds() == []


def test_a_folder_with_firmware_and_model_means_the_firmware(
    it: Toy, socket: Port, pair: Path
) -> None:
    model = write(pair / "model.bin", it.model("1.1.0"))
    assert torpor("update", model, "--port", socket.name).returncode == 0
    done = torpor("update", pair, "--port", socket.name)
    assert done.stdout == "1.1.0 in slot B runs and is confirmed\n", done.stderr
    assert "replace it" not in done.stderr
    write(model, it.model("1.2.0"))
    done = torpor("update", pair, "--port", socket.name)
    assert f"to replace it too: torpor update {model}" in done.stderr


# ---- the other engine


TFLM_PLAN = plan(1024, 512, 1, TFLM)
RUNS_TFLM = images.capability([NEEDS[TFLM][1]], 2048, 1 << NEEDS[TFLM][0])


def test_a_model_for_the_other_engine_is_refused_before_a_byte_is_sent(
    it: Toy, socket: Port, tmp_path: Path
) -> None:
    file = write(tmp_path / "m.bin", it.model("1.0.0", TFLM_PLAN))
    done = torpor("update", file, "--port", socket.name)
    words = "made for TensorFlow Lite Micro, the firmware runs torpor's own plans"
    assert_quiet_failure(done, 8, f"does not fit firmware 1.0.0 of the device: {words}")
    assert it.kinds() == []


def test_a_device_whose_firmware_does_not_say_what_it_can_run_refuses_it_itself(
    it: Toy, socket: Port, tmp_path: Path
) -> None:
    it.device.load(A, it.firmware(A, "1.0.0", capability=None))
    file = write(tmp_path / "m.bin", it.model("1.0.0", TFLM_PLAN))
    done = torpor("update", file, "--port", socket.name)
    assert_quiet_failure(done, 8, "the device refuses: needs kernels, memory or a plan version")
    assert it.kinds() == ["upload", "refused unfit"]


def test_firmware_that_cannot_run_the_device_s_model_says_so_before(
    it: Toy, socket: Port, tmp_path: Path
) -> None:
    model = write(tmp_path / "model.bin", it.model("1.0.0"))
    assert torpor("update", model, "--port", socket.name).returncode == 0
    pair = make_pair(it, tmp_path / "pair", "1.1.0", capability=RUNS_TFLM)
    done = torpor("update", pair, "--port", socket.name)
    assert done.returncode == 0, done.stderr
    why = "made for torpor's own engine, the firmware runs TensorFlow Lite Micro"
    assert f"it will run its built-in model, not that in model slot 0: {why}" in done.stderr


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        (copy_plan(8), "m.bin: firmware would refuse the plan: "),
        (TFLM_PLAN, "m.bin: firmware would refuse the model: "),
    ],
    ids=["torpor", "tflm"],
)
def test_a_plan_that_no_firmware_accepts_is_not_sent(
    it: Toy, socket: Port, tmp_path: Path, sound: bytes, words: str
) -> None:
    it.device.load(A, it.firmware(A, "1.0.0", capability=None))
    broken = changed(sound, "tensor 0.offset", 1 << 20)
    file = write(tmp_path / "m.bin", it.model("1.0.0", broken))
    done = torpor("update", file, "--port", socket.name)
    assert_quiet_failure(done, 8, words)
    assert it.kinds() == []


def test_without_a_compiler_the_device_alone_checks_a_plan(
    it: Toy, socket: Port, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_plan: bytes) -> None:
        raise MissingToolError("no C compiler")

    monkeypatch.setattr(update, "refuse_unsound", missing)
    file = write(tmp_path / "m.bin", it.model("1.0.0"))
    done = torpor("update", file, "--port", socket.name)
    assert done.stdout == "1.0.0 in model slot 0 runs and is confirmed\n", done.stderr


# ---- mistakes


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"board": b"other"}, ["another board: it is for other, this is toy", "board=toy"]),
        ({"payload": bytes(90_000)}, ["larger than the slot", "a smaller model"]),
        ({"key": images.key(1)}, ["signed with another key: it names", "torpor keys show"]),
    ],
    ids=["board", "size", "key"],
)
def test_an_image_for_another_device_is_refused(
    it: Toy, socket: Port, tmp_path: Path, fields: dict[str, Any], words: list[str]
) -> None:
    payload = fields.pop("payload", NEW)
    image = it.firmware(B, "1.1.0", payload, **fields)
    done = torpor("update", write(tmp_path / "x.bin", image), "--port", socket.name)
    assert_quiet_failure(done, 8, *words)
    assert it.kinds() == [], "not a byte was sent"


def test_a_lower_security_counter_is_refused_before_a_byte_is_sent(
    it: Toy, socket: Port, tmp_path: Path
) -> None:
    high = make_pair(it, tmp_path / "high", "1.1.0", counter=7)
    low = make_pair(it, tmp_path / "low", "1.2.0", counter=6)
    assert torpor("update", high, "--port", socket.name).returncode == 0
    before = it.kinds()
    done = torpor("update", low, "--port", socket.name)
    assert_quiet_failure(done, 8, "its security counter is below", "6 < 7")
    assert it.kinds() == before


def test_the_wrong_one_of_a_pair_is_replaced_by_its_sibling(
    it: Toy, socket: Port, pair: Path
) -> None:
    done = torpor("update", pair / "firmware-a.bin", "--port", socket.name)
    assert done.stdout == "1.1.0 in slot B runs and is confirmed\n", done.stderr


def test_the_wrong_one_of_a_pair_alone_says_which_is_needed(
    it: Toy, socket: Port, pair: Path
) -> None:
    (pair / "firmware-b.bin").unlink()
    done = torpor("update", pair / "firmware-a.bin", "--port", socket.name)
    assert_quiet_failure(done, 8, "slot B is free", "the one for slot B")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:5000], "bytes of header and payload in 5,000"),
        (lambda data: b"", "not an image, but an empty file"),
        (lambda data: b"\x7fELF" + data, "not an image, but an ELF file"),
        (lambda data: data[:600] + b"?" + data[601:], "was the file damaged?"),
    ],
    ids=["truncated", "empty", "elf", "damaged"],
)
def test_a_file_that_is_no_image_is_refused_without_a_device(
    pair: Path, change: Any, words: str
) -> None:
    file = pair / "firmware-b.bin"
    file.write_bytes(change(file.read_bytes()))
    assert_quiet_failure(torpor("update", file, "--port", "/nowhere"), 8, words, str(file))


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    done = torpor("update", tmp_path / "none.bin", "--port", "/nowhere")
    assert_quiet_failure(done, 8, "none.bin: No such file")
    done = torpor("update", tmp_path, "--port", "/nowhere")
    assert_quiet_failure(done, 2, "has no images", "scons board=... image")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name an image or a folder"),
        (["x.bin", "--back"], "name an image or a folder"),
        (["--back", "--reject", "model"], "name an image or a folder"),
        (["--back", "other"], "invalid choice: 'other'"),
        (["--wait", "-1"], "'-1' is no whole number"),
    ],
)
def test_wrong_words_are_refused(words: list[str], message: str) -> None:
    assert_quiet_failure(process("update", *words, "--port", "/nowhere"), 2, message)


def test_a_slot_of_the_other_kind_is_refused(
    it: Toy, socket: Port, pair: Path, tmp_path: Path
) -> None:
    done = torpor("update", pair, "--port", socket.name, "--model-slot", 1)
    assert_quiet_failure(done, 2, "--model-slot is not for a firmware")
    file = write(tmp_path / "m.bin", it.model("1.0.0"))
    done = torpor("update", file, "--port", socket.name, "--slot", "B")
    assert_quiet_failure(done, 2, "--slot is not for a model")
    done = torpor("update", pair, "--port", socket.name, "--slot", "A")
    assert_quiet_failure(done, 2, "slot A must not be overwritten: running, confirmed")


@pytest.mark.parametrize("name", ["slots", "history"])
def test_a_port_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    done = process(name, "--port", tmp_path / "none")
    assert_quiet_failure(done, 7, f"cannot open {tmp_path / 'none'}", "plugged in")


def test_a_device_that_answers_nothing_is_said_to(
    it: Toy, socket: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "CONNECT_S", 0.1)
    it.deaf = 10**9
    assert_quiet_failure(torpor("slots", "--port", socket.name), 7, "no answer from unix:")


def test_a_firmware_without_slots_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "CONNECT_S", 0.1)
    fake = FakeDevice(lambda inputs: inputs, [4], [4])
    made = Port(tmp_path / "device", fake.feed)
    try:
        done = torpor("slots", "--port", made.name)
    finally:
        made.close()
    assert_quiet_failure(done, 7, "it was built without slots", "scons board=... image")


# ---- slots and history


def test_slots_are_a_table(it: Toy, port: Port, pair: Path, tmp_path: Path) -> None:
    it.outcomes["1.1.0"] = "fault"
    torpor("update", pair, "--port", port.name)
    torpor("update", write(tmp_path / "m.bin", it.model("3.2.1")), "--port", port.name)
    done = torpor("slots", "--port", port.name)
    assert done.returncode == 0, done.stderr
    rows = {line.split("  ")[0].strip(): line.split() for line in done.stdout.splitlines()}
    sizes = [f"{len(it.device.slot(slot).rstrip(bytes([255]))):,}" for slot in (A, B, M0)]
    name = image_hash((pair / "firmware-b.bin").read_bytes()).hex()[:8]
    assert rows["A"][1:6] == ["1.0.0", "running,", "torpor", "256", sizes[0]]
    assert rows["B"][1:] == ["1.1.0", "rejected", "torpor", "256", sizes[1], name]
    assert rows["model 0"][2:7] == ["model", "3.2.1", "running,", "torpor", "16"]
    assert rows["model 2"][2:] == ["-", "free", "-", "-", "-", "-"]
    assert "slots of 81,920 bytes for firmware, 16,384 for models" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_slots_are_an_object_for_scripts(it: Toy, socket: Port) -> None:
    it.device.key.development = True
    found = json.loads(torpor("slots", "--port", socket.name, "--json").stdout)
    assert (found["board"], found["development_key"]) == ("toy", True)
    assert found["counters"] == {"firmware": 0, "model": 0}
    first, *others = found["slots"]
    assert (first["slot"], first["version"], first["state"]) == (
        *("A", "1.0.0"),
        ["running", "confirmed"],
    )
    assert (first["name"], first["needs"], first["can_run"]["arena_bytes"]) == (None, None, 256)
    assert first["bytes"] == len(it.device.slot(A).rstrip(bytes([255])))
    assert found["key"] == images.key_hash(images.key()).hex()
    assert [slot["slot"] for slot in others] == ["B", "model 0", "model 1", "model 2"]
    assert [slot["size"] for slot in (first, *others)] == it.device.geometry.sizes


def test_the_development_key_and_the_built_in_model_are_mentioned(it: Toy, socket: Port) -> None:
    it.device.key.development = True
    done = torpor("slots", "--port", socket.name)
    assert done.stderr.splitlines() == [
        "model: the one that the firmware has built in runs",
        "the device takes images of the development key, which is public",
    ]


def test_history_is_a_table_that_fits_the_terminal(it: Toy, port: Port, pair: Path) -> None:
    it.outcomes["1.1.0"] = "fault"
    torpor("update", pair, "--port", port.name)
    done = torpor("history", "--port", port.name)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    what = [line.split("  ")[1].strip() for line in lines if line[:3].strip().isdecimal()]
    assert what[3:] == [
        *("upload", "armed", "attempt 1 of 3", "attempt 2 of 3", "attempt 3 of 3", "reverted")
    ]
    assert done.stdout.count("at 0x00001234, from 0x00005678") == 3
    wide = torpor("history", "--port", port.name, columns=200)
    assert "by itself: nothing was confirmed" in wide.stdout


def test_history_is_a_list_for_scripts_and_can_be_cut(it: Toy, socket: Port, pair: Path) -> None:
    it.outcomes["1.1.0"] = "fault"
    torpor("update", pair, "--port", socket.name)
    done = torpor("history", "--port", socket.name, "--json", "--last", 2)
    before, last = json.loads(done.stdout)
    assert (before["event"], before["attempt"]) == ("attempt", 3)
    assert last == {
        **{"number": 8, "event": "reverted", "slot": "B", "version": "1.1.0", "attempt": None},
        "id": image_hash((pair / "firmware-b.bin").read_bytes())[:8].hex(),
        **{"reason": "fault", "why": "an exception", "counter": None, "length": None},
        **{"pc": 0x1234, "lr": 0x5678, "pc_name": None, "lr_name": None},
    }


def test_a_device_without_a_history_says_so(it: Toy, socket: Port) -> None:
    it.device.set_flash(b"\xff" * it.device.geometry.total)
    it.device.restart()
    done = torpor("history", "--port", socket.name)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "nothing has happened yet\n"


assert (M0, M1, M2) == (2, 3, 4)
