//! `embarca inspect MODEL|PLAN`

use std::path::Path;

use embarca::ir::build::Obstacle;
use embarca::ir::picture::{self, PictureOptions};
use embarca::ir::stats::{Stats, stats};
use embarca::ir::{Dim, Graph, Model, SymbolId, TensorType, ValueId};
use embarca::{LoadOptions, Plan, PlanReport, Survey, inspect_plan, survey};
use embarca_data::{DataLimits, atomic_write, read_file};
use embarca_firmware::{DevicePlan, Port};

use crate::args::Inspect;
use crate::engine::{belongs_to_models, input_names, is_plan, known_shapes, open_options, refusal};
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::show;
use crate::term::{Align, Table};

/// Kinds of obstacles that are printed; more fill more than a screen.
const MOST_GROUPS: usize = 20;

/// Prints what is in a file. The exit code says whether it can run.
pub fn run(args: &Inspect) -> Result {
    let path = args.model.as_path();
    if is_plan(path)? {
        return plan(path, args);
    }
    let survey = survey(path, &open_options(&args.open)).map_err(|error| refusal(error, path))?;
    let model = match &survey.model {
        Ok(model) => model.graph(),
        Err(_) => return obstacles(path, &survey, args.json),
    };
    known_shapes(&args.open, &input_names(model))?;
    if args.text {
        return show::print(&embarca::ir::text::dump(model));
    }
    let prepared = embarca::prepare(model.clone());
    if args.svg.is_some() || args.html.is_some() {
        // As it will run; where it will not, as it was written.
        let drawn = prepared.as_ref().unwrap_or(model);
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        let options = PictureOptions { title: name, ..PictureOptions::default() };
        let draw: [(_, fn(&Model, &PictureOptions) -> String); 2] =
            [(&args.svg, picture::svg), (&args.html, picture::html)];
        for (out, draw) in draw {
            if let Some(out) = out {
                atomic_write(out, draw(drawn, &options).as_bytes())?;
                show::note(&format!("{} is drawn", out.display()));
            }
        }
    }
    let costs = stats(model);
    let reports: Vec<Fit> = embarca_target::all().iter().map(|t| fit(&survey, &t.id)).collect();
    if args.json {
        show::print(&format!("{}\n", json(path, &survey, model, &costs, &reports)))?;
    } else {
        show::print(&text(path, &survey, model, &costs, &reports, args.layers))?;
    }
    let runs = reports.iter().any(|report| report.built.is_ok());
    if runs { Ok(()) } else { Err(Failure::answered_no()) }
}

/// What a model becomes on a target.
struct Fit {
    target: String,
    /// Bytes of the plan and of its arena.
    built: Result<(u64, u64), String>,
}

fn fit(survey: &Survey, id: &str) -> Fit {
    let built = survey.model.as_ref().map_err(ToString::to_string).and_then(|model| {
        let bytes = model.build(&[id]).map_err(|error| error.to_string())?;
        let arena = match DevicePlan::open(&bytes) {
            Ok(device) => device.arena as u64,
            Err(_) => {
                let plan = inspect_plan(&bytes).map_err(|error| error.to_string())?;
                plan.programs.first().map_or(0, |program| program.arena_bytes)
            }
        };
        Ok((bytes.len() as u64, arena))
    });
    Fit { target: id.to_owned(), built }
}

fn obstacles(path: &Path, survey: &Survey, as_json: bool) -> Result {
    let Err(obstacles) = &survey.model else { return Ok(()) };
    let all = obstacles.list.len() + obstacles.more;
    if as_json {
        let list = obstacles.list.iter().map(|obstacle| {
            Json::object([
                ("place", obstacle.place.as_str().into()),
                ("operator", obstacle.op.as_str().into()),
                ("attribute", obstacle.error.attribute.clone().into()),
                ("reason", obstacle.error.to_string().into()),
            ])
        });
        let json = Json::object([
            ("file", path.display().to_string().into()),
            ("format", survey.format.into()),
            ("runs", false.into()),
            ("obstacles", Json::list(list)),
            ("more", obstacles.more.into()),
        ]);
        show::print(&format!("{json}\n"))?;
        return Err(Failure::answered_no());
    }
    let mut text = head(path, survey);
    text += &operators(survey);
    text += &format!("\nwill not run: {all} obstacle{}\n", if all == 1 { "" } else { "s" });
    let groups = grouped(&obstacles.list);
    for (first, more) in groups.iter().take(MOST_GROUPS) {
        let also = if *more == 0 { String::new() } else { format!(" (and {more} nodes alike)") };
        text += &format!("  {first}{also}\n");
    }
    if MOST_GROUPS < groups.len() || 0 < obstacles.more {
        text += &format!(
            "  and more\n next: embarca inspect {} --json      lists all\n",
            path.display()
        );
    }
    show::print(&text)?;
    Err(Failure::answered_no())
}

/// The first obstacle of each operator and reason, and how many more there are of it.
fn grouped(obstacles: &[Obstacle]) -> Vec<(&Obstacle, usize)> {
    let mut groups: Vec<(&Obstacle, usize)> = Vec::new();
    for obstacle in obstacles {
        let alike = |(first, _): &&mut (&Obstacle, usize)| {
            !obstacle.op.is_empty() && first.op == obstacle.op && first.error == obstacle.error
        };
        match groups.iter_mut().find(alike) {
            Some((_, more)) => *more += 1,
            None => groups.push((obstacle, 0)),
        }
    }
    groups
}

fn head(path: &Path, survey: &Survey) -> String {
    let mut text =
        format!("{}: {}, {}\n", path.display(), survey.format, show::bytes(survey.file_bytes));
    for (name, value) in [("about", &survey.description), ("made by", &survey.producer)] {
        // A line is enough; some files hold their whole documentation here.
        if let Some(line) = value.lines().find(|line| !line.trim().is_empty()) {
            let line: String = line.chars().take(90).filter(|c| !c.is_control()).collect();
            text += &format!("  {name:<8} {line}\n");
        }
    }
    text
}

fn operators(survey: &Survey) -> String {
    let mut counts: Vec<(&String, &usize)> = survey.operators.iter().collect();
    counts.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let all: usize = survey.operators.values().sum();
    let list: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let mut line = format!("  {all} operators:");
    let mut text = String::new();
    for (i, item) in list.iter().enumerate() {
        let comma = if i + 1 < list.len() { "," } else { "" };
        if 96 < line.len() + item.len() {
            text += &format!("{line}\n");
            line = "   ".into();
        }
        line += &format!(" {item}{comma}");
    }
    format!("{text}{line}\n")
}

/// The type with the names of open dimensions, and how integers are to be read.
fn described(model: &Model, ty: &TensorType) -> String {
    let mut text = embarca::ir::text::tensor_type(ty, &model.symbols);
    if let Some((scale, zero)) = ty.quant.as_ref().and_then(|quant| quant.single()) {
        text += &affine(scale, zero);
    }
    text
}

/// `  real = 0.5 * (stored + 128)`
fn affine(scale: f32, zero: i32) -> String {
    match zero {
        0 => format!("  real = {scale} * stored"),
        ..0 => format!("  real = {scale} * (stored + {})", zero.unsigned_abs()),
        1.. => format!("  real = {scale} * (stored - {zero})"),
    }
}

fn text(
    path: &Path,
    survey: &Survey,
    model: &Model,
    costs: &Stats,
    fits: &[Fit],
    layers: bool,
) -> String {
    let graph = model.main();
    let mut text = head(path, survey);
    let port = |role: &str, name: &str, value: ValueId| {
        format!("  {role:<8} {name}  {}\n", described(model, graph.ty(value)))
    };
    for &input in &graph.inputs {
        text += &port("input", &graph.value(input).name, input);
    }
    for output in &graph.outputs {
        text += &port("output", &output.name, output.value);
    }
    for symbol in &model.symbols {
        text += &format!("  open     {} (planned for {})\n", symbol.name, symbol.preferred);
    }
    if !graph.states.is_empty() {
        text += &format!("  state    {} tensors survive from run to run\n", graph.states.len());
    }
    if !model.meta.labels.is_empty() {
        let labels = &model.meta.labels;
        // The first of several names of a class is enough here.
        let short = |label: &String| label.split(',').next().unwrap_or("").trim().to_owned();
        let some: Vec<String> = labels.iter().take(5).map(short).collect();
        let more = if some.len() < labels.len() { ", ..." } else { "" };
        text += &format!("  labels   {}: {}{more}\n", labels.len(), some.join(", "));
    }
    text += &operators(survey);
    text += &format!(
        "  {} parameters ({}), {} multiply-adds\n",
        show::count(costs.parameters),
        show::bytes(costs.parameter_bytes),
        costs.macs.map_or_else(|| "an unknown number of".into(), show::count),
    );
    text += "\n";
    let mut table =
        Table::new([("target", Align::Left), ("plan", Align::Right), ("arena", Align::Right)]);
    let mut refused: Vec<(&str, Vec<&str>)> = Vec::new();
    for fit in fits {
        match &fit.built {
            Ok((plan, arena)) => {
                table.row([fit.target.clone(), show::bytes(*plan), show::bytes(*arena)]);
            }
            Err(reason) => match refused.iter_mut().find(|(other, _)| other == reason) {
                Some((_, targets)) => targets.push(&fit.target),
                None => refused.push((reason, vec![&fit.target])),
            },
        }
    }
    if refused.iter().map(|(_, targets)| targets.len()).sum::<usize>() < fits.len() {
        text += &table.render(&show::caps());
    }
    for (reason, targets) in refused {
        let (targets, reason) = (targets.join(", "), reason.replace('\n', "\n  "));
        text += &format!("will not run on {targets}:\n  {reason}\n");
        text +=
            " next: export the model without it, or add it: CONTRIBUTING.md, \"Add an operator\"\n";
    }
    if layers {
        text += "\n";
        text += &layer_table(model, graph, costs);
    }
    text
}

fn layer_table(model: &Model, graph: &Graph, costs: &Stats) -> String {
    let mut table = Table::new([
        ("layer", Align::Right),
        ("operator", Align::Left),
        ("name", Align::Left),
        ("output", Align::Left),
        ("multiply-adds", Align::Right),
        ("parameters", Align::Right),
    ]);
    for (i, (node, cost)) in graph.nodes.iter().zip(&costs.nodes).enumerate() {
        let output = node.outputs.first();
        let output = output.map(|&id| embarca::ir::text::tensor_type(graph.ty(id), &model.symbols));
        let number = |count: u64| if count == 0 { String::new() } else { show::count(count) };
        table.row([
            i.to_string(),
            node.op.name().to_owned(),
            show::layer(&node.name),
            output.unwrap_or_default(),
            cost.macs.map_or_else(|| "?".into(), number),
            number(cost.parameters),
        ]);
    }
    table.render(&show::caps())
}

fn json(path: &Path, survey: &Survey, model: &Model, costs: &Stats, fits: &[Fit]) -> Json {
    let graph = model.main();
    let symbols = |id: SymbolId| model.symbols.get(id.index()).map(|s| s.name.clone());
    let dim = |dim: &Dim| match (dim.known(), dim.as_symbol()) {
        (Some(known), _) => Json::Int(known),
        (None, Some(id)) => symbols(id).into(),
        (None, None) => Json::Text(embarca::ir::text::dim(dim, &model.symbols)),
    };
    let port = |name: &str, value: ValueId| {
        let ty = graph.ty(value);
        let quant = ty.quant.as_ref().and_then(|quant| quant.single());
        Json::object([
            ("name", name.into()),
            ("type", ty.dtype.name().into()),
            ("dims", Json::List(ty.dims.iter().map(dim).collect())),
            ("scale", quant.map(|(scale, _)| f64::from(scale)).into()),
            ("zero_point", quant.map(|(_, zero)| i64::from(zero)).into()),
        ])
    };
    let nodes = graph.nodes.iter().zip(&costs.nodes).map(|(node, cost)| {
        Json::object([
            ("operator", node.op.name().into()),
            ("name", node.name.as_str().into()),
            ("macs", cost.macs.into()),
            ("parameters", cost.parameters.into()),
        ])
    });
    let fits = fits.iter().map(|fit| {
        let built = fit.built.as_ref().ok();
        Json::object([
            ("target", fit.target.as_str().into()),
            ("runs", built.is_some().into()),
            ("plan_bytes", built.map(|(plan, _)| *plan).into()),
            ("arena_bytes", built.map(|(_, arena)| *arena).into()),
            ("reason", fit.built.as_ref().err().cloned().into()),
        ])
    });
    let operators =
        survey.operators.iter().map(|(name, count)| (name.clone(), (*count).into())).collect();
    Json::object([
        ("file", path.display().to_string().into()),
        ("format", survey.format.into()),
        ("file_bytes", survey.file_bytes.into()),
        ("producer", survey.producer.as_str().into()),
        ("inputs", Json::list(graph.inputs.iter().map(|&id| port(&graph.value(id).name, id)))),
        ("outputs", Json::list(graph.outputs.iter().map(|out| port(&out.name, out.value)))),
        ("labels", model.meta.labels.len().into()),
        ("operators", Json::Object(operators)),
        ("parameters", costs.parameters.into()),
        ("parameter_bytes", costs.parameter_bytes.into()),
        ("macs", costs.macs.into()),
        ("layers", Json::list(nodes)),
        ("targets", Json::list(fits)),
    ])
}

/// A plan: its interface, its programs, where it comes from.
fn plan(path: &Path, args: &Inspect) -> Result {
    belongs_to_models(&args.open)?;
    for (flag, given) in
        [("--text", args.text), ("--svg", args.svg.is_some()), ("--html", args.html.is_some())]
    {
        if given {
            let failure = Failure::usage(format!("{flag} draws a graph; a plan holds steps"));
            return Err(failure.next("embarca inspect MODEL      with the model it came from"));
        }
    }
    let bytes = read_file(path, &DataLimits { max_bytes: 1 << 34, ..DataLimits::default() })?;
    if let Ok(device) = DevicePlan::open(&bytes) {
        return device_plan(path, &device, args);
    }
    let report = inspect_plan(&bytes).map_err(|error| refusal(error, path))?;
    let opened = Plan::from_bytes(&bytes, LoadOptions::default());
    if args.json {
        return show::print(&format!("{}\n", plan_json(path, &bytes, &report)));
    }
    let mut text = format!(
        "{}: plan, {}, of which {} weights\n",
        path.display(),
        show::bytes(bytes.len() as u64),
        show::bytes(report.weight_bytes)
    );
    if let Ok(plan) = &opened {
        for (role, ports) in [("input", plan.inputs()), ("output", plan.outputs())] {
            for port in ports {
                let dims = crate::engine::dims_of(&port);
                text += &format!("  {role:<8} {}  {}[{dims}]", port.name, port.dtype);
                if let Some((scale, zero)) = port.quant {
                    text += &affine(scale, zero);
                }
                text += "\n";
            }
        }
    }
    for (key, value) in &report.provenance {
        text += &format!("  {key:<14} {value}\n");
    }
    for program in &report.programs {
        text += &format!(
            "\nprogram for {} ({}): {} steps, arena {}, state {}{}\n",
            program.target,
            program.family,
            program.steps.len(),
            show::bytes(program.arena_bytes),
            show::bytes(program.state_bytes),
            if program.is_dynamic { ", open dimensions" } else { "" }
        );
        if args.layers {
            let mut table = Table::new([
                ("step", Align::Right),
                ("kernel", Align::Left),
                ("name", Align::Left),
                ("output", Align::Left),
            ]);
            for (i, step) in program.steps.iter().enumerate() {
                let kernel = step.kernel.unwrap_or("?");
                table.row([&i.to_string(), kernel, &show::layer(&step.name), &step.output]);
            }
            text += &table.render(&show::caps());
        }
    }
    if let Err(error) = &opened {
        text += &format!("\nwill not run on this machine: {error}\n");
    }
    show::print(&text)
}

/// A plan for a microcontroller: its inputs and outputs, its steps.
fn device_plan(path: &Path, plan: &DevicePlan, args: &Inspect) -> Result {
    let kernels = plan.kernels();
    if args.json {
        let ports = |ports: &[Port]| {
            Json::list(ports.iter().map(|port| {
                Json::object([
                    ("name", port.name.as_str().into()),
                    ("type", port.dtype.name().into()),
                    ("bytes", port.len.into()),
                ])
            }))
        };
        let json = Json::object([
            ("file", path.display().to_string().into()),
            ("format", "plan for a microcontroller".into()),
            ("file_bytes", plan.bytes().len().into()),
            ("family", plan.family.into()),
            ("arena_bytes", plan.arena.into()),
            ("inputs", ports(&plan.inputs)),
            ("outputs", ports(&plan.outputs)),
            ("steps", Json::list(kernels.iter().map(String::as_str))),
        ]);
        return show::print(&format!("{json}\n"));
    }
    let size = show::bytes(plan.bytes().len() as u64);
    let mut text = format!("{}: plan for a microcontroller, {size}\n", path.display());
    for (role, ports) in [("input", &plan.inputs), ("output", &plan.outputs)] {
        for (index, port) in ports.iter().enumerate() {
            let name = if port.name.is_empty() { index.to_string() } else { port.name.clone() };
            let count = port.len / port.dtype.size().max(1);
            text += &format!(
                "  {role:<8} {name}  {} of {}\n",
                show::number(count, "element"),
                port.dtype
            );
        }
    }
    text += &format!(
        "\nprogram for {}: {}, arena {}{}\n",
        plan.family,
        show::number(kernels.len(), "step"),
        show::bytes(plan.arena as u64),
        if plan.stateful { ", with states" } else { "" }
    );
    if args.layers {
        let mut table = Table::new([("step", Align::Right), ("kernel", Align::Left)]);
        for (i, kernel) in kernels.iter().enumerate() {
            table.row([&i.to_string(), kernel]);
        }
        text += &table.render(&show::caps());
    }
    show::print(&text)
}

fn plan_json(path: &Path, bytes: &[u8], report: &PlanReport) -> Json {
    let programs = report.programs.iter().map(|program| {
        let steps = program.steps.iter().map(|step| {
            Json::object([
                ("name", step.name.as_str().into()),
                ("kernel", step.kernel.into()),
                ("output", step.output.as_str().into()),
            ])
        });
        Json::object([
            ("target", program.target.as_str().into()),
            ("family", program.family.as_str().into()),
            ("open_dimensions", program.is_dynamic.into()),
            ("arena_bytes", program.arena_bytes.into()),
            ("state_bytes", program.state_bytes.into()),
            ("steps", Json::list(steps)),
        ])
    });
    let provenance = report.provenance.iter().map(|(k, v)| (k.clone(), v.as_str().into()));
    Json::object([
        ("file", path.display().to_string().into()),
        ("format", "plan".into()),
        ("file_bytes", bytes.len().into()),
        ("weight_bytes", report.weight_bytes.into()),
        ("provenance", Json::Object(provenance.collect())),
        ("programs", Json::list(programs)),
    ])
}
