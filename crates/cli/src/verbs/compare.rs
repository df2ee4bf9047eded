//! `embarca compare A B --data D`

use std::collections::HashMap;

use embarca_data::Array;

use crate::answer::real;
use crate::args::Compare;
use crate::engine::{Engine, dims_of, known_shapes};
use crate::failure::{Failure, Result};
use crate::input::{self, Sample};
use crate::json::Json;
use crate::progress::Progress;
use crate::show;
use crate::stats::Difference;
use crate::term::{Align, Table};
use crate::verbs::run::threads;

/// Signal to noise, in decibels, below which a layer counts as having gone its own way: its error
/// then exceeds a hundredth of the signal.
const DIVERGED: f64 = 40.0;

/// A layer's output as real numbers.
struct Layer {
    name: String,
    kernel: &'static str,
    dims: Vec<usize>,
    values: Vec<f64>,
}

/// Runs both on the same data, then says how far they are apart.
pub fn run(args: &Compare) -> Result {
    let n = threads(None);
    let mut a = Engine::open_one(&args.a, &args.open, n)?;
    let open_b = crate::args::Open { weights: None, ..args.open.clone() };
    let mut b = Engine::open_one(&args.b, &open_b, n)?;
    known_shapes(&args.open, &[a.input_names(), b.input_names()].concat())?;
    let samples = samples(args, &a)?;

    let mut outputs: Vec<(String, Difference)> = Vec::new();
    let mut layers: Vec<(String, &'static str, &'static str, Difference)> = Vec::new();
    let mut progress = Progress::new("comparing");
    for (i, sample) in samples.iter().enumerate() {
        progress.at(i as f64 / samples.len() as f64);
        let fed = convert(&a, &b, &sample.arrays)?;
        let (left, left_layers) = observed(&mut a, &sample.arrays)?;
        let (right, right_layers) = observed(&mut b, &fed)?;
        if left.len() != right.len() {
            let (left, right) = (left.len(), right.len());
            return Err(Failure::refused(format!("A has {left} outputs, B has {right}")));
        }
        for (i, (x, y)) in left.iter().zip(&right).enumerate() {
            let name = a.outputs().get(i).map_or_else(String::new, |port| port.name.clone());
            let x = real(x, a.outputs().get(i).and_then(|port| port.quant))?;
            let y = real(y, b.outputs().get(i).and_then(|port| port.quant))?;
            if x.len() != y.len() {
                let (x, y) = (x.len(), y.len());
                return Err(Failure::refused(format!(
                    "output '{name}': {x} numbers in A, {y} in B"
                )));
            }
            worst(&mut outputs, name, Difference::between(&x, &y));
        }
        let pairs = matched(&left_layers, &right_layers);
        for (i, (x, y)) in pairs.into_iter().enumerate() {
            let difference = Difference::between(&x.values, &y.values);
            match layers.get_mut(i) {
                Some((.., known)) => *known = worse(*known, difference),
                None => layers.push((x.name.clone(), x.kernel, y.kernel, difference)),
            }
        }
    }
    let first = layers.iter().position(|(.., difference)| difference.sqnr < DIVERGED);
    if args.json {
        return show::print(&format!("{}\n", json(samples.len(), &outputs, &layers, first)));
    }
    show::print(&text(args, samples.len(), &outputs, &layers, first))
}

/// The data, made for the inputs of A.
fn samples(args: &Compare, a: &Engine) -> Result<Vec<Sample>> {
    let Some(path) = &args.data else {
        show::note("random inputs of a fixed seed; --data FILE gives others");
        return Ok(vec![Sample { name: "random".into(), arrays: a.samples(None)? }]);
    };
    let loaded = input::load(path, a, &args.a, &args.prepare)?;
    for note in &loaded.notes {
        show::note(note);
    }
    Ok(loaded.samples)
}

/// The arrays of A for the inputs of B: quantized or not as B wants them.
fn convert(a: &Engine, b: &Engine, arrays: &[Array]) -> Result<Vec<Array>> {
    if a.inputs().len() != b.inputs().len() {
        let (a, b) = (a.inputs().len(), b.inputs().len());
        return Err(Failure::refused(format!("A has {a} inputs, B has {b}")));
    }
    let ports = a.inputs().iter().zip(b.inputs());
    ports
        .zip(arrays)
        .map(|((from, to), array)| {
            let elements = |port: &embarca::Port| port.preferred.iter().product::<usize>();
            if from.dims.len() != to.dims.len() && elements(from) != elements(to) {
                let (from, to) = (dims_of(from), dims_of(to));
                return Err(Failure::refused(format!("A takes {from}, B takes {to}"))
                    .next("embarca inspect A      shows what a model takes"));
            }
            if from.dtype == to.dtype && from.quant == to.quant {
                return Ok(array.clone());
            }
            let values = real(array, from.quant)?;
            let values = values.into_iter().map(|x| x as f32);
            input::stored(to, &array.dims, values)
        })
        .collect()
}

/// Outputs and layers of one run.
fn observed(engine: &mut Engine, arrays: &[Array]) -> Result<(Vec<Array>, Vec<Layer>)> {
    let report = embarca::inspect_plan(engine.plan().bytes()).map_err(Failure::refused)?;
    let steps = engine.program(&report).map(|program| program.steps.clone()).unwrap_or_default();
    let mut layers = Vec::new();
    let mut failed = None;
    let session = engine.feed(arrays)?;
    let done = session.run_observed(&mut |step| {
        let info = steps.get(step.step as usize);
        let (Some(info), Some(output)) = (info, step.output) else { return };
        let dims: Vec<usize> = output.ty.dims.iter().map(|&dim| dim as usize).collect();
        let array = Array::new(output.ty.dtype, &dims, output.data.to_vec());
        match array.map_err(Failure::from).and_then(|array| real(&array, info.quant)) {
            Ok(values) => {
                let name = match info.name.as_str() {
                    "" => format!("step {}", step.step),
                    name => name.to_owned(),
                };
                layers.push(Layer { name, kernel: step.kernel, dims, values });
            }
            Err(failure) => failed = Some(failure),
        }
    });
    done.map_err(Failure::refused)?;
    match failed {
        Some(failure) => Err(failure),
        None => Ok((engine.results()?, layers)),
    }
}

/// Layers that stand for each other, in the order of A: by name where B has one of that name and as
/// many elements, else the next one of B with the same dimensions.
fn matched<'l>(a: &'l [Layer], b: &'l [Layer]) -> Vec<(&'l Layer, &'l Layer)> {
    let mut named: HashMap<&str, usize> = HashMap::new();
    for (i, layer) in b.iter().enumerate() {
        named.entry(layer.name.as_str()).or_insert(i);
    }
    let mut pairs = Vec::new();
    let mut next = 0;
    for x in a {
        let by_name = named.get(x.name.as_str()).copied();
        let fits = |y: &Layer| y.values.len() == x.values.len();
        let by_name = by_name.filter(|&i| next <= i && fits(&b[i]));
        let by_dims = || (next..b.len()).find(|&i| b[i].dims == x.dims);
        if let Some(i) = by_name.or_else(by_dims) {
            pairs.push((x, &b[i]));
            next = i + 1;
        }
    }
    pairs
}

fn worse(a: Difference, b: Difference) -> Difference {
    Difference {
        max: a.max.max(b.max),
        cosine: a.cosine.min(b.cosine),
        sqnr: a.sqnr.min(b.sqnr),
        different: a.different + b.different,
    }
}

fn worst(all: &mut Vec<(String, Difference)>, name: String, difference: Difference) {
    match all.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = worse(*known, difference),
        None => all.push((name, difference)),
    }
}

fn decibels(sqnr: f64) -> String {
    if sqnr.is_infinite() && 0.0 < sqnr { "equal".into() } else { format!("{sqnr:.1} dB") }
}

type Row = (String, &'static str, &'static str, Difference);

fn text(
    args: &Compare,
    samples: usize,
    outputs: &[(String, Difference)],
    layers: &[Row],
    first: Option<usize>,
) -> String {
    let mut text = format!(
        "A {}\nB {}\n{samples} input{}\n\n",
        args.a.display(),
        args.b.display(),
        if samples == 1 { "" } else { "s, the worst of each is shown" }
    );
    let columns = [("max error", Align::Right), ("cosine", Align::Right), ("SQNR", Align::Right)];
    let cells = |difference: &Difference| {
        let Difference { max, cosine, sqnr, .. } = *difference;
        [show::digits(max), format!("{cosine:.6}"), decibels(sqnr)]
    };
    let mut table = Table::new([("output", Align::Left)].into_iter().chain(columns));
    for (name, difference) in outputs {
        table.row([name.clone()].into_iter().chain(cells(difference)));
    }
    text += &table.render(&show::caps());
    let head = [("layer of A", Align::Left), ("kernel", Align::Left)];
    let mut table = Table::new(head.into_iter().chain(columns));
    for (name, a, b, difference) in layers {
        let kernel = if a == b { (*a).to_owned() } else { format!("{a} | {b}") };
        table.row([show::layer(name), kernel].into_iter().chain(cells(difference)));
    }
    if layers.is_empty() {
        return text + "\nno layers of A and B stand for each other\n";
    }
    text += "\n";
    text += &table.render(&show::caps());
    text += &match first.and_then(|first| layers.get(first)) {
        Some((name, kernel, _, difference)) => {
            let name = show::layer(name);
            format!("\nfirst divergence: {name} ({kernel}), {}\n", decibels(difference.sqnr))
        }
        None => "\nno layer diverges\n".into(),
    };
    text
}

fn json(
    samples: usize,
    outputs: &[(String, Difference)],
    layers: &[Row],
    first: Option<usize>,
) -> Json {
    let row = |name: &str, difference: &Difference| {
        let Difference { max, cosine, sqnr, different } = *difference;
        Json::object([
            ("name", name.into()),
            ("max_error", max.into()),
            ("cosine", cosine.into()),
            ("sqnr_db", sqnr.into()),
            ("different", different.into()),
        ])
    };
    Json::object([
        ("samples", samples.into()),
        ("outputs", Json::list(outputs.iter().map(|(name, d)| row(name, d)))),
        ("layers", Json::list(layers.iter().map(|(name, _, _, d)| row(name, d)))),
        (
            "first_divergence",
            first.and_then(|i| layers.get(i)).map(|(name, ..)| name.clone()).into(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, dims: &[usize]) -> Layer {
        let values = vec![0.0; dims.iter().product()];
        Layer { name: name.into(), kernel: "k", dims: dims.to_vec(), values }
    }

    #[test]
    fn layers_find_each_other() {
        let a = [layer("conv", &[4]), layer("x", &[3]), layer("", &[2]), layer("end", &[1])];
        let b = [layer("quantize", &[4]), layer("conv", &[4]), layer("", &[3]), layer("end", &[1])];
        let names: Vec<_> = matched(&a, &b).iter().map(|(x, y)| (&*x.name, &*y.name)).collect();
        assert_eq!(names, [("conv", "conv"), ("x", ""), ("end", "end")]);
    }
}
