//! Files made by hand: what is read, and what is refused where.

use embarca_ir::foreign::{AttrValue, ForeignDim, ForeignModel};
use embarca_num::DType;

use super::*;
use crate::wire::flat_writer;

/// A value of a FlatBuffer.
type Fb = flat_writer::Fb<'static>;

fn text(text: &str) -> Fb {
    Fb::Bytes(text.as_bytes().to_vec())
}

fn finish(root: &Fb) -> Vec<u8> {
    flat_writer::finish(root, IDENTIFIER)
}

/// A model in the making: codes, buffers after the empty first, graphs.
#[derive(Clone, Default)]
struct Draft {
    codes: Vec<Fb>,
    buffers: Vec<Fb>,
    graphs: Vec<Fb>,
}

impl Draft {
    fn finish(&self) -> Vec<u8> {
        let mut buffers = vec![Fb::Table(vec![])];
        buffers.extend(self.buffers.iter().cloned());
        finish(&Fb::Table(vec![
            (model::VERSION, Fb::I32(3)),
            (model::OPERATOR_CODES, Fb::Tables(self.codes.clone())),
            (model::SUBGRAPHS, Fb::Tables(self.graphs.clone())),
            (model::DESCRIPTION, text("by hand")),
            (model::BUFFERS, Fb::Tables(buffers)),
        ]))
    }
}

fn code(old: u8, new: i32) -> Fb {
    Fb::Table(vec![(0, Fb::U8(old)), (3, Fb::I32(new))])
}

fn tensor(name: &str, shape: &[i32], more: &[(usize, Fb)]) -> Fb {
    let mut fields = vec![(0, Fb::Ints(shape.to_vec())), (3, text(name))];
    fields.extend_from_slice(more);
    Fb::Table(fields)
}

fn graph(tensors: Vec<Fb>, inputs: &[i32], outputs: &[i32], nodes: Vec<Fb>) -> Fb {
    Fb::Table(vec![
        (subgraph::TENSORS, Fb::Tables(tensors)),
        (subgraph::INPUTS, Fb::Ints(inputs.to_vec())),
        (subgraph::OUTPUTS, Fb::Ints(outputs.to_vec())),
        (subgraph::OPERATORS, Fb::Tables(nodes)),
    ])
}

fn op(code: i32, inputs: &[i32], outputs: &[i32], more: &[(usize, Fb)]) -> Fb {
    let mut fields = vec![
        (node::OPCODE_INDEX, Fb::I32(code)),
        (node::INPUTS, Fb::Ints(inputs.to_vec())),
        (node::OUTPUTS, Fb::Ints(outputs.to_vec())),
    ];
    fields.extend_from_slice(more);
    Fb::Table(fields)
}

fn read(bytes: &[u8]) -> Result<ForeignModel<'_>, ReadError> {
    super::read(bytes, &ImportLimits::default())
}

/// One RELU, so that tensors 0 and 1 are an input and an output.
fn one_node(code: Fb, more: &[(usize, Fb)]) -> Vec<u8> {
    let tensors = vec![tensor("x", &[2], &[]), tensor("y", &[2], &[])];
    let graphs = vec![graph(tensors, &[0], &[1], vec![op(0, &[0, -1], &[1], more)])];
    Draft { codes: vec![code], graphs, ..Draft::default() }.finish()
}

/// The model with `extra` as tensor 2, which nobody reads, and `buffer` as buffer 1.
fn with_tensor(extra: Fb, buffer: Fb) -> Vec<u8> {
    let tensors = vec![tensor("x", &[2], &[]), tensor("y", &[2], &[]), extra];
    let graphs = vec![graph(tensors, &[0], &[1], vec![op(0, &[0], &[1], &[])])];
    Draft { codes: vec![code(19, 0)], buffers: vec![buffer], graphs }.finish()
}

fn attrs(bytes: &[u8]) -> Vec<(String, AttrValue)> {
    read(bytes).unwrap().graphs[0].nodes[0].attrs.clone()
}

fn data(bytes: Vec<u8>) -> Fb {
    Fb::Table(vec![(0, Fb::Bytes(bytes))])
}

#[test]
fn options_have_names_and_defaults() {
    let stated = [
        (node::BUILTIN_OPTIONS_TYPE, Fb::U8(1)),
        (
            node::BUILTIN_OPTIONS,
            Fb::Table(vec![(0, Fb::U8(1)), (2, Fb::I32(2)), (3, Fb::U8(3)), (5, Fb::I32(4))]),
        ),
    ];
    let conv = |padding: &str, stride_h, activation: &str, dilation_h| {
        let text = |text: &str| AttrValue::Text(text.into());
        [
            ("padding", text(padding)),
            ("stride_w", AttrValue::Int(0)),
            ("stride_h", AttrValue::Int(stride_h)),
            ("fused_activation_function", text(activation)),
            ("dilation_w_factor", AttrValue::Int(1)),
            ("dilation_h_factor", AttrValue::Int(dilation_h)),
            ("quantized_bias_type", text("FLOAT32")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    };
    assert_eq!(attrs(&one_node(code(3, 0), &stated)), conv("VALID", 2, "RELU6", 4));
    assert_eq!(attrs(&one_node(code(3, 0), &[])), conv("SAME", 0, "NONE", 1));

    let handle = Fb::Table(vec![(1, text("state"))]);
    let handle = [(node::BUILTIN_OPTIONS_TYPE, Fb::U8(111)), (node::BUILTIN_OPTIONS, handle)];
    assert_eq!(
        attrs(&one_node(code(127, 142), &handle))[1],
        ("shared_name".into(), AttrValue::Text("state".into()))
    );
    let beta = Fb::Table(vec![(0, Fb::F32(0.5))]);
    let beta = [(node::BUILTIN_OPTIONS_TYPE, Fb::U8(9)), (node::BUILTIN_OPTIONS, beta)];
    assert_eq!(attrs(&one_node(code(25, 0), &beta)), [("beta".into(), AttrValue::Float(0.5))]);
}

#[test]
fn codes_old_new_and_custom() {
    let name = |code: Fb| {
        let bytes = one_node(code, &[(node::CUSTOM_OPTIONS, Fb::Bytes(vec![1, 2]))]);
        let node = &read(&bytes).unwrap().graphs[0].nodes[0];
        assert_eq!((&node.inputs[..], &node.outputs[..]), (&[Some(0), None][..], &[Some(1)][..]));
        (node.op.clone(), node.domain.clone(), node.version, node.attrs.len())
    };
    assert_eq!(name(code(19, 0)), ("RELU".into(), "".into(), 1, 0));
    assert_eq!(name(code(19, 19)), ("RELU".into(), "".into(), 1, 0));
    assert_eq!(name(code(127, 150)), ("GELU".into(), "".into(), 1, 1));
    let custom = Fb::Table(vec![(0, Fb::U8(32)), (1, text("Mine")), (2, Fb::I32(7))]);
    assert_eq!(name(custom.clone()), ("Mine".into(), CUSTOM_DOMAIN.into(), 7, 1));
    let bytes = one_node(custom, &[(node::CUSTOM_OPTIONS, Fb::Bytes(vec![1, 2]))]);
    assert_eq!(attrs(&bytes), [("custom_options".into(), AttrValue::Bytes(vec![1, 2]))]);
}

#[test]
fn constants() {
    let floats: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|item| item.to_le_bytes()).collect();
    let texts = [[2, 0, 0, 0], [16, 0, 0, 0], [17, 0, 0, 0], [19, 0, 0, 0]].concat();
    let texts = [&texts[..], b"abc"].concat();
    // Type, shape, buffer, content in memory.
    let cases: &[(u8, &[i32], &[u8], DType, &[u8])] = &[
        (0, &[2], &floats, DType::F32, &floats),
        (0, &[2, 1], &floats, DType::F32, &floats),
        (1, &[4], &floats, DType::F16, &floats),
        (4, &[], &floats, DType::I64, &floats),
        (17, &[3], &[0x2f, 0x08], DType::I8, &[0xff, 2, 0xf8]),
        (5, &[2], &texts, DType::Str, &texts),
    ];
    for &(kind, shape, content, dtype, expected) in cases {
        let extra = tensor("w", shape, &[(1, Fb::U8(kind)), (2, Fb::I32(1))]);
        let bytes = with_tensor(extra, data(content.to_vec()));
        let model = read(&bytes).unwrap();
        let tensor = &model.graphs[0].tensors[2];
        assert_eq!((tensor.dtype, tensor.data.as_deref()), (Some(dtype), Some(expected)));
    }
    // Behind the model, by offset.
    let extra = tensor("w", &[2], &[(2, Fb::I32(1))]);
    let place = |offset| Fb::Table(vec![(1, Fb::U64(offset)), (2, Fb::U64(8))]);
    let length = with_tensor(extra.clone(), place(2)).len() as u64;
    let mut bytes = with_tensor(extra.clone(), place(length));
    bytes.extend(&floats);
    assert_eq!(read(&bytes).unwrap().graphs[0].tensors[2].data.as_deref(), Some(&floats[..]));
    bytes.pop();
    assert!(read(&bytes).unwrap_err().fault().what.contains("beyond the file"));
    assert!(read(&with_tensor(extra, place(u64::MAX))).is_err());
    // No elements, no buffer.
    let bytes = with_tensor(tensor("none", &[0, 4], &[]), data(vec![]));
    assert_eq!(read(&bytes).unwrap().graphs[0].tensors[2].data.as_deref(), Some(&[][..]));
}

#[test]
fn open_dimensions() {
    let signature = tensor("s", &[1, 4], &[(7, Fb::Ints(vec![-1, 4]))]);
    let bytes = with_tensor(signature, data(vec![]));
    let model = read(&bytes).unwrap();
    let tensors = &model.graphs[0].tensors;
    assert_eq!(tensors[2].dims, Some(vec![ForeignDim::Unknown, ForeignDim::Known(4)]));
    assert_eq!(tensors[0].dims, Some(vec![ForeignDim::Known(2)]));
    assert_eq!((&model.meta.description[..], model.graphs[0].inputs[0]), ("by hand", 0));
}

#[test]
fn quantization() {
    let quant = |scales: &[f32], zeros: &[i64], axis: i32| {
        let fields = vec![
            (2, Fb::Floats(scales.to_vec())),
            (3, Fb::Longs(zeros.to_vec())),
            (6, Fb::I32(axis)),
        ];
        (4, Fb::Table(fields))
    };
    let quantized = |shape: &[i32], quant| {
        let bytes = with_tensor(tensor("q", shape, &[quant]), data(vec![]));
        read(&bytes).map(|model| model.graphs[0].tensors[2].quant.clone())
    };
    let full = |scales: &[f32], zero_points: &[i64], axis| {
        let (scales, zero_points) = (scales.to_vec(), zero_points.to_vec());
        Ok(Some(embarca_ir::foreign::ForeignQuant { scales, zero_points, axis }))
    };
    assert_eq!(quantized(&[2, 3], quant(&[0.5], &[7], 0)), full(&[0.5], &[7], 0));
    assert_eq!(quantized(&[2, 3], quant(&[0.5], &[], 9)), full(&[0.5], &[0], 0));
    assert_eq!(quantized(&[3, 2], quant(&[1.0, 2.0], &[0, 1], 1)), full(&[1.0, 2.0], &[0, 1], 1));
    assert_eq!(quantized(&[2], quant(&[1.0, 2.0], &[0, 0], 3)), full(&[1.0, 2.0], &[0, 0], 0));
    assert_eq!(quantized(&[2], quant(&[], &[], 3)), Ok(None));
    assert!(quantized(&[3, 2], quant(&[1.0, 2.0], &[0, 1], 0)).is_err());
    assert!(quantized(&[2, 2], quant(&[1.0, 2.0], &[0, 1], -1)).is_err());
    assert!(quantized(&[3], quant(&[1.0, 2.0, 3.0], &[0, 1], 0)).is_err());
    assert!(quantized(&[1], quant(&[f32::NAN], &[0], 0)).is_err());
    assert!(quantized(&[1], (4, Fb::Table(vec![(4, Fb::U8(2))]))).is_err());
}

#[test]
fn refusals_name_the_place() {
    let tensor_of = |shape: &[i32], more: &[(usize, Fb)]| {
        with_tensor(tensor("w", shape, more), data(vec![0; 8]))
    };
    let two = |nodes: Vec<Fb>, outputs: &[i32]| {
        let tensors = ["x", "y", "z"].map(|name| tensor(name, &[2], &[])).to_vec();
        let graphs = vec![graph(tensors, &[0], outputs, nodes)];
        Draft { codes: vec![code(19, 0)], graphs, ..Draft::default() }.finish()
    };
    let call = |subgraph: i32| {
        [
            (node::BUILTIN_OPTIONS_TYPE, Fb::U8(16)),
            (node::BUILTIN_OPTIONS, Fb::Table(vec![(0, Fb::I32(subgraph))])),
        ]
    };
    let relu_with = |more: &[(usize, Fb)]| one_node(code(19, 0), more);
    let empty = Fb::Table(vec![]);
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (b"\x08\0\0\0TFL3".to_vec(), "", "an offset leads out"),
        (vec![], "", "no TFL3 mark"),
        (finish(&Fb::Table(vec![(0, Fb::I32(2))])), "", "schema version 2"),
        (finish(&Fb::Table(vec![(0, Fb::I32(3))])), "", "no graph"),
        (one_node(code(127, 999), &[]), "operator code 0", "built-in operator 999"),
        (one_node(code(127, 0), &[]), "operator code 0", "built-in operator 127"),
        (relu_with(&[(node::OPCODE_INDEX, Fb::I32(5))]), "graph 0 node 0", "no operator code 5"),
        (relu_with(&[(node::INPUTS, Fb::Ints(vec![9]))]), "graph 0 node 0 RELU", "no tensor 9"),
        (
            one_node(code(3, 0), &[(node::BUILTIN_OPTIONS_TYPE, Fb::U8(5))]),
            "graph 0 node 0 CONV_2D",
            "options of another operator",
        ),
        (relu_with(&[(node::BUILTIN_OPTIONS_TYPE, Fb::U8(200))]), "graph 0 node 0", "no table"),
        (
            one_node(code(3, 0), &[(3, Fb::U8(1)), (4, Fb::Table(vec![(0, Fb::U8(2))]))]),
            "attribute 'padding'",
            "value 2 is not one of SAME, VALID",
        ),
        (one_node(code(31, 0), &call(4)), "attribute 'subgraph'", "no subgraph 4"),
        (one_node(code(31, 0), &call(0)), "graph 0", "leads back"),
        (one_node(code(31, 0), &[]), "graph 0 node 0 CALL", "'subgraph' is missing"),
        (tensor_of(&[3], &[(2, Fb::I32(1))]), "graph 0 tensor 2 'w'", "8 bytes of data for 3"),
        (tensor_of(&[-1], &[(2, Fb::I32(1))]), "tensor 2 'w'", "unknown size"),
        (tensor_of(&[-2], &[]), "tensor 2 'w'", "a dimension is -2"),
        (tensor_of(&[i32::MAX; 8], &[]), "tensor 2 'w'", "`elements`"),
        (tensor_of(&[1; 9], &[]), "tensor 2 'w'", "`rank`"),
        (tensor_of(&[2], &[(1, Fb::U8(99))]), "tensor 2 'w'", "element type 99"),
        (tensor_of(&[2], &[(2, Fb::I32(9))]), "tensor 2 'w'", "no buffer 9"),
        (tensor_of(&[2], &[(6, empty)]), "tensor 2 'w'", "sparse"),
        (tensor_of(&[2], &[(10, Fb::I32(1))]), "tensor 2 'w'", "external file"),
        (tensor_of(&[2], &[(7, Fb::Ints(vec![2, 2]))]), "tensor 2 'w'", "differ in rank"),
        (two(vec![op(0, &[1], &[2], &[])], &[2]), "graph 0 node 0 RELU", "read before"),
        (
            two(vec![op(0, &[0], &[1], &[]), op(0, &[0], &[1], &[])], &[1]),
            "graph 0 node 1 RELU",
            "tensor 1 'y' is written twice",
        ),
        (two(vec![op(0, &[0], &[1], &[])], &[2]), "graph 0", "'z' is never written"),
        (two(vec![op(0, &[0], &[1], &[])], &[-1]), "graph 0", "no tensor"),
    ];
    for (bytes, place, what) in cases {
        let error = read(&bytes).map(|_| ()).unwrap_err();
        let fault = error.fault();
        assert!(fault.what.contains(what), "{what}: {error}");
        assert!(fault.place.contains(place), "{place}: {error}");
    }
}

#[test]
fn shared_tables_cannot_multiply() {
    let name = "n".repeat(100_000);
    let shared = |count| {
        let item = Box::new(tensor(&name, &[2], &[]));
        let fields = vec![(subgraph::TENSORS, Fb::Shared(count, item))];
        Draft { graphs: vec![Fb::Table(fields)], ..Draft::default() }.finish()
    };
    assert!(read(&shared(10)).is_ok());
    for count in [1000, 2_000_000] {
        assert!(matches!(read(&shared(count)), Err(ReadError::OverLimit(_))), "{count}");
    }
    let codes = Fb::Shared(1_000_000, Box::new(Fb::Table(vec![(0, Fb::U8(32)), (1, text(&name))])));
    let codes = finish(&Fb::Table(vec![(0, Fb::I32(3)), (model::OPERATOR_CODES, codes)]));
    assert!(matches!(read(&codes), Err(ReadError::OverLimit(_))));
}
