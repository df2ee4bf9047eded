//! Pictures through a model and the stages of its task: answers, drawings, throughput.

use std::path::{Path, PathBuf};
use std::time::Instant;

use embarca::{Feed, Pipeline, Src, Staged, Ty, task::picture};
use embarca_data::{Array, DataLimits, Image, atomic_write, image, read_file};
use embarca_num::DType;

use crate::answer::answer;
use crate::answers::{self, Answer};
use crate::args;
use crate::engine::{Engine, ms_since};
use crate::failure::{Failure, Result};
use crate::json::{Json, Listing};
use crate::progress::Progress;
use crate::show;
use crate::verbs::run::{class_names, write};
use crate::video::{Frames, Meter};

/// Names of files that a folder of pictures is searched for.
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "bmp"];

/// Whether a file is a picture, by its first bytes.
pub fn is_picture(bytes: &[u8]) -> bool {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    starts(b"\x89PNG") || starts(b"\xff\xd8\xff") || starts(b"BM")
}

/// Whether an input is a picture, or a folder of pictures.
pub fn concerns(path: &Path) -> bool {
    use std::io::Read;
    if path.is_dir() {
        return true;
    }
    let mut start = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(8).read_to_end(&mut start));
    read.is_ok() && is_picture(&start)
}

/// The files behind inputs: of folders their pictures, by name.
fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            files.push(input.clone());
            continue;
        }
        let named = |error| Failure::refused(format!("{}: {error}", input.display()));
        let mut found = Vec::new();
        for entry in std::fs::read_dir(input).map_err(named)? {
            let path = entry.map_err(named)?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            let extension = extension.unwrap_or("").to_ascii_lowercase();
            if EXTENSIONS.contains(&extension.as_str()) {
                found.push(path);
            }
        }
        if found.is_empty() {
            let what = format!("{}: no PNG, JPEG or BMP files", input.display());
            return Err(Failure::refused(what));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

/// Reads a picture with three channels.
pub fn read(path: &Path) -> Result<Image> {
    let limits = DataLimits::default();
    let decoded = read_file(path, &limits).and_then(|bytes| image::decode(&bytes, &limits));
    Ok(decoded.map_err(|error| error.in_file(path))?.to_rgb())
}

/// Calls `run` with the picture as the front takes it.
fn fed<T>(picture: &Image, run: impl FnOnce(&[Feed<'_>]) -> T) -> Result<T> {
    let side = |side: usize| {
        u32::try_from(side).map_err(|_| Failure::refused(format!("a picture {side} pixels wide")))
    };
    let dims = [1, side(picture.height)?, side(picture.width)?, 3];
    let tensor = Src { ty: Ty { dtype: DType::U8, dims: &dims }, data: &picture.pixels };
    Ok(run(&[Feed { name: "picture", tensor }]))
}

/// What a pipeline yields under a name, as an array.
fn array(pipeline: &Pipeline, name: &str) -> Option<Array> {
    let Src { ty, data } = pipeline.output(name)?;
    let dims: Vec<usize> = ty.dims.iter().map(|&dim| dim as usize).collect();
    Array::new(ty.dtype, &dims, data.to_vec()).ok()
}

/// The model's inputs for a picture; those that no stage yields are zeros.
pub fn arrays(staged: &mut Staged, engine: &Engine, path: &Path) -> Result<Vec<Array>> {
    let picture = read(path)?;
    let pipeline = &mut staged.pipeline;
    fed(&picture, |feeds| pipeline.prepare(feeds))?.map_err(Failure::refused)?;
    let ports = engine.inputs().iter().enumerate();
    ports
        .map(|(i, port)| match array(pipeline, &format!("in{i}")) {
            Some(array) => Ok(array),
            None => {
                let len: usize = port.preferred.iter().product();
                let bytes = vec![0; len.saturating_mul(port.dtype.size())];
                Ok(Array::new(port.dtype, &port.preferred, bytes)?)
            }
        })
        .collect()
}

/// The remark on a picture that changes its shape, or is made small before it is enlarged.
fn stretched(
    [given_width, given_height]: [usize; 2],
    staged: &Staged,
    engine: &Engine,
    given: &args::Run,
) -> Option<String> {
    let is_fed = |i: &usize| staged.pipeline.output(&format!("in{i}")).is_some();
    let index = (0..engine.inputs().len()).find(is_fed)?;
    let Src { ty, .. } = staged.pipeline.output(&format!("in{index}"))?;
    let dims: Vec<Option<usize>> = ty.dims.iter().map(|&dim| Some(dim as usize)).collect();
    // A small picture leaves open which axis is which; the model's own input does not.
    let own = picture::frame(&engine.inputs().get(index)?.dims, None);
    let frame = picture::frame(&dims, own.map(|own| own.axes))?;
    let (width, height) = (frame.width?, frame.height?);
    if staged.task.kind == "super-resolution" && width * height < given_width * given_height {
        return Some(format!(
            "the picture of {given_width}x{given_height} is shrunk to the model's {width}x{height} first; \
             --shapes gives the model another size"
        ));
    }
    let fit = embarca::task::Spec::from_toml(&staged.task.spec).ok()?.picture.and_then(|p| p.fit);
    if fit.is_some_and(|fit| fit != "stretch") || given.prepare.fit.is_some() {
        return None;
    }
    // What only the rounding to whole pixels changes is not worth a remark.
    let (a, b) = (given_width * height, given_height * width);
    (a.max(b) < a.abs_diff(b) * 20).then(|| {
        format!(
            "the picture of {given_width}x{given_height} is stretched to {width}x{height}; --fit crop \
             or --fit letterbox keeps its shape"
        )
    })
}

/// Where the results of one picture go.
enum Out {
    Screen,
    Tensors(PathBuf),
    Drawing(PathBuf),
}

/// The destination for a picture: a file for one, a folder for several.
fn out(given: Option<&PathBuf>, path: &Path, many: bool) -> Result<Out> {
    let Some(given) = given else { return Ok(Out::Screen) };
    let extension = given.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    match extension.to_ascii_lowercase().as_str() {
        "npz" | "npy" | "png" if many => {
            let what = format!("{}: one file for several pictures", given.display());
            Err(Failure::usage(what).next("--out FOLDER      takes a picture of each"))
        }
        "npz" | "npy" => Ok(Out::Tensors(given.clone())),
        "png" => Ok(Out::Drawing(given.clone())),
        // A name with an ending is a file's, unless there is such a folder.
        ending if !ending.is_empty() && !given.is_dir() => {
            let what = format!("{}: answers are not written as {ending}", given.display());
            Err(Failure::usage(what)
                .next("--out FILE.png      draws the answer; FOLDER, one picture for each")
                .next("--out FILE.npz      keeps the model's outputs; FILE.npy, its only one"))
        }
        _ => {
            let named = |error| Failure::refused(format!("{}: {error}", given.display()));
            std::fs::create_dir_all(given).map_err(named)?;
            let stem = path.file_stem().unwrap_or_default();
            Ok(Out::Drawing(given.join(stem).with_extension("png")))
        }
    }
}

/// What all pictures of a command have in common.
struct Job<'a> {
    args: &'a args::Run,
    engine: &'a Engine,
    staged: Staged,
    labels: Vec<String>,
    /// Whether answers need the names of their pictures.
    many: bool,
}

impl<'a> Job<'a> {
    /// The stages for pictures, with the thresholds that the user sets.
    fn new(args: &'a args::Run, engine: &'a Engine) -> Result<Self> {
        let mut staged = crate::task::for_pictures(engine, &args.model, &args.prepare)?;
        crate::task::set(&mut staged, args)?;
        // Stages may have completed names, or left them out.
        let labels = match staged.task.kind.as_str() {
            "" => class_names(engine, &args.prepare)?,
            _ => staged.task.labels.clone(),
        };
        for note in &staged.task.notes {
            show::note(note);
        }
        Ok(Self { args, engine, staged, labels, many: false })
    }

    /// Runs on one picture, prints or writes what the model says; with `--json` that is the result.
    fn run(&mut self, name: &str, mut picture: Image, out: &Out) -> Result<Option<Json>> {
        let (args, engine) = (self.args, self.engine);
        let pipeline = &mut self.staged.pipeline;
        fed(&picture, |feeds| pipeline.run(feeds))?
            .map_err(|error| Failure::refused(format!("{name}: {error}")))?;
        let run = answers::Run {
            pipeline: &self.staged.pipeline,
            task: &self.staged.task,
            labels: &self.labels,
            top: usize::try_from(args.top).unwrap_or(usize::MAX),
        };
        let said = answers::read(&run)?;
        if !args.json && !matches!(out, Out::Tensors(_)) {
            let head = if self.many { format!("{name}\n") } else { String::new() };
            show::print(&(head + &to_text(said.as_deref(), &run, engine)?))?;
        }
        match out {
            Out::Screen => {}
            Out::Tensors(out) => {
                let arrays: Vec<Array> =
                    raw(&run, engine).into_iter().map(|(_, array)| array).collect();
                write(out, engine, &arrays, args.positional)?;
            }
            Out::Drawing(out) => {
                let Some(said) = &said else {
                    let what = "the task of this model is not known, so nothing can be drawn";
                    return Err(Failure::refused(what).next("--task FILE.toml      describes it"));
                };
                said.draw(&mut picture);
                atomic_write(out, &image::encode_png(&picture)?)?;
            }
        }
        if let (false, Out::Tensors(out) | Out::Drawing(out)) = (args.json, out) {
            show::print(&format!("{}\n", out.display()))?;
        }
        args.json.then(|| to_json(name, said.as_deref(), &run, engine)).transpose()
    }
}

/// Runs a model on pictures and prints what it says.
pub fn run(args: &args::Run, engine: &Engine) -> Result {
    let files = files(&args.inputs)?;
    let mut job = Job::new(args, engine)?;
    job.many = 1 < files.len();
    let start = Instant::now();
    let (mut json, mut remarks) = (Listing::default(), Vec::new());
    let mut progress = Progress::new("running");
    for (i, path) in files.iter().enumerate() {
        progress.at(i as f64 / files.len() as f64);
        let out = out(args.out.as_ref(), path, job.many)?;
        let picture = read(path)?;
        let size = [picture.width, picture.height];
        if let Some(said) = job.run(&path.display().to_string(), picture, &out)? {
            json.item(&said)?;
        }
        if let Some(note) = stretched(size, &job.staged, engine, args)
            && !remarks.contains(&note)
        {
            show::note(&note);
            remarks.push(note);
        }
    }
    if args.json {
        return json.finish();
    }
    if job.many {
        let seconds = start.elapsed().as_secs_f64();
        let rate = show::digits(files.len() as f64 / seconds.max(1e-9));
        let (count, seconds) = (files.len(), show::digits(seconds));
        show::note(&format!("{count} pictures in {seconds} s, {rate} a second"));
    }
    Ok(())
}

/// Runs a model on the frames of a video, with rate and latency; with `--json` an object a line.
pub fn run_video(args: &args::Run, engine: &Engine) -> Result {
    let [input] = args.inputs.as_slice() else {
        return Err(Failure::usage("one video at a time"));
    };
    let mut frames = Frames::open(input)?;
    let mut job = Job::new(args, engine)?;
    job.many = true;
    let mut meter = Meter::start();
    let mut number = 0usize;
    while let Some(frame) = frames.next()? {
        number += 1;
        let name = format!("frame {number}");
        let out = match &args.out {
            None => Out::Screen,
            Some(_) => out(args.out.as_ref(), Path::new(&format!("frame-{number:06}")), true)?,
        };
        let start = Instant::now();
        let said = job.run(&name, frame, &out)?;
        meter.frame(ms_since(start));
        if let Some(said) = said {
            show::print(&format!("{said}\n"))?;
        }
    }
    meter.finish();
    Ok(())
}

/// The model's own outputs, where the task has no answer.
fn raw(run: &answers::Run<'_>, engine: &Engine) -> Vec<(usize, Array)> {
    let outputs = 0..engine.outputs().len();
    outputs.filter_map(|i| Some((i, array(run.pipeline, &format!("out{i}"))?))).collect()
}

/// An answer for people; the model's outputs where its task has none.
pub fn to_text(
    said: Option<&dyn Answer>,
    run: &answers::Run<'_>,
    engine: &Engine,
) -> Result<String> {
    let caps = show::caps();
    if let Some(said) = said {
        return Ok(said.text(&caps));
    }
    let mut text = String::new();
    for (i, array) in raw(run, engine) {
        let port = &engine.outputs()[i];
        let labels = if i == 0 { run.labels } else { &[] };
        text += &answer(&array, port, labels, engine.scores(i))?.text(port, &array, run.top, &caps);
    }
    Ok(text)
}

/// The same for programs.
pub fn to_json(
    name: &str,
    said: Option<&dyn Answer>,
    run: &answers::Run<'_>,
    engine: &Engine,
) -> Result<Json> {
    let mut members = vec![("input".to_owned(), name.into())];
    match said {
        Some(said) => {
            let (key, value) = said.json();
            members.push(("task".to_owned(), run.task.kind.as_str().into()));
            members.push((key.to_owned(), value));
        }
        None => {
            let mut outputs = Vec::new();
            for (i, array) in raw(run, engine) {
                let port = &engine.outputs()[i];
                let labels = if i == 0 { run.labels } else { &[] };
                outputs.push(
                    answer(&array, port, labels, engine.scores(i))?.json(port, &array, run.top),
                );
            }
            members.push(("outputs".to_owned(), Json::List(outputs)));
        }
    }
    Ok(Json::Object(members))
}
