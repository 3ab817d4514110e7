# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Updates a device over SMP: its slots, its history, new firmware and models.

`device` talks to it, `flow` knows what to do in which order; both import smpclient, which takes a
third of a second, so commands import them when they run.
"""
