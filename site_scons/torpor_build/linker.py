# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Makes a linker script from a board's memory map: one template for every board."""

from torpor.board import Board, Memory
from torpor.errors import UsageError

_LENGTH = 64 << 20
_ENTRY = {"riscv": "riscv_entry"}  # who sets the stack pointer, where the hardware does not
_DRIVERS = {"cortexm": ("cortexm_alarm_isr", "cortexm_pin_isr")}  # not in every program
_TEMPLATE = """\
/* Made from boards/{name}/board.toml. Do not edit. */

/* The regions are longer than the memories: what does not fit is linked all the same, so that the
 * next step can show who uses how much, and fail. */
MEMORY
{{
    CODE (rx) : ORIGIN = {code_origin:#010x}, LENGTH = {length:#x}
    RAM (rwx) : ORIGIN = {ram_origin:#010x}, LENGTH = {length:#x}
{views}}}

ENTRY({entry})

__stack_top = {stack_top:#010x};
__stack_limit = __stack_top - {stack:#x};
{provided}SECTIONS
{{
    .text :
    {{
        KEEP(*(.vectors.first))
        KEEP(*(.vectors))
        *(.text .text.*)
{constants}        . = ALIGN(4);
    }} > {constants_region}

    /* First in the RAM of bootloader and applications alike, neither copied nor cleared at start:
     * what a reset keeps (port/common/restart.h). */
    .handoff (NOLOAD) :
    {{
        *(.handoff)
    }} > RAM

    .data :
    {{
        __data_start = .;
        *(.data .data.* .sdata .sdata.*)
{functions}    }} > RAM AT > CODE
    __data_load = LOADADDR(.data);

{functions_place}    .bss (NOLOAD) :
    {{
        __bss_start = .;
        *(.bss .bss.* .sbss .sbss.* COMMON)
        . = ALIGN(4);
        __bss_end = .;
    }} > RAM

    /DISCARD/ : {{ *(.ARM.exidx* .ARM.extab* .eh_frame*) }}
}}
"""

_CONSTANTS = "        *(.rodata .rodata.* .srodata .srodata.*)\n"
_FUNCTIONS = """\
        *(.ramfunc)
        . = ALIGN(4);
        __data_end = .;
"""

# Where loads see the code memory at another address than the CPU executes it, constants lie behind
# the code all the same, but are linked for that address.
_CONSTANTS_ELSEWHERE = f"""\
        . = ALIGN(16);
    }} > CODE

    .rodata ORIGIN(CONSTANTS) + SIZEOF(.text) :
    {{
{_CONSTANTS}"""
_CONSTANTS_CHECK = """\
    ASSERT(LOADADDR(.rodata) - ADDR(.text) == SIZEOF(.text), "constants do not follow the code")

"""

# Functions in RAM likewise: copied with the data, and linked for where they are executed.
_FUNCTIONS_ELSEWHERE = "        . = ALIGN(4);\n"
_FUNCTIONS_PLACE = """\
    .ramfunc ADDR(.data) + SIZEOF(.data) + ORIGIN(FUNCTIONS) - ORIGIN(RAM) :
    {
        *(.ramfunc)
        . = ALIGN(4);
    } > FUNCTIONS AT > CODE
    ASSERT(LOADADDR(.ramfunc) - LOADADDR(.data) == SIZEOF(.data), "functions do not follow data")

    .ramfunc_place (NOLOAD) :
    {
        . += SIZEOF(.ramfunc);
        __data_end = .;
    } > RAM

"""


def _views(code: Memory, ram: Memory, origin: int) -> dict[str, str]:
    """Return what the template says of constants and of functions in RAM."""
    parts = {
        "views": "",
        "constants": _CONSTANTS,
        "constants_region": "CODE",
        "functions": _FUNCTIONS,
        "functions_place": "",
    }
    if code.constants is not None:
        parts["views"] += _region("CONSTANTS (r)", code.constants + origin - code.origin)
        parts["constants"] = _CONSTANTS_ELSEWHERE
        parts["constants_region"] = "CONSTANTS AT > CODE\n" + _CONSTANTS_CHECK.rstrip()
    if ram.functions is not None:
        parts["views"] += _region("FUNCTIONS (rx)", ram.functions)
        parts |= {"functions": _FUNCTIONS_ELSEWHERE, "functions_place": _FUNCTIONS_PLACE}
    return parts


def _region(name: str, origin: int) -> str:
    return f"    {name} : ORIGIN = {origin:#010x}, LENGTH = {_LENGTH:#x}\n"


def script(board: Board, link: int | None = None) -> str:
    """Return the linker script of `board` with the vector table at address `link`.

    Args:
        board: a board with memories `code` and `ram` and a budget, whose stack is reserved.
        link: where the image lies; None is the start of the code memory.
    Raises:
        UsageError: `link` is outside the code memory or not aligned for a vector table.
    """
    code, ram = board.memory["code"], board.memory["ram"]
    origin = code.origin if link is None else link
    end = code.origin + code.size
    if not code.origin <= origin < end or origin % 512:
        raise UsageError(
            f"link={origin:#x} is no place for an image of board '{board.name}'",
            f"a multiple of 0x200 from {code.origin:#x} to below {end:#x}",
        )
    assert board.budget is not None
    architecture = board.core.architecture
    isrs = _DRIVERS.get(architecture, ())
    return _TEMPLATE.format(
        name=board.name,
        entry=_ENTRY.get(architecture, f"{architecture}_reset"),
        code_origin=origin,
        ram_origin=ram.origin,
        **_views(code, ram, origin),
        length=_LENGTH,
        stack_top=ram.origin + ram.size,
        stack=board.budget.stack,
        provided="\n".join(["", *(f"PROVIDE({isr} = cortexm_fault);" for isr in isrs), "", ""]),
    )
