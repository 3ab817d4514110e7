# SPDX-License-Identifier: Apache-2.0
"""The command line: one module a command, discovered.

A command module has a docstring (its first line is the help text), `add_arguments(parser)` and
`run(args) -> int`. stdout carries data, stderr carries talk.
"""
