# SPDX-License-Identifier: Apache-2.0
"""The generators. Every module here is imported, and registers its own."""

import importlib
import pkgutil

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
