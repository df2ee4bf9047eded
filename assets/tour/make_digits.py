"""Trains the tour's digits net and writes it as TFLite, once in f32 and once in int8.

Usage: python3 make_digits.py [--check]

Needs numpy, and the schema classes of `tflite` (2.18) with `flatbuffers` (25.12); with --check
also `ai_edge_litert` and `tflite_micro`, on whose reference kernels both files are judged. Nothing
in Embarca needs this script to build or run.

Reads crates/data/assets/digits8x8.bin. Seeds are fixed, so one machine gives the same files each
time; another BLAS may round differently and give weights that differ in the last digits.
"""

import io
import os
import struct
import sys
import zipfile
import zlib

import flatbuffers
import numpy as np
import tflite

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, "../../crates/data/assets/digits8x8.bin")
LICENCE = "MIT OR Apache-2.0; trained on UCI optical digits, CC BY 4.0"


# Data: pixels 0..16 become 0..1; the last 360 are held out.


def load_digits():
    with open(DIGITS, "rb") as file:
        content = file.read()
    magic, count, height, width = struct.unpack("<4sHBB", content[:8])
    assert magic == b"DIG8"
    unpacked = np.frombuffer(zlib.decompress(content[8:]), np.uint8)
    labels, pixels = unpacked[:count], unpacked[count:]
    images = pixels.reshape(count, height, width, 1).astype(np.float32) / 16
    return (images[:-360], labels[:-360]), (images[-360:], labels[-360:])


# The net, channels last: 3x3 convolution to 8, 3x3 convolution to 16 (both padded, ReLU),
# 2x2 maximum, dense to 10, softmax.


def patches(x):
    """N,H,W,C -> N,H,W,9*C: the 3x3 neighbourhood of each pixel, zeros outside."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    shifted = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.concatenate(shifted, axis=-1)


def forward(params, x):
    """All activations, for training and for calibration."""
    w1, b1, w2, b2, w3, b3 = params
    p1 = patches(x)
    a1 = np.maximum(p1 @ w1 + b1, 0)
    p2 = patches(a1)
    a2 = np.maximum(p2 @ w2 + b2, 0)
    n, h, w, c = a2.shape
    blocks = a2.reshape(n, h // 2, 2, w // 2, 2, c)
    pooled = blocks.max(axis=(2, 4))
    logits = pooled.reshape(n, -1) @ w3 + b3
    return p1, a1, p2, a2, blocks, pooled, logits


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def gradients(params, x, labels):
    w1, b1, w2, b2, w3, b3 = params
    p1, a1, p2, a2, blocks, pooled, logits = forward(params, x)
    n = len(x)
    d = softmax(logits)
    d[np.arange(n), labels] -= 1
    d /= n
    flat = pooled.reshape(n, -1)
    g3, gb3 = flat.T @ d, d.sum(0)
    d = (d @ w3.T).reshape(pooled.shape)
    winners = blocks == pooled[:, :, None, :, None]
    share = winners / winners.sum(axis=(2, 4), keepdims=True)
    d = (share * d[:, :, None, :, None]).reshape(a2.shape) * (a2 > 0)
    g2, gb2 = np.tensordot(p2, d, ((0, 1, 2), (0, 1, 2))), d.sum((0, 1, 2))
    # The gradient of a convolution is a convolution with the kernel turned by 180 degrees.
    turned = w2.reshape(9, -1, w2.shape[1])[::-1].transpose(0, 2, 1).reshape(-1, a1.shape[-1])
    d = (patches(d) @ turned) * (a1 > 0)
    g1, gb1 = np.tensordot(p1, d, ((0, 1, 2), (0, 1, 2))), d.sum((0, 1, 2))
    return [g1, gb1, g2, gb2, g3, gb3]


def shifted(rng, x):
    """Each picture moved by up to one pixel each way."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moves = rng.integers(0, 3, (len(x), 2))
    return np.stack([padded[i, r : r + 8, c : c + 8] for i, (r, c) in enumerate(moves)])


def train(x, labels, epochs=60, batch=32):
    rng = np.random.default_rng(8)
    shapes = [(9, 8), (8,), (72, 16), (16,), (256, 10), (10,)]
    params = [
        (rng.standard_normal(s) * np.sqrt(2 / s[0]) if len(s) == 2 else np.zeros(s)).astype(np.float32)
        for s in shapes
    ]
    mean, square = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    step, steps = 0, epochs * (len(x) // batch)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - batch + 1, batch):
            pick = order[start : start + batch]
            images = shifted(rng, x[pick]) if epoch % 2 else x[pick]
            # Adam with decoupled weight decay and a cosine schedule.
            rate = 3e-3 * 0.5 * (1 + np.cos(np.pi * step / steps))
            step += 1
            for i, grad in enumerate(gradients(params, images, labels[pick])):
                mean[i] += 0.1 * (grad - mean[i])
                square[i] += 0.001 * (grad * grad - square[i])
                update = (mean[i] / (1 - 0.9**step)) / (np.sqrt(square[i] / (1 - 0.999**step)) + 1e-8)
                params[i] = (params[i] * (1 - 0.01 * rate) - rate * update).astype(np.float32)
    return params


# Quantization, as the TFLite converter does it: activations per tensor from the training set's
# range, convolution weights per output channel, dense weights per tensor, biases in i32.


def activation_range(values):
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(np.round(-128 - low / float(scale)), -128, 127))


def quantize_weights(w, per_channel):
    """w is O,...; returns i8 values and one scale per channel or a single one."""
    flat = np.abs(w.reshape(len(w), -1)).max(1)
    scales = (flat if per_channel else flat.max(keepdims=True)).astype(np.float32) / np.float32(127)
    shape = (-1,) + (1,) * (w.ndim - 1)
    values = np.clip(np.round(w / scales.reshape(shape)), -127, 127).astype(np.int8)
    return values, scales


# Writing: the flatbuffer of the model, then the metadata and a ZIP with the label file.

F32, I32, I8 = tflite.TensorType.FLOAT32, tflite.TensorType.INT32, tflite.TensorType.INT8


class Writer:
    """The tensors and operators of a net of one subgraph."""

    def __init__(self):
        self.builder = flatbuffers.Builder(1 << 16)
        self.buffers = [b""]
        self.tensors = []
        self.operators = []
        self.codes = []

    def tensor(self, name, dtype, shape, data=None, quant=None, signature=None):
        """quant is (scales, zero points, axis)."""
        buffer = 0
        if data is not None:
            self.buffers.append(data.astype(data.dtype.newbyteorder("<")).tobytes())
            buffer = len(self.buffers) - 1
        self.tensors.append((name, dtype, shape, buffer, quant, signature))
        return len(self.tensors) - 1

    def operator(self, code, version, inputs, outputs, kind=0, options=None):
        if (code, version) not in self.codes:
            self.codes.append((code, version))
        self.operators.append((self.codes.index((code, version)), inputs, outputs, kind, options))

    def ints(self, values):
        return self.builder.CreateNumpyVector(np.array(values, np.int32))

    def bytes(self, data):
        """A byte vector aligned to 16, which TFLite asks of buffers."""
        b = self.builder
        b.StartVector(1, len(data), 16)
        b.head = b.head - len(data)
        b.Bytes[b.head : b.head + len(data)] = data
        return b.EndVector()

    def vector(self, offsets):
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()

    def finish(self, inputs, outputs, description, metadata):
        b = self.builder
        self.buffers.append(metadata)
        buffers = []
        for data in self.buffers:
            offset = self.bytes(data) if data else None
            tflite.BufferStart(b)
            if offset:
                tflite.BufferAddData(b, offset)
            buffers.append(tflite.BufferEnd(b))

        tensors = []
        for name, dtype, shape, buffer, quant, signature in self.tensors:
            parameters = None
            if quant:
                scales, zeros, axis = quant
                scales = b.CreateNumpyVector(np.asarray(scales, np.float32))
                zeros = b.CreateNumpyVector(np.asarray(zeros, np.int64))
                tflite.QuantizationParametersStart(b)
                tflite.QuantizationParametersAddScale(b, scales)
                tflite.QuantizationParametersAddZeroPoint(b, zeros)
                tflite.QuantizationParametersAddQuantizedDimension(b, axis)
                parameters = tflite.QuantizationParametersEnd(b)
            name, shape = b.CreateString(name), self.ints(shape)
            signature = self.ints(signature) if signature else None
            tflite.TensorStart(b)
            tflite.TensorAddShape(b, shape)
            tflite.TensorAddType(b, dtype)
            tflite.TensorAddBuffer(b, buffer)
            tflite.TensorAddName(b, name)
            if parameters:
                tflite.TensorAddQuantization(b, parameters)
            if signature:
                tflite.TensorAddShapeSignature(b, signature)
            tensors.append(tflite.TensorEnd(b))

        operators = []
        for code, op_inputs, op_outputs, kind, options in self.operators:
            options = options(self) if options else None
            op_inputs, op_outputs = self.ints(op_inputs), self.ints(op_outputs)
            tflite.OperatorStart(b)
            tflite.OperatorAddOpcodeIndex(b, code)
            tflite.OperatorAddInputs(b, op_inputs)
            tflite.OperatorAddOutputs(b, op_outputs)
            if options:
                tflite.OperatorAddBuiltinOptionsType(b, kind)
                tflite.OperatorAddBuiltinOptions(b, options)
            operators.append(tflite.OperatorEnd(b))

        name = b.CreateString("main")
        tensors, operators = self.vector(tensors), self.vector(operators)
        inputs, outputs = self.ints(inputs), self.ints(outputs)
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, tensors)
        tflite.SubGraphAddInputs(b, inputs)
        tflite.SubGraphAddOutputs(b, outputs)
        tflite.SubGraphAddOperators(b, operators)
        tflite.SubGraphAddName(b, name)
        graph = self.vector([tflite.SubGraphEnd(b)])

        codes = []
        for code, version in self.codes:
            tflite.OperatorCodeStart(b)
            tflite.OperatorCodeAddDeprecatedBuiltinCode(b, code)
            tflite.OperatorCodeAddBuiltinCode(b, code)
            tflite.OperatorCodeAddVersion(b, version)
            codes.append(tflite.OperatorCodeEnd(b))
        codes = self.vector(codes)

        name = b.CreateString("TFLITE_METADATA")
        tflite.MetadataStart(b)
        tflite.MetadataAddName(b, name)
        tflite.MetadataAddBuffer(b, len(self.buffers) - 1)
        entries = self.vector([tflite.MetadataEnd(b)])

        buffers, description = self.vector(buffers), b.CreateString(description)
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, codes)
        tflite.ModelAddSubgraphs(b, graph)
        tflite.ModelAddDescription(b, description)
        tflite.ModelAddBuffers(b, buffers)
        tflite.ModelAddMetadata(b, entries)
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        return bytes(b.Output())


def conv_options(w):
    b = w.builder
    tflite.Conv2DOptionsStart(b)
    tflite.Conv2DOptionsAddPadding(b, tflite.Padding.SAME)
    tflite.Conv2DOptionsAddStrideW(b, 1)
    tflite.Conv2DOptionsAddStrideH(b, 1)
    tflite.Conv2DOptionsAddFusedActivationFunction(b, tflite.ActivationFunctionType.RELU)
    return tflite.Conv2DOptionsEnd(b)


def pool_options(w):
    b = w.builder
    tflite.Pool2DOptionsStart(b)
    tflite.Pool2DOptionsAddPadding(b, tflite.Padding.VALID)
    tflite.Pool2DOptionsAddStrideW(b, 2)
    tflite.Pool2DOptionsAddStrideH(b, 2)
    tflite.Pool2DOptionsAddFilterWidth(b, 2)
    tflite.Pool2DOptionsAddFilterHeight(b, 2)
    return tflite.Pool2DOptionsEnd(b)


def reshape_options(w):
    shape = w.ints([-1, 256])
    tflite.ReshapeOptionsStart(w.builder)
    tflite.ReshapeOptionsAddNewShape(w.builder, shape)
    return tflite.ReshapeOptionsEnd(w.builder)


def dense_options(w):
    tflite.FullyConnectedOptionsStart(w.builder)
    return tflite.FullyConnectedOptionsEnd(w.builder)


def softmax_options(w):
    tflite.SoftmaxOptionsStart(w.builder)
    tflite.SoftmaxOptionsAddBeta(w.builder, 1.0)
    return tflite.SoftmaxOptionsEnd(w.builder)


def metadata(name):
    """The buffer TFLITE_METADATA: `metadata_schema.fbs` of TFLite Support 1.1.0, by field number."""
    b = flatbuffers.Builder(1024)

    def table(**fields):
        """Fields by number (_0=...): offsets, or (kind, value) for scalars."""
        b.StartObject(8)
        for key, value in fields.items():
            slot = int(key[1:])
            if isinstance(value, tuple):
                getattr(b, f"Prepend{value[0]}Slot")(slot, value[1], 0)
            else:
                b.PrependUOffsetTRelativeSlot(slot, value, 0)
        return b.EndObject()

    def vector(offset):
        b.StartVector(4, 1, 4)
        b.PrependUOffsetTRelative(offset)
        return b.EndVector()

    text = b.CreateString
    numbers = lambda values: b.CreateNumpyVector(np.array(values, np.float32))
    # A picture of one channel, bright ink on black, 0..255 brought to 0..1.
    image = table(_0=("Int8", 2))
    content = table(_0=("Uint8", 2), _1=image)
    mean, std = numbers([0]), numbers([255])
    normalization = table(_0=("Uint8", 1), _1=table(_0=mean, _1=std))
    input_name, input_text = text("image"), text("8x8 grey, ink bright on black")
    inputs = vector(table(_0=input_name, _1=input_text, _3=content, _4=vector(normalization)))
    file_name = text("labels.txt")
    labels = table(_0=file_name, _2=("Int8", 2))
    output_name, output_text = text("probability"), text("of each digit")
    files = vector(labels)
    outputs = vector(table(_0=output_name, _1=output_text, _6=files))
    graph = vector(table(_2=inputs, _3=outputs))
    name, description = text(name), text("Handwritten digits, the net of Embarca's tour")
    licence, version = text(LICENCE), text("1.0.0")
    root = table(_0=name, _1=description, _3=graph, _5=licence, _7=version)
    b.Finish(root, b"M001")
    return bytes(b.Output())


def with_labels(model):
    """The model with the label file in a ZIP archive behind it, as TFLite Support packs it."""
    out = io.BytesIO(model)
    with zipfile.ZipFile(out, "a") as archive:
        entry = zipfile.ZipInfo("labels.txt", (1980, 1, 1, 0, 0, 0))
        archive.writestr(entry, "".join(f"{digit}\n" for digit in range(10)))
    return out.getvalue()


def tflite_weights(params):
    """Convolutions as O,H,W,I and the dense layer as O,I."""
    w1, b1, w2, b2, w3, b3 = params
    conv = lambda w, i: np.ascontiguousarray(w.reshape(3, 3, i, -1).transpose(3, 0, 1, 2))
    return [(conv(w1, 1), b1), (conv(w2, 8), b2), (np.ascontiguousarray(w3.T), b3)]


def assemble(params, calibration):
    """The int8 model when there is calibration data, else the float model."""
    w = Writer()
    act, quants = F32, [None] * 6
    if calibration is not None:
        act = I8
        _, a1, _, a2, _, _, logits = forward(params, calibration)
        hidden = [activation_range(values) for values in (calibration, a1, a2, logits)]
        # The maximum keeps the parameters of its input, softmax has fixed ones.
        quants = [([s], [z], 0) for s, z in hidden] + [([1 / 256], [-128], 0)]
        quants.insert(3, quants[2])
    names = ["image", "conv1", "conv2", "pool", "logits", "probability"]
    shapes = [(8, 8, 1), (8, 8, 8), (8, 8, 16), (4, 4, 16), (10,), (10,)]
    ids = [
        w.tensor(n, act, (1, *s), quant=q, signature=(-1, *s))
        for n, s, q in zip(names, shapes, quants)
    ]
    flat = w.tensor("flat", act, (1, 256), quant=quants[3], signature=(-1, 256))
    shape = w.tensor("flat/shape", I32, (2,), np.array([-1, 256], np.int32))

    def layer(index, name, quant_in):
        weights, bias = tflite_weights(params)[index]
        if calibration is None:
            return [w.tensor(f"{name}/weights", F32, weights.shape, weights), w.tensor(f"{name}/bias", F32, bias.shape, bias)]
        values, scales = quantize_weights(weights, per_channel=index < 2)
        bias_scales = np.float32(quant_in[0][0]) * scales
        biases = np.round(bias / bias_scales).astype(np.int32)
        zeros = np.zeros(len(scales), np.int64)
        return [
            w.tensor(f"{name}/weights", I8, values.shape, values, (scales, zeros, 0)),
            w.tensor(f"{name}/bias", I32, biases.shape, biases, (bias_scales, zeros, 0)),
        ]

    op, options = tflite.BuiltinOperator, tflite.BuiltinOptions
    versions = [1, 1, 1, 1] if calibration is None else [3, 2, 4, 2]
    for i, name in enumerate(["conv1", "conv2"]):
        inputs = [ids[i], *layer(i, name, quants[i])]
        w.operator(op.CONV_2D, versions[0], inputs, [ids[i + 1]], options.Conv2DOptions, conv_options)
    w.operator(op.MAX_POOL_2D, versions[1], [ids[2]], [ids[3]], options.Pool2DOptions, pool_options)
    w.operator(op.RESHAPE, 1, [ids[3], shape], [flat], options.ReshapeOptions, reshape_options)
    inputs = [flat, *layer(2, "dense", quants[3])]
    w.operator(op.FULLY_CONNECTED, versions[2], inputs, [ids[4]], options.FullyConnectedOptions, dense_options)
    w.operator(op.SOFTMAX, versions[3], [ids[4]], [ids[5]], options.SoftmaxOptions, softmax_options)
    name = "digits_f32" if calibration is None else "digits_int8"
    return with_labels(w.finish([ids[0]], [ids[5]], name, metadata(name)))


def quantized_input(x):
    """The values of the int8 model's input: scale 1/255, zero point -128."""
    return (np.round(x * np.float32(255)) - 128).astype(np.int8)


def check(name, model, images, labels):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from tflite_micro.python.tflite_micro import runtime

    reference = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    reference.allocate_tensors()
    micro = runtime.Interpreter.from_bytes(model)
    right, equal = [0, 0], 0
    for image, label in zip(images, labels):
        reference.set_tensor(reference.get_input_details()[0]["index"], image[None])
        reference.invoke()
        a = reference.get_tensor(reference.get_output_details()[0]["index"])[0]
        micro.set_input(image[None], 0)
        micro.invoke()
        b = micro.get_output(0)[0]
        right[0] += a.argmax() == label
        right[1] += b.argmax() == label
        equal += np.array_equal(a, b) if a.dtype == np.int8 else np.allclose(a, b, atol=1e-5)
    n = len(labels)
    print(f"{name}: LiteRT reference {right[0]}/{n}, TFLM {right[1]}/{n}, {equal}/{n} outputs equal")


def main():
    (x, labels), (held_x, held_labels) = load_digits()
    params = train(x, labels)
    for part, images, truth in (("training", x, labels), ("held out", held_x, held_labels)):
        right = (forward(params, images)[-1].argmax(1) == truth).sum()
        print(f"{part}: {right}/{len(truth)} = {right / len(truth):.4f}")
    models = {"digits_f32": assemble(params, None), "digits_int8": assemble(params, x)}
    for name, model in models.items():
        with open(os.path.join(HERE, name + ".tflite"), "wb") as file:
            file.write(model)
        print(f"{name}.tflite: {len(model)} bytes, CRC-32 {zlib.crc32(model):08x}")
        if "--check" in sys.argv:
            images = held_x if name == "digits_f32" else quantized_input(held_x)
            check(name, model, images, held_labels)


if __name__ == "__main__":
    main()
