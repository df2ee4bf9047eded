//! Sound graphs of operators with impossible settings.

use super::*;

/// Structure that is sound and means nothing.
pub(super) fn operators() -> Vec<Bomb> {
    let on_x = |op: &str, more: &[&str], attrs: &[Vec<u8>], constants: &[Vec<u8>]| {
        let inputs: Vec<&str> = ["x"].into_iter().chain(more.iter().copied()).collect();
        net(&[constants.concat(), node(op, &inputs, &["y"], attrs)])
    };
    let made = |op: &str, inputs: &[&str], constants: &[Vec<u8>]| {
        let parts = [
            constants.concat(),
            node(op, inputs, &["c"], &[]),
            node("Cast", &["c"], &["d"], &[attr_int("to", F32)]),
            node("Add", &["x", "d"], &["y"], &[]),
        ];
        net(&parts)
    };
    let pool = |attrs: &[Vec<u8>]| on_image("MaxPool", &[], attrs, &[]);
    vec![
        bomb(
            "Conv of 0 groups",
            "triton CVE-2025-23321",
            conv(&[4, 4, 1, 1], &[attr_int("group", 0)]),
            "node 0 'n' (Conv): 0 groups of 4 channels do not make 4 channels",
        ),
        bomb(
            "Conv of -1 groups",
            "triton CVE-2025-23335",
            conv(&[4, 4, 1, 1], &[attr_int("group", -1)]),
            "node 0 'n' (Conv): 0 groups of 4 channels do not make 4 channels",
        ),
        bomb(
            "Conv of 3 groups over 4 channels",
            "weights of another size",
            conv(&[4, 4, 1, 1], &[attr_int("group", 3)]),
            "node 0 'n' (Conv): 3 groups of 4 channels do not make 4 channels",
        ),
        bomb(
            "Conv with stride 0",
            "triton CVE-2025-23321",
            conv(&[4, 4, 1, 1], &[attr_ints("strides", &[0, 0])]),
            "node 0 'n' (Conv): strides, dilations and kernel sizes begin at",
        ),
        bomb(
            "Conv with negative stride",
            "triton CVE-2025-23335",
            conv(&[4, 4, 1, 1], &[attr_ints("strides", &[-1, 1])]),
            "node 0 'n' (Conv): attribute 'strides': [-1, 1] does not fit 2",
        ),
        bomb(
            "Conv with dilation 2^62",
            "triton CVE-2025-23323",
            conv(&[4, 4, 3, 3], &[attr_ints("dilations", &[1 << 62, 1])]),
            "node 0 'n' (Conv): a window is larger than 2^30",
        ),
        bomb(
            "Conv with padding 2^62",
            "triton CVE-2025-23324",
            conv(&[4, 4, 1, 1], &[attr_ints("pads", &[1 << 62; 4])]),
            "node 0 'n' (Conv): attribute 'pads': 4611686018427387904 is out",
        ),
        bomb(
            "Conv with negative padding",
            "triton CVE-2025-23335",
            conv(&[4, 4, 1, 1], &[attr_ints("pads", &[-9; 4])]),
            "node 0 'n' (Conv): a window of 1 does not fit 8 positions",
        ),
        bomb(
            "Conv with one stride",
            "a list shorter than the axes",
            conv(&[4, 4, 1, 1], &[attr_ints("strides", &[1])]),
            "node 0 'n' (Conv): attribute 'strides': [1] does not fit 2",
        ),
        bomb(
            "Conv with another kernel_shape",
            "two sizes of one window",
            conv(&[4, 4, 1, 1], &[attr_ints("kernel_shape", &[5, 5])]),
            "node 0 'n' (Conv): attribute 'kernel_shape': differs from the",
        ),
        bomb(
            "Conv with weights of two axes",
            "tflm 3389",
            conv(&[4, 4], &[]),
            "node 0 'n' (Conv): weights have to have 4 known dimensions",
        ),
        bomb(
            "Conv with a window beyond the picture",
            "triton CVE-2025-23335",
            conv(&[1, 4, 9, 9], &[]),
            "node 0 'n' (Conv): a window of 9 does not fit 8 positions",
        ),
        bomb(
            "MaxPool of window 0",
            "triton CVE-2025-23321",
            pool(&[attr_ints("kernel_shape", &[0, 0])]),
            "node 0 'n' (MaxPool): attribute 'kernel_shape': the window is",
        ),
        bomb(
            "MaxPool of window 2^40",
            "triton CVE-2025-23331",
            pool(&[attr_ints("kernel_shape", &[1 << 40, 1 << 40])]),
            "node 0 'n' (MaxPool): a window is larger than 2^30",
        ),
        bomb(
            "MaxPool without window",
            "openvino PR 35607: absent fields",
            pool(&[]),
            "node 0 'n' (MaxPool): attribute 'kernel_shape': [] does not fit",
        ),
        bomb(
            "LRN of size 0",
            "triton CVE-2025-23321",
            on_image("LRN", &[], &[attr_int("size", 0)], &[]),
            "node 0 'n' (LRN): attribute 'size': is empty",
        ),
        bomb(
            "SpaceToDepth of block 0",
            "triton CVE-2025-23321",
            on_image("SpaceToDepth", &[], &[attr_int("blocksize", 0)], &[]),
            "node 0 'n' (SpaceToDepth): attribute 'blocksize': is no block",
        ),
        bomb(
            "Transpose by axis 9",
            "tflm 3071",
            on_x("Transpose", &[], &[attr_ints("perm", &[0, 9])], &[]),
            "node 0 'n' (Transpose): axis 9 does not exist in rank 2",
        ),
        bomb(
            "Transpose by one axis twice",
            "tflm 3072",
            on_x("Transpose", &[], &[attr_ints("perm", &[0, 0])], &[]),
            "node 0 'n' (Transpose): [0, 0] does not permute 2 axes",
        ),
        bomb(
            "Concat along axis 2^40",
            "tflm 3076",
            on_x("Concat", &["x"], &[attr_int("axis", 1 << 40)], &[]),
            "node 0 'n' (Concat): axis 1099511627776 does not exist in rank 2",
        ),
        bomb(
            "Softmax along axis -3",
            "tflm 3077",
            on_x("Softmax", &[], &[attr_int("axis", -3)], &[]),
            "node 0 'n' (Softmax): axis -3 does not exist in rank 2",
        ),
        bomb(
            "Gather past the end",
            "tflm 3389",
            on_x("Gather", &["i"], &[attr_int("axis", 1)], &[longs("i", &[4])]),
            "node 0 'n' (Gather): index 4 lies outside 4 elements",
        ),
        bomb(
            "Gather at i64::MIN",
            "tflm 3389",
            on_x("Gather", &["i"], &[attr_int("axis", 1)], &[longs("i", &[i64::MIN])]),
            "node 0 'n' (Gather): index -9223372036854775808 lies outside 4",
        ),
        bomb(
            "Slice by step 0",
            "triton CVE-2025-23321",
            on_x(
                "Slice",
                &["s", "e", "a", "t"],
                &[],
                &[longs("s", &[0]), longs("e", &[4]), longs("a", &[1]), longs("t", &[0])],
            ),
            "node 0 'n' (Slice): a slice has step 0",
        ),
        bomb(
            "Split into other sizes",
            "sizes that do not add up",
            net(&[
                longs("s", &[1, 1 << 62]),
                node("Split", &["x", "s"], &["y", "z"], &[attr_int("axis", 1)]),
            ]),
            "node 0 'n' (Split): parts of 4611686018427387905 do not make up",
        ),
        bomb(
            "Reshape to other sizes",
            "tensorflow 124982",
            on_x("Reshape", &["s"], &[], &[longs("s", &[3, 3])]),
            "node 0 'n' (Reshape): 4 elements cannot become 9",
        ),
        bomb(
            "Reshape to two unknowns",
            "triton CVE-2025-23321",
            on_x("Reshape", &["s"], &[], &[longs("s", &[-1, -1])]),
            "node 0 'n' (Reshape): more than one dimension is -1",
        ),
        bomb(
            "Reshape to a wrapping size",
            "tract CVE-2026-55093",
            on_x("Reshape", &["s"], &[], &[longs("s", &[1 << 62, 1 << 4])]),
            "tensor 'y': a dimension of 4611686018427387904 does not fit a",
        ),
        bomb(
            "Reshape to 100 axes",
            "tensorflow 124982",
            on_x("Reshape", &["s"], &[], &[longs("s", &[1; 100])]),
            "node 0 'n' (Reshape): 4 elements cannot become 1",
        ),
        bomb(
            "Expand to a terabyte",
            "burn 5651",
            on_x("Expand", &["s"], &[], &[longs("s", &[1 << 38, 4])]),
            "tensor 'y': a dimension of 274877906944 does not fit a plan",
        ),
        bomb(
            "Tile to a petabyte",
            "candle PR 3713",
            on_x("Tile", &["s"], &[], &[longs("s", &[1 << 46, 1])]),
            "tensor 'y': a dimension of 70368744177664 does not fit a plan",
        ),
        bomb(
            "Tile by -1",
            "triton CVE-2025-23335",
            on_x("Tile", &["s"], &[], &[longs("s", &[-1, 1])]),
            "node 0 'n' (Tile): f32[1,4] cannot be repeated so",
        ),
        bomb(
            "Pad by 2^62",
            "triton CVE-2025-23324",
            on_x("Pad", &["s"], &[], &[longs("s", &[0, 1 << 62, 0, 1 << 62])]),
            "node 'n' (pad): no kernel: padding by 4611686018427387904",
        ),
        bomb(
            "Pad by -9",
            "triton CVE-2025-23335",
            on_x("Pad", &["s"], &[], &[longs("s", &[0, -9, 0, 0])]),
            "node 0 'n' (Pad): -9 and 0 remove more than 4",
        ),
        bomb(
            "ConstantOfShape of a terabyte",
            "candle PR 3713",
            made("ConstantOfShape", &["s"], &[longs("s", &[1 << 38])]),
            "node 2 'n' (Add): 4 and 274877906944 do not broadcast",
        ),
        bomb(
            "ConstantOfShape of a negative size",
            "triton CVE-2025-23335",
            made("ConstantOfShape", &["s"], &[longs("s", &[-1])]),
            "node 0 'n' (ConstantOfShape): f32[] cannot be expanded to",
        ),
        bomb(
            "Range of 2^60 numbers",
            "candle PR 3970",
            made(
                "Range",
                &["a", "b", "t"],
                &[
                    constant("a", I64, &[], raw(&[0; 8])),
                    constant("b", I64, &[], raw(&(1i64 << 60).to_le_bytes())),
                    constant("t", I64, &[], raw(&1i64.to_le_bytes())),
                ],
            ),
            "node 2 'n' (Add): 4 and 1152921504606846976 do not broadcast",
        ),
        bomb(
            "Range by 0",
            "triton CVE-2025-23321",
            made(
                "Range",
                &["a", "b", "t"],
                &[
                    constant("a", I64, &[], raw(&[0; 8])),
                    constant("b", I64, &[], raw(&5i64.to_le_bytes())),
                    constant("t", I64, &[], raw(&[0; 8])),
                ],
            ),
            "node 0 'n' (Range): the step is 0",
        ),
        bomb(
            "Resize by 1e9",
            "onnxruntime 19681",
            on_image(
                "Resize",
                &["", "s"],
                &[],
                &[constant(
                    "s",
                    F32,
                    &[4],
                    raw(&[1.0, 1.0, 1e9, 1e9].map(f32::to_le_bytes).concat()),
                )],
            ),
            "node 0 'n' (Resize): 1000000000 is no scale",
        ),
        bomb(
            "Resize by NaN",
            "onnxruntime 23258",
            on_image(
                "Resize",
                &["", "s"],
                &[],
                &[constant(
                    "s",
                    F32,
                    &[4],
                    raw(&[1.0, 1.0, f32::NAN, 1.0].map(f32::to_le_bytes).concat()),
                )],
            ),
            "node 0 'n' (Resize): NaN is no scale",
        ),
        bomb(
            "MatMul of sizes that differ",
            "onnxruntime 23258",
            on_x("MatMul", &["w"], &[], &[floats("w", &[5, 3])]),
            "node 0 'n' (MatMul): rows of 4 meet weights of 5",
        ),
        bomb(
            "BatchNormalization of one channel",
            "onnxruntime 4585",
            on_image("BatchNormalization", &["w", "w", "w", "w"], &[], &[floats("w", &[1])]),
            "node 0 'n' (BatchNormalization): statistics of 1 channels meet",
        ),
        bomb(
            "an input of 2^60 floats",
            "triton CVE-2025-23317: a size from the request",
            net_of(&[1 << 60], &[node("Relu", &["x"], &["y"], &[])]),
            "tensor 'x': a dimension of 1152921504606846976 does not fit a",
        ),
        bomb(
            "an input of wrapping size",
            "tflm 3761",
            net_of(&[1 << 33, 1 << 33], &[node("Relu", &["x"], &["y"], &[])]),
            "tensor 'x': a dimension of 8589934592 does not fit a plan",
        ),
        bomb(
            "a sum of inputs of 2^20 bytes each",
            "candle PR 3713",
            net_of(&[1 << 30], &[node("Sum", &["x"; 16], &["y"], &[])]),
            "the tensors do not fit into memory at these shapes",
        ),
    ]
}
