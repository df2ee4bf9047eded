//! Nodes that do not hang together.

use super::*;

/// How nodes hang together.
pub(super) fn graphs() -> Vec<Bomb> {
    let relu = |x: &str, y: &str| node("Relu", &[x], &[y], &[]);
    let body = function("g", &[call("g", "a", "b")]);
    let twice = function("g", &[node_fields("Relu", &["a"], &["b"], &[])]);
    vec![
        bomb(
            "a node feeds itself",
            "a cyclic graph",
            net(&[relu("y", "y")]),
            "graph 0 node 0 'n' Relu: it reads 'y', which nothing before it",
        ),
        bomb(
            "a cycle of two",
            "a cyclic graph",
            net(&[relu("b", "a"), relu("a", "b"), relu("a", "y")]),
            "graph 0 node 0 'n' Relu: it reads 'b', which nothing before it",
        ),
        bomb(
            "an input from nowhere",
            "opencv 24316",
            net(&[relu("nowhere", "y")]),
            "graph 0 node 0 'n' Relu: it reads 'nowhere', which nothing",
        ),
        bomb(
            "an output from nowhere",
            "opencv 24316",
            net(&[relu("x", "z")]),
            "graph 0: nothing yields the output 'y' (byte 50)",
        ),
        bomb(
            "one name twice",
            "the second definition wins silently",
            net(&[relu("x", "y"), relu("x", "y")]),
            "graph 0 node 1 'n' Relu: 'y' is defined twice",
        ),
        bomb(
            "one constant twice",
            "the second definition wins silently",
            net(&[floats("w", &[4]), floats("w", &[4]), relu("x", "y")]),
            "graph 0: 'w' is defined twice",
        ),
        bomb(
            "no inputs",
            "openvino PR 35607: absent fields",
            net(&[node("Add", &[], &["y"], &[])]),
            "node 0 'n' (Add): input 0 is missing",
        ),
        bomb(
            "no outputs",
            "openvino PR 35607: absent fields",
            net(&[node("Relu", &["x"], &[], &[])]),
            "graph 0: nothing yields the output 'y' (byte 47)",
        ),
        bomb(
            "no operator",
            "openvino PR 35607: absent fields",
            net(&[bytes(1, &[])]),
            "graph 0: nothing yields the output 'y' (byte 35)",
        ),
        bomb(
            "an unknown operator",
            "a custom operator that runs code",
            net(&[node("Exec", &["x"], &["y"], &[])]),
            "node 0 'n' (Exec): operator Exec is not supported yet; see",
        ),
        bomb(
            "an If in an If, 10,000 deep",
            "triton CVE-2025-23325",
            ifs(10_000),
            "graph 0 node 0 'n' If attribute 'then_branch' graph 1 node 0",
        ),
        bomb(
            "an If in an If, 63 deep",
            "triton CVE-2025-23325",
            ifs(63),
            "graph 0 node 0 'n' If attribute 'then_branch' graph 1 node 0",
        ),
        bomb(
            "a function calls itself",
            "endless recursion",
            calling("g", &[body]),
            "graph 0 node 0 'n' g node 0 'n' g: the function calls itself",
        ),
        bomb(
            "functions double 40 times",
            "exponential expansion",
            doubling(),
            "graph 0 node 0 'n' f0 node 0 '",
        ),
        bomb(
            "two functions of one name",
            "the second definition wins silently",
            calling("g", &[twice.clone(), twice]),
            "two functions are called 'g' (byte 108)",
        ),
        bomb(
            "branches that are missing",
            "openvino PR 35607: absent fields",
            net(&[node("If", &["x"], &["y"], &[])]),
            "node 0 'n' (If): attribute 'then_branch': is missing",
        ),
        bomb(
            "a graph where a number belongs",
            "type confusion",
            net(&[node("Softmax", &["x"], &["y"], &[attr_graph("axis", &[])])]),
            "node 0 'n' (Softmax): attribute 'axis': is not an integer",
        ),
        bomb(
            "a list where a number belongs",
            "type confusion",
            net(&[node("Softmax", &["x"], &["y"], &[attr_ints("axis", &[1, 2])])]),
            "node 0 'n' (Softmax): attribute 'axis': is not an integer",
        ),
        bomb(
            "an attribute twice",
            "the second definition wins silently",
            net(&[node("Softmax", &["x"], &["y"], &[attr_int("axis", 1), attr_int("axis", 0)])]),
            "graph 0 node 0: attribute 'axis' is given twice",
        ),
        bomb(
            "an attribute of no operator",
            "a setting that is silently ignored",
            net(&[node("Relu", &["x"], &["y"], &[attr_int("exec", 1)])]),
            "node 0 'n' (Relu): attribute 'exec': is not honoured",
        ),
        bomb(
            "2^17 nodes of two bytes",
            "one node costs more memory than bytes",
            net(&[claim(1, 0).repeat(1 << 17)]),
            "the model needs more memory than its size justifies",
        ),
    ]
}
