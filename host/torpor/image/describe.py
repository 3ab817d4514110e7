# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What is said of an image: for programs as an object, for people as lines."""

from typing import Any

from torpor.board import board_names, load_board
from torpor.errors import TorporError
from torpor.image.capability import (
    Capability,
    kernel_names,
    plan_header,
    plan_kernels,
    plan_name,
    target_name,
)
from torpor.image.keys import development_key
from torpor.image.parse import Image, verify
from torpor.image.place import SLOT_NAMES, slots_for


def describe(image: Image) -> dict[str, Any]:
    """Return what an image says, as JSON has it; hashes in hexadecimal, sizes in bytes."""
    return {
        "kind": image.kind,
        "version": str(image.version),
        "counter": image.counter,
        "bytes": len(image.data),
        "header_bytes": image.header_bytes,
        "payload_bytes": len(image.payload),
        "address": image.address,
        "board": image.board,
        "slots": _slots(image),
        "id": image.id.hex(),
        "hash": image.hash.hex(),
        "key": {
            "hash": image.key_hash.hex(),
            "development": image.key_hash == development_key().hash,
        },
        "signature": _signature(image),
        "records": [
            {
                "type": record.type,
                "name": record.name,
                "bytes": len(record.value),
                "protected": record.is_protected,
            }
            for record in image.records
        ],
        "name": (plan_name(image.payload) if image.is_model else "") or None,
        "can_run": can_run(image.capability),
        "needs": needs(plan_header(image.payload) if image.is_model else None),
    }


def lines(said: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what `describe()` says as pairs of a title and a text, for people."""
    found = [
        ("image", f"{_title(said)}, security counter {said['counter']}"),
        ("for", _for(said)),
        ("bytes", f"{said['bytes']:,}: header {said['header_bytes']}, {_parts(said)}"),
        ("hash", said["hash"]),
        ("key", "development" if said["key"]["development"] else said["key"]["hash"]),
        ("signature", _SIGNATURE[said["signature"]]),
    ]
    if can := said["can_run"]:
        formats = " to ".join(dict.fromkeys(map(str, can["plan_versions"])))
        text = f"plan format {formats}, {', '.join(can['targets'])}, arena {can['arena_bytes']:,}"
        found += [("can run", f"{text}; {can['plan_bytes']:,} bytes of plan built in")]
    if want := said["needs"]:
        text = f"plan format {want['plan_version']}, {want['target']}"
        found += [("needs", f"{text}, arena {want['arena_bytes']:,}")]
    if either := can or want:
        found += [("kernels", ", ".join(either["kernels"]) or "none")]
    return found


_SIGNATURE = {
    "right": "right",
    "wrong": "WRONG: no device takes it",
    "unchecked": "not checked: torpor image verify FILE --key KEY",
}


def _slots(image: Image) -> list[str]:
    """Return the names of the slots of its board that it can lie in."""
    if image.board not in board_names():
        return []
    try:
        return [SLOT_NAMES[slot] for slot in slots_for(image, load_board(image.board))]
    except TorporError:
        return []


def _signature(image: Image) -> str:
    if image.key_hash != development_key().hash:
        return "unchecked"
    try:
        verify(image, development_key())
    except TorporError:
        return "wrong"
    return "right"


def can_run(found: Capability | None) -> dict[str, Any] | None:
    """Return what a firmware can run, as JSON has it."""
    if found is None:
        return None
    return {
        "plan_versions": [found.plan_version_min, found.plan_version_max],
        "targets": [target_name(number) for number in sorted(found.targets)],
        "arena_bytes": found.arena_bytes,
        "kernels": found.kernel_names,
        "plan_bytes": found.plan_bytes,
    }


def needs(header: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what a model needs, as JSON has it; `header` is its plan's."""
    return header and {
        "plan_version": header["version"],
        "target": target_name(header["target"]),
        "arena_bytes": header["arena_bytes"],
        "kernels": kernel_names(plan_kernels(header), header["target"]),
    }


def _title(said: dict[str, Any]) -> str:
    return " ".join(word for word in (said["kind"], said["name"], said["version"]) if word)


def _for(said: dict[str, Any]) -> str:
    if said["board"] is None:
        return "any board whose firmware can run it" if said["kind"] == "model" else "no board"
    address = "" if said["address"] is None else f", linked for {said['address']:#x}"
    slots = f", slot {' or '.join(said['slots'])}" if said["slots"] else ", no slot that is known"
    return f"{said['board']}{address}{slots}"


def _parts(said: dict[str, Any]) -> str:
    names = [
        f"record {record['type']:#x}" if record["name"] == "unknown" else record["name"]
        for record in said["records"]
    ]
    sizes = [record["bytes"] for record in said["records"]]
    records = ", ".join(f"{name} {size}" for name, size in zip(names, sizes, strict=True))
    return f"payload {said['payload_bytes']:,}, {records}"
