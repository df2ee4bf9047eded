//! `embarca check PLAN --for T`

use std::time::{Duration, Instant};

use embarca::{Limits, LoadError, LoadOptions, Plan, Target, Verdict};
use embarca_data::{DataLimits, read_file};
use embarca_firmware::DevicePlan;
use embarca_target::Runtime;

use crate::args::Check;
use crate::engine::is_plan;
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::show;

/// Says whether a plan runs on a target. The exit code is the answer.
pub fn run(args: &Check) -> Result {
    let path = args.plan.as_path();
    let shown = path.display();
    let id = args.target.as_deref().unwrap_or(embarca_target::host());
    let Some(target) = embarca_target::find(id) else {
        let failure = Failure::refused(format!("there is no target '{id}'"));
        return Err(failure.next("embarca targets      lists them"));
    };
    if !is_plan(path)? {
        let failure = Failure::refused(format!("{shown} is no plan"));
        return Err(failure.next(format!("embarca build {shown} --for {id}      makes one")));
    }
    let bytes = read_file(path, &DataLimits { max_bytes: 1 << 34, ..DataLimits::default() })?;
    let found = examine(&bytes, &target);
    if args.json {
        let json = Json::object([
            ("plan", shown.to_string().into()),
            ("target", id.into()),
            ("runs", found.obstacles.is_empty().into()),
            ("obstacles", Json::list(found.obstacles.iter().map(String::as_str))),
            ("facts", Json::list(found.facts.iter().map(String::as_str))),
        ]);
        show::print(&format!("{json}\n"))?;
    } else {
        let verdict = if found.obstacles.is_empty() { "runs on" } else { "does not run on" };
        let mut text = format!("{shown} {verdict} {id} ({})\n", target.name);
        for line in found.obstacles.iter().chain(&found.facts) {
            text += &format!("  {line}\n");
        }
        if let Some(next) = &found.next {
            text += &format!(" next: {next}\n");
        }
        show::print(&text)?;
    }
    if found.obstacles.is_empty() { Ok(()) } else { Err(Failure::answered_no()) }
}

/// What stands in the way, what is known, and what to do.
#[derive(Debug, Default)]
struct Found {
    obstacles: Vec<String>,
    facts: Vec<String>,
    next: Option<String>,
}

/// Whether programs of a family run on a target.
fn runs(target: &Target, family: &str) -> bool {
    family == "portable" || family == target.family
}

/// Whether a plan for microcontrollers runs on a target.
fn examine_device(plan: &DevicePlan, target: &Target) -> Found {
    let mut found = Found::default();
    if target.runtime != Runtime::Mcu || !target.runs(plan.family) {
        found.obstacles.push(format!("it was built for microcontrollers ({}) only", plan.family));
        found.next = Some(format!("embarca build MODEL --for {}", target.id));
        return found;
    }
    let kernels = plan.kernels();
    let is_lacking = |kernel: &String| kernel == "?" || kernel.starts_with("step ");
    if let Some(step) = kernels.iter().position(is_lacking) {
        found.obstacles.push(format!("step {step} needs a kernel that this version does not have"));
        found.next = Some("update Embarca, or build the plan again with this version".into());
    }
    let (size, arena) = (plan.bytes().len() as u64, plan.arena as u64);
    room(&mut found, target, size, arena);
    found.facts.push(format!(
        "program for {}, {}",
        plan.family,
        show::number(kernels.len(), "step")
    ));
    found.facts.push(format!("plan {}, arena {}", show::bytes(size), show::bytes(arena)));
    if found.obstacles.is_empty() {
        found.next = Some(format!("embarca emulate PLAN --on {}", target.id));
    }
    found
}

/// What a target has too little of.
fn room(found: &mut Found, target: &Target, size: u64, memory: u64) {
    for (what, needs, has) in [("flash", size, target.flash), ("memory", memory, target.ram)] {
        if let Some(has) = has.filter(|has| *has < needs) {
            let (needs, has) = (show::bytes(needs), show::bytes(has));
            found.obstacles.push(format!("{what}: needs {needs}, the target has {has}"));
        }
    }
}

fn examine(bytes: &[u8], target: &Target) -> Found {
    if let Ok(plan) = DevicePlan::open(bytes) {
        return examine_device(&plan, target);
    }
    let mut found = Found::default();
    let plan = match embarca::inspect_plan(bytes) {
        Ok(plan) => plan,
        Err(error) => {
            found.obstacles.push(format!("the file cannot be used: {error}"));
            found.next = Some("copy it again, or build it again with this version".into());
            return found;
        }
    };
    let Some(program) = plan.programs.iter().find(|program| runs(target, &program.family)) else {
        let has: Vec<&str> = plan.programs.iter().map(|program| program.target.as_str()).collect();
        found.obstacles.push(format!("it was built for {} only", has.join(", ")));
        found.next = Some(format!("embarca build MODEL --for {},{}", has.join(","), target.id));
        return found;
    };
    for (i, step) in program.steps.iter().enumerate() {
        // The first opcodes are control flow and custom operators, which have no kernel.
        if step.kernel.is_none() && FIRST_KERNEL <= step.opcode {
            found.obstacles.push(format!(
                "step {i} '{}' needs kernel {}, which this version does not have",
                step.name, step.opcode
            ));
            found.next = Some("update Embarca, or build the plan again with this version".into());
        }
    }
    if program.is_dynamic && !target.symbolic {
        found.obstacles.push("dimensions are open, and the target needs all of them".into());
        let next = format!("embarca build MODEL --shapes NAME:1x3x224x224 --for {}", target.id);
        found.next = Some(next);
    }
    let size = bytes.len() as u64;
    let memory = program.arena_bytes + program.state_bytes;
    room(&mut found, target, size, memory);
    found.facts.push(format!("program for {}, {} steps", program.target, program.steps.len()));
    found.facts.push(format!(
        "plan {}, arena {}, state {}",
        show::bytes(size),
        show::bytes(program.arena_bytes),
        show::bytes(program.state_bytes)
    ));
    // On this machine, and for programs that run everywhere, the proof is to open it.
    let host = embarca_target::find(embarca_target::host());
    if host.is_some_and(|host| runs(&host, &program.family)) {
        match Plan::from_bytes(bytes, LoadOptions::default()) {
            Ok(plan) => {
                found.facts.push("opened and prepared on this machine".into());
                prove(&plan, &mut found);
            }
            Err(error) => {
                if matches!(error, LoadError::Weights) {
                    found.next = Some("copy the plan again: its weights are damaged".into());
                }
                found.obstacles.push(error.to_string());
            }
        }
    }
    found
}

/// The plan's test vectors may take so long together.
const VECTOR_TIME: Duration = Duration::from_secs(60);

/// Runs the test vectors that the plan carries.
fn prove(plan: &Plan, found: &mut Found) {
    let deadline = Some(Instant::now() + VECTOR_TIME);
    let verdicts = match plan.run_vectors_limited(Limits { deadline, ..Limits::default() }) {
        Ok(verdicts) => verdicts,
        Err(error) => return found.obstacles.push(format!("its test vectors do not run: {error}")),
    };
    let mut passed = 0;
    for verdict in &verdicts {
        match verdict {
            Verdict::Match(_) => passed += 1,
            Verdict::Skipped(why) => found.facts.push(format!("a test vector was left out: {why}")),
            Verdict::Differs(how) => {
                found.obstacles.push(format!("a test vector yields another result here: {how}"));
                found.next = Some("please report this, with the plan: it is a defect".into());
            }
        }
    }
    if 0 < passed {
        found.facts.push(format!("{passed} of {} test vectors pass", verdicts.len()));
    }
}

/// Opcodes below are control flow and custom steps.
const FIRST_KERNEL: u16 = 16;
