# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""From time per state to charge and days of battery, always estimated. Pure."""
