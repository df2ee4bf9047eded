//! A plan with the stages of its task: from what a user has to an answer.

use std::ops::Range;

use embarca_kernels::{Src, Ty};
use embarca_num::DType;

use crate::error::{LoadError, PipelineError};
use crate::plan::{Plan, Port, Task};
use crate::session::Session;

/// What a caller feeds: a tensor by name (`picture`).
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a> {
    /// The name.
    pub name: &'a str,
    /// Type, dimensions, bytes.
    pub tensor: Src<'a>,
}

/// Front, model and back, each with a session that fits what it is fed.
///
/// Stages find their inputs by name among what the caller feeds, what earlier stages yield, and the
/// task's values. The model's own inputs and outputs are `in0`, `in1`, ... and `out0`, `out1`, ...
#[derive(Debug)]
pub struct Pipeline {
    stages: Vec<Stage>,
    values: Vec<(String, f32)>,
    carried: Vec<Carried>,
    net: usize,
}

#[derive(Debug)]
struct Stage {
    plan: Plan,
    inputs: Vec<(String, Port)>,
    outputs: Vec<String>,
    session: Option<Session>,
}

/// An input of the model that takes an output of the run before.
#[derive(Debug)]
struct Carried {
    from: usize,
    name: String,
    dtype: DType,
    dims: Vec<u32>,
    bytes: Vec<u8>,
}

impl Carried {
    fn new([from, to]: [u32; 2], inputs: &[Port]) -> Option<Self> {
        let port = inputs.get(to as usize)?;
        let dims: Vec<u32> =
            port.preferred.iter().map(|&dim| u32::try_from(dim).ok()).collect::<Option<_>>()?;
        let len = port.preferred.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim))?;
        // The stored integer that stands for zero.
        let zero = port.quant.map_or(0, |(_, zero)| zero);
        let bytes = match port.dtype {
            DType::I8 | DType::U8 => vec![zero as u8; len],
            dtype if zero == 0 => vec![0; len.checked_mul(dtype.size())?],
            _ => return None,
        };
        Some(Self { from: from as usize, name: format!("in{to}"), dtype: port.dtype, dims, bytes })
    }
}

impl Stage {
    fn new(plan: Plan, name: impl Fn(bool, usize, &Port) -> String) -> Self {
        let ports = plan.inputs();
        let inputs = ports.into_iter().enumerate();
        let inputs = inputs.map(|(i, port)| (name(true, i, &port), port)).collect();
        let outputs = plan.outputs();
        let outputs = outputs.iter().enumerate().map(|(i, port)| name(false, i, port)).collect();
        Self { plan, inputs, outputs, session: None }
    }

    fn output(&self, name: &str) -> Option<Src<'_>> {
        let index = self.outputs.iter().position(|output| output == name)?;
        let session = self.session.as_ref()?;
        Some(Src { ty: session.output_type(index)?, data: session.output_bytes(index)? })
    }
}

/// A tensor on its way to an input: borrowed from where it was made, or a scalar.
struct Found<'a> {
    dtype: DType,
    dims: &'a [u32],
    bytes: Bytes<'a>,
}

enum Bytes<'a> {
    Borrowed(&'a [u8]),
    Scalar([u8; 8], usize),
}

impl Bytes<'_> {
    fn get(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Scalar(bytes, len) => bytes.get(..*len).unwrap_or_default(),
        }
    }
}

impl<'a> From<Src<'a>> for Found<'a> {
    fn from(src: Src<'a>) -> Self {
        Self { dtype: src.ty.dtype, dims: src.ty.dims, bytes: Bytes::Borrowed(src.data) }
    }
}

/// The dimensions of a scalar of any rank.
static ONES: [u32; 8] = [1; 8];

/// A value as an element of a type; `None` where it has none for it.
fn scalar(value: f32, dtype: DType) -> Option<Bytes<'static>> {
    let mut bytes = [0; 8];
    let mut put = |from: &[u8]| {
        bytes[..from.len()].copy_from_slice(from);
        from.len()
    };
    let len = match dtype {
        DType::F32 => put(&value.to_le_bytes()),
        DType::F64 => put(&f64::from(value).to_le_bytes()),
        DType::I32 => put(&(value as i32).to_le_bytes()),
        DType::I64 => put(&(value as i64).to_le_bytes()),
        DType::Bool => put(&[u8::from(value != 0.0)]),
        _ => return None,
    };
    Some(Bytes::Scalar(bytes, len))
}

impl Pipeline {
    /// A plan with the stages that it holds; `None` where it holds none.
    ///
    /// # Errors
    /// When a stage does not run on this machine.
    pub fn of(plan: &Plan) -> Result<Option<Self>, LoadError> {
        let (front, back) = (plan.front()?, plan.back()?);
        if front.is_none() && back.is_none() {
            return Ok(None);
        }
        Self::new(front, plan.clone(), back, &plan.task()).map(Some)
    }

    /// A model between two stages.
    ///
    /// # Errors
    /// When the task names inputs or outputs that the model does not have.
    pub fn new(
        front: Option<Plan>,
        net: Plan,
        back: Option<Plan>,
        task: &Task,
    ) -> Result<Self, LoadError> {
        let own = |_: bool, _: usize, port: &Port| port.name.clone();
        let numbered =
            |input: bool, i: usize, _: &Port| format!("{}{i}", if input { "in" } else { "out" });
        let inputs = net.inputs();
        let carried = task.carry.iter().map(|&pair| Carried::new(pair, &inputs));
        let carried = carried.collect::<Option<Vec<_>>>();
        let carried = carried
            .ok_or(LoadError::Unsupported("an output that no input of the model can take"))?;
        let at = usize::from(front.is_some());
        let mut stages: Vec<Stage> = front.map(|plan| Stage::new(plan, own)).into_iter().collect();
        stages.push(Stage::new(net, numbered));
        stages.extend(back.map(|plan| Stage::new(plan, own)));
        Ok(Self { stages, values: task.values.clone(), carried, net: at })
    }

    /// Sets a value of the task (`score`, `overlap`); false where it has no such value.
    pub fn set(&mut self, name: &str, value: f32) -> bool {
        let found = self.values.iter_mut().find(|(known, _)| known == name);
        found.map(|(_, old)| *old = value).is_some()
    }

    /// Forgets what the model carried over from run to run.
    pub fn reset(&mut self) {
        let inputs = self.stages.get(self.net).map(|stage| stage.plan.inputs()).unwrap_or_default();
        for carried in &mut self.carried {
            let to = carried.name.trim_start_matches("in").parse().unwrap_or(0);
            if let Some(fresh) = Carried::new([carried.from as u32, to], &inputs) {
                *carried = fresh;
            }
        }
        for session in self.stages.iter_mut().filter_map(|stage| stage.session.as_mut()) {
            session.reset();
        }
    }

    /// Whether the first stage, or the model, takes a tensor of this name.
    pub fn takes(&self, name: &str) -> bool {
        let first = self.stages.first();
        first.is_some_and(|stage| stage.inputs.iter().any(|(input, _)| input == name))
    }

    /// Runs all stages.
    ///
    /// # Errors
    /// When a stage lacks an input, its shapes do not fit, or a kernel fails on the data.
    pub fn run(&mut self, feeds: &[Feed<'_>]) -> Result<(), PipelineError> {
        self.run_stages(0..self.stages.len(), feeds)
    }

    /// Runs the model and what is behind it on what [`Pipeline::prepare`] yielded.
    ///
    /// # Errors
    /// As [`Pipeline::run`].
    pub fn answer(&mut self, feeds: &[Feed<'_>]) -> Result<(), PipelineError> {
        self.run_stages(self.net..self.stages.len(), feeds)
    }

    /// Runs the stage in front of the model, which yields `in0`, `in1`, ...
    ///
    /// # Errors
    /// As [`Pipeline::run`].
    pub fn prepare(&mut self, feeds: &[Feed<'_>]) -> Result<(), PipelineError> {
        self.run_stages(0..self.net, feeds)
    }

    fn run_stages(&mut self, range: Range<usize>, feeds: &[Feed<'_>]) -> Result<(), PipelineError> {
        for at in range {
            let (before, rest) = self.stages.split_at_mut(at);
            let Some(Stage { plan, inputs, session, .. }) = rest.first_mut() else { break };
            let (carried, values) = (&self.carried, &self.values);
            let source = |name: &String, port: &Port| {
                let found = find(name, port, feeds, before, carried, values);
                found.ok_or_else(|| PipelineError::Missing(name.clone()))
            };
            let mut fits = session.is_some();
            for (i, (name, port)) in inputs.iter().enumerate() {
                let found = source(name, port)?;
                if found.dtype != port.dtype {
                    let (given, wanted) = (found.dtype, port.dtype);
                    return Err(PipelineError::Type { name: name.clone(), given, wanted });
                }
                let dims = session.as_ref().and_then(|session| session.input_type(i));
                fits &= dims.is_some_and(|ty| ty.dims == found.dims);
            }
            if !fits {
                let dims = |(name, port): &(String, Port)| Ok(source(name, port)?.dims.to_vec());
                let shapes = inputs.iter().map(dims).collect::<Result<Vec<_>, PipelineError>>()?;
                let shapes: Vec<&[u32]> = shapes.iter().map(Vec::as_slice).collect();
                *session = Some(plan.session_for(&shapes)?);
            }
            let Some(session) = session else { break };
            for (i, (name, port)) in inputs.iter().enumerate() {
                let found = source(name, port)?;
                let bytes = found.bytes.get();
                let to = session.input_bytes(i).filter(|to| to.len() == bytes.len());
                let missing = || PipelineError::Missing(name.clone());
                to.ok_or_else(missing)?.copy_from_slice(bytes);
            }
            session.run()?;
            if at == self.net {
                for carried in &mut self.carried {
                    let (ty, bytes) =
                        (session.output_type(carried.from), session.output_bytes(carried.from));
                    let (Some(Ty { dtype, dims }), Some(bytes)) = (ty, bytes) else { continue };
                    if dtype == carried.dtype {
                        dims.clone_into(&mut carried.dims);
                        bytes.clone_into(&mut carried.bytes);
                    }
                }
            }
        }
        Ok(())
    }

    /// What the last run yielded under a name, of the last stage that has it.
    pub fn output(&self, name: &str) -> Option<Src<'_>> {
        self.stages.iter().rev().find_map(|stage| stage.output(name))
    }

    /// The names of what the last stage yields.
    pub fn answers(&self) -> &[String] {
        self.stages.last().map_or(&[], |stage| &stage.outputs)
    }

    /// Bytes of the memory of all stages together.
    pub fn memory_bytes(&self) -> usize {
        let sessions = self.stages.iter().filter_map(|stage| stage.session.as_ref());
        sessions.map(Session::memory_bytes).sum()
    }
}

fn find<'a>(
    name: &str,
    port: &Port,
    feeds: &[Feed<'a>],
    before: &'a [Stage],
    carried: &'a [Carried],
    values: &[(String, f32)],
) -> Option<Found<'a>> {
    if let Some(feed) = feeds.iter().find(|feed| feed.name == name) {
        return Some(feed.tensor.into());
    }
    if let Some(src) = before.iter().rev().find_map(|stage| stage.output(name)) {
        return Some(src.into());
    }
    if let Some(carried) = carried.iter().find(|carried| carried.name == name) {
        let bytes = Bytes::Borrowed(&carried.bytes);
        return Some(Found { dtype: carried.dtype, dims: &carried.dims, bytes });
    }
    let (_, value) = values.iter().find(|(known, _)| known == name)?;
    let one = port.preferred.iter().all(|&dim| dim == 1);
    let bytes = scalar(*value, port.dtype).filter(|_| one)?;
    Some(Found { dtype: port.dtype, dims: ONES.get(..port.preferred.len())?, bytes })
}
