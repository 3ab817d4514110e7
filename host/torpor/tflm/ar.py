# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Static libraries: the members of an `ar` archive, with names as GNU and BSD write them."""

from collections.abc import Iterator
from typing import NamedTuple

from torpor.errors import ImageError

_MAGIC, _THIN = b"!<arch>\n", b"!<thin>\n"
_HEADER = 60
_NAME, _SIZE, _END = slice(0, 16), slice(48, 58), slice(58, 60)


class Member(NamedTuple):
    """One file of an archive."""

    name: str
    data: bytes


def members(data: bytes) -> Iterator[Member]:
    """Yield the files in an archive, without its symbol index and its table of names.

    Raises:
        ImageError: it is no archive, or a damaged one; without the file's name.
    """
    if data.startswith(_THIN):
        raise ImageError("a thin archive, which has no files in it", "make it without ar's T")
    if not data.startswith(_MAGIC):
        raise ImageError("not an ar archive")
    at, names = len(_MAGIC), b""
    while at < len(data):
        head = data[at : at + _HEADER]
        start, at = at + _HEADER, at + _HEADER + _size(head, at)
        body = data[start:at]
        if at > len(data):
            raise ImageError(f"cut off: the file at {start} ends at {at} of {len(data)} bytes")
        at += at & 1  # members begin at even offsets
        name = head[_NAME].rstrip(b" ")
        if name == b"//":
            names = body
        elif name not in (b"/", b"/SYM64/"):
            yield _named(name, names, body)


def _size(head: bytes, at: int) -> int:
    digits = head[_SIZE].rstrip(b" ")
    if head[_END] != b"`\n" or not digits.isdigit():
        raise ImageError(f"damaged: no header of a file at {at}")
    return int(digits)


def _named(name: bytes, names: bytes, body: bytes) -> Member:
    """Return the member; its name may be in the table of names, or before its data."""
    if name.startswith(b"/") and name[1:].isdigit():
        start = int(name[1:])
        name = names[start:].partition(b"/\n")[0]
        if not name:
            raise ImageError(f"damaged: no name at {start} in its table of names")
    elif name.startswith(b"#1/") and name[3:].isdigit():
        length = int(name[3:])
        if length > len(body):
            raise ImageError(f"damaged: a name of {length} bytes in a file of {len(body)}")
        name, body = body[:length].rstrip(b"\0"), body[length:]
    return Member(name.rstrip(b"/").decode(errors="replace"), body)
