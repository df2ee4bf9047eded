//! `embarca targets`

use embarca::Target;

use crate::args::Targets;
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::show;
use crate::term::{Align, Table};

/// Lists the built-in targets, or all that is known of one.
pub fn run(args: &Targets) -> Result {
    let mut targets = embarca_target::all();
    if let Some(id) = &args.id {
        targets.retain(|target| target.id == *id);
        if targets.is_empty() {
            let failure = Failure::refused(format!("there is no target '{id}'"));
            return Err(failure.next("embarca targets      lists them"));
        }
    }
    if args.json {
        return show::print(&format!("{}\n", Json::list(targets.iter().map(json))));
    }
    if let (Some(_), [target]) = (&args.id, targets.as_slice()) {
        return show::print(&details(target));
    }
    let mut table =
        Table::new([("target", Align::Left), ("family", Align::Left), ("what it is", Align::Left)]);
    for target in &targets {
        let here = if target.id == embarca_target::host() { " (this machine)" } else { "" };
        table.row([&target.id, &target.family, &format!("{}{here}", target.name)]);
    }
    let next = "\nembarca build MODEL --for TARGET[,TARGET...]      builds a plan for them\n";
    show::print(&(table.render(&show::caps()) + next))
}

fn memory(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "as much as there is".into(), show::bytes)
}

fn details(target: &Target) -> String {
    let fusions: Vec<String> =
        target.fuse.iter().map(|fusion| format!("{fusion:?}").to_lowercase()).collect();
    format!(
        "{}: {}\n  family {}, aligned to {} bytes\n  memory {}, room for the plan {}\n  \
         element types {}\n  fuses {}\n  {}\n",
        target.id,
        target.name,
        target.family,
        target.alignment,
        memory(target.ram),
        memory(target.flash),
        target.dtypes.join(" "),
        fusions.join(" "),
        if target.symbolic { "dimensions may stay open" } else { "every dimension must be known" },
    )
}

fn json(target: &Target) -> Json {
    Json::object([
        ("id", target.id.as_str().into()),
        ("name", target.name.as_str().into()),
        ("family", target.family.as_str().into()),
        ("alignment", u64::from(target.alignment).into()),
        ("ram", target.ram.into()),
        ("flash", target.flash.into()),
        ("types", Json::list(target.dtypes.iter().map(String::as_str))),
        ("open_dimensions", target.symbolic.into()),
        ("this_machine", (target.id == embarca_target::host()).into()),
    ])
}
