# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""An archive of TensorFlow Lite Micro says what it was built for, and why it fits no board."""

import contextlib
import re
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import ARMAttributesSection, SymbolTableSection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.archives import (
    ARM,
    CORE,
    INT8,
    INTERPRETER,
    M4_HARD,
    NATIVE,
    RISCV,
    archive,
    compiled,
    packed,
    tool,
)
from torpor.board import load_board
from torpor.errors import ImageError, MissingToolError, TorporError, UsageError
from torpor.paths import FIRMWARE
from torpor.tflm.ar import Member, members
from torpor.tflm.archive import _OF_LIBRARY, OURS, Archive, read_archive
from torpor.tflm.cpu import cpu_of_core
from torpor.tflm.fits import fits
from torpor.tflm.objects import build_attributes, read_object

CORES = {
    "m0": ("-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft"),
    "m3": ("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft"),
    "m4": ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"),
    "m4-softfp": ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=softfp", "-mfpu=fpv4-sp-d16"),
    "m4-hard": M4_HARD,
    "m7-double": ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16"),
    "m23": ("-mcpu=cortex-m23", "-mthumb", "-mfloat-abi=soft"),
    "m33-hard": ("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard"),
    "m55-hard": ("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"),
    "m55-integers": ("-mcpu=cortex-m55+nofp", "-mthumb", "-mfloat-abi=softfp"),
    "m4-enums": (*M4_HARD, "-fno-short-enums"),
    "m4-wchar": (*M4_HARD, "-fshort-wchar"),
    "m4-big": (*M4_HARD, "-mbig-endian"),
    "a7": ("-mcpu=cortex-a7", "-mthumb", "-mfloat-abi=softfp"),
}
OTHERS = {
    "riscv": (RISCV, ("-march=rv32imac", "-mabi=ilp32")),
    "riscv64": (RISCV, ("-march=rv64gc", "-mabi=lp64d")),
    "native": (NATIVE, ()),
}
BOARDS = ("microbit", "mps2_an386", "mps2_an505", "mps3_an547", "riscv_virt", "native")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> "Made":
    return Made(tmp_path_factory.mktemp("archives"))


class Made:
    """Archives for all kinds of cores, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Path] = {}

    def __getitem__(self, name: str) -> Archive:
        if name not in self._made:
            target, flags = OTHERS.get(name) or (ARM, CORES[name])
            path = self._folder / f"{name}.a"
            self._made[name] = archive(path, CORE, target, flags)
        return read_archive(self._made[name])


def with_sources(folder: Path, extra: Mapping[str, str], flags: Sequence[str] = M4_HARD) -> Archive:
    return read_archive(archive(folder / "lib.a", {**CORE, **extra}, ARM, flags))


def reasons(found: Archive, board: str) -> str:
    return "; ".join(fits(found, load_board(board).core))


# The format `ar`


def gnu(files: Sequence[tuple[str, bytes]]) -> bytes:
    """Write an archive as GNU ar does, independently of what reads it."""
    table = "".join(f"{name}/\n" for name, _ in files if len(name) > 15).encode()
    out = b"!<arch>\n"
    parts = [("//", table)] if table else []
    for name, data in files:
        place = table.find(f"{name}/\n".encode())
        parts.append((f"/{place}" if len(name) > 15 else f"{name}/", data))
    for head, data in parts:
        out += f"{head:16}{0:<12}{0:<6}{0:<6}{'644':8}{len(data):<10}`\n".encode() + data
        out += b"\n" * (len(data) % 2)
    return out


NAMES = st.text("abcdefgh_.", min_size=1, max_size=40)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=40)), unique_by=lambda file: file[0]))
@example([("a_name_of_15.o__", b"1"), ("x.o", b"odd"), ("a_much_longer_name.o", b"")])
def test_files_in_an_archive_come_out_as_they_went_in(files: list[tuple[str, bytes]]) -> None:
    assert list(members(gnu(files))) == [Member(*file) for file in files]


def test_an_archive_of_the_real_ar_has_names_as_that_lists_them(tmp_path: Path) -> None:
    path = archive(tmp_path / "lib.a", CORE | INT8)
    listed = subprocess.run(["ar", "t", path], capture_output=True, text=True, check=True)
    found = list(members(path.read_bytes()))
    assert [member.name for member in found] == listed.stdout.split()
    assert "micro_interpreter_context.o" in listed.stdout
    assert all(member.data.startswith(b"\x7fELF") for member in found)


def test_names_may_stand_before_the_data_as_bsd_writes_them() -> None:
    body = b"long_name.o\0data"
    head = f"{'#1/12':16}{0:<12}{0:<6}{0:<6}{'644':8}{len(body):<10}`\n".encode()
    assert list(members(b"!<arch>\n" + head + body)) == [Member("long_name.o", b"data")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not an ar archive"),
        (b"\x7fELF" + bytes(60), "not an ar archive"),
        (b"!<thin>\n", "a thin archive"),
        (b"!<arch>\n" + b"x" * 30, "no header of a file at 8"),
        (gnu([("a.o", b"1234")])[:-1], "cut off"),
        (gnu([("a.o", b"1234")]).replace(b"`\n", b"``"), "no header"),
        (gnu([("a.o", b"1234")]).replace(b"a.o/", b"/99 "), "no name at 99"),
        (gnu([("a.o", b"1234")]).replace(b"a.o/ ", b"#1/99"), "a name of 99 bytes"),
        (b"!<arch>\n", "without object files"),
        (gnu([("a.o", b"1234")]), "a.o in it is not an ELF object file"),
        (gnu([("a.o", b"\x7fELF\x01\x01" + bytes(20))]), "a.o in it is damaged"),
    ],
)
def test_what_is_no_archive_is_refused_in_one_line(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "lib.a"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=said) as refused:
        read_archive(path)
    assert refused.value.message.startswith(f"{path}: ")
    assert "\n" not in refused.value.message


def test_no_archive_at_all_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_archive(tmp_path / "lib.a")


@settings(max_examples=150)
@given(cut=st.floats(0, 1), at=st.floats(0, 1), byte=st.integers(0, 255), count=st.integers(0, 40))
def test_a_damaged_archive_is_read_or_refused(
    made: Made, cut: float, at: float, byte: int, count: int
) -> None:
    data = bytearray(made["m4-hard"].path.read_bytes())
    start = int(at * len(data))
    data[start : start + count] = bytes([byte]) * count
    path = made["m4-hard"].path.with_name("damaged.a")
    path.write_bytes(data[: int(cut * len(data)) if cut < 0.5 else None])
    try:
        found = read_archive(path)
        assert isinstance(fits(found, load_board("mps2_an386").core), list)
        assert str(found)
    except TorporError as error:
        assert "\n" not in error.message


# Object files


@pytest.mark.parametrize("name", ["m4-hard", "m55-hard", "m4-big", "riscv", "riscv64", "native"])
def test_an_object_file_has_what_pyelftools_finds_in_it(made: Made, name: str) -> None:
    for member in members(made[name].path.read_bytes()):
        path = made[name].path.with_name("one.o")
        path.write_bytes(member.data)
        found = read_object(*member)
        with path.open("rb") as file:
            elf = ELFFile(file)
            (table,) = (s for s in elf.iter_sections() if isinstance(s, SymbolTableSection))
            symbols = list(table.iter_symbols())
            outside = [s for s in symbols if s["st_info"]["bind"] != "STB_LOCAL"]
            defined = {s.name for s in outside if s["st_shndx"] != "SHN_UNDEF"}
            assert found.defined == defined
            assert found.undefined == {s.name for s in outside} - defined
            assert found.sections == {section.name for section in elf.iter_sections()}
            assert (found.bits, found.little) == (elf.elfclass, elf.little_endian)
            assert found.flags == elf["e_flags"]


def test_build_attributes_are_those_that_pyelftools_finds(made: Made) -> None:
    member = next(members(made["m4-hard"].path.read_bytes()))
    path = made["m4-hard"].path.with_name("attributes.o")
    path.write_bytes(member.data)
    with path.open("rb") as file:
        sections = ELFFile(file).iter_sections()
        (section,) = (s for s in sections if isinstance(s, ARMAttributesSection))
        (vendor,) = section.iter_subsections()
        (whole_file,) = vendor.iter_subsubsections()
        values = [attribute.value for attribute in whole_file.iter_attributes()]
    found = list(read_object(*member).attributes.values())
    assert found == values[-len(found) :]
    assert "7E-M" in found


def test_a_weak_symbol_need_not_be_there(tmp_path: Path) -> None:
    text = "extern int maybe(void) __attribute__((weak)); int f(void) { return maybe ? 1 : 2; }"
    (one,) = compiled(tmp_path, {"weak.c": text})
    assert read_object("weak.o", one.read_bytes()).undefined == frozenset()


# What an archive was built for


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("m0", "Armv6-M, soft float"),
        ("m3", "Armv7-M, soft float"),
        ("m4", "Armv7E-M, soft float"),
        ("m4-softfp", "Armv7E-M, single precision FPU, softfp float"),
        ("m4-hard", "Armv7E-M, single precision FPU, hard float"),
        ("m7-double", "Armv7E-M, double precision FPU, hard float"),
        ("m23", "Armv8-M Baseline, soft float"),
        ("m33-hard", "Armv8-M Mainline, single precision FPU, hard float"),
        ("m55-hard", "Armv8.1-M Mainline, double precision FPU, Helium, hard float"),
        ("m55-integers", "Armv8.1-M Mainline, Helium, soft float"),
        ("native", "x86-64, 64 bits"),
    ],
)
def test_an_archive_says_what_core_it_was_built_for(made: Made, name: str, said: str) -> None:
    assert str(made[name].cpu) == said


FIT = {
    "microbit": {"m0"},
    "mps2_an386": {"m4-hard"},
    "mps2_an505": {"m4-hard", "m33-hard"},
    "mps3_an547": {"m4-hard", "m7-double", "m33-hard", "m55-hard"},
    "riscv_virt": {"riscv"},
    "native": {"native"},
}


@pytest.mark.parametrize("board", BOARDS)
def test_an_archive_fits_where_the_core_runs_its_code(made: Made, board: str) -> None:
    core = load_board(board).core
    assert {name for name in (*CORES, *OTHERS) if not fits(made[name], core)} == FIT[board]


@pytest.mark.parametrize(
    ("name", "board", "said"),
    [
        (
            "m55-hard",
            "mps2_an386",
            "built for Armv8.1-M Mainline, the board has cortex-m4 (Armv7E-M); "
            "built for an FPU for double precision, "
            "the board's cortex-m4 has an FPU for single precision; "
            "built for Helium for floats, the board's cortex-m4 has no Helium",
        ),
        ("m3", "microbit", "built for Armv7-M, the board has cortex-m0 (Armv6-M)"),
        ("m4", "mps2_an386", "built with -mfloat-abi=soft, the board has hard"),
        ("m4-softfp", "mps2_an386", "built with -mfloat-abi=softfp, the board has hard"),
        (
            "m7-double",
            "mps2_an386",
            "built for an FPU for double precision, "
            "the board's cortex-m4 has an FPU for single precision",
        ),
        (
            "m4-enums",
            "mps2_an386",
            "an enum is int in it, the smallest that holds it for the board",
        ),
        ("m4-wchar", "mps2_an386", "a wchar_t has 2 bytes in it, 4 for the board"),
        (
            "m4-big",
            "mps2_an386",
            "built for Arm, 32 bits, big-endian, "
            "the board has cortex-m4 (Arm, 32 bits, little-endian)",
        ),
        (
            "native",
            "mps2_an386",
            "built for x86-64, 64 bits, little-endian, "
            "the board has cortex-m4 (Arm, 32 bits, little-endian)",
        ),
        (
            "m4-hard",
            "native",
            "built for Arm, 32 bits, little-endian, "
            "the board has native (x86-64, 64 bits, little-endian)",
        ),
    ],
)
def test_why_an_archive_does_not_fit_names_both_sides(
    made: Made, name: str, board: str, said: str
) -> None:
    assert reasons(made[name], board) == said


def test_a_core_without_the_dsp_extension_does_not_get_code_with_it(made: Made) -> None:
    board = load_board("mps2_an505")
    flags = ("-mcpu=cortex-m33+nodsp", "-mthumb", "-mfloat-abi=soft")
    core = type(board.core)("cortex-m33", board.core.toolchain, flags, ())
    assert fits(made["m4"], core) == [
        "built for the DSP extension, the board's cortex-m33 has none"
    ]
    assert fits(made["m3"], core) == []


def test_code_with_an_fpu_does_not_fit_a_core_without_though_floats_are_passed_alike(
    made: Made,
) -> None:
    core = load_board("mps2_an386").core
    soft = type(core)(core.name, core.toolchain, CORES["m4"], ())
    assert fits(made["m4"], soft) == []
    assert fits(made["m4-softfp"], soft) == [
        "built for an FPU for single precision, the board's cortex-m4 has no FPU"
    ]
    softfp = type(core)(core.name, core.toolchain, CORES["m4-softfp"], ())
    assert fits(made["m4"], softfp) == fits(made["m4-softfp"], softfp) == []


def test_members_that_pass_floats_in_different_ways_are_named(tmp_path: Path) -> None:
    objects = compiled(tmp_path / "hard", CORE)
    objects += compiled(tmp_path / "soft", {"odd_one.c": "int x;"}, flags=CORES["m4"])
    found = read_archive(packed(tmp_path / "lib.a", objects))
    said = "its members pass floats in different ways: micro_interpreter_context.o hard, "
    assert said + "odd_one.o soft" in reasons(found, "mps2_an386")


def test_one_member_for_a_better_core_is_enough_not_to_fit(tmp_path: Path) -> None:
    objects = compiled(tmp_path / "m0", CORE, flags=CORES["m0"])
    objects += compiled(tmp_path / "m3", {"better.c": "int x;"}, flags=CORES["m3"])
    found = read_archive(packed(tmp_path / "lib.a", objects))
    assert found.cpu.architecture == "Armv7-M"
    assert "built for Armv7-M" in reasons(found, "microbit")


@pytest.mark.parametrize("board", BOARDS)
def test_the_compiler_knows_the_core_of_every_board(board: str) -> None:
    core = load_board(board).core
    assert cpu_of_core(core).machine == {"riscv_virt": "RISC-V", "native": "x86-64"}.get(
        board, "Arm"
    )


# What is in an archive


CLASSES = """
    namespace tflite {
    struct Model; struct TfLiteNode;
    class MicroInterpreter { public: int AllocateTensors(); };
    class MicroInterpreterContext { public:
        const void *GetTensorCompressionData(const TfLiteNode *node, int index); };
    int MicroInterpreter::AllocateTensors() { return 0; }
    int Register_CONV_2D() { return 1; }
    int Register_CONV_2D_INT8() { return 1; }
    int NotRegister_CONV_2D() { return 1; }
    namespace other { int Register_CONV_2D_INT16() { return 1; } }
    #ifdef USE_TFLM_COMPRESSION
    const void *MicroInterpreterContext::GetTensorCompressionData(const TfLiteNode *, int)
    { return nullptr; }
    #endif
    }
    """


@pytest.mark.parametrize("compression", [False, True])
def test_names_of_real_cxx_are_recognised(tmp_path: Path, compression: bool) -> None:
    flags = [*M4_HARD, *(["-DUSE_TFLM_COMPRESSION"] if compression else [])]
    found = read_archive(archive(tmp_path / "lib.a", {"all.cc": CLASSES}, ARM, flags))
    assert found.has_interpreter
    assert found.registers == {"Register_CONV_2D", "Register_CONV_2D_INT8"}
    assert found.compression == compression


def test_kernels_are_known_by_the_registrations_that_only_some_have(tmp_path: Path) -> None:
    assert with_sources(tmp_path / "reference", {}).kernels == "reference"
    assert with_sources(tmp_path / "cmsis_nn", INT8).kernels == "cmsis_nn"


def test_an_archive_without_an_interpreter_is_not_tflm(tmp_path: Path) -> None:
    found = read_archive(
        archive(tmp_path / "libm.a", {"sin.c": "double sin(double x) { return x; }"})
    )
    assert reasons(found, "mps2_an386") == (
        "not an archive of TFLM: it has no tflite::MicroInterpreter"
    )


PLAIN = {"all.c": f"int {INTERPRETER}(void) {{ return 0; }}"}
MESSAGES = {"log.c": "int _Z11MicroPrintfPKcz(const char *f, ...) { return 1; }"}
ASSERTS = {
    "assert.c": "void __assert_func(const char *, int, const char *, const char *);"
    'void check(void) { __assert_func("", 1, "", ""); }'
}
DYNAMIC = {"common.c": "void *TfLiteIntArrayCreate(int size) { return 0; }"}


@pytest.mark.parametrize(
    ("sources", "flags", "said"),
    [
        (PLAIN | MESSAGES | ASSERTS, (), "default"),
        (PLAIN | MESSAGES | ASSERTS, ("-g",), "debug"),
        (PLAIN | MESSAGES, (), "release_with_logs"),
        (PLAIN, (), "release"),
        (PLAIN | MESSAGES | ASSERTS | DYNAMIC, (), "no_tf_lite_static_memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_type_of_a_build_shows_in_its_symbols(
    tmp_path: Path, sources: dict[str, str], flags: tuple[str, ...], said: str
) -> None:
    found = read_archive(archive(tmp_path / "lib.a", sources, ARM, (*M4_HARD, *flags)))
    assert found.build_type == said
    assert found.strips == (said == "release")
    assert (reasons(found, "mps2_an386") == "") == (said != "no_tf_lite_static_memory")


def test_its_compiler_is_named(made: Made) -> None:
    assert made["m4-hard"].compiler.startswith("GCC: ")


def test_code_that_only_a_linker_with_lto_can_read_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "lib.a", CORE, ARM, (*M4_HARD, "-flto"))
    with pytest.raises(ImageError, match="compiled with -flto"):
        read_archive(path)


# C library, heap, exceptions

ERRNO = "#include <errno.h>\n int set(void) { errno = 1; return 0; }"
STDERR = '#include <stdio.h>\n int set(void) { fprintf(stderr, "x"); return 0; }'
NEWLIB: tuple[str, ...] = ()
PICOLIBC = ("--specs=picolibc.specs",)


@pytest.mark.parametrize(
    ("text", "specs", "said"),
    [
        (ERRNO, NEWLIB, "newlib"),
        (STDERR, NEWLIB, "newlib"),
        (ERRNO, PICOLIBC, "picolibc"),
        (STDERR, PICOLIBC, "unknown"),
        ("#include <string.h>\n void *set(void *x) { return memset(x, 0, 9); }", NEWLIB, "unknown"),
    ],
)
def test_the_c_library_is_named_where_its_headers_show(
    tmp_path: Path, text: str, specs: tuple[str, ...], said: str
) -> None:
    found = with_sources(tmp_path, {"user.c": text}, (*M4_HARD, *specs))
    assert found.c_library == said


def test_glibc_is_known_on_this_computer(tmp_path: Path) -> None:
    path = archive(tmp_path / "lib.a", {**CORE, "user.c": ERRNO}, NATIVE, ())
    found = read_archive(path)
    assert found.c_library == "glibc"
    assert fits(found, load_board("native").core) == []


def core_that_needs(text: str) -> dict[str, str]:
    """Return sources whose interpreter calls a function of `text`: set()."""
    call = f"int set(void); int {INTERPRETER}(void) {{ return set(); }}"
    return MESSAGES | {"interpreter.c": call, "user.c": text}


def test_what_another_c_library_has_alone_is_named(tmp_path: Path) -> None:
    found = read_archive(archive(tmp_path / "lib.a", core_that_needs(STDERR)))
    assert reasons(found, "mps2_an386") == (
        "it needs _impure_ptr of newlib C library, torpor links picolibc, which has no such"
    )


@pytest.mark.parametrize(
    "sources",
    [
        pytest.param(CORE | {"user.c": STDERR}, id="what no interpreter needs"),
        pytest.param(core_that_needs(ERRNO), id="what a firmware has itself"),
    ],
)
def test_an_archive_that_was_built_with_newlib_fits_all_the_same(
    tmp_path: Path, sources: dict[str, str]
) -> None:
    found = read_archive(archive(tmp_path / "lib.a", sources))
    assert found.c_library == "newlib"
    assert reasons(found, "mps2_an386") == ""


def test_a_heap_that_the_interpreter_needs_is_named(tmp_path: Path) -> None:
    text = "#include <stdlib.h>\n int set(void) { return malloc(4) != 0; }"
    found = read_archive(archive(tmp_path / "lib.a", core_that_needs(text)))
    assert reasons(found, "mps2_an386") == "it needs a heap (malloc), a firmware has none"


THROWS = """
    namespace tflite {
    class MicroInterpreter { public: int AllocateTensors(); };
    int MicroInterpreter::AllocateTensors() { throw 1; }
    }
    """


def test_exceptions_are_named(tmp_path: Path) -> None:
    found = read_archive(archive(tmp_path / "lib.a", {"all.cc": THROWS}))
    assert "it needs exceptions or types at run time (__cxa_throw" in reasons(found, "mps2_an386")


def test_what_a_firmware_has_itself_is_in_its_sources() -> None:
    folder = FIRMWARE / "infer" / "tflm"
    text = (folder / "runtime.cc").read_text() + (folder / "message.c").read_text()
    written = {
        "_ZdlPv": "operator delete(void *)",
        "_ZdlPvj": "operator delete(void *, std::size_t",
    }
    assert {name for name in OURS if written.get(name, name) not in text} == set()


def test_picolibc_has_none_of_what_only_newlib_has(tmp_path: Path) -> None:
    names = sorted(_OF_LIBRARY["newlib"])
    text = "".join(f"extern char {name};\n" for name in names)
    text += "".join(f"void *at{name}(void) {{ return &{name}; }}\n" for name in names)
    (one,) = compiled(tmp_path, {"all.c": text})
    keep = [f"-Wl,-u,at{name}" for name in names]
    command = [tool(ARM, "gcc"), *M4_HARD, *PICOLIBC, "-nostartfiles", *keep, str(one)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert set(re.findall(r"undefined reference to `(\w+)'", done.stderr)) == set(names)


# What no compiler at hand makes


def attributes(pairs: bytes, size: int | None = None) -> bytes:
    """Write a section of build attributes, for the whole file."""
    part = b"\x01" + struct.pack("<I", len(pairs) + 5) + pairs
    vendor = b"aeabi\0" + part
    return b"A" + struct.pack("<I", size or len(vendor) + 4) + vendor


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (b"\x05cortex-m4\0\x06\x0d", {5: "cortex-m4", 6: 13}),
        (b"\x20\x01gnu\0\x1a\x02", {32: 1, 26: 2}),  # a number and a text
        (b"\x41\x06\x0d\0\x1a\x02", {65: "\x06\r", 26: 2}),
        (b"\x81\x01\x81\x02", {129: 257}),
        (b"", {}),
    ],
)
def test_build_attributes_are_read_as_arms_document_says(
    pairs: bytes, said: dict[int, object]
) -> None:
    assert build_attributes(attributes(pairs), "<", 40) == said


def test_build_attributes_of_many_vendors_are_all_read() -> None:
    data = attributes(b"\x06\x0d") + attributes(b"\x1a\x01")[1:]
    assert build_attributes(data, "<", 40) == {6: 13, 26: 1}


@pytest.mark.parametrize(
    "data",
    [
        attributes(b"\x06\x0d", size=4),
        attributes(b"\x06\x0d", size=99),
        attributes(b"\x06" + b"\xff" * 12),
        attributes(b"\x05no end"),
        b"A\x01",
        b"A\x09\0\0\0aeabi",
    ],
)
def test_damaged_build_attributes_raise_what_is_reported(data: bytes) -> None:
    with pytest.raises((struct.error, IndexError, ValueError)):
        build_attributes(data, "<", 40)


@given(st.binary(max_size=60))
def test_any_bytes_as_build_attributes_come_to_an_end(data: bytes) -> None:
    with contextlib.suppress(struct.error, IndexError, ValueError):
        build_attributes(data, "<", 40)


def test_an_absurdly_large_file_is_not_read(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made["m4-hard"].path
    monkeypatch.setattr("torpor.tflm.archive.LARGEST", 1000)
    with pytest.raises(ImageError, match="bytes is more than any archive of TFLM has"):
        read_archive(path)


def test_a_compiler_that_is_not_there_is_named() -> None:
    core = load_board("mps2_an386").core
    other = type(core)(core.name, "no-such-target", core.flags, ())
    with pytest.raises(MissingToolError, match="no-such-target-gcc is not installed"):
        cpu_of_core(other)


def test_risc_v_code_fits_where_the_core_has_its_extensions(tmp_path: Path) -> None:
    core = load_board("riscv_virt").core
    for march, fit in (("rv32imc", True), ("rv32imac", True), ("rv32imafc", False)):
        path = archive(tmp_path / f"{march}.a", CORE, RISCV, (f"-march={march}", "-mabi=ilp32"))
        assert (fits(read_archive(path), core) == []) == fit
