//! Which task a model has: described, stored in the plan, or recognized; and the user's changes.

use std::path::{Component, Path};

use embarca::task::{Kind, Medium, PictureSpec, Spec, TaskError};
use embarca::{ErrorKind, Pipeline, Staged, fed_with_pictures, staged};
use embarca_data::{DataLimits, labels, read_file};

use crate::args::{FitArg, Layout, Prepare};
use crate::engine::{Engine, refusal};
use crate::failure::{Failure, Result};
use crate::texts;

/// Reads a description, and the labels that it names.
pub fn read(path: &Path) -> Result<Spec> {
    let shown = path.display();
    let limits = DataLimits::default();
    let bytes = read_file(path, &limits).map_err(|error| error.in_file(path))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::refused(format!("{shown}: a description is text")))?;
    let refuse = |error| Failure::refused(format!("{shown}: {error}"));
    let mut spec = Spec::from_toml(&text).map_err(refuse)?;
    let beside = |name: &str, key: &str| {
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        let file = path.parent().unwrap_or(Path::new("")).join(name);
        let is_below = Path::new(name).components().all(plain);
        if is_below && file.metadata().is_ok_and(|data| data.is_file()) {
            return Ok(file);
        }
        let name = name.escape_debug();
        let what = format!("'{name}' is no file below the description's folder");
        Err(refuse(TaskError::spec(what).key(key).placed(&text)))
    };
    if let Some(file) = spec.labels_file.take() {
        let file = beside(&file, "labels-file")?;
        let read = read_file(&file, &limits).and_then(|bytes| labels::read(&bytes, &limits));
        spec.labels = read.map_err(|error| error.in_file(&file))?;
    }
    if let Some(of_text) = &mut spec.text
        && let Some(file) = of_text.tokenizer.take()
    {
        let file = beside(&file, "text.tokenizer")?;
        of_text.data = texts::tokenizer(&file)?.json();
    }
    Ok(spec)
}

/// The description that a plan holds, with what is stored beside it; `None` where it holds none.
fn stored(engine: &Engine, path: &Path) -> Result<Option<Spec>> {
    let task = engine.task();
    if task.spec.is_empty() {
        return Ok(None);
    }
    let damaged = |error| Failure::refused(format!("{}: {error}", path.display()));
    let mut spec = Spec::from_toml(&task.spec).map_err(damaged)?;
    if let Some(text) = &mut spec.text {
        text.data.clone_from(&task.tokenizer);
    }
    if spec.picture.is_none() {
        spec.labels.clone_from(&task.labels);
    }
    Ok(Some(spec))
}

/// The description that the user gives, completed for what goes into the model: what its own table or
/// its kind say, else `data`. What was assumed comes with it.
pub fn described(
    engine: &Engine,
    given: &Prepare,
    data: Option<Medium>,
) -> Result<Option<(Spec, Vec<String>)>> {
    let Some(file) = &given.task else { return Ok(None) };
    let mut spec = read(file)?;
    let mut net = engine.net().clone();
    if let Some(labels) = labels(given)? {
        spec.labels = labels;
    } else if spec.labels.is_empty() {
        net.labels.clone_from(&engine.task().labels);
    }
    let refuse = |error| misdescribed(file, error);
    let notes = embarca::task::complete(&mut spec, &net, data).map_err(refuse)?;
    Ok(Some((spec, notes)))
}

/// The class names of the file that the user gives.
pub fn labels(given: &Prepare) -> Result<Option<Vec<String>>> {
    let Some(file) = &given.labels else { return Ok(None) };
    let limits = DataLimits::default();
    let read = read_file(file, &limits).and_then(|bytes| labels::read(&bytes, &limits));
    Ok(Some(read.map_err(|error| error.in_file(file))?))
}

/// The refusal of a description, with the line of the key that is wrong.
pub fn misdescribed(file: &Path, error: TaskError) -> Failure {
    let text = read_file(file, &DataLimits::default()).unwrap_or_default();
    let error = error.placed(&String::from_utf8_lossy(&text));
    Failure::refused(format!("{}: {error}", file.display()))
}

/// The refusal of stages around a model: the blame of the description where the user gives one.
pub fn refused(error: embarca::Error, model: &Path, description: Option<&Path>) -> Failure {
    match (error.kind, description) {
        (ErrorKind::Task(error), Some(file)) if !error.is_bug => misdescribed(file, error),
        (kind, _) => refusal(kind.into(), model),
    }
}

/// What goes into a model, as the plan, or the model itself beyond doubt say.
pub fn medium(engine: &Engine, path: &Path) -> Result<Option<Medium>> {
    let stored = stored(engine, path)?;
    let seen = || embarca::task::recognize(engine.net(), false);
    Ok(stored.or_else(seen).and_then(|spec| spec.medium()))
}

/// The task of a model whose data are no pictures: text, bytes of files, rows of tables. `None` for
/// any other. Whether it is described, by the user or in a plan, comes with it.
pub fn for_data(
    engine: &Engine,
    path: &Path,
    given: &Prepare,
    data: Option<Medium>,
) -> Result<Option<(Spec, bool)>> {
    let (spec, described) = match (described(engine, given, data)?, stored(engine, path)?) {
        (Some((spec, _)), _) | (None, Some(spec)) => (Some(spec), true),
        (None, None) => {
            let mut net = engine.net().clone();
            net.labels = crate::verbs::run::class_names(engine, given)?;
            (embarca::task::recognize(&net, false), false)
        }
    };
    let concerns =
        |spec: &Spec| spec.text.is_some() || spec.bytes.is_some() || spec.table.is_some();
    let Some(mut spec) = spec.filter(concerns) else { return Ok(None) };
    if let Some(labels) = labels(given)? {
        spec.labels = labels;
    }
    texts::equip(&mut spec, engine.net(), path, given.tokenizer.as_deref())?;
    Ok(Some((spec, described)))
}

/// The stages of a description around a model: those of the plan, unless something is changed.
pub fn around(engine: &Engine, path: &Path, given: &Prepare, spec: &Spec) -> Result<Staged> {
    let bare = |spec: &Spec| {
        let mut spec = Spec { labels: Vec::new(), ..spec.clone() };
        if let Some(table) = &mut spec.table {
            table.array = None;
        }
        spec
    };
    let own = stored(engine, path)?;
    // Names that the user gives may stand for other classes than the stored stages were made for.
    if given.labels.is_none()
        && own.is_some_and(|own| bare(&own) == bare(spec))
        && let Some(pipeline) =
            Pipeline::of(engine.plan()).map_err(|error| refusal(error.into(), path))?
    {
        let labels = spec.labels.clone();
        return Ok(Staged { pipeline, task: embarca::Task { labels, ..engine.task().clone() } });
    }
    staged(engine.plan(), engine.net(), spec)
        .map_err(|error| refused(error, path, given.task.as_deref()))
}

/// Thresholds that the user sets.
pub fn set(staged: &mut Staged, args: &crate::args::Run) -> Result {
    let given = [("score", args.score), ("overlap", args.overlap), ("threshold", args.threshold)];
    for (name, value) in given {
        let Some(value) = value else { continue };
        // An anomaly's threshold is compared with the answer, whether or not the task has one.
        if name == "threshold" && staged.task.kind == "anomaly" {
            staged.task.values.retain(|(known, _)| known != name);
            staged.task.values.push((name.to_owned(), value));
            continue;
        }
        let known = staged.task.values.iter_mut().find(|(known, _)| known == name);
        let Some((_, old)) = known else {
            return Err(Failure::usage(format!("--{name}: this task has no such threshold")));
        };
        *old = value;
        staged.pipeline.set(name, value);
    }
    Ok(())
}

/// What the user says on the command line about pictures.
fn change(picture: &mut PictureSpec, given: &Prepare) {
    if !given.mean.is_empty() || !given.std.is_empty() {
        (picture.mean, picture.std) = (given.mean.clone(), given.std.clone());
    }
    if given.bgr {
        picture.colours = Some("bgr".to_owned());
    }
    if let Some(layout) = given.layout {
        let axes = match layout {
            Layout::Nhwc => "nhwc",
            Layout::Nchw => "nchw",
            Layout::Ncwh => "ncwh",
        };
        picture.axes = Some(axes.to_owned());
    }
    if let Some(fit) = given.fit {
        let name = match fit {
            FitArg::Stretch => "stretch",
            FitArg::Crop => "crop",
            FitArg::Letterbox => "letterbox",
            FitArg::Corner => "corner",
        };
        if name != "crop" {
            picture.short = None;
        }
        picture.fit = Some(name.to_owned());
    }
    if let Some(filter) = &given.filter {
        picture.filter = Some(filter.clone());
    }
}

/// Whether the user changes what a plan's own stages do.
fn changes(given: &Prepare) -> bool {
    given.task.is_some()
        || given.labels.is_some()
        || given.bgr
        || given.layout.is_some()
        || given.fit.is_some()
        || given.filter.is_some()
        || !given.mean.is_empty()
        || !given.std.is_empty()
}

/// The stages for sound: those of the plan, or made for what is described or recognized; `None` where
/// the model's task has no sound in it.
pub fn for_sounds(engine: &Engine, path: &Path, given: &Prepare) -> Result<Option<Staged>> {
    let plan = engine.plan();
    if given.task.is_none()
        && given.labels.is_none()
        && let Some(pipeline) = Pipeline::of(plan).map_err(|error| refusal(error.into(), path))?
        && pipeline.takes("samples")
    {
        return Ok(Some(Staged { pipeline, task: engine.task().clone() }));
    }
    let net = engine.net();
    let spec = match described(engine, given, Some(Medium::Sound))? {
        Some((spec, _)) => Some(spec),
        None if !engine.task().spec.is_empty() => {
            let spec = Spec::from_toml(&engine.task().spec);
            let damaged = |error| Failure::refused(format!("{}: {error}", path.display()));
            let mut spec = spec.map_err(damaged)?;
            spec.labels.clone_from(&engine.task().labels);
            Some(spec)
        }
        None => {
            let mut net = net.clone();
            net.labels = crate::verbs::run::class_names(engine, given)?;
            embarca::task::recognize_sound(&net, true)
        }
    };
    let Some(mut spec) = spec.filter(|spec| spec.sound.is_some()) else { return Ok(None) };
    if let Some(labels) = labels(given)? {
        spec.labels = labels;
    }
    staged(plan, net, &spec).map(Some).map_err(|error| refused(error, path, given.task.as_deref()))
}

/// The stages for pictures: those of the plan, or made for what is described or recognized. A model
/// whose answer is not recognized gets a front alone.
pub fn for_pictures(engine: &Engine, path: &Path, given: &Prepare) -> Result<Staged> {
    let plan = engine.plan();
    if given.std.contains(&0.0) {
        return Err(Failure::usage("--std divides, so it cannot be 0"));
    }
    if !changes(given)
        && let Some(pipeline) = Pipeline::of(plan).map_err(|error| refusal(error.into(), path))?
        && pipeline.takes("picture")
    {
        return Ok(Staged { pipeline, task: engine.task().clone() });
    }
    let net = engine.net();
    let mut guessed = false;
    let spec = match described(engine, given, Some(Medium::Picture))? {
        Some((spec, _)) => Some(spec),
        None if !engine.task().spec.is_empty() => stored(engine, path)?,
        None => {
            let mut net = net.clone();
            net.labels = crate::verbs::run::class_names(engine, given)?;
            guessed = true;
            embarca::task::recognize(&net, true)
        }
    };
    let refuse = |error: embarca::Error| {
        let failure = refused(error, path, given.task.as_deref());
        if given.task.is_some() {
            return failure;
        }
        failure
            .next("embarca run MODEL --tensors in.npz      feeds it raw numbers")
            .next("--layout nhwc or --layout nchw      says which axes are height and width")
    };
    match spec {
        Some(mut spec) => {
            change(spec.picture.get_or_insert_with(PictureSpec::default), given);
            if let Some(labels) = labels(given)? {
                spec.labels = labels;
            }
            let mut staged = staged(plan, net, &spec).map_err(refuse)?;
            if guessed && spec.kind == Some(Kind::TextDetection) {
                staged.task.notes.push(
                    "a map of probabilities is taken for where text is; --labels with a name for \
                     either class, or kind = \"segmentation\" in a description, makes it a mask"
                        .into(),
                );
            }
            Ok(staged)
        }
        None => {
            let mut picture = PictureSpec::default();
            let is_picture = |port: &embarca::task::Port| {
                embarca::task::picture::frame(&port.dims, None).is_some()
            };
            picture.input = net.inputs.iter().position(is_picture).unwrap_or(0);
            change(&mut picture, given);
            fed_with_pictures(plan, net, &picture).map_err(refuse)
        }
    }
}
