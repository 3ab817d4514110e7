# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Sweeps of duty cycles in the emulator: battery life against latency."""
