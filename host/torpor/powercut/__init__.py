# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The device's own update code on a simulated flash whose power can be cut at any operation."""
