# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What inference alone takes of a firmware, from map files written by hand and from a real one."""

from torpor.footprint.inference import _sum, engine_pieces
from torpor.footprint.mapfile import library_members, loaded_objects, pieces

MAP = """\
Archive member included to satisfy reference by file (symbol)

/usr/lib/libgcc.a(_muldf3.o)  build/b/obj/infer/kernels/mean_s8.o (__aeabi_dmul)
/usr/lib/libc.a(memcpy.o)
                              build/b/obj/app/session.o (memcpy)
/usr/lib/libc.a(memmove.o)
                              build/b/obj/infer/kernels/copy.o (memmove)
/usr/lib/libc.a(inner.o)
                              /usr/lib/libc.a(memmove.o) (inner)

Discarded input sections

 .text          0x00000000        0x0 build/b/v/obj/plan.o

Linker script and memory map

LOAD build/b/v/obj/plan.o
LOAD build/b/obj/app/session.o
LOAD /usr/lib/libc.a

.text           0x00000000      0x100
 .text.session  0x00000000       0x40 build/b/obj/app/session.o
 .text.infer_check
                0x00000040       0x20 build/b/obj/infer/check.o
 .text.run      0x00000060       0x10 build/b/obj/infer/kernels/copy.o
 .text.memcpy   0x00000070        0x8 /usr/lib/libc.a(memcpy.o)
 .text.memmove  0x00000078        0x4 /usr/lib/libc.a(memmove.o)
 .text          0x0000007c        0x2 /usr/lib/libc.a(inner.o)
 .rodata.torpor_plan
                0x00000080      0x400 build/b/v/obj/plan.o
 .rodata.infer_kernels
                0x00000480       0x50 build/b/v/obj/model.o
 .srodata.infer_copy
                0x000004d0       0x10 build/b/obj/infer/kernels/copy.o
 .data.rel.ro.local
                0x000004e0        0x8 build/b/obj/infer/kernels/copy.o

.data           0x20000000        0x4
 .data.state    0x20000000        0x4 build/b/obj/infer/kernels/copy.o
 .bss.model_arena
                0x20000010      0x100 build/b/v/obj/model.o
 .bss           0x20000110       0x30 build/b/obj/app/session.o
 .comment       0x00000000       0x27 build/b/v/obj/model.o
"""


def test_the_map_tells_who_asked_for_a_member_of_a_library() -> None:
    asked = library_members(MAP)
    assert asked["/usr/lib/libc.a(memcpy.o)"] == "build/b/obj/app/session.o"
    assert asked["/usr/lib/libc.a(inner.o)"] == "/usr/lib/libc.a(memmove.o)"
    assert asked["/usr/lib/libgcc.a(_muldf3.o)"] == "build/b/obj/infer/kernels/mean_s8.o"
    assert len(asked) == 4


def test_a_symbol_of_c_plus_plus_has_parentheses_of_its_own() -> None:
    member, other = "/t/libx y.a(conv.o)", "/t/libx y.a(b.o)"
    text = (
        f"\n{member}\n                 build/a b/engine.o (x::f(int, void (*)(int)))\n"
        f"{other}  {member} (typeinfo for x::Y)\n"
    )
    assert library_members(text) == {member: "build/a b/engine.o", other: member}


def test_objects_are_those_that_were_loaded_and_no_archives() -> None:
    assert loaded_objects(MAP) == ["build/b/v/obj/plan.o", "build/b/obj/app/session.o"]


def test_code_is_the_engines_and_that_of_libraries_it_alone_needs() -> None:
    assert _sum(engine_pieces(MAP), "code") == 0x20 + 0x10 + 0x4 + 0x2


def test_constants_are_tables_and_initial_values_and_not_the_plan() -> None:
    assert _sum(engine_pieces(MAP), "rodata") == 0x50 + 0x10 + 0x8 + 0x4


def test_ram_is_the_arena_and_data_of_the_engine() -> None:
    assert _sum(engine_pieces(MAP), "ram") == 0x4 + 0x100


def test_pieces_know_where_they_lie() -> None:
    placed = {piece.name: piece.address for piece in pieces(MAP)}
    assert placed[".text.infer_check"] == 0x40
    assert placed[".bss.model_arena"] == 0x20000010


def test_members_that_ask_for_each_other_end() -> None:
    ring = "a.a(x.o)\n    a.a(y.o) (f)\na.a(y.o)\n    a.a(x.o) (g)\nDiscarded input sections\n"
    body = "Linker script and memory map\n .text 0x0 0x8 a.a(x.o)\n"
    assert list(engine_pieces(ring + body)) == []
