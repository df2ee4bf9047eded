"""Writes a bundle of one-operator TFLite models with random shapes, scales and inputs, and what
TFLM computes for them (where TFLM refuses a model, LiteRT's reference kernels).

    python3 -m pip install ai-edge-litert flatbuffers numpy tflite tflite-micro
    python3 make.py ops.bin FIRST_SEED COUNT

Format, all numbers little-endian u32: for each case the length and bytes of its name, of the model,
the number of inputs, the length and bytes of each, the number of outputs, the length and bytes of
each. Building and testing Embarca does not need this script.
"""

import os
import struct
import sys

import flatbuffers
import numpy as np
import tflite

TYPES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
RANGE = {"int8": (-128, 127), "int16": (-32768, 32767), "uint8": (0, 255)}


class T:
    """A tensor: constant when `data` is given, fed when `fed` is, else a result."""

    def __init__(self, shape, dtype, scale=None, zero=0, data=None, fed=None, axis=0, variable=False):
        self.shape, self.dtype, self.axis = [int(d) for d in shape], dtype, axis
        self.scales = [] if scale is None else np.atleast_1d(scale).astype(np.float32).tolist()
        self.zeros = [] if scale is None else np.broadcast_to(zero, len(self.scales)).tolist()
        self.data, self.fed, self.variable = data, fed, variable


def build(op, tensors, inputs, outputs, options=None, fields=None, version=1):
    """The bytes of a model; -1 among the inputs is one that is left out."""
    b = flatbuffers.Builder(1 << 14)

    def numbers(values, size, prepend):
        b.StartVector(size, len(values), size)
        for value in reversed(values):
            prepend(value)
        return b.EndVector()

    ints = lambda values: numbers([int(v) for v in values], 4, b.PrependInt32)
    offsets = lambda values: numbers(values, 4, b.PrependUOffsetTRelative)
    buffers, tables = [None], []
    for index, t in enumerate(tensors):
        buffer = 0
        if t.data is not None:
            buffers.append(np.ascontiguousarray(t.data).tobytes())
            buffer = len(buffers) - 1
        name, shape, quant = b.CreateString(f"t{index}"), ints(t.shape), None
        if t.scales:
            scales = numbers(t.scales, 4, b.PrependFloat32)
            zeros = numbers([int(z) for z in t.zeros], 8, b.PrependInt64)
            tflite.QuantizationParametersStart(b)
            tflite.QuantizationParametersAddScale(b, scales)
            tflite.QuantizationParametersAddZeroPoint(b, zeros)
            tflite.QuantizationParametersAddQuantizedDimension(b, t.axis)
            quant = tflite.QuantizationParametersEnd(b)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, shape)
        tflite.TensorAddType(b, TYPES[t.dtype])
        tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddName(b, name)
        tflite.TensorAddIsVariable(b, t.variable)
        if quant is not None:
            tflite.TensorAddQuantization(b, quant)
        tables.append(tflite.TensorEnd(b))
    tables = offsets(tables)
    made = None
    if options:
        fields = {k: ints(v) if isinstance(v, list) else v for k, v in (fields or {}).items()}
        getattr(tflite, options + "Start")(b)
        for key, value in fields.items():
            getattr(tflite, options + "Add" + key)(b, value)
        made = getattr(tflite, options + "End")(b)
    op_inputs, op_outputs = ints(inputs), ints(outputs)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, 0)
    tflite.OperatorAddInputs(b, op_inputs)
    tflite.OperatorAddOutputs(b, op_outputs)
    if options:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, options))
        tflite.OperatorAddBuiltinOptions(b, made)
    operators = offsets([tflite.OperatorEnd(b)])
    graph_inputs = ints([i for i, t in enumerate(tensors) if t.fed is not None])
    graph_outputs = ints(outputs)
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
    tflite.OperatorCodeAddVersion(b, version)
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


class Draw:
    """Random pieces of a model."""

    def __init__(self, seed):
        self.r = np.random.default_rng(seed)

    def int(self, low, high):
        return int(self.r.integers(low, high + 1))

    def pick(self, items):
        return items[int(self.r.integers(len(items)))]

    def scale(self, low=0.002, high=0.2):
        return np.float32(np.exp(self.r.uniform(np.log(low), np.log(high))))

    def zero(self, dtype):
        if dtype == "int16":
            return 0
        low, high = RANGE[dtype]
        return self.pick([0, low, high, self.int(low, high), self.int(-20, 20) if low < 0 else 128])

    def fill(self, shape, dtype):
        low, high = RANGE[dtype]
        x = self.r.integers(low, high + 1, shape)
        if self.r.random() < 0.3:
            x = np.clip(np.round(self.r.normal(0, high / 6, shape)), low, high)
        return np.asarray(x).astype(dtype)

    def x(self, shape, dtype, scale=None, zero=None):
        scale = self.scale() if scale is None else scale
        if dtype == "int16" and scale > 0.01:
            scale = np.float32(scale / 200)
        zero = self.zero(dtype) if zero is None else zero
        return T(shape, dtype, scale, zero, fed=self.fill(shape, dtype))

    def y(self, shape, dtype, scale=None, zero=None):
        t = self.x(shape, dtype, scale, zero)
        t.fed = None
        return t

    def like(self, t, shape=None):
        return T(shape or t.shape, t.dtype, t.scales[0] if t.scales else None, t.zeros[0] if t.zeros else 0)

    def shape(self, rank=None, most=6):
        return [self.int(1, most) for _ in range(rank or self.int(1, 4))]


def ints(values, dtype="int32"):
    values = np.array(values, dtype)
    return T(values.shape, dtype, data=values)


def convolution(d, op, dtype):
    depthwise = op == "DEPTHWISE_CONV_2D"
    n, h, w, c = d.int(1, 2), d.int(3, 9), d.int(3, 9), d.int(1, 9)
    kh, kw = d.int(1, 3), d.int(1, 3)
    m = d.int(1, 3) if depthwise else 0
    o = c * m if depthwise else d.int(1, 9)
    groups = 1
    if not depthwise and d.r.random() < 0.15:
        groups = d.int(1, 3)
        c, o = c * groups, o * groups
    sh, sw = d.int(1, 3), d.int(1, 3)
    dh, dw = (d.int(1, 2), d.int(1, 2)) if d.r.random() < 0.3 else (1, 1)
    same = d.int(0, 1)
    eh, ew = (kh - 1) * dh + 1, (kw - 1) * dw + 1
    if not same and (h < eh or w < ew):
        same = 1
    oh, ow = (-(-h // sh), -(-w // sw)) if same else (-(-(h - eh + 1) // sh), -(-(w - ew + 1) // sw))
    x = d.x([n, h, w, c], dtype)
    w_shape = [1, kh, kw, o] if depthwise else [o, kh, kw, c // groups]
    axis = 3 if depthwise else 0
    scales = np.array([d.scale(0.001, 0.02) for _ in range(o)]) if d.r.random() < 0.8 else d.scale(0.001, 0.02)
    weights = np.clip(d.fill(w_shape, "int8"), -127, 127)
    wt = T(w_shape, "int8", scales, 0, data=weights, axis=axis)
    y = d.y([n, oh, ow, o], dtype)
    tensors, inputs = [x, wt], [0, 1]
    if d.r.random() < 0.8:
        wide = dtype == "int16" and (depthwise or d.r.random() < 0.7)
        kind = "int64" if wide else "int32"
        bias = d.r.integers(-3000, 3000, o).astype(kind)
        tensors.append(T([o], kind, np.float32(x.scales[0]) * np.atleast_1d(scales).astype(np.float32), 0, data=bias))
        inputs.append(2)
    tensors.append(y)
    fields = dict(Padding=0 if same else 1, StrideW=sw, StrideH=sh, DilationWFactor=dw, DilationHFactor=dh,
                  FusedActivationFunction=d.pick([0, 0, 1, 2, 3]))
    if depthwise:
        fields["DepthMultiplier"] = m
    name = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
    return op, tensors, inputs, [len(tensors) - 1], name, fields, 3


def transposed(d, op, dtype):
    n, h, w, c, o = d.int(1, 2), d.int(1, 6), d.int(1, 6), d.int(1, 6), d.int(1, 6)
    kh, kw, sh, sw = d.int(1, 4), d.int(1, 4), d.int(1, 3), d.int(1, 3)
    same = d.int(0, 1)
    oh, ow = (h * sh, w * sw) if same else ((h - 1) * sh + max(kh, sh), (w - 1) * sw + max(kw, sw))
    if not same:
        oh, ow = (h - 1) * sh + kh, (w - 1) * sw + kw
    x = d.x([n, h, w, c], dtype)
    scales = np.array([d.scale(0.001, 0.02) for _ in range(o)]) if d.r.random() < 0.8 else d.scale(0.001, 0.02)
    wt = T([o, kh, kw, c], "int8", scales, 0, data=np.clip(d.fill([o, kh, kw, c], "int8"), -127, 127))
    tensors, inputs = [ints([n, oh, ow, o]), wt, x], [0, 1, 2]
    if d.r.random() < 0.7:
        kind = "int64" if dtype == "int16" else "int32"
        bias = d.r.integers(-3000, 3000, o).astype(kind)
        tensors.append(T([o], kind, np.float32(x.scales[0]) * np.atleast_1d(scales).astype(np.float32), 0, data=bias))
        inputs.append(3)
    tensors.append(d.y([n, oh, ow, o], dtype))
    fields = dict(Padding=0 if same else 1, StrideW=sw, StrideH=sh, FusedActivationFunction=d.pick([0, 0, 1, 3]))
    return op, tensors, inputs, [len(tensors) - 1], "TransposeConvOptions", fields, 3


def dense(d, op, dtype):
    rows, i, o = d.int(1, 5), d.int(1, 40), d.int(1, 12)
    x = d.x([rows, i], dtype)
    per_channel = d.r.random() < 0.3
    scales = np.array([d.scale(0.001, 0.02) for _ in range(o)]) if per_channel else d.scale(0.001, 0.02)
    wt = T([o, i], "int8", scales, 0, data=np.clip(d.fill([o, i], "int8"), -127, 127))
    tensors, inputs = [x, wt], [0, 1]
    if d.r.random() < 0.7:
        kind = "int64" if dtype == "int16" and d.r.random() < 0.7 else "int32"
        bias = d.r.integers(-3000, 3000, o).astype(kind)
        tensors.append(T([o], kind, np.float32(x.scales[0]) * np.atleast_1d(scales).astype(np.float32), 0, data=bias))
        inputs.append(2)
    else:
        inputs.append(-1)
    tensors.append(d.y([rows, o], dtype))
    fields = dict(FusedActivationFunction=d.pick([0, 0, 1, 2, 3]))
    return op, tensors, inputs, [len(tensors) - 1], "FullyConnectedOptions", fields, 4


def binary(d, op, dtype):
    shape = d.shape()
    other = list(shape)
    if d.r.random() < 0.4:
        for i in range(len(other)):
            if d.r.random() < 0.5:
                other[i] = 1
        if d.r.random() < 0.5:
            other = other[d.int(0, len(other) - 1):]
    a, b = d.x(shape, dtype), d.x(other, dtype)
    if op in ("MAXIMUM", "MINIMUM"):
        b = d.x(other, dtype, a.scales[0], a.zeros[0])
        y = d.y(shape, dtype, a.scales[0], a.zeros[0])
    else:
        y = d.y(shape, dtype)
    if op == "DIV":
        b.fed[b.fed == b.zeros[0]] += 1
        # Below a factor of 2^7 the references shift small dividends out of the register, which C
        # leaves undefined.
        y.scales = [a.scales[0] / b.scales[0] / float(d.r.uniform(128, 1000))]
    pair = [a, b] if d.r.random() < 0.5 or other != shape else [a, b]
    options = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions",
               "SQUARED_DIFFERENCE": "SquaredDifferenceOptions", "MAXIMUM": "MaximumMinimumOptions",
               "MINIMUM": "MaximumMinimumOptions"}[op]
    fields = {}
    if op in ("ADD", "SUB", "MUL", "DIV"):
        fields["FusedActivationFunction"] = d.pick([0, 0, 0, 1, 2, 3])
    if op in ("ADD", "SUB"):
        fields["PotScaleInt16"] = False
    return op, [*pair, y], [0, 1], [2], options, fields, 2


def compare(d, op, dtype):
    shape = d.shape()
    a = d.x(shape, dtype)
    b = d.x(shape, dtype) if d.r.random() < 0.6 else d.x(shape, dtype, a.scales[0], a.zeros[0])
    name = {"EQUAL": "EqualOptions", "NOT_EQUAL": "NotEqualOptions", "LESS": "LessOptions", "GREATER": "GreaterOptions",
            "LESS_EQUAL": "LessEqualOptions", "GREATER_EQUAL": "GreaterEqualOptions"}[op]
    return op, [a, b, T(shape, "bool")], [0, 1], [2], name, {}, 2


def pool(d, op, dtype):
    n, h, w, c = d.int(1, 2), d.int(2, 9), d.int(2, 9), d.int(1, 20)
    kh, kw, sh, sw = d.int(1, min(4, h)), d.int(1, min(4, w)), d.int(1, 3), d.int(1, 3)
    same = d.int(0, 1)
    oh, ow = (-(-h // sh), -(-w // sw)) if same else (-(-(h - kh + 1) // sh), -(-(w - kw + 1) // sw))
    x = d.x([n, h, w, c], dtype)
    fields = dict(Padding=0 if same else 1, StrideW=sw, StrideH=sh, FilterWidth=kw, FilterHeight=kh,
                  FusedActivationFunction=d.pick([0, 0, 1, 3]))
    return op, [x, d.like(x, [n, oh, ow, c])], [0], [1], "Pool2DOptions", fields, 2


def unary(d, op, dtype):
    shape = d.shape(most=9)
    x = d.x(shape, dtype)
    wide = dtype == "int16"
    fields, options = {}, None
    if op in ("LOGISTIC", "TANH"):
        if wide and d.r.random() < 0.5:
            x.scales = [2.0 ** d.pick([-12, -11, -13, -15])]
        low, zero = (1 / 32768, 0) if wide else ((1 / 256, -128) if op == "LOGISTIC" else (1 / 128, 0))
        y = T(shape, dtype, low, zero)
    elif op in ("SOFTMAX", "LOG_SOFTMAX"):
        options = op.title().replace("_", "") + "Options"
        if op == "SOFTMAX":
            fields["Beta"] = float(d.pick([1.0, 1.0, 0.5, 2.0]))
            y = T(shape, dtype, *((1 / 32768, 0) if wide else (1 / 256, -128)))
        else:
            y = T(shape, dtype, 16 / 256, 127)
    elif op == "LEAKY_RELU":
        options, fields["Alpha"] = "LeakyReluOptions", float(d.r.uniform(-0.5, 1.2))
        y = d.y(shape, dtype)
    elif op == "RELU6":
        x.scales = [float(6 / 255 * d.r.uniform(0.5, 3) / (200 if wide else 1))]
        y = d.like(x)
    elif op in ("ABS", "RELU", "HARD_SWISH", "ELU", "EXP", "LOG", "RSQRT", "SQRT", "GELU", "NEG", "SQUARE"):
        options = {"ABS": "AbsOptions", "HARD_SWISH": "HardSwishOptions", "EXP": "ExpOptions", "GELU": "GeluOptions",
                   "NEG": "NegOptions"}.get(op)
        y = d.like(x) if d.r.random() < 0.3 else d.y(shape, dtype)
        if op in ("RSQRT", "LOG", "SQRT"):
            x.zeros = [0 if wide else -128]
            x.fed = np.abs(x.fed.astype(np.int32)).clip(1 if op == "LOG" else 0, RANGE[dtype][1]).astype(dtype)
        if op == "GELU":
            fields["Approximate"] = bool(d.int(0, 1))
    elif op == "L2_NORMALIZATION":
        options = "L2NormOptions"
        y = T(shape, dtype, 1 / 128, 0)
    else:
        raise ValueError(op)
    return op, [x, y], [0], [1], options, fields, 2


def prelu(d, op, dtype):
    n, h, w, c = [d.int(1, 4) for _ in range(4)]
    x, y = d.x([n, h, w, c], dtype), d.y([n, h, w, c], dtype)
    slope = [1, 1, c] if d.int(0, 1) else [h, w, c]
    a = T(slope, "int8", d.scale(), d.zero("int8"), data=d.fill(slope, "int8"))
    return op, [x, a, y], [0, 1], [2], None, {}, 1


def reduce(d, op, dtype):
    shape = d.shape(d.int(2, 4))
    axes = sorted(d.r.choice(len(shape), d.int(1, len(shape)), replace=False).tolist())
    keep = bool(d.int(0, 1))
    left = [1 if i in axes else v for i, v in enumerate(shape) if keep or i not in axes]
    if not left:
        keep, left = True, [1] * len(shape)
    x = d.x(shape, dtype)
    y = d.like(x, left) if op.startswith("REDUCE") or d.r.random() < 0.2 else d.y(left, dtype)
    return op, [x, ints(axes), y], [0, 1], [2], "ReducerOptions", dict(KeepDims=keep), 2


def requantize(d, op, dtype):
    a, b = d.pick([("int8", "int8"), ("int8", "int16"), ("int16", "int8"), ("int16", "int16"), ("int16", "int32"),
                   ("int8", "int32"), ("float32", "int8"), ("float32", "int16"), ("uint8", "int8"), ("int8", "uint8"),
                   ("float32", "uint8")])
    shape = d.shape(most=9)
    if a == "float32":
        x = T(shape, a, fed=(d.r.normal(0, 2, shape)).astype(np.float32))
    else:
        x = d.x(shape, a)
    y = T(shape, b, d.scale(1e-5, 1e-3), 0) if b == "int32" else d.y(shape, b)
    return op, [x, y], [0], [1], "QuantizeOptions", {}, 1


def dequantize(d, op, dtype):
    shape = d.shape(most=9)
    return op, [d.x(shape, dtype), T(shape, "float32")], [0], [1], "DequantizeOptions", {}, 2


def pad(d, op, dtype):
    shape = d.shape(d.int(1, 4))
    x = d.x(shape, dtype)
    most = [2 if op != "MIRROR_PAD" else min(2, v - 1) for v in shape]
    pads = [[d.int(0, m), d.int(0, m)] for m in most]
    y = d.like(x, [v + a + b for v, (a, b) in zip(shape, pads)])
    if op == "PADV2":
        value = T([], dtype, x.scales[0], x.zeros[0], data=d.fill([], dtype))
        return op, [x, ints(pads), value, y], [0, 1, 2], [3], "PadV2Options", {}, 2
    options = "MirrorPadOptions" if op == "MIRROR_PAD" else "PadOptions"
    fields = dict(Mode=d.int(0, 1)) if op == "MIRROR_PAD" else {}
    return op, [x, ints(pads), y], [0, 1], [2], options, fields, 2


def concat(d, op, dtype):
    shape, count = d.shape(d.int(1, 4)), d.int(2, 4)
    axis = d.int(0, len(shape) - 1)
    first = d.x(shape, dtype)
    tensors = [first]
    for _ in range(count - 1):
        other = list(shape)
        other[axis] = d.int(1, 5)
        tensors.append(d.x(other, dtype, first.scales[0], first.zeros[0]))
    whole = list(shape)
    whole[axis] = sum(t.shape[axis] for t in tensors)
    tensors.append(d.like(first, whole))
    return op, tensors, list(range(count)), [count], "ConcatenationOptions", dict(Axis=axis), 2


def strided(d, op, dtype):
    shape = d.shape(d.int(1, 4), 7)
    x = d.x(shape, dtype)
    begin, end, step, out = [], [], [], []
    for v in shape:
        s = d.pick([1, 1, 1, 2, -1])
        a, b = sorted([d.int(0, v), d.int(0, v)])
        if a == b:
            a, b = 0, v
        if s < 0:
            a, b = b - 1, a - 1
            if b < 0:
                b = -v - 1
        begin.append(a), end.append(b), step.append(s)
        out.append(len(range(v)[slice(a, b, s)]))
    if 0 in out:
        begin, end, step, out = [0] * len(shape), shape, [1] * len(shape), shape
    return op, [x, ints(begin), ints(end), ints(step), d.like(x, out)], [0, 1, 2, 3], [4], "StridedSliceOptions", {}, 2


def moves(d, op, dtype):
    shape = d.shape(4, 4)
    x = d.x(shape, dtype)
    if op == "TRANSPOSE":
        perm = d.r.permutation(4).tolist()
        return op, [x, ints(perm), d.like(x, [shape[p] for p in perm])], [0, 1], [2], "TransposeOptions", {}, 2
    if op == "RESHAPE":
        size = int(np.prod(shape))
        return op, [x, ints([size]), d.like(x, [size])], [0, 1], [2], "ReshapeOptions", dict(NewShape=[size]), 1
    if op == "SPLIT":
        shape[3] *= 2
        x = d.x(shape, dtype)
        half = d.like(x, shape[:3] + [shape[3] // 2])
        return op, [ints(3), x, half, d.like(x, half.shape)], [0, 1], [2, 3], "SplitOptions", dict(NumSplits=2), 2
    if op == "PACK":
        y = d.like(x, [2] + shape[:3])
        a, b = d.x(shape[:3], dtype, x.scales[0], x.zeros[0]), d.x(shape[:3], dtype, x.scales[0], x.zeros[0])
        return op, [a, b, y], [0, 1], [2], "PackOptions", dict(Axis=0, ValuesCount=2), 2
    if op == "SPACE_TO_DEPTH":
        shape[1] *= 2
        shape[2] *= 2
        x = d.x(shape, dtype)
        y = d.like(x, [shape[0], shape[1] // 2, shape[2] // 2, shape[3] * 4])
        return op, [x, y], [0], [1], "SpaceToDepthOptions", dict(BlockSize=2), 2
    if op == "DEPTH_TO_SPACE":
        shape[3] *= 4
        x = d.x(shape, dtype)
        y = d.like(x, [shape[0], shape[1] * 2, shape[2] * 2, shape[3] // 4])
        return op, [x, y], [0], [1], "DepthToSpaceOptions", dict(BlockSize=2), 2
    if op in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        size = [d.int(1, 9), d.int(1, 9)]
        y = d.like(x, [shape[0], *size, shape[3]])
        mode = d.pick([dict(), dict(AlignCorners=True), dict(HalfPixelCenters=True)])
        name = "ResizeBilinearOptions" if "BIL" in op else "ResizeNearestNeighborOptions"
        return op, [x, ints(size), y], [0, 1], [2], name, mode, 3
    if op == "GATHER":
        count = d.int(1, 5)
        axis = d.int(0, 3)
        out = list(shape)
        out[axis] = count
        index = d.r.integers(0, shape[axis], count)
        return op, [x, ints(index), d.like(x, out)], [0, 1], [2], "GatherOptions", dict(Axis=axis), 2
    if op in ("ARG_MAX", "ARG_MIN"):
        axis = d.int(0, 3)
        out = [v for i, v in enumerate(shape) if i != axis]
        name = "ArgMaxOptions" if op == "ARG_MAX" else "ArgMinOptions"
        return op, [x, ints(axis), T(out, "int32")], [0, 1], [2], name, dict(OutputType=2), 2
    if op == "SLICE":
        begin = [d.int(0, v - 1) for v in shape]
        size = [d.int(1, v - a) for v, a in zip(shape, begin)]
        return op, [x, ints(begin), ints(size), d.like(x, size)], [0, 1, 2], [3], "SliceOptions", {}, 2
    if op == "TILE":
        times = [d.int(1, 2) for _ in shape]
        return op, [x, ints(times), d.like(x, [v * t for v, t in zip(shape, times)])], [0, 1], [2], "TileOptions", {}, 2
    raise ValueError(op)


def product(d, op, dtype):
    batch, m, k, n = d.int(1, 3), d.int(1, 6), d.int(1, 20), d.int(1, 6)
    left, right = d.int(0, 1), d.int(0, 1)
    a = d.x([batch, k, m] if left else [batch, m, k], dtype)
    b = d.x([batch, n, k] if right else [batch, k, n], dtype)
    fields = dict(AdjX=bool(left), AdjY=bool(right))
    return op, [a, b, d.y([batch, m, n], dtype)], [0, 1], [2], "BatchMatMulOptions", fields, 3


def svdf(d, op, dtype):
    n, i, rank, units, memory = d.int(1, 2), d.int(1, 8), d.int(1, 2), d.int(1, 4), d.int(1, 6)
    filters = rank * units
    x = d.x([n, i], "int8")
    state_type = d.pick(["int8", "int16"])
    wf = T([filters, i], "int8", d.scale(0.002, 0.02), 0, data=d.fill([filters, i], "int8"))
    wt = T([filters, memory], state_type, d.scale(0.001, 0.01), 0, data=d.fill([filters, memory], state_type))
    state = T([n, filters * memory], state_type, d.scale(0.01, 0.1), 0, variable=True)
    both = np.float32(state.scales[0]) * np.float32(wt.scales[0])
    bias = T([units], "int32", both, 0, data=d.r.integers(-500, 500, units).astype("int32"))
    y = d.y([n, units], "int8")
    return op, [x, wf, wt, bias, state, y], [0, 1, 2, 3, 4], [5], "SVDFOptions", dict(Rank=rank, FusedActivationFunction=1), 3


def lstm(d, op, dtype):
    n, t, i, h = d.int(1, 2), d.int(1, 4), d.int(1, 6), d.int(1, 5)
    major = bool(d.int(0, 1))
    x = d.x([t, n, i] if major else [n, t, i], dtype, d.scale(0.005, 0.02))
    tensors, inputs = [x], [0]
    add = lambda tensor: (tensors.append(tensor), inputs.append(len(tensors) - 1))
    for width in (i, h):
        for _ in range(4):
            add(T([h, width], "int8", d.scale(0.002, 0.02), 0, data=np.clip(d.fill([h, width], "int8"), -127, 127)))
    inputs += [-1, -1, -1]
    kind = "int64" if dtype == "int16" else "int32"
    for gate in range(4):
        scale = np.float32(x.scales[0]) * np.float32(tensors[1 + gate].scales[0])
        add(T([h], kind, scale, 0, data=d.r.integers(-3000, 3000, h).astype(kind)))
    inputs += [-1, -1]
    state = T([n, h], dtype, *((1 / 32768, 0) if dtype == "int16" else (1 / 128, d.int(-10, 10))), variable=True)
    add(state)
    add(T([n, h], "int16", 2.0 ** d.pick([-11, -12, -10, -13]), 0, variable=True))
    inputs += [-1, -1, -1, -1]
    tensors.append(T([t, n, h] if major else [n, t, h], dtype, state.scales[0], state.zeros[0]))
    fields = dict(TimeMajor=major, FusedActivationFunction=4, CellClip=float(d.pick([0.0, 0.0, 1.0, 3.0])))
    return op, tensors, inputs, [len(tensors) - 1], "UnidirectionalSequenceLSTMOptions", fields, 3


GENERATORS = [
    *[(convolution, "CONV_2D")] * 4, *[(convolution, "DEPTHWISE_CONV_2D")] * 4, *[(transposed, "TRANSPOSE_CONV")] * 3,
    *[(dense, "FULLY_CONNECTED")] * 4,
    *[(binary, op) for op in ("ADD", "ADD", "SUB", "SUB", "MUL", "MUL", "SQUARED_DIFFERENCE", "MAXIMUM", "MINIMUM", "DIV")],
    *[(compare, op) for op in ("EQUAL", "NOT_EQUAL", "LESS", "GREATER", "LESS_EQUAL", "GREATER_EQUAL")],
    *[(pool, op) for op in ("AVERAGE_POOL_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D")],
    *[(unary, op) for op in ("LOGISTIC", "TANH", "SOFTMAX", "SOFTMAX", "LOG_SOFTMAX", "LEAKY_RELU", "RELU6", "ABS", "RELU",
                             "HARD_SWISH", "ELU", "EXP", "LOG", "RSQRT", "SQRT", "GELU", "L2_NORMALIZATION")],
    (prelu, "PRELU"), *[(reduce, op) for op in ("MEAN", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")],
    *[(requantize, "QUANTIZE")] * 3, (dequantize, "DEQUANTIZE"), *[(pad, op) for op in ("PAD", "PADV2", "MIRROR_PAD")],
    (concat, "CONCATENATION"), (strided, "STRIDED_SLICE"),
    *[(moves, op) for op in ("TRANSPOSE", "RESHAPE", "SPLIT", "PACK", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "RESIZE_BILINEAR",
                             "RESIZE_NEAREST_NEIGHBOR", "GATHER", "ARG_MAX", "ARG_MIN", "SLICE", "TILE")],
    *[(product, "BATCH_MATMUL")] * 2, *[(svdf, "SVDF")] * 2, *[(lstm, "UNIDIRECTIONAL_SEQUENCE_LSTM")] * 2,
]


def answer(op, model, tensors, outputs):
    """The outputs and who computed them; `None` where neither runs the model."""
    feeds = [t.fed for t in tensors if t.fed is not None]
    # TFLM leaves the scales of 16-bit comparisons unset; its wheel differs from the published
    # results of 16-bit leaky ReLU, which LiteRT's kernel gives.
    other = tensors[0].dtype == "int16" and (tensors[-1].dtype == "bool" or op == "LEAKY_RELU")
    try:
        if other:
            raise ValueError
        from tflite_micro.python.tflite_micro import runtime

        interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
        for index, data in enumerate(feeds):
            interpreter.set_input(data, index)
        interpreter.invoke()
        return [interpreter.get_output(i) for i in range(len(outputs))], "tflm"
    except Exception:
        pass
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        interpreter.allocate_tensors()
        for detail, data in zip(interpreter.get_input_details(), feeds):
            interpreter.set_tensor(detail["index"], data)
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()], "litert"
    except Exception:
        return None, None


def case(seed):
    d = Draw(seed)
    make, op = d.pick(GENERATORS)
    dtype = d.pick(["int8", "int8", "int16"])
    op, tensors, inputs, outputs, options, fields, version = make(d, op, dtype)
    model = build(op, tensors, inputs, outputs, options, fields, version)
    results, who = answer(op, model, tensors, outputs)
    if results is None:
        return b""
    out = bytearray()
    piece = lambda data: out.extend(struct.pack("<I", len(data)) + data)
    piece(f"{op} {tensors[-1].dtype} {who} {seed}".encode())
    piece(model)
    feeds = [t.fed for t in tensors if t.fed is not None]
    for group in (feeds, results):
        out.extend(struct.pack("<I", len(group)))
        for data in group:
            piece(np.ascontiguousarray(data).tobytes())
    return bytes(out)


def main():
    path, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(path, "wb") as out:
        seed = first
        # A reference that ends its process takes a child with it, not the bundle.
        while seed < first + count:
            read, write = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(read)
                sys.stderr.flush()
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                with os.fdopen(write, "wb") as pipe:
                    for at in range(seed, min(seed + 100, first + count)):
                        data = case(at)
                        pipe.write(struct.pack("<I", len(data)) + data)
                        pipe.flush()
                os._exit(0)
            os.close(write)
            with os.fdopen(read, "rb") as pipe:
                while True:
                    head = pipe.read(4)
                    if len(head) < 4:
                        break
                    data = pipe.read(struct.unpack("<I", head)[0])
                    out.write(data)
                    seed += 1
            _, status = os.waitpid(child, 0)
            if status != 0:
                print("seed", seed, "ends the reference", file=sys.stderr)
                seed += 1


if __name__ == "__main__":
    main()
