# SPDX-License-Identifier: Apache-2.0
"""From a float .tflite to int8, or to int8 with int4 weights, by litert-quantizer.

    ranges  = measure_ranges(model, samples)      once, after training
    int4    = quantize(model, 4, ranges)          seconds; same bytes every time; checked

int8: every operator, weights one scale a channel. int4: the weights of convolutions and dense
layers alone become int4; dense layers with one scale for all weights, because TensorFlow Lite
Micro runs int4 FULLY_CONNECTED no other way. Nothing here needs TensorFlow.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor.errors import ModelError, UsageError
from torpor.golden.capture import captured_output
from torpor.graph import Graph, read_tflite
from torpor.quantize.calibration import Ranges, measure_ranges, samples_of
from torpor.quantize.check import check_quantized

__all__ = ["BITS", "Ranges", "check_quantized", "measure_ranges", "quantize", "samples_of"]

BITS = (8, 4)
_Observed = dict[str, dict[str, NDArray[Any]]]


def quantize(float_tflite: bytes, bits: int, ranges: Ranges) -> bytes:
    """Return the model with int8 activations and weights of `bits` bits, checked.

    Args:
        float_tflite: a float model with batch 1.
        bits: 8 or 4.
        ranges: smallest and largest value of each activation, as `measure_ranges` returns.

    Raises:
        ModelError: a broken model, a tensor without range, or a result not as asked for.
    """
    if bits not in BITS:
        raise UsageError(f"cannot quantize weights to {bits} bits", "8 and 4 are possible")
    graph = read_tflite(float_tflite)
    observed = _observed(graph, ranges)
    with captured_output(), warnings.catch_warnings(action="ignore"):
        try:
            result = _run(float_tflite, bits, observed)
        except Exception as error:  # the quantizer raises whatever its parts raise
            failure = f"{type(error).__name__}: {error}"
        else:
            failure = ""
    if failure:
        names = ", ".join(sorted({op.name for op in graph.ops}))
        raise ModelError(
            f"litert-quantizer failed: {failure}", f"can it quantize all of these? {names}"
        )
    check_quantized(result, bits)
    return result


def _observed(graph: Graph, ranges: Ranges) -> _Observed:
    observed: _Observed = {}
    for tensor in graph.tensors:
        if tensor.data is None and tensor.dtype == "float32":
            if tensor.name not in ranges:
                raise ModelError(
                    f"no calibration range for tensor {tensor.describe()}",
                    "the ranges belong to another model; calibrate again",
                )
            low, high = ranges[tensor.name]
            shape = (1,) * len(tensor.shape)
            observed[tensor.name] = {
                "min": np.full(shape, low, np.float32),
                "max": np.full(shape, high, np.float32),
            }
    return observed


def _run(float_tflite: bytes, bits: int, observed: _Observed) -> bytes:
    from litert_quantizer import qtyping, quantizer  # noqa: PLC0415  (half a second to import)

    op, granularity = qtyping.TFLOperationName, qtyping.QuantGranularity
    work = quantizer.Quantizer(float_tflite)
    work.update_quantization_recipe(
        ".*", op.ALL_SUPPORTED, _config(qtyping, 8, granularity.CHANNELWISE)
    )
    if bits == 4:
        for name, how in (
            (op.CONV_2D, granularity.CHANNELWISE),
            (op.DEPTHWISE_CONV_2D, granularity.CHANNELWISE),
            (op.FULLY_CONNECTED, granularity.TENSORWISE),
        ):
            work.update_quantization_recipe(".*", name, _config(qtyping, 4, how))
    return bytes(work.quantize(observed, enable_progress_report=False).quantized_model)


def _config(qtyping: Any, weight_bits: int, granularity: Any) -> Any:
    """Return the recipe entry; the checks are skipped for int4, which has no depthwise policy."""
    return qtyping.OpQuantizationConfig(
        activation_tensor_config=qtyping.TensorQuantizationConfig(num_bits=8, symmetric=False),
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=weight_bits, symmetric=True, granularity=granularity
        ),
        compute_precision=qtyping.ComputePrecision.INTEGER,
        skip_checks=weight_bits == 4,
    )
