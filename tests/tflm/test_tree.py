# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""In a user's tree of TensorFlow Lite Micro are found its headers and the archive that fits."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.archives import ARM, CORE, INT8, M4_HARD, archive, headers, tool
from tests.support.tflm import tflm_dir
from torpor.board import load_board
from torpor.cli.doctor import check_tflm
from torpor.errors import ImageError, UsageError
from torpor.tflm.archive import read_archive
from torpor.tflm.fits import fits
from torpor.tflm.tree import DOCUMENTS, LIBRARY, Tflm, archives, find

M4F = load_board("mps2_an386").core
NAMES = {
    "reference": "gen/cortex_m_generic_cortex-m4+fp_default_gcc",
    "cmsis_nn": "gen/cortex_m_generic_cortex-m4+fp_default_cmsis_nn_gcc",
    "m3": "gen/cortex_m_generic_cortex-m3_default_gcc",
    "m4": "gen/cortex_m_generic_cortex-m4_default_gcc",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("built")
    soft = ("-mthumb", "-mfloat-abi=soft")
    return {
        "reference": archive(folder / "reference.a", CORE),
        "cmsis_nn": archive(folder / "cmsis_nn.a", CORE | INT8),
        "m3": archive(folder / "m3.a", CORE, ARM, ("-mcpu=cortex-m3", *soft)),
        "m4": archive(folder / "m4.a", CORE, ARM, ("-mcpu=cortex-m4", *soft)),
    }


def put(root: Path, built: dict[str, Path], *names: str) -> Path:
    """Put archives where TFLM's Makefile does."""
    for name in names:
        target = root / NAMES[name] / "lib" / LIBRARY
        target.parent.mkdir(parents=True)
        shutil.copyfile(built[name], target)
    return root


def refused(root: str | Path | None, library: Path | None = None) -> UsageError:
    with pytest.raises(UsageError) as error:
        find(root, library, M4F)
    assert error.value.exit_code == 2
    return error.value


# The tree


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_tree_it_is_said_what_is_missing_and_where_that_is_explained(
    nothing: str | None,
) -> None:
    error = refused(nothing)
    assert error.message == f"engine=tflm needs TFLM_DIR=<a tree of TFLM with its {LIBRARY}>"
    assert all(document in error.hint for document in DOCUMENTS)
    assert "\n" not in error.message + error.hint


def test_a_folder_that_is_no_tree_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert refused(folder).message == (
            f"TFLM_DIR={folder}: not a tree of TFLM, "
            "it has no tensorflow/lite/micro/micro_interpreter.h"
        )


DOWNLOADS = "tensorflow/lite/micro/tools/make/downloads"


@pytest.mark.parametrize("place", [DOWNLOADS, "third_party"])
def test_headers_of_others_are_found_in_both_layouts(
    tmp_path: Path, built: dict[str, Path], place: str
) -> None:
    root = put(headers(tmp_path, place), built, "reference")
    (root / "third_party/flatbuffers").mkdir(parents=True, exist_ok=True)  # rules to build it
    (root / "third_party/flatbuffers/BUILD").write_text("")
    found = find(root, None, M4F)
    assert found.include_paths == (
        root,
        root / place / "flatbuffers/include",
        root / place / "gemmlowp",
    )


def test_ruy_is_taken_where_it_is(tmp_path: Path, built: dict[str, Path]) -> None:
    root = put(headers(tmp_path), built, "reference")
    header = root / "third_party/ruy/ruy/profiler/instrumentation.h"
    header.parent.mkdir(parents=True)
    header.write_text("")
    assert root / "third_party/ruy" in find(root, None, M4F).include_paths


@pytest.mark.parametrize(
    ("folder", "header"),
    [
        ("flatbuffers/include", "flatbuffers/flatbuffers.h"),
        ("gemmlowp", "fixedpoint/fixedpoint.h"),
    ],
)
def test_a_header_that_was_not_downloaded_is_named(
    tmp_path: Path, built: dict[str, Path], folder: str, header: str
) -> None:
    root = put(headers(tmp_path), built, "reference")
    shutil.rmtree(root / "third_party" / folder)
    assert refused(root).message == (
        f"{root}: no {header} in {DOWNLOADS}/{folder} or third_party/{folder}"
    )


def test_headers_that_nothing_includes_may_be_missing(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    root = put(headers(tmp_path), built, "reference")
    shutil.rmtree(root / "third_party/gemmlowp")
    (root / "tensorflow/lite/kernels/internal/common.h").write_text("// no fixed point\n")
    assert len(find(root, None, M4F).include_paths) == 2


def test_the_version_is_that_of_git_or_a_hash_of_headers(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    root = put(headers(tmp_path), built, "reference")
    before = find(root, None, M4F).version
    assert before.startswith("headers ")
    assert find(root, None, M4F).version == before
    (root / "tensorflow/lite/schema/schema_generated.h").write_text("// another\n")
    assert find(root, None, M4F).version not in ("", before)
    git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert find(root, None, M4F).version == f"git {done.stdout[:12]}"


def test_a_damaged_repository_has_the_version_of_its_headers(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    root = put(headers(tmp_path), built, "reference")
    (root / ".git").write_text("gitdir: /nowhere\n")
    assert find(root, None, M4F).version.startswith("headers ")


# The archive


def test_the_only_archive_that_fits_is_taken(tmp_path: Path, built: dict[str, Path]) -> None:
    root = put(headers(tmp_path), built, "reference", "m4", "m3")
    assert find(root, None, M4F).archive.path == root / NAMES["reference"] / "lib" / LIBRARY


@pytest.mark.parametrize("name", ["lib/libtflm.a", f"lib-m4/{LIBRARY}", "libtflm.a"])
def test_an_archive_may_lie_in_the_tree_itself(
    tmp_path: Path, built: dict[str, Path], name: str
) -> None:
    root = headers(tmp_path)
    (root / name).parent.mkdir(exist_ok=True)
    shutil.copyfile(built["cmsis_nn"], root / name)
    found = find(root, None, M4F)
    assert found.archive.path == root / name
    assert found.archive.kernels == "cmsis_nn"


def test_no_archive_at_all_is_said(tmp_path: Path) -> None:
    error = refused(headers(tmp_path))
    assert error.message == f"{tmp_path}: no {LIBRARY} in gen/*/lib, lib* or the tree itself"
    assert DOCUMENTS[0] in error.hint


def test_archives_that_do_not_fit_are_listed_each_with_its_reason(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    root = put(headers(tmp_path), built, "m3", "m4")
    (root / "libdamaged.a").write_bytes(built["m3"].read_bytes()[:1000])
    (root / "libm.a").write_bytes(archive(tmp_path / "other/m.a", {"m.c": "int m;"}).read_bytes())
    first, *rows = refused(root).message.splitlines()
    assert first == f"no archive in {root} fits cortex-m4:"
    assert len(rows) == 4
    said = "built with -mfloat-abi=soft, the board has hard"
    assert rows[0] == f"  {NAMES['m3']}/lib/{LIBRARY}: {said}"
    assert rows[1] == f"  {NAMES['m4']}/lib/{LIBRARY}: {said}"
    assert rows[2].startswith("  libdamaged.a: cut off: ")
    assert rows[3] == "  libm.a: not an archive of TFLM: it has no tflite::MicroInterpreter"


def test_several_that_fit_are_listed_and_one_is_asked_for(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    root = put(headers(tmp_path), built, "reference", "cmsis_nn", "m4")
    error = refused(root)
    built_for = "Armv7E-M, single precision FPU, hard float"
    assert error.message.splitlines() == [
        f"several archives in {root} fit cortex-m4:",
        f"  {NAMES['cmsis_nn']}/lib/{LIBRARY}: {built_for}; kernels cmsis_nn, BUILD_TYPE=default",
        f"  {NAMES['reference']}/lib/{LIBRARY}: {built_for}; kernels reference, BUILD_TYPE=default",
    ]
    assert error.hint == "name one with TFLM_LIB=<path>"
    chosen = root / NAMES["cmsis_nn"] / "lib" / LIBRARY
    assert find(root, chosen, M4F).archive.path == chosen


def test_of_several_the_one_for_the_very_core_is_taken(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    root = put(headers(tmp_path), built, "m3", "m4")
    soft = type(M4F)("cortex-m4", M4F.toolchain, ("-mcpu=cortex-m4", "-mthumb"), ())
    assert find(root, None, soft).archive.path == root / NAMES["m4"] / "lib" / LIBRARY


def test_a_library_that_is_named_may_lie_anywhere_under_any_name(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    root = put(headers(tmp_path / "tree"), built, "m4")
    elsewhere = tmp_path / "mine.lib"
    shutil.copyfile(built["reference"], elsewhere)
    assert find(root, str(elsewhere), M4F).archive.path == elsewhere


def test_a_library_that_is_named_and_wrong_is_refused(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    root = put(headers(tmp_path), built, "reference")
    assert refused(root, tmp_path / "no.a").message == f"TFLM_LIB={tmp_path}/no.a: no such file"
    assert refused(root, built["m4"]).message.splitlines() == [
        f"TFLM_LIB={built['m4']} does not fit the board:",
        "  built with -mfloat-abi=soft, the board has hard",
    ]
    (tmp_path / "damaged.a").write_bytes(b"!<arch>\nx")
    with pytest.raises(ImageError, match=r"damaged.a: damaged: no header of a file at 8"):
        find(root, tmp_path / "damaged.a", M4F)


# Macros

COMPRESSION = "int _ZN6tflite23MicroInterpreterContext24GetTensorCompressionDataEv(void)"
SILENT = {"all.c": "int _ZN6tflite16MicroInterpreter15AllocateTensorsEv(void) { return 0; }"}


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (CORE, ()),
        (CORE | INT8, ("CMSIS_NN",)),
        (CORE | {"context.c": f"{COMPRESSION} {{ return 0; }}"}, ("USE_TFLM_COMPRESSION",)),
        (SILENT, ("TF_LITE_STRIP_ERROR_STRINGS",)),
    ],
    ids=["reference", "cmsis_nn", "compression", "release"],
)
def test_macros_are_those_that_the_archive_was_built_with(
    tmp_path: Path, sources: dict[str, str], said: tuple[str, ...]
) -> None:
    root = headers(tmp_path)
    archive(root / LIBRARY, sources)
    assert find(root, None, M4F).defines == ("TF_LITE_STATIC_MEMORY", *said)


# torpor doctor


def test_doctor_says_nothing_where_no_tree_is_named() -> None:
    assert check_tflm(None) == check_tflm("") == []


def test_doctor_lists_the_archives_of_a_tree(tmp_path: Path, built: dict[str, Path]) -> None:
    root = put(headers(tmp_path), built, "reference", "cmsis_nn")
    (root / "libdamaged.a").write_bytes(b"!<arch>\nx")
    tree, *found = check_tflm(str(root))
    assert (tree.name, tree.present, tree.optional) == ("TFLM_DIR", True, True)
    assert [(check.present, check.detail) for check in found] == [
        (True, "cmsis_nn"),
        (True, "reference"),
        (False, ""),
    ]
    assert "hard float" in found[0].purpose
    assert "damaged" in found[2].get


def test_doctor_says_what_is_wrong_with_a_tree(tmp_path: Path) -> None:
    (check,) = check_tflm(str(tmp_path))
    assert not check.present
    assert "not a tree of TFLM" in check.get


# The real one


BOARD_OF = {
    "cortex_m_generic_cortex-m0_": "microbit",
    "cortex_m_generic_cortex-m4+fp_": "mps2_an386",
    "cortex_m_generic_cortex-m33_": "mps2_an505",
    "cortex_m_generic_cortex-m55_": "mps3_an547",
    "linux_x86_64_": "native",
}


def test_each_real_archive_is_recognised() -> None:
    for path in archives(tflm_dir()):
        found = read_archive(path)
        folder = path.parent.parent.name
        assert found.has_interpreter and found.static_memory
        assert (found.kernels == "cmsis_nn") == ("cmsis_nn" in folder)
        assert len(found.registers) > 100
        for begin, board in BOARD_OF.items():
            if folder.startswith(begin):
                assert fits(found, load_board(board).core) == []


def test_the_real_headers_compile_with_what_is_found() -> None:
    root, tried = tflm_dir(), set()
    for path in archives(root):
        if fits(read_archive(path), M4F):
            continue
        found = find(root, path, M4F)
        if found.defines not in tried:
            tried.add(found.defines)
            done = compiled_headers(found)
            assert done.returncode == 0, done.stderr


def compiled_headers(found: Tflm) -> subprocess.CompletedProcess[str]:
    text = (
        '#include "tensorflow/lite/micro/micro_interpreter.h"\n'
        '#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"\n'
    )
    flags = [f"-isystem{folder}" for folder in found.include_paths]
    flags += [f"-D{name}" for name in found.defines]
    common = ["-std=c++17", "-fno-exceptions", "-fno-rtti", "--specs=picolibc.specs"]
    command = [tool(ARM, "g++"), *M4_HARD, *common, *flags, "-fsyntax-only", "-x", "c++", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)
