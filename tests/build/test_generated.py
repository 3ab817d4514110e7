# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the build makes from board.toml and records.toml."""

import dataclasses

import pytest

from torpor.board import Board, Budget, Core, Memory, Timer, Uart
from torpor.errors import UsageError
from torpor.wire.schema import SCHEMA, parse_schema
from torpor_build import config, linker, records

BOARD = Board(
    name="toy",
    title="A toy",
    tier="built",
    port="toy",
    links=2,
    sources=(),
    core=Core("cortex-m0", "arm-none-eabi", (), ("portable",)),
    timer=Timer("systick", 1000),
    memory={"code": Memory("rom", 0x8000, 0x4000), "ram": Memory("ram", 0x20000000, 0x2000)},
    uart=Uart(base=0x40000000, irq=3, clock_hz=8000, baud=300),
    budget=Budget(flash=1000, ram=1000, stack=0x400),
)

PROCESS = Core("native", "native", (), ("portable",))

GOLDEN = """\
ENTRY(cortexm_reset)

__stack_top = 0x20002000;
__stack_limit = __stack_top - 0x400;

PROVIDE(cortexm_alarm_isr = cortexm_fault);
PROVIDE(cortexm_pin_isr = cortexm_fault);

SECTIONS
{
    .text :
    {
        KEEP(*(.vectors.first))
        KEEP(*(.vectors))
        *(.text .text.*)
        *(.rodata .rodata.* .srodata .srodata.*)
        . = ALIGN(4);
    } > CODE

    /* First in the RAM of bootloader and applications alike, neither copied nor cleared at start:
     * what a reset keeps (port/common/restart.h). */
    .handoff (NOLOAD) :
    {
        *(.handoff)
    } > RAM

    .data :
    {
        __data_start = .;
        *(.data .data.* .sdata .sdata.*)
        *(.ramfunc)
        . = ALIGN(4);
        __data_end = .;
    } > RAM AT > CODE
    __data_load = LOADADDR(.data);

    .bss (NOLOAD) :
    {
        __bss_start = .;
        *(.bss .bss.* .sbss .sbss.* COMMON)
        . = ALIGN(4);
        __bss_end = .;
    } > RAM

    /DISCARD/ : { *(.ARM.exidx* .ARM.extab* .eh_frame*) }
}
"""


def test_the_linker_script_is_the_expected_one() -> None:
    text = linker.script(BOARD)
    assert text.endswith(GOLDEN)
    assert "CODE (rx) : ORIGIN = 0x00008000," in text
    assert "RAM (rwx) : ORIGIN = 0x20000000," in text


def test_the_image_of_another_architecture_enters_elsewhere() -> None:
    board = dataclasses.replace(BOARD, core=Core("rv32imac", "t", (), ("portable",)))
    assert "ENTRY(riscv_entry)" in linker.script(board)
    lines = linker.script(BOARD).replace("cortexm_reset", "riscv_entry").splitlines()
    assert (
        linker.script(board).split()
        == " ".join(line for line in lines if not line.startswith("PROVIDE")).split()
    )


def test_the_image_can_be_linked_further_up() -> None:
    assert "CODE (rx) : ORIGIN = 0x00009000," in linker.script(BOARD, 0x9000)


@pytest.mark.parametrize("link", [0, 0x7E00, 0xC000, 0x8004, 0x8100])
def test_an_address_outside_the_code_memory_or_not_aligned_is_refused(link: int) -> None:
    with pytest.raises(UsageError, match="no place for an image"):
        linker.script(BOARD, link)


def test_the_board_header_has_the_numbers_of_timer_and_uart() -> None:
    text = config.board_header(BOARD)
    for line in ("TIMER_HZ 0x3e8u", "UART_BASE 0x40000000u", "UART_IRQ 0x3u", "UART_BAUD 0x12cu"):
        assert f"#define BOARD_{line}\n" in text
    assert "PIN" not in text


def test_a_board_without_uart_registers_has_none_in_its_header() -> None:
    text = config.board_header(dataclasses.replace(BOARD, uart=None, core=PROCESS))
    assert "UART" not in text
    assert "BOARD_TIMER_HZ" in text


def test_the_model_file_has_arena_and_table() -> None:
    text = config.model_source(120, 16, ["CONV_2D_S8", "COPY"])
    assert "_Alignas(16) uint8_t model_arena[120];" in text
    assert "[PLAN_OP_CONV_2D_S8] = &infer_conv_2d_s8," in text
    assert "[PLAN_OP_COPY] = &infer_copy," in text


def test_a_model_without_arena_still_has_an_array_that_c_allows() -> None:
    text = config.model_source(0, 16, [])
    assert "model_arena[1];" in text
    assert "model_arena_bytes = 0;" in text


def test_the_header_of_the_records_has_the_schema_s_hash_and_every_record() -> None:
    text = records.header(SCHEMA)
    assert f"WIRE_SCHEMA_HASH 0x{SCHEMA.hash:08X}u" in text
    for kind, record in SCHEMA.records.items():
        assert f"WIRE_ID_{kind.upper()} = {record.id}," in text
        assert f"}} wire_{kind}_t;" in text


def test_a_new_field_changes_the_c_side_and_the_hash() -> None:
    toml = """
        [limits]
        payload = 64
        [record.ping]
        id = 1
        fields = [["seq", "uint"], ["delta", "int"]]
        [record.hello]
        id = 16
        fields = [["name", "text", { max = 8 }]]
        [status]
        ok = 0
    """
    schema = parse_schema(toml)
    assert schema.hash != SCHEMA.hash
    assert "int32_t delta;" in records.header(schema)
    assert "zcbor_int32_decode(state, &record->delta)" in records.source(schema)
    assert "put_text(state, record->name, 8)" in records.source(schema)
