# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Scenes: what a replayed sensor measures, made of clips, a schedule and noise."""

from torpor.scene.scene import Event, Scene, noise, pack, parse, read, render, write

__all__ = ["Event", "Scene", "noise", "pack", "parse", "read", "render", "write"]
