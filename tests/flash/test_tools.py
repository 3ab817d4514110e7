# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor flash at the user's stand, with tools that keep a flash's rules, or say what tools say."""

import hashlib
import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.flash import tools
from tests.flash.bench import NRF, STM, Bench, toy
from torpor.board import board_names, load_board
from torpor.errors import DeviceError, MissingToolError
from torpor.flash import job as jobs
from torpor.flash import openocd, pyocd
from torpor.flash.job import Job
from torpor.flash.plan import Erasure, Piece, make_plan

OPENOCD, PYOCD = shutil.which("openocd"), shutil.which("pyocd")
USB = {STM: ("0483:374b", "066DFF", "STM32 STLink"), NRF: ("1366:1015", "000683", "J-Link")}
TOOL = {STM: "openocd", NRF: "pyocd"}
BOTH = pytest.mark.parametrize("board", [STM, NRF], ids=["openocd", "pyocd"])


def _ready(bench: Bench, board: str) -> Path:
    bench.usb(*USB[board], port="ttyACM0")
    bench.tool(TOOL[board])
    return bench.build(board)


def _expected(folder: Path, before: bytes) -> dict[int, bytes]:
    """Return what the flash has to hold at some offsets."""
    image = folder / "image"
    return {
        0x4000: b"\xff" * 0x2000,
        0x6000: (image / "firmware-a.bin").read_bytes(),
        0x46000: (image / "model.bin").read_bytes(),
        0x26000: before[:0x1000],  # slot B: nobody has touched it
        0x4A000: before[:0x1000],
    }


# ---- it works


@BOTH
def test_a_build_is_written_verified_and_the_rest_is_left_alone(bench: Bench, board: str) -> None:
    folder = _ready(bench, board)
    before = bench.content()
    result = bench.flash(folder, "--board", board, process=True)
    assert (result.code, result.err.count("hint")) == (0, 0), result.err
    assert result.out.startswith(f"{board}: bootloader, firmware 1.0.0 in slot A, model 1.0.0 in ")
    assert result.out.endswith("bytes written and verified\n")
    assert f"{board}: {TOOL[board]} over {USB[board][2]}" in result.err
    content = bench.content()
    for offset, data in _expected(folder, before).items():
        assert content[offset : offset + len(data)] == data
    assert b"toy_" in content[:0x1000]


@BOTH
def test_the_probe_that_is_chosen_is_the_one_that_the_tool_is_told_of(
    bench: Bench, board: str
) -> None:
    folder = _ready(bench, board)
    bench.usb(USB[board][0], "OTHER7")
    result = bench.flash(folder, "--board", board)
    assert result.code == 2
    assert "2 are there" in result.err and "OTHER7" in result.err
    assert bench.calls() == []
    assert bench.flash(folder, "--board", board, "--serial", "OTH").code == 0
    assert all("OTHER7" in " ".join(call) for call in bench.calls())


@BOTH
def test_all_of_the_flash_is_erased_if_that_is_asked_for(bench: Bench, board: str) -> None:
    folder = _ready(bench, board)
    assert bench.flash(folder, "--board", board, "--erase").code == 0
    assert set(bench.content()[0x26000:0x46000]) == {0xFF}


@BOTH
def test_what_does_not_read_back_is_no_success(bench: Bench, board: str) -> None:
    folder = _ready(bench, board)
    (bench.state / "worn").touch()
    result = bench.flash(folder, "--board", board, process=True)
    assert (result.code, result.out) == (7, "")
    assert "what was written is not what is there" in result.err
    assert "hint:" in result.err


@BOTH
def test_without_verifying_that_is_said(bench: Bench, board: str) -> None:
    folder = _ready(bench, board)
    (bench.state / "worn").touch()
    result = bench.flash(folder, "--board", board, "--no-verify", "--json")
    assert result.code == 0
    assert result.json["verified"] is False


@BOTH
def test_one_part_is_written_alone(bench: Bench, board: str) -> None:
    folder = _ready(bench, board)
    before = bench.content()
    assert bench.flash(folder, "--board", board, "--what", "boot").code == 0
    assert bench.content()[0x1000:] == before[0x1000:]
    assert bench.content()[:0x1000] != before[:0x1000]


def test_json_says_what_was_written_where_and_over_what(bench: Bench) -> None:
    folder = _ready(bench, STM)
    said = bench.flash(folder, "--board", STM, "--json").json
    assert (said["board"], said["tool"], said["verified"]) == (STM, "openocd", True)
    assert said["over"] | {"name": ""} == {
        "name": "",
        "usb": "0483:374b",
        "serial": "066DFF",
        "port": None,
        "drive": None,
    }
    image = (folder / "image" / "firmware-a.bin").read_bytes()
    assert said["pieces"][1] == {
        "what": "firmware 1.0.0 in slot A",
        "address": tools.ORIGIN + 0x6000,
        "bytes": len(image),
        "sha256": hashlib.sha256(image).hexdigest(),
        "file": str(folder / "image" / "firmware-a.bin"),
    }
    assert said["erased"] == [{"what": "journal", "address": tools.ORIGIN + 0x4000, "bytes": 8192}]


def test_a_log_shows_how_far_it_is(bench: Bench) -> None:
    folder = _ready(bench, STM)
    size = sum(
        piece["bytes"] for piece in bench.flash(folder, "--board", STM, "--json").json["pieces"]
    )
    result = bench.flash(folder, "--board", STM)
    assert f"toy_stm: {size:,} of {size:,} bytes" in result.err


# ---- a dry run


@BOTH
def test_a_dry_run_prints_commands_that_do_it_and_does_nothing(bench: Bench, board: str) -> None:
    folder = _ready(bench, board)
    before = bench.content()
    result = bench.flash(folder, "--board", board, "--dry-run")
    assert result.code == 0
    assert bench.calls() == [] and bench.content() == before
    assert "0x08004000 to 0x08006000  journal, erased" in result.out
    commands = result.out.partition("\n\n")[2]
    path = f"{bench.root / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(["sh", "-ec", commands], env={"PATH": path}, check=False)
    assert done.returncode == 0
    for offset, data in _expected(folder, before).items():
        assert bench.content()[offset : offset + len(data)] == data


def test_a_dry_run_needs_nothing_that_is_plugged_in_or_installed(bench: Bench) -> None:
    result = bench.flash(bench.build(STM), "--board", STM, "--dry-run", "--json")
    assert result.code == 0
    assert result.json["dry_run"] is True
    assert result.json["commands"][1].startswith("openocd -f interface/stlink.cfg")
    assert any("found nothing" in note for note in result.json["notes"])


def test_a_dry_run_prints_the_same_every_time(bench: Bench) -> None:
    folder = _ready(bench, STM)
    words = folder, "--board", STM, "--dry-run"
    assert bench.flash(*words).out == bench.flash(*words).out


# ---- it does not work

_OPENOCD_HEAD = """Open On-Chip Debugger 0.12.0
Licensed under GNU GPL v2
For bug reports, read
	http://openocd.org/doc/doxygen/bugs.html
"""
SAID_BY_OPENOCD = {  # as version 0.12 says it; what is marked was not seen by us but reported
    "no probe": ("hla_swd\nInfo : clock speed 2000 kHz\nError: open failed\n", "cannot open the"),
    "no j-link": ("swd\nError: No J-Link device found\n", "cannot open the probe"),
    "no cmsis-dap": (
        "Error: unable to find a matching CMSIS-DAP device\n",
        "cannot open the probe",
    ),
    "permission (reported)": (
        "Error: libusb_open() failed with LIBUSB_ERROR_ACCESS\nError: open failed\n",
        "no permission to use the probe",
    ),
    "busy (reported)": (
        "Error: libusb_claim_interface() failed with LIBUSB_ERROR_BUSY\nError: open failed\n",
        "another program uses the probe",
    ),
    "no target (reported)": (
        "Info : STLINK V2J39S27 (API v2) VID:PID 0483:374B\nInfo : Target voltage: 3.2\n"
        "Error: init mode failed (unable to connect to the target)\n",
        "the chip does not answer",
    ),
    "no power (reported)": (
        "Error: target voltage may be too low for reliable debugging",
        "no power",
    ),
    "no file": (
        "embedded:startup.tcl:28: Error: Can't find interface/stlink.cfg\nin procedure 'script'",
        "it has no interface/stlink.cfg",
    ),
    "differs (reported)": (
        "Error: checksum mismatch - attempting binary compare\n",
        "what was written is not what is there",
    ),
    "too old (reported)": ('invalid subcommand "serial"\n', "too old for these commands"),
    "locked (reported)": (
        "****** WARNING ******\nnRF52 device has AP lock engaged (see UICR APPROTECT register).\n"
        "Error: Target not examined, will not halt after reset!\n",
        "the chip is locked",
    ),
    "harmless words": (
        "Info : flash is not protected, no timeout\nError: the moon is full\n",
        "OpenOCD: the moon is full",
    ),
}
SAID_BY_PYOCD = {
    "no probe": ("No connected debug probe matches unique ID 'ABC'\n", "it finds no probe"),
    "unknown target (reported)": (
        "0000391 C Target type 'nrf52840' not recognized. Use 'pyocd list --targets'",
        "it does not know the chip nrf52840",
    ),
    "no target (reported)": (
        "0000555 C Memory transfer fault (No ACK) @ 0xe0042000 [__main__]",
        "the chip does not answer",
    ),
    "permission (reported)": (
        "usb.core.USBError: [Errno 13] Access denied (insufficient permissions)",
        "no permission to use the probe",
    ),
    "something new": ("0001 C Error: the sun is out", "the sun is out"),
}


@pytest.mark.parametrize("name", SAID_BY_OPENOCD)
def test_what_openocd_complains_of_is_one_line(bench: Bench, name: str) -> None:
    said, wanted = SAID_BY_OPENOCD[name]
    folder = _ready(bench, STM)
    bench.tool("openocd", _OPENOCD_HEAD + said)
    _check_failure(bench, folder, STM, wanted)


@pytest.mark.parametrize("name", SAID_BY_PYOCD)
def test_what_pyocd_complains_of_is_one_line(bench: Bench, name: str) -> None:
    said, wanted = SAID_BY_PYOCD[name]
    folder = _ready(bench, NRF)
    bench.tool("pyocd", said)
    _check_failure(bench, folder, NRF, wanted)


def _check_failure(bench: Bench, folder: Path, board: str, wanted: str) -> None:
    result = bench.flash(folder, "--board", board)
    assert (result.code, result.out) == (7, "")
    (line,) = [line for line in result.err.splitlines() if line.startswith("torpor: ")]
    assert wanted in line
    if "permission" in wanted:
        assert "hint: torpor flash --udev" in result.err


def test_a_tool_that_ends_well_and_verified_nothing_is_not_believed(bench: Bench) -> None:
    folder = _ready(bench, STM)
    bench.tool("openocd", "shutdown command invoked", code=0)
    result = bench.flash(folder, "--board", STM)
    assert result.code == 7
    assert "verified 0 of 3 files" in result.err


def test_a_missing_tool_exits_with_3_and_how_to_get_it(bench: Bench) -> None:
    bench.usb(*USB[STM])
    result = bench.flash(bench.build(STM), "--board", STM)
    assert result.code == 3
    assert "openocd is not installed" in result.err
    assert "hint: apt-get install openocd" in result.err


def test_nothing_plugged_in_exits_with_7_and_what_to_do(bench: Bench) -> None:
    bench.tool("openocd")
    result = bench.flash(bench.build(STM), "--board", STM)
    assert result.code == 7
    assert "openocd: no probe 0483:374b" in result.err
    assert "hint: is the cable plugged in" in result.err and "CN1" in result.err


def test_an_image_of_another_board_exits_with_8_before_anything_runs(bench: Bench) -> None:
    _ready(bench, STM)
    result = bench.flash(bench.build(NRF), "--board", STM)
    assert result.code == 8
    assert "is for toy_nrf, not for toy_stm" in result.err
    assert bench.calls() == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), "which board?"),
        (("--board", "toy_stn"), "did you mean 'toy_stm'"),
        (("--board", STM, "--tool", "jtag"), "invalid choice"),
        (("--board", STM, "--tool", "uf2"), "uf2 is not for toy_stm"),
        (("--board", STM, "--what", "journal"), "invalid choice"),
        (("--board", STM, "nowhere.bin"), "cannot read nowhere.bin"),
    ],
)
def test_mistakes_exit_with_2(bench: Bench, words: tuple[str, ...], wanted: str) -> None:
    bench.build(STM)
    result = bench.flash(*words, process=not words)
    assert result.code == 2
    assert wanted in result.err


def test_the_udev_rules_of_all_boards_are_printed(bench: Bench) -> None:
    result = bench.flash("--udev")
    assert result.code == 0
    assert len(result.out.splitlines()) == 7
    assert bench.flash("--udev", "--board", STM).out.count("0483") == 1


# ---- running programs


def test_a_program_that_falls_silent_is_ended(tmp_path: Path) -> None:
    job = Job("sleeper", {}, (("sleep", "1000"),))
    with pytest.raises(DeviceError, match=r"sleeper said nothing for 0.2 s"):
        jobs.run(job, tmp_path, lambda _done: None, silence_s=0.2)


def test_a_program_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="no-such-program is not installed"):
        jobs.run(Job("x", {}, (("no-such-program",),)), tmp_path, lambda _done: None)


def test_a_program_that_fails_without_a_word_says_its_code(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="exit code 9 without a word"):
        jobs.run(Job("x", {}, (("sh", "-c", "exit 9"),)), tmp_path, lambda _done: None)


def test_progress_is_what_lines_say_within_a_file_and_after_it(tmp_path: Path) -> None:
    shown: list[int] = []
    text = r"at 25.0%\rat 75.5%\nwrote 200 bytes\nat 50.0%\nwrote 100 bytes\n"
    job = Job(
        "x",
        {"a": bytes(200), "b": bytes(100)},
        (("printf", text.replace("%", "%%")),),
        wrote=r"^wrote (\d+)",
        percent=r"at ([\d.]+)%",
    )
    jobs.run(job, tmp_path, shown.append)
    assert shown == [50, 151, 200, 250, 300]


def test_what_is_read_back_is_compared_byte_by_byte(tmp_path: Path) -> None:
    (tmp_path / "read").write_bytes(b"abcd")
    for wanted, at in ((b"abXd", 2), (b"abcde", 4), (b"abc", 3)):
        job = Job("x", {}, (("true",),), read_back={"read": wanted})
        with pytest.raises(DeviceError, match=f"differs at byte {at}"):
            jobs.run(job, tmp_path, lambda _done: None)


# ---- OpenOCD as it is

NEEDS_OPENOCD = pytest.mark.skipif(OPENOCD is None, reason="openocd is not installed")
_FAUX = """
adapter driver dummy
adapter speed 1000
transport select jtag
jtag newtap x cpu -irlen 4 -expected-id 0x0
target create x.cpu testee -chain-position x.cpu
flash bank x.flash faux {origin:#x} {size:#x} 4 4 x.cpu
proc reset {{args}} {{}}
"""


@NEEDS_OPENOCD
def test_openocd_itself_erases_and_writes_what_it_is_told(bench: Bench) -> None:
    """Its own fake flash behind its dummy adapter, which can be neither reset nor read."""
    config = bench.root / "faux.cfg"
    config.write_text(_FAUX.format(origin=tools.ORIGIN, size=0x80000))
    file = bench.root / "boards" / STM / "board.toml"
    text = file.read_text().replace("interface/stlink.cfg", str(config))
    file.write_text(text.replace(', "target/stm32f4x.cfg"', ""))
    bench.path.append(Path(str(OPENOCD)).parent)
    bench.usb(USB[STM][0])
    folder = bench.build(STM)
    result = bench.flash(folder, "--board", STM, "--no-verify")
    assert result.code == 0, result.err
    assert "written, not verified: --no-verify" in result.out
    result = bench.flash(folder, "--board", STM)
    assert result.code == 7
    assert "doesn't support checksum_memory" in result.err, "it did go as far as verifying"


@NEEDS_OPENOCD
def test_openocd_itself_refuses_what_lies_outside_of_its_flash(bench: Bench) -> None:
    config = bench.root / "faux.cfg"
    config.write_text(_FAUX.format(origin=0x40000000, size=0x10000))
    file = bench.root / "boards" / STM / "board.toml"
    text = file.read_text().replace("interface/stlink.cfg", str(config))
    file.write_text(text.replace(', "target/stm32f4x.cfg"', ""))
    bench.path.append(Path(str(OPENOCD)).parent)
    bench.usb(USB[STM][0])
    result = bench.flash(bench.build(STM), "--board", STM)
    assert result.code == 7
    assert "its configuration has no flash there" in result.err


def _with_openocd() -> list[str]:
    probes = {name: load_board(name).probe for name in board_names()}
    return [name for name, probe in probes.items() if probe and probe.openocd]


@NEEDS_OPENOCD
@pytest.mark.parametrize("name", _with_openocd())
def test_openocd_understands_the_configuration_of_a_board(name: str) -> None:
    """It reads all of it and then finds no probe; here is none."""
    board = load_board(name)
    plan = make_plan(board, [Piece("x", _origin(name), bytes(4), Path("x"))])
    words = list(openocd.job(plan, "123456", verify=True, advice="").commands[0])
    at = words.index("init")
    words[at + 1 :] = ["-c", "shutdown"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert any(
        line in said
        for line in (
            "Error: open failed",
            "No J-Link device found",
            "unable to find a matching CMSIS-DAP device",
        )
    ), said


def _origin(name: str) -> int:
    flash = load_board(name).flash
    assert flash is not None
    return flash.origin


@pytest.mark.skipif(PYOCD is None, reason="pyocd is not installed")
def test_pyocd_itself_understands_its_command_lines(tmp_path: Path) -> None:
    """It reads them and then finds no probe with that number."""
    plan = make_plan(toy(NRF), [Piece("x", tools.ORIGIN, bytes(8), Path("x"))])
    job = pyocd.job(plan, "NOSUCHPROBE", verify=True, advice="")
    jobs.lay_out(job, tmp_path)
    for command in job.commands:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert (
            "No connected debug probe matches unique ID 'NOSUCHPROBE'" in done.stdout + done.stderr
        )
    with pytest.raises(DeviceError, match="it finds no probe"):
        jobs.run(job, tmp_path, lambda _done: None)


# ---- command lines


def test_everything_is_erased_before_anything_is_written() -> None:
    """Two pieces may share a sector of the chip that is larger than a block of the board."""
    one = Piece("one", tools.ORIGIN, bytes(8), Path("one"))
    two = Piece("two", tools.ORIGIN + 0x1000, bytes(8), Path("two"))
    plan = make_plan(toy(STM), [one, two], [Erasure("gap", tools.ORIGIN + 0x3000, 0x1000)])
    commands = openocd.job(plan, "", verify=True, advice="").commands[0]
    kinds = [word.split()[0:2] for word in commands if word.startswith(("flash", "verify_image"))]
    assert kinds == [
        *[["flash", "erase_address"]] * 3,
        *[["flash", "write_image"]] * 2,
        ["verify_image", "08000000.bin"],
        ["verify_image", "08001000.bin"],
    ]
    assert [command[1] for command in pyocd.job(plan, "", verify=True, advice="").commands] == [
        "erase",
        "load",
        "commander",
    ]


def test_commands_for_a_shell_survive_odd_folders(tmp_path: Path) -> None:
    plan = make_plan(toy(STM), [Piece("x", tools.ORIGIN, bytes(8), Path("x"))])
    lines = openocd.job(plan, "", verify=True, advice="").lines(tmp_path / "it's a folder")
    assert shlex.split(lines[0]) == ["cd", str(tmp_path / "it's a folder")]
    assert json.dumps(shlex.split(lines[1])) == json.dumps(
        list(openocd.job(plan, "", verify=True, advice="").commands[0])
    )
