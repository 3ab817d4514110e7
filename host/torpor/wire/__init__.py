# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What travels between host and device: lines, frames and records. Pure functions, no ports."""
