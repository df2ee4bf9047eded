//! Random graphs give the same results unoptimized, optimized and as plans on threads.
//!
//! `EMBARCA_SEEDS=from..to` runs other seeds than the fast ones.

use embarca_ir::text;
use embarca_testkit::differential::check;
use embarca_testkit::outline::outlined;
use embarca_testkit::random::{Case, Style, case};

/// Seeds of the fast tier, for each kind of graph.
const FAST: std::ops::Range<u64> = 0..200;

/// Operators drawn for a graph.
const NODES: usize = 12;

fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("EMBARCA_SEEDS") else { return FAST };
    let (from, to) = text.split_once("..").expect("EMBARCA_SEEDS is from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

fn all_agree(style: Style) {
    let mut failures = 0;
    for seed in seeds() {
        let Err(error) = check(&case(seed, NODES, style)) else { continue };
        // Fewer nodes of the same seed are the beginning of the same graph.
        let small = (1..=NODES).map(|nodes| case(seed, nodes, style));
        let (case, error) = small
            .filter_map(|case| Some((check(&case).err()?, case)))
            .map(|(error, case)| (case, error))
            .next()
            .unwrap_or_else(|| (case(seed, NODES, style), error));
        println!("seed {seed}: {error}\n{}", text::dump(&case.model));
        failures += 1;
        assert!(failures < 5, "several seeds fail");
    }
    assert_eq!(failures, 0);
}

#[test]
fn float_graphs_agree() {
    all_agree(Style::Float);
}

#[test]
fn quantized_graphs_agree() {
    all_agree(Style::Quantized);
}

#[test]
fn parts_in_branches_and_loops_agree() {
    for seed in seeds() {
        let style = if seed % 2 == 0 { Style::Float } else { Style::Quantized };
        let plain = case(seed, NODES, style);
        let once = outlined(&plain, seed).unwrap();
        let twice = outlined(&once, seed.wrapping_add(7)).unwrap();
        let results = |case: &Case| {
            let model = embarca_opt::decompose(case.model.clone()).unwrap();
            embarca_opt::eval(&model, &case.inputs).unwrap()
        };
        assert!(results(&plain) == results(&twice), "seed {seed}\n{}", text::dump(&twice.model));
        if let Err(error) = check(&twice) {
            panic!("seed {seed}: {error}\n{}", text::dump(&twice.model));
        }
    }
}

#[test]
fn graphs_that_spell_quantization_out_agree() {
    all_agree(Style::SpelledOut);
}
