# SPDX-License-Identifier: Apache-2.0
"""Writes resolver.cc, which firmware/infer/tflm/resolver.h describes: a firmware's operators."""

from collections.abc import Iterable

from torpor.errors import unknown_name
from torpor.plan.layout import ffi
from torpor.plan.tflm import REGISTRATIONS, Registration, with_special

WORDS = len(ffi.new("plan_header_t *").kernels)
"""Words of a set of registrations, in header.kernels and in tflm_registrations."""

_TEXT = """/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The operators of this firmware, written by torpor. Do not edit. */
#include "infer/tflm/resolver.h"

#include <new>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

{headers}const uint32_t tflm_registrations[{words}] = {{{bits}}};

namespace {{

using Resolver = tflite::MicroMutableOpResolver<{count}>;

alignas(Resolver) unsigned char memory[sizeof(Resolver)];
const Resolver *built;

}} // namespace

const tflite::MicroOpResolver &tflm_resolver()
{{
    if (built == nullptr) {{
        Resolver *resolver = new (memory) Resolver();
{calls}        built = resolver;
    }}
    return *built;
}}
"""


def registered(names: Iterable[str]) -> list[Registration]:
    """Return one registration an operator that fits all of `names`, by number.

    Where plans need different ones for few types, or the one for all, that is the one for all.

    Raises:
        UsageError: an unknown name.
    """
    by_operator: dict[str, set[str]] = {}
    for name in names:
        if name not in REGISTRATIONS:
            raise unknown_name("registration", name, REGISTRATIONS)
        by_operator.setdefault(REGISTRATIONS[name].operator, set()).add(name)
    chosen = [
        REGISTRATIONS[next(iter(wanted)) if len(wanted) == 1 else operator]
        for operator, wanted in by_operator.items()
    ]
    return sorted(chosen, key=lambda entry: entry.number)


def words_of(names: Iterable[str]) -> list[int]:
    """Return the set of the registrations `names`: bit (number % 32) of word (number / 32)."""
    words = [0] * WORDS
    for name in names:
        number = REGISTRATIONS[name].number
        words[number // 32] |= 1 << number % 32
    return words


def resolver_source(names: Iterable[str]) -> str:
    """Return the text of resolver.cc for a firmware that has to run what needs `names`."""
    chosen = registered(names)
    headers = {entry.header for entry in chosen if entry.header}
    have = with_special(entry.name for entry in chosen)
    return _TEXT.format(
        words=WORDS,
        bits=", ".join(f"0x{word:08x}u" for word in words_of(have)),
        count=max(1, len(chosen)),
        headers="".join(f'#include "{name}"\n' for name in sorted(headers)) + "\n" * bool(headers),
        calls="".join(f"        {_call(entry)}\n" for entry in chosen),
    )


def _call(entry: Registration) -> str:
    kernel = f"tflite::{entry.register}()" if entry.register else ""
    return f"(void)resolver->{entry.add}({kernel});"
