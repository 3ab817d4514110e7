# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What is written where; what is for another board, damaged or not whole is refused before."""

import os
import struct
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flash.bench import ESP, PICO, STM, Bench, toy
from tests.flash.elves import elf_file, program
from tests.support import images
from torpor.board import load_board
from torpor.emulate.firmware import build_images
from torpor.errors import ImageError, TorporError, UsageError
from torpor.flash import espressif, sources
from torpor.flash.plan import Erasure, Piece, Plan, joined, make_plan
from torpor.flash.program import read_program

ORIGIN = 0x08000000


@pytest.fixture(autouse=True)
def _builds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BUILD", bench.root / "build")


def _plan(board: str, *given: Path, part: str = "all") -> tuple[Plan, list[str]]:
    return sources.plan_for(toy(board), list(given), part)


def _whats(plan: Plan) -> list[tuple[str, int]]:
    return [(piece.what, piece.address - plan.origin) for piece in plan.pieces]


# ---- a build


def test_a_build_is_its_bootloader_its_firmware_in_slot_a_and_its_model(bench: Bench) -> None:
    folder = bench.build(STM)
    plan, _ = _plan(STM, folder)
    assert _whats(plan) == [
        ("bootloader", 0),
        ("firmware 1.0.0 in slot A", 0x6000),
        ("model 1.0.0 in model 0", 0x46000),
    ]
    image = (folder / "image" / "firmware-a.bin").read_bytes()
    assert plan.pieces[1].data == image


def test_a_new_firmware_begins_a_new_life_so_the_journal_is_erased(bench: Bench) -> None:
    plan, _ = _plan(STM, bench.build(STM))
    assert plan.erasures == (Erasure("journal", ORIGIN + 0x4000, 0x2000),)


@pytest.mark.parametrize("part", ["boot", "model"])
def test_a_bootloader_or_a_spare_model_alone_leaves_the_journal(bench: Bench, part: str) -> None:
    plan, _ = _plan(STM, bench.build(STM), part=part)
    assert [piece.what.split()[0] for piece in plan.pieces] == [
        {"boot": "bootloader", "model": "model"}[part]
    ]
    assert plan.erasures == ()


def test_firmware_alone_takes_the_journal_with_it(bench: Bench) -> None:
    plan, _ = _plan(STM, bench.build(STM), part="firmware")
    assert _whats(plan) == [("firmware 1.0.0 in slot A", 0x6000)]
    assert len(plan.erasures) == 1


def test_without_a_folder_it_is_the_newest_build_and_that_is_said(bench: Bench) -> None:
    old, new = bench.build(STM, "alexa-int8"), bench.build(STM, "motion-int4")
    for path in old.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    plan, notes = _plan(STM)
    assert plan.pieces[1].source == new / "image" / "firmware-a.bin"
    assert any("motion-int4" in note for note in notes)


def test_a_build_without_images_is_its_plain_firmware(bench: Bench) -> None:
    plan, _ = _plan(STM, bench.plain(STM))
    assert _whats(plan) == [("firmware", 0)]
    assert plan.erasures == ()


def test_images_older_than_the_firmware_beside_them_are_told_of(bench: Bench) -> None:
    folder = bench.build(STM)
    bench.plain(STM)
    later = (folder / "image" / "firmware-b.bin").stat().st_mtime + 60
    os.utime(folder / "firmware.elf", (later, later))
    _, notes = _plan(STM, folder)
    assert any("is newer than the images" in note for note in notes)


def test_the_bootloader_is_found_beside_a_build_that_was_carried_away(
    bench: Bench, tmp_path: Path
) -> None:
    folder = bench.build(STM)
    away = tmp_path / "artifacts"
    (folder / "image").rename(away)
    (bench.root / "build" / STM / "boot" / "boot.elf").rename(away / "boot.elf")
    plan, _ = _plan(STM, away)
    assert plan.pieces[0].source == away / "boot.elf"


@pytest.mark.parametrize(
    ("part", "say"), [("all", "is no build"), ("model", "has no images"), ("boot", "bootloader")]
)
def test_a_folder_without_what_is_wanted_says_how_to_build_it(
    bench: Bench, tmp_path: Path, part: str, say: str
) -> None:
    with pytest.raises(UsageError, match=say) as error:
        _plan(STM, tmp_path, part=part)
    assert "scons board=toy_stm image" in error.value.hint


def test_nothing_built_says_how_to_build_it() -> None:
    with pytest.raises(UsageError, match="nothing is built for toy_stm"):
        _plan(STM)


def test_a_folder_among_files_and_a_part_of_files_are_mistakes(bench: Bench) -> None:
    folder = bench.build(STM)
    with pytest.raises(UsageError, match="is a folder"):
        _plan(STM, folder, folder / "image" / "model.bin")
    with pytest.raises(UsageError, match="--what boot is for a build"):
        _plan(STM, folder / "image" / "model.bin", part="boot")


# ---- files that are refused


def test_an_image_of_another_board_is_refused(bench: Bench) -> None:
    folder = bench.build(STM, named=b"toy_nrf")
    with pytest.raises(ImageError, match="for toy_nrf, not toy_stm"):
        _plan(STM, folder)


def test_an_elf_of_another_board_is_refused(bench: Bench) -> None:
    elf = program(bench.root / "other.elf", "toy_nrf", ORIGIN)
    with pytest.raises(ImageError, match="is for toy_nrf, not for toy_stm"):
        _plan(STM, elf)


@pytest.mark.parametrize("symbols", [{}, {"board": (ORIGIN, 12)}, {"board": (0x20000000, 12)}])
def test_an_elf_that_names_no_board_is_refused(
    bench: Bench, symbols: dict[str, tuple[int, int]]
) -> None:
    elf = elf_file(bench.root / "x.elf", [(ORIGIN, b"\xff" * 64)], symbols)
    with pytest.raises(ImageError, match="does not say what board"):
        _plan(STM, elf)


def test_an_elf_with_bytes_outside_the_flash_is_refused(bench: Bench) -> None:
    elf = program(bench.root / "x.elf", STM, 0x20000000)
    with pytest.raises(ImageError, match=r"bytes at 0x20000000; the flash of toy_stm is 0x8000000"):
        _plan(STM, elf)


def test_an_elf_that_ends_outside_the_flash_is_refused(bench: Bench) -> None:
    elf = program(bench.root / "x.elf", STM, ORIGIN + 0x80000 - 64, size=60)
    with pytest.raises(ImageError, match="the flash of toy_stm"):
        _plan(STM, elf)


def test_the_code_of_an_image_is_no_firmware_by_itself(bench: Bench) -> None:
    folder = bench.build(STM)
    with pytest.raises(UsageError, match="without header and signature") as error:
        _plan(STM, folder / "image" / "firmware-a.elf")
    assert "firmware-a.bin" in error.value.hint


def test_an_image_for_slot_b_alone_is_refused_because_a_comes_first(bench: Bench) -> None:
    folder = bench.build(STM)
    with pytest.raises(UsageError, match="slot B") as error:
        _plan(STM, folder / "image" / "firmware-b.bin")
    assert "firmware-a.bin" in error.value.hint


def test_an_image_linked_for_no_slot_is_refused(bench: Bench) -> None:
    with pytest.raises(ImageError, match="is no slot of toy_stm"):
        _plan(STM, bench.build(STM, address=ORIGIN + 0x7000))


def test_an_image_that_the_bootloader_would_not_take_is_refused(bench: Bench) -> None:
    with pytest.raises(ImageError, match=r"signed with another key than .*boot.elf knows"):
        _plan(STM, bench.build(STM, key=images.key(7)))


def test_a_forged_signature_is_refused(bench: Bench) -> None:
    folder = bench.build(STM)
    path = folder / "image" / "firmware-a.bin"
    path.write_bytes(images.with_signature(path.read_bytes(), bytes(64)))
    with pytest.raises(ImageError, match="the signature is wrong"):
        _plan(STM, folder)


@given(cut=st.integers(0, 6800), flip=st.integers(0, 8 * 6800 - 1))
def test_a_truncated_or_damaged_image_is_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int
) -> None:
    whole = images.firmware(b"code" * 1600, address=ORIGIN + 0x6000, board=STM.encode())
    path = tmp_path_factory.mktemp("image") / "firmware-a.bin"
    path.write_bytes(whole[: min(cut, len(whole) - 1)])
    with pytest.raises(TorporError):
        _plan(STM, path)
    damaged = bytearray(whole)
    damaged[flip // 8 % (len(whole) - 112)] ^= 1 << flip % 8
    path.write_bytes(damaged)
    with pytest.raises(TorporError):
        _plan(STM, path)


@given(
    cut=st.integers(0, 2000),
    changes=st.lists(st.tuples(st.integers(0, 1999), st.integers(0, 255)), max_size=4),
)
def test_a_damaged_elf_is_refused_or_read_and_never_a_bug(
    tmp_path_factory: pytest.TempPathFactory, cut: int, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("elf") / "x.elf"
    data = bytearray(program(path, STM, ORIGIN, key=bytes(32), boot=True).read_bytes())
    for at, byte in changes:
        data[at % len(data)] = byte
    path.write_bytes(data[: len(data) - cut % len(data)] if cut > 1000 else data)
    try:
        assert read_program(path).board is not None
    except ImageError as error:
        assert str(path) in error.message


@pytest.mark.parametrize("begin", [b"", b"hello", b"\x7fELF", b"\xe9\x01\x02\x20", b"UF2\n"])
def test_a_file_of_another_kind_is_refused(bench: Bench, begin: bytes) -> None:
    path = bench.root / "file.bin"
    path.write_bytes(begin)
    with pytest.raises(TorporError):
        _plan(STM, path)


def test_a_file_that_is_not_there_is_a_mistake(bench: Bench) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        _plan(STM, bench.root / "nowhere.bin")


def test_a_model_that_the_firmware_cannot_run_is_refused(bench: Bench) -> None:
    capability = images.capability(versions=(9, 9))
    with pytest.raises(ImageError, match=r"model.bin does not fit the firmware: plan format"):
        _plan(STM, bench.build(STM, capability=capability))


def test_a_model_without_a_plan_is_refused(bench: Bench) -> None:
    path = bench.root / "model.bin"
    path.write_bytes(images.model(b"no plan at all"))
    with pytest.raises(ImageError, match="holds no plan"):
        _plan(STM, path)


def test_the_development_key_is_warned_of_once(bench: Bench) -> None:
    board = load_board("mps2_an386")
    made = build_images(board, "motion", quiet=True)
    _, notes = sources.plan_for(board, [made.firmware(0), made.model], "all")
    assert sum("development key" in note for note in notes) == 1


def test_what_scons_builds_goes_together_and_where_the_board_has_it() -> None:
    board = load_board("microbit")
    made = build_images(board, "motion", quiet=True)
    plan, _ = sources.plan_for(board, [made.boot, made.firmware(0), made.model], "all")
    assert [(p.what.split()[0], p.address) for p in plan.pieces] == [
        ("bootloader", 0),
        ("firmware", 0x6800),
        ("model", 0x32800),
    ]
    with pytest.raises(UsageError, match="is the code of an image"):
        sources.plan_for(board, [made.firmware(0).with_suffix(".elf")], "all")


# ---- plans


def test_pieces_that_overlap_are_refused() -> None:
    board = toy(STM)
    one = Piece("one", ORIGIN, bytes(10), Path("a"))
    two = Piece("two", ORIGIN + 9, bytes(10), Path("b"))
    with pytest.raises(ImageError, match="two and one overlap at 0x8000009"):
        make_plan(board, [two, one])
    with pytest.raises(ImageError, match="overlap"):
        make_plan(board, [one], [Erasure("gap", ORIGIN, 4096)])


@pytest.mark.parametrize(("at", "size"), [(-1, 4), (0x80000 - 3, 4), (0x80000, 4), (0, 0)])
def test_a_piece_outside_the_flash_or_empty_is_refused(at: int, size: int) -> None:
    with pytest.raises(ImageError, match="would lie at"):
        make_plan(toy(STM), [Piece("x", ORIGIN + at, bytes(size), Path("x"))])


def test_a_plan_of_nothing_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="nothing to write"):
        make_plan(toy(STM), [])


def test_a_board_without_flash_cannot_be_flashed() -> None:
    with pytest.raises(UsageError, match="has no flash"):
        make_plan(replace(toy(STM), flash=None, memory={}), [Piece("x", 0, b"x", Path("x"))])


@given(
    places=st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=90)), min_size=1),
    block=st.sampled_from([4, 16, 64]),
)
def test_whole_blocks_hold_every_piece_and_are_erased_elsewhere(
    places: list[tuple[int, bytes]], block: int
) -> None:
    end, pieces = ORIGIN, []
    for gap, data in places:
        pieces.append(Piece("x", end + gap, data, Path("x")))
        end = pieces[-1].end
    runs = joined(make_plan(toy(STM), pieces), block)
    memory = dict(pair for address, data in runs for pair in enumerate(data, address))
    expected = dict(pair for piece in pieces for pair in enumerate(piece.data, piece.address))
    assert {at: byte for at, byte in memory.items() if at in expected} == expected
    assert all(byte == 0xFF for at, byte in memory.items() if at not in expected)
    assert all(address % block == 0 and len(data) % block == 0 for address, data in runs)
    assert {at // block for at in memory} == {at // block for at in expected}
    assert all(a + len(data) < b for (a, data), (b, _) in pairwise(runs))


# ---- Espressif's programs


def esp_image(chip: int = 5, payload: bytes = b"program!" * 9) -> bytes:
    head = struct.pack("<BBBBI", 0xE9, 1, 2, 0x20, 0x40380000)
    head += bytes([0xEE, 0, 0, 0]) + struct.pack("<H", chip) + bytes(9) + b"\x01"
    data = head + struct.pack("<II", 0x40380000, len(payload)) + payload
    checksum = 0xEF
    for byte in payload:
        checksum ^= byte
    data += bytes(-(len(data) + 1) % 16) + bytes([checksum])
    return data + sha256(data).digest()


def test_a_program_for_the_chips_rom_lies_at_the_start_of_the_flash(bench: Bench) -> None:
    path = bench.root / "boot.bin"
    path.write_bytes(esp_image())
    plan, _ = _plan(ESP, path)
    assert _whats(plan) == [("bootloader", 0)]
    assert plan.pieces[0].data == esp_image()


def test_a_program_for_another_chip_of_espressifs_is_refused(bench: Bench) -> None:
    path = bench.root / "boot.bin"
    path.write_bytes(esp_image(chip=9))
    with pytest.raises(ImageError, match="is for esp32s3, not for esp32c3"):
        _plan(ESP, path)


def test_a_program_for_the_chips_rom_is_refused_on_other_boards(bench: Bench) -> None:
    path = bench.root / "boot.bin"
    path.write_bytes(esp_image())
    with pytest.raises(ImageError, match="is neither"):
        _plan(PICO, path)


@given(flip=st.integers(0, 8 * len(esp_image()) - 1), cut=st.integers(0, len(esp_image()) - 1))
def test_a_damaged_program_for_the_chips_rom_is_refused(flip: int, cut: int) -> None:
    damaged = bytearray(esp_image())
    damaged[flip // 8] ^= 1 << flip % 8
    if flip // 8 != 23 or damaged[23]:  # the byte that says whether there is a hash
        with pytest.raises(ImageError):
            espressif.check(Path("x"), bytes(damaged), "esp32c3")
    with pytest.raises(ImageError):
        espressif.check(Path("x"), esp_image()[:cut], "esp32c3")


def test_a_bootloader_that_the_rom_loads_is_what_the_build_made_of_it(bench: Bench) -> None:
    boot = program(bench.root / "boot.elf", ESP, 0x20006000, key=bytes(32), boot=True)
    with pytest.raises(ImageError, match=r"boot.bin is not there or older") as error:
        _plan(ESP, boot)
    assert error.value.hint == "scons ... image makes it"
    made = bench.root / "boot.bin"
    made.write_bytes(esp_image())
    os.utime(boot, (1, 1))
    plan, _ = _plan(ESP, boot)
    assert _whats(plan) == [("bootloader", 0)]
    assert plan.pieces[0].data == esp_image()
    os.utime(made, (0, 0))
    with pytest.raises(ImageError, match=r"older than boot.elf"):
        _plan(ESP, boot)


def test_a_program_without_a_bootloader_lies_where_code_sees_the_flash(bench: Bench) -> None:
    plan, _ = _plan(ESP, program(bench.root / "x.elf", ESP, 0x42000000))
    assert _whats(plan) == [("firmware", 0)]


def test_constants_are_found_where_the_program_sees_them(bench: Bench) -> None:
    code, seen = bytes(256), 0x3C000100
    text = struct.pack("<III", seen + 12, 0, 0) + b"toy_esp\0"
    elf = elf_file(
        bench.root / "x.elf",
        [(0x42000000, code), (0x42000100, text)],
        {"board": (seen, 12)},
        seen={0x42000100: seen},
    )
    plan, _ = _plan(ESP, elf)
    assert [piece.data for piece in plan.pieces] == [code + text]
