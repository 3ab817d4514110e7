# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""QEMU's command line from a board's facts, and its orders spoken with a socket that pretends."""

import dataclasses
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torpor.board import Emulator, board_names, load_board
from torpor.emulate import firmware, qemu
from torpor.emulate.monitor import Monitor
from torpor.errors import BudgetError, DeviceError, MissingToolError, TorporError, UsageError

GREETING: dict[str, Any] = {"QMP": {"version": {}, "capabilities": []}}
FACTS = Emulator("qemu", "qemu-x", "package", "toy-m", args=("-a", "b c"), icount_shift=4)


@contextmanager
def pretended(folder: Path, *answers: list[Any]) -> Iterator[tuple[Path, list[Any]]]:
    """Offer a socket that greets, then gives the next list of answers to each order."""
    path, heard = folder / "qmp.sock", []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            wire, _ = listener.accept()
            with wire, wire.makefile("rwb") as stream:
                stream.write(json.dumps(GREETING).encode() + b"\r\n")
                stream.flush()
                for lines in answers:
                    heard.append(json.loads(stream.readline()))
                    stream.write(b"".join(json.dumps(a).encode() + b"\r\n" for a in lines))
                    stream.flush()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path, heard
        thread.join(20)
        assert not thread.is_alive()


OK: dict[str, Any] = {"return": {}}
EVENT: dict[str, Any] = {"event": "RESUME", "timestamp": {}}
RESET: dict[str, Any] = {"event": "RESET", "data": {"guest": False}}


def test_qemu_is_asked_to_take_orders_and_takes_them(tmp_path: Path) -> None:
    with pretended(tmp_path, [OK], [OK]) as (path, heard):
        monitor = Monitor(path)
        monitor.order("cont")
        monitor.close()
    assert heard == [{"execute": "qmp_capabilities"}, {"execute": "cont"}]


def test_events_between_the_answers_are_passed_over(tmp_path: Path) -> None:
    with pretended(tmp_path, [EVENT, EVENT, OK], [EVENT, OK]) as (path, heard):
        monitor = Monitor(path)
        monitor.order("cont")
        monitor.close()
    assert len(heard) == 2


@pytest.mark.parametrize("answers", [[RESET, EVENT, OK], [OK, EVENT, RESET]], ids=["first", "last"])
def test_what_is_to_happen_is_waited_for_whatever_comes_first(
    tmp_path: Path, answers: list[Any]
) -> None:
    with pretended(tmp_path, [OK], answers, [EVENT, OK]) as (path, heard):
        monitor = Monitor(path)
        monitor.order("system_reset", event="RESET")
        monitor.order("stop")
        monitor.close()
    assert [order["execute"] for order in heard[1:]] == ["system_reset", "stop"]


def test_an_order_that_is_refused_is_told_with_the_reason(tmp_path: Path) -> None:
    refusal = {"error": {"class": "GenericError", "desc": "not now"}}
    with pretended(tmp_path, [OK], [EVENT, refusal]) as (path, _):
        monitor = Monitor(path)
        with pytest.raises(DeviceError, match="QEMU refused 'cont': not now"):
            monitor.order("cont")
        monitor.close()


def test_a_refusal_without_a_reason_is_told_too(tmp_path: Path) -> None:
    with (
        pretended(tmp_path, [{"error": {}}]) as (path, _),
        pytest.raises(DeviceError, match=r"QEMU refused 'qmp_capabilities': $"),
    ):
        Monitor(path)


def test_a_qemu_that_ends_in_between_is_told_with_the_order(tmp_path: Path) -> None:
    with (
        pretended(tmp_path, [EVENT]) as (path, _),
        pytest.raises(DeviceError, match=r"ended instead of answering 'qmp_capabilities'"),
    ):
        Monitor(path)


def test_an_order_to_a_qemu_that_has_ended_is_an_error(tmp_path: Path) -> None:
    with pretended(tmp_path, [OK]) as (path, _):
        monitor = Monitor(path)
    with pytest.raises(DeviceError, match=r"does not take orders|ended instead of answering"):
        monitor.order("cont")
    for _ in range(2):
        monitor.close()


def test_a_socket_that_is_not_there_is_a_device_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="QEMU does not take orders"):
        Monitor(tmp_path / "none.sock")


# ---- the command line


def test_the_command_line_has_every_fact_of_the_board(tmp_path: Path) -> None:
    words = qemu.command(FACTS, tmp_path / "f.elf")
    assert words[0] == "qemu-x"
    assert words[words.index("-M") + 1] == "toy-m"
    assert words[words.index("-kernel") + 1] == str(tmp_path / "f.elf")
    assert words[words.index("-icount") + 1] == "shift=4"
    assert words[-2:] == ["-a", "b c"], "what a board adds comes last, so that it wins"
    assert words[words.index("-nic") + 1] == "none" and "-S" in words


def test_a_board_whose_instructions_are_not_counted_has_no_icount(tmp_path: Path) -> None:
    facts = Emulator("qemu", "qemu-x", "package", "toy-m")
    assert "-icount" not in qemu.command(facts, tmp_path / "f.elf")
    assert qemu.instructions(facts, 1000, 1_000_000) is None


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            {"flash": "memory", "memory_size": 4096},
            "toy-m,memory-backend=flash -object"
            " memory-backend-file,id=flash,size=4096,share=on,mem-path=/a,,b",
        ),
        ({"flash": "pflash"}, "toy-m -drive if=pflash,unit=1,format=raw,file=/a,,b"),
        ({"flash": "debug-port"}, "toy-m"),
    ],
    ids=str,
)
def test_the_command_line_has_the_file_behind_the_flash(facts: dict[str, Any], words: str) -> None:
    board = dataclasses.replace(FACTS, **facts)
    found = " ".join(qemu.command(board, Path("f.elf"), Path("/a,b")))
    assert found.startswith(f"qemu-x -M {words} -kernel ")
    assert "/a" not in " ".join(qemu.command(board, Path("f.elf")))


def test_a_relative_firmware_is_found_from_any_folder() -> None:
    words = qemu.command(FACTS, Path("f.elf"))
    assert Path(words[words.index("-kernel") + 1]) == Path.cwd() / "f.elf"


@pytest.mark.parametrize("name", board_names())
def test_every_emulated_board_counts_its_instructions_exactly(name: str) -> None:
    board = load_board(name)
    if board.emulator is None or board.emulator.kind != "qemu":
        assert board.emulator is None or board.emulator.icount_shift is None
        return
    assert board.emulator.icount_shift is not None
    a_second = qemu.instructions(board.emulator, board.timer.hz, board.timer.hz)
    assert a_second == round(1_000_000_000 / 2**board.emulator.icount_shift)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 100_000_000), st.integers(0, 10))
def test_instructions_are_ticks_times_nanoseconds(ticks: int, hz: int, shift: int) -> None:
    facts = Emulator("qemu", "q", "p", icount_shift=shift)
    exact = Fraction(ticks * 1_000_000_000, hz * 2**shift)
    found = qemu.instructions(facts, ticks, hz)
    assert found is not None
    assert abs(found - exact) <= Fraction(1, 2) + exact / 2**50


def test_a_timer_without_a_frequency_counts_nothing() -> None:
    assert qemu.instructions(FACTS, 1000, 0) is None


# ---- where the build puts things, and what it says when it fails


@pytest.mark.parametrize("bits", [8, 4])
def test_a_firmware_lies_beside_its_plan_and_footprint(bits: int) -> None:
    made = firmware.built("toy", "net", bits)
    assert made.elf.parts[-3:] == ("toy", f"net-int{bits}", "firmware.elf")
    assert made.tflite.name == f"net-int{bits}.tflite"


def test_a_file_is_its_own_model(tmp_path: Path) -> None:
    made = firmware.built("toy", tmp_path / "net.tflite")
    assert made.elf.parent.name == "net-file"
    assert made.tflite == tmp_path / "net.tflite"


def test_another_place_of_the_elf_is_the_place_of_its_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.bin").write_bytes(b"plan")
    (tmp_path / "footprint.json").write_text('{"flash_bytes": 3}')
    made = firmware.built("toy", "net", elf=tmp_path / "x.elf")
    assert made.plan == b"plan" and made.footprint == {"flash_bytes": 3}
    with pytest.raises(UsageError, match=r"cannot read .*none\.tflite"):
        _ = firmware.Firmware(made.elf, tmp_path / "none.tflite").model


@pytest.mark.parametrize(
    ("code", "talk", "kind", "message", "hint"),
    [
        (
            6,
            "  waiting for another build in this folder\n  link x\n"
            "scons: flash: 9 bytes, 1 over the budget of 8\nhint: [budget] of toy\n"
            "scons: *** [x] Error 6\n",
            BudgetError,
            "does not fit: flash: 9 bytes, 1 over the budget of 8",
            "[budget] of toy",
        ),
        (
            3,
            "scons: gcc is not installed\nhint: apt install gcc\n",
            MissingToolError,
            "the firmware could not be built: gcc is not installed",
            "apt install gcc",
        ),
        (
            2,
            "  cc a.c\na.c:1:1: error: unknown type name 'x'\nscons: *** [a.o] Error 1\n",
            TorporError,
            "the firmware could not be built: a.c:1:1: error: unknown type name 'x'",
            "to see it again: scons board=toy",
        ),
        (2, "nothing known\nlast line", TorporError, "built: last line", "to see it again"),
        (2, "", TorporError, "built: the reason is above", "to see it again"),
    ],
)
def test_a_failed_build_is_told_in_its_own_words(
    code: int, talk: str, kind: type[TorporError], message: str, hint: str
) -> None:
    error = firmware._failure(["board=toy"], code, talk)
    assert type(error) is kind
    assert message in error.message and hint in error.hint
