//! A few seconds of fuzzing for each target, without coverage: the seeds, and damage to them.
//! `cargo xtask fuzz TARGET` goes on from here.

use std::time::Duration;

use embarca_testkit::fuzz::engine::{Blind, Settings, fuzz};
use embarca_testkit::fuzz::{TARGETS, mutants};

#[test]
fn every_target_survives_its_seeds_and_some_damage() {
    for target in TARGETS {
        let runs = match target.name {
            // Every way of computing a graph, on several numbers of threads.
            "differential" => 60,
            _ => (target.seeds)().len() as u64 + 500,
        };
        let time = Some(Duration::from_secs(20));
        let settings = Settings { runs, time, seed: 1, corpus: None, current: None };
        let report = fuzz(target, &settings, &mut Blind, &mut |_, _| {}).unwrap();
        if let Some((finding, input)) = report.finding {
            panic!("{} on {:?}: {finding}", target.name, String::from_utf8_lossy(&input));
        }
        assert!(0 < report.runs, "{}", target.name);
    }
}

#[test]
fn a_mutant_is_the_same_for_the_same_number() {
    let original: Vec<u8> = (0..=255).collect();
    let differing = (0..100u64).filter(|&number| {
        let mutant = mutants::mutant(&original, number);
        assert_eq!(mutant, mutants::mutant(&original, number));
        mutant != original
    });
    assert!(90 < differing.count());
}
