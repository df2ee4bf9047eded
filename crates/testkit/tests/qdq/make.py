"""Makes the quantized ONNX models of this folder and what ONNX Runtime 1.23 computes of them.

Needs numpy, onnx and onnxruntime; the tests need none of them. Each model is run with all of ONNX
Runtime's graph optimizations and with none: both give the same numbers, or the script stops.
"""

import os

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

rng = np.random.default_rng(7)
TYPES = {"u8": (T.UINT8, np.uint8, 0, 255), "i8": (T.INT8, np.int8, -128, 127)}
MS = {"domain": "com.microsoft"}


class Graph:
    """Nodes and constants under construction; `act` and `wt` are u8 or i8."""

    def __init__(self, act, wt, per_channel):
        self.nodes, self.consts, self.count = [], [], 0
        self.act, self.wt, self.per_channel = TYPES[act], TYPES[wt], per_channel

    def name(self, prefix="t"):
        self.count += 1
        return f"{prefix}{self.count}"

    def const(self, array):
        name = self.name("c")
        self.consts.append(nh.from_array(np.asarray(array), name))
        return name

    def op(self, kind, inputs, outputs=1, **attrs):
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(h.make_node(kind, inputs, names, name="n_" + names[0], **attrs))
        return names[0] if outputs == 1 else names

    def quant(self, scale=None, zero=None):
        _, dtype, low, high = self.act
        scale = rng.uniform(0.01, 0.05) if scale is None else scale
        zero = rng.integers(low + 40, high - 40) if zero is None else zero
        return np.float32(scale), dtype(zero)

    def pair(self, quant):
        return [self.const(quant[0]), self.const(quant[1])]

    def qdq(self, x, quant=None):
        quant = quant or self.quant()
        stored = self.op("QuantizeLinear", [x] + self.pair(quant))
        return self.op("DequantizeLinear", [stored] + self.pair(quant)), quant

    def stored_weights(self, shape, axis):
        _, dtype, low, high = self.wt
        w = rng.integers(low, high + 1, shape).astype(dtype)
        middle = 128 if low == 0 else 0
        if self.per_channel:
            scales = rng.uniform(0.002, 0.01, shape[axis]).astype(np.float32)
            zeros = np.full(shape[axis], middle, dtype)
        else:
            scales = np.float32(rng.uniform(0.002, 0.01))
            zeros = dtype(middle + rng.integers(-9, 9) if low == 0 else 0)
        return [self.const(w), self.const(scales), self.const(zeros)], scales

    def weights(self, shape, axis=0):
        stored, scales = self.stored_weights(shape, axis)
        attrs = {"axis": axis} if self.per_channel else {}
        return self.op("DequantizeLinear", stored, **attrs), scales

    def stored_bias(self, count):
        return self.const(rng.integers(-3000, 3000, count).astype(np.int32))

    def bias(self, count, x_scale, w_scales):
        scales = (x_scale * np.asarray(w_scales, np.float32)).astype(np.float32)
        zeros = np.zeros(scales.shape, np.int32)
        inputs = [self.stored_bias(count), self.const(scales), self.const(zeros)]
        return self.op("DequantizeLinear", inputs, **({"axis": 0} if self.per_channel else {}))

    def conv(self, x, quant, c_in, c_out, k=3, group=1, relu=False, **attrs):
        w, scales = self.weights((c_out, c_in // group, k, k))
        b = self.bias(c_out, quant[0], scales)
        y = self.op("Conv", [x, w, b], group=group, kernel_shape=[k, k], **attrs)
        if relu:
            y = self.op("Relu", [y])
        return self.qdq(y, self.quant(rng.uniform(0.05, 0.2), self.act[2] if relu else None))

    def model(self, dims, dtype, y, y_type):
        inputs = [h.make_tensor_value_info("x", dtype, dims)]
        outputs = [h.make_tensor_value_info(y, y_type, None)]
        graph = h.make_graph(self.nodes, "g", inputs, outputs, self.consts)
        opsets = [h.make_opsetid("", 17), h.make_opsetid("com.microsoft", 1)]
        model = h.make_model(graph, opset_imports=opsets)
        model.ir_version = 8
        return model


def conv(g):
    x, q = g.qdq("x")
    y, q = g.conv(x, q, 4, 6, pads=[1, 1, 1, 1], relu=True)
    y, q = g.conv(y, q, 6, 6, group=6, pads=[1, 1, 1, 1], strides=[2, 2])
    y, q = g.conv(y, q, 6, 5, k=1)
    return g.model(["n", 4, 9, 7], T.FLOAT, y, T.FLOAT)


def residual(g):
    x, q = g.qdq("x")
    a, _ = g.conv(x, q, 4, 4, pads=[1, 1, 1, 1])
    y, _ = g.qdq(g.op("Add", [x, a]))
    y, q = g.qdq(g.op("Relu", [y]))
    y, q = g.qdq(g.op("MaxPool", [y], kernel_shape=[2, 2], strides=[2, 2]), q)
    z, _ = g.conv(y, q, 4, 4, k=1, relu=True)
    y, _ = g.qdq(g.op("Mul", [y, z]))
    return g.model([1, 4, 8, 8], T.FLOAT, y, T.FLOAT)


def dense(g):
    x, q = g.qdq("x")
    y, q = g.qdq(g.op("Flatten", [x]), q)
    w, _ = g.weights((12, 16), axis=1)
    y, q = g.qdq(g.op("MatMul", [y, w]), g.quant(0.1))
    w, scales = g.weights((5, 16))
    b = g.bias(5, q[0], scales)
    y, q = g.qdq(g.op("Gemm", [y, w, b], transB=1), g.quant(0.1))
    y, _ = g.qdq(g.op("Sigmoid", [y]), g.quant(1 / 255))
    return g.model(["n", 3, 4], T.FLOAT, y, T.FLOAT)


def join(g):
    x, q = g.qdq("x")
    a, _ = g.conv(x, q, 4, 3, k=1)
    b, _ = g.conv(x, q, 4, 2, k=1, relu=True)
    y, q = g.qdq(g.op("Concat", [a, b, x], axis=1))
    y, q = g.qdq(g.op("Transpose", [y], perm=[0, 2, 3, 1]), q)
    y, _ = g.qdq(g.op("LeakyRelu", [y], alpha=0.1))
    return g.model([2, 4, 5, 6], T.FLOAT, y, T.FLOAT)


def pool(g):
    x, q = g.qdq("x")
    y, q = g.conv(x, q, 4, 8, relu=True)
    y, q = g.qdq(g.op("GlobalAveragePool", [y]), g.quant(0.02))
    y, q = g.qdq(g.op("Reshape", [y, g.const(np.array([0, 8], np.int64))]), q)
    w, scales = g.weights((5, 8))
    b = g.bias(5, q[0], scales)
    y, q = g.qdq(g.op("Gemm", [y, w, b], transB=1), g.quant(0.1))
    y, _ = g.qdq(g.op("Softmax", [y], axis=1), g.quant(1 / 256, g.act[2]))
    return g.model(["n", 4, 9, 9], T.FLOAT, y, T.FLOAT)


def qlinear_conv(g):
    q0, q1, q2, q3, q4 = g.quant(), g.quant(0.1), g.quant(0.1), g.quant(0.15), g.quant(0.05)
    w, _ = g.stored_weights((6, 4, 3, 3), 0)
    pads = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    inputs = ["x"] + g.pair(q0) + w + g.pair(q1) + [g.stored_bias(6)]
    y = g.op("QLinearConv", inputs, **pads)
    w, _ = g.stored_weights((6, 1, 3, 3), 0)
    z = g.op("QLinearConv", [y] + g.pair(q1) + w + g.pair(q2), group=6, **pads)
    y = g.op("QLinearAdd", [y] + g.pair(q1) + [z] + g.pair(q2) + g.pair(q3), **MS)
    y = g.op("QLinearGlobalAveragePool", [y] + g.pair(q3) + g.pair(q4), **MS)
    return g.model(["n", 4, 8, 7], g.act[0], y, g.act[0])


def qlinear_dense(g):
    q0, q1, q2, q3 = g.quant(), g.quant(0.1), g.quant(1 / 255), g.quant(0.05)
    w, _ = g.stored_weights((12, 9), 1)
    y = g.op("QLinearMatMul", ["x"] + g.pair(q0) + w + g.pair(q1))
    y = g.op("QLinearSigmoid", [y] + g.pair(q1) + g.pair(q2), **MS)
    y = g.op("QLinearMul", [y] + g.pair(q2) + [y] + g.pair(q2) + g.pair(q3), **MS)
    q4, q5, q6 = g.quant(0.05), g.quant(0.06), g.quant(0.1)
    y = g.op("QLinearLeakyRelu", [y] + g.pair(q3) + g.pair(q4), alpha=0.2, **MS)
    y = g.op("QLinearConcat", g.pair(q5) + [y] + g.pair(q4) + [y] + g.pair(q4), axis=1, **MS)
    w, _ = g.stored_weights((18, 5), 1)
    y = g.op("QGemm", [y] + g.pair(q5) + w + [g.stored_bias(5)] + g.pair(q6), alpha=1.0, **MS)
    return g.model(["n", 12], g.act[0], y, g.act[0])


def qlinear_pool(g):
    q0, q1, q2 = g.quant(), g.quant(0.1), g.quant(0.1)
    w, _ = g.stored_weights((6, 4, 3, 3), 0)
    inputs = ["x"] + g.pair(q0) + w + g.pair(q1) + [g.stored_bias(6)]
    y = g.op("QLinearConv", inputs, kernel_shape=[3, 3])
    y = g.op("MaxPool", [y], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])
    w, _ = g.stored_weights((5, 6, 1, 1), 0)
    y = g.op("QLinearConv", [y] + g.pair(q1) + w + g.pair(q2), kernel_shape=[1, 1])
    y = g.op("MaxPool", [y], kernel_shape=[2, 2])
    return g.model(["n", 4, 8, 9], g.act[0], y, g.act[0])


def dynamic_dense(g):
    x, scale, zero = g.op("DynamicQuantizeLinear", ["x"], outputs=3)
    (w, w_scale, w_zero), _ = g.stored_weights((12, 9), 1)
    y = g.op("Cast", [g.op("MatMulInteger", [x, w, zero, w_zero])], to=T.FLOAT)
    y = g.op("Mul", [y, g.op("Mul", [scale, w_scale])])
    return g.model([2, 3, 12], T.FLOAT, y, T.FLOAT)


def dynamic_conv(g):
    x, scale, zero = g.op("DynamicQuantizeLinear", ["x"], outputs=3)
    w = g.const(rng.integers(0, 256, (4, 3, 3, 3)).astype(np.uint8))
    inputs = [x, w, zero, g.const(np.uint8(120))]
    attrs = {"kernel_shape": [3, 3], "pads": [1, 0, 1, 0], "strides": [2, 1]}
    y = g.op("Cast", [g.op("ConvInteger", inputs, **attrs)], to=T.FLOAT)
    y = g.op("Mul", [y, scale])
    return g.model([1, 3, 8, 9], T.FLOAT, y, T.FLOAT)


def readers(g):
    """Stored integers that several nodes read: under two scales, and as the plain integers."""
    plain = g.op("Cast", ["x"], to=T.FLOAT)
    first = g.op("DequantizeLinear", ["x"] + g.pair(g.quant()))
    second = g.op("DequantizeLinear", ["x"] + g.pair(g.quant()))
    greatest = g.op("Cast", [g.op("ReduceMax", ["x"], axes=[1])], to=T.FLOAT)
    sums = g.op("Add", [g.op("Mul", [first, second]), g.op("Add", [plain, greatest])])
    pair = g.pair(g.quant(0.5))
    stored = g.op("QuantizeLinear", [sums] + pair)
    moved = g.op("Transpose", [g.op("Transpose", [stored], perm=[1, 0])], perm=[1, 0])
    steps = g.op("Cast", [moved], to=T.FLOAT)
    y = g.op("Add", [g.op("DequantizeLinear", [stored] + pair), steps])
    return g.model([2, 6], g.act[0], y, T.FLOAT)


MODELS = [
    ("conv_u8", conv, ("u8", "i8", True)),
    ("residual_i8", residual, ("i8", "i8", True)),
    ("residual_u8", residual, ("u8", "u8", False)),
    ("dense_u8", dense, ("u8", "u8", False)),
    ("join_u8", join, ("u8", "i8", False)),
    ("pool_i8", pool, ("i8", "i8", False)),
    ("qlinear_conv_u8", qlinear_conv, ("u8", "i8", True)),
    ("qlinear_dense_i8", qlinear_dense, ("i8", "i8", False)),
    ("dynamic_dense", dynamic_dense, ("u8", "i8", True)),
    ("dynamic_conv", dynamic_conv, ("u8", "u8", False)),
    ("qlinear_pool_u8", qlinear_pool, ("u8", "i8", True)),
    ("qlinear_pool_i8", qlinear_pool, ("i8", "i8", False)),
    ("readers_u8", readers, ("u8", "u8", False)),
    ("readers_i8", readers, ("i8", "i8", False)),
]


def run(model, level, x):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    session = ort.InferenceSession(model.SerializeToString(), options)
    return session.run(None, {"x": x})[0]


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    for name, make, types in MODELS:
        model = make(Graph(*types))
        port = model.graph.input[0].type.tensor_type
        dims = [3 if dim.dim_param else dim.dim_value for dim in port.shape.dim]
        if port.elem_type == T.FLOAT:
            x = rng.normal(0, 1.2, dims).astype(np.float32)
        else:
            low, high = (0, 256) if port.elem_type == T.UINT8 else (-128, 128)
            x = rng.integers(low, high, dims).astype(h.tensor_dtype_to_np_dtype(port.elem_type))
        levels = ort.GraphOptimizationLevel
        y = run(model, levels.ORT_ENABLE_ALL, x)
        assert np.array_equal(y, run(model, levels.ORT_DISABLE_ALL, x)), name
        onnx.save(model, os.path.join(folder, name + ".onnx"))
        np.savez_compressed(os.path.join(folder, name + ".npz"), x=x, y=y)


main()
