//! One graph, computed in every way there is: unoptimized, optimized, and as a plan on threads.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use embarca_compile::BuildOptions;
use embarca_cpu::{LoadOptions, Plan};
use embarca_ir::{Const, Model, text, verify};
use embarca_num::DType;

use crate::random::Case;

/// Rewrites may change the order of float operations: how far results may be apart, relative to
/// the largest magnitude that the graph computes.
const FLOAT_TOLERANCE: f64 = 1e-4;

/// Thread counts under which a plan runs.
pub const THREADS: &[usize] = &[1, 2, 3, 7];

/// Computes `case` in every way and compares: integers are equal, floats near between graphs and
/// equal in every bit between thread counts.
///
/// # Errors
/// With a sentence on what differs.
pub fn check(case: &Case) -> Result<(), String> {
    let Case { model, inputs } = case;
    verify(model).map_err(|e| format!("the graph is unsound: {e}"))?;
    let plain = embarca_opt::decompose(model.clone()).map_err(|e| e.to_string())?;
    let mut largest = 1.0f64;
    let values = embarca_opt::eval_with(&plain, inputs, &mut |_, value| {
        largest = largest.max(magnitude(value));
        ControlFlow::Continue(())
    });
    let values = values.map_err(|e| format!("unoptimized: {e}"))?;
    let outputs = plain.main().outputs.iter();
    let reference: Vec<Const> =
        outputs.filter_map(|output| values[output.value.index()].clone()).collect();

    let optimized = embarca_compile::prepare(model.clone()).map_err(|e| e.to_string())?;
    verify(&optimized).map_err(|e| format!("unsound once optimized: {e}"))?;
    let results = embarca_opt::eval(&optimized, inputs);
    let results = results.map_err(|e| format!("optimized: {e}\n{}", text::dump(&optimized)))?;
    same("optimized", &reference, &results, largest)
        .map_err(|error| format!("{error}\n{}", text::dump(&optimized)))?;

    let target = embarca_target::find("cpu").ok_or("there is no target cpu")?;
    let options =
        BuildOptions { targets: vec![target], vectors: false, provenance: BTreeMap::new() };
    let bytes = embarca_compile::build(model.clone(), &options).map_err(|e| e.to_string())?;
    let mut first: Option<Vec<Const>> = None;
    for &threads in THREADS {
        let results = run(&bytes, model, inputs, threads).map_err(|e| format!("plan: {e}"))?;
        match &first {
            None => {
                same("plan", &reference, &results, largest)
                    .map_err(|error| format!("{error}\n{}", text::dump(&optimized)))?;
                first = Some(results);
            }
            Some(first) if *first != results => {
                return Err(format!("{threads} threads give other bits than one"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn magnitude(value: &Const) -> f64 {
    if value.dtype != DType::F32 {
        return 0.0;
    }
    let finite = value.to_f64().into_iter().flatten().filter(|x| x.is_finite());
    finite.fold(0.0, |largest, x| largest.max(x.abs()))
}

fn same(way: &str, reference: &[Const], results: &[Const], largest: f64) -> Result<(), String> {
    if reference.len() != results.len() {
        return Err(format!("{way}: {} outputs, not {}", results.len(), reference.len()));
    }
    for (index, (a, b)) in reference.iter().zip(results).enumerate() {
        if (a.dtype, &a.dims) != (b.dtype, &b.dims) {
            return Err(format!("{way}: output {index} is {}, not {}", b.ty(), a.ty()));
        }
        let (a64, b64) = (a.to_f64().unwrap_or_default(), b.to_f64().unwrap_or_default());
        let bound = if a.dtype == DType::F32 { FLOAT_TOLERANCE * largest } else { 0.0 };
        let near = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= bound;
        let wrong = a64.iter().zip(&b64).position(|(&a, &b)| !near(a, b));
        if let Some(at) = wrong {
            let (a, b) = (a64[at], b64[at]);
            return Err(format!("{way}: element {at} of output {index} is {b}, not {a}"));
        }
    }
    Ok(())
}

/// Runs a plan twice in one session, which has to give the same bits; yields the outputs.
///
/// # Errors
/// When the plan does not load or run.
pub fn run(
    bytes: &[u8],
    model: &Model,
    inputs: &[Const],
    threads: usize,
) -> Result<Vec<Const>, String> {
    let options = LoadOptions { threads, ..LoadOptions::default() };
    let plan = Plan::from_bytes(bytes, options).map_err(|e| e.to_string())?;
    let shapes: Vec<Vec<u32>> =
        inputs.iter().map(|input| input.dims.iter().map(|&dim| dim as u32).collect()).collect();
    let shapes: Vec<&[u32]> = shapes.iter().map(Vec::as_slice).collect();
    let mut session = plan.session_for(&shapes).map_err(|e| e.to_string())?;
    let mut rounds = Vec::new();
    for _ in 0..2 {
        for (index, input) in inputs.iter().enumerate() {
            let place = session.input_bytes(index).ok_or("an input is missing")?;
            place.copy_from_slice(&input.data);
        }
        session.run().map_err(|e| e.to_string())?;
        let mut outputs = Vec::new();
        for index in 0..model.main().outputs.len() {
            let ty = session.output_type(index).ok_or("an output is missing")?;
            let dims = ty.dims.iter().map(|&dim| dim as usize).collect();
            let data = session.output_bytes(index).ok_or("an output is missing")?;
            outputs.push(Const::new(ty.dtype, dims, data).ok_or("an output has another size")?);
        }
        rounds.push(outputs);
    }
    let last = rounds.pop().unwrap_or_default();
    if rounds.pop().as_ref() == Some(&last) {
        Ok(last)
    } else {
        Err("a second run gives other bits".to_owned())
    }
}
