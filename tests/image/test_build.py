# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Images are made as the device wants them, the same bytes every time, and fit where they go."""

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.drafts import Draft
from tests.support.elf import elf_file
from tests.support.images import BOARD, COUNTER, ROM_FIXED
from tests.support.small_models import small_cnn
from torpor.board import Board, load_board
from torpor.board.layout import HEADER_BYTES, code_region
from torpor.compile import compile_model
from torpor.errors import BudgetError, ImageError, MissingToolError, ModelError, UsageError
from torpor.image.build import Contents, contents_of, firmware, model, sign
from torpor.image.capability import Capability
from torpor.image.keys import DEVELOPMENT, Key, development_key, new_key
from torpor.image.parse import parse, verify
from torpor.image.place import SLOT_NAMES, link_address, room, slots_for
from torpor.image.version import Version

V = Version(1, 2, 3, 4)
CAN = Capability(1, 1, frozenset([0]), 1000, frozenset([2, 40]), 7)
TWO_LINKS = ("microbit", "mps2_an386", "mps3_an547", "riscv_virt")


@pytest.fixture
def board() -> Board:
    return load_board("microbit")


@pytest.fixture(scope="session")
def plan() -> bytes:
    return compile_model(small_cnn(), name="small").plan


def linked(folder: Path, board: Board, slot: int, code: bytes = b"code" * 30) -> Path:
    """Return an ELF file of `code` where code of the slot belongs."""
    return elf_file(folder / "x.elf", [(code_region(board, slot).address, code)])


def test_a_firmware_image_has_all_that_the_device_asks_for(tmp_path: Path, board: Board) -> None:
    for slot in (0, 1):
        contents = firmware(linked(tmp_path, board, slot), board, slot, CAN)
        image = parse(sign(contents, development_key(), V, counter=7))
        verify(image, development_key())
        assert (image.kind, image.board, image.version, image.counter) == (
            "firmware",
            "microbit",
            V,
            7,
        )
        assert image.header_bytes == HEADER_BYTES
        assert image.address == link_address(board, slot)
        assert image.payload == b"code" * 30
        assert image.capability == CAN
        assert slots_for(image, board) == [slot]


def test_a_model_image_is_a_plan_that_any_board_may_take(plan: bytes, board: Board) -> None:
    image = parse(sign(model(plan, None), development_key(), V))
    assert (image.kind, image.board, image.address, image.counter) == ("model", None, None, 0)
    assert (image.payload, image.header_bytes) == (plan, 32)
    assert [SLOT_NAMES[slot] for slot in slots_for(image, board)] == [
        "model 0",
        "model 1",
        "model 2",
    ]


def test_a_model_may_be_for_one_board(plan: bytes, board: Board) -> None:
    image = parse(sign(model(plan, board), development_key(), V))
    assert image.board == "microbit"
    with pytest.raises(ImageError, match="made for another board: for microbit, not mps2_an386"):
        slots_for(image, load_board("mps2_an386"))


def test_an_image_is_the_same_bytes_every_time(tmp_path: Path, board: Board) -> None:
    contents = firmware(linked(tmp_path, board, 0), board, 0, CAN)
    first = sign(contents, development_key(), V, 7)
    assert sign(contents, development_key(), V, 7) == first
    (tmp_path / "copy.pem").write_bytes(DEVELOPMENT.read_bytes())
    assert sign(contents, replace(development_key(), path=tmp_path / "copy.pem"), V, 7) == first


def test_imgtool_writes_what_the_specification_says() -> None:
    """The other writer of tests, byte by byte: nothing of imgtool's is left to chance."""
    draft = Draft(
        flags=ROM_FIXED,
        address=0x6800,
        header_bytes=0x200,
        protected=((COUNTER, bytes([9, 0, 0, 0])), (BOARD, b"microbit"), (0xBEEF, b"")),
    )
    contents = Contents(draft.payload, False, 0x200, 0x6800, ((BOARD, b"microbit"), (0xBEEF, b"")))
    assert sign(contents, development_key(), V, 9) == draft.build()
    assert sign(Contents(draft.payload, True, 32), development_key(), V) == Draft().build()


def test_imgtool_itself_finds_the_image_right(tmp_path: Path, plan: bytes) -> None:
    (tmp_path / "m.bin").write_bytes(sign(model(plan, None), development_key(), V))
    command = [sys.executable, "-m", "imgtool.main", "verify", "-k", str(DEVELOPMENT), "m.bin"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Image was correctly validated" in done.stdout


@pytest.mark.parametrize("name", TWO_LINKS)
def test_code_begins_behind_the_header_of_its_slot(tmp_path: Path, name: str) -> None:
    board = load_board(name)
    for slot in (0, 1):
        start = code_region(board, slot).address
        assert link_address(board, slot) == start - HEADER_BYTES
        elf = elf_file(tmp_path / "x.elf", [(start + 16, b"data"), (start, b"code"), (0, b"")])
        assert firmware(elf, board, slot, None).payload == b"code" + b"\xff" * 12 + b"data"


def test_an_elf_for_another_place_is_refused(tmp_path: Path, board: Board) -> None:
    for address in (0, code_region(board, 1).address, link_address(board, 0) or 0):
        elf = elf_file(tmp_path / "x.elf", [(address, b"code")])
        with pytest.raises(ImageError, match=f"begins at {address:#x}, code in slot A of microbit"):
            firmware(elf, board, 0, None)


def test_an_elf_without_bytes_is_refused(tmp_path: Path, board: Board) -> None:
    with pytest.raises(ImageError, match="begins at nowhere"):
        firmware(elf_file(tmp_path / "x.elf", []), board, 0, None)


def test_an_elf_whose_parts_overlap_is_refused(tmp_path: Path, board: Board) -> None:
    start = code_region(board, 0).address
    elf = elf_file(tmp_path / "x.elf", [(start, b"code"), (start + 2, b"more")])
    with pytest.raises(ImageError, match="two segments overlap"):
        firmware(elf, board, 0, None)


def test_code_that_is_larger_than_its_slot_is_refused(tmp_path: Path, board: Board) -> None:
    size = code_region(board, 0).size
    contents = firmware(linked(tmp_path, board, 0, bytes(size)), board, 0, CAN)
    assert len(sign(contents, development_key(), V)) <= room(board, 0)
    with pytest.raises(BudgetError, match=f"{size + 1:,} bytes of code, slot A of microbit takes"):
        firmware(linked(tmp_path, board, 0, bytes(size + 1)), board, 0, CAN)
    far = elf_file(
        tmp_path / "x.elf", [(code_region(board, 0).address, b"x"), (0x20000000, b"data")]
    )
    with pytest.raises(BudgetError, match="slot A of microbit takes"):
        firmware(far, board, 0, CAN)


def test_the_end_of_a_slot_stays_erased(plan: bytes, board: Board) -> None:
    """An image may fill its slot up to the 48 bytes of MCUboot's trailer, no further."""
    contents = model(plan, board)
    limit = board.slots.model_size - 48 if board.slots else 0
    assert contents.room == limit == room(board, 4)
    rest = limit - len(sign(replace(contents, payload=b""), development_key(), V))
    fitting = replace(contents, payload=bytes(rest))
    assert len(sign(fitting, development_key(), V)) == limit
    with pytest.raises(BudgetError, match=f"{limit + 1:,} bytes, its slot takes {limit:,}"):
        sign(replace(contents, payload=bytes(rest + 1)), development_key(), V)


def test_what_is_no_plan_is_no_model(plan: bytes) -> None:
    with pytest.raises(ModelError, match="not a plan"):
        model(b"\0" * len(plan), None)
    with pytest.raises(ModelError):
        model(plan[:-16], None)


def test_on_this_computer_the_program_itself_is_the_payload(tmp_path: Path) -> None:
    native = load_board("native")
    (tmp_path / "program").write_bytes(b"\x7fELF and so on")
    contents = firmware(tmp_path / "program", native, 0, None)
    assert (contents.payload, contents.address) == (b"\x7fELF and so on", None)
    image = parse(sign(contents, development_key(), V))
    assert slots_for(image, native) == [0, 1], "either slot"
    with pytest.raises(UsageError, match=r"cannot read .*none: No such file"):
        firmware(tmp_path / "none", native, 0, None)


def test_a_board_without_slots_has_no_images(tmp_path: Path) -> None:
    board = load_board("nrf51_large")
    with pytest.raises(UsageError, match="nrf51_large has no slots for images"):
        link_address(board, 0)


def test_an_image_in_no_slot_of_its_board_says_why(tmp_path: Path, board: Board) -> None:
    contents = firmware(linked(tmp_path, board, 0), board, 0, None)

    def signed(**changed: object) -> bytes:
        made = replace(contents, room=None, **changed)  # type: ignore[arg-type]
        return sign(made, development_key(), V)

    with pytest.raises(ImageError, match=r"for another address.*: 0x1234 is no slot of microbit"):
        slots_for(parse(signed(address=0x1234)), board)
    with pytest.raises(ImageError, match=r"no address is no slot of microbit"):
        slots_for(parse(signed(address=None)), board)
    with pytest.raises(ImageError, match=r"for another board: for no board, not microbit"):
        slots_for(parse(signed(records=())), board)
    with pytest.raises(ImageError, match=r"larger than the slot: "):
        slots_for(parse(signed(payload=bytes(0x16000))), board)


def test_an_image_is_signed_anew_with_all_that_is_in_it(tmp_path: Path, board: Board) -> None:
    old = parse(sign(firmware(linked(tmp_path, board, 1), board, 1, CAN), development_key(), V, 3))
    key = new_key(tmp_path / "my.pem")
    new = parse(sign(contents_of(old), key, Version(2, 0, 0), 4))
    verify(new, key)
    assert (str(new.version), new.counter) == ("2.0.0", 4)
    assert (new.payload, new.address, new.board, new.capability) == (
        old.payload,
        old.address,
        old.board,
        old.capability,
    )
    again = sign(contents_of(new), development_key(), V, 3)
    assert again == old.data, "and back"


def test_records_of_others_are_kept_or_the_image_is_refused() -> None:
    kept = parse(Draft(protected=((COUNTER, bytes(4)), (0xBEEF, b"theirs"))).build())
    assert parse(sign(contents_of(kept), development_key(), V)).records[1].value == b"theirs"
    lost = parse(Draft(protected=((0x40, bytes(12)),)).build())
    with pytest.raises(ImageError, match="record 0x40 would be lost"):
        contents_of(lost)


def test_a_public_key_signs_nothing(tmp_path: Path) -> None:
    public = Key(tmp_path / "public.pem", development_key().public, is_private=False)
    with pytest.raises(ImageError, match=r"public.pem is a public key"):
        sign(Contents(b"x", True, 32), public, V)


def test_a_counter_that_does_not_fit_is_refused() -> None:
    contents = Contents(b"x", True, 32)
    assert parse(sign(contents, development_key(), V, 2**32 - 1)).counter == 2**32 - 1
    with pytest.raises(UsageError, match="security counter 4294967296 is too large"):
        sign(contents, development_key(), V, 2**32)


def test_what_imgtool_refuses_is_told_in_its_words() -> None:
    double = Contents(b"x", True, 32, records=((0x30, b""),))
    with pytest.raises(ImageError, match=r"imgtool: .*conflicts with predefined TLV"):
        sign(double, development_key(), V)


def test_a_missing_imgtool_is_a_missing_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="imgtool is missing"):
        sign(Contents(b"x", True, 32), development_key(), V)
