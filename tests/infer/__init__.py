# SPDX-License-Identifier: Apache-2.0
"""Tests of firmware/infer and of its binding, torpor.engine."""
