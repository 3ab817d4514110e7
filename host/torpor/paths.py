# SPDX-License-Identifier: Apache-2.0
"""Where things lie. torpor runs from its repository (an editable install)."""

import hashlib
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ROOT / "boards"
BUILD = Path(os.environ.get("TORPOR_BUILD", ROOT / "build"))
"""What is generated. SConstruct sets the variable: a build elsewhere writes there."""
FIRMWARE = ROOT / "firmware"
MODELS = ROOT / "models"
APPS = FIRMWARE / "app"

_STEM = 40


TORPOR, TFLM = "torpor", "tflm"
ENGINES = (TORPOR, TFLM)
"""What runs a model: our own engine, and TensorFlow Lite Micro."""


def kind_of(app: str, *, always: bool = False, engine: str = TORPOR) -> str:
    """Return what distinguishes a firmware: "" for the one that serves, with our own engine."""
    parts = [*([app] if app != "serve" else []), *(["always"] if always else [])]
    return "-".join([*parts, *([engine] if engine != TORPOR else [])])


def variant(model: str | Path, bits: int = 8, kind: str = "") -> str:
    """Return the name of the folder in build/<board>/ that a firmware lies in.

    Args:
        model: name of a folder in models/, or the path of a quantized .tflite. A file's folder ends
            in "-file" and has a short hash where the file's name is too odd for compilers and
            shells: "motion-int8-file", "my_net-6b3a1f08-file".
        bits: of the weights, 8 or 4; a .tflite has them already.
        kind: see `kind_of`.
    """
    name = _variant(model, bits)
    return f"{name}-{kind}" if kind else name


def _variant(model: str | Path, bits: int) -> str:
    if isinstance(model, str):
        return f"{model}-int{bits}"
    name = model.resolve().stem
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("-.")[:_STEM]
    if stem != name:
        stem += "-" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    return f"{stem}-file"


def model_names(models: Path = MODELS) -> list[str]:
    """Return the names of all models: the folders of models/ that hold a model.toml, sorted."""
    return sorted(path.parent.name for path in models.glob("*/model.toml"))


def app_names(apps: Path = APPS) -> list[str]:
    """Return what a firmware can do: the folders of firmware/app that hold an app.toml, sorted."""
    return sorted(path.parent.name for path in apps.glob("*/app.toml"))
