//! ONNX files.

mod graphs;
mod messages;
mod operators;
mod ranks;

use super::proto::{bytes, claim, float, int, message, nested, packed, text};
use super::{Bomb, Reader};

/// Numbers of `TensorProto.DataType`.
const F32: i64 = 1;
const I8: i64 = 3;
const I64: i64 = 7;
const STRING: i64 = 8;

/// The fields of a `TensorProto`.
fn tensor(name: &str, kind: i64, dims: &[i64], content: Vec<u8>) -> Vec<u8> {
    [packed(1, dims), int(2, kind), text(8, name), content].concat()
}

/// A constant of the graph.
fn constant(name: &str, kind: i64, dims: &[i64], content: Vec<u8>) -> Vec<u8> {
    bytes(5, &tensor(name, kind, dims, content))
}

fn raw(content: &[u8]) -> Vec<u8> {
    bytes(9, content)
}

fn longs(name: &str, values: &[i64]) -> Vec<u8> {
    let content: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    constant(name, I64, &[values.len() as i64], raw(&content))
}

fn floats(name: &str, dims: &[i64]) -> Vec<u8> {
    let count: i64 = dims.iter().product();
    constant(name, F32, dims, raw(&vec![0; 4 * count as usize]))
}

/// A tensor whose content is said to lie in another file.
fn outside(entries: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(key, value): &(&str, &str)| message(13, &[text(1, key), text(2, value)]);
    let entries: Vec<Vec<u8>> = entries.iter().map(entry).collect();
    [entries.concat(), int(14, 1)].concat()
}

/// A typed input or output (`number` 11 or 12) of f32.
fn value(number: u32, name: &str, dims: &[i64]) -> Vec<u8> {
    let dims: Vec<Vec<u8>> = dims.iter().map(|&dim| message(1, &[int(1, dim)])).collect();
    let kind = message(2, &[message(1, &[int(1, F32), message(2, &dims)])]);
    message(number, &[text(1, name), kind])
}

fn node_fields(op: &str, inputs: &[&str], outputs: &[&str], attrs: &[Vec<u8>]) -> Vec<u8> {
    let inputs = inputs.iter().map(|name| text(1, name));
    let outputs = outputs.iter().map(|name| text(2, name));
    let parts: Vec<Vec<u8>> = inputs.chain(outputs).chain([text(4, op), text(3, "n")]).collect();
    [parts.concat(), attrs.concat()].concat()
}

fn node(op: &str, inputs: &[&str], outputs: &[&str], attrs: &[Vec<u8>]) -> Vec<u8> {
    bytes(1, &node_fields(op, inputs, outputs, attrs))
}

fn attr(name: &str, kind: i64, value: Vec<u8>) -> Vec<u8> {
    message(5, &[text(1, name), int(20, kind), value])
}

fn attr_int(name: &str, value: i64) -> Vec<u8> {
    attr(name, 2, int(3, value))
}

fn attr_ints(name: &str, values: &[i64]) -> Vec<u8> {
    attr(name, 7, packed(8, values))
}

fn attr_graph(name: &str, graph: &[Vec<u8>]) -> Vec<u8> {
    attr(name, 5, message(6, graph))
}

/// Opset 13, the graph, `more` fields of the model.
fn model(graph: &[Vec<u8>], more: &[Vec<u8>]) -> Vec<u8> {
    let opset = message(8, &[text(1, ""), int(2, 13)]);
    [int(1, 8), opset, message(7, graph), more.concat()].concat()
}

/// Input `x` of 1x4, `parts`, output `y`.
fn net(parts: &[Vec<u8>]) -> Vec<u8> {
    net_of(&[1, 4], parts)
}

fn net_of(dims: &[i64], parts: &[Vec<u8>]) -> Vec<u8> {
    model(&[value(11, "x", dims), parts.concat(), message(12, &[text(1, "y")])], &[])
}

/// `y = x + w`, with the constant `w`.
fn adds(w: Vec<u8>) -> Vec<u8> {
    net(&[w, node("Add", &["x", "w"], &["y"], &[])])
}

/// A node of `op` on `x` of 1x4x8x8, and constants.
fn on_image(op: &str, more: &[&str], attrs: &[Vec<u8>], constants: &[Vec<u8>]) -> Vec<u8> {
    let inputs: Vec<&str> = ["x"].into_iter().chain(more.iter().copied()).collect();
    net_of(&[1, 4, 8, 8], &[constants.concat(), node(op, &inputs, &["y"], attrs)])
}

fn conv(w: &[i64], attrs: &[Vec<u8>]) -> Vec<u8> {
    on_image("Conv", &["w"], attrs, &[floats("w", w)])
}

fn external(location: &str) -> Vec<u8> {
    adds(constant("w", F32, &[4], outside(&[("location", location)])))
}

/// A function of the domain `f` whose body is `nodes`.
fn function(name: &str, nodes: &[Vec<u8>]) -> Vec<u8> {
    let node_field = |node: &Vec<u8>| bytes(7, node);
    let body: Vec<Vec<u8>> = nodes.iter().map(node_field).collect();
    let opsets = [message(9, &[text(1, ""), int(2, 13)]), message(9, &[text(1, "f"), int(2, 1)])];
    let head = [text(1, name), text(4, "a"), text(5, "b"), text(10, "f")];
    message(25, &[head.concat(), opsets.concat(), body.concat()])
}

fn call(name: &str, input: &str, output: &str) -> Vec<u8> {
    [node_fields(name, &[input], &[output], &[]), text(7, "f")].concat()
}

/// A model that calls `f.name` once.
fn calling(name: &str, functions: &[Vec<u8>]) -> Vec<u8> {
    let graph =
        [value(11, "x", &[1, 4]), bytes(1, &call(name, "x", "y")), message(12, &[text(1, "y")])];
    let opset = message(8, &[text(1, "f"), int(2, 1)]);
    model(&graph, &[opset, functions.concat()])
}

/// 40 functions, each of which calls the next twice.
fn doubling() -> Vec<u8> {
    let functions: Vec<Vec<u8>> = (0..40)
        .map(|i| {
            let next = format!("f{}", i + 1);
            function(&format!("f{i}"), &[call(&next, "a", "c"), call(&next, "c", "b")])
        })
        .chain([function("f40", &[node_fields("Relu", &["a"], &["b"], &[])])])
        .collect();
    calling("f0", &functions)
}

/// `If` in the branch of an `If`, `levels` deep.
fn ifs(levels: usize) -> Vec<u8> {
    let mut core = node_fields("Relu", &["x"], &["z"], &[]);
    for _ in 0..levels {
        let branch = [bytes(1, &core), message(12, &[text(1, "z")])];
        let branches = [attr_graph("then_branch", &branch)];
        core = node_fields("If", &["x"], &["z"], &branches);
    }
    net(&[bytes(1, &core)])
}

/// Files that are not refused.
pub(super) fn odd() -> Vec<super::contradictions::Odd> {
    ranks::odd()
}

pub(super) fn bombs() -> Vec<Bomb> {
    [
        messages::files(),
        messages::tensors(),
        messages::outsides(),
        graphs::graphs(),
        operators::operators(),
        ranks::ranks(),
    ]
    .concat()
}

fn bomb(
    name: &'static str,
    stands_for: &'static str,
    bytes: Vec<u8>,
    refusal: &'static str,
) -> Bomb {
    super::bomb(Reader::Onnx, name, stands_for, bytes, refusal)
}

/// Nodes with more, or fewer, inputs and outputs than their operators have.
pub(super) fn contradictions() -> Vec<Bomb> {
    let bomb = |name, bytes, refusal| {
        super::bomb(Reader::Onnx, name, "partial support in silence", bytes, refusal)
    };
    let of = |op: &str, inputs: &[&str], outputs: &[&str]| net(&[node(op, inputs, outputs, &[])]);
    vec![
        bomb(
            "Relu of a thousand inputs",
            of("Relu", &["x"; 1000], &["y"]),
            "node 0 'n' (Relu): input 1 of 1000 is not honoured by Relu here",
        ),
        bomb(
            "Relu with two outputs",
            of("Relu", &["x"], &["y", "z"]),
            "node 0 'n' (Relu): only 1 outputs are computed",
        ),
        bomb("Add of one input", of("Add", &["x"], &["y"]), "(Add): input 1 is missing"),
        bomb("Add of three inputs", of("Add", &["x"; 3], &["y"]), "(Add): input 2 of 3 is not"),
        bomb(
            "Sum with a gap",
            of("Sum", &["x", "", "x"], &["y"]),
            "node 0 'n' (Sum): input 1 is missing",
        ),
        bomb(
            "a sequence of too many positions",
            net(&[
                node("SequenceConstruct", &["x", "x"], &["s"], &[]),
                node("SequenceLength", &["s", "x"], &["y"], &[]),
            ]),
            "(SequenceLength): input 1 of 2 is not honoured",
        ),
    ]
}

/// Small models of one node of an operator: on a picture, on a picture and numbers, on rows.
pub(crate) fn samples(op: &str, domain: &str) -> Vec<Vec<u8>> {
    let of = |dims: &[i64], inputs: &[&str], constants: &[Vec<u8>]| {
        let fields = [node_fields(op, inputs, &["y"], &[]), text(7, domain)].concat();
        let opset = message(8, &[text(1, domain), int(2, 1)]);
        let graph = [
            value(11, "x", dims),
            constants.concat(),
            bytes(1, &fields),
            message(12, &[text(1, "y")]),
        ];
        model(&graph, &[if domain.is_empty() { Vec::new() } else { opset }])
    };
    let w = floats("w", &[4, 4, 1, 1]);
    vec![
        of(&[1, 4, 4, 4], &["x"], &[]),
        of(&[1, 4, 4, 4], &["x", "w", "b"], &[w, floats("b", &[4])]),
        of(&[2, 4], &["x", "n"], &[longs("n", &[0])]),
        of(&[2, 4], &["x", "n", "m", "k"], &["n", "m", "k"].map(|name| longs(name, &[1, 1]))),
    ]
}
