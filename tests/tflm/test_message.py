# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What TensorFlow Lite Micro says becomes one short line."""

from dataclasses import dataclass
from typing import Any

import cffi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shared import build_shared
from torpor.paths import FIRMWARE, ROOT

ROOM = 95
INT, UNSIGNED = st.integers(-(1 << 31), (1 << 31) - 1), st.integers(0, (1 << 32) - 1)
LONG, SIZE = st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, (1 << 64) - 1)
TEXT = st.binary(max_size=40).map(lambda text: text.replace(b"\0", b"."))


@dataclass
class Messages:
    """The C of message.h, opened."""

    ffi: cffi.FFI
    c: Any

    def after(self, *lines: tuple[bytes, tuple[Any, ...]]) -> str:
        """Return the message after some lines, each ended as TensorFlow Lite Micro ends it."""
        self.c.tflm_message_clear()
        for text, arguments in lines:
            self.c.say(text, *arguments)
            self.c.say(b"\r\n")
        return bytes(self.ffi.string(self.c.infer_message())).decode("ascii")

    def printed(self, text: bytes, *arguments: Any, room: int = 256) -> tuple[int, bytes]:
        """Return what DebugVsnprintf() returns, and what it writes with the NUL."""
        buffer = self.ffi.new("char[]", b"\xff" * (room + 8))
        length = self.c.print(buffer, room, text, *arguments)
        written = bytes(self.ffi.buffer(buffer, room + 8))
        assert written[room:] == b"\xff" * 8, "it has written beside the buffer"
        return length, written[:room].split(b"\0")[0] if room else b""

    def number(self, kind: str, value: int) -> Any:
        """Return an argument of a C type."""
        return self.ffi.cast(kind, value)


@pytest.fixture(scope="session")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Messages:
    sources = [FIRMWARE / "infer/tflm/message.c", ROOT / "tests/tflm/message_shim.c"]
    library = build_shared(tmp_path_factory.mktemp("message"), sources, libraries=())
    ffi = cffi.FFI()
    ffi.cdef(
        "void say(const char *format, ...);"
        "int print(char *buffer, size_t bytes, const char *format, ...);"
        "void tflm_message_clear(void); const char *infer_message(void);"
    )
    return Messages(ffi, ffi.dlopen(str(library)))


def test_there_is_no_message_before_anything_is_said(messages: Messages) -> None:
    assert messages.after() == ""


def test_a_line_is_kept_without_its_end(messages: Messages) -> None:
    found = messages.after(
        (b"Failed to allocate tail memory. Requested: %u", (messages.number("unsigned", 96),))
    )
    assert found == "Failed to allocate tail memory. Requested: 96"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([b"first", b"second"], "first; second"),
        ([b"first\n", b"\n", b"second\n\n"], "first; second"),
        ([b"of two\nlines", b"third"], "of two; lines; third"),
        ([b"", b"\r\n", b"only"], "only"),
        ([b"tab\there", b"caf\xc3\xa9", b"\x1b[0m", b"\x7f"], "tab?here; caf??; ?[0m; ?"),
    ],
)
def test_lines_are_joined_and_odd_characters_replaced(
    messages: Messages, lines: list[bytes], message: str
) -> None:
    assert messages.after(*((line, ()) for line in lines)) == message


def test_the_first_line_stays_when_there_is_no_room(messages: Messages) -> None:
    assert messages.after((b"why", ()), (b"x" * 200, ()), (b"later", ())) == "why; " + "x" * 90


def test_clearing_forgets_an_end_of_line_too(messages: Messages) -> None:
    messages.after((b"before", ()))
    assert messages.after((b"after", ())) == "after"


@given(lines=st.lists(TEXT, max_size=5))
def test_a_message_is_always_printable_and_fits(messages: Messages, lines: list[bytes]) -> None:
    strings = [messages.ffi.new("char[]", line) for line in lines]
    found = messages.after(*((b"%s", (string,)) for string in strings))
    assert len(found) <= ROOM
    assert all(" " <= c <= "~" for c in found)
    parts = [part for line in lines for part in line.replace(b"\r", b"\n").split(b"\n")]
    expected = b"; ".join(part for part in parts if part)
    assert found == "".join(chr(c) if 32 <= c < 127 else "?" for c in expected)[:ROOM]


@given(numbers=st.tuples(INT, UNSIGNED, LONG, SIZE))
def test_numbers_are_printed_as_printf_does(
    messages: Messages, numbers: tuple[int, int, int, int]
) -> None:
    d, u, ld, zu = numbers
    kinds = ("int", "unsigned", "long", "size_t", "unsigned", "long long", "int")
    values = (d, u, ld, zu, u, ld, d)
    arguments = [messages.number(k, v) for k, v in zip(kinds, values, strict=True)]
    expected = f"{d} {u} {ld} {zu} {u:x} {ld} {d}".encode()
    found = messages.printed(b"%d %u %ld %zu %x %lld %i", *arguments)
    assert found == (len(expected), expected)


def test_widths_do_not_matter(messages: Messages) -> None:
    n = messages.number
    arguments = (n("int", 7), n("unsigned", 8), n("int", 9), n("int", 10), n("int", 11))
    assert messages.printed(b"%4d %08x %-3d %+d %hd", *arguments)[1] == b"7 8 9 10 11"


def test_letters_pointers_and_percent_signs_are_printed(messages: Messages) -> None:
    n, pointer = messages.number, messages.ffi.cast("void *", 0xBEEF)
    assert messages.printed(b"%c%%%p", n("int", ord("A")), pointer)[1] == b"A%beef"


def test_a_number_with_a_point_is_a_question_mark_and_the_next_argument_is_right(
    messages: Messages,
) -> None:
    n = messages.number
    text = b"%f %.3g %e %d"
    found = messages.printed(text, n("double", 1), n("double", 2), n("double", 3), n("int", 4))
    assert found[1] == b"? ? ? 4"


@pytest.mark.parametrize("text", [b"%d of %n what %s", b"%d of %*d", b"%d of %", b"%d of %l"])
def test_nothing_is_taken_behind_what_is_not_known(messages: Messages, text: bytes) -> None:
    assert messages.printed(text, messages.number("int", 3))[1] == b"3 of ?"


def test_a_string_that_is_missing_is_a_question_mark(messages: Messages) -> None:
    assert messages.printed(b"<%s>", messages.ffi.NULL)[1] == b"<?>"


@given(text=st.binary(max_size=30), room=st.integers(0, 40))
def test_a_text_that_does_not_fit_is_cut_off_and_its_length_is_told(
    messages: Messages, text: bytes, room: int
) -> None:
    text = text.replace(b"\0", b".")
    string = messages.ffi.new("char[]", text)
    assert messages.printed(b"%s", string, room=room) == (len(text), text[: max(0, room - 1)])
