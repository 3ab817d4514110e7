# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Renode's own keywords, with the arguments that the suites use, for runs without Renode."""

from typing import Any


def setup() -> None:
    """Connect to Renode."""


def teardown() -> None:
    """Let go of it."""


def test_teardown() -> None:
    """Keep the log of a failed test."""


def reset_emulation() -> None:
    """Remove all machines."""


def execute_command(command: str) -> str:
    """Give a command to the monitor."""
    return command


def create_terminal_tester(
    uart: str, timeout: float | None = None, defaultPauseEmulation: bool = False
) -> int:
    """Listen to a UART."""
    return 0


def wait_for_line_on_uart(content: str, timeout: float | None = None) -> Any:
    """Let virtual time pass until a line comes."""


def create_log_tester(timeout: float, defaultPauseEmulation: bool = False) -> None:
    """Listen to the log."""


def wait_for_log_entry(pattern: str, timeout: float | None = None) -> str:
    """Let virtual time pass until something is logged."""
    return pattern
