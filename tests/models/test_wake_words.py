# SPDX-License-Identifier: Apache-2.0
"""The four streaming wake-word models of pymicro-wakeword, unmodified, over whole utterances.

They keep what they have heard in variables, so each inference depends on all before it.
"""

from pathlib import Path

import numpy as np
import pytest

from tests.models.speech import UTTERANCES, features, windows
from torpor.compile import compile_model
from torpor.engine import Engine
from torpor.golden import Golden
from torpor.model.package_data import Member, Wheel, data_files

WHEEL = Wheel(
    name="pymicro-wakeword",
    version="2.5.0",
    file="pymicro_wakeword-2.5.0-py3-none-manylinux_2_35_x86_64.whl",
    sha256="3869f536402b1254e3be3549d3a462ecd6ed21ce2c3e77ec8eb501c3c700417c",
)
MODELS = {
    "alexa": "9011a8155b04de858c48038529235cbc0e42e9fca05a55bf588cb80a653a723b",
    "hey_jarvis": "21a7976add39ee24ec96c63d96b7aaa18e24d1d9824b963e451da8feb4b78b77",
    "hey_mycroft": "c2a9b6ed51182db72e014781d5a4ece1929dc232a40b5b4be384f0295f0e1571",
    "okay_nabu": "d89128c4d16a72de429119fb2254ce46649553c2a24f5dd840175c80d7b9d094",
}
WORDS = {name: name.replace("_", " ") for name in MODELS} | {"okay_nabu": "okay nah boo"}
CERTAIN = 200
"""Of 256; a model that heard its words says at least this in one of the voices."""


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """Return (name, the .tflite file)."""
    name = request.param
    (path,) = data_files(WHEEL, [Member(f"pymicro_wakeword/models/{name}.tflite", MODELS[name])])
    return name, path.read_bytes()


def test_every_byte_of_whole_utterances_is_that_of_tflm(
    model: tuple[str, bytes], tmp_path: Path
) -> None:
    name, tflite = model
    engine, golden = Engine(compile_model(tflite, name=name).plan, sanitize=True), Golden(tflite)
    loudest = {}
    for kind, make in UTTERANCES.items():
        heard = windows(features(make(WORDS[name], tmp_path)), golden.inputs[0])
        expected = np.concatenate([golden.invoke([x])[0] for x in heard])
        found = np.concatenate([engine.invoke([x])[0] for x in heard])
        np.testing.assert_array_equal(found, expected, err_msg=kind)
        loudest[kind] = int(found.max())
        engine.reset()
        golden.reset()
    assert max(loudest.values()) >= CERTAIN, loudest
    assert loudest["silence"] < 128


def test_what_was_heard_before_counts_until_a_reset(
    model: tuple[str, bytes], tmp_path: Path
) -> None:
    name, tflite = model
    engine = Engine(compile_model(tflite).plan)
    heard = windows(features(UTTERANCES["higher"](WORDS[name], tmp_path)), engine.inputs[0])

    def answers(first: int = 0) -> list[int]:
        engine.reset()
        return [int(engine.invoke([x])[0].item()) for x in heard[first:]]

    whole = answers()
    assert answers() == whole
    loudest = int(np.argmax(whole))
    assert answers(loudest)[0] != whole[loudest]


def test_variables_are_states_without_copies(model: tuple[str, bytes]) -> None:
    _, tflite = model
    report = compile_model(tflite).report
    kernels = [op.kernel for op in report.ops]
    assert kernels.count("ASSIGN") == 6 and "COPY" not in kernels
    states = [r for r in report.arena.regions if (r.first, r.last) == (0, len(kernels) + 1)]
    assert len(states) == 6 and all(r.tensor.endswith("states") for r in states)
