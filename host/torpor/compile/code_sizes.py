# SPDX-License-Identifier: Apache-2.0
"""The recorded code sizes of the kernels, by core, and estimates from them.

code_sizes.toml has one table a core: `engine` is the firmware without kernels and plan, the
others are operator names of the plan with what linking that kernel adds:

    [cortex-m4]
    engine = 1234
    CONV_2D_S8 = 567

"""

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("code_sizes.toml")


@cache
def load(path: Path = TABLE) -> dict[str, dict[str, int]]:
    """Return core -> operator name (or "engine") -> bytes; {} where nothing is recorded."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return tomllib.load(file)


def estimate(sizes: dict[str, int], kernels: Iterable[str]) -> int | None:
    """Return the bytes of the firmware with `kernels`, None if one of them is not recorded."""
    wanted = ["engine", *kernels]
    if any(name not in sizes for name in wanted):
        return None
    return sum(sizes[name] for name in wanted)


def estimates(kernels: Iterable[str], path: Path = TABLE) -> dict[str, int | None]:
    """Return core -> estimated code bytes for `kernels`, for every recorded core."""
    names = sorted(set(kernels))
    return {core: estimate(sizes, names) for core, sizes in sorted(load(path).items())}
