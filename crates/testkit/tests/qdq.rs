//! Quantized ONNX models give what ONNX Runtime gives, on integers. `tests/qdq/make.py` made them.

use std::path::Path;

use embarca_data::{Array, DataLimits, npz};
use embarca_ir::{Const, Model, Op};
use embarca_num::DType;
use embarca_testkit::differential::run;

/// Models, and the operators that still compute on real numbers once optimized.
const MODELS: &[(&str, &[&str])] = &[
    ("conv_u8", &[]),
    ("dense_u8", &[]),
    (
        "dynamic_conv",
        &["add", "cast", "clip", "div", "maximum", "minimum", "mul", "reduce", "sub", "unary"],
    ),
    (
        "dynamic_dense",
        &["add", "cast", "clip", "div", "maximum", "minimum", "mul", "reduce", "sub", "unary"],
    ),
    ("join_u8", &[]),
    ("pool_i8", &["average_pool2d", "softmax"]),
    ("qlinear_conv_u8", &["average_pool2d"]),
    ("qlinear_dense_i8", &[]),
    ("qlinear_pool_i8", &[]),
    ("qlinear_pool_u8", &[]),
    ("readers_i8", &["add", "cast", "mul"]),
    ("readers_u8", &["add", "cast", "mul"]),
    ("residual_i8", &[]),
    ("residual_u8", &[]),
];

fn constant(array: &Array) -> Const {
    Const::new(array.dtype, array.dims.clone(), array.data.as_slice()).unwrap()
}

/// The operators that write f32 and are no dequantization.
fn on_reals(model: &Model) -> Vec<&'static str> {
    let graph = model.main();
    let real = graph.nodes.iter().filter(|node| {
        let moves = matches!(node.op, Op::Requantize(_) | Op::Reshape(_) | Op::Transpose(_));
        !moves && node.outputs.iter().any(|&output| graph.ty(output).dtype == DType::F32)
    });
    let mut names: Vec<_> = real.map(|node| node.op.name()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn onnx_runtime_agrees_in_every_bit() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qdq");
    for &(name, reals) in MODELS {
        let model = embarca::Model::open(folder.join(format!("{name}.onnx")));
        let model = model.unwrap_or_else(|error| panic!("{name}: {error}")).into_graph();
        let bytes = std::fs::read(folder.join(format!("{name}.npz"))).unwrap();
        let arrays = npz::read(&bytes, &DataLimits::default()).unwrap();
        let array = |key: &str| {
            constant(arrays.iter().find(|array| array.name.as_deref() == Some(key)).unwrap())
        };
        let (x, y) = (array("x"), array("y"));

        let optimized = embarca_opt::optimize(model.clone()).unwrap();
        assert_eq!(on_reals(&optimized), reals, "{name}");

        let targets = vec![embarca_target::find("cpu").unwrap()];
        let options = embarca_compile::BuildOptions {
            targets,
            vectors: false,
            provenance: Default::default(),
        };
        let plan = embarca_compile::build(model.clone(), &options).unwrap();
        for threads in [1, 3] {
            let results = run(&plan, &model, std::slice::from_ref(&x), threads).unwrap();
            assert_eq!(results[0].dims, y.dims, "{name}");
            assert!(results[0] == y, "{name} on {threads} threads: {}", apart(&results[0], &y));
        }
    }
}

/// How many elements differ, and by how much at most.
fn apart(a: &Const, b: &Const) -> String {
    let (a, b) = (a.to_f64().unwrap(), b.to_f64().unwrap());
    let distances = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
    let wrong = distances.clone().filter(|distance| *distance != 0.0).count();
    format!("{wrong} of {} differ, by up to {}", a.len(), distances.fold(0.0, f64::max))
}
