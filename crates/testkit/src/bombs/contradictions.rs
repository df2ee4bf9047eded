//! Files whose parts say different things, or that say more than their operators read: each would
//! have an answer if one of the two were believed in silence.

use super::flat::Fb;
use super::tflite::{data, graph, model, op, tensor};
use super::{Bomb, Reader};

/// What stands for all of them.
const SILENT: &str = "partial support in silence";

/// One TFLite operator: `inputs` of f32, then `lists` of i32 as constants, then `outputs` of f32; the
/// node reads the tensors `reads` and carries `options` of this union number and these integers.
struct Net<'a> {
    number: i32,
    inputs: &'a [&'a [i32]],
    lists: &'a [&'a [i32]],
    outputs: &'a [&'a [i32]],
    reads: &'a [i32],
    options: (u8, &'a [(usize, i32)]),
}

impl Net<'_> {
    fn bytes(&self) -> Vec<u8> {
        let lists = self.inputs.len()..self.inputs.len() + self.lists.len();
        let mut tensors: Vec<Fb> =
            self.inputs.iter().map(|shape| tensor("x", shape, &[])).collect();
        let mut buffers = Vec::new();
        for list in self.lists {
            let content: Vec<u8> = list.iter().flat_map(|item| item.to_le_bytes()).collect();
            buffers.push(data(&content));
            let fields = [(1, Fb::U8(2)), (2, Fb::I32(buffers.len() as i32))];
            tensors.push(tensor("c", &[list.len() as i32], &fields));
        }
        tensors.extend(self.outputs.iter().map(|shape| tensor("y", shape, &[])));
        let numbers = |range: std::ops::Range<usize>| -> Vec<i32> {
            range.map(|index| index as i32).collect()
        };
        let outputs = numbers(lists.end..tensors.len());
        let (union, fields) = self.options;
        let fields = fields.iter().map(|&(field, value)| (field, Fb::I32(value))).collect();
        let options = [(3, Fb::U8(union)), (4, Fb::Table(fields))];
        let options = if union == 0 { &[][..] } else { &options };
        let nodes = vec![op(self.reads, &outputs, options)];
        let inputs = numbers(0..self.inputs.len());
        model(self.number, vec![graph(tensors, &inputs, &outputs, nodes)], &buffers, &[])
    }
}

/// `y = relu(x)` in i8 or i16 (`kind`), both with this scale and zero point.
fn quantized(kind: u8, scale: f32, zero: i64) -> Vec<u8> {
    let quantization = Fb::Table(vec![(2, Fb::Floats(vec![scale])), (3, Fb::Longs(vec![zero]))]);
    let fields = [(1, Fb::U8(kind)), (4, quantization)];
    let tensors = vec![tensor("x", &[2], &fields), tensor("y", &[2], &fields)];
    model(19, vec![graph(tensors, &[0], &[1], vec![op(&[0], &[1], &[])])], &[], &[])
}

pub(super) fn bombs() -> Vec<Bomb> {
    [counts(), values(), stored(), super::onnx::contradictions(), super::caffe::contradictions()]
        .concat()
}

fn bomb(name: &'static str, bytes: Vec<u8>, refusal: &'static str) -> Bomb {
    super::bomb(Reader::TfLite, name, SILENT, bytes, refusal)
}

/// More, or fewer, inputs and outputs than there should be.
fn counts() -> Vec<Bomb> {
    let one = |number, reads: &[i32], outputs: usize, options: (u8, &[(usize, i32)])| {
        let outputs = vec![&[4][..]; outputs];
        Net { number, inputs: &[&[4]], lists: &[], outputs: &outputs, reads, options }.bytes()
    };
    let add = (11, &[][..]);
    let none = (0, &[][..]);
    let split = |stated, parts: usize| {
        let outputs = vec![&[2][..]; parts];
        let (lists, options): (&[&[i32]], _) = (&[&[0]], [(0, stated)]);
        let (inputs, reads): (&[&[i32]], &[i32]) = (&[&[4]], &[1, 0]);
        Net { number: 49, inputs, lists, outputs: &outputs, reads, options: (35, &options) }.bytes()
    };
    let stack = |number, union, stated, reads: &[i32], outputs: &[&[i32]]| {
        let (inputs, options): (&[&[i32]], _) = (&[&[2, 3]], [(0, stated)]);
        Net { number, inputs, lists: &[], outputs, reads, options: (union, &options) }.bytes()
    };
    let dense = |reads: &[i32]| {
        let (inputs, options): (&[&[i32]], _) = (&[&[1, 4], &[2, 4], &[2]], (8, &[][..]));
        Net { number: 9, inputs, lists: &[], outputs: &[&[1, 2]], reads, options }.bytes()
    };
    vec![
        bomb("RELU of a thousand inputs", one(19, &[0; 1000], 1, none), "input 1 of 1000 is not"),
        bomb("RELU with two outputs", one(19, &[0], 2, none), "node 0 (RELU): only 1 outputs"),
        bomb("ADD of one input", one(0, &[0], 1, add), "node 0 (ADD): input 1 is missing"),
        bomb("ADD of three inputs", one(0, &[0; 3], 1, add), "node 0 (ADD): input 2 of 3 is not"),
        bomb("MAXIMUM of three", one(55, &[0; 3], 1, (39, &[])), "node 0 (MAXIMUM): input 2 of 3"),
        bomb(
            "SOFTMAX of two inputs",
            one(25, &[0; 2], 1, (9, &[])),
            "node 0 (SOFTMAX): input 1 of",
        ),
        bomb(
            "FULLY_CONNECTED with two biases",
            dense(&[0, 1, 2, 2]),
            "node 0 (FULLY_CONNECTED): input 3 of 4 is not honoured",
        ),
        bomb("SPLIT into another number", split(3, 2), "'num_splits': says 3, but there are 2"),
        bomb(
            "PACK of another number",
            stack(83, 59, 3, &[0, 0], &[&[2, 2, 3]]),
            "node 0 (PACK): attribute 'values_count': says 3, but there are 2",
        ),
        bomb(
            "UNPACK into another number",
            stack(88, 64, 3, &[0], &[&[3], &[3]]),
            "node 0 (UNPACK): attribute 'num': says 3, but there are 2",
        ),
        bomb(
            "UNPACK of a part of an axis",
            stack(88, 64, 1, &[0], &[&[3]]),
            "node 0 (UNPACK): parts of 1 do not make up 2",
        ),
    ]
}

/// Constants that no reading makes sense of.
fn values() -> Vec<Bomb> {
    let on = |number, x: &[i32], lists: &[&[i32]], options: (u8, &[(usize, i32)])| {
        let reads: Vec<i32> = (0..=lists.len() as i32).collect();
        Net { number, inputs: &[x], lists, outputs: &[&[2]], reads: &reads, options }.bytes()
    };
    let pad = |pads: &[i32]| on(34, &[2], &[pads], (22, &[]));
    let mirror = |mode, pads: &[i32]| on(100, &[3], &[pads], (77, &[(0, mode)]));
    let slice = |begin, size| on(65, &[4], &[&[begin], &[size]], (48, &[]));
    let gather = |index| on(36, &[4], &[&[index]], (23, &[]));
    let resize = |h, w| on(23, &[1, 2, 2, 1], &[&[h, w]], (15, &[]));
    let strided = |begin: &[i32], end: &[i32], by: &[i32], masks| {
        on(45, &[4], &[begin, end, by], (32, masks))
    };
    let reverse = |axes: &[i32]| on(105, &[4], &[axes], (81, &[]));
    let lrn = on(13, &[1, 1, 1, 4], &[], (13, &[(0, -1)]));
    vec![
        bomb("PAD by -1", pad(&[-1, 1]), "node 0 (PAD): padding by -1 elements"),
        bomb("MIRROR_PAD by a side", mirror(0, &[3, 0]), "3 elements are mirrored of 3"),
        bomb("MIRROR_PAD beyond a side", mirror(1, &[4, 0]), "4 elements are mirrored of 3"),
        bomb("SLICE of -2 elements", slice(1, -2), "node 0 (SLICE): a slice of -2 elements"),
        bomb("SLICE from -1", slice(-1, 1), "node 0 (SLICE): elements -1 to 0 are taken of 4"),
        bomb("SLICE from behind the end", slice(5, -1), "node 0 (SLICE): elements 5 to 4 are"),
        bomb("SLICE beyond the end", slice(1, 4), "node 0 (SLICE): elements 1 to 5 are taken of 4"),
        bomb("GATHER at -1", gather(-1), "node 0 (GATHER): index -1 is negative"),
        bomb("GATHER behind the end", gather(4), "node 0 (GATHER): index 4 lies outside 4"),
        bomb(
            "GATHER_ND at -1",
            on(107, &[4], &[&[-1]], (0, &[])),
            "node 0 (GATHER_ND): index -1 is negative",
        ),
        bomb("RESIZE_BILINEAR to 0", resize(0, 4), "node 0 (RESIZE_BILINEAR): a picture of size 0"),
        bomb("RESIZE_BILINEAR to -3", resize(4, -3), "a picture of size -3 results"),
        bomb("REVERSE_V2 of one axis twice", reverse(&[0, 0]), "axis 0 is reversed twice"),
        bomb("LRN of radius -1", lrn, "attribute 'radius': is -1"),
        bomb(
            "STRIDED_SLICE of one element backwards",
            strided(&[1], &[0], &[-1], &[(4, 1)]),
            "node 0 (STRIDED_SLICE): one element is taken with a stride of -1",
        ),
        bomb(
            "STRIDED_SLICE with a new axis behind the last",
            strided(&[0, 0, 0], &[1, 1, 1], &[1, 1, 1], &[(3, 4)]),
            "node 0 (STRIDED_SLICE): 2 axes are sliced of 1",
        ),
        bomb(
            "STRIDED_SLICE with an ellipsis of no axis",
            strided(&[0, 1], &[0, 2], &[1, 1], &[(2, 1)]),
            "attribute 'ellipsis_mask': stands for no axis",
        ),
        bomb(
            "RESHAPE by a matrix",
            {
                let tensors = vec![
                    tensor("x", &[4], &[]),
                    tensor("c", &[1, 1], &[(1, Fb::U8(2)), (2, Fb::I32(1))]),
                    tensor("y", &[4], &[]),
                ];
                let nodes = vec![op(&[0, 1], &[2], &[])];
                model(22, vec![graph(tensors, &[0], &[2], nodes)], &[data(&[4, 0, 0, 0])], &[])
            },
            "node 0 (RESHAPE): 4 elements cannot become 1",
        ),
    ]
}

/// Quantizations that no stored integer fits.
fn stored() -> Vec<Bomb> {
    vec![
        bomb("scale 0", quantized(9, 0.0, 0), "tensor 0 'x': the quantization scale is 0"),
        bomb("scale 0 of u8", quantized(3, 0.0, 128), "tensor 0 'x': the quantization scale is 0"),
        bomb("zero point 128 of i8", quantized(9, 0.5, 128), "128 lies outside -128 to 127"),
        bomb("zero point -129 of i8", quantized(9, 0.5, -129), "-129 lies outside -128 to 127"),
        bomb("zero point -1 of u8", quantized(3, 0.5, -1), "zero point -1 lies outside 0 to 255"),
        bomb("zero point 1 of i16", quantized(7, 0.5, 1), "zero point 1 lies outside 0 to 0"),
    ]
}

/// A TFLite file that looks odd, and what LiteRT answers on it.
#[derive(Clone, Debug)]
pub struct Odd {
    /// What is odd.
    pub name: &'static str,
    /// The file; one input and one output of elements of four bytes.
    pub bytes: Vec<u8>,
    /// The input's elements.
    pub input: Vec<u8>,
    /// The output's elements.
    pub output: Vec<u8>,
}

/// Files that are not refused, because readers of the format agree on what they mean.
pub fn odd() -> Vec<Odd> {
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let ints = |values: &[i32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let scalar = {
        let tensors = vec![tensor("x", &[1, 1], &[]), tensor("y", &[], &[])];
        let options = [(3, Fb::U8(17)), (4, Fb::Table(vec![(0, Fb::Ints(vec![0]))]))];
        model(22, vec![graph(tensors, &[0], &[1], vec![op(&[0], &[1], &options)])], &[], &[])
    };
    let strided = Net {
        number: 45,
        inputs: &[&[4]],
        lists: &[&[1, 0], &[3, 2], &[1, 1]],
        outputs: &[&[2]],
        reads: &[0, 1, 2, 3],
        options: (32, &[]),
    };
    let sum = {
        let quantization = |scale| {
            let scale = (2, Fb::Floats(vec![scale]));
            [(1, Fb::U8(2)), (4, Fb::Table(vec![scale, (3, Fb::Longs(vec![0]))]))]
        };
        let x = tensor("x", &[2], &quantization(0.5));
        let y = tensor("y", &[2], &quantization(0.25));
        let options = [(3, Fb::U8(11)), (4, Fb::Table(vec![]))];
        model(0, vec![graph(vec![x, y], &[0], &[1], vec![op(&[0, 0], &[1], &options)])], &[], &[])
    };
    let mut odd = vec![
        Odd {
            name: "RESHAPE to [0], an old way to write a scalar",
            bytes: scalar,
            input: floats(&[2.5]),
            output: floats(&[2.5]),
        },
        Odd {
            name: "STRIDED_SLICE by more entries than axes",
            bytes: strided.bytes(),
            input: floats(&[1.0, 2.0, 3.0, 4.0]),
            output: floats(&[2.0, 3.0]),
        },
        Odd {
            name: "ADD of i32 with scales, which count for nothing",
            bytes: sum,
            input: ints(&[3, -7]),
            output: ints(&[6, -14]),
        },
    ];
    odd.extend(super::onnx::odd());
    odd
}

/// Small models of one built-in operator: on a picture, and on lists of numbers.
pub(crate) fn samples(number: i32) -> Vec<Vec<u8>> {
    let rows: &[&[i32]] = &[&[2, 4]];
    let picture: &[&[i32]] = &[&[1, 4, 4, 2]];
    let of = |inputs, lists, reads| {
        let net = Net { number, inputs, lists, outputs: rows, reads, options: (0, &[]) };
        net.bytes()
    };
    vec![
        of(picture, &[], &[0]),
        of(rows, &[], &[0, 0]),
        of(rows, &[&[0]], &[0, 1]),
        of(rows, &[&[1, 1], &[1, 1], &[1, 1]], &[0, 1, 2, 3]),
    ]
}
