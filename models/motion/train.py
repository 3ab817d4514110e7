#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the motion model and writes motion.tflite and ranges.json beside this file.

    .venv/bin/pip install -e '.[train]'
    .venv/bin/python models/motion/train.py

Nothing else in torpor needs TensorFlow. One thread, fixed seeds and deterministic operators: on
one machine with one version of TensorFlow two runs write the same bytes. Another processor or
version may round differently; `torpor evaluate motion` then tells whether the result is as good.

The network ends in a 1x1 convolution instead of a dense layer: TensorFlow Lite Micro runs int4
fully connected layers only with one scale for all weights, int4 convolutions with one a channel.
"""

import json
import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import flatbuffers
import keras
import tensorflow as tf
from keras import layers
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from torpor.model import load_model
from torpor.quantize import measure_ranges

FOLDER = Path(__file__).resolve().parent


def network(shape: tuple[int, ...], classes: int, batch: int | None) -> keras.Model:
    """Return the untrained network: three convolutions over time, mean, 1x1 head, softmax."""
    entry = keras.Input(shape, batch_size=batch, name="window")
    x = layers.Conv2D(16, (5, 1), padding="same", activation="relu")(entry)
    x = layers.Conv2D(24, (5, 1), strides=(2, 1), padding="same", activation="relu")(x)
    x = layers.Conv2D(32, (5, 1), strides=(2, 1), padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(classes, 1)(x)
    x = layers.Flatten()(x)
    return keras.Model(entry, layers.Softmax(name="score")(x))


def trained(model: keras.Model) -> keras.Model:
    """Train on the training windows and report the accuracy on the held-out ones."""
    about = load_model(FOLDER.name).about.training
    rate = keras.optimizers.schedules.CosineDecay(about.learning_rate, about.epochs * 24)
    # Label smoothing keeps the scores away from 0 and 1, so they say something.
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
    x, y = load_model(FOLDER.name).windows("train")
    truth = keras.utils.to_categorical(y)
    model.fit(x, truth, batch_size=about.batch, epochs=about.epochs, shuffle=True, verbose=2)
    x, y = load_model(FOLDER.name).windows("test")
    hits = model.predict(x, verbose=0).argmax(axis=1) == y
    print(f"held-out accuracy {hits.mean():.4f}")
    return model


def exported(model: keras.Model) -> bytes:
    """Return `model` with batch 1 as .tflite, with short names and without converter notes."""
    fixed = network(model.input_shape[1:], model.output_shape[-1], batch=1)
    fixed.set_weights(model.get_weights())
    content = tf.lite.TFLiteConverter.from_keras_model(fixed).convert()
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for note in tree.metadata or []:
        tree.buffers[note.buffer].data = None
    tree.metadata = None
    rename(tree.subgraphs[0])
    builder = flatbuffers.Builder(len(content))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def rename(graph: schema.SubGraphT) -> None:
    """Name tensors after the operator that makes or reads them, inputs and outputs plainly."""
    for index, op in enumerate(graph.operators):
        for place, tensor in enumerate(op.inputs):
            if graph.tensors[tensor].buffer and place:
                kind = ("weights", "bias")[place - 1] if len(op.inputs) == 3 else "constant"
                graph.tensors[tensor].name = f"layer{index}/{kind}"
        for tensor in op.outputs:
            graph.tensors[tensor].name = f"layer{index}"
    graph.tensors[graph.inputs[0]].name = "window"
    graph.tensors[graph.outputs[0]].name = "score"


def main() -> None:
    """Train, export, calibrate."""
    description = load_model(FOLDER.name)
    about = description.about
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(about.training.seed)
    content = exported(trained(network(about.input.shape, len(about.labels), batch=None)))
    (FOLDER / about.file).write_bytes(content)
    ranges = measure_ranges(content, description.windows("train")[0])
    rows = [f"  {json.dumps(k)}: [{low!r}, {high!r}]" for k, (low, high) in sorted(ranges.items())]
    (FOLDER / about.ranges).write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(f"{about.file}: {len(content)} bytes, {about.ranges}: {len(ranges)} tensors")


if __name__ == "__main__":
    main()
