//! Times a model on one thread, kernel by kernel.
//!
//! `cargo run --release -p embarca-testkit --example speed -- MODEL [RUNS] [THREADS] [NAME=1x3x4]`
//! prints the fastest run in milliseconds and what each kernel takes of it. With `steps` as a last
//! word it prints every step.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use embarca::{LoadOptions, Model, OpenOptions};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let steps = words.last().is_some_and(|word| word == "steps");
    if steps {
        words.pop();
    }
    let mut options = OpenOptions::default();
    while let Some((name, dims)) = words.last().and_then(|word| word.split_once('=')) {
        let dims: Result<Vec<u64>, _> = dims.split('x').map(str::parse).collect();
        options.shapes.push((name.to_owned(), dims?));
        words.pop();
    }
    let path = words.first().ok_or("which model?")?;
    let number = |index: usize, default: usize| {
        words.get(index).map_or(Ok(default), |word| word.parse::<usize>())
    };
    let (runs, threads) = (number(1, 20)?, number(2, 1)?);

    let model = Model::open_with(path, &options)?;
    let start = Instant::now();
    let plan = model.plan(LoadOptions { threads, ..LoadOptions::default() })?;
    let built = start.elapsed();
    let mut session = plan.session()?;
    for index in 0..plan.inputs().len() {
        let bytes = session.input_bytes(index).ok_or("an input is missing")?;
        // Small positive numbers whatever the type: 0x3e in the high byte is near 0.2 as f32.
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = if i % 4 == 3 { 0x3e } else { (i.wrapping_mul(37) >> 2) as u8 & 0x7f };
        }
    }
    let mut best = Duration::MAX;
    for _ in 0..runs {
        let start = Instant::now();
        session.run()?;
        best = best.min(start.elapsed());
    }
    let mut times: BTreeMap<u32, (&str, Vec<u32>, Duration)> = BTreeMap::new();
    for _ in 0..runs {
        let mut last = Instant::now();
        session.run_observed(&mut |seen| {
            let now = Instant::now();
            let dims = seen.output.map_or_else(Vec::new, |output| output.ty.dims.to_vec());
            let entry = times.entry(seen.step).or_insert((seen.kernel, dims, Duration::MAX));
            entry.2 = entry.2.min(now - last);
            last = Instant::now();
        })?;
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!("{path}: built in {:.0} ms, {} steps", ms(built), times.len());
    println!("{:>9.3} ms  fastest of {runs} runs, threads: {threads}", ms(best));
    let mut kernels: BTreeMap<&str, (Duration, usize)> = BTreeMap::new();
    for (step, (kernel, dims, time)) in &times {
        let total = kernels.entry(kernel).or_default();
        *total = (total.0 + *time, total.1 + 1);
        if steps {
            println!("{:>9.3} ms  {step:>4} {kernel} {dims:?}", ms(*time));
        }
    }
    let mut kernels: Vec<_> = kernels.into_iter().collect();
    kernels.sort_by_key(|(_, (time, _))| std::cmp::Reverse(*time));
    for (kernel, (time, count)) in kernels {
        println!("{:>9.3} ms  {kernel} x {count}", ms(time));
    }
    Ok(())
}
