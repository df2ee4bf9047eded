//! Computes cases in every way there is and compares them with their references.
//!
//! The tolerance, for every operator:
//! - Integers without quantization and truth values are equal to the reference.
//! - An f32 result `y` of reference `r` keeps
//!   `|y - r| <= 2^-24 * (units * |r| + terms^2 * m) + term * terms * m`. `units` counts the operator's own roundings, `terms` is the length of its reduction (0 where
//!   nothing is summed), and `m` is the product of the largest magnitudes of its inputs, none
//!   counted below 1: the bound of a sum of `terms` products in any order (Higham: Accuracy and
//!   Stability of Numerical Algorithms, 2002, section 4.2). `term` is 0 but for operators that
//!   quantize their input at run time.
//! - An f64 result likewise, with 2^-53.
//! - A quantized result is at most `0.5 + steps` from `r / scale + zero point`, limited to its type.

use embarca_compile::BuildOptions;
use embarca_export::ExportError;
use embarca_ir::attr::Attr;
use embarca_ir::control;
use embarca_ir::foreign::Format;
use embarca_ir::{
    Const, GraphId, Io, Model, Op, Operand, Operands, Quant, Tail, TensorType, ValueId, emb, text,
    verify,
};
use embarca_num::DType;

use super::array::{Array, indices};
use super::case::{AnyCase, BOUNDS, Instance, Setting, Tolerance, to_real};
use crate::differential;

/// How many threads the plans run on; all give the same bits.
const THREADS: [usize; 2] = [1, 3];

/// Checks one case in one setting.
///
/// # Errors
/// With a sentence on what is wrong.
pub fn check(case: &AnyCase, setting: Setting) -> Result<(), String> {
    let instance = case.instance(setting)?;
    let Instance { model, fed, real, types } = &instance;
    verify(model).map_err(|error| format!("unsound: {error}"))?;
    comes_back(model)?;
    if case.fails {
        return fails(&instance);
    }
    let mut expected = (case.reference)(real);
    if setting == Setting::Clipped && expected[0].dtype == DType::F32 {
        expected[0] = expected[0].map(|r| r.clamp(BOUNDS.0.into(), BOUNDS.1.into()));
    }
    let magnitude = real.iter().map(|x| largest(x).max(1.0)).product();
    let compare = |way: &str, results: &[Const], plain: Option<&[Const]>| {
        near(case.tolerance, types, &expected, magnitude, results)
            .and_then(|()| plain.map_or(Ok(()), |plain| equal_ints(plain, results)))
            .map_err(|error| format!("{way}: {error}"))
    };

    let plain = embarca_opt::decompose(model.clone()).map_err(|error| error.to_string())?;
    let results = embarca_opt::eval(&plain, fed).map_err(|error| error.to_string())?;
    compare("evaluated", &results, None)?;

    let optimized = embarca_compile::prepare(model.clone()).map_err(|error| error.to_string())?;
    verify(&optimized).map_err(|error| format!("unsound once optimized: {error}"))?;
    let ours = embarca_opt::eval(&optimized, fed).map_err(|e| format!("optimized: {e}"))?;
    compare("optimized", &ours, Some(&results))
        .map_err(|error| format!("{error}\n{}", text::dump(&optimized)))?;

    let target = embarca_target::find("cpu").ok_or("there is no target cpu")?;
    let options =
        BuildOptions { targets: vec![target], vectors: false, provenance: Default::default() };
    let bytes =
        embarca_compile::build(model.clone(), &options).map_err(|e| format!("plan: {e}"))?;
    let mut first: Option<Vec<Const>> = None;
    for threads in THREADS {
        let ours = differential::run(&bytes, model, fed, threads)
            .map_err(|error| format!("plan on {threads} threads: {error}"))?;
        compare("plan", &ours, Some(&results))?;
        if *first.get_or_insert_with(|| ours.clone()) != ours {
            return Err(format!("{threads} threads give other bits than one"));
        }
    }
    Ok(())
}

/// Every way to compute ends in an error.
fn fails(Instance { model, fed, .. }: &Instance) -> Result<(), String> {
    if embarca_opt::eval(model, fed).is_ok() {
        return Err("it is evaluated".to_owned());
    }
    let optimized = embarca_compile::prepare(model.clone()).map_err(|error| error.to_string())?;
    if embarca_opt::eval(&optimized, fed).is_ok() {
        return Err("it is evaluated once optimized".to_owned());
    }
    let target = embarca_target::find("cpu").ok_or("there is no target cpu")?;
    let options =
        BuildOptions { targets: vec![target], vectors: true, provenance: Default::default() };
    let bytes = embarca_compile::build(model.clone(), &options).map_err(|e| e.to_string())?;
    match differential::run(&bytes, model, fed, 1) {
        Ok(_) => Err("its plan runs".to_owned()),
        Err(_) => Ok(()),
    }
}

/// Roundings that a composition in a foreign format may add to an operator's own.
const MORE_UNITS: f64 = 16.0;

/// Writes a case in a format, reads it back and evaluates it: floats as [`check`], with a few more
/// roundings; integers of TFLite equal, those of ONNX, which computes in real numbers, within one
/// step more. `false` where the format has no words for it.
///
/// # Errors
/// With a sentence on what is wrong.
pub fn round_trip(case: &AnyCase, format: Format) -> Result<bool, String> {
    let Instance { model, fed, real, types } = case.instance(Setting::Plain)?;
    let bytes = match embarca_export::write(&model, format) {
        Ok(bytes) => bytes,
        Err(ExportError::Gaps(_) | ExportError::Type { .. }) => return Ok(false),
        Err(error) => return Err(error.to_string()),
    };
    if embarca_export::write(&model, format).as_ref() != Ok(&bytes) {
        return Err("the same graph gives other bytes".to_owned());
    }
    let back = embarca::Model::from_bytes(&bytes, &embarca::OpenOptions::default());
    let back = back.map_err(|error| format!("does not come back: {error}"))?.into_graph();
    let back = embarca_compile::prepare(back).map_err(|error| error.to_string())?;
    let results = embarca_opt::eval(&back, &fed).map_err(|error| error.to_string())?;
    let expected = (case.reference)(&real);
    let magnitude = real.iter().map(|x| largest(x).max(1.0)).product();
    let tolerance = Tolerance {
        units: case.tolerance.units + MORE_UNITS,
        steps: case.tolerance.steps + 1.0,
        ..case.tolerance
    };
    near(tolerance, &types, &expected, magnitude, &results)
        .map_err(|error| format!("{error}\n{}", text::dump(&back)))?;
    // TFLite has no rule but its own for sums of quantized products.
    let onnx = Attr::Word("onnx".to_owned());
    let foreign = matches!(case.op, Op::QuantizedBinary(_))
        || case.op.attrs().iter().any(|(_, attr)| *attr == onnx);
    if format == Format::TfLite && !foreign {
        let plain = embarca_opt::decompose(model).map_err(|error| error.to_string())?;
        let plain = embarca_opt::eval(&plain, &fed).map_err(|error| error.to_string())?;
        equal_ints(&plain, &results)?;
    }
    Ok(true)
}

/// The text form and the file of a model give an equal model.
fn comes_back(model: &Model) -> Result<(), String> {
    let printed = text::print(model);
    let read = text::parse(&printed.text, &printed.blobs);
    let read = read.map_err(|error| format!("text: {error}\n{}", printed.text))?;
    let file = emb::write(model).map_err(|error| format!("file: {error}"))?;
    let filed = emb::read(&file, emb::Limits::default()).map_err(|e| format!("file: {e}"))?;
    for (way, other) in [("text", read), ("file", filed)] {
        // Not `==`: two NaN are the same here.
        if format!("{other:?}") != format!("{model:?}") {
            return Err(format!("the {way} gives another model\n{}", printed.text));
        }
    }
    Ok(())
}

fn largest(x: &Array) -> f64 {
    x.data.iter().filter(|x| x.is_finite()).fold(0.0, |largest, x| largest.max(x.abs()))
}

fn near(
    tolerance: Tolerance,
    types: &[TensorType],
    expected: &[Array],
    magnitude: f64,
    results: &[Const],
) -> Result<(), String> {
    if results.len() != expected.len() {
        return Err(format!("{} results, not {}", results.len(), expected.len()));
    }
    let Tolerance { units, steps, term } = tolerance;
    for (number, ((result, expected), ty)) in results.iter().zip(expected).zip(types).enumerate() {
        if result.dims != expected.dims || result.dtype != ty.dtype {
            let (ours, dims) = (result.ty(), &expected.dims);
            return Err(format!("result {number} is {ours}, not {} {dims:?}", ty.dtype));
        }
        let unit = 2f64.powi(if ty.dtype == DType::F64 { -53 } else { -24 });
        let terms = expected.terms as f64;
        let sum = (unit * terms + term) * terms * magnitude;
        let quant = ty.quant.as_ref().filter(|_| ty.is_quantized());
        let numbers = to_real(result, None);
        for at in indices(&result.dims) {
            let (y, r) = (numbers.at(&at), expected.at(&at));
            let (wanted, bound) = match quant {
                // The scales are f32: ties of the definition are no ties in f64.
                Some(quant) => (stored(ty.dtype, quant, &at, r), 0.5 + steps + 1e-4),
                None if ty.dtype.is_float() => (r, unit * units * r.abs() + sum),
                None => (r, 0.0),
            };
            let same = y == wanted || (y.is_nan() && wanted.is_nan());
            let apart = (y - wanted).abs();
            if !same && (apart.is_nan() || bound < apart) {
                return Err(format!(
                    "element {at:?} of result {number} is {y}, not {wanted} within {bound:.3e}"
                ));
            }
        }
    }
    Ok(())
}

/// A real number on the scale of stored integers, limited to their type.
fn stored(dtype: DType, quant: &Quant, at: &[usize], real: f64) -> f64 {
    let channel = quant.axis.map_or(0, |axis| at[axis]);
    let (scale, zero) = (quant.scales[channel], quant.zero_points[channel]);
    let count = 2f64.powi(8 * dtype.size() as i32);
    let low = if dtype == DType::U8 { 0.0 } else { -count / 2.0 };
    (real / f64::from(scale) + f64::from(zero)).clamp(low, low + count - 1.0)
}

fn equal_ints(plain: &[Const], results: &[Const]) -> Result<(), String> {
    let differs = |(a, b): (&Const, &Const)| !a.dtype.is_float() && a != b;
    match plain.iter().zip(results).position(differs) {
        Some(at) => Err(format!("result {at} differs from the plain evaluation")),
        None => Ok(()),
    }
}

/// The kernels that a graph's nodes are lowered to as they stand.
///
/// # Errors
/// When a node has none.
pub fn kernels(model: &Model) -> Result<Vec<&'static str>, String> {
    let model = embarca_opt::decompose(model.clone()).map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    let graphs = model.graphs.iter().enumerate();
    let nodes =
        graphs.flat_map(|(at, graph)| graph.nodes.iter().map(move |node| (at, graph, node)));
    for (at, graph, node) in nodes.filter(|(_, _, node)| !control::is_call(&node.op)) {
        let operand = |id: ValueId| {
            let value = graph.value(id);
            let data = model.const_of(GraphId::new(at), id);
            Operand { ty: &value.ty, known: value.known.as_deref(), data }
        };
        let operands: Vec<_> = node.inputs.iter().map(|input| input.map(operand)).collect();
        let outputs: Vec<_> = node.outputs.iter().map(|&id| graph.ty(id).clone()).collect();
        let io = Io { inputs: Operands(&operands), outputs: &outputs, tail: Tail::default() };
        names.push(node.op.lower(&io).map_err(|error| error.to_string())?.kernel);
    }
    Ok(names)
}
