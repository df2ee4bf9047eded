//! `embarca emit MODEL|PLAN --as rust|c|firmware`

use embarca_firmware::{Cache, Form, emit, machine};

use crate::args::{Emit, EmitForm};
use crate::engine::is_plan;
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::show;
use crate::verbs::emulate::{plan_for, said, say, target};

/// Writes a plan as what goes into a user's project.
pub fn run(args: &Emit) -> Result {
    let path = args.model.as_path();
    let id = match &args.target {
        Some(id) => id.clone(),
        None if is_plan(path)? => family(path)?,
        None => {
            let failure = Failure::usage("a model becomes firmware for a target; name it");
            return Err(failure.next(format!("--for cortex-m4      {}", LIST)));
        }
    };
    let target = target(&id)?;
    let machine = machine(&target)?;
    let plan = plan_for(path, &target, &args.open)?;
    let title = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (form, kind) = match args.form {
        EmitForm::Rust => (Form::Rust, "rust"),
        EmitForm::C => (Form::C, "c"),
        EmitForm::Firmware => (Form::Firmware, "firmware"),
    };
    let folder = match &args.out {
        Some(out) => out.clone(),
        None => path.with_file_name(format!("{title}-{kind}")),
    };
    let cache = Cache::of_user()?;
    let files = emit(plan.bytes(), &machine, &title, form, &folder, &cache, &mut say);
    said();
    let files = files?;
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    if args.json {
        let json = Json::object([
            ("target", id.into()),
            ("form", kind.into()),
            ("files", Json::list(names)),
            ("arena_bytes", plan.arena.into()),
            ("plan_bytes", plan.bytes().len().into()),
        ]);
        return show::print(&format!("{json}\n"));
    }
    let mut text = String::new();
    for name in &names {
        text += &format!("{name}\n");
    }
    text += &format!(
        "arena {}, plan {}, for {}\n",
        show::bytes(plan.arena as u64),
        show::bytes(plan.bytes().len() as u64),
        target.name
    );
    show::print(&text)
}

const LIST: &str = "`embarca targets` lists them";

/// The target that a plan's family names, where there is one of this name.
fn family(path: &std::path::Path) -> Result<String> {
    let shown = path.display().to_string();
    let limits = embarca_data::DataLimits { max_bytes: 1 << 32, ..Default::default() };
    let bytes = embarca_data::read_file(path, &limits)?;
    let plan = embarca_firmware::DevicePlan::open(&bytes)
        .map_err(|error| Failure::from(error).within(&shown))?;
    if embarca_target::find(plan.family).is_some_and(|target| target.id == plan.family) {
        return Ok(plan.family.to_owned());
    }
    let what = format!("{shown}: several cores run plans of the family {}", plan.family);
    Err(Failure::refused(what).next(format!("--for cortex-m3      {LIST}")))
}
