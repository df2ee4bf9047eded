//! A plan in memory, ready for sessions.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use embarca_kernels::{Kernel, Signature, Ty};
use embarca_num::DType;
use embarca_plan::{Family, Program, Storage, Unit};

use crate::counted::Counted;
use crate::error::LoadError;
use crate::pool::Pool;
use crate::prepare;
use crate::session::Session;

/// A plan file larger than this is refused.
const MAX_FILE: u64 = 1 << 34;

/// An optimized model, ready to run. Cheap to clone; sessions share its weights and threads.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) shared: Arc<Shared>,
    pool: Arc<Pool>,
}

/// How a plan is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Threads that compute, the caller included.
    pub threads: usize,
    /// Whether the weights' checksum is verified.
    pub verify: bool,
    /// Bytes that one session may take, and that packed weights may take beside the plan. Sizes come
    /// from the plan and from the caller's shapes; a hostile plan must not take the machine.
    pub max_memory: u64,
}

impl Default for LoadOptions {
    /// One thread, weights verified, sessions of at most 4 GiB.
    fn default() -> Self {
        Self { threads: 1, verify: true, max_memory: 4 << 30 }
    }
}

/// What sessions share.
#[derive(Debug)]
pub(crate) struct Shared {
    units: Vec<Unit>,
    len: usize,
    /// First byte of the weights section.
    weights: usize,
    /// The program that runs here.
    pub(crate) program: usize,
    pub(crate) max_memory: u64,
    /// Outputs of which only a part counts.
    pub(crate) counted: Vec<Counted>,
    /// Constants in the arrangement that a faster twin reads, by step.
    pub(crate) packed: HashMap<u32, Packed>,
    pub(crate) buffers: Vec<Vec<Unit>>,
}

/// A packed constant of one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    pub kernel: &'static Kernel,
    pub input: usize,
    pub buffer: u32,
    pub len: usize,
}

impl Shared {
    pub(crate) fn bytes(&self) -> &[u8] {
        &Unit::bytes(&self.units)[..self.len]
    }

    pub(crate) fn weights(&self) -> &[u8] {
        &self.bytes()[self.weights..]
    }

    pub(crate) fn view(&self) -> Result<embarca_plan::Plan<'_>, LoadError> {
        embarca_plan::Plan::reopen(self.bytes()).map_err(LoadError::Open)
    }

    pub(crate) fn program<'a>(
        &self,
        plan: &embarca_plan::Plan<'a>,
    ) -> Result<Program<'a>, LoadError> {
        plan.program(self.program).ok_or(LoadError::Unsupported("a plan without programs"))
    }
}

/// An input or output of a model, as its author knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The author's name.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// Dimensions, outermost first; `None` is open until a session is given a shape.
    pub dims: Vec<Option<usize>>,
    /// Dimensions to plan for.
    pub preferred: Vec<usize>,
    /// Scale and zero point, when integers stand for real numbers under one scale.
    pub quant: Option<(f32, i32)>,
}

/// What a model is for: class names and how raw data becomes its input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// Class names of output 0, in order.
    pub labels: Vec<String>,
    /// Per-channel mean of the raw pixel that input 0 expects subtracted.
    pub mean: Vec<f32>,
    /// Per-channel divisor after the mean.
    pub std: Vec<f32>,
    /// What the answer is (`classification`, `detection`, ...); empty where that is not known.
    pub kind: String,
    /// Scalars that stages take, by name.
    pub values: Vec<(String, f32)>,
    /// What was assumed about raw data.
    pub notes: Vec<String>,
    /// The names of keypoints.
    pub points: Vec<String>,
    /// Pairs of keypoints that a skeleton joins.
    pub skeleton: Vec<[u32; 2]>,
    /// Outputs of the model that its inputs take in the next run, as output, input.
    pub carry: Vec<[u32; 2]>,
    /// The tokenizer of a task that takes text, as `tokenizer.json` states it.
    pub tokenizer: String,
    /// The units of numbers that are predicted.
    pub units: Vec<String>,
    /// The description that the stages were made of.
    pub spec: String,
}

impl Plan {
    /// Reads and checks a plan file.
    ///
    /// # Errors
    /// When the file cannot be read, is not a plan, is damaged, or does not run on this machine.
    pub fn load(path: impl AsRef<Path>, options: LoadOptions) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let fault = |error: std::io::Error| LoadError::File(format!("{}: {error}", path.display()));
        let mut file = std::fs::File::open(path).map_err(fault)?;
        let len = file.metadata().map_err(fault)?.len();
        if MAX_FILE < len {
            return Err(LoadError::TooLarge);
        }
        // Read to where it stays, not mapped: a file that is cut short under a map ends the process.
        let mut units = room(len as usize)?;
        file.read_exact(&mut Unit::bytes_mut(&mut units)[..len as usize]).map_err(fault)?;
        Self::from_units(units, len as usize, options, None)
    }

    /// Copies and checks a plan.
    ///
    /// # Errors
    /// As [`Plan::load`].
    pub fn from_bytes(bytes: &[u8], options: LoadOptions) -> Result<Self, LoadError> {
        Self::with_pool(bytes, options, None)
    }

    /// As [`Plan::from_bytes`], with threads that another plan has already.
    fn with_pool(
        bytes: &[u8],
        options: LoadOptions,
        pool: Option<Arc<Pool>>,
    ) -> Result<Self, LoadError> {
        let mut units = room(bytes.len())?;
        Unit::bytes_mut(&mut units)[..bytes.len()].copy_from_slice(bytes);
        Self::from_units(units, bytes.len(), options, pool)
    }

    /// Checks the plan in the first `len` bytes of `units`.
    fn from_units(
        units: Vec<Unit>,
        len: usize,
        options: LoadOptions,
        pool: Option<Arc<Pool>>,
    ) -> Result<Self, LoadError> {
        let (program, weights, counted) = {
            let bytes = &Unit::bytes(&units)[..len];
            let plan = embarca_plan::Plan::open(bytes).map_err(LoadError::Open)?;
            if options.verify {
                plan.verify().map_err(|_| LoadError::Weights)?;
            }
            let weights = plan.weights().as_ptr().addr() - bytes.as_ptr().addr();
            (choose(&plan)?, weights, Counted::of(plan.interface())?)
        };
        let mut shared = Shared {
            units,
            len,
            weights,
            program,
            max_memory: options.max_memory,
            counted,
            packed: HashMap::new(),
            buffers: Vec::new(),
        };
        pack(&mut shared)?;
        let pool = pool.unwrap_or_else(|| Arc::new(Pool::new(options.threads)));
        let plan = Self { shared: Arc::new(shared), pool };
        plan.check()?;
        Ok(plan)
    }

    /// A plan of fixed sizes that cannot run is refused at the door; one of open sizes is checked
    /// whenever it is given some.
    fn check(&self) -> Result<(), LoadError> {
        let view = self.shared.view()?;
        let program = self.shared.program(&view)?;
        if !program.is_dynamic() {
            prepare::prepare_preferred(&self.shared, &program)?;
        }
        Ok(())
    }

    /// A session at the plan's preferred sizes.
    ///
    /// # Errors
    /// When the sizes do not fit into memory.
    pub fn session(&self) -> Result<Session, LoadError> {
        let view = self.shared.view()?;
        let prepared = prepare::prepare_preferred(&self.shared, &self.shared.program(&view)?)?;
        Session::new(Arc::clone(&self.shared), Arc::clone(&self.pool), prepared)
    }

    /// A session for inputs of these shapes, in the order of [`Plan::inputs`].
    ///
    /// # Errors
    /// When the shapes do not fit the plan or memory.
    pub fn session_for(&self, shapes: &[&[u32]]) -> Result<Session, LoadError> {
        let view = self.shared.view()?;
        let prepared = prepare::prepare(&self.shared, &self.shared.program(&view)?, shapes)?;
        Session::new(Arc::clone(&self.shared), Arc::clone(&self.pool), prepared)
    }

    /// The stage in front of the model, which turns what a user has into its inputs.
    ///
    /// # Errors
    /// When it does not run on this machine.
    pub fn front(&self) -> Result<Option<Self>, LoadError> {
        self.shared.view()?.front().map(|bytes| self.stage(bytes)).transpose()
    }

    /// The stage behind the model, which turns its outputs into an answer.
    ///
    /// # Errors
    /// When it does not run on this machine.
    pub fn back(&self) -> Result<Option<Self>, LoadError> {
        self.shared.view()?.back().map(|bytes| self.stage(bytes)).transpose()
    }

    /// A plan that shares this one's threads.
    ///
    /// # Errors
    /// As [`Plan::from_bytes`].
    pub fn stage(&self, bytes: &[u8]) -> Result<Self, LoadError> {
        // The checksum of the section, or of the plan itself, covers the weights.
        let max_memory = self.shared.max_memory;
        let options = LoadOptions { threads: self.threads(), verify: true, max_memory };
        Self::with_pool(bytes, options, Some(Arc::clone(&self.pool)))
    }

    /// Threads that compute, the caller included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Bytes of the plan.
    pub fn bytes(&self) -> &[u8] {
        self.shared.bytes()
    }

    /// The inputs.
    pub fn inputs(&self) -> Vec<Port> {
        self.ports(true)
    }

    /// The outputs.
    pub fn outputs(&self) -> Vec<Port> {
        self.ports(false)
    }

    fn ports(&self, inputs: bool) -> Vec<Port> {
        let Ok(view) = self.shared.view() else { return Vec::new() };
        let interface = view.interface();
        let common = &interface.common;
        let symbols: Vec<u32> = common.symbols.iter().map(|symbol| symbol.preferred).collect();
        let mut values = vec![0i64; common.exprs.len()];
        // Sizes that cannot be computed at the preferred values show as zero.
        let _ = embarca_plan::evaluate(common.exprs, &symbols, &mut values);
        let port = |port: embarca_plan::Port<'_>| Port {
            name: port.name().unwrap_or_default().to_owned(),
            dtype: port.dtype(),
            dims: port.dims().map(|dim| dim.fixed().map(|dim| dim as usize)).collect(),
            preferred: port.dims().map(|dim| dim.value(&values).unwrap_or(0) as usize).collect(),
            quant: port.quant().and_then(|quant| match (quant.scales, quant.zeros) {
                ([scale], [zero]) => Some((*scale, *zero)),
                _ => None,
            }),
        };
        if inputs {
            interface.inputs().map(port).collect()
        } else {
            interface.outputs().filter(|output| !output.is_count()).map(port).collect()
        }
    }

    /// What the model is for.
    pub fn task(&self) -> Task {
        let Ok(view) = self.shared.view() else { return Task::default() };
        let Some(task) = view.task() else { return Task::default() };
        let floats = |key: &str| task.floats(key).unwrap_or(&[]).to_vec();
        let texts = |key: &str| -> Vec<String> {
            task.texts(key)
                .map(|texts| texts.iter().map(str::to_owned).collect())
                .unwrap_or_default()
        };
        let first = |key: &str| texts(key).into_iter().next().unwrap_or_default();
        let pairs = |key: &str| -> Vec<[u32; 2]> {
            let integers = task.integers(key).unwrap_or(&[]);
            integers.as_chunks::<2>().0.iter().map(|pair| pair.map(i32::cast_unsigned)).collect()
        };
        Task {
            labels: texts("labels"),
            mean: floats("mean"),
            std: floats("std"),
            kind: first("kind"),
            values: texts("value-names").into_iter().zip(floats("values")).collect(),
            notes: texts("notes"),
            points: texts("points"),
            skeleton: pairs("skeleton"),
            carry: pairs("carry"),
            tokenizer: first("tokenizer"),
            units: texts("units"),
            spec: first("spec"),
        }
    }
}

/// Zeros in which `len` bytes have room.
fn room(len: usize) -> Result<Vec<Unit>, LoadError> {
    let mut units = Vec::new();
    units.try_reserve_exact(Unit::count(len)).map_err(|_| LoadError::TooLarge)?;
    units.resize(Unit::count(len), Unit::ZERO);
    Ok(units)
}

/// The program for this machine: one of its own family, else a portable one.
fn choose(plan: &embarca_plan::Plan<'_>) -> Result<usize, LoadError> {
    let host = match std::env::consts::ARCH {
        "x86_64" => Family::X86_64,
        "aarch64" => Family::AARCH64,
        _ => Family::PORTABLE,
    };
    let families: Vec<Family> = plan.programs().map(|program| program.family()).collect();
    let find = |family: Family| families.iter().position(|&other| other == family);
    find(host).or_else(|| find(Family::PORTABLE)).ok_or_else(|| {
        let name = |program: Program<'_>| {
            program.target().map_or_else(|| program.family().name().to_owned(), str::to_owned)
        };
        LoadError::NoProgram(plan.programs().map(name).collect())
    })
}

/// Packs the constants of steps that have a faster twin here, as far as the limit of memory goes.
fn pack(shared: &mut Shared) -> Result<(), LoadError> {
    let mut packed = HashMap::new();
    let mut buffers = Vec::new();
    {
        let view = shared.view()?;
        let program = shared.program(&view)?;
        let values = prepare::preferred_values(&program)?;
        // From here on constants are as long as their dimensions say.
        view.check_sizes(shared.program, &values).map_err(LoadError::Open)?;
        let mut left = shared.max_memory;
        for step in program.steps() {
            let Some(portable) = embarca_kernels::portable(embarca_kernels::Opcode(step.opcode()))
            else {
                continue;
            };
            let Some(kernel) = embarca_kernels::fast::twin(portable.name) else { continue };
            let dims = |index: Option<u32>| -> Option<(DType, Vec<u32>)> {
                let tensor = program.tensor(index?)?;
                let mut buffer = [0; embarca_plan::MAX_RANK];
                Some((tensor.dtype(), tensor.dims_at(&values, &mut buffer)?.to_vec()))
            };
            let inputs: Vec<Option<(DType, Vec<u32>)>> = step.inputs().map(dims).collect();
            let outputs: Vec<(DType, Vec<u32>)> =
                step.outputs().iter().filter_map(|&index| dims(Some(index))).collect();
            let input_types: Vec<Option<Ty<'_>>> = inputs
                .iter()
                .map(|ty| ty.as_ref().map(|(dtype, dims)| Ty { dtype: *dtype, dims }))
                .collect();
            let output_types: Vec<Ty<'_>> =
                outputs.iter().map(|(dtype, dims)| Ty { dtype: *dtype, dims }).collect();
            let signature =
                Signature { record: step.record(), inputs: &input_types, outputs: &output_types };
            // A twin need not take every case that the definition takes.
            if (portable.check)(&signature).is_err() || (kernel.check)(&signature).is_err() {
                continue;
            }
            let Some(how) = kernel.pack else {
                let (input, buffer) = (usize::MAX, u32::MAX);
                packed.insert(step.index, Packed { kernel, input, buffer, len: 0 });
                continue;
            };
            let source = step.inputs().nth(how.input).flatten();
            let Some(Storage::Weights { offset, len, packing }) =
                source.and_then(|index| program.tensor(index)).map(|tensor| tensor.storage())
            else {
                continue;
            };
            let range = offset as usize..offset as usize + len as usize;
            let (0, Some(data)) = (packing.id, view.weights().get(range)) else { continue };
            let fault = |fault| LoadError::Kernel { step: step.index, kernel: kernel.name, fault };
            let len = (how.len)(&signature).map_err(fault)?;
            // What finds no room is left to the definition.
            let Some(rest) = left.checked_sub(len as u64) else { continue };
            left = rest;
            let mut units = room(len)?;
            (how.pack)(&signature, data, &mut Unit::bytes_mut(&mut units)[..len]).map_err(fault)?;
            let buffer = buffers.len() as u32;
            packed.insert(step.index, Packed { kernel, input: how.input, buffer, len });
            buffers.push(units);
        }
    }
    shared.packed = packed;
    shared.buffers = buffers;
    Ok(())
}
