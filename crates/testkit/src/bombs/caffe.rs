//! Caffe nets, as text and in binary form.

use super::proto::{bytes, claim, int, message, nested, packed, text};
use super::{Bomb, Reader};

/// A net with an input `data` of 1x4x8x8, and `layers`.
fn net(layers: &str) -> Vec<u8> {
    let shape = "dim: 1 dim: 4 dim: 8 dim: 8";
    format!("name: \"n\" input: \"data\" input_shape {{ {shape} }} {layers}").into_bytes()
}

/// One layer `l` of `data`.
fn layer(kind: &str, rest: &str) -> Vec<u8> {
    net(&format!("layer {{ name: \"l\" type: \"{kind}\" bottom: \"data\" top: \"y\" {rest} }}"))
}

fn input(shape: &str) -> Vec<u8> {
    let layer = "layer { name: \"l\" type: \"ReLU\" bottom: \"data\" top: \"y\" }";
    format!("input: \"data\" input_shape {{ {shape} }} {layer}").into_bytes()
}

/// A `BlobProto` of this shape, its content as given.
fn blob(dims: &[i64], content: Vec<u8>) -> Vec<u8> {
    message(7, &[message(7, &[packed(1, dims)]), content])
}

fn floats(count: usize) -> Vec<u8> {
    bytes(5, &vec![0; 4 * count])
}

/// A binary net of one InnerProduct of 2 results over an input of 1x4, with these blobs.
fn dense(blobs: &[Vec<u8>]) -> Vec<u8> {
    let param = message(117, &[int(1, 2)]);
    let head = [text(1, "l"), text(2, "InnerProduct"), text(3, "data"), text(4, "y"), param];
    let shape = message(8, &[packed(1, &[1, 4])]);
    [text(1, "n"), text(3, "data"), shape, message(100, &[head.concat(), blobs.concat()])].concat()
}

fn bias() -> Vec<u8> {
    blob(&[2], floats(2))
}

pub(super) fn bombs() -> Vec<Bomb> {
    [texts(), layers(), binaries()].concat()
}

fn texts() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes, refusal| {
        super::bomb(Reader::Prototxt, name, stands_for, bytes, refusal)
    };
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        bomb("nothing", "no bytes at all", vec![], "no layer computes an output"),
        bomb(
            "10,000 braces",
            "triton CVE-2025-23325",
            "a{".repeat(10_000).into_bytes(),
            "line 1, column 130: blocks are nested too deeply",
        ),
        bomb(
            "10,000 layers in each other",
            "triton CVE-2025-23325",
            "layer {".repeat(10_000).into_bytes(),
            "line 1, column 455: blocks are nested too deeply",
        ),
        bomb(
            "a brace too many",
            "text format",
            net("}"),
            "line 1, column 69: a field name is due, not `}`",
        ),
        bomb(
            "a text without end",
            "text format",
            text("name: \"n"),
            "line 1, column 7: a string has no end",
        ),
        bomb(
            "not UTF-8",
            "text format",
            vec![b'n', b'a', 0xff, 0xfe],
            "line 1, column 3: `na` needs `:` or `{`, not byte 0xff",
        ),
        bomb(
            "zero bytes",
            "a name cut off by C",
            text("name\0: \"n\""),
            "line 1, column 5: `name` needs `:` or `{`, not byte 0x00",
        ),
        bomb(
            "an escape out of range",
            "text format",
            text("name: \"\\xZZ\""),
            "line 1, column 10: an escape lacks its digits",
        ),
        bomb(
            "a number beyond 64 bits",
            "triton CVE-2025-23323",
            input("dim: 99999999999999999999"),
            "line 1, column 29: `dim` needs an integer",
        ),
        bomb(
            "a number that is none",
            "text format",
            input("dim: 1e"),
            "line 1, column 29: `dim` needs an integer",
        ),
        bomb(
            "negative dimension",
            "triton CVE-2025-23335",
            input("dim: -1 dim: 4"),
            "layer 'data' (Input): input shape [-1, 4] has a negative axis",
        ),
        bomb(
            "dimensions wrap",
            "tract CVE-2026-55093",
            input("dim: 4294967296 dim: 4294967296"),
            "layer 'data' (Input): dimensions [4294967296, 4294967296] hold",
        ),
        bomb(
            "a petabyte of input",
            "burn 5651",
            input("dim: 1099511627776 dim: 64"),
            "layer 'data' (Input): dimensions [1099511627776, 64] hold more",
        ),
        bomb(
            "100 axes",
            "tflm 3389",
            input(&"dim: 1 ".repeat(100)),
            "layer 'data' (Input): 100 axes, `rank` allows 8",
        ),
        bomb(
            "input without shape",
            "opencv 24316",
            text(
                "input: \"data\" layer { name: \"l\" type: \"ReLU\" bottom: \"data\" top: \"y\" }",
            ),
            "input 'data': has no declared shape; give it with --shapes",
        ),
        bomb(
            "three input dimensions",
            "opencv 24316",
            text(
                "input: \"data\" input_dim: 1 input_dim: 2 input_dim: 3 layer { name: \"l\" type: \"ReLU\" bottom: \"data\" top: \"y\" }",
            ),
            "3 `input_dim` for 1 `input`, four each",
        ),
        bomb(
            "2^18 empty layers",
            "one layer costs more memory than bytes",
            "layer{}".repeat(1 << 18).into_bytes(),
            "line 1, column 764590: more fields than a net may have",
        ),
        bomb(
            "old and new layers",
            "opencv 29152",
            net(
                "layer { name: \"a\" type: \"ReLU\" bottom: \"data\" top: \"y\" } layers { name: \"b\" type: RELU bottom: \"y\" top: \"z\" }",
            ),
            "`layer` and `layers` do not go together",
        ),
    ]
}

fn layers() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes, refusal| {
        super::bomb(Reader::Prototxt, name, stands_for, bytes, refusal)
    };
    let conv = |rest: &str| layer("Convolution", &format!("convolution_param {{ {rest} }}"));
    let pool = |rest: &str| layer("Pooling", &format!("pooling_param {{ {rest} }}"));
    vec![
        bomb(
            "a bottom from nowhere",
            "opencv 24316",
            net("layer { name: \"l\" type: \"ReLU\" bottom: \"z\" top: \"y\" }"),
            "layer 'l' (ReLU): reads blob 'z', which no layer before it",
        ),
        bomb(
            "a cycle",
            "a cyclic graph",
            net("layer { name: \"l\" type: \"ReLU\" bottom: \"y\" top: \"y\" }"),
            "layer 'l' (ReLU): reads blob 'y', which no layer before it",
        ),
        bomb(
            "no type",
            "openvino PR 35607: absent fields",
            net("layer { name: \"l\" bottom: \"data\" top: \"y\" }"),
            "layer 'l' (): `type` is missing",
        ),
        bomb(
            "a Python layer",
            "a layer that runs code",
            layer("Python", "python_param { module: \"os\" layer: \"system\" }"),
            "node 0 'l' (Python): operator Python is not supported yet; see",
        ),
        bomb(
            "data from a path",
            "triton CVE-2026-24208",
            layer("Data", "data_param { source: \"/etc/passwd\" }"),
            "no layer computes an output",
        ),
        bomb(
            "an unknown field",
            "a setting that is silently ignored",
            layer("ReLU", "exec: 1"),
            "node 0 'l' (ReLU): attribute 'exec': is not honoured",
        ),
        bomb(
            "a field twice",
            "the second value wins silently",
            layer("ReLU", "type: \"TanH\""),
            "line 1, column 124: `type` stands twice",
        ),
        bomb(
            "Convolution of 0 results",
            "triton CVE-2025-23321",
            conv("num_output: 0 kernel_size: 1"),
            "layer 'l' (Convolution): `num_output` must be 1 or more",
        ),
        bomb(
            "Convolution of 2^32 - 1 results",
            "triton CVE-2025-23331",
            conv("num_output: 4294967295 kernel_size: 1"),
            "layer 'l' (Convolution): needs learned weights: pass them,",
        ),
        bomb(
            "Convolution of 0 groups",
            "triton CVE-2025-23321",
            conv("num_output: 4 kernel_size: 1 group: 0"),
            "layer 'l' (Convolution): needs learned weights: pass them,",
        ),
        bomb(
            "Convolution with stride 0",
            "triton CVE-2025-23321",
            conv("num_output: 4 kernel_size: 1 stride: 0"),
            "layer 'l' (Convolution): needs learned weights: pass them,",
        ),
        bomb(
            "Convolution without weights",
            "opencv 24316: a count of blobs assumed",
            conv("num_output: 4 kernel_size: 1"),
            "layer 'l' (Convolution): needs learned weights: pass them,",
        ),
        bomb(
            "Convolution without window",
            "openvino PR 35607: absent fields",
            conv("num_output: 4"),
            "layer 'l' (Convolution): `kernel_size` is missing",
        ),
        bomb(
            "Convolution of nine windows",
            "opencv 24316",
            conv(&format!("num_output: 4 {}", "kernel_size: 1 ".repeat(9))),
            "layer 'l' (Convolution): needs learned weights: pass them,",
        ),
        bomb(
            "Pooling of window 0",
            "triton CVE-2025-23321",
            pool("pool: MAX kernel_size: 0"),
            "node 0 'l' (Pooling): attribute 'kernel_size': the window is",
        ),
        bomb(
            "Pooling with stride 0",
            "triton CVE-2025-23321",
            pool("pool: MAX kernel_size: 2 stride: 0"),
            "node 0 'l' (Pooling): strides, dilations and kernel sizes begin",
        ),
        bomb(
            "Pooling padded by its window",
            "triton CVE-2025-23335",
            pool("pool: MAX kernel_size: 2 pad: 2"),
            "node 0 'l' (Pooling): the padding is as large as the window",
        ),
        bomb(
            "Pooling padded by 2^32 - 1",
            "triton CVE-2025-23324",
            pool("pool: AVE kernel_size: 2 pad: 4294967295"),
            "node 0 'l' (Pooling): attribute 'pads': 4294967295 is out of",
        ),
        bomb(
            "Pooling by method 9",
            "an enum out of range",
            pool("pool: 9 kernel_size: 2"),
            "node 0 'l' (Pooling): attribute 'pool': is not a text",
        ),
        bomb(
            "LRN of size 0",
            "triton CVE-2025-23321",
            layer("LRN", "lrn_param { local_size: 0 }"),
            "node 0 'l' (LRN): attribute 'local_size': is empty",
        ),
        bomb(
            "LRN of even size",
            "sums past the channels",
            layer("LRN", "lrn_param { local_size: 4 }"),
            "node 0 'l' (LRN): attribute 'local_size': is even; Caffe takes",
        ),
        bomb(
            "Concat along axis 99",
            "tflm 3076",
            layer("Concat", "concat_param { axis: 99 }"),
            "node 0 'l' (Concat): axis 99 does not exist in rank 4",
        ),
        bomb(
            "Slice at points out of order",
            "triton CVE-2025-23335",
            layer("Slice", "top: \"z\" slice_param { axis: 1 slice_point: 9 }"),
            "tensor 'z': a dimension of -5 does not fit a plan",
        ),
        bomb(
            "Slice into thirds of 4",
            "triton CVE-2025-23335",
            layer("Slice", "top: \"z\" top: \"w\" slice_param { axis: 1 }"),
            "node 0 'l' (Slice): 4 does not fall into 3 equal parts",
        ),
        bomb(
            "Reshape to other sizes",
            "tensorflow 124982",
            layer("Reshape", "reshape_param { shape { dim: 3 dim: 3 } }"),
            "node 0 'l' (Reshape): 256 elements cannot become 9",
        ),
        bomb(
            "Reshape to two unknowns",
            "triton CVE-2025-23321",
            layer("Reshape", "reshape_param { shape { dim: -1 dim: -1 } }"),
            "node 0 'l' (Reshape): more than one dimension is -1",
        ),
        bomb(
            "Permute by one axis twice",
            "tflm 3072",
            layer("Permute", "permute_param { order: 1 order: 1 }"),
            "node 0 'l' (Permute): [1, 1, 0, 2, 3] does not permute 4 axes",
        ),
        bomb(
            "Tile by 2^31 - 1",
            "candle PR 3713",
            layer("Tile", "tile_param { axis: 1 tiles: 2147483647 }"),
            "tensor 'y': a dimension of 8589934588 does not fit a plan",
        ),
        bomb(
            "Eltwise of one coefficient",
            "opencv 24316",
            net(
                "layer { name: \"l\" type: \"Eltwise\" bottom: \"data\" bottom: \"data\" top: \"y\" eltwise_param { operation: SUM coeff: 1 } }",
            ),
            "node 0 'l' (Eltwise): attribute 'coeff': is not one for each",
        ),
        bomb(
            "Crop at 2^32 - 1",
            "triton CVE-2025-23335",
            net(
                "layer { name: \"l\" type: \"Crop\" bottom: \"data\" bottom: \"data\" top: \"y\" crop_param { axis: 2 offset: 4294967295 } }",
            ),
            "node 0 'l' (Crop): elements 4294967295 to 4294967302 are taken",
        ),
    ]
}

fn binaries() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes, refusal| {
        super::bomb(Reader::CaffeModel, name, stands_for, bytes, refusal)
    };
    let weights = |dims: &[i64], content| dense(&[blob(dims, content), bias()]);
    vec![
        bomb(
            "nothing",
            "no bytes at all",
            vec![],
            "the caffemodel holds weights only: pass the prototxt, with",
        ),
        bomb(
            "length of u64::MAX",
            "candle 3533",
            claim(100, u64::MAX),
            "18446744073709551615 bytes announced, 0 left (byte 12)",
        ),
        bomb(
            "a layer cut off",
            "tract PR 2766",
            claim(100, 1 << 30),
            "1073741824 bytes announced, 0 left (byte 7)",
        ),
        bomb(
            "10,000 nested groups",
            "triton CVE-2025-23325",
            vec![0x0b; 10_000],
            "field 1 has wire type 3 (byte 0)",
        ),
        bomb(
            "2^18 empty layers",
            "one layer costs more memory than bytes",
            claim(100, 0).repeat(1 << 18),
            "the model needs more memory than its size justifies",
        ),
        bomb(
            "10,000 layers in each other",
            "triton CVE-2025-23325",
            nested(100, 10_000, &[]),
            "the caffemodel holds weights only: pass the prototxt, with",
        ),
        bomb(
            "no blobs",
            "opencv 24316: a count of blobs assumed",
            dense(&[]),
            "layer 'l' (InnerProduct): the caffemodel has no weights for",
        ),
        bomb(
            "nine blobs",
            "opencv 24316: a count of blobs assumed",
            dense(&vec![bias(); 9]),
            "layer 'l' (InnerProduct): 9 learned blobs where 2 are due",
        ),
        bomb(
            "blob shape wraps",
            "tract CVE-2026-55093",
            weights(&[1 << 32, 1 << 32], floats(1)),
            "layer 1 'l' blob 0: dimensions [4294967296, 4294967296] hold",
        ),
        bomb(
            "blob of a petabyte",
            "burn 5651",
            weights(&[1 << 48], floats(1)),
            "layer 1 'l' blob 0: dimensions [281474976710656] hold more",
        ),
        bomb(
            "blob of negative size",
            "triton CVE-2025-23335",
            weights(&[-2, -4], floats(8)),
            "layer 1 'l' blob 0: shape [-2, -4] has a negative axis",
        ),
        bomb(
            "blob too short",
            "tract 2390",
            weights(&[2, 4], floats(7)),
            "layer 1 'l' blob 0: 7 numbers where its shape [2, 4] asks for 8",
        ),
        bomb(
            "blob too long",
            "tract 2390",
            weights(&[2, 4], floats(9)),
            "layer 1 'l' blob 0: 9 numbers where its shape [2, 4] asks for 8",
        ),
        bomb(
            "blob of 100,000 axes",
            "tflm 3389",
            weights(&vec![1; 100_000], floats(1)),
            "layer 1 'l' blob 0: 100000 axes, `rank` allows 8",
        ),
        bomb(
            "blob of five bytes",
            "float lists of odd length",
            weights(&[2, 4], bytes(5, &[0; 5])),
            "5 bytes of packed numbers of 4 bytes each (byte 59)",
        ),
        bomb(
            "blob for other channels",
            "opencv 29152",
            weights(&[2, 5], floats(10)),
            "node 0 'l' (InnerProduct): rows of 4 meet weights of 5",
        ),
        bomb(
            "blob in floats and doubles",
            "two places for one content",
            weights(&[2, 4], [floats(8), bytes(8, &[0; 64])].concat()),
            "layer 1 'l' blob 0: 16 numbers where its shape [2, 4] asks for 8",
        ),
        bomb(
            "a layer where text belongs",
            "opencv 29152: type confusion",
            [int(100, 7)].concat(),
            "field 100 holds a number where bytes is due (byte 2)",
        ),
        bomb(
            "weights for no net",
            "opencv 24316",
            text(1, "n"),
            "the caffemodel holds weights only: pass the prototxt, with",
        ),
    ]
}

/// Nets whose parts say different things.
pub(super) fn contradictions() -> Vec<Bomb> {
    let text = |name, bytes, refusal| {
        super::bomb(Reader::Prototxt, name, "partial support in silence", bytes, refusal)
    };
    let both = |old: &[i64]| {
        let shape = message(7, &[packed(1, &[2, 4])]);
        let old: Vec<Vec<u8>> = (1..).zip(old).map(|(number, &dim)| int(number, dim)).collect();
        dense(&[message(7, &[shape, old.concat(), floats(8)]), bias()])
    };
    vec![
        text(
            "a ReLU of two bottoms",
            layer("ReLU", "bottom: \"data\""),
            "(ReLU): input 1 of 2 is not honoured by ReLU here",
        ),
        text(
            "a ReLU with two tops",
            layer("ReLU", "top: \"z\""),
            "(ReLU): only 1 outputs are computed",
        ),
        super::bomb(
            Reader::CaffeModel,
            "a blob of two shapes",
            "partial support in silence",
            both(&[1, 1, 4, 2]),
            "blob 0: shape [2, 4] contradicts the older [1, 1, 4, 2]",
        ),
    ]
}

/// A net of one layer of this type, with numbers that most types know.
pub(crate) fn sample(kind: &str) -> Vec<u8> {
    let field = kind.to_lowercase();
    layer(
        kind,
        &format!("{field}_param {{ axis: 1 }} pooling_param {{ kernel_size: 2 stride: 2 }}"),
    )
}
