# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Scenes: what a replayed sensor measures, made of clips, a schedule and noise."""
