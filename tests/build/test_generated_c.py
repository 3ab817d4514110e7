# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The C files that the build makes are C: for every board, and for record tables of every kind."""

import dataclasses
import random
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torpor.board import FAMILIES, Timer, board_names, load_board
from torpor.paths import FIRMWARE, ROOT, app_names
from torpor.plan.layout import OPCODES
from torpor.third_party import library
from torpor.wire.schema import SCHEMA, Schema, parse_schema
from torpor_build import config, linker, records, steps
from torpor_build.apps import load_app

WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wstrict-prototypes"]
BOARDS = board_names()
EMBEDDED = [name for name in BOARDS if load_board(name).memory]


def compiles(folder: Path, *sources: str) -> None:
    """Insist that GCC takes the sources with our warnings; folder/gen is on its path."""
    flags = [*WARNINGS, f"-I{FIRMWARE}", f"-I{folder}", *library("zcbor").flags]
    command = ["gcc", "-fsyntax-only", *flags, *sources]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def macros(text: str) -> dict[str, int]:
    return {n: int(v, 0) for n, v in re.findall(r"#define (\w+) (0x[0-9a-f]+)u", text)}


# ---- boards


@pytest.mark.parametrize("name", BOARDS)
def test_header_and_definition_of_a_board_compile(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    (tmp_path / "board_config.h").write_text(config.board_header(board))
    (tmp_path / "board.c").write_text(config.board_source(board))
    twice = '#include "board_config.h"\n#include "board_config.h"\nextern int x;\n'
    (tmp_path / "user.c").write_text(twice)
    compiles(tmp_path, "board.c", "user.c")


@pytest.mark.parametrize("name", BOARDS)
def test_the_header_has_every_number_of_what_ports_drive_and_no_other(name: str) -> None:
    board = load_board(name)
    driven = {
        "flash": board.flash,
        "timer": board.timer,
        "uart": board.uart,
        "watchdog": board.watchdog,
        "alarm": board.alarm,
        "pin": board.pin,
    }
    expected = {
        f"BOARD_{table}_{key}".upper(): value
        for table, facts in driven.items()
        if facts
        for key, value in dataclasses.asdict(facts).items()
        if isinstance(value, int)
    }
    if board.core.architecture == "cortexm":
        assert board.uart and board.watchdog
        irqs = [facts.irq for facts in (board.uart, board.alarm, board.pin) if facts]
        last = max(15, 16 + max(irqs), board.watchdog.exception)
        expected["BOARD_VECTORS"] = last + 1
    if board.slots and board.slots.window is not None:
        expected["BOARD_SLOTS_WINDOW"] = board.slots.window
    if board.slots:
        expected["BOARD_SLOTS_RECEIVE"] = board.slots.receive
    assert macros(config.board_header(board)) == expected


def test_a_pin_0_is_a_pin() -> None:
    board = load_board("microbit")
    assert board.uart
    zero = dataclasses.replace(board, uart=dataclasses.replace(board.uart, tx_pin=0))
    assert macros(config.board_header(zero))["BOARD_UART_TX_PIN"] == 0


def test_the_definition_of_a_board_has_its_name_and_clock() -> None:
    board = dataclasses.replace(load_board("native"), name="toy", timer=Timer("posix", 2**32 - 1))
    text = config.board_source(board)
    assert '.name = "toy"' in text and ".timer_hz = 4294967295u" in text
    assert ".trial_ms = 3000u" in text
    none = config.board_source(dataclasses.replace(board, watchdog=None))
    assert ".trial_ms = 0u" in none


# ---- slots and key


@pytest.mark.parametrize("name", [name for name in BOARDS if load_board(name).slots])
def test_the_layout_of_a_board_compiles_and_has_its_numbers(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    assert board.flash and board.slots
    text = config.layout_source(board)
    (tmp_path / "layout.c").write_text(text)
    compiles(tmp_path, "layout.c")
    found = [int(n, 16) for pair in re.findall(r"\{(0x\w+)u, (0x\w+)u\}", text) for n in pair]
    expected = [board.slots.journal, board.slots.journal_size]
    for at in board.slots.firmware:
        expected += [at, board.slots.firmware_size]
    for at in board.slots.models:
        expected += [at, board.slots.model_size]
    links = [board.flash.origin + at for at in board.slots.firmware]
    expected += links if board.memory and board.links == 2 else [0, 0]
    assert found == expected


def test_blocks_that_are_erased_in_a_second_follow_from_the_time_of_one() -> None:
    board = load_board("microbit")
    assert board.flash
    for milliseconds, step in ((1, 1000), (23, 43), (1000, 1), (1500, 1)):
        flash = dataclasses.replace(board.flash, erase_ms=milliseconds)
        assert f".erase_step = {step}u" in config.layout_source(
            dataclasses.replace(board, flash=flash)
        )


def test_an_image_that_runs_from_either_slot_says_no_address() -> None:
    text = config.layout_source(dataclasses.replace(load_board("mps2_an386"), links=1))
    assert ".link = {0x0u, 0x0u}" in text


@pytest.mark.parametrize("development", [True, False])
def test_the_file_of_a_key_compiles_and_has_its_bytes(development: bool, tmp_path: Path) -> None:
    public, digest = bytes(range(32)), bytes(range(224, 256))
    text = config.key_source(public, digest, development=development)
    (tmp_path / "key.c").write_text(text)
    compiles(tmp_path, "key.c")
    found = bytes(int(byte, 16) for byte in re.findall(r"0x(\w\w)\b", text))
    assert found == public + digest
    assert f".development = {'true' if development else 'false'}," in text


# ---- models


@pytest.mark.parametrize("kernels", [[], ["COPY"], sorted(OPCODES.values())], ids=len)
@pytest.mark.parametrize("arena", [0, 1, 123_456])
def test_the_file_of_a_model_compiles(kernels: list[str], arena: int, tmp_path: Path) -> None:
    (tmp_path / "model.c").write_text(config.model_source(arena, 16, kernels))
    compiles(tmp_path, "model.c")


def test_every_kernel_of_the_table_has_a_definition_of_that_name() -> None:
    text = config.model_source(1, 16, sorted(OPCODES.values()))
    named = set(re.findall(r"&infer_(\w+)", text))
    sources = (FIRMWARE / "infer" / "kernels").glob("*.c")
    assert named == {path.stem for path in sources}


# ---- linker scripts


def addresses(text: str) -> dict[str, int]:
    found = dict(re.findall(r"(CODE|RAM) \(\w+\) : ORIGIN = (0x\w+)", text))
    found |= dict(re.findall(r"(__stack_top) = (0x\w+);", text))
    found |= dict(re.findall(r"(__stack_limit) = __stack_top - (0x\w+);", text))
    return {name: int(value, 16) for name, value in found.items()}


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_stack_of_a_board_ends_where_its_memory_ends(name: str) -> None:
    board = load_board(name)
    ram, budget = board.memory["ram"], board.budget
    assert budget
    found = addresses(linker.script(board))
    assert found == {
        "CODE": board.memory["code"].origin,
        "RAM": ram.origin,
        "__stack_top": ram.origin + ram.size,
        "__stack_limit": budget.stack,
    }
    assert found["__stack_top"] % 8 == 0, "the procedure call standard of Arm wants that"
    assert budget.ram + budget.stack <= ram.size


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_image_may_lie_at_the_last_place_for_a_vector_table(name: str) -> None:
    board = load_board(name)
    code = board.memory["code"]
    last = code.origin + code.size - 0x200
    assert addresses(linker.script(board, last))["CODE"] == last
    assert addresses(linker.script(board, code.origin))["CODE"] == code.origin


# ---- records

FIELDS = ["uint", "int", "bytes", "text"]


def schema_of(requests: Sequence[Sequence[str]], replies: Sequence[Sequence[str]]) -> Schema:
    """Return a schema: each record is given as the types of its fields."""
    parts = ["[limits]\npayload = 300\n[status]\nok = 0\nodd_name = 7\n"]
    for side, first in ((requests, 1), (replies, 16)):
        for number, types in enumerate(side, first):
            fields = ", ".join(f'["f{i}", "{kind}"]' for i, kind in enumerate(types))
            parts.append(f'[record.r{number}]\nid = {number}\ndoc = "Is"\nfields = [{fields}]\n')
    return parse_schema("".join(parts))


def write(folder: Path, schema: Schema) -> None:
    (folder / "gen").mkdir(exist_ok=True)
    (folder / "gen" / "wire_records.h").write_text(records.header(schema))
    (folder / "gen" / "wire_records.c").write_text(records.source(schema))


def test_the_records_that_ship_compile(tmp_path: Path) -> None:
    write(tmp_path, SCHEMA)
    compiles(tmp_path, "gen/wire_records.c")


@pytest.mark.parametrize("seed", range(4))
def test_records_of_any_fields_compile(seed: int, tmp_path: Path) -> None:
    source = random.Random(seed)
    sides = [
        [[*FIELDS, *source.choices(FIELDS, k=source.randrange(6))] for _ in range(1 + seed)]
        for _ in range(2)
    ]
    write(tmp_path, schema_of(*sides))
    compiles(tmp_path, "gen/wire_records.c")


def function(text: str, name: str) -> str:
    """Return the body of a C function."""
    return text[text.index(f"{name}(") :].partition("\n{\n")[2].partition("\n}\n")[0]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=8))
def test_fields_are_read_and_written_in_their_order(types: list[str]) -> None:
    text = records.source(schema_of([["uint"]], [types]))
    order = [f"f{i}" for i in range(len(types))]
    assert re.findall(r"record->(f\d+)", function(text, "bool get_r16")) == order
    assert re.findall(r"record->(f\d+)", function(text, "size_t wire_encode_r16")) == order
    assert f"WIRE_ID_R16, {len(types) + 1})" in text, "the id counts as an item"


def test_a_side_takes_only_its_own_records() -> None:
    text = records.source(schema_of([["uint"], ["int"]], [["bytes"]]))
    assert re.findall(r"case (\w+):", function(text, "wire_decode_request")) == [
        "WIRE_ID_R1",
        "WIRE_ID_R2",
    ]
    assert re.findall(r"case (\w+):", function(text, "wire_decode_reply")) == ["WIRE_ID_R16"]


def test_the_largest_size_of_a_field_is_in_every_place_that_counts() -> None:
    toml = """
        [limits]
        payload = 99
        [status]
        [record.a]
        id = 1
        fields = [["data", "bytes", { max = 41 }], ["rest", "text"]]
        [record.b]
        id = 16
        fields = [["x", "uint"]]
    """
    schema = parse_schema(toml)
    text = records.source(schema)
    assert "get_bytes(state, &record->data, 41)" in text
    assert "put_bytes(state, record->data, 41)" in text
    assert "get_text(state, &record->rest, 99)" in text, "the payload bounds it"
    header = records.header(schema)
    assert "wire_bytes_t data; /* at most 41 */" in header
    assert "#define WIRE_MAX_PAYLOAD 99" in header


def test_status_codes_have_names_in_capitals() -> None:
    assert "    WIRE_ODD_NAME = 7," in records.header(schema_of([["uint"]], [["uint"]]))


# ---- what a step depends on


def test_a_command_depends_on_its_module_and_packages_and_on_what_all_share() -> None:
    files = steps.tool_sources("cli/compile.py", "plan")
    wanted = ("cli/compile.py", "cli/main.py", "plan/layout.py", "plan/reader.py")
    assert {str(ROOT / "host" / "torpor" / name) for name in wanted} <= set(files)
    assert not any("/wire/" in file or "/cli/demo" in file for file in files)
    assert files == sorted(set(files))


def test_tables_of_a_package_are_files_that_a_step_depends_on() -> None:
    assert str(ROOT / "host/torpor/compile/code_sizes.toml") in steps.tool_sources("compile")
    assert not any("__pycache__" in file for file in steps.tool_sources("compile"))


def test_only_files_of_a_model_that_are_read_make_it_anew(tmp_path: Path) -> None:
    for name in ("b.tflite", "model.toml", "README.md", "train.py", "ranges.json"):
        (tmp_path / name).touch()
    found = [Path(path).name for path in steps._model_files(tmp_path)]
    assert found == ["b.tflite", "model.toml", "ranges.json"]


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_built_from_its_port_alone(name: str) -> None:
    board = load_board(name)
    files = steps.port_files(board)
    shared = {"bare", board.core.architecture} if board.memory else set()
    shared |= {FAMILIES[board.port]} if board.port in FAMILIES else set()
    assert {path.parent.name for path in files} == {board.port, "common"} | shared
    assert all(path.is_file() for path in files)
    assert len(files) == len(set(files))


@pytest.mark.parametrize("name", BOARDS)
def test_drivers_are_of_the_port_or_the_core_or_there_is_none(name: str) -> None:
    board = load_board(name)
    without = steps.port_files(board)
    assert {path.stem for path in without}.isdisjoint(steps.DRIVERS)
    alarm, pin = (steps.port_files(board, driver)[len(without) :] for driver in steps.DRIVERS)
    assert [path.name for path in (*alarm, *pin)] == ["alarm.c", "pin.c"]
    assert alarm[0].parent.name in (board.port, board.core.architecture)
    has_pin = board.pin or not board.memory
    assert pin[0].parent.name == (board.port if has_pin else "common")


def test_each_app_has_its_drivers() -> None:
    drivers = {name: load_app(name).drivers for name in app_names()}
    assert drivers == {"serve": (), "wake": steps.DRIVERS}


@pytest.mark.parametrize("name", BOARDS)
def test_the_table_of_vectors_has_the_drivers_of_the_board(name: str) -> None:
    board = load_board(name)
    text = config.board_header(board)
    if board.core.architecture != "cortexm":
        assert "BOARD_DRIVERS" not in text
        return
    assert board.alarm
    expected = f"#define BOARD_DRIVERS(entry) entry({board.alarm.irq}, cortexm_alarm_isr)"
    expected += f" entry({board.pin.irq}, cortexm_pin_isr)\n" if board.pin else "\n"
    assert expected in text
    none = config.board_header(dataclasses.replace(board, alarm=None, pin=None))
    assert "#define BOARD_DRIVERS(entry)\n" in none


@pytest.mark.parametrize("name", [n for n in BOARDS if load_board(n).memory])
def test_a_driver_that_is_not_linked_is_a_fault_where_it_has_an_entry(name: str) -> None:
    board = load_board(name)
    script = linker.script(board)
    for isr in ("cortexm_alarm_isr", "cortexm_pin_isr"):
        line = f"PROVIDE({isr} = cortexm_fault);\n"
        assert (line in script) == (board.core.architecture == "cortexm")
