//! `embarca tour`: the whole story on built-in data.

use std::time::{Duration, Instant};

use embarca::ir::stats::stats;
use embarca::{LoadOptions, Model, OpenOptions};
use embarca_data::{Array, Image, digits};

use crate::answer::real;
use crate::args::Tour;
use crate::engine::{Engine, ms_since};
use crate::failure::{Failure, Result};
use crate::input::stored;
use crate::show;
use crate::stats::{Difference, Latencies};
use crate::term::{Align, Caps, Table, picture};

/// The digits net in both forms; `assets/tour/README.md` says where they come from.
const NETS: [(&str, &[u8]); 2] = [
    ("f32", include_bytes!("../../../../assets/tour/digits_f32.tflite")),
    ("int8", include_bytes!("../../../../assets/tour/digits_int8.tflite")),
];

/// Digits that are drawn.
const DRAWN: usize = 4;

/// How long each net is measured.
const MEASURED: Duration = Duration::from_millis(700);

/// What the tour finds out about one net.
struct Net {
    name: &'static str,
    file: usize,
    plan: usize,
    arena: usize,
    right: usize,
    latencies: Latencies,
    /// Probabilities, digit by digit.
    answers: Vec<Vec<f64>>,
}

/// Walks through inspecting, building, running, comparing and measuring.
pub fn run(args: &Tour) -> Result {
    let caps = show::caps();
    let held_out = digits::held_out();
    let samples: Vec<(&[u8], u8)> = held_out.iter().take(usize::from(args.digits)).collect();
    show::print(
        "Embarca: from a trained net to an answer, the same on a server and on a microcontroller.\n\
         This tour needs no network and no other files.\n",
    )?;

    let [(_, float), _] = NETS;
    let model = Model::from_bytes(float, &OpenOptions::default()).map_err(Failure::refused)?;
    show::print(&the_net(&model, &caps))?;

    show::print(&format!(
        "\n2. Its plan, and {} digits that it was not trained on\n\n",
        samples.len()
    ))?;
    let mut nets = Vec::new();
    for (name, bytes) in NETS {
        let net = measure(name, bytes, &samples)?;
        if nets.is_empty() {
            show::print(&drawn(&samples, &net, &caps))?;
        }
        nets.push(net);
    }
    show::print(&compared(&nets, &samples))?;
    show::print(&measured(&nets, samples.len(), &caps))?;
    show::print(
        "\nNow with a model of yours:\n  embarca inspect MODEL\n  embarca run MODEL PICTURE\n  \
         embarca build MODEL --for x86-64,aarch64\n",
    )
}

fn the_net(model: &Model, caps: &Caps) -> String {
    let graph = model.graph();
    let costs = stats(graph);
    let mut table = Table::new([
        ("layer", Align::Left),
        ("output", Align::Left),
        ("multiply-adds", Align::Right),
    ]);
    for (node, cost) in graph.main().nodes.iter().zip(&costs.nodes) {
        let output = node
            .outputs
            .first()
            .map(|&id| embarca::ir::text::tensor_type(graph.main().ty(id), &graph.symbols));
        let macs = cost.macs.filter(|&macs| 0 < macs).map_or_else(String::new, show::count);
        table.row([node.op.name().to_owned(), output.unwrap_or_default(), macs]);
    }
    format!(
        "\n1. A net that names handwritten digits of 8x8 pixels: {} parameters, {} multiply-adds\n\n{}",
        show::count(costs.parameters),
        costs.macs.map_or_else(|| "?".into(), show::count),
        table.render(caps)
    )
}

/// Builds, runs on every digit, and times single runs.
fn measure(name: &'static str, bytes: &[u8], samples: &[(&[u8], u8)]) -> Result<Net> {
    let model = Model::from_bytes(bytes, &OpenOptions::default()).map_err(Failure::refused)?;
    let plan = model.plan(LoadOptions::default()).map_err(Failure::refused)?;
    let mut engine = Engine::new(plan);
    let mut answers = Vec::new();
    for (pixels, _) in samples {
        let input = tensor(&engine, pixels)?;
        let outputs = engine.run(&[input])?;
        let quant = engine.outputs().first().and_then(|port| port.quant);
        let output = outputs.first().ok_or_else(|| Failure::refused("the net has no output"))?;
        answers.push(real(output, quant)?);
    }
    let right = samples.iter().zip(&answers);
    let right = right.filter(|((_, label), scores)| best(scores) == usize::from(*label)).count();

    let input = tensor(&engine, samples.first().map_or(&[][..], |(pixels, _)| pixels))?;
    let plan = engine.plan().bytes().len();
    let session = engine.feed(&[input])?;
    let mut ms = Vec::new();
    let start = Instant::now();
    while start.elapsed() < MEASURED {
        let run = Instant::now();
        session.run().map_err(Failure::refused)?;
        ms.push(ms_since(run));
    }
    let arena = session.arena_bytes();
    let latencies = Latencies::new(ms);
    Ok(Net { name, file: bytes.len(), plan, arena, right, latencies, answers })
}

/// Ink from 0 to 1, as the net was trained.
fn tensor(engine: &Engine, pixels: &[u8]) -> Result<Array> {
    let port = engine.inputs().first().ok_or_else(|| Failure::refused("the net has no input"))?;
    stored(port, &[1, 8, 8, 1], pixels.iter().map(|&ink| f32::from(ink) / 16.0))
}

fn best(scores: &[f64]) -> usize {
    let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    best.map_or(0, |(i, _)| i)
}

/// The first digits side by side, with what the net says below each.
fn drawn(samples: &[(&[u8], u8)], net: &Net, caps: &Caps) -> String {
    // A pixel is one column in colour and two without.
    let width = if caps.colour && caps.unicode { 8 } else { 16 };
    let pictures: Vec<Vec<String>> = samples
        .iter()
        .take(DRAWN)
        .filter_map(|(pixels, _)| {
            let bright = pixels.iter().map(|&ink| (u16::from(ink) * 255 / 16) as u8).collect();
            let image = Image::new(8, 8, 1, bright).ok()?;
            Some(picture(&image, width, caps).lines().map(str::to_owned).collect())
        })
        .collect();
    let mut text = String::new();
    for line in 0..pictures.iter().map(Vec::len).max().unwrap_or(0) {
        let parts = pictures.iter().filter_map(|picture| picture.get(line));
        text += &format!("  {}\n", parts.map(String::as_str).collect::<Vec<_>>().join("   "));
    }
    let captions = net.answers.iter().take(DRAWN).map(|scores| {
        let best = best(scores);
        let share = scores.get(best).copied().unwrap_or(0.0) * 100.0;
        let width = width.max(8);
        format!("{:<width$}", format!("{best} {share:.1}%"))
    });
    text += format!("  {}", captions.collect::<Vec<_>>().join("   ")).trim_end();
    text + "\n"
}

fn compared(nets: &[Net], samples: &[(&[u8], u8)]) -> String {
    let [float, int] = nets else { return String::new() };
    let pairs = || float.answers.iter().zip(&int.answers);
    let same = pairs().filter(|(a, b)| best(a) == best(b)).count();
    let flat = |net: &Net| net.answers.concat();
    let difference = Difference::between(&flat(float), &flat(int));
    format!(
        "\n3. The same net in 8-bit integers: names {same} of {} digits alike, probabilities {} \
         apart at most, {:.1} dB\n   Its integers are those of TensorFlow Lite Micro, bit for bit.\n",
        samples.len(),
        show::digits(difference.max),
        difference.sqnr
    )
}

fn measured(nets: &[Net], samples: usize, caps: &Caps) -> String {
    let mut table = Table::new([
        ("net", Align::Left),
        ("right", Align::Right),
        ("model", Align::Right),
        ("plan", Align::Right),
        ("arena", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
        ("per second", Align::Right),
    ]);
    for net in nets {
        let us = |percent| format!("{} us", show::digits(net.latencies.percentile(percent) * 1e3));
        table.row([
            net.name.to_owned(),
            format!("{:.1}%", 100.0 * net.right as f64 / samples.max(1) as f64),
            show::bytes(net.file as u64),
            show::bytes(net.plan as u64),
            show::bytes(net.arena as u64),
            us(50),
            us(99),
            show::count(net.latencies.per_second() as u64),
        ]);
    }
    format!("\n4. Measured here, one digit at a time on one thread\n\n{}", table.render(caps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_nets_know_their_digits() {
        let held_out = digits::held_out();
        let samples: Vec<_> = held_out.iter().collect();
        for (name, bytes) in NETS {
            let net = measure(name, bytes, &samples).unwrap();
            // As LiteRT's reference kernels and TFLite Micro, see assets/tour/README.md.
            assert_eq!(net.right, 351, "{name}");
        }
    }
}
