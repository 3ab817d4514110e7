# SPDX-License-Identifier: Apache-2.0
"""Where things lie. torpor runs from its repository (an editable install)."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ROOT / "boards"
BUILD = ROOT / "build"
FIRMWARE = ROOT / "firmware"
MODELS = ROOT / "models"
