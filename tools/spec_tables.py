# SPDX-License-Identifier: Apache-2.0
"""Keeps the tables of docs/SPEC.md equal to the headers of firmware/ and to records.toml.

A table stands between `<!-- table NAME -->` and `<!-- end -->`. `python tools/spec_tables.py`
writes them anew; with --check it only says which are stale (exit 1).
"""

import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from torpor.image import layout as image
from torpor.image.reasons import REASONS
from torpor.paths import FIRMWARE, ROOT
from torpor.plan import layout
from torpor.scene import layout as scene
from torpor.update import journal
from torpor.wire import records

SPEC = ROOT / "docs" / "SPEC.md"
BLOCK = re.compile(r"(<!-- table (\S+) -->\n)(.*?)(<!-- end -->)", re.S)
KIND = re.compile(r"^\s+JOURNAL_(\w+) = (\d+),\s+/\*(.*?)\*/", re.M | re.S)
NUMBER = re.compile(r"^\s+uint(8|16|32)_t (\w+)(?:\[(\d+)\])?;[ \t]*(?:/\* (.*?) \*/)?$", re.M)
MEMBER = re.compile(r"^\s+\w+ (\w+)(?:\[\d+\])?;\s*(?:/\* (.*?) \*/)?$", re.M)


def _table(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(cells).rstrip() + " |\n" for cells in lines)


def _comments(struct: str, header: Path) -> dict[str, str]:
    """Return the trailing comment of each member of a struct of a header."""
    text = header.read_text()
    body = text[: text.index(f"}} {struct};")].rsplit("typedef struct {", 1)[1]
    return {name: comment or "" for name, comment in MEMBER.findall(body)}


def struct_table(struct: str) -> str:
    """Return the table of one struct of plan.h: offset, type, member, meaning."""
    comments = _comments(struct, layout.HEADER)
    return _struct_table(comments, layout.fields(struct), layout.sizeof(struct))


def scene_table(struct: str) -> str:
    """Return the same of a struct of scene_layout.h."""
    kind = scene.ffi.typeof(struct)
    return _struct_table(_comments(struct, scene.HEADER), kind.fields, scene.ffi.sizeof(kind))


def _struct_table(comments: dict[str, str], fields: Iterable[tuple[str, Any]], size: int) -> str:
    rows = [
        [str(field.offset), f"`{field.type.cname}`", f"`{name}`", comments.get(name, "")]
        for name, field in fields
    ]
    return _table(["offset", "type", "member", "meaning"], rows) + f"\n{size} bytes.\n"


def enum_table(prefix: str) -> str:
    """Return the table of the constants of plan.h that start with `prefix`."""
    by_family = sorted(layout.CONST.items(), key=lambda item: (item[0].split("_")[1], item[1]))
    rows = [
        [f"`{name}`", f"{value:#x}" if value > 0xFFFF else str(value)]
        for name, value in by_family
        if name.startswith(prefix) and not name.endswith("_COUNT")
    ]
    return _table(["constant", "value"], rows)


def _bound(field: list[object]) -> str:
    options = field[2] if len(field) > 2 else {}
    assert isinstance(options, dict)
    return f" (<= {options['max']})" if "max" in options else ""


def record_table() -> str:
    """Return the table of all records on the wire."""
    schema = tomllib.loads((FIRMWARE / "wire" / "records.toml").read_text())
    rows = [
        [
            str(record["id"]),
            f"`{name}`",
            ", ".join(f"{f[0]} {f[1]}{_bound(f)}" for f in record["fields"]),
            record["doc"],
        ]
        for name, record in schema["record"].items()
    ]
    hash_line = f"\nSchema hash: `{records.SCHEMA_HASH:#010x}`.\n"
    return _table(["id", "record", "fields in order", "meaning"], rows) + hash_line


def status_table() -> str:
    """Return the table of the status codes on the wire."""
    schema = tomllib.loads((FIRMWARE / "wire" / "records.toml").read_text())
    return _table(["status", "value"], [[f"`{k}`", str(v)] for k, v in schema["status"].items()])


def reason_table() -> str:
    """Return the table of the reasons of reason.h."""
    rows = [[str(r.number), f"`{r.name}`", r.sentence] for r in REASONS.values()]
    return _table(["reason", "name", "meaning"], rows)


def journal_record_table() -> str:
    """Return the table of a record of the journal: offset, type, member."""
    rows = [
        [str(field.offset), f"`{field.type.cname}`", f"`{name}`"]
        for name, field in journal.ffi.typeof("journal_record_t").fields
    ]
    return _table(["offset", "type", "member"], rows) + f"\n{journal.RECORD_BYTES} bytes.\n"


def journal_kind_table() -> str:
    """Return the table of the kinds of records, with the comments of journal.h."""
    text = (FIRMWARE / "update" / "journal.h").read_text()
    rows = [
        [number, f"`{name}`", " ".join(comment.split())]
        for name, number, comment in KIND.findall(text)
    ]
    return _table(["kind", "name", "meaning"], rows)


def capability_table() -> str:
    """Return the table of what a firmware says that it can run: offset, type, member, meaning."""
    text = image.HEADER.read_text()
    body = text[: text.index("} image_capability_t;")].rsplit("typedef struct {", 1)[1]
    rows, offset = [], 0
    for bits, name, length, comment in NUMBER.findall(body):
        kind = f"`uint{bits}_t{f'[{length}]' if length else ''}`"
        rows.append([str(offset), kind, f"`{name}`", comment])
        offset += int(bits) // 8 * int(length or 1)
    assert offset == image.CAPABILITY.size
    return _table(["offset", "type", "member", "meaning"], rows) + f"\n{offset} bytes.\n"


def make(name: str) -> str:
    """Return the text of table `name`: one of `special`, "NAME_t" or a constant's prefix."""
    special: dict[str, Callable[[], str]] = {
        "records": record_table,
        "status": status_table,
        "reasons": reason_table,
        "journal_record": journal_record_table,
        "journal_kinds": journal_kind_table,
        "image_capability": capability_table,
    }
    if name in special:
        return special[name]()
    if name.startswith("scene_"):
        return scene_table(name)
    return struct_table(name) if name.endswith("_t") else enum_table(name)


def renew(text: str) -> tuple[str, list[str]]:
    """Return the text with all tables made anew, and the names of those that changed."""
    stale = []

    def replace(match: re.Match[str]) -> str:
        fresh = make(match[2])
        if fresh != match[3]:
            stale.append(match[2])
        return match[1] + fresh + match[4]

    return BLOCK.sub(replace, text), stale


def main() -> int:
    """Write the tables, or with --check report the stale ones."""
    fresh, stale = renew(SPEC.read_text())
    if sys.argv[1:] == ["--check"]:
        for name in stale:
            print(f"docs/SPEC.md: table {name} is stale: run tools/spec_tables.py")
        return min(len(stale), 1)
    SPEC.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
