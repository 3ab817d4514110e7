# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Follows devices: what they send, what it means, what is wrong."""
