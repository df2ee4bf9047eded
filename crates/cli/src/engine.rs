//! Models and plans behind one interface: what the verbs need of the library.

use std::path::Path;
use std::time::Instant;

use embarca::task::Net;
use embarca::{LoadError, LoadOptions, Model, OpenOptions, Plan, PlanReport, Port};
use embarca::{ProgramReport, Session, Task};
use embarca_data::{Array, DataLimits};
use embarca_num::DType;

use crate::args::Open;
use crate::failure::{Failure, Result};
use crate::limits;
use crate::show;

/// The options of the library for those of the command line.
pub fn open_options(open: &Open) -> OpenOptions {
    OpenOptions {
        weights: open.weights.clone(),
        shapes: open.shapes.clone().unwrap_or_default(),
        limits: open.limits.limits(),
        ..OpenOptions::default()
    }
}

/// Opens a model. Where its operators need shapes that it leaves open, and its inputs are those of a net
/// that is known for it, these are what that net takes.
pub fn open_model(path: &Path, open: &Open) -> embarca::Result<Model> {
    let options = open_options(open);
    let error = match Model::open_with(path, &options) {
        Ok(model) => return Ok(model),
        Err(error) => error,
    };
    let embarca::ErrorKind::Obstacles(obstacles) = &error.kind else { return Err(error) };
    let usual =
        embarca::task::usual_shapes(&obstacles.inputs).filter(|_| options.shapes.is_empty());
    let Some(shapes) = usual else { return Err(error) };
    let shown = shapes.iter().map(|(name, dims)| {
        let dims: Vec<String> = dims.iter().map(u64::to_string).collect();
        format!("{name}:{}", dims.join("x"))
    });
    let note = format!("taken as --shapes {}", shown.collect::<Vec<_>>().join(","));
    let model = Model::open_with(path, &OpenOptions { shapes, ..options })?;
    show::note(&note);
    Ok(model)
}

/// Refuses flags that say how a model is read; a plan has been made from one already.
pub fn belongs_to_models(open: &Open) -> Result {
    if open.weights.is_some() {
        return Err(Failure::usage("--weights belongs to a Caffe net; a plan has its own"));
    }
    if open.shapes.is_some() {
        return Err(Failure::usage("--shapes belongs to a model; a plan has its shapes")
            .next("embarca build MODEL --shapes NAME:1x3x224x224      makes another plan"));
    }
    Ok(())
}

/// Refuses shapes for inputs that no model has; `inputs` are the names of those that are there.
pub fn known_shapes(open: &Open, inputs: &[&str]) -> Result {
    for (name, _) in open.shapes.iter().flatten() {
        if !inputs.contains(&name.as_str()) {
            let what = format!("--shapes: there is no input '{name}', only {}", inputs.join(", "));
            return Err(Failure::refused(what));
        }
    }
    Ok(())
}

/// The names of a model's inputs.
pub fn input_names(model: &embarca::ir::Model) -> Vec<&str> {
    let graph = model.main();
    graph.inputs.iter().map(|&input| graph.value(input).name.as_str()).collect()
}

/// Whether a file is a plan, by its first bytes.
pub fn is_plan(path: &Path) -> Result<bool> {
    use std::io::Read;
    let named = |error| Failure::from(embarca_data::DataError::from(error).in_file(path));
    let file = std::fs::File::open(path).map_err(named)?;
    let mut start = Vec::new();
    file.take(64).read_to_end(&mut start).map_err(named)?;
    Ok(embarca::is_plan(&start))
}

/// An error of the library with the next command to type.
pub fn refusal(error: embarca::Error, path: &Path) -> Failure {
    use embarca::ErrorKind;
    let shown = path.display();
    if let ErrorKind::NoTarget(_) = error.kind {
        return Failure::refused(error).next("embarca targets      lists them");
    }
    let error = error.about(path);
    let failure = Failure::refused(&error);
    match error.kind {
        ErrorKind::Obstacles(_) | ErrorKind::Compile(_) => {
            failure.next(format!("embarca inspect {shown}      lists all that stands in the way"))
        }
        ErrorKind::Load(LoadError::Open(_) | LoadError::Weights) => {
            failure.next("copy it again, or `embarca build MODEL` makes another")
        }
        ErrorKind::Load(LoadError::NoProgram(_)) => {
            failure.next("embarca build MODEL      makes one for this machine")
        }
        ErrorKind::Load(_) => {
            failure.next(format!("embarca inspect {shown}      shows what shapes it takes"))
        }
        ErrorKind::Read(embarca::ReadError::Malformed(_)) => {
            failure.next("copy or export the file again")
        }
        ErrorKind::Read(embarca::ReadError::OverLimit(fault)) => {
            match limits::flags(&fault.what).join(" or ") {
                flags if flags.is_empty() => failure,
                flags => failure
                    .next(format!("{flags} N      raises the limit, for a file that you trust")),
            }
        }
        _ => failure,
    }
}

/// Gives arrays that are told by their places (`in0`, `in1`, ...; with `positional` also by their
/// order) the names of the model's inputs.
fn name_by_position(arrays: &mut [Array], inputs: &[String], positional: bool) {
    let number = |array: &Array| array.name.as_deref()?.strip_prefix("in")?.parse::<usize>().ok();
    let numbered = arrays.iter().any(|array| number(array).is_some());
    let in_order = positional && !numbered && arrays.len() == inputs.len();
    for (order, array) in arrays.iter_mut().enumerate() {
        let own = array.name.as_ref().is_some_and(|name| inputs.contains(name));
        let place = if in_order { Some(order) } else { number(array) };
        if (positional || !own)
            && let Some(name) = place.and_then(|place| inputs.get(place))
        {
            array.name = Some(name.clone());
        }
    }
}

/// A plan that is ready to run, whatever file it came from.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    session: Option<Session>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    task: Task,
    net: Net,
}

impl Engine {
    /// Opens a plan, or builds one from a model for this machine.
    pub fn open(path: &Path, open: &Open, threads: usize) -> Result<Self> {
        if is_plan(path)? {
            belongs_to_models(open)?;
        }
        let engine = Self::open_one(path, open, threads)?;
        known_shapes(open, &engine.input_names())?;
        Ok(engine)
    }

    /// As [`Engine::open`], one of several files: what the flags say may be meant for another.
    pub fn open_one(path: &Path, open: &Open, threads: usize) -> Result<Self> {
        let options = LoadOptions { threads, ..LoadOptions::default() };
        let refuse = |error| refusal(error, path);
        let plan = if is_plan(path)? {
            Plan::load(path, options).map_err(|error| refuse(error.into()))?
        } else {
            let model = open_model(path, open).map_err(refuse)?;
            let plan = model.plan(options).map_err(refuse)?;
            return Ok(Self { net: model.net(), ..Self::new(plan) });
        };
        Ok(Self::new(plan))
    }

    /// As [`Engine::open`] for arrays that it will be fed. Of a model, inputs that decide over shapes
    /// become constants of what the arrays hold for them; yields the other arrays, by the model's names.
    pub fn open_for(
        path: &Path,
        open: &Open,
        threads: usize,
        mut arrays: Vec<Array>,
        positional: bool,
    ) -> Result<(Self, Vec<Array>, bool)> {
        use embarca::ErrorKind;
        if is_plan(path)? {
            return Ok((Self::open(path, open, threads)?, arrays, positional));
        }
        let mut options = open_options(open);
        let refuse = |error| refusal(error, path);
        let mut by_name = false;
        let model = loop {
            let error = match Model::open_with(path, &options) {
                Ok(model) => break model,
                Err(error) => error,
            };
            let ErrorKind::Obstacles(obstacles) = &error.kind else { return Err(refuse(error)) };
            if !by_name {
                name_by_position(&mut arrays, &obstacles.inputs, positional);
                by_name = true;
            }
            let mut fixed = Vec::new();
            for name in obstacles.fixable() {
                let found = arrays.iter().position(|array| array.name.as_deref() == Some(name));
                let Some(found) = found else { continue };
                let array = arrays.remove(found);
                let value = embarca::ir::Const::new(array.dtype, array.dims, array.data);
                fixed.extend(value.map(|value| (name.to_owned(), value)));
            }
            if fixed.is_empty() {
                return Err(refuse(error));
            }
            for (name, _) in &fixed {
                show::note(&format!("input '{name}' is fixed as given: shapes depend on it"));
            }
            options.fixed.append(&mut fixed);
        };
        let mut names = input_names(model.graph());
        names.extend(options.fixed.iter().map(|(name, _)| name.as_str()));
        known_shapes(open, &names)?;
        let plan = model.plan(LoadOptions { threads, ..LoadOptions::default() });
        Ok((Self::new(plan.map_err(refuse)?), arrays, positional && !by_name))
    }

    /// Around a plan in memory.
    pub fn new(plan: Plan) -> Self {
        let (inputs, outputs, task) = (plan.inputs(), plan.outputs(), plan.task());
        let net = embarca::net_of(&plan);
        Self { plan, session: None, inputs, outputs, task, net }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The program of the plan that runs here: one for this machine, else a portable one.
    pub fn program<'r>(&self, report: &'r PlanReport) -> Option<&'r ProgramReport> {
        let find = |family: &str| report.programs.iter().find(|program| program.family == family);
        find(embarca_target::host()).or_else(|| find("portable"))
    }

    /// The inputs.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The names of the inputs.
    pub fn input_names(&self) -> Vec<&str> {
        self.inputs.iter().map(|port| port.name.as_str()).collect()
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// What the model is for.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The model as a task sees it.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Whether an output is one score a class: its model ends in a softmax there, or its task says so.
    pub fn scores(&self, output: usize) -> bool {
        use embarca::task::{Finish, Kind, Spec};
        let Some(port) = self.net.outputs.get(output) else { return false };
        // A plan does not say how its outputs are computed; TFLite's softmax has a scale of its own.
        let stored = port.quant.is_some_and(|(scale, _)| scale == 1.0 / 256.0);
        let named = || {
            let spec = Spec::from_toml(&self.task.spec).ok();
            spec.is_some_and(|spec| {
                let own = spec.outputs.first().copied().unwrap_or(0);
                spec.kind == Some(Kind::Classification) && own == output
            })
        };
        port.finish == Finish::Softmax || (port.finish == Finish::Unknown && stored) || named()
    }

    /// Makes the session fit these shapes, one per input.
    pub fn shape(&mut self, shapes: &[Vec<u32>]) -> Result<&mut Session> {
        let fits = self.session.as_ref().is_some_and(|session| {
            let dims = |i| session.input_type(i).map(|ty| ty.dims);
            shapes.iter().enumerate().all(|(i, shape)| dims(i) == Some(shape.as_slice()))
        });
        if !fits {
            let shapes: Vec<&[u32]> = shapes.iter().map(Vec::as_slice).collect();
            let session = self.plan.session_for(&shapes).map_err(Failure::refused)?;
            self.session = Some(session);
        }
        self.session.as_mut().ok_or_else(|| Failure::refused("there is no session"))
    }

    /// Feeds arrays that fit the inputs.
    pub fn feed(&mut self, arrays: &[Array]) -> Result<&mut Session> {
        let (wanted, given) = (self.inputs.len(), arrays.len());
        if wanted != given {
            return Err(Failure::refused(format!("{wanted} inputs are needed, {given} are given")));
        }
        let mut shapes = Vec::with_capacity(arrays.len());
        for (port, array) in self.inputs.iter().zip(arrays) {
            fits(port, array)?;
            let dims = array.dims.iter().map(|&dim| u32::try_from(dim));
            let too_large = |_| Failure::refused(format!("input '{}' is too large", port.name));
            shapes.push(dims.collect::<Result<Vec<u32>, _>>().map_err(too_large)?);
        }
        let session = self.shape(&shapes)?;
        for (i, array) in arrays.iter().enumerate() {
            let bytes = session.input_bytes(i).filter(|bytes| bytes.len() == array.data.len());
            bytes
                .ok_or_else(|| Failure::refused(format!("input {i} has another size")))?
                .copy_from_slice(&array.data);
        }
        Ok(session)
    }

    /// Runs on arrays that fit the inputs.
    pub fn run(&mut self, arrays: &[Array]) -> Result<Vec<Array>> {
        self.feed(arrays)?.run().map_err(Failure::refused)?;
        self.results()
    }

    /// What the last run yielded.
    pub fn results(&self) -> Result<Vec<Array>> {
        let session = self.session.as_ref().ok_or_else(|| Failure::refused("nothing has run"))?;
        (0..self.outputs.len())
            .map(|i| {
                let missing = || Failure::refused(format!("output {i} is missing"));
                let ty = session.output_type(i).ok_or_else(missing)?;
                let bytes = session.output_bytes(i).ok_or_else(missing)?;
                let dims: Vec<usize> = ty.dims.iter().map(|&dim| dim as usize).collect();
                Ok(Array::new(ty.dtype, &dims, bytes.to_vec())?)
            })
            .collect()
    }

    /// Arrays of the preferred shapes with pseudo-random content: floats in 0..1, quantized integers
    /// over their whole range, other integers 0.
    pub fn samples(&self, batch: Option<u64>) -> Result<Vec<Array>> {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        self.inputs.iter().map(|port| random.array(port, batch)).collect()
    }
}

/// Whether an array may be fed to an input; says what is wrong and what to do.
fn fits(port: &Port, array: &Array) -> Result {
    let name = &port.name;
    if port.dtype != array.dtype {
        let wanted = numpy(port.dtype);
        return Err(Failure::refused(format!(
            "input '{name}' takes {}, the array holds {}",
            port.dtype, array.dtype
        ))
        .next(format!("save it with .astype(numpy.{wanted})")));
    }
    let dims = port.dims.iter().zip(&array.dims);
    let mut equal = dims.map(|(wanted, given)| wanted.is_none_or(|wanted| wanted == *given));
    if port.dims.len() != array.dims.len() || !equal.all(|equal| equal) {
        return Err(Failure::refused(format!(
            "input '{name}' takes {}, the array is {}",
            dims_of(port),
            show::dims(&array.dims)
        )));
    }
    Ok(())
}

/// `1x3x?x?`
pub fn dims_of(port: &Port) -> String {
    if port.dims.is_empty() {
        return "a scalar".into();
    }
    let dim = |dim: &Option<usize>| dim.map_or_else(|| "?".into(), |dim| dim.to_string());
    port.dims.iter().map(dim).collect::<Vec<_>>().join("x")
}

/// NumPy's name of an element type.
fn numpy(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float32",
        DType::F64 => "float64",
        DType::F16 => "float16",
        DType::I8 => "int8",
        DType::U8 => "uint8",
        DType::I16 => "int16",
        DType::U16 => "uint16",
        DType::I32 => "int32",
        DType::U32 => "uint32",
        DType::I64 => "int64",
        DType::U64 => "uint64",
        DType::Bool => "bool",
        _ => "float32",
    }
}

/// Xorshift with 64 bits of state (Marsaglia 2003, the triple 13, 7, 17).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn array(&mut self, port: &Port, batch: Option<u64>) -> Result<Array> {
        let mut dims = port.preferred.clone();
        match (batch, port.dims.first(), dims.first_mut()) {
            (None, ..) => {}
            (Some(batch), Some(None), Some(first)) => {
                *first = usize::try_from(batch).unwrap_or(usize::MAX);
            }
            (Some(batch), Some(Some(fixed)), _) if *fixed as u64 == batch => {}
            (Some(_), ..) => {
                let what =
                    format!("input '{}' is {}: its batch is fixed", port.name, dims_of(port));
                return Err(Failure::refused(what).next("export the model with an open batch"));
            }
        }
        let len = dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim));
        let limits = DataLimits::default();
        let len = len.ok_or_else(|| Failure::refused("the inputs are too large"))?;
        limits.elements(len as u64)?;
        let mut data = vec![0u8; len.saturating_mul(port.dtype.size())];
        match port.dtype {
            DType::F32 => {
                for bytes in data.as_chunks_mut::<4>().0 {
                    *bytes = ((self.next() >> 40) as f32 / (1u64 << 24) as f32).to_le_bytes();
                }
            }
            _ if port.quant.is_some() => {
                for byte in &mut data {
                    *byte = (self.next() >> 56) as u8;
                }
            }
            _ => {}
        }
        Ok(Array::new(port.dtype, &dims, data)?)
    }
}

/// Milliseconds since `start`.
pub fn ms_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}
