//! Files made by hand: what is read, and what is refused where.

use embarca_ir::foreign::{AttrValue, ForeignDim, ForeignGraph};
use embarca_num::DType;

use super::*;
use crate::wire::proto_writer::{bytes, float, int, message, packed, text};

/// A `TensorProto`'s fields.
fn tensor(name: &str, dtype: DType, dims: &[i64], content: &[Vec<u8>]) -> Vec<u8> {
    let head = [packed(1, dims), int(2, i64::from(dtype.code())), text(8, name)];
    [head.concat(), content.concat()].concat()
}

fn value(number: u32, name: &str) -> Vec<u8> {
    message(number, &[text(1, name)])
}

/// A node of a graph.
fn node(op: &str, inputs: &[&str], outputs: &[&str], more: &[Vec<u8>]) -> Vec<u8> {
    message(1, &node_parts(op, inputs, outputs, more))
}

fn node_parts(op: &str, inputs: &[&str], outputs: &[&str], more: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let inputs = inputs.iter().map(|name| text(1, name));
    let outputs = outputs.iter().map(|name| text(2, name));
    inputs.chain(outputs).chain([text(4, op)]).chain(more.iter().cloned()).collect()
}

fn attr(name: &str, kind: i64, value: Vec<u8>) -> Vec<u8> {
    message(5, &[text(1, name), int(20, kind), value])
}

/// A model of version 8 and opset 13, and its `graph`.
fn model(graph: &[Vec<u8>], more: &[Vec<u8>]) -> Vec<u8> {
    let opset = message(8, &[text(1, ""), int(2, 13)]);
    [int(1, 8), opset, message(7, graph), more.concat()].concat()
}

/// Input `x`, the nodes, output `y`.
fn simple(nodes: &[Vec<u8>]) -> Vec<u8> {
    model(&[value(11, "x"), nodes.concat(), value(12, "y")], &[])
}

fn read(bytes: &[u8]) -> Result<ForeignModel<'_>, ReadError> {
    super::read(bytes, &ImportLimits::default(), &mut NoExternal)
}

/// The nodes as `op(inputs)->outputs`, by the names of tensors.
fn listing(graph: &ForeignGraph<'_>) -> Vec<String> {
    let names = |list: &[Option<usize>]| {
        let name = |index: &Option<usize>| {
            index.map_or("-".to_owned(), |index| graph.tensors[index].name.clone())
        };
        list.iter().map(name).collect::<Vec<_>>().join(",")
    };
    let line = |node: &embarca_ir::foreign::ForeignNode| {
        format!("{}({})->{}", node.op, names(&node.inputs), names(&node.outputs))
    };
    graph.nodes.iter().map(line).collect()
}

#[test]
fn a_small_model() {
    let shape = message(
        2,
        &[message(1, &[int(1, 2)]), message(1, &[text(2, "n")]), message(1, &[int(1, -1)])],
    );
    let kind = message(2, &[message(1, &[int(1, 1), shape])]);
    let weights = tensor("w", DType::F32, &[1], &[bytes(9, &1.5f32.to_le_bytes())]);
    let graph = [
        node("Mul", &["x", "w", ""], &["y", ""], &[text(3, "first"), text(7, "ai.onnx")]),
        text(2, "main"),
        bytes(5, &weights),
        message(11, &[text(1, "x"), kind]),
        value(11, "w"),
        value(12, "y"),
    ];
    let more = [
        text(2, "maker"),
        text(3, "1.0"),
        text(6, "a model"),
        message(14, &[text(1, "names"), text(2, "{0: 'cat'}")]),
    ];
    let file = model(&graph, &more);
    let read = read(&file).unwrap();
    let main = &read.graphs[0];
    assert_eq!(listing(main), ["Mul(x,w,-)->y,-"]);
    let node = &main.nodes[0];
    assert_eq!((&node.name[..], &node.domain[..], node.version), ("first", "", 13));
    let names = |list: &[usize]| {
        list.iter().map(|&index| main.tensors[index].name.clone()).collect::<Vec<_>>()
    };
    assert_eq!((names(&main.inputs), names(&main.outputs)), (vec!["x".into()], vec!["y".into()]));
    let x = &main.tensors[main.inputs[0]];
    let dims = [ForeignDim::Known(2), ForeignDim::Named("n".into()), ForeignDim::Unknown];
    assert_eq!((x.dtype, x.dims.as_deref()), (Some(DType::F32), Some(&dims[..])));
    assert_eq!(main.tensors[0].data.as_deref(), Some(&1.5f32.to_le_bytes()[..]));
    let meta = &read.meta;
    assert_eq!((&meta.producer[..], &meta.description[..]), ("maker 1.0", "a model"));
    assert_eq!(meta.labels, ["cat"]);
    assert!(detect(&file) && !detect(b"") && !detect(b"\x0a\x04name"));
}

#[test]
fn content_of_tensors() {
    let floats = [1.5f32, -2.0].map(f32::to_le_bytes).concat();
    let doubles = [1.5f64].map(f64::to_le_bytes).concat();
    let texts = [&[2u8, 0, 0, 0, 16, 0, 0, 0, 17, 0, 0, 0, 19, 0, 0, 0][..], b"abc"].concat();
    let unpacked = [float(4, 1.5), float(4, -2.0)].concat();
    let cases: Vec<(DType, &[i64], Vec<u8>, &[u8])> = vec![
        (DType::F32, &[2], bytes(9, &floats), &floats),
        (DType::F32, &[2], bytes(4, &floats), &floats),
        (DType::F32, &[2], unpacked, &floats),
        (DType::C64, &[1], bytes(4, &floats), &floats),
        (DType::F64, &[], bytes(10, &doubles), &doubles),
        (DType::I8, &[3], packed(5, &[-1, 2, 127]), &[255, 2, 127]),
        (DType::U8, &[3], [int(5, 255), packed(5, &[0, 7])].concat(), &[255, 0, 7]),
        (DType::F16, &[1], packed(5, &[0x3c00]), &[0, 0x3c]),
        (DType::Bool, &[2], packed(5, &[1, 0]), &[1, 0]),
        (DType::I32, &[1], packed(5, &[-2]), &[254, 255, 255, 255]),
        (DType::I64, &[1], packed(7, &[-2]), &[254, 255, 255, 255, 255, 255, 255, 255]),
        (DType::U32, &[1], packed(11, &[0xffff_ffff]), &[255, 255, 255, 255]),
        (DType::I4, &[3], bytes(9, &[0x2f, 0x08]), &[255, 2, 0xf8]),
        (DType::U4, &[3], packed(5, &[0x2f, 0x08]), &[15, 2, 8]),
        (DType::Str, &[2], [text(6, "a"), text(6, "bc")].concat(), &texts),
        (DType::F32, &[0, 5], vec![], &[]),
        (DType::F32, &[0], bytes(4, &[]), &[]),
    ];
    for (dtype, dims, content, expected) in cases {
        let file = model(&[bytes(5, &tensor("w", dtype, dims, &[content])), value(12, "w")], &[]);
        let model = read(&file).unwrap();
        let tensor = &model.graphs[0].tensors[0];
        assert_eq!((tensor.dtype, tensor.data.as_deref()), (Some(dtype), Some(expected)));
    }
}

#[test]
fn broken_tensors() {
    let eight = bytes(9, &[0; 8]);
    let cases: Vec<(DType, &[i64], Vec<u8>, &str)> = vec![
        (DType::F32, &[3], eight.clone(), "8 bytes of data for 3 elements of f32"),
        (DType::F32, &[1], eight.clone(), "8 bytes of data for 1 elements"),
        (DType::F32, &[-1], eight.clone(), "a dimension is -1"),
        (DType::F32, &[i64::MAX; 8], eight.clone(), "`elements`"),
        (DType::F32, &[1; 9], eight.clone(), "`rank`"),
        (DType::F32, &[2], vec![], "no content for 2 elements"),
        (DType::F32, &[2], packed(7, &[1, 2]), "elements of f32 in field 7"),
        (DType::F32, &[2], [eight.clone(), bytes(4, &[0; 8])].concat(), "in two places"),
        (DType::I8, &[1], packed(5, &[300]), "300 is no i8"),
        (DType::I8, &[2], packed(5, &[3]), "1 bytes of data for 2"),
        (DType::Str, &[1], eight.clone(), "texts in raw_data"),
        (DType::Str, &[2], text(6, "a"), "1 texts where the shape asks for 2"),
        (DType::F32, &[2], message(3, &[]), "segments"),
        (DType::F32, &[2], int(14, 1), "other files are not read here"),
    ];
    for (dtype, dims, content, what) in cases {
        let file = model(&[bytes(5, &tensor("w", dtype, dims, &[content])), value(12, "w")], &[]);
        let error = read(&file).unwrap_err();
        assert!(error.fault().what.contains(what), "{what}: {error}");
        assert!(error.fault().place.contains("graph 0 tensor 'w'"), "{error}");
    }
}

#[test]
fn sparse_tensors() {
    let sparse = |index_dims: &[i64], indices: &[i64], dims: &[i64]| {
        let values = tensor("w", DType::I8, &[2], &[packed(5, &[7, 9])]);
        let indices = tensor("", DType::I64, index_dims, &[packed(7, indices)]);
        let sparse = [bytes(1, &values), bytes(2, &indices), packed(3, dims)];
        let file = model(&[message(15, &sparse), value(12, "w")], &[]);
        read(&file)
            .map(|model| model.graphs[0].tensors[0].data.clone().unwrap_or_default().into_owned())
    };
    assert_eq!(sparse(&[2], &[1, 5], &[2, 3]), Ok(vec![0, 7, 0, 0, 0, 9]));
    assert_eq!(sparse(&[2, 2], &[0, 1, 1, 2], &[2, 3]), Ok(vec![0, 7, 0, 0, 0, 9]));
    for (index_dims, indices, dims) in [
        (&[2][..], &[1, 6][..], &[2, 3][..]),
        (&[2], &[-1, 5], &[2, 3]),
        (&[2, 2], &[0, 3, 1, 0], &[2, 3]),
        (&[1, 2], &[0, 1], &[2, 3]),
        (&[2, 1], &[0, 1], &[2, 3]),
    ] {
        assert!(sparse(index_dims, indices, dims).is_err(), "{indices:?}");
    }
    assert!(matches!(sparse(&[2], &[0, 1], &[1 << 39]), Err(ReadError::OverLimit(_))));
}

#[test]
fn each_kind_of_attribute() {
    let scalar = tensor("", DType::F32, &[], &[float(4, 0.5)]);
    let inner = [node("Neg", &["x"], &["inner_y"], &[]), value(12, "inner_y")];
    let attrs = [
        attr("f", 1, float(2, 0.5)),
        attr("i", 2, int(3, -3)),
        attr("s", 3, text(4, "hi")),
        attr("raw", 3, bytes(4, &[0xff])),
        attr("t", 4, bytes(5, &scalar)),
        attr("g", 5, message(6, &inner)),
        attr("floats", 6, bytes(7, &[1.0f32, 2.0].map(f32::to_le_bytes).concat())),
        attr("ints", 7, [int(8, 4), packed(8, &[-5, 6])].concat()),
        attr("strings", 8, [text(9, "a"), text(9, "")].concat()),
        attr("zero", 2, vec![]),
        message(5, &[text(1, "untyped"), int(3, 9)]),
        attr("type", 13, message(14, &[int(6, 1)])),
    ];
    let file = simple(&[node("Any", &["x"], &["y"], &attrs)]);
    let model = read(&file).unwrap();
    let expected = [
        ("f", AttrValue::Float(0.5)),
        ("i", AttrValue::Int(-3)),
        ("s", AttrValue::Text("hi".into())),
        ("raw", AttrValue::Bytes(vec![0xff])),
        ("t", AttrValue::Tensor(1)),
        ("g", AttrValue::Graph(1)),
        ("floats", AttrValue::Floats(vec![1.0, 2.0])),
        ("ints", AttrValue::Ints(vec![4, -5, 6])),
        ("strings", AttrValue::Texts(vec!["a".into(), "".into()])),
        ("zero", AttrValue::Int(0)),
        ("untyped", AttrValue::Int(9)),
        ("type", AttrValue::Bytes(vec![0x30, 1])),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    assert_eq!(model.graphs[0].nodes[0].attrs, expected);
    assert_eq!(model.graphs[0].tensors[1].data.as_deref(), Some(&0.5f32.to_le_bytes()[..]));
    assert_eq!(listing(&model.graphs[1]), ["Neg(x)->inner_y"]);
}

/// `If` in `If`, `depth` times; the innermost reads `x` of the main graph.
fn nested(depth: usize) -> Vec<u8> {
    let mut inner = [node("Neg", &["x"], &["r"], &[]), value(12, "r")].concat();
    for _ in 1..depth {
        let call = node("If", &["x"], &["r"], &[attr("then_branch", 5, bytes(6, &inner))]);
        inner = [call, value(12, "r")].concat();
    }
    simple(&[node("If", &["x"], &["y"], &[attr("then_branch", 5, bytes(6, &inner))])])
}

#[test]
fn captures_go_through_every_graph() {
    let file = nested(3);
    let model = read(&file).unwrap();
    assert_eq!(model.graphs.len(), 4);
    for (index, graph) in model.graphs.iter().enumerate().skip(1) {
        let &[(inner, outer)] = &graph.captures[..] else { panic!("{:?}", graph.captures) };
        assert_eq!((&graph.tensors[inner].name[..], outer), ("x", 0), "{index}");
        assert!(graph.inputs.is_empty());
    }
    assert_eq!(model.graphs[0].nodes[0].attrs[0].1, AttrValue::Graph(1));
    let bomb = nested(200);
    assert!(matches!(read(&bomb), Err(ReadError::OverLimit(_))));
}

/// A function of the domain `my`: `parts` are nodes and attributes.
fn function(name: &str, inputs: &[&str], outputs: &[&str], parts: &[Vec<u8>]) -> Vec<u8> {
    let inputs = inputs.iter().map(|name| text(4, name));
    let outputs = outputs.iter().map(|name| text(5, name));
    let opset = message(9, &[text(1, ""), int(2, 17)]);
    let head = [text(1, name), text(10, "my"), opset];
    let parts: Vec<_> =
        head.into_iter().chain(inputs).chain(outputs).chain(parts.iter().cloned()).collect();
    message(25, &parts)
}

fn call(name: &str, inputs: &[&str], outputs: &[&str], more: &[Vec<u8>]) -> Vec<u8> {
    let more = [&[text(7, "my")], more].concat();
    node(name, inputs, outputs, &more)
}

/// As [`node`], in a function.
fn inner(op: &str, inputs: &[&str], outputs: &[&str], more: &[Vec<u8>]) -> Vec<u8> {
    message(7, &node_parts(op, inputs, outputs, more))
}

#[test]
fn functions_are_inlined() {
    let reference = |name: &str, to: &str| message(5, &[text(1, name), text(21, to), int(20, 1)]);
    let scale = function(
        "Scale",
        &["a", "b"],
        &["r", "unused"],
        &[
            inner("LeakyRelu", &["a"], &["t"], &[reference("alpha", "slope")]),
            inner("Elu", &["t"], &["unused"], &[reference("alpha", "missing")]),
            inner("Sum", &["t", "b"], &["r"], &[reference("k", "given")]),
            message(11, &[text(1, "slope"), int(20, 1), float(2, 0.25)]),
        ],
    );
    let outer = function(
        "Outer",
        &["a"],
        &["r"],
        &[inner("Scale", &["a"], &["r"], &[text(7, "my"), text(3, "s")])],
    );
    let given = attr("given", 1, float(2, 3.0));
    let nodes = [
        call("Scale", &["x"], &["z"], &[text(3, "first"), given]),
        call("Outer", &["z"], &["y"], &[]),
    ];
    let graph = [value(11, "x"), nodes.concat(), value(12, "y")];
    let file = model(&graph, &[scale, outer]);
    let model = read(&file).unwrap();
    let main = &model.graphs[0];
    assert_eq!(
        listing(main),
        [
            "LeakyRelu(x)->first/t",
            "Elu(first/t)->first/unused",
            "Sum(first/t,-)->z",
            "LeakyRelu(z)->Outer/s/t",
            "Elu(Outer/s/t)->Outer/s/unused",
            "Sum(Outer/s/t,-)->y",
        ]
    );
    let attr = |node: usize| main.nodes[node].attrs.clone();
    assert_eq!(attr(0), [("alpha".into(), AttrValue::Float(0.25))]);
    assert_eq!((attr(1), attr(5)), (vec![], vec![]));
    assert_eq!(attr(2), [("k".into(), AttrValue::Float(3.0))]);
    assert!(main.nodes.iter().all(|node| node.version == 17));
}

#[test]
fn functions_cannot_explode() {
    let body = |name: &str, callee: &str| {
        let call =
            |inputs: &[&str], outputs: &[&str]| inner(callee, inputs, outputs, &[text(7, "my")]);
        let calls = (0..10).map(|index| call(&["a"], &[&format!("t{index}")]));
        let parts: Vec<_> = calls.collect();
        function(name, &["a"], &["t0"], &parts)
    };
    let chain: Vec<_> =
        (0..40).map(|level| body(&format!("F{level}"), &format!("F{}", level + 1))).collect();
    let last = function("F40", &["a"], &["a"], &[]);
    let graph = [value(11, "x"), call("F0", &["x"], &["y"], &[]), value(12, "y")];
    let bomb = model(&graph, &[chain.concat(), last]);
    assert!(matches!(read(&bomb), Err(ReadError::OverLimit(_))));

    let circle = model(&graph, &[body("F0", "F1"), body("F1", "F0")]);
    let error = read(&circle).unwrap_err();
    assert!(error.fault().what.contains("calls itself"), "{error}");

    let branch = attr("body", 5, message(6, &[value(12, "x")]));
    let passing = [value(11, "x"), call("F", &["x"], &["y"], &[branch]), value(12, "y")];
    let error = model(&passing, &[function("F", &["a"], &["a"], &[])]);
    assert!(matches!(read(&error), Err(ReadError::Unsupported(_))));
}

#[test]
fn refusals_name_the_place() {
    let neg = |from: &str, to: &str| node("Neg", &[from], &[to], &[text(3, "n")]);
    let twice = attr("a", 2, int(3, 1));
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (simple(&[neg("z", "y"), neg("x", "z")]), "graph 0 node 0 'n' Neg", "reads 'z'"),
        (simple(&[neg("x", "y"), neg("x", "y")]), "node 1 'n' Neg", "'y' is defined twice"),
        (simple(&[neg("x", "x")]), "node 0 'n' Neg", "'x' is defined twice"),
        (simple(&[neg("x", "z")]), "graph 0", "nothing yields the output 'y'"),
        (model(&[value(11, "x"), value(11, "x")], &[]), "graph 0", "'x' is defined twice"),
        (
            simple(&[node("Neg", &["x"], &["y"], &[twice.clone(), twice])]),
            "graph 0 node 0",
            "attribute 'a' is given twice",
        ),
        (
            simple(&[node("Neg", &["x"], &["y"], &[attr("a", 9, vec![])])]),
            "graph 0 node 0",
            "attribute 'a' of type 9",
        ),
        (
            simple(&[node("If", &["x"], &["y"], &[attr("g", 5, vec![])])]),
            "node 0 If attribute 'g'",
            "the value is missing",
        ),
        (int(1, 8), "", "no graph"),
        (model(&[], &[message(7, &[])]), "", "a second graph"),
        ([int(1, 8), message(7, &[node("A", &[], &[], &[])])].concat(), "node 0 A", "its opset"),
        ([int(1, 8), vec![0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat(), "", "bytes announced"),
        ([int(1, 8), vec![0x3a], vec![0xff; 11]].concat(), "", "more than"),
    ];
    for (file, place, what) in cases {
        let error = read(&file).map(|_| ()).unwrap_err();
        assert!(error.fault().what.contains(what), "{what}: {error}");
        assert!(error.fault().place.contains(place), "{place}: {error}");
    }
}

#[test]
fn external_data() {
    /// One file of eight bytes.
    struct Memory;
    impl ExternalData for Memory {
        fn size(&mut self, location: &str) -> Result<u64, ReadError> {
            match location {
                "w.bin" => Ok(8),
                _ => Err(ReadError::malformed("no such file")),
            }
        }

        fn read(&mut self, _: &str, offset: u64, length: usize) -> Result<Vec<u8>, ReadError> {
            Ok((0..length).map(|index| offset as u8 + index as u8).collect())
        }
    }
    let file = |entries: &[(&str, &str)]| {
        let entries =
            entries.iter().map(|(key, value)| message(13, &[text(1, key), text(2, value)]));
        let content: Vec<_> = entries.chain([int(14, 1)]).collect();
        model(&[bytes(5, &tensor("w", DType::F32, &[1], &content)), value(12, "w")], &[])
    };
    let read = |entries: &[(&str, &str)]| {
        super::read(&file(entries), &ImportLimits::default(), &mut Memory)
            .map(|model| model.graphs[0].tensors[0].data.clone().unwrap_or_default().into_owned())
    };
    let place = |offset, length| [("location", "w.bin"), ("offset", offset), ("length", length)];
    assert_eq!(read(&place("2", "4")), Ok(vec![2, 3, 4, 5]));
    assert_eq!(read(&[("location", "w.bin"), ("offset", "4")]), Ok(vec![4, 5, 6, 7]));
    for bad in [place("5", "4"), place("0", "8"), place("-1", "4"), place("0", "x")] {
        assert!(read(&bad).is_err(), "{bad:?}");
    }
    assert!(read(&[("location", "other")]).is_err());
}
