//! `embarca run MODEL|PLAN INPUT...`

use std::path::{Path, PathBuf};

use embarca::task::{Medium, Spec};
use embarca_data::zip::Packing;
use embarca_data::{Array, DataLimits, atomic_write, npy, npz, read_file};

use crate::answer::{answer, label_note};
use crate::args::{Prepare, Run};
use crate::engine::Engine;
use crate::failure::{Failure, Result};
use crate::input::{self, Loaded, Sample};
use crate::json::{Json, Listing};
use crate::media::{self, Data};
use crate::pictures;
use crate::progress::Progress;
use crate::rows;
use crate::show;
use crate::sounds;
use crate::task;
use crate::texts;

/// Class names: those given, else those in the model.
pub fn class_names(engine: &Engine, prepare: &Prepare) -> Result<Vec<String>> {
    Ok(task::labels(prepare)?.unwrap_or_else(|| engine.task().labels.clone()))
}

/// As many threads as the machine has cores, unless the user says otherwise.
pub fn threads(given: Option<u16>) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    given.map_or_else(cores, usize::from).clamp(1, 256)
}

/// Runs a model on each input and prints what it says.
pub fn run(args: &Run) -> Result {
    if let (Some(tensors), Some(task)) = (&args.tensors, &args.prepare.task) {
        let (tensors, task) = (tensors.display(), task.display());
        let what = format!("--tensors {tensors} feeds raw numbers, which pass by --task {task}");
        return Err(Failure::usage(what).next("embarca run MODEL INPUT --task FILE.toml"));
    }
    let given = args.tensors.as_deref().map(raw).transpose()?;
    let threads = threads(args.threads);
    let (mut engine, given, positional) = match given {
        None => (Engine::open(&args.model, &args.open, threads)?, None, args.positional),
        Some(arrays) => {
            let (engine, arrays, positional) =
                Engine::open_for(&args.model, &args.open, threads, arrays, args.positional)?;
            (engine, Some(arrays), positional)
        }
    };
    if let (Some(out), [_, _, ..]) =
        (args.out.as_deref().filter(|out| is_npy(out)), engine.outputs())
    {
        let (shown, many) = (out.display(), engine.outputs().len());
        let npz = out.with_extension("npz");
        return Err(Failure::usage(format!(
            "{shown}: an NPY file holds one array, not {many} outputs"
        ))
        .next(format!("--out {}      holds them all", npz.display())));
    }
    if let (Some(path), Some(arrays)) = (&args.tensors, given) {
        let arrays = input::tensors(engine.inputs(), arrays, positional)?;
        let name = path.display().to_string();
        return finish(args, &mut engine, vec![Sample { name, arrays }]);
    }
    let medium = suited(args, &engine)?;
    if args.follow {
        return sounds::follow(args, &engine);
    }
    if args.inputs.iter().all(|path| sounds::concerns(path)) && sounds::run(args, &engine)? {
        return Ok(());
    }
    let data = task::for_data(&engine, &args.model, &args.prepare, medium)?;
    let is = |of: fn(&Spec) -> bool| data.as_ref().is_some_and(|(spec, _)| of(spec));
    let (text, bytes) = (is(|spec| spec.text.is_some()), is(|spec| spec.bytes.is_some()));
    let table = match &data {
        Some((spec, described)) if spec.table.is_some() => {
            rows::concerns(args, &engine, *described)
        }
        _ => false,
    };
    for (flag, given, fits, what) in [
        ("--column", args.column.is_some(), text, "text"),
        ("--tokenizer", args.prepare.tokenizer.is_some(), text, "text"),
        ("--array", args.array.is_some(), table, "rows of tables"),
    ] {
        if given && !fits {
            return Err(Failure::usage(format!("{flag} is for models that take {what}")));
        }
    }
    match &data {
        Some((spec, _)) if text => return texts::run(args, &engine, spec),
        Some((spec, _)) if bytes => return texts::run_bytes(args, &engine, spec),
        Some((spec, _)) if table => return rows::run(args, &engine, spec),
        _ => {}
    }
    if args.inputs.iter().any(|path| matches!(Data::of(path), Data::Video | Data::Stdin)) {
        return pictures::run_video(args, &engine);
    }
    if args.inputs.iter().all(|path| pictures::concerns(path)) {
        return pictures::run(args, &engine);
    }
    if args.out.as_ref().is_some_and(|out| out.extension().is_some_and(|e| e == "png")) {
        return Err(Failure::usage("--out FILE.png draws into a picture; the input is none"));
    }
    let mut samples = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    for path in &args.inputs {
        let loaded: Loaded = input::load(path, &engine, &args.model, &args.prepare)?;
        samples.extend(loaded.samples);
        for note in loaded.notes {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    for note in &notes {
        show::note(note);
    }
    finish(args, &mut engine, samples)
}

/// Refuses inputs that do not go with the task. Yields what goes into the model, where that is known.
fn suited(args: &Run, engine: &Engine) -> Result<Option<Medium>> {
    let first = args.inputs.first().map_or(Data::Words, |path| Data::of(path));
    // Text stands in tables, and rows stand in text.
    let natural = match (first, embarca::task::recognize(engine.net(), false)) {
        _ if args.follow => Some(Medium::Sound),
        (Data::Table | Data::Lines | Data::Words | Data::Stdin, Some(seen))
            if first != Data::Table || seen.text.is_some() =>
        {
            seen.medium()
        }
        (data, _) => data.medium(),
    };
    if let Some(file) = &args.prepare.task {
        let fits = |spec: &Spec| -> Result {
            let Some(medium) = spec.medium() else { return Ok(()) };
            let who = media::describer(file, spec);
            if args.follow && medium != Medium::Sound {
                let what = format!("{who} takes {medium}; --follow listens to sound");
                return Err(Failure::refused(what));
            }
            let inputs = args.inputs.iter().filter(|_| !args.follow);
            inputs.map(PathBuf::as_path).try_for_each(|path| media::check(path, medium, &who))
        };
        // What the description itself says comes first: the model may tell nothing of such data.
        fits(&task::read(file)?)?;
        if let Some((spec, notes)) = task::described(engine, &args.prepare, natural)? {
            fits(&spec)?;
            notes.iter().for_each(|note| show::note(note));
            return Ok(spec.medium());
        }
    }
    let medium = task::medium(engine, &args.model)?;
    if args.follow {
        return Ok(medium);
    }
    let who = args.model.display().to_string();
    for path in &args.inputs {
        match (Data::of(path), medium) {
            (_, Some(Medium::Text | Medium::Bytes)) => {}
            // A model that takes rows may take them as a small picture; one of unknown task anything.
            (Data::Stdin | Data::Video, Some(medium @ (Medium::Sound | Medium::Table)))
            | (Data::Sound, Some(medium @ Medium::Picture))
            | (Data::Picture | Data::Folder, Some(medium @ Medium::Sound)) => {
                media::check(path, medium, &who)?;
            }
            _ => media::known(path)?,
        }
    }
    Ok(medium)
}

/// The arrays of a file of raw tensors.
fn raw(path: &Path) -> Result<Vec<Array>> {
    let limits = DataLimits::default();
    let bytes = read_file(path, &limits)?;
    let read = match bytes.starts_with(b"\x93NUMPY") {
        true => npy::read(&bytes, &limits).map(|array| vec![array.named("in0")]),
        false => npz::read(&bytes, &limits),
    };
    Ok(read.map_err(|error| error.in_file(path))?)
}

fn finish(args: &Run, engine: &mut Engine, samples: Vec<Sample>) -> Result {
    if let (Some(out), [_, _, ..]) = (&args.out, samples.as_slice()) {
        let what = format!("{}: --out takes the tensors of one input", out.display());
        return Err(Failure::usage(what));
    }
    let labels = class_names(engine, &args.prepare)?;
    let caps = show::caps();
    let many = 1 < samples.len();
    let top = usize::try_from(args.top).unwrap_or(usize::MAX);
    let mut json = Listing::default();
    let mut progress = Progress::new("running");
    for (i, sample) in samples.iter().enumerate() {
        progress.at(i as f64 / samples.len() as f64);
        let outputs = engine.run(&sample.arrays)?;
        if let Some(out) = &args.out {
            write(out, engine, &outputs, args.positional)?;
        }
        let mut text = if many { format!("{}\n", sample.name) } else { String::new() };
        let mut answers = Vec::new();
        for (i, (array, port)) in outputs.iter().zip(engine.outputs()).enumerate() {
            // Labels name the classes of the first output.
            let labels = if i == 0 { labels.as_slice() } else { &[] };
            let said = answer(array, port, labels, engine.scores(i))?;
            if args.json {
                answers.push(said.json(port, array, top));
                continue;
            }
            if let Some(note) = label_note(array, labels) {
                show::note(&note);
            }
            if let crate::answer::Answer::Classes { note: Some(note), .. } = &said {
                show::note(note);
            }
            text += &said.text(port, array, top, &caps);
        }
        if args.json {
            let name = sample.name.as_str().into();
            json.item(&Json::object([("input", name), ("outputs", Json::List(answers))]))?;
        } else if args.out.is_none() {
            show::print(&text)?;
        }
    }
    if args.json {
        return json.finish();
    }
    match &args.out {
        Some(out) => show::print(&format!("{}\n", out.display())),
        None => Ok(()),
    }
}

/// Whether a file's name asks for NPY.
pub fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

/// Writes one output as NPY where the file's name says so, else outputs under the model's names, or
/// `out0`, `out1`, ... where those are wanted, missing or not unique.
pub fn write(out: &Path, engine: &Engine, outputs: &[Array], positional: bool) -> Result {
    if let (true, [array]) = (is_npy(out), outputs) {
        atomic_write(out, &npy::write(array)?)?;
        return Ok(());
    }
    let names: Vec<&str> = engine.outputs().iter().map(|port| port.name.as_str()).collect();
    let clear = |i: usize, name: &str| !name.is_empty() && !names[..i].contains(&name);
    let unique = names.iter().enumerate().all(|(i, name)| clear(i, name));
    let named = outputs.iter().enumerate().map(|(i, array)| match names.get(i) {
        Some(name) if unique && !positional => array.clone().named(*name),
        _ => array.clone().named(format!("out{i}")),
    });
    let arrays: Vec<Array> = named.collect();
    atomic_write(out, &npz::write(&arrays, Packing::Stored)?)?;
    Ok(())
}
