# SPDX-License-Identifier: Apache-2.0
"""Builds small quantized .tflite models for tests, one operator or a whole graph.

    graph = GraphBuilder()
    x = graph.input((1, 8, 8, 3), scale=0.05, zero_point=-3)
    w = graph.constant(codes, "int4", scale=[0.1] * 4, axis=0)     # per channel
    y = graph.conv_2d(x, w, graph.bias(x, w, [0, 5, -7, 9]), scale=0.2, zero_point=4)
    model: bytes = graph.build(outputs=[y])

Every method returns the index of the tensor it made. Activations are int8; `scale` and
`zero_point` are those of the operator's output.
"""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import ArrayLike, NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

TYPES: dict[str, int] = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "uint8": schema.TensorType.UINT8,
    "int64": schema.TensorType.INT64,
    "bool": schema.TensorType.BOOL,
    "int16": schema.TensorType.INT16,
    "int8": schema.TensorType.INT8,
    "int4": schema.TensorType.INT4,
    "resource": schema.TensorType.RESOURCE,
}
ACTIVATIONS: dict[str, int] = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
    "relu_n1_to_1": schema.ActivationFunctionType.RELU_N1_TO_1,
}
PADDINGS: dict[str, int] = {"same": schema.Padding.SAME, "valid": schema.Padding.VALID}


def pack_int4(codes: ArrayLike) -> bytes:
    """Pack codes -8..7 two a byte, low nibble first, without a gap between rows."""
    flat = np.asarray(codes, dtype=np.int64).ravel()
    if flat.size % 2:
        flat = np.append(flat, 0)
    nibbles = (flat & 15).astype(np.uint8)
    return (nibbles[0::2] | (nibbles[1::2] << 4)).tobytes()


def output_size(padding: str, size: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Output length along one spatial dimension, as TFLite defines it for SAME and VALID."""
    if padding == "same":
        return -(-size // stride)
    return (size - ((kernel - 1) * dilation + 1)) // stride + 1


class GraphBuilder:
    """Collects tensors and operators of one subgraph; see the module's example."""

    def __init__(self, name: str = "test") -> None:
        self._name = name
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self._buffer(None)]
        self._codes: list[int] = []
        self._operators: list[Any] = []
        self._inputs: list[int] = []
        self._others: list[GraphBuilder] = []

    def subgraph(self, name: str = "once") -> "GraphBuilder":
        """Add a subgraph without inputs and outputs; the first is number 1 for CALL_ONCE."""
        other = GraphBuilder(name)
        other._buffers, other._codes = self._buffers, self._codes
        self._others.append(other)
        return other

    # Tensors

    def input(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        *,
        scale: float | None = 0.1,
        zero_point: int = 0,
        name: str | None = None,
    ) -> int:
        """Add a model input."""
        index = self.tensor(shape, dtype, scale=scale, zero_point=zero_point, name=name)
        self._inputs.append(index)
        return index

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        *,
        scale: float | Sequence[float] | None = None,
        zero_point: int | Sequence[int] = 0,
        axis: int = 0,
        buffer: int = 0,
        name: str | None = None,
        is_variable: bool = False,
    ) -> int:
        """Add a tensor; `scale` None leaves it without quantization."""
        tensor = schema.TensorT()
        tensor.shape = [int(n) for n in shape]
        tensor.type = TYPES[dtype]
        tensor.buffer = buffer
        tensor.name = name if name is not None else f"t{len(self._tensors)}"
        tensor.hasRank = True
        tensor.isVariable = is_variable
        if scale is not None:
            tensor.quantization = self._quantization(scale, zero_point, axis)
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def constant(
        self,
        values: ArrayLike,
        dtype: str = "int8",
        *,
        scale: float | Sequence[float] | None = None,
        zero_point: int | Sequence[int] = 0,
        axis: int = 0,
        name: str | None = None,
    ) -> int:
        """Add a constant tensor; int4 values are given as codes -8..7 and packed here."""
        array = np.asarray(values)
        data = pack_int4(array) if dtype == "int4" else array.astype(np.dtype(dtype)).tobytes()
        self._buffers.append(self._buffer(data))
        buffer = len(self._buffers) - 1
        return self.tensor(
            array.shape,
            dtype,
            scale=scale,
            zero_point=zero_point,
            axis=axis,
            buffer=buffer,
            name=name,
        )

    def bias(self, x: int, weights: int, values: ArrayLike, dtype: str = "int32") -> int:
        """Add a bias whose scale is input scale x weight scale, per channel if those are."""
        scales = [self.scale(x) * s for s in self._tensors[weights].quantization.scale]
        return self.constant(values, dtype, scale=scales, axis=0)

    def shape(self, tensor: int) -> list[int]:
        """Shape of a tensor."""
        return list(self._tensors[tensor].shape)

    def scale(self, tensor: int) -> float:
        """First scale of a tensor."""
        return float(self._tensors[tensor].quantization.scale[0])

    def scales(self, tensor: int) -> list[float]:
        """All scales of a tensor, none where it is not quantized."""
        quantization = self._tensors[tensor].quantization
        return [] if quantization is None else list(quantization.scale)

    def codes(self, tensor: int) -> dict[str, Any]:
        """Quantization of a tensor, as arguments of `tensor` for another one like it."""
        scales = self.scales(tensor)
        return {"scale": scales[0], "zero_point": self.zero_point(tensor)} if scales else {}

    def dtype(self, tensor: int) -> str:
        """Type of a tensor, a key of TYPES."""
        return next(name for name, code in TYPES.items() if code == self._tensors[tensor].type)

    def zero_point(self, tensor: int) -> int:
        """First zero point of a tensor."""
        return int(self._tensors[tensor].quantization.zeroPoint[0])

    # Operators

    def op(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Any = None,
    ) -> None:
        """Add any operator by its schema name; -1 is an absent optional input."""
        code = getattr(schema.BuiltinOperator, name)
        if code not in self._codes:
            self._codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.index(code)
        operator.inputs = list(inputs)
        operator.outputs = list(outputs)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self._operators.append(operator)

    def conv_2d(
        self,
        x: int,
        weights: int,
        bias: int | None = None,
        *,
        scale: float,
        zero_point: int = 0,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "same",
        activation: str = "none",
        bias_type: str = "float32",
    ) -> int:
        """CONV_2D; weights [out_c, kernel_h, kernel_w, in_c / groups]; pairs are (h, w)."""
        options = schema.Conv2DOptionsT()
        options.quantizedBiasType = TYPES[bias_type]
        self._window_options(options, stride, dilation, padding, activation)
        out_c, *kernel, _ = self.shape(weights)
        y = self._image(x, kernel, stride, dilation, padding, out_c, scale, zero_point)
        self.op("CONV_2D", self._operands(x, weights, bias), [y], options)
        return y

    def depthwise_conv_2d(
        self,
        x: int,
        weights: int,
        bias: int | None = None,
        *,
        scale: float,
        zero_point: int = 0,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "same",
        activation: str = "none",
    ) -> int:
        """DEPTHWISE_CONV_2D; weights [1, kernel_h, kernel_w, out_c], quantized along axis 3."""
        options = schema.DepthwiseConv2DOptionsT()
        self._window_options(options, stride, dilation, padding, activation)
        _, *kernel, out_c = self.shape(weights)
        options.depthMultiplier = out_c // self.shape(x)[3]
        y = self._image(x, kernel, stride, dilation, padding, out_c, scale, zero_point)
        self.op("DEPTHWISE_CONV_2D", self._operands(x, weights, bias), [y], options)
        return y

    def fully_connected(
        self,
        x: int,
        weights: int,
        bias: int | None = None,
        *,
        scale: float,
        zero_point: int = 0,
        activation: str = "none",
        keep_dims: bool = False,
        bias_type: str = "float32",
    ) -> int:
        """FULLY_CONNECTED; weights [out_n, in_n]; y is [batches, out_n] unless keep_dims."""
        options = schema.FullyConnectedOptionsT()
        options.quantizedBiasType = TYPES[bias_type]
        options.fusedActivationFunction = ACTIVATIONS[activation]
        options.keepNumDims = keep_dims
        out_n, in_n = self.shape(weights)
        batches = int(np.prod(self.shape(x))) // in_n
        shape = [*self.shape(x)[:-1], out_n] if keep_dims else [batches, out_n]
        y = self.tensor(shape, self.dtype(x), scale=scale, zero_point=zero_point)
        self.op("FULLY_CONNECTED", self._operands(x, weights, bias), [y], options)
        return y

    def pool_2d(
        self,
        name: str,
        x: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: str = "valid",
        activation: str = "none",
    ) -> int:
        """AVERAGE_POOL_2D or MAX_POOL_2D; the output's quantization is the input's."""
        options = schema.Pool2DOptionsT()
        options.padding = PADDINGS[padding]
        options.strideH, options.strideW = stride
        options.filterHeight, options.filterWidth = kernel
        options.fusedActivationFunction = ACTIVATIONS[activation]
        channels = self.shape(x)[3]
        y = self._image(
            x, kernel, stride, (1, 1), padding, channels, self.scale(x), self.zero_point(x)
        )
        self.op(name, [x], [y], options)
        return y

    def mean(
        self,
        x: int,
        axes: Sequence[int],
        *,
        scale: float,
        zero_point: int = 0,
        keep_dims: bool = False,
    ) -> int:
        """MEAN over `axes`."""
        options = schema.ReducerOptionsT()
        options.keepDims = keep_dims
        shape = self.shape(x)
        reduced = {axis % len(shape) for axis in axes}
        kept = [1 if i in reduced else n for i, n in enumerate(shape)]
        if not keep_dims:
            kept = [n for i, n in enumerate(shape) if i not in reduced]
        y = self.tensor(kept, self.dtype(x), scale=scale, zero_point=zero_point)
        axis_tensor = self.constant(np.asarray(axes, np.int32), "int32")
        self.op("MEAN", [x, axis_tensor], [y], options)
        return y

    def add(
        self, a: int, b: int, *, scale: float, zero_point: int = 0, activation: str = "none"
    ) -> int:
        """ADD with NumPy broadcasting."""
        return self.binary("ADD", a, b, scale=scale, zero_point=zero_point, activation=activation)

    def binary(
        self,
        name: str,
        a: int,
        b: int,
        *,
        scale: float,
        zero_point: int = 0,
        activation: str = "none",
    ) -> int:
        """ADD, SUB, MUL, or without an activation MAXIMUM, MINIMUM, with NumPy broadcasting."""
        kinds = {"ADD": schema.AddOptionsT, "SUB": schema.SubOptionsT, "MUL": schema.MulOptionsT}
        options = kinds.get(name, schema.MaximumMinimumOptionsT)()
        if name in kinds:
            options.fusedActivationFunction = ACTIVATIONS[activation]
        shape = np.broadcast_shapes(tuple(self.shape(a)), tuple(self.shape(b)))
        y = self.tensor(shape, self.dtype(a), scale=scale, zero_point=zero_point)
        self.op(name, [a, b], [y], options)
        return y

    def concatenation(self, operands: Sequence[int], axis: int) -> int:
        """CONCATENATION; the output has the first operand's type and quantization."""
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        shape = self.shape(operands[0])
        shape[axis] = sum(self.shape(t)[axis] for t in operands)
        y = self._like(operands[0], shape)
        self.op("CONCATENATION", operands, [y], options)
        return y

    def resize_nearest_neighbor(
        self, x: int, size: tuple[int, int], *, corners: bool = False, centers: bool = False
    ) -> int:
        """RESIZE_NEAREST_NEIGHBOR of [batches, h, w, channels] to `size` (h, w)."""
        options = schema.ResizeNearestNeighborOptionsT()
        options.alignCorners, options.halfPixelCenters = corners, centers
        batches, _, _, channels = self.shape(x)
        y = self._like(x, [batches, *size, channels])
        wanted = self.constant(np.asarray(size), "int32")
        self.op("RESIZE_NEAREST_NEIGHBOR", [x, wanted], [y], options)
        return y

    def transpose_conv(
        self,
        x: int,
        weights: int,
        bias: int | None = None,
        *,
        size: tuple[int, int],
        scale: float,
        zero_point: int = 0,
        stride: tuple[int, int] = (1, 1),
        padding: str = "same",
        activation: str = "none",
        shape: int | None = None,
    ) -> int:
        """TRANSPOSE_CONV to `size` (h, w); weights [out_c, kernel_h, kernel_w, in_c].

        `shape` is the tensor that says the output's shape, a constant unless it is given.
        """
        options = schema.TransposeConvOptionsT()
        options.padding = PADDINGS[padding]
        options.strideH, options.strideW = stride
        options.fusedActivationFunction = ACTIVATIONS[activation]
        wanted = [self.shape(x)[0], *size, self.shape(weights)[0]]
        if shape is None:
            shape = self.constant(np.asarray(wanted), "int32")
        y = self.tensor(wanted, self.dtype(x), scale=scale, zero_point=zero_point)
        operands = [shape, weights, x] if bias is None else [shape, weights, x, bias]
        self.op("TRANSPOSE_CONV", operands, [y], options)
        return y

    def _like(self, x: int, shape: Sequence[int]) -> int:
        """Add a tensor of the type and quantization of `x`."""
        y = self.tensor(shape)
        self._tensors[y].type = self._tensors[x].type
        self._tensors[y].quantization = self._tensors[x].quantization
        return y

    def pad(self, x: int, paddings: Sequence[tuple[int, int]], value: int | None = None) -> int:
        """PAD, or PADV2 with the fill code `value`; one (before, after) a dimension."""
        shape = [n + sum(p) for n, p in zip(self.shape(x), paddings, strict=True)]
        codes = self.codes(x)
        y = self.tensor(shape, self.dtype(x), **codes)
        amounts = self.constant(np.asarray(paddings, np.int32), "int32")
        if value is None:
            self.op("PAD", [x, amounts], [y], schema.PadOptionsT())
            return y
        fill = self.constant(np.asarray([value]), self.dtype(x), **codes)
        self.op("PADV2", [x, amounts, fill], [y], schema.PadV2OptionsT())
        return y

    def softmax(self, x: int, beta: float = 1.0) -> int:
        """SOFTMAX over the last dimension; the output is 1/256, zero point -128."""
        options = schema.SoftmaxOptionsT()
        options.beta = beta
        y = self.tensor(self.shape(x), scale=1 / 256, zero_point=-128)
        self.op("SOFTMAX", [x], [y], options)
        return y

    def reshape(self, x: int, shape: Sequence[int]) -> int:
        """RESHAPE to a shape without -1."""
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        codes = self.codes(x)
        y = self.tensor(shape, self.dtype(x), **codes)
        wanted = self.constant(np.asarray(shape, np.int32), "int32")
        self.op("RESHAPE", [x, wanted], [y], options)
        return y

    def unary(
        self, name: str, x: int, *, scale: float | None = None, zero_point: int | None = None
    ) -> int:
        """An elementwise operator without options, such as RELU or RELU6."""
        scale = self.scale(x) if scale is None else scale
        zero_point = self.zero_point(x) if zero_point is None else zero_point
        y = self.tensor(self.shape(x), self.dtype(x), scale=scale, zero_point=zero_point)
        self.op(name, [x], [y])
        return y

    def leaky_relu(self, x: int, alpha: float, *, scale: float, zero_point: int = 0) -> int:
        """LEAKY_RELU."""
        options = schema.LeakyReluOptionsT()
        options.alpha = alpha
        y = self.tensor(self.shape(x), self.dtype(x), scale=scale, zero_point=zero_point)
        self.op("LEAKY_RELU", [x], [y], options)
        return y

    def svdf(
        self,
        x: int,
        feature: int,
        time: int,
        state: int,
        bias: Sequence[int] | None = None,
        *,
        scale: float,
        zero_point: int = 0,
        rank: int = 1,
        activation: str = "none",
    ) -> int:
        """SVDF; feature [filters, in_n], time [filters, memory], state [batches, their product]."""
        options = schema.SVDFOptionsT()
        options.rank = rank
        options.fusedActivationFunction = ACTIVATIONS[activation]
        units = self.shape(feature)[0] // rank
        bias_scale = float(np.float32(self.scale(state)) * np.float32(self.scale(time)))
        codes = [0] * units if bias is None else bias
        added = self.constant(codes, "int32", scale=bias_scale)
        y = self.tensor((self.shape(x)[0], units), scale=scale, zero_point=zero_point)
        self.op("SVDF", [x, feature, time, added, state], [y], options)
        return y

    # Variables

    def call_once(self, subgraph: int = 1) -> None:
        """CALL_ONCE of a subgraph."""
        options = schema.CallOnceOptionsT()
        options.initSubgraphIndex = subgraph
        self.op("CALL_ONCE", [], [], options)

    def var_handle(self, name: str | None, container: str | None = "") -> int:
        """VAR_HANDLE; the output refers to the variable of that name."""
        options = schema.VarHandleOptionsT()
        options.sharedName = name
        options.container = container
        handle = self.tensor((), "resource")
        self.op("VAR_HANDLE", [], [handle], options)
        return handle

    def read_variable(self, handle: int, shape: Sequence[int], **tensor: Any) -> int:
        """READ_VARIABLE into a tensor of `shape` and the arguments of `tensor`."""
        y = self.tensor(shape, **tensor)
        self.op("READ_VARIABLE", [handle], [y], schema.ReadVariableOptionsT())
        return y

    def assign_variable(self, handle: int, value: int) -> None:
        """ASSIGN_VARIABLE."""
        self.op("ASSIGN_VARIABLE", [handle, value], [], schema.AssignVariableOptionsT())

    def build(self, outputs: Sequence[int]) -> bytes:
        """Return the finished .tflite file."""
        model = schema.ModelT()
        model.version = 3
        model.description = self._name
        model.operatorCodes = [self._operator_code(code) for code in self._codes]
        model.subgraphs = [self._subgraph(outputs), *(g._subgraph([]) for g in self._others)]
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    # Pieces of the schema

    def _subgraph(self, outputs: Sequence[int]) -> Any:
        graph = schema.SubGraphT()
        graph.tensors = self._tensors
        graph.inputs = self._inputs
        graph.outputs = list(outputs)
        graph.operators = self._operators
        graph.name = self._name
        return graph

    @staticmethod
    def _operands(x: int, weights: int, bias: int | None) -> list[int]:
        """Inputs of a layer; TFLM crashes on -1 for the bias, so that it is left out."""
        return [x, weights] if bias is None else [x, weights, bias]

    def _image(  # noqa: PLR0917
        self,
        x: int,
        kernel: Sequence[int],
        stride: tuple[int, int],
        dilation: tuple[int, int],
        padding: str,
        channels: int,
        scale: float,
        zero_point: int,
    ) -> int:
        batches, height, width, _ = self.shape(x)
        shape = (
            batches,
            output_size(padding, height, kernel[0], stride[0], dilation[0]),
            output_size(padding, width, kernel[1], stride[1], dilation[1]),
            channels,
        )
        return self.tensor(shape, self.dtype(x), scale=scale, zero_point=zero_point)

    @staticmethod
    def _window_options(
        options: Any,
        stride: tuple[int, int],
        dilation: tuple[int, int],
        padding: str,
        activation: str,
    ) -> None:
        options.padding = PADDINGS[padding]
        options.strideH, options.strideW = stride
        options.dilationHFactor, options.dilationWFactor = dilation
        options.fusedActivationFunction = ACTIVATIONS[activation]

    @staticmethod
    def _quantization(
        scale: float | Sequence[float], zero_point: int | Sequence[int], axis: int
    ) -> Any:
        scales: NDArray[np.float32] = np.atleast_1d(np.asarray(scale, np.float32))
        points = np.broadcast_to(np.asarray(zero_point, np.int64), scales.shape)
        quantization = schema.QuantizationParametersT()
        quantization.scale = [float(s) for s in scales]
        quantization.zeroPoint = [int(p) for p in points]
        quantization.quantizedDimension = axis
        return quantization

    @staticmethod
    def _buffer(data: bytes | None) -> Any:
        buffer = schema.BufferT()
        buffer.data = None if data is None else list(data)
        return buffer

    @staticmethod
    def _operator_code(code: int) -> Any:
        operator_code = schema.OperatorCodeT()
        operator_code.builtinCode = code
        operator_code.deprecatedBuiltinCode = min(code, 127)
        operator_code.version = 1
        return operator_code
