//! `embarca bench MODEL|PLAN`

use std::time::{Duration, Instant};

use crate::args::Bench;
use crate::engine::{Engine, ms_since};
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::progress::Progress;
use crate::show;
use crate::stats::{Latencies, peak_rss};
use crate::term::{Align, Table};

/// Runs before measuring, at most this many and at most for the second value.
const WARM_UP: (usize, Duration) = (10, Duration::from_millis(300));

/// Least number of measured runs.
const LEAST: usize = 5;

/// Measures latency, throughput and memory.
pub fn run(args: &Bench) -> Result {
    if !(0.0..=86_400.0).contains(&args.duration) {
        return Err(Failure::usage("--duration takes seconds, up to a day"));
    }
    let start = Instant::now();
    let mut engine = Engine::open(&args.model, &args.open, args.threads.into())?;
    let samples = engine.samples(args.batch)?;
    engine.run(&samples)?;
    let first_ms = ms_since(start);

    let session = engine.feed(&samples)?;
    let (most, limit) = WARM_UP;
    let warm_up = Instant::now();
    for _ in 0..most {
        session.run().map_err(Failure::refused)?;
        if limit < warm_up.elapsed() {
            break;
        }
    }
    let duration = Duration::from_secs_f64(args.duration);
    let mut ms = Vec::new();
    let start = Instant::now();
    let goes_on = |runs: usize, spent: Duration| match args.runs {
        Some(wanted) => (runs as u64) < wanted,
        None => runs < LEAST || spent < duration,
    };
    let mut progress = Progress::new("measuring");
    while goes_on(ms.len(), start.elapsed()) {
        progress.at(match args.runs {
            Some(runs) => ms.len() as f64 / runs as f64,
            None => start.elapsed().as_secs_f64() / args.duration.max(1e-9),
        });
        let run = Instant::now();
        session.run().map_err(Failure::refused)?;
        ms.push(ms_since(run));
    }
    drop(progress);
    if args.raw {
        let lines: String = ms.iter().map(|ms| format!("{ms:.6}\n")).collect();
        return show::print(&format!("# first_ms {first_ms:.3}\n{lines}"));
    }
    let steps = if args.layers { layers(session)? } else { Vec::new() };
    let (arena, memory) = (session.arena_bytes(), session.memory_bytes());
    let names = names(&engine)?;
    let layers: Vec<Layer> = steps
        .into_iter()
        .map(|(step, kernel, ms)| {
            let name = names.get(step as usize).cloned().unwrap_or_default();
            Layer { name, kernel, ms }
        })
        .collect();
    let batch = args.batch.unwrap_or(1) as f64;
    let latencies = Latencies::new(ms);
    let plan_bytes = engine.plan().bytes().len();
    let at = |percent| latencies.percentile(percent);
    let rate = latencies.per_second() * batch;
    if args.json {
        let layers = layers.iter().map(|layer| {
            Json::object([
                ("name", layer.name.as_str().into()),
                ("kernel", layer.kernel.into()),
                ("ms", layer.ms.into()),
            ])
        });
        let json = Json::object([
            ("model", args.model.display().to_string().into()),
            ("threads", u64::from(args.threads).into()),
            ("batch", args.batch.unwrap_or(1).into()),
            ("runs", latencies.len().into()),
            ("min_ms", at(0).into()),
            ("p50_ms", at(50).into()),
            ("p90_ms", at(90).into()),
            ("p99_ms", at(99).into()),
            ("per_second", rate.into()),
            ("first_ms", first_ms.into()),
            ("plan_bytes", plan_bytes.into()),
            ("arena_bytes", arena.into()),
            ("session_bytes", memory.into()),
            ("peak_rss_bytes", peak_rss().into()),
            ("layers", Json::list(layers)),
        ]);
        return show::print(&format!("{json}\n"));
    }
    let threads =
        if args.threads == 1 { "1 thread".into() } else { format!("{} threads", args.threads) };
    let mut text =
        format!("{}: {threads}, {} runs after warm-up\n", args.model.display(), latencies.len());
    let row = |name: &str, value: String| format!("  {name:<22} {value:>12}\n");
    for (name, percent) in [("min", 0), ("p50", 50), ("p90", 90), ("p99", 99)] {
        text += &row(name, show::ms(at(percent)));
    }
    text += &row("throughput", format!("{}/s", show::digits(rate)));
    text += &row("open to first answer", show::ms(first_ms));
    text += &row("plan", show::bytes(plan_bytes as u64));
    text += &row("arena", show::bytes(arena as u64));
    if let Some(peak) = peak_rss() {
        text += &row("peak memory", show::bytes(peak));
    }
    if args.layers {
        text += "\n";
        text += &table(&layers);
    }
    show::print(&text)
}

/// The time of one step.
struct Layer {
    name: String,
    kernel: &'static str,
    ms: f64,
}

/// The names of the steps.
fn names(engine: &Engine) -> Result<Vec<String>> {
    let report = embarca::inspect_plan(engine.plan().bytes()).map_err(Failure::refused)?;
    let steps = engine.program(&report).map(|program| program.steps.as_slice());
    Ok(steps.unwrap_or_default().iter().map(|step| step.name.clone()).collect())
}

/// Number, kernel and milliseconds of each step, the fastest of a few runs.
fn layers(session: &mut embarca::Session) -> Result<Vec<(u32, &'static str, f64)>> {
    let mut best: Vec<(u32, &'static str, f64)> = Vec::new();
    for _ in 0..LEAST {
        let mut at = 0;
        let mut last = Instant::now();
        session
            .run_observed(&mut |step| {
                let ms = ms_since(last);
                match best.get_mut(at) {
                    Some((.., least)) => *least = least.min(ms),
                    None => best.push((step.step, step.kernel, ms)),
                }
                at += 1;
                last = Instant::now();
            })
            .map_err(Failure::refused)?;
    }
    Ok(best)
}

fn table(layers: &[Layer]) -> String {
    let total: f64 = layers.iter().map(|layer| layer.ms).sum();
    let mut table = Table::new([
        ("layer", Align::Left),
        ("kernel", Align::Left),
        ("ms", Align::Right),
        ("share", Align::Right),
    ]);
    for Layer { name, kernel, ms } in layers {
        let share = format!("{:.1}%", 100.0 * ms / total);
        table.row([show::layer(name), (*kernel).to_owned(), show::digits(*ms), share]);
    }
    table.render(&show::caps())
}
