//! `embarca build MODEL --for T`

use std::path::Path;

use embarca::task::Spec;
use embarca::{LoadOptions, Model, Plan};
use embarca_data::atomic_write;

use crate::args::Build;
use crate::engine::{input_names, is_plan, known_shapes, open_model, refusal};
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::show;
use crate::texts;

/// Writes the portable graph instead of a plan.
fn save(model: &Model, out: &Path) -> Result {
    let bytes = model.to_emb().map_err(|error| refusal(error, out))?;
    atomic_write(out, &bytes)?;
    let (out, size) = (out.display(), show::bytes(bytes.len() as u64));
    show::print(&format!("{out}: {size}, the portable graph\n next: embarca build {out} --for T\n"))
}

/// The task that the plan is to hold: as described, else as recognized beyond doubt.
fn task(args: &Build, model: &Model, targets: &[&str]) -> Result<Option<Spec>> {
    let mut spec = match &args.task {
        Some(file) if file.as_os_str() == "none" => return Ok(None),
        Some(file) => {
            let mut spec = crate::task::read(file)?;
            let notes = embarca::task::complete(&mut spec, &model.net(), None);
            let refuse = |error| crate::task::misdescribed(file, error);
            notes.map_err(refuse)?.iter().for_each(|note| show::note(note));
            spec
        }
        None => {
            let net = model.net();
            let spec = embarca::task::recognize(&net, false);
            // What was only guessed must not keep a model from being built.
            match spec.filter(|spec| embarca::task::stages(spec, &net).is_ok()) {
                Some(spec) => spec,
                None => return Ok(None),
            }
        }
    };
    if let Err(failure) =
        texts::equip(&mut spec, &model.net(), &args.model, args.tokenizer.as_deref())
    {
        if args.task.is_some() || args.tokenizer.is_some() {
            return Err(failure);
        }
        show::note(
            "no tokenizer.json beside the model, so the plan takes tokens; --tokenizer FILE",
        );
        return Ok(None);
    }
    // A front takes pictures of any size.
    let open = |id: &&str| embarca_target::find(id).is_none_or(|target| target.symbolic);
    if spec.picture.is_some() && !targets.iter().all(open) {
        if args.task.is_some() {
            let what = "a target takes fixed sizes only, and the task's pictures are of any size";
            return Err(Failure::refused(what).next("--task none      builds the model alone"));
        }
        return Ok(None);
    }
    Ok(Some(spec))
}

/// Builds a plan and writes it beside the model, or where the user says.
pub fn run(args: &Build) -> Result {
    let path = args.model.as_path();
    if is_plan(path)? {
        let failure = Failure::refused(format!("{} is a plan already", path.display()));
        return Err(failure.next("embarca build MODEL      takes the model that it came from"));
    }
    let model = open_model(path, &args.open).map_err(|error| refusal(error, path))?;
    known_shapes(&args.open, &input_names(model.graph()))?;
    if let Some(out) = args.out.as_ref().filter(|out| out.extension().is_some_and(|e| e == "emb")) {
        let task = args.task.as_ref().is_some_and(|file| file.as_os_str() != "none");
        if task || args.tokenizer.is_some() {
            let emb = out.display();
            let what = format!("{emb}: a portable graph holds no task");
            return Err(Failure::usage(what).next(format!(
                "embarca build {emb} --task FILE.toml      makes a plan that does"
            )));
        }
        return save(&model, out);
    }
    let mut targets: Vec<&str> = args.targets.iter().map(String::as_str).collect();
    if targets.is_empty() {
        targets.push(embarca_target::host());
    }
    let spec = task(args, &model, &targets)?;
    let given = args.task.as_deref().filter(|_| spec.is_some());
    let bytes = model
        .build_task(&targets, spec.as_ref())
        .map_err(|error| crate::task::refused(error, path, given))?;
    let out = args.out.clone().unwrap_or_else(|| path.with_extension("plan"));
    atomic_write(&out, &bytes)?;

    // What a plan needs is known here when one of its programs runs here.
    let session =
        Plan::from_bytes(&bytes, LoadOptions::default()).and_then(|plan| plan.session()).ok();
    let arena = session.as_ref().map(|session| session.arena_bytes());
    if args.json {
        let json = Json::object([
            ("plan", out.display().to_string().into()),
            ("targets", Json::list(targets.iter().copied())),
            ("plan_bytes", bytes.len().into()),
            ("model_bytes", model.file_bytes().into()),
            ("arena_bytes", arena.into()),
        ]);
        return show::print(&format!("{json}\n"));
    }
    let plan = out.display();
    // A plan for other machines does not run here.
    let next = match (&arena, targets.first()) {
        (None, Some(target)) => format!("embarca check {plan} --for {target}"),
        _ => format!("embarca run {plan} INPUT"),
    };
    let arena =
        arena.map_or_else(String::new, |arena| format!(", arena {}", show::bytes(arena as u64)));
    show::print(&format!(
        "{plan}: {} for {} (from a model of {}){arena}\n next: {next}\n",
        show::bytes(bytes.len() as u64),
        targets.join(", "),
        show::bytes(model.file_bytes()),
    ))
}
