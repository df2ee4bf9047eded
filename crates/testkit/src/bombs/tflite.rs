//! TFLite files.

use super::flat::{Fb, finish, text};
use super::{Bomb, Reader};

const RELU: i32 = 19;
const CONV: i32 = 3;
const RESHAPE: i32 = 22;
const WHILE: i32 = 119;
const CUSTOM: i32 = 32;

pub(super) fn tensor(name: &str, shape: &[i32], more: &[(usize, Fb)]) -> Fb {
    let mut fields = vec![(0, Fb::Ints(shape.to_vec())), (3, text(name))];
    fields.extend_from_slice(more);
    Fb::Table(fields)
}

pub(super) fn op(inputs: &[i32], outputs: &[i32], more: &[(usize, Fb)]) -> Fb {
    let mut fields =
        vec![(0, Fb::I32(0)), (1, Fb::Ints(inputs.to_vec())), (2, Fb::Ints(outputs.to_vec()))];
    fields.extend_from_slice(more);
    Fb::Table(fields)
}

pub(super) fn graph(tensors: Vec<Fb>, inputs: &[i32], outputs: &[i32], nodes: Vec<Fb>) -> Fb {
    Fb::Table(vec![
        (0, Fb::Tables(tensors)),
        (1, Fb::Ints(inputs.to_vec())),
        (2, Fb::Ints(outputs.to_vec())),
        (3, Fb::Tables(nodes)),
    ])
}

fn code(number: i32) -> Fb {
    Fb::Table(vec![(0, Fb::U8(number.min(127) as u8)), (3, Fb::I32(number))])
}

pub(super) fn data(bytes: &[u8]) -> Fb {
    Fb::Table(vec![(0, Fb::Bytes(bytes.to_vec()))])
}

/// Version 3, one operator code, the graphs, buffers after the empty first, `more` fields.
pub(super) fn model(number: i32, graphs: Vec<Fb>, buffers: &[Fb], more: &[(usize, Fb)]) -> Vec<u8> {
    let mut all = vec![Fb::Table(vec![])];
    all.extend_from_slice(buffers);
    let mut fields = vec![
        (0, Fb::I32(3)),
        (1, Fb::Tables(vec![code(number)])),
        (2, Fb::Tables(graphs)),
        (4, Fb::Tables(all)),
    ];
    fields.extend_from_slice(more);
    finish(&Fb::Table(fields))
}

/// `y = relu(x)`; `x` has these fields more.
fn relu(shape: &[i32], more: &[(usize, Fb)], buffers: &[Fb]) -> Vec<u8> {
    let tensors = vec![tensor("x", shape, more), tensor("y", shape, &[])];
    model(RELU, vec![graph(tensors, &[0], &[1], vec![op(&[0], &[1], &[])])], buffers, &[])
}

/// `y = relu(x)`, and a constant `w` with these fields and this content.
fn with_constant(shape: &[i32], more: &[(usize, Fb)], buffer: Fb) -> Vec<u8> {
    let mut fields = vec![(2, Fb::I32(1))];
    fields.extend_from_slice(more);
    let tensors = vec![tensor("x", &[2], &[]), tensor("y", &[2], &[]), tensor("w", shape, &fields)];
    model(RELU, vec![graph(tensors, &[0], &[1], vec![op(&[0], &[1], &[])])], &[buffer], &[])
}

fn quantized(scales: &[f32], zeros: &[i64], axis: i32) -> Vec<u8> {
    let quantization = Fb::Table(vec![
        (2, Fb::Floats(scales.to_vec())),
        (3, Fb::Longs(zeros.to_vec())),
        (6, Fb::I32(axis)),
    ]);
    let fields = [(1, Fb::U8(9)), (4, quantization)];
    let tensors = vec![tensor("x", &[2], &fields), tensor("y", &[2], &fields)];
    model(RELU, vec![graph(tensors, &[0], &[1], vec![op(&[0], &[1], &[])])], &[], &[])
}

/// A convolution of x, 1x4x4x2, with weights of `w`.
fn conv(w: &[i32], stride: i32, dilation: i32) -> Vec<u8> {
    let count: i32 = w.iter().product();
    let tensors = vec![
        tensor("x", &[1, 4, 4, 2], &[]),
        tensor("y", &[1, 4, 4, 2], &[]),
        tensor("w", w, &[(2, Fb::I32(1))]),
    ];
    let fields = vec![
        (1, Fb::I32(stride)),
        (2, Fb::I32(stride)),
        (4, Fb::I32(dilation)),
        (5, Fb::I32(dilation)),
    ];
    let options = [(3, Fb::U8(1)), (4, Fb::Table(fields))];
    let nodes = vec![op(&[0, 2, -1], &[1], &options)];
    let weights = data(&vec![0; 4 * usize::try_from(count).unwrap_or(0)]);
    model(CONV, vec![graph(tensors, &[0], &[1], nodes)], &[weights], &[])
}

/// A reshape of x, of two elements, by a tensor that holds `dims`.
fn reshape(dims: &[i32]) -> Vec<u8> {
    let content: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
    let tensors = vec![
        tensor("x", &[2], &[]),
        tensor("y", &[2], &[]),
        tensor("s", &[dims.len() as i32], &[(1, Fb::U8(2)), (2, Fb::I32(1))]),
    ];
    let graphs = vec![graph(tensors, &[0], &[1], vec![op(&[0, 2], &[1], &[])])];
    model(RESHAPE, graphs, &[data(&content)], &[])
}

/// A `While` whose condition and body are graph `index`.
fn endless(index: i32) -> Vec<u8> {
    let tensors = vec![tensor("x", &[2], &[]), tensor("y", &[2], &[])];
    let options = Fb::Table(vec![(0, Fb::I32(index)), (1, Fb::I32(index))]);
    let nodes = vec![op(&[0], &[1], &[(3, Fb::U8(93)), (4, options)])];
    model(WHILE, vec![graph(tensors, &[0], &[1], nodes)], &[], &[])
}

/// `TFLite_Detection_PostProcess` with these options.
fn custom(options: &[u8]) -> Vec<u8> {
    let shapes: [&[i32]; 3] = [&[1, 8, 4], &[1, 8, 3], &[8, 4]];
    let mut tensors: Vec<Fb> =
        ["b", "s", "a"].iter().zip(shapes).map(|(name, shape)| tensor(name, shape, &[])).collect();
    tensors.extend(["o", "p", "q", "r"].map(|name| tensor(name, &[1], &[])));
    let code = Fb::Table(vec![
        (0, Fb::U8(CUSTOM as u8)),
        (1, text("TFLite_Detection_PostProcess")),
        (3, Fb::I32(CUSTOM)),
    ]);
    let node = op(&[0, 1, 2], &[3, 4, 5, 6], &[(5, Fb::Bytes(options.to_vec()))]);
    finish(&Fb::Table(vec![
        (0, Fb::I32(3)),
        (1, Fb::Tables(vec![code])),
        (2, Fb::Tables(vec![graph(tensors, &[0, 1, 2], &[3, 4, 5, 6], vec![node])])),
        (4, Fb::Tables(vec![Fb::Table(vec![])])),
    ]))
}

/// A sound file with the four bytes at `at` replaced.
fn patched(at: usize, word: u32) -> Vec<u8> {
    let mut file = relu(&[2], &[], &[]);
    file[at..at + 4].copy_from_slice(&word.to_le_bytes());
    file
}

fn bomb(
    name: &'static str,
    stands_for: &'static str,
    bytes: Vec<u8>,
    refusal: &'static str,
) -> Bomb {
    super::bomb(Reader::TfLite, name, stands_for, bytes, refusal)
}

pub(super) fn bombs() -> Vec<Bomb> {
    [files(), tensors(), operators()].concat()
}

/// The structure of FlatBuffers.
fn files() -> Vec<Bomb> {
    let shell = |fields: Vec<(usize, Fb)>| finish(&Fb::Table(fields));
    let root = |word: u32| [&word.to_le_bytes()[..], b"TFL3"].concat();
    // Where the root table lies in a sound file, and its table of fields.
    let sound = relu(&[2], &[], &[]);
    let at = u32::from_le_bytes([sound[0], sound[1], sound[2], sound[3]]) as usize;
    let back = i32::from_le_bytes([sound[at], sound[at + 1], sound[at + 2], sound[at + 3]]);
    let list = at.saturating_add_signed(-(back as isize));
    vec![
        bomb(
            "eight bytes",
            "tensorflow 115308",
            root(0x7fff_ffff),
            "an offset leads out of the file (byte 0)",
        ),
        bomb(
            "root beyond the end",
            "tensorflow 115308",
            root(8),
            "an offset leads out of the file (byte 0)",
        ),
        bomb(
            "root at u32::MAX",
            "tensorflow 115308",
            root(u32::MAX),
            "an offset leads out of the file (byte 0)",
        ),
        bomb(
            "root points at itself",
            "flatbuffers: an offset of zero",
            root(0),
            "a table's field list leaves the file (byte 0)",
        ),
        bomb(
            "fields before the file",
            "flatbuffers: a negative table",
            patched(at, 0x7fff_ffff),
            "a table's field list lies before the file",
        ),
        bomb(
            "fields behind the file",
            "flatbuffers: a negative table",
            patched(at, 0x8000_0000),
            "the file ends here (byte 21474836",
        ),
        bomb(
            "table of fields too long",
            "flatbuffers verifier",
            patched(list, 0xffff_ffff),
            "a table's field list leaves the file",
        ),
        bomb(
            "table of fields of odd length",
            "tensorflow 121217: misaligned",
            patched(list, 0x000f_0011),
            "lies outside of its table",
        ),
        bomb(
            "another schema version",
            "a format of the future",
            shell(vec![(0, Fb::I32(4))]),
            "schema version 4; convert the model with a current TFLite",
        ),
        bomb(
            "nothing but a version",
            "openvino PR 35607: absent fields",
            shell(vec![(0, Fb::I32(3))]),
            "the file holds no graph",
        ),
        bomb(
            "no graphs",
            "openvino PR 35607: absent fields",
            model(RELU, vec![], &[], &[]),
            "the file holds no graph",
        ),
        bomb(
            "an empty graph",
            "openvino PR 35607: absent fields",
            model(RELU, vec![Fb::Table(vec![])], &[], &[]),
            "model: it has no outputs, so nothing would be computed",
        ),
        bomb(
            "a million graphs in one",
            "flatbuffers: shared tables",
            shell(vec![
                (0, Fb::I32(3)),
                (1, Fb::Tables(vec![code(RELU)])),
                (
                    2,
                    Fb::Shared(
                        1 << 20,
                        Box::new(graph(vec![tensor("x", &[1], &[])], &[0], &[0], vec![])),
                    ),
                ),
                (4, Fb::Tables(vec![Fb::Table(vec![])])),
            ]),
            "graph 1024: more graphs than `graphs` allows",
        ),
        bomb(
            "a million tensors in one",
            "flatbuffers: shared tables",
            model(
                RELU,
                vec![Fb::Table(vec![
                    (0, Fb::Shared(1 << 20, Box::new(tensor(&"n".repeat(10_000), &[1], &[])))),
                    (1, Fb::Ints(vec![0])),
                    (2, Fb::Ints(vec![0])),
                    (3, Fb::Tables(vec![])),
                ])],
                &[],
                &[],
            ),
            "graph 0 tensor 1832",
        ),
        bomb(
            "a graph where text belongs",
            "type confusion",
            model(RELU, vec![text("not a table")], &[], &[]),
            "graph 0: a table's field list leaves the file",
        ),
    ]
}

fn tensors() -> Vec<Bomb> {
    let whole = |tensors, inputs: &[i32], outputs: &[i32], nodes| {
        model(RELU, vec![graph(tensors, inputs, outputs, nodes)], &[], &[])
    };
    let two = || vec![tensor("x", &[2], &[]), tensor("y", &[2], &[])];
    let outer = |offset, size| Fb::Table(vec![(1, Fb::U64(offset)), (2, Fb::U64(size))]);
    let sparsity = |order: Vec<i32>| Fb::Table(vec![(0, Fb::Ints(order))]);
    vec![
        bomb(
            "input past the tensors",
            "tflm 3389",
            whole(two(), &[2], &[1], vec![op(&[0], &[1], &[])]),
            "graph 0: there is no tensor 2, the graph has 2",
        ),
        bomb(
            "output past the tensors",
            "tflm 3389",
            whole(two(), &[0], &[i32::MAX], vec![op(&[0], &[1], &[])]),
            "graph 0: there is no tensor 2147483647, the graph has 2 (byte",
        ),
        bomb(
            "input -2",
            "tflm 3389",
            whole(two(), &[-2], &[1], vec![op(&[0], &[1], &[])]),
            "graph 0: there is no tensor -2, the graph has 2",
        ),
        bomb(
            "node reads past the tensors",
            "tflm 3071",
            whole(two(), &[0], &[1], vec![op(&[9], &[1], &[])]),
            "graph 0 node 0 RELU: there is no tensor 9, the graph has 2",
        ),
        bomb(
            "node reads tensor -2",
            "tflm 3072",
            whole(two(), &[0], &[1], vec![op(&[-2], &[1], &[])]),
            "graph 0 node 0 RELU: there is no tensor -2, the graph has 2",
        ),
        bomb(
            "node writes tensor -1",
            "tflm 3076",
            whole(two(), &[0], &[1], vec![op(&[0], &[-1], &[])]),
            "graph 0: output 1 'y' is never written",
        ),
        bomb(
            "node writes the input",
            "a cyclic graph",
            whole(two(), &[0], &[1], vec![op(&[1], &[0], &[])]),
            "graph 0 node 0 RELU: tensor 1 'y' is read before it is written",
        ),
        bomb(
            "two nodes write one tensor",
            "a value that changes",
            whole(two(), &[0], &[1], vec![op(&[0], &[1], &[]), op(&[0], &[1], &[])]),
            "graph 0 node 1 RELU: tensor 1 'y' is written twice",
        ),
        bomb(
            "nobody writes the output",
            "tflm 3389",
            whole(two(), &[0], &[1], vec![]),
            "graph 0: output 1 'y' is never written",
        ),
        bomb(
            "nodes out of order",
            "a cyclic graph",
            whole(
                vec![tensor("x", &[2], &[]), tensor("y", &[2], &[]), tensor("t", &[2], &[])],
                &[0],
                &[1],
                vec![op(&[2], &[1], &[]), op(&[0], &[2], &[])],
            ),
            "graph 0 node 0 RELU: tensor 2 't' is read before it is written",
        ),
        bomb(
            "negative dimension",
            "tflm 3761",
            relu(&[-5], &[], &[]),
            "graph 0 tensor 0 'x': a dimension is -5",
        ),
        bomb(
            "dimensions wrap",
            "tflm 3761",
            relu(&[1 << 30, 1 << 30, 1 << 30], &[], &[]),
            "graph 0 tensor 0 'x': dimensions [1073741824, 1073741824,",
        ),
        bomb(
            "2^40 elements",
            "tflm 3761",
            relu(&[1 << 20, 1 << 20], &[], &[]),
            "step 0 '' (clip_f32): the tensors are too large; [(F32,",
        ),
        bomb(
            "100,000 axes",
            "tflm 3389",
            relu(&vec![1; 100_000], &[], &[]),
            "graph 0 tensor 0 'x': 100000 axes, `rank` allows 8",
        ),
        bomb(
            "element type 200",
            "an enum out of range",
            relu(&[2], &[(1, Fb::U8(200))], &[]),
            "graph 0 tensor 0 'x': element type -56; the schema this reader",
        ),
        bomb(
            "buffer past the buffers",
            "tflm 3389",
            relu(&[2], &[(2, Fb::I32(77))], &[]),
            "graph 0 tensor 0 'x': there is no buffer 77, the file has 1",
        ),
        bomb(
            "content too short",
            "tract 2390",
            with_constant(&[4], &[], data(&[0; 15])),
            "graph 0 tensor 2 'w': 15 bytes of data for 4 elements of f32",
        ),
        bomb(
            "content too long",
            "tract 2390",
            with_constant(&[4], &[], data(&[0; 17])),
            "graph 0 tensor 2 'w': 17 bytes of data for 4 elements of f32",
        ),
        bomb(
            "content of a wrapping shape",
            "tract CVE-2026-55093",
            with_constant(&[1 << 30, 1 << 30, 1 << 4], &[], data(&[0; 4])),
            "graph 0 tensor 2 'w': dimensions [1073741824, 1073741824, 16]",
        ),
        bomb(
            "content behind the file",
            "a buffer by offset and size",
            with_constant(&[4], &[], outer(1 << 40, 16)),
            "graph 0 tensor 2 'w': data of 16 bytes at byte 1099511627776",
        ),
        bomb(
            "content of wrapping place",
            "a buffer by offset and size",
            with_constant(&[4], &[], outer(u64::MAX - 4, 16)),
            "graph 0 tensor 2 'w': data of 16 bytes at byte",
        ),
        bomb(
            "content in another file",
            "onnx CVE-2026-34445",
            with_constant(&[4], &[(10, Fb::I32(1))], data(&[0; 16])),
            "graph 0 tensor 2 'w': the tensor lies in an external file;",
        ),
        bomb(
            "texts whose offsets leave the buffer",
            "ctranslate2 PR 2091",
            with_constant(
                &[2],
                &[(1, Fb::U8(5))],
                data(&[2, 0, 0, 0, 16, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f]),
            ),
            "graph 0 tensor 2 'w': the list of texts is broken",
        ),
        bomb(
            "more texts than bytes",
            "ctranslate2 PR 2091",
            with_constant(&[2], &[(1, Fb::U8(5))], data(&[0xff; 4])),
            "graph 0 tensor 2 'w': 4294967295 texts where the shape asks for",
        ),
        bomb(
            "sparse without axes",
            "tflm 3389",
            with_constant(&[4], &[(6, Fb::Table(vec![]))], data(&[0; 16])),
            "graph 0 tensor 2 'w': the tensor is stored sparse; export the",
        ),
        bomb(
            "sparse in an axis order of its own",
            "tflm 3389",
            with_constant(&[4], &[(6, sparsity(vec![7]))], data(&[0; 16])),
            "graph 0 tensor 2 'w': the tensor is stored sparse; export the",
        ),
        bomb(
            "more scales than channels",
            "tflm 3077",
            quantized(&[1.0; 3], &[0; 3], 0),
            "graph 0 tensor 0 'x': 3 quantization scales do not fit axis 0",
        ),
        bomb(
            "more zero points than scales",
            "tflm 3077",
            quantized(&[1.0], &[0; 2], 0),
            "graph 0 tensor 0 'x': 1 quantization scales and 2 zero points",
        ),
        bomb(
            "scales along axis 9",
            "tflm 3077",
            quantized(&[1.0; 2], &[0; 2], 9),
            "node '' (clip): no kernel: input 0 has no single quantization",
        ),
        bomb(
            "scale NaN",
            "a factor without exponent",
            quantized(&[f32::NAN], &[0], 0),
            "graph 0 tensor 0 'x': a quantization scale is negative or not a",
        ),
        bomb(
            "scale infinite",
            "a factor without exponent",
            quantized(&[f32::INFINITY], &[0], 0),
            "graph 0 tensor 0 'x': a quantization scale is negative or not a",
        ),
        bomb(
            "scale negative",
            "a factor without exponent",
            quantized(&[-1.0], &[0], 0),
            "graph 0 tensor 0 'x': a quantization scale is negative or not a",
        ),
        bomb(
            "zero point 2^40",
            "a number cut off to 32 bits",
            quantized(&[1.0], &[1 << 40], 0),
            "graph 0 tensor 0 'x': a zero point has more than 32 bits (byte",
        ),
    ]
}

fn operators() -> Vec<Bomb> {
    let node = |more: &[(usize, Fb)]| {
        let tensors = vec![tensor("x", &[2], &[]), tensor("y", &[2], &[])];
        model(RELU, vec![graph(tensors, &[0], &[1], vec![op(&[0], &[1], more)])], &[], &[])
    };
    let two = || vec![tensor("x", &[2], &[]), tensor("y", &[2], &[])];
    let plain =
        |number| model(number, vec![graph(two(), &[0], &[1], vec![op(&[0], &[1], &[])])], &[], &[]);
    let wrong_code =
        Fb::Table(vec![(0, Fb::I32(1 << 30)), (1, Fb::Ints(vec![0])), (2, Fb::Ints(vec![1]))]);
    vec![
        bomb(
            "operator code past the codes",
            "tflm 3389",
            model(RELU, vec![graph(two(), &[0], &[1], vec![wrong_code])], &[], &[]),
            "graph 0 node 0: there is no operator code 1073741824",
        ),
        bomb(
            "operator 9999",
            "an enum out of range",
            plain(9999),
            "operator code 0: built-in operator 9999 is not in the schema;",
        ),
        bomb(
            "operator -5",
            "an enum out of range",
            plain(-5),
            "operator code 0: built-in operator -5 is not in the schema; the",
        ),
        bomb(
            "custom operator without a name",
            "openvino PR 35607: absent fields",
            plain(CUSTOM),
            "node 0 (): operator custom. is not supported yet; see",
        ),
        bomb(
            "options of another operator",
            "type confusion",
            node(&[(3, Fb::U8(1)), (4, Fb::Table(vec![]))]),
            "graph 0 node 0 RELU: RELU carries options of another operator",
        ),
        bomb(
            "no inputs",
            "tflm 3071",
            model(RELU, vec![graph(two(), &[0], &[1], vec![op(&[], &[1], &[])])], &[], &[]),
            "node 0 (RELU): input 0 is missing",
        ),
        bomb(
            "no outputs",
            "tflm 3071",
            model(RELU, vec![graph(two(), &[0], &[1], vec![op(&[0], &[], &[])])], &[], &[]),
            "graph 0: output 1 'y' is never written",
        ),
        bomb(
            "convolution with stride 0",
            "triton CVE-2025-23321",
            conv(&[2, 1, 1, 2], 0, 1),
            "node 0 (CONV_2D): attribute 'stride_h': has to be at least 1",
        ),
        bomb(
            "convolution with dilation 0",
            "triton CVE-2025-23321",
            conv(&[2, 1, 1, 2], 1, 0),
            "node 0 (CONV_2D): attribute 'dilation_h_factor': has to be at",
        ),
        bomb(
            "convolution with dilation 2^31-1",
            "triton CVE-2025-23323",
            conv(&[2, 3, 3, 2], 1, i32::MAX),
            "node 0 (CONV_2D): too much padding",
        ),
        bomb(
            "convolution with other channels",
            "tensorflow 124982",
            conv(&[2, 1, 1, 3], 1, 1),
            "node 0 (CONV_2D): 1 groups of 3 channels do not make 2 channels",
        ),
        bomb(
            "convolution with weights of one axis",
            "tflm 3389",
            conv(&[2], 1, 1),
            "node 0 (CONV_2D): weights have to have 4 known dimensions",
        ),
        bomb(
            "convolution with an empty window",
            "triton CVE-2025-23321",
            conv(&[2, 0, 0, 2], 1, 1),
            "node 0 (CONV_2D): strides, dilations and kernel sizes begin at 1",
        ),
        bomb(
            "reshape to 22 axes",
            "tensorflow 124982",
            reshape(&[1; 22]),
            "node 0 (RESHAPE): 2 elements cannot become 1",
        ),
        bomb(
            "reshape to a wrapping size",
            "tensorflow 124982",
            reshape(&[1 << 30, 1 << 30, 1 << 4]),
            "step 0 '' (copy): the tensors are too large; [(F32, [2])] ->",
        ),
        bomb(
            "reshape to two unknowns",
            "triton CVE-2025-23321",
            reshape(&[-1, -1]),
            "node 0 (RESHAPE): more than one dimension is -1",
        ),
        bomb(
            "reshape to size -7",
            "triton CVE-2025-23335",
            reshape(&[-7]),
            "node 0 (RESHAPE): -7 is no dimension",
        ),
        bomb(
            "a While that calls itself",
            "endless recursion",
            endless(0),
            "graph 0: it calls graph 0, which leads back to it",
        ),
        bomb(
            "a While of a graph that is not there",
            "tflm 3389",
            endless(3),
            "graph 0 node 0 WHILE attribute 'cond_subgraph_index': there is",
        ),
        bomb(
            "a While of graph -1",
            "tflm 3389",
            endless(-1),
            "graph 0 node 0 WHILE attribute 'cond_subgraph_index': there is",
        ),
        bomb(
            "custom options of one byte",
            "flexbuffers: too short",
            custom(&[1]),
            "node 0 (TFLite_Detection_PostProcess): attribute",
        ),
        bomb(
            "custom options that contain themselves",
            "flexbuffers: endless recursion",
            custom(&[0, 1, 1, 0x28, 0x24, 1]),
            "node 0 (TFLite_Detection_PostProcess): attribute",
        ),
        bomb(
            "custom options of wrapping width",
            "flexbuffers: an offset before the buffer",
            custom(&[0xff, 0xff, 0xff, 0x24, 0x01]),
            "node 0 (TFLite_Detection_PostProcess): attribute",
        ),
    ]
}
