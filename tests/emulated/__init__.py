# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Tests that run firmware in an emulator, and of the emulators themselves."""
