# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Third-party C in the build: compiled for size, without our warnings (see torpor.third_party)."""

from typing import Any

from SCons.Defaults import CAction, StaticObjectEmitter
from SCons.Tool import createObjBuilders

from torpor.third_party import library


def learn_suffixes(env: Any) -> None:
    """Let `env` compile sources that are C whatever they are called (`language`)."""
    static, _ = createObjBuilders(env)
    static.add_action(".cc", CAction)
    static.add_emitter(".cc", StaticObjectEmitter)


def include(env: Any, *names: str) -> None:
    """Let what `env` compiles include the headers of some libraries."""
    for name in names:
        env.Append(CCFLAGS=library(name).flags)


def objects(env: Any, out: str, *names: str) -> list[Any]:
    """Compile libraries to `out`/<name>/; `env` has neither our warnings nor an optimisation."""
    made = []
    for name in names:
        found = library(name)
        own = env.Clone()
        own.Append(CCFLAGS=["-Os", *found.tuning, *found.own_flags])
        for source in found.sources:
            made += own.Object(f"{out}/{name}/{source.stem}.o", str(source))
    return made
