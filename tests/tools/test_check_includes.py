# SPDX-License-Identifier: Apache-2.0
"""The include checker finds what it is there for."""

import pytest

from tools.check_includes import ALLOWED, check_text


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("infer", '#include "hal/uart.h"\n'),
        ("core", '#include "wire/framing.h"\n'),
        ("hal", '#include "core/event.h"\n'),
        ("update", '#include "hal/uart.h"\n'),
        ("boot", '#include "monocypher.h"\n'),
        ("port", '#include "app/session.h"\n'),
        ("infer", "#include <stdio.h>\n"),
        ("app", "  *(volatile uint32_t *)0x40004000 = 1;\n"),
    ],
)
def test_a_forbidden_line_is_reported_with_the_file(folder: str, text: str) -> None:
    problems = check_text(folder, "firmware/x.c", text)
    assert len(problems) == 1
    assert problems[0].startswith("firmware/x.c: ")


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("infer", '#include "infer/plan.h"\n#include <string.h>\n'),
        ("update", '#include "hal/flash.h"\n'),
        ("update", '#include "bearssl_hash.h"\n#include "monocypher.h"\n'),
        ("app", '#include "infer/infer.h"\n#include "hal/uart.h"\n'),
        ("port", "#define UART ((volatile uint32_t *)0x40004000)\n#include <stdio.h>\n"),
    ],
)
def test_an_allowed_line_is_not_reported(folder: str, text: str) -> None:
    assert check_text(folder, "firmware/x.c", text) == []


def test_nothing_below_infer_core_and_hal_is_allowed() -> None:
    assert ALLOWED["infer"] == ALLOWED["core"] == ALLOWED["hal"] == set()


@pytest.mark.parametrize(
    ("name", "text", "problems"),
    [
        ("firmware/infer/tflm/x.cc", '#include "tensorflow/lite/x.h"\n#include <new>\n', 0),
        ("firmware/infer/tflm/x.cc", "#include <vector>\n", 1),
        ("firmware/infer/tflm/x.c", '#include "tensorflow/lite/x.h"\n', 1),
        ("firmware/infer/tflm/x.h", "#include <new>\n", 1),
        ("firmware/infer/x.cc", "", 1),
    ],
)
def test_cplusplus_and_tensorflow_are_for_one_folder(name: str, text: str, problems: int) -> None:
    assert len(check_text("infer", name, text)) == problems
