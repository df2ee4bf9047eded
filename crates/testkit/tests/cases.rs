//! Every operator's cases, against references in f64 and in every way that Embarca computes.
//!
//! `EMBARCA_ONLY=add` runs the operators whose file begins so.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use embarca_ir::Op;
use embarca_ir::ops::Add;
use embarca_testkit::cases::check::{check, kernels};
use embarca_testkit::cases::{AnyCase, Array, EXACT, SUITES, Setting, case, f32s, suite};

const SETTINGS: [Setting; 4] =
    [Setting::Plain, Setting::Constant, Setting::Transposed, Setting::Clipped];

fn failures(module: &str, cases: &[AnyCase]) -> Vec<String> {
    let mut failures = Vec::new();
    for case in cases {
        for setting in SETTINGS.into_iter().filter(|&setting| case.fits(setting)) {
            // A panic of one case hides no other.
            let result = catch_unwind(AssertUnwindSafe(|| check(case, setting)));
            let result = result.unwrap_or_else(|_| Err("panics, as shown above".to_owned()));
            if let Err(error) = result {
                failures.push(format!("{module}, '{}', {setting:?}: {error}", case.name));
            }
        }
    }
    failures
}

#[test]
fn every_case_holds() {
    let only = std::env::var("EMBARCA_ONLY").unwrap_or_default();
    let chosen: Vec<_> = SUITES.iter().filter(|(module, _)| module.starts_with(&only)).collect();
    assert!(!chosen.is_empty(), "no operator begins with '{only}'");
    let all: Vec<String> =
        chosen.iter().flat_map(|(module, cases)| failures(module, &cases())).collect();
    assert!(all.is_empty(), "{} failures\n{}", all.len(), all.join("\n"));
}

#[test]
fn every_operator_has_cases() {
    let of = |cases: fn() -> Vec<AnyCase>| -> Vec<&str> {
        cases().iter().map(|case| case.op.name()).collect()
    };
    for (module, cases) in SUITES {
        let names = of(*cases);
        assert!(2 <= names.len(), "{module} has too few cases");
        assert!(names.iter().all(|name| *name == names[0]), "{module} is about several operators");
    }
    let mut covered: Vec<&str> = SUITES.iter().map(|(_, cases)| of(*cases)[0]).collect();
    let mut wanted = Op::NAMES.to_vec();
    covered.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(covered, wanted);
}

#[test]
fn every_kernel_is_reached() {
    let mut missed: BTreeSet<&str> = BTreeSet::new();
    for (_, _, kernels) in embarca_kernels::OPERATORS {
        missed.extend(kernels.iter().map(|kernel| kernel.name));
    }
    for case in SUITES.iter().flat_map(|(_, cases)| cases()) {
        let instance = case.instance(Setting::Plain).expect("the case fits its operator");
        for name in kernels(&instance.model).expect("the case has a kernel") {
            missed.remove(name);
        }
    }
    assert!(missed.is_empty(), "no case reaches {missed:?}");
}

#[test]
fn a_wrong_result_is_found() {
    let off = |_: &Add, x: &[Array]| x[0].map(|x| x + x * (1.0 + 1e-6));
    let ones = || f32s(&[2, 3]);
    let cases = suite(EXACT, off, [case("off by a millionth", Add {}, [ones(), ones()])]);
    let found = failures("add", &cases);
    assert_eq!(found.len(), SETTINGS.len(), "{found:?}");
    assert!(found[0].contains("element [0, 0] of result 0"), "{}", found[0]);
}
