# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Says why an engine cannot run a model, before anything is built: the build only says that."""

from torpor.compile import compile_model
from torpor.paths import TFLM
from torpor.tflm.container import contain_model


def refuse_unsupported(tflite: bytes, name: str, engine: str) -> None:
    """Return if an engine can run a model.

    Args:
        tflite: the quantized model.
        name: what it is called.
        engine: of ENGINES.

    Raises:
        UnsupportedError: it cannot; with the reason.
        ModelError: the file is broken.
    """
    if engine == TFLM:
        contain_model(tflite, name=name)
    else:
        compile_model(tflite, name=name)
