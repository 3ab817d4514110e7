# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Write down what a model was trained on: devices measure drift by it.

The build puts models/NAME/reference.json into the plan of a device that wakes by itself. Made anew
from the training windows whenever the model is trained anew.
"""

import argparse
import sys
from pathlib import Path

from torpor.errors import TorporError, UsageError
from torpor.graph import read_tflite
from torpor.model import Model, find_model, to_codes
from torpor.quantize import quantize
from torpor.stats.reference import Trained, make_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `torpor reference`."""
    parser.add_argument("model", metavar="MODEL", help="name or folder of a model")
    parser.add_argument("-o", dest="out", metavar="FILE", type=Path, help="default: print it")


def run(args: argparse.Namespace) -> int:
    """Measure, and write or print."""
    text = trained(find_model(args.model)).to_json()
    if args.out is None:
        sys.stdout.write(text)
        return 0
    try:
        args.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TorporError(f"cannot write {args.out}: {error.strerror}") from None
    print(f"written to {args.out}", file=sys.stderr)
    return 0


def trained(model: Model) -> Trained:
    """Return the reference of a model's training windows.

    Rows are samples: the last axis of the input has the channels. The input is quantized alike
    whatever the width of the weights.

    Raises:
        UsageError: the model comes without training data.
    """
    if model.about.own is None:
        raise UsageError(f"model '{model.name}' comes without training data")
    graph = read_tflite(quantize(model.float_tflite, 8, model.ranges))
    first = graph.tensors[graph.inputs[0]]
    codes = to_codes(model.windows("train")[0], first)
    reference = make_reference(codes.reshape(-1, first.shape[-1]))
    return Trained(reference, first.scale, first.zero_point)
