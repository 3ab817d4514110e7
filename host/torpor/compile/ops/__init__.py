# SPDX-License-Identifier: Apache-2.0
"""One file per operator. Every module here is imported, and registers itself."""

import importlib
import pkgutil


def load_all() -> None:
    """Import every operator's file."""
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")
