//! Damaged plans end in a typed error or run; never in a panic, a hang or a flood of memory.

use std::time::{Duration, Instant};

use embarca_compile::BuildOptions;
use embarca_cpu::{LoadOptions, Plan};
use embarca_num::generate::SplitMix64;
use embarca_plan::Unit;
use embarca_testkit::fuzz::{repair, survive};
use embarca_testkit::outline::outlined;
use embarca_testkit::random::{self, Style};

/// Plans of small models that come with the project.
fn plans() -> Vec<(String, Vec<u8>)> {
    let tour = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tour/");
    let mut files: Vec<_> = ["digits_f32.tflite", "digits_int8.tflite"]
        .map(|name| std::path::PathBuf::from(format!("{tour}{name}")))
        .to_vec();
    if let Some(zoo) = embarca_testkit::zoo::folder() {
        for name in ["kws_dscnn_int8.tflite", "kws_dscnn_f32.tflite", "magic_wand_f32.tflite"] {
            files.push(zoo.join("models").join(name));
        }
    }
    let build = |path: std::path::PathBuf| {
        let bytes = embarca::Model::open(&path).unwrap().build(&["cpu"]).unwrap();
        (path.display().to_string(), bytes)
    };
    let mut plans: Vec<_> = files.into_iter().map(build).collect();
    // Branches and loops.
    for seed in [1, 2, 4] {
        let case = outlined(&random::case(seed, 8, Style::Float), seed).unwrap();
        let case = outlined(&case, seed + 9).unwrap();
        let targets = vec![embarca_target::find("cpu").unwrap()];
        let options = BuildOptions { targets, vectors: false, provenance: Default::default() };
        let bytes = embarca_compile::build(case.model, &options).unwrap();
        plans.push((format!("calls {seed}"), bytes));
    }
    plans
}

#[test]
fn repair_leaves_a_sound_plan_as_it_is() {
    for (name, plan) in plans() {
        let mut repaired = plan.clone();
        repair(&mut repaired);
        assert!(repaired == plan, "{name}");
    }
}

#[test]
fn truncated_plans_are_refused() {
    for (name, plan) in plans() {
        // Every length of the head, where the structure is, and a sample of the weights.
        let lengths = (0..plan.len().min(4096)).chain((4096..plan.len()).step_by(97));
        for len in lengths {
            let options = LoadOptions::default();
            assert!(Plan::from_bytes(&plan[..len], options).is_err(), "{name} cut to {len}");
        }
    }
}

#[test]
fn flipped_bits_do_no_harm() {
    for (_, plan) in plans() {
        let mut generator = SplitMix64(7);
        for round in 0..1000u32 {
            let mut damaged = plan.clone();
            for _ in 0..1 + round % 3 {
                let bit = generator.draw() as usize % (8 * damaged.len());
                damaged[bit / 8] ^= 1 << (bit % 8);
            }
            survive(&damaged);
        }
    }
}

#[test]
fn flipped_bits_under_sound_checksums_do_no_harm() {
    for (name, plan) in plans() {
        let started = Instant::now();
        let mut generator = SplitMix64(8);
        for round in 0..1000u32 {
            let mut damaged = plan.clone();
            // Weights are most of the bytes and mean nothing to the structure: half of the flips
            // are aimed at the rest.
            let weights = {
                let mut units = vec![Unit::ZERO; Unit::count(plan.len())];
                let aligned = Unit::copy_from(&mut units, &plan).unwrap();
                let view = embarca_plan::Plan::open(aligned).unwrap();
                let start = view.weights().as_ptr().addr() - aligned.as_ptr().addr();
                start..start + view.weights().len()
            };
            for _ in 0..1 + round % 3 {
                let mut at = generator.draw() as usize % damaged.len();
                while round % 2 == 0 && weights.contains(&at) {
                    at = generator.draw() as usize % damaged.len();
                }
                damaged[at] ^= 1 << (generator.draw() % 8);
            }
            repair(&mut damaged);
            let before = Instant::now();
            survive(&damaged);
            assert!(before.elapsed() < Duration::from_secs(5), "{name}, round {round}");
        }
        println!("{name}: {:?}", started.elapsed());
    }
}
