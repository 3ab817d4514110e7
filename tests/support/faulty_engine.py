# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""An engine that fails where a test wants it to: what a library is built with, and its switches."""

from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
WRAPPED = ("infer_init", "infer_invoke", "infer_message")
DECLARED = """
    extern uint32_t faulty_init;
    extern uint32_t faulty_invoke;
    extern uint32_t faulty_arena;
    extern bool faulty_crashes;
    extern const char *faulty_says;
    extern uint32_t faulty_invocations;
    void faulty_reset(void);
"""
ARENA, KERNEL, ENGINE = 6, 7, 19
"""Of infer_status_t."""
