//! Nodes on tensors of other ranks and sizes than their operators are for.

use super::super::contradictions::Odd;
use super::*;

/// The versions of other domains than ONNX's own.
fn domains() -> Vec<Vec<u8>> {
    let domains = [("com.microsoft", 1), ("ai.onnx.ml", 3)];
    domains.map(|(name, version)| message(8, &[text(1, name), int(2, version)])).to_vec()
}

/// One node of another domain than ONNX's own, on `x` of `dims`.
fn foreign(
    domain: &str,
    dims: &[i64],
    [op, inputs]: [&str; 2],
    attrs: &[Vec<u8>],
    constants: &[Vec<u8>],
) -> Vec<u8> {
    let inputs: Vec<&str> = inputs.split(' ').collect();
    let fields = [node_fields(op, &inputs, &["y"], attrs), text(7, domain)].concat();
    let graph =
        [value(11, "x", dims), constants.concat(), bytes(1, &fields), message(12, &[text(1, "y")])];
    model(&graph, &domains())
}

/// Attention of opset 24 on `x` of `dims`, with keys `k` that are values too.
fn attends(dims: &[i64], keys: &[i64], attrs: &[Vec<u8>]) -> Vec<u8> {
    let graph = [
        value(11, "x", dims),
        floats("k", keys),
        node("Attention", &["x", "k", "k"], &["y"], attrs),
        message(12, &[text(1, "y")]),
    ];
    [int(1, 8), message(8, &[text(1, ""), int(2, 24)]), message(7, &graph)].concat()
}

/// Inputs and sizes that do not fit.
pub(super) fn ranks() -> Vec<Bomb> {
    let microsoft = |dims: &[i64], node, attrs: &[Vec<u8>], constants: &[Vec<u8>]| {
        foreign("com.microsoft", dims, node, attrs, constants)
    };
    let heads = attr_int("num_heads", 1);
    let packed = [floats("w", &[4, 6]), floats("b", &[6])];
    vec![
        bomb(
            "packed attention of rows",
            "an index behind the axes",
            microsoft(&[1, 4], ["Attention", "x w b"], std::slice::from_ref(&heads), &packed),
            "(Attention): the input is f32[1,4]",
        ),
        bomb(
            "packed attention of wrapping sizes",
            "onnxruntime 23258",
            microsoft(
                &[1, 2, 4],
                ["Attention", "x w b"],
                &[heads, attr_ints("qkv_hidden_sizes", &[i64::MAX, i64::MAX, 8])],
                &packed,
            ),
            "attribute 'qkv_hidden_sizes': [9223372036854775807, 9223372036854775807, 8] of 6",
        ),
        bomb(
            "embedded words with a mask of no axes",
            "an index before the axes",
            microsoft(
                &[],
                ["EmbedLayerNormalization", "i  t t  s s x"],
                &[],
                &[
                    constant("i", I64, &[1, 1], raw(&[0; 8])),
                    floats("t", &[2, 4]),
                    floats("s", &[4]),
                ],
            ),
            "(EmbedLayerNormalization): the mask has no axes",
        ),
        bomb(
            "attention with keys of two axes",
            "an index behind the axes",
            attends(&[1, 1, 2, 4], &[2, 4], &[]),
            "node 0 'n' (Attention): queries, keys and values of four axes meet f32[2,4]",
        ),
        bomb(
            "attention with a negative limit",
            "partial support in silence",
            attends(&[1, 1, 2, 4], &[1, 1, 2, 4], &[attr("softcap", 1, float(2, -1.0))]),
            "node 0 'n' (Attention): attribute 'softcap': -1 is no limit",
        ),
        bomb(
            "a slice of 2^36 axes of what the data decide over",
            "triton CVE-2025-23317: a size from the request",
            model(
                &[
                    value(11, "x", &[1, 4]),
                    message(
                        11,
                        &[
                            text(1, "s"),
                            message(
                                2,
                                &[message(
                                    1,
                                    &[int(1, I64), message(2, &[message(1, &[int(1, 1 << 36)])])],
                                )],
                            ),
                        ],
                    ),
                    node("NonZero", &["x"], &["c"], &[]),
                    node("Slice", &["c", "s", "s"], &["y"], &[]),
                    message(12, &[text(1, "y")]),
                ],
                &[],
            ),
            "68719476736",
        ),
        bomb(
            "a sum over what the data decide over, beside an axis of its size",
            "partial support in silence",
            net_of(
                &[1, 2],
                &[
                    longs("first", &[0]),
                    node("NonZero", &["x"], &["c"], &[]),
                    node("Transpose", &["c"], &["t"], &[]),
                    node("Cast", &["t"], &["f"], &[attr_int("to", F32)]),
                    node("ReduceSum", &["f", "first"], &["y"], &[attr_int("keepdims", 0)]),
                ],
            ),
            "it works along the axis that the data decide over",
        ),
        bomb(
            "one leaf of a tree of 2^24 results",
            "triton CVE-2025-23317: a size from the request",
            foreign(
                "ai.onnx.ml",
                &[1, 4],
                ["TreeEnsembleRegressor", "x"],
                &[
                    attr_int("n_targets", (1 << 24) - 1),
                    attr_ints("nodes_treeids", &[0]),
                    attr_ints("nodes_nodeids", &[0]),
                    attr_ints("nodes_featureids", &[0]),
                    attr("nodes_modes", 8, bytes(9, b"LEAF")),
                    attr("nodes_values", 6, reals(7, &[0.0])),
                    attr_ints("nodes_truenodeids", &[0]),
                    attr_ints("nodes_falsenodeids", &[0]),
                    attr_ints("target_treeids", &[0]),
                    attr_ints("target_nodeids", &[0]),
                    attr_ints("target_ids", &[0]),
                    attr("target_weights", 6, reals(7, &[1.0])),
                ],
                &[],
            ),
            "1 nodes by 16777215 results, of which 1 are given",
        ),
    ]
}

fn reals(field: u32, values: &[f32]) -> Vec<u8> {
    bytes(field, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

/// What these nodes make of four numbers.
pub(in super::super) fn odd() -> Vec<Odd> {
    let of = |numbers: &[f32]| -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    };
    let odd = |name, input: [f32; 4], output: &[f32], parts: &[Vec<u8>]| {
        let graph = [value(11, "x", &[1, 4]), parts.concat(), message(12, &[text(1, "y")])];
        Odd { name, bytes: model(&graph, &domains()), input: of(&input), output: of(output) }
    };
    let to = |kind, from, name| node("Cast", &[from], &[name], &[attr_int("to", kind)]);
    // The columns of what is not zero.
    let columns = [
        node("NonZero", &["x"], &["c"], &[]),
        constant("second", I64, &[], raw(&1i64.to_le_bytes())),
        node("Gather", &["c", "second"], &["columns"], &[]),
    ];
    let columns = columns.concat();
    let foreign = |op, domain, inputs: &[&str], output, attrs: &[Vec<u8>]| {
        bytes(1, &[node_fields(op, inputs, &[output], attrs), text(7, domain)].concat())
    };
    vec![
        odd(
            "a product of what the data decide over, once for each of three",
            [1.0, 0.0, 2.0, 0.0],
            &[3.0, 2.0, 2.0],
            &[
                node("NonZero", &["x"], &["c"], &[]),
                node("Transpose", &["c"], &["t"], &[]),
                to(F32, "t", "f"),
                floats("w", &[3, 2, 2]),
                node("MatMul", &["f", "w"], &["p"], &[]),
                node("Shape", &["p"], &["s"], &[]),
                to(F32, "s", "y"),
            ],
        ),
        odd(
            "places from the end of what the data decide over",
            [0.0, 5.0, 7.0, 0.0],
            &[2.0, 1.0],
            &[
                columns.clone(),
                longs("back", &[-1]),
                node("Mul", &["columns", "back"], &["places"], &[]),
                node("Gather", &["columns", "places"], &["p"], &[]),
                to(F32, "p", "y"),
            ],
        ),
        odd(
            "places that would be out of range where they do not count",
            [0.0, 0.0, 0.0, 7.0],
            &[10.0],
            &[
                columns,
                longs("three", &[3]),
                node("Sub", &["columns", "three"], &["places"], &[]),
                constant("table", F32, &[2], raw(&of(&[10.0, 20.0]))),
                node("Gather", &["table", "places"], &["y"], &[]),
            ],
        ),
        odd(
            "a root mean square of small numbers",
            [1e-3; 4],
            &[1.0; 4],
            &[
                floats("zero", &[1, 4]),
                constant("one", F32, &[4], raw(&of(&[1.0; 4]))),
                foreign(
                    "SkipSimplifiedLayerNormalization",
                    "com.microsoft",
                    &["x", "zero", "one"],
                    "n",
                    &[],
                ),
                node("Round", &["n"], &["y"], &[]),
            ],
        ),
        odd(
            "a whole number that no f64 is",
            [0.0, 1.0, 0.0, 1.0],
            &[1.0, 1.0 - 9_007_199_254_740_992.0, 1.0, 1.0 - 9_007_199_254_740_992.0],
            &[
                to(I64, "x", "i"),
                foreign(
                    "Imputer",
                    "ai.onnx.ml",
                    &["i"],
                    "p",
                    &[attr_ints("imputed_value_int64s", &[(1 << 53) + 1])],
                ),
                longs("most", &[1 << 53]),
                node("Sub", &["p", "most"], &["d"], &[]),
                to(F32, "d", "y"),
            ],
        ),
    ]
}
