# SPDX-License-Identifier: Apache-2.0
"""A firmware that differs in one operator: bisect names it from what the device answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflite_micro.python.tflite_micro import runtime

from tests.verify.test_bisect import every_kind
from torpor.cli.main import dispatch
from torpor.emulate import Firmware, firmware
from torpor.graph import read_tflite
from torpor.verify.cut import packed

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("native")]
WRONG = 3
"""The operator whose first weights are others in the firmware."""


def spoiled(tflite: bytes, name: str) -> bytes:
    """Return a model with other bytes in the constant `name`, if it has it."""
    model = runtime.convert_bytearray_to_object(tflite)
    for tensor in model.subgraphs[0].tensors:
        if tensor.name.decode() == name:
            data = np.array(model.buffers[tensor.buffer].data, np.uint8)
            data[:4] ^= 0x33
            model.buffers[tensor.buffer].data = list(data)
    return packed(model)


def test_the_operator_that_a_firmware_has_wrong_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = read_tflite(every_kind())
    op = graph.ops[WRONG]
    weights = graph.tensors[op.inputs[1]].name
    right = firmware.build

    def build(board: str, model: Path, **options: Any) -> Firmware:
        other = tmp_path / "other.tflite"
        other.write_bytes(spoiled(model.read_bytes(), weights))
        return right(board, other, **options)

    monkeypatch.setattr(firmware, "build", build)
    path = tmp_path / "every.tflite"
    path.write_bytes(every_kind())
    arguments = ["--board", "native", "--inputs", "4", "--out", str(tmp_path / "out"), "--json"]
    assert dispatch(["bisect", str(path), *arguments]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["operators"] == [{"index": WRONG, "name": op.name}]
    assert found["tensor"] == op.outputs[0]
    assert found["smallest"]["operators"] == [WRONG]
    assert found["command"].endswith("--board native")
