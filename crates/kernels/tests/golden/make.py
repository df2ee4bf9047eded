"""Writes nn.bin: one-operator TFLite models with random content, as records and tensors of
Embarca's kernels, with the answers of TFLM (int8) or LiteRT's reference kernels (the others).

    python3 -m pip install ai-edge-litert flatbuffers numpy tflite tflite-micro
    python3 make.py nn.bin

The format is described in ../golden.rs. Building and testing Embarca does not need this script.
"""

import math
import struct
import sys

import flatbuffers
import numpy as np
import tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_micro.python.tflite_micro import runtime

ROUNDS = 6
RNG = np.random.default_rng(7)
OUT = open(sys.argv[1], "wb")
COUNT = 0

# Numbers of embarca_num::DType and of the TFLite schema.
DTYPE = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6}
TFLITE = {"float32": 0, "int32": 2, "uint8": 3, "int8": 9}
VERSION = {
    "CONV_2D": 5, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 9, "MAX_POOL_2D": 2,
    "AVERAGE_POOL_2D": 2, "SOFTMAX": 2, "LOG_SOFTMAX": 2, "L2_NORMALIZATION": 2,
    "LOCAL_RESPONSE_NORMALIZATION": 1, "RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 3,
    "BATCH_MATMUL": 3, "TRANSPOSE_CONV": 3,
}
BOUNDS = {0: (-math.inf, math.inf), 1: (0.0, math.inf), 3: (0.0, 6.0)}


def write_case(kernel, record, inputs, output, tolerance):
    """Appends one case; `None` is an input that is left out."""
    global COUNT
    COUNT += 1
    out = bytearray(struct.pack("<I", len(kernel)) + kernel.encode())
    out += struct.pack("<I", len(record)) + record
    out += struct.pack("<fI", tolerance, len(inputs))
    for tensor in [*inputs, output]:
        if tensor is None:
            out += struct.pack("<I", 0)
            continue
        tensor = np.ascontiguousarray(tensor)
        out += struct.pack("<II", DTYPE[tensor.dtype.name], tensor.ndim)
        out += struct.pack(f"<{tensor.ndim}I", *tensor.shape) + tensor.tobytes()
    OUT.write(out)


class Tensor:
    """A tensor of a model: constant when `data` is given and it is not fed."""

    def __init__(self, shape, dtype, data=None, quant=None, fed=False):
        self.shape, self.dtype, self.data, self.fed = tuple(shape), np.dtype(dtype), data, fed
        self.scales, self.zeros, self.axis = quant or ([], [], 0)


def build(op, options_name, options, tensors, inputs):
    """The bytes of a model whose last tensor is the output."""
    b = flatbuffers.Builder(1 << 16)

    def numbers(values, size, prepend):
        b.StartVector(size, len(values), size)
        for value in reversed(values):
            prepend(value)
        return b.EndVector()

    ints = lambda values: numbers(values, 4, b.PrependInt32)
    offsets = lambda values: numbers(values, 4, b.PrependUOffsetTRelative)
    buffers, tables = [None], []
    for index, tensor in enumerate(tensors):
        buffer = 0
        if tensor.data is not None and not tensor.fed:
            buffers.append(np.ascontiguousarray(tensor.data).tobytes())
            buffer = len(buffers) - 1
        name, shape = b.CreateString(f"t{index}"), ints(tensor.shape)
        quant = None
        if tensor.scales:
            scales = numbers([float(s) for s in tensor.scales], 4, b.PrependFloat32)
            zeros = numbers([int(z) for z in tensor.zeros], 8, b.PrependInt64)
            tflite.QuantizationParametersStart(b)
            tflite.QuantizationParametersAddScale(b, scales)
            tflite.QuantizationParametersAddZeroPoint(b, zeros)
            tflite.QuantizationParametersAddQuantizedDimension(b, tensor.axis)
            quant = tflite.QuantizationParametersEnd(b)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, TFLITE[tensor.dtype.name])
        tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddName(b, name)
        if quant is not None:
            tflite.TensorAddQuantization(b, quant)
        tables.append(tflite.TensorEnd(b))
    tables = offsets(tables)
    getattr(tflite, options_name + "Start")(b)
    for key, value in options.items():
        getattr(tflite, options_name + "Add" + key)(b, value)
    options = getattr(tflite, options_name + "End")(b)
    output = [len(tensors) - 1]
    op_inputs, op_outputs = ints(inputs), ints(output)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, 0)
    tflite.OperatorAddInputs(b, op_inputs)
    tflite.OperatorAddOutputs(b, op_outputs)
    tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, options_name))
    tflite.OperatorAddBuiltinOptions(b, options)
    operators = offsets([tflite.OperatorEnd(b)])
    graph_inputs = ints([i for i, tensor in enumerate(tensors) if tensor.fed])
    graph_outputs = ints(output)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tables)
    tflite.SubGraphAddInputs(b, graph_inputs)
    tflite.SubGraphAddOutputs(b, graph_outputs)
    tflite.SubGraphAddOperators(b, operators)
    graphs = offsets([tflite.SubGraphEnd(b)])
    code = getattr(tflite.BuiltinOperator, op)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
    tflite.OperatorCodeAddBuiltinCode(b, code)
    tflite.OperatorCodeAddVersion(b, VERSION[op])
    codes = offsets([tflite.OperatorCodeEnd(b)])
    stored = []
    for data in buffers:
        content = b.CreateByteVector(data) if data is not None else None
        tflite.BufferStart(b)
        if content is not None:
            tflite.BufferAddData(b, content)
        stored.append(tflite.BufferEnd(b))
    stored = offsets(stored)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, codes)
    tflite.ModelAddSubgraphs(b, graphs)
    tflite.ModelAddBuffers(b, stored)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def answer(op, options_name, options, tensors, inputs):
    """What the oracle computes: TFLM where the output is i8, else LiteRT."""
    model = build(op, options_name, options, tensors, inputs)
    feeds = [tensor.data for tensor in tensors if tensor.fed]
    if tensors[-1].dtype == np.int8:
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 22)
        for index, data in enumerate(feeds):
            interpreter.set_input(data, index)
        interpreter.invoke()
        return interpreter.get_output(0).reshape(tensors[-1].shape)
    # The reference form of LRN leaves out one neighbour that every other form has.
    resolver = (
        OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        if op == "LOCAL_RESPONSE_NORMALIZATION"
        else OpResolverType.BUILTIN_REF
    )
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    for detail, data in zip(interpreter.get_input_details(), feeds):
        interpreter.set_tensor(detail["index"], data)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def signed(array):
    """u8 less 128."""
    return (array.astype(np.int32) - 128).astype(np.int8) if array.dtype == np.uint8 else array


def requant(factor):
    """Multiplier and shift, as TFLite's QuantizeMultiplier."""
    if factor == 0:
        return (0, 0)
    fraction, shift = math.frexp(factor)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def stored_bounds(activation, scale, zero):
    """Bounds of a fused activation in i8."""
    low, high = BOUNDS[activation]
    stored = lambda bound: zero + math.floor(float(np.float32(bound) / np.float32(scale)) + 0.5)
    return (
        -128 if math.isinf(low) else max(-128, stored(low)),
        127 if math.isinf(high) else min(127, stored(high)),
    )


def zero_of(tensor):
    return int(tensor.zeros[0]) - (128 if tensor.dtype == np.uint8 else 0)


def i8_tail(x, w, y, activation):
    bounds = stored_bounds(activation, y.scales[0], zero_of(y))
    return struct.pack("<5i", zero_of(x), zero_of(w), zero_of(y), *bounds)


def factors(x, w, y, channels, single_product):
    f32 = np.float32
    both = (
        [float(f32(x.scales[0]) * f32(w.scales[0]))]
        if single_product
        else [float(f32(x.scales[0])) * float(f32(s)) for s in w.scales]
    )
    pairs = [requant(product / float(f32(y.scales[0]))) for product in both]
    return np.array(pairs * (channels if len(pairs) == 1 else 1), np.int32)


def real(low, high):
    return float(np.float32(RNG.uniform(low, high)))


def whole(low, high):
    return int(RNG.integers(low, high))


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def bytes_of(dtype, *shape):
    low, high = (0, 256) if dtype == "uint8" else (-128, 128)
    return RNG.integers(low, high, shape).astype(dtype)


def weights_of(*shape):
    """Symmetric weights, which leave out -128; LiteRT's hybrid kernels rely on it."""
    return RNG.integers(-127, 128, shape).astype("int8")


def length(size, taps, stride, dilation, valid):
    return (size - (taps - 1) * dilation - 1) // stride + 1 if valid else -(-size // stride)


def before(valid, size, taps, stride, dilation, output):
    return 0 if valid else max(0, (output - 1) * stride + (taps - 1) * dilation + 1 - size) // 2


def convolution(kind, depthwise):
    n, h, w, c = whole(1, 3), whole(3, 9), whole(3, 9), whole(1, 7)
    size = (whole(1, 4), whole(1, 4))
    stride = (whole(1, 3), whole(1, 3))
    if depthwise:
        stride = (stride[0], stride[0])
    dilation = (1, 1)
    if RNG.random() < 0.4:
        stride, dilation = (1, 1), (whole(1, 3), whole(1, 3))
    valid, multiplier = whole(0, 2), whole(1, 4)
    # Enough channels for the vectors of the twins, and a rest.
    o = c * multiplier if depthwise else whole(1, 20)
    output = [length((h, w)[i], size[i], stride[i], dilation[i], valid) for i in (0, 1)]
    if min(output) < 1:
        return
    pad = [
        before(valid, (h, w)[i], size[i], stride[i], dilation[i], output[i]) for i in (0, 1)
    ]
    activation = int(RNG.choice([0, 1, 3]))
    shape = (1, *size, o) if depthwise else (o, *size, c)
    axis = 3 if depthwise else 0
    options = dict(
        Padding=valid, StrideH=stride[0], StrideW=stride[1], DilationHFactor=dilation[0],
        DilationWFactor=dilation[1], FusedActivationFunction=activation,
    )
    if depthwise:
        options["DepthMultiplier"] = multiplier
    name = ("DepthwiseConv2D" if depthwise else "Conv2D") + "Options"
    op = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    base = "depthwise_conv2d" if depthwise else "conv2d"
    record = struct.pack("<6i", *stride, *dilation, *pad)
    record += b"" if depthwise else struct.pack("<I", 1)
    y_shape = (n, *output, o)
    if kind in ("f32", "hybrid"):
        x = Tensor((n, h, w, c), "float32", normal(n, h, w, c), fed=True)
        bias, y = Tensor((o,), "float32", normal(o)), Tensor(y_shape, "float32")
        clamp = struct.pack("<2f", *BOUNDS[activation])
        if kind == "f32":
            weights = Tensor(shape, "float32", normal(*shape))
            inputs, tolerance = [x.data, weights.data, bias.data], 2e-5
            record += clamp
        else:
            channels = o if depthwise or RNG.random() < 0.5 else 1
            scales = [real(0.001, 0.02) for _ in range(channels)]
            weights = Tensor(
                shape, "int8", weights_of(*shape), (scales, [0] * channels, axis)
            )
            spread = np.broadcast_to(np.array(scales, np.float32), (o,))
            inputs, tolerance = [x.data, weights.data, bias.data, spread], 0
            record += (b"" if depthwise else struct.pack("<I", int(channels > 1))) + clamp
        expected = answer(op, name, options, [x, weights, bias, y], [0, 1, 2])
        return write_case(f"{base}_{kind}", record, inputs, expected, tolerance)
    dtype = "int8" if kind == "i8" else "uint8"
    offset = 0 if kind == "i8" else 128
    zero = lambda: whole(-128, 128) + offset
    channels = o if kind == "i8" and RNG.random() < 0.8 else 1
    x = Tensor(
        (n, h, w, c), dtype, bytes_of(dtype, n, h, w, c), ([real(0.01, 0.1)], [zero()], 0), True
    )
    scales = [real(0.001, 0.02) for _ in range(channels)]
    zeros = [0] * channels if kind == "i8" else [zero()]
    weights = Tensor(shape, dtype, bytes_of(dtype, *shape), (scales, zeros, axis))
    products = [float(np.float32(x.scales[0])) * float(np.float32(s)) for s in scales]
    bias = Tensor(
        (o,), "int32", RNG.integers(-3000, 3000, o).astype(np.int32),
        (products, [0] * channels, 0),
    )
    y = Tensor(y_shape, dtype, quant=([real(0.1, 0.6)], [zero()], 0))
    expected = answer(op, name, options, [x, weights, bias, y], [0, 1, 2])
    record += i8_tail(x, weights, y, activation)
    pairs = factors(x, weights, y, o, kind == "u8")
    inputs = [signed(x.data), signed(weights.data), bias.data, pairs]
    write_case(f"{base}_i8", record, inputs, signed(expected), 0)


def dense(kind):
    rows, i, o = whole(1, 5), whole(1, 50), whole(1, 40)
    activation = int(RNG.choice([0, 1, 3]))
    options = dict(FusedActivationFunction=activation)
    op, name = "FULLY_CONNECTED", "FullyConnectedOptions"
    clamp = struct.pack("<2f", *BOUNDS[activation])
    if kind == "i8":
        channels = o if RNG.random() < 0.3 else 1
        scales = [real(0.001, 0.02) for _ in range(channels)]
        w_zero = 0 if channels > 1 else int(RNG.choice([0, 0, 5]))
        x = Tensor(
            (rows, i), "int8", bytes_of("int8", rows, i),
            ([real(0.01, 0.1)], [whole(-128, 128)], 0), True,
        )
        weights = Tensor(
            (o, i), "int8", bytes_of("int8", o, i), (scales, [w_zero] * channels, 0)
        )
        bias = Tensor(
            (o,), "int32", RNG.integers(-3000, 3000, o).astype(np.int32),
            ([x.scales[0] * s for s in scales], [0] * channels, 0),
        )
        y = Tensor((rows, o), "int8", quant=([real(0.05, 0.6)], [whole(-128, 128)], 0))
        expected = answer(op, name, options, [x, weights, bias, y], [0, 1, 2])
        pairs = factors(x, weights, y, o, channels == 1)
        inputs = [x.data, weights.data, bias.data, pairs]
        return write_case("dense_i8", i8_tail(x, weights, y, activation), inputs, expected, 0)
    x = Tensor((rows, i), "float32", normal(rows, i), fed=True)
    bias, y = Tensor((o,), "float32", normal(o)), Tensor((rows, o), "float32")
    if kind == "f32":
        weights = Tensor((o, i), "float32", normal(o, i))
        expected = answer(op, name, options, [x, weights, bias, y], [0, 1, 2])
        inputs = [x.data, weights.data, bias.data]
        return write_case("dense_f32", clamp, inputs, expected, 2e-5)
    if RNG.random() < 0.3:
        x.data[0] = 0
    channels = o if RNG.random() < 0.3 else 1
    scales = [real(0.001, 0.02) for _ in range(channels)]
    weights = Tensor((o, i), "int8", weights_of(o, i), (scales, [0] * channels, 0))
    asymmetric = whole(0, 2)
    options["AsymmetricQuantizeInputs"] = bool(asymmetric)
    expected = answer(op, name, options, [x, weights, bias, y], [0, 1, 2])
    spread = np.broadcast_to(np.array(scales, np.float32), (o,))
    record = struct.pack("<I", asymmetric) + clamp
    write_case("dense_hybrid", record, [x.data, weights.data, bias.data, spread], expected, 0)


def some(dtype, *shape):
    return normal(*shape) if dtype == "float32" else bytes_of(dtype, *shape)


def pooling(dtype):
    n, h, w, c = whole(1, 3), whole(3, 9), whole(3, 9), whole(1, 40)
    size, stride = (whole(1, 4), whole(1, 4)), (whole(1, 3), whole(1, 3))
    valid, activation = whole(0, 2), int(RNG.choice([0, 1, 3]))
    output = [length((h, w)[i], size[i], stride[i], 1, valid) for i in (0, 1)]
    pad = [before(valid, (h, w)[i], size[i], stride[i], 1, output[i]) for i in (0, 1)]
    options = dict(
        Padding=valid, StrideH=stride[0], StrideW=stride[1], FilterHeight=size[0],
        FilterWidth=size[1], FusedActivationFunction=activation,
    )
    quant = None
    if dtype != "float32":
        quant = ([real(0.01, 0.1)], [whole(-100, 100) + (128 if dtype == "uint8" else 0)], 0)
    x = Tensor((n, h, w, c), dtype, some(dtype, n, h, w, c), quant, True)
    y = Tensor((n, *output, c), dtype, quant=quant)
    record = struct.pack("<11i", *stride, 1, 1, *pad, *size, 0, 0, 0)
    for op, base in (("AVERAGE_POOL_2D", "average_pool"), ("MAX_POOL_2D", "max_pool")):
        expected = answer(op, "Pool2DOptions", options, [x, y], [0])
        if dtype == "float32":
            whole_record = record + struct.pack("<2f", *BOUNDS[activation])
            write_case(base + "_f32", whole_record, [x.data], expected, 1e-6)
        else:
            bounds = stored_bounds(activation, quant[0][0], zero_of(x))
            whole_record = record + struct.pack("<3i", *bounds, int(dtype == "uint8"))
            write_case(base + "_i8", whole_record, [signed(x.data)], signed(expected), 0)


def rows():
    n, width = whole(1, 4), whole(1, 60)
    shape, beta = (n, width), float(RNG.choice([0.5, 1.0, 1.0, 2.0]))
    quant = ([real(0.001, 0.3)], [whole(-128, 128)], 0)
    x = Tensor(shape, "int8", bytes_of("int8", *shape), quant, True)
    scale = float(np.float32(quant[0][0]))

    def softmax_record(beta):
        multiplier, shift = requant(min(beta * scale * 2**26, 2.0**31 - 1))
        return struct.pack("<3i", multiplier, shift, -((31 << 26) >> shift)), multiplier, shift

    y = Tensor(shape, "int8", quant=([1 / 256], [-128], 0))
    expected = answer("SOFTMAX", "SoftmaxOptions", dict(Beta=beta), [x, y], [0])
    write_case("softmax_i8", softmax_record(beta)[0], [x.data], expected, 0)
    record, multiplier, shift = softmax_record(1.0)
    y = Tensor(shape, "int8", quant=([1 / 16], [127], 0))
    expected = answer("LOG_SOFTMAX", "LogSoftmaxOptions", {}, [x, y], [0])
    record += struct.pack("<2i", *requant((1 << (31 - shift)) / multiplier))
    write_case("log_softmax_i8", record, [x.data], expected, 0)
    y = Tensor(shape, "int8", quant=([1 / 128], [0], 0))
    expected = answer("L2_NORMALIZATION", "L2NormOptions", {}, [x, y], [0])
    write_case("l2_normalize_i8", struct.pack("<i", quant[1][0]), [x.data], expected, 0)

    x, y = Tensor(shape, "float32", normal(*shape) * 4, fed=True), Tensor(shape, "float32")
    expected = answer("SOFTMAX", "SoftmaxOptions", dict(Beta=1.0), [x, y], [0])
    write_case("softmax_f32", b"", [x.data], expected, 1e-6)
    expected = answer("LOG_SOFTMAX", "LogSoftmaxOptions", {}, [x, y], [0])
    write_case("log_softmax_f32", b"", [x.data], expected, 1e-6)
    expected = answer("L2_NORMALIZATION", "L2NormOptions", {}, [x, y], [0])
    write_case("l2_normalize_f32", struct.pack("<f", 1e-6), [x.data], expected, 1e-6)
    shape = (n, 1, 1, width)
    x, y = Tensor(shape, "float32", x.data.reshape(shape), fed=True), Tensor(shape, "float32")
    radius, alpha, beta, bias = whole(0, 5), real(0.01, 1), real(0.3, 1), real(0.5, 2)
    options = dict(Radius=radius, Alpha=alpha, Beta=beta, Bias=bias)
    name = "LocalResponseNormalizationOptions"
    expected = answer("LOCAL_RESPONSE_NORMALIZATION", name, options, [x, y], [0])
    record = struct.pack("<2I3f", radius, radius, alpha, beta, bias)
    write_case("lrn_f32", record, [x.data], expected, 1e-5)


def resizing(dtype):
    n, h, w, c = whole(1, 3), whole(1, 9), whole(1, 9), whole(1, 5)
    size = np.array([whole(1, 15), whole(1, 15)], np.int32)
    quant = None if dtype == "float32" else ([0.1], [3], 0)
    x = Tensor((n, h, w, c), dtype, some(dtype, n, h, w, c), quant, True)
    y = Tensor((n, *size, c), dtype, quant=quant)
    for corners, half in ((False, False), (True, False), (False, True)):
        options = dict(AlignCorners=corners, HalfPixelCenters=half)
        for linear in (True, False):
            op = "RESIZE_BILINEAR" if linear else "RESIZE_NEAREST_NEIGHBOR"
            name = "ResizeBilinearOptions" if linear else "ResizeNearestNeighborOptions"
            expected = answer(op, name, options, [x, Tensor((2,), "int32", size), y], [0, 1])
            coordinates = 2 if corners else (0 if linear else 4) if half else 1
            unsigned = int(linear and dtype == "uint8")
            rounding = 3 if corners else 0
            record = struct.pack("<II2fIfII", coordinates, rounding, 0, 0, 0, 0, 0, unsigned)
            if not linear:
                write_case("resize_nearest", record, [x.data], expected, 0)
            elif dtype == "float32":
                write_case("resize_linear_f32", record, [x.data], expected, 1e-6)
            else:
                write_case("resize_linear_i8", record, [signed(x.data)], signed(expected), 0)


def products(dtype):
    batch = [whole(1, 3) for _ in range(whole(0, 3))]
    m, k, n = whole(1, 9), whole(1, 9), whole(1, 9)
    a_flag, b_flag = whole(0, 2), whole(0, 2)
    a_shape = batch + ([k, m] if a_flag else [m, k])
    b_batch = [1] * len(batch) if RNG.random() < 0.3 else batch
    b_shape = b_batch + ([n, k] if b_flag else [k, n])
    quant = lambda low, high: (
        None if dtype == "float32" else ([real(low, high)], [whole(-50, 50)], 0)
    )
    a = Tensor(a_shape, dtype, some(dtype, *a_shape), quant(0.01, 0.1), True)
    b = Tensor(b_shape, dtype, some(dtype, *b_shape), quant(0.01, 0.1), True)
    y = Tensor(batch + [m, n], dtype, quant=quant(0.3, 1.0))
    options = dict(AdjX=bool(a_flag), AdjY=bool(b_flag))
    expected = answer("BATCH_MATMUL", "BatchMatMulOptions", options, [a, b, y], [0, 1])
    record = struct.pack("<2I", a_flag, b_flag)
    if dtype == "float32":
        record += struct.pack("<2f", -math.inf, math.inf)
        return write_case("matmul_f32", record, [a.data, b.data], expected, 1e-6)
    record += i8_tail(a, b, y, 0) + struct.pack("<2i", *factors(a, b, y, 1, True)[0])
    write_case("matmul_i8", record, [a.data, b.data], expected, 0)


def transposed(dtype):
    n, h, w, c, o = whole(1, 3), whole(1, 6), whole(1, 6), whole(1, 7), whole(1, 9)
    size, stride = (whole(1, 5), whole(1, 5)), (whole(1, 4), whole(1, 4))
    valid = whole(0, 2)
    full = [((h, w)[i] - 1) * stride[i] + size[i] for i in (0, 1)]
    output = full if valid else [h * stride[0], w * stride[1]]
    pad = [0 if valid else max(0, full[i] - output[i]) // 2 for i in (0, 1)]
    shape = (o, *size, c)
    options = dict(Padding=valid, StrideH=stride[0], StrideW=stride[1])
    y_shape = (n, *output, o)
    wanted = Tensor((4,), "int32", np.array(y_shape, np.int32))
    record = struct.pack("<7i", *stride, 1, 1, *pad, 1)
    op, name = "TRANSPOSE_CONV", "TransposeConvOptions"
    if dtype == "float32":
        x = Tensor((n, h, w, c), dtype, normal(n, h, w, c), fed=True)
        weights, bias = Tensor(shape, dtype, normal(*shape)), Tensor((o,), dtype, normal(o))
        tensors = [wanted, weights, x, bias, Tensor(y_shape, dtype)]
        expected = answer(op, name, options, tensors, [0, 1, 2, 3])
        record += struct.pack("<2f", *BOUNDS[0])
        inputs = [x.data, weights.data, bias.data]
        return write_case("conv_transpose2d_f32", record, inputs, expected, 1e-5)
    x = Tensor(
        (n, h, w, c), dtype, bytes_of(dtype, n, h, w, c),
        ([real(0.01, 0.1)], [whole(-128, 128)], 0), True,
    )
    scales = [real(0.001, 0.02) for _ in range(o)]
    weights = Tensor(shape, dtype, bytes_of(dtype, *shape), (scales, [0] * o, 0))
    bias = Tensor(
        (o,), "int32", RNG.integers(-3000, 3000, o).astype(np.int32),
        ([x.scales[0] * s for s in scales], [0] * o, 0),
    )
    y = Tensor(y_shape, dtype, quant=([real(0.1, 0.6)], [whole(-128, 128)], 0))
    expected = answer(op, name, options, [wanted, weights, x, bias, y], [0, 1, 2, 3])
    record += i8_tail(x, weights, y, 0)
    inputs = [x.data, weights.data, bias.data, factors(x, weights, y, o, False)]
    write_case("conv_transpose2d_i8", record, inputs, expected, 0)


for _ in range(ROUNDS):
    for kind in ("f32", "i8", "u8", "hybrid"):
        convolution(kind, False)
        convolution(kind, True)
    for kind in ("f32", "i8", "hybrid"):
        dense(kind)
    for dtype in ("float32", "int8", "uint8"):
        pooling(dtype)
    rows()
    for dtype in ("float32", "int8"):
        products(dtype)
        transposed(dtype)
for dtype in ("float32", "int8", "uint8"):
    resizing(dtype)
    resizing(dtype)
print(COUNT, "cases")
