//! `embarca emulate MODEL|PLAN --on TARGET`

use std::io::{IsTerminal, Write};
use std::path::Path;

use embarca::Target;
use embarca_data::{Array, DataLimits, npy, npz, read_file};
use embarca_firmware::{Cache, DevicePlan, Emulation, Job, Port, emulate, machine};
use embarca_num::DType;

use crate::args::{Emulate, Open};
use crate::engine::{is_plan, open_model, refusal};
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::show;
use crate::term::{Align, Table, bar};

/// The inputs of a run.
type Inputs = Vec<Vec<u8>>;

/// The plan for a target: the file itself, or what its model becomes.
pub fn plan_for(path: &Path, target: &Target, open: &Open) -> Result<DevicePlan> {
    let shown = path.display().to_string();
    let again = || format!("embarca build MODEL --for {}      makes one that does", target.id);
    let bytes = if is_plan(path)? {
        read_file(path, &DataLimits { max_bytes: 1 << 32, ..DataLimits::default() })?
    } else {
        let model = open_model(path, open).map_err(|error| refusal(error, path))?;
        model.build(&[&target.id]).map_err(|error| refusal(error, path))?
    };
    let plan = DevicePlan::open(&bytes)
        .map_err(|error| Failure::from(error).within(&shown).next(again()))?;
    if !target.runs(plan.family) {
        let what =
            format!("{shown} is a plan for {}, which {} does not run", plan.family, target.id);
        return Err(Failure::refused(what).next(again()));
    }
    Ok(plan)
}

/// The target of this name.
pub fn target(id: &str) -> Result<Target> {
    embarca_target::find(id).ok_or_else(|| {
        let failure = Failure::refused(format!("there is no target '{id}'"));
        failure.next("embarca targets      lists them")
    })
}

/// Says on standard error what takes long, where a person looks at it.
pub fn say(what: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{}", show::harmless(&format!("building: {what}")));
    }
}

/// Ends the line of [`say`].
pub fn said() {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K");
    }
}

/// Builds the firmware, runs it and reports.
pub fn run(args: &Emulate) -> Result {
    let target = target(&args.on)?;
    let machine = machine(&target)?;
    let plan = plan_for(&args.model, &target, &args.open)?;
    let runs = inputs(&args.inputs, &plan.inputs)?;
    let title = args.model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let cache = Cache::of_user()?;
    let job = Job { plan: plan.bytes(), machine: &machine, title: &title, runs: &runs };
    let found = emulate(&job, &cache, &mut say);
    said();
    let found = found?;
    if args.json {
        return show::print(&format!("{}\n", json(args, &plan, &found)));
    }
    show::print(&text(args, &target, &plan, &found))
}

/// What each run is fed: the files in rounds, or a fixed pattern.
fn inputs(files: &[std::path::PathBuf], ports: &[Port]) -> Result<Vec<Inputs>> {
    if files.is_empty() {
        return Ok(vec![ports.iter().map(pattern).collect()]);
    }
    let limits = DataLimits::default();
    let mut tensors: Vec<Vec<u8>> = Vec::new();
    for file in files {
        let bytes = read_file(file, &limits)?;
        let of = |error: embarca_data::DataError| Failure::from(error.in_file(file));
        let at = tensors.len() % ports.len().max(1);
        let port = |index: usize| {
            let wanted =
                || Failure::refused(format!("{}: the model has no input {index}", file.display()));
            ports.get(index).ok_or_else(wanted)
        };
        if bytes.starts_with(b"PK\x03\x04") {
            if at != 0 {
                let shown = file.display();
                let what = format!("{shown}: an archive holds all inputs of a run, not input {at}");
                return Err(
                    Failure::usage(what).next("give the files of a run one after the other")
                );
            }
            let arrays = npz::read(&bytes, &limits).map_err(of)?;
            for (index, port) in ports.iter().enumerate() {
                let named = |name: &str| arrays.iter().find(|a| a.name.as_deref() == Some(name));
                let array = named(&format!("in{index}")).or_else(|| named(&port.name));
                let missing =
                    || Failure::refused(format!("{}: there is no array in{index}", file.display()));
                tensors.push(stored(array.ok_or_else(missing)?, port, file)?);
            }
        } else if bytes.starts_with(b"\x93NUMPY") {
            let array = npy::read(&bytes, &limits).map_err(of)?;
            tensors.push(stored(&array, port(at)?, file)?);
        } else {
            // Bare bytes; a multiple of an input's size is several runs.
            let port = port(at)?;
            let many = ports.len() == 1 && port.len != 0 && bytes.len() % port.len == 0;
            if bytes.len() != port.len && !many || bytes.is_empty() {
                return Err(Failure::refused(format!(
                    "{}: {} bytes, the input takes {} ({})",
                    file.display(),
                    bytes.len(),
                    port.len,
                    port.dtype
                )));
            }
            tensors.extend(bytes.chunks_exact(port.len).map(<[u8]>::to_vec));
        }
    }
    if tensors.is_empty() || !tensors.len().is_multiple_of(ports.len().max(1)) {
        return Err(Failure::usage(format!(
            "{} given, the model takes {} a run",
            show::number(tensors.len(), "input"),
            ports.len()
        )));
    }
    Ok(tensors.chunks(ports.len().max(1)).map(<[Vec<u8>]>::to_vec).collect())
}

/// What an input is fed where no file says it: bytes of all kinds, real numbers from -1 to 1, zeros and
/// ones for whole numbers of 32 bits or more, which may be places in a table, and for truths.
fn pattern(port: &Port) -> Vec<u8> {
    let count = port.len / port.dtype.size().max(1);
    let real = |i: usize| ((i * 37 + 11) % 201) as f64 / 100.0 - 1.0;
    match port.dtype {
        DType::F32 => (0..count).flat_map(|i| (real(i) as f32).to_le_bytes()).collect(),
        DType::F64 => (0..count).flat_map(|i| real(i).to_le_bytes()).collect(),
        DType::Bool => (0..count).map(|i| (i % 2) as u8).collect(),
        DType::I32 | DType::U32 => {
            (0..count).flat_map(|i| ((i % 2) as u32).to_le_bytes()).collect()
        }
        DType::I64 | DType::U64 => {
            (0..count).flat_map(|i| ((i % 2) as u64).to_le_bytes()).collect()
        }
        _ => (0..port.len).map(|i| (i * 37 + 11) as u8).collect(),
    }
}

/// The bytes of an array for an input of the same type and size.
fn stored(array: &Array, port: &Port, file: &Path) -> Result<Vec<u8>> {
    if array.dtype == port.dtype && array.data.len() == port.len {
        return Ok(array.data.clone());
    }
    let (size, given) = (port.dtype.size().max(1), array.len());
    Err(Failure::refused(format!(
        "{}: {given} elements of {}, the input takes {} of {}",
        file.display(),
        array.dtype,
        port.len / size,
        port.dtype
    )))
}

/// The elements of an output as numbers.
fn values(bytes: &[u8], port: &Port) -> Json {
    let dims = [bytes.len() / port.dtype.size().max(1)];
    match Array::new(port.dtype, &dims, bytes.to_vec()) {
        Ok(array) if port.dtype.is_float() => match array.to_f64() {
            Ok(values) => Json::list(values),
            Err(_) => Json::Null,
        },
        Ok(array) => array.to_i64().map_or(Json::Null, Json::list),
        Err(_) => Json::Null,
    }
}

fn json(args: &Emulate, plan: &DevicePlan, found: &Emulation) -> Json {
    let outputs = |run: &Vec<Vec<u8>>| {
        let each = run.iter().zip(&plan.outputs);
        Json::list(each.map(|(bytes, port)| {
            Json::object([
                ("name", port.name.as_str().into()),
                ("type", port.dtype.name().into()),
                ("dims", Json::list(port.dims.iter().map(|&dim| u64::from(dim)))),
                ("values", values(bytes, port)),
            ])
        }))
    };
    let layers = found.layers.iter().map(|layer| {
        Json::object([
            ("kernel", layer.kernel.as_str().into()),
            ("instructions", layer.instructions.into()),
        ])
    });
    let flash = found.flash.iter().map(|(name, size)| (name.clone(), (*size).into()));
    Json::object([
        ("model", args.model.display().to_string().into()),
        ("target", args.on.as_str().into()),
        ("instructions", found.instructions.into()),
        ("load_instructions", found.load_instructions.into()),
        ("flash_bytes", found.flash_bytes().into()),
        ("ram_bytes", found.ram_bytes().into()),
        ("arena_bytes", found.arena.into()),
        ("static_bytes", found.statics.into()),
        ("stack_bytes", found.stack.into()),
        ("plan_bytes", found.plan.into()),
        ("stack_bound_bytes", found.examined.stack.map(u64::from).into()),
        ("loads", found.loads.into()),
        ("stores", found.stores.into()),
        ("findings", Json::list(found.examined.findings.iter().map(String::as_str))),
        ("flash_sections", Json::Object(flash.collect())),
        ("layers", Json::list(layers)),
        ("outputs", found.outputs.first().map_or(Json::Null, outputs)),
        (
            "runs",
            Json::list(found.outputs.iter().zip(&found.each).map(|(run, &count)| {
                Json::object([("instructions", count.into()), ("outputs", outputs(run))])
            })),
        ),
        ("elf", found.elf.display().to_string().into()),
    ])
}

/// Characters of the longest bar.
const BAR: usize = 24;

fn text(args: &Emulate, target: &Target, plan: &DevicePlan, found: &Emulation) -> String {
    let caps = show::caps();
    let mut text = format!("{} on {} (emulated)\n", args.model.display(), target.name);
    let row = |name: &str, value: String| format!("  {name:<14} {value}\n");
    let count = |count: u64| show::count(count);
    text += &row(
        "instructions",
        format!(
            "{} a run ({} words loaded, {} stored), {} to load",
            count(found.instructions),
            count(found.loads),
            count(found.stores),
            count(found.load_instructions)
        ),
    );
    text += &row(
        "flash",
        format!(
            "{} of code and tables, {} of plan",
            show::bytes(found.flash_bytes()),
            show::bytes(found.plan)
        ),
    );
    text += &row(
        "memory",
        format!(
            "{}: arena {}, statics {}, stack {}{}",
            show::bytes(found.ram_bytes()),
            show::bytes(found.arena),
            show::bytes(found.statics),
            show::bytes(found.stack),
            found.examined.stack.map_or_else(String::new, |bound| {
                format!(" (never more than {})", show::bytes(bound.into()))
            })
        ),
    );
    let panics = match found.examined.findings.as_slice() {
        [] => "no panic, no allocation and no trap can be reached".to_owned(),
        [first, rest @ ..] => format!("{first}, and {} more findings", rest.len()),
    };
    text += &row("safety", panics);
    for (run, outputs) in found.outputs.iter().enumerate().take(4) {
        for (bytes, port) in outputs.iter().zip(&plan.outputs) {
            let name = if port.name.is_empty() { "output" } else { port.name.as_str() };
            let name = if found.outputs.len() == 1 {
                show::layer(name)
            } else {
                format!("run {}: {}", run + 1, show::layer(name))
            };
            text += &row(&name, first(&values(bytes, port)));
        }
    }
    if found.layers.is_empty() {
        return text;
    }
    let most = found.layers.iter().map(|layer| layer.instructions).max().unwrap_or(1).max(1);
    let total = found.instructions.max(1) as f64;
    let mut table = Table::new([
        ("layer", Align::Right),
        ("kernel", Align::Left),
        ("instructions", Align::Right),
        ("share", Align::Right),
        ("", Align::Left),
    ]);
    for (index, layer) in found.layers.iter().enumerate() {
        let part = layer.instructions as f64;
        table.row([
            index.to_string(),
            layer.kernel.clone(),
            layer.instructions.to_string(),
            format!("{:.1}%", 100.0 * part / total),
            bar(part / most as f64, BAR, caps.unicode),
        ]);
    }
    text.push('\n');
    text + &table.render(&caps)
}

/// The first elements of a list.
fn first(list: &Json) -> String {
    const MOST: usize = 12;
    let Json::List(items) = list else { return list.to_string() };
    let shown: Vec<String> = items.iter().take(MOST).map(Json::to_string).collect();
    let more =
        if MOST < items.len() { format!(" ... {} in all", items.len()) } else { String::new() };
    shown.join(" ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(dtype: DType, len: usize) -> Port {
        Port { name: String::new(), dtype, dims: Vec::new(), len }
    }

    #[test]
    fn patterns_are_elements() {
        for (dtype, len) in [(DType::F32, 40), (DType::I64, 16), (DType::I8, 5), (DType::Bool, 3)] {
            let bytes = pattern(&port(dtype, len));
            assert_eq!(bytes.len(), len, "{dtype}");
            let dims = [len / dtype.size()];
            let values = Array::new(dtype, &dims, bytes).unwrap().to_f64().unwrap();
            let most = if dtype == DType::I8 { 128.0 } else { 1.0 };
            assert!(values.iter().all(|x| x.abs() <= most), "{dtype}: {values:?}");
            assert!(values.iter().any(|x| *x != values[0]), "{dtype}: {values:?}");
        }
    }
}
