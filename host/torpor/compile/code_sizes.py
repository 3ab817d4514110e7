# SPDX-License-Identifier: Apache-2.0
"""The recorded code sizes of the kernels, by core, and estimates from them.

code_sizes.toml has one table a core: `base` is the firmware without kernels and plan. The others
are names of kernels and the bytes that the linker adds, once, if any one of them is used:

    [cortex-m4]
    base = 1234
    CONV_2D_S8 = 567
    "CONV_2D_S4 CONV_2D_S8" = 89

"""

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("code_sizes.toml")


@cache
def load(path: Path = TABLE) -> dict[str, dict[str, int]]:
    """Return core -> "base" or names of kernels -> bytes; {} where nothing is recorded."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return tomllib.load(file)


def estimate(sizes: dict[str, int], kernels: Iterable[str]) -> int | None:
    """Return the bytes of the firmware with `kernels`, None if one of them is not recorded."""
    used = set(kernels)
    groups = {names: set(names.split()) for names in sizes}
    if not used | {"base"} <= set().union(*groups.values()):
        return None
    return sizes["base"] + sum(sizes[names] for names, group in groups.items() if group & used)


def estimates(kernels: Iterable[str], path: Path = TABLE) -> dict[str, int | None]:
    """Return core -> estimated code bytes for `kernels`, for every recorded core."""
    names = sorted(set(kernels))
    return {core: estimate(sizes, names) for core, sizes in sorted(load(path).items())}
