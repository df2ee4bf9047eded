//! Plans of every operator's cases with words of their records, dimensions and tensors changed under
//! sound checksums: what the checks let through runs without a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use embarca_compile::BuildOptions;
use embarca_cpu::{Limits, LoadOptions, Plan};
use embarca_num::generate::SplitMix64;
use embarca_plan::{Container, FileKind, Section, SectionKind, Unit};
use embarca_testkit::cases::{AnyCase, SUITES, Setting};

/// Changed copies of each case's plan.
const ROUNDS: usize = 100;

/// Weights as inputs, and as constants, which faster kernels pack.
const SETTINGS: [Setting; 2] = [Setting::Plain, Setting::Constant];

/// Words that ask arithmetic to overflow and indices to leave their tables.
const EXTREMES: [u32; 16] = [
    0,
    1,
    2,
    3,
    8,
    16,
    255,
    1 << 12,
    1 << 16,
    1 << 24,
    1 << 30,
    i32::MAX as u32,
    1 << 31,
    u32::MAX - 1,
    u32::MAX,
    0xFFFF_FF80,
];

/// Where each section lies, with its kind.
fn sections(bytes: &[u8]) -> Vec<(SectionKind, usize, usize)> {
    let mut units = vec![Unit::ZERO; Unit::count(bytes.len())];
    let aligned = Unit::copy_from(&mut units, bytes).unwrap();
    let container = Container::open(aligned, FileKind::Plan).unwrap();
    let base = aligned.as_ptr().addr();
    let place = |section: Section<'_>| {
        (section.kind, section.bytes.as_ptr().addr() - base, section.bytes.len())
    };
    container.sections().map(place).collect()
}

/// Makes the checksums fit sections that were changed in place.
fn repair(bytes: &mut [u8], sections: &[(SectionKind, usize, usize)]) {
    for (index, &(_, start, len)) in sections.iter().enumerate() {
        let crc = embarca_plan::crc32(&bytes[start..start + len]);
        let at = embarca_plan::HEADER_LEN * (index + 1)
            + std::mem::offset_of!(embarca_plan::SectionRecord, crc);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = embarca_plan::header_crc(bytes).unwrap();
    let at = std::mem::offset_of!(embarca_plan::HeaderRecord, crc);
    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Changes one word or, since sizes stand in several places, every word like it.
fn change(bytes: &mut [u8], words: &[usize], random: &mut SplitMix64) {
    let mut pick = |limit: usize| (random.draw() % limit as u64) as usize;
    let at = words[pick(words.len())];
    let old = word(bytes, at);
    let new = match pick(5) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        2 => word(bytes, words[pick(words.len())]),
        _ => EXTREMES[pick(EXTREMES.len())],
    };
    let all = pick(2) == 0;
    for &place in words {
        if place == at || all && word(bytes, place) == old {
            bytes[place..place + 4].copy_from_slice(&new.to_le_bytes());
        }
    }
}

/// Whether the plan was accepted and run.
fn survive(bytes: &[u8], threads: usize) -> bool {
    let options = LoadOptions { threads, verify: false, max_memory: 1 << 20 };
    let Ok(plan) = Plan::from_bytes(bytes, options) else { return false };
    let Ok(mut session) = plan.session() else { return false };
    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let _ = session.run_limited(Limits { deadline, ..Limits::default() });
    let shapes: Vec<Vec<u32>> = plan
        .inputs()
        .iter()
        .map(|port| port.preferred.iter().map(|&dim| dim as u32 / 2).collect())
        .collect();
    let shapes: Vec<&[u32]> = shapes.iter().map(Vec::as_slice).collect();
    if let Ok(mut session) = plan.session_for(&shapes) {
        let _ = session.run_limited(Limits { deadline, ..Limits::default() });
    }
    true
}

#[test]
fn changed_words_do_no_harm() {
    let mut random = SplitMix64(3);
    let (mut accepted, mut refused) = (0, 0);
    let mut failures = Vec::new();
    let target = embarca_target::find("cpu").unwrap();
    let instances = SUITES.iter().flat_map(|(module, cases)| {
        let of = move |case: AnyCase| {
            let fits = SETTINGS.into_iter().filter(|&setting| case.fits(setting));
            let models: Vec<_> =
                fits.map(|setting| case.instance(setting).unwrap().model).collect();
            models.into_iter().map(move |model| (format!("{module}, '{}'", case.name), model))
        };
        cases().into_iter().flat_map(of)
    });
    for (name, model) in instances {
        let targets = vec![target.clone()];
        let options = BuildOptions { targets, vectors: false, provenance: Default::default() };
        let bytes = embarca_compile::build(model, &options).unwrap();
        let sections = sections(&bytes);
        let changed = |kind| matches!(kind, SectionKind::INTERFACE | SectionKind::PROGRAM);
        let words: Vec<usize> = sections
            .iter()
            .filter(|(kind, _, _)| changed(*kind))
            .flat_map(|&(_, start, len)| (start..start + len).step_by(4))
            .collect();
        for round in 0..ROUNDS {
            let mut damaged = bytes.clone();
            for _ in 0..1 + round % 3 {
                change(&mut damaged, &words, &mut random);
            }
            repair(&mut damaged, &sections);
            let (started, threads) = (Instant::now(), if round % 16 == 0 { 3 } else { 1 });
            match catch_unwind(AssertUnwindSafe(|| survive(&damaged, threads))) {
                Ok(true) => accepted += 1,
                Ok(false) => refused += 1,
                Err(_) => failures.push(format!("{name}, round {round} panics")),
            }
            if Duration::from_secs(5) < started.elapsed() {
                failures.push(format!("{name}, round {round} takes {:?}", started.elapsed()));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    assert!(refused < 30 * accepted, "{accepted} accepted, {refused} refused: little is tried");
}
