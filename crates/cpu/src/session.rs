//! Runs a plan: own memory and state, `&mut self`, nothing allocated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use embarca_kernels::{Call, Dst, Src, Ty};
use embarca_num::DType;
use embarca_plan::Unit;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::counted::Part;
use crate::error::{LoadError, RunError};
use crate::plan::Shared;
use crate::pool::Pool;
use crate::prepare::{self, Action, Body, Exec, MAX_ARGS, MAX_RESULTS, Prepared, Region, Tensor};

/// Limits of one run, looked at between steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits<'a> {
    /// The run stops when this becomes true.
    pub cancel: Option<&'a AtomicBool>,
    /// The run stops when this moment has passed.
    pub deadline: Option<Instant>,
    /// The run stops when loops have run this many steps; `None` for [`MAX_LOOP_STEPS`].
    pub loop_steps: Option<u64>,
}

/// Steps that the loops of one run may run together unless the caller says otherwise: some seconds.
pub const MAX_LOOP_STEPS: u64 = 100_000_000;

/// What an observer of a run sees of a step, after it.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The step's number in the program.
    pub step: u32,
    /// The kernel's name.
    pub kernel: &'static str,
    /// Output 0: type, dimensions, bytes.
    pub output: Option<Src<'a>>,
}

/// A plan with memory of its own. Not shared between threads; make one for each.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    prepared: Prepared,
    memory: Vec<Unit>,
    /// Of outputs whose sizes the data decide over.
    parts: Vec<Part>,
}

static NOTHING: Body = Body { steps: 0..0, inputs: Vec::new(), outputs: Vec::new() };

impl Session {
    pub(crate) fn new(
        shared: Arc<Shared>,
        pool: Arc<Pool>,
        prepared: Prepared,
    ) -> Result<Self, LoadError> {
        let scratch = prepared.scratch.checked_mul(pool.threads()).ok_or(LoadError::TooLarge)?;
        let total = prepared.memory.checked_add(scratch).ok_or(LoadError::TooLarge)?;
        if shared.max_memory < total as u64 {
            return Err(LoadError::TooLarge);
        }
        let mut memory = Vec::new();
        memory.try_reserve_exact(Unit::count(total)).map_err(|_| LoadError::TooLarge)?;
        memory.resize(Unit::count(total), Unit::ZERO);
        let mut session = Self { shared, pool, prepared, memory, parts: Vec::new() };
        session.parts = session.parts()?;
        session.reset();
        Ok(session)
    }

    /// Room for what counts of the outputs whose sizes the data decide over.
    fn parts(&self) -> Result<Vec<Part>, LoadError> {
        let mut parts = Vec::with_capacity(self.shared.counted.len());
        let mut total = (self.memory.len() * size_of::<Unit>()) as u64;
        for &of in &self.shared.counted {
            let tensor = self.port(&self.main().outputs, of.output);
            let tensor = tensor.ok_or(LoadError::Unsupported("outputs that no number counts"))?;
            total = total.saturating_add(tensor.at.1 as u64);
            if self.shared.max_memory < total {
                return Err(LoadError::TooLarge);
            }
            parts.push(Part::new(of, self.prepared.dims_of(tensor), tensor.at.1)?);
        }
        Ok(parts)
    }

    fn part(&self, output: usize) -> Option<&Part> {
        self.parts.iter().find(|part| part.of.output == output)
    }

    /// Takes inputs of other shapes from now on; states return to their initial values.
    ///
    /// # Errors
    /// When the shapes do not fit; the session then stays as it was.
    pub fn resize(&mut self, shapes: &[&[u32]]) -> Result<(), LoadError> {
        let prepared = {
            let view = self.shared.view()?;
            prepare::prepare(&self.shared, &self.shared.program(&view)?, shapes)?
        };
        *self = Self::new(Arc::clone(&self.shared), Arc::clone(&self.pool), prepared)?;
        Ok(())
    }

    /// Sets every state to its initial value.
    pub fn reset(&mut self) {
        let weights = self.shared.weights();
        let memory = Unit::bytes_mut(&mut self.memory);
        for &(start, len, initial) in &self.prepared.states {
            let Some(state) = memory.get_mut(start..start + len) else { continue };
            match initial.and_then(|at| weights.get(at..at + len)) {
                Some(initial) => state.copy_from_slice(initial),
                None => state.fill(0),
            }
        }
    }

    /// The function where a run starts.
    fn main(&self) -> &Body {
        self.prepared.functions.first().unwrap_or(&NOTHING)
    }

    fn port(&self, tensors: &[u32], index: usize) -> Option<&Tensor> {
        self.prepared.tensors.get(*tensors.get(index)? as usize)
    }

    /// Type and dimensions of input `index`.
    pub fn input_type(&self, index: usize) -> Option<Ty<'_>> {
        let tensor = self.port(&self.main().inputs, index)?;
        Some(Ty { dtype: tensor.dtype, dims: self.prepared.dims_of(tensor) })
    }

    /// Type and dimensions of output `index`. Where the data decide over a size, it is that of the
    /// last run, and before one the largest that is possible.
    pub fn output_type(&self, index: usize) -> Option<Ty<'_>> {
        let tensor = self.port(&self.main().outputs, index)?;
        let dims = self.part(index).map_or_else(|| self.prepared.dims_of(tensor), Part::dims);
        Some(Ty { dtype: tensor.dtype, dims })
    }

    /// The bytes of input `index`, to be filled before a run.
    pub fn input_bytes(&mut self, index: usize) -> Option<&mut [u8]> {
        let (start, len) = self.port(&self.main().inputs, index)?.at;
        Unit::bytes_mut(&mut self.memory).get_mut(start..start + len)
    }

    /// The bytes of output `index` after a run.
    pub fn output_bytes(&self, index: usize) -> Option<&[u8]> {
        if let Some(part) = self.part(index) {
            return Some(part.bytes());
        }
        let (start, len) = self.port(&self.main().outputs, index)?.at;
        Unit::bytes(&self.memory).get(start..start + len)
    }

    /// The elements of input `index`; `None` when there is no such input or `T` has another size
    /// than its elements.
    pub fn input<T: FromBytes + IntoBytes + KnownLayout>(
        &mut self,
        index: usize,
    ) -> Option<&mut [T]> {
        let size = self.input_type(index)?.dtype.size();
        let bytes = self.input_bytes(index)?;
        (size == size_of::<T>()).then(|| <[T]>::mut_from_bytes(bytes).ok())?
    }

    /// The elements of output `index`; `None` when there is no such output or `T` has another size
    /// than its elements.
    pub fn output<T: FromBytes + Immutable + KnownLayout>(&self, index: usize) -> Option<&[T]> {
        let size = self.output_type(index)?.dtype.size();
        let bytes = self.output_bytes(index)?;
        (size == size_of::<T>()).then(|| <[T]>::ref_from_bytes(bytes).ok())?
    }

    /// Bytes of the arena for activations.
    pub fn arena_bytes(&self) -> usize {
        self.prepared.arena
    }

    /// Bytes of the arena, states, inputs, outputs and scratch together.
    pub fn memory_bytes(&self) -> usize {
        self.memory.len() * size_of::<Unit>()
    }

    /// Runs the program once.
    ///
    /// # Errors
    /// When a kernel fails on the data, such as an index outside its axis.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.run_limited(Limits::default())
    }

    /// Runs the program once within limits.
    ///
    /// # Errors
    /// As [`Session::run`], and when a limit is met; states may then be half updated, so call
    /// [`Session::reset`] before the next run of a model that has some.
    pub fn run_limited(&mut self, limits: Limits<'_>) -> Result<(), RunError> {
        self.execute(limits, None)
    }

    /// Runs the program once and shows each step to `observe` after it has run.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_observed(&mut self, observe: &mut dyn FnMut(Observed<'_>)) -> Result<(), RunError> {
        self.execute(Limits::default(), Some(observe))
    }

    fn execute(
        &mut self,
        limits: Limits<'_>,
        observe: Option<&mut dyn FnMut(Observed<'_>)>,
    ) -> Result<(), RunError> {
        let runner = Runner { shared: &self.shared, pool: &self.pool, prepared: &self.prepared };
        let (memory, scratch) =
            Unit::bytes_mut(&mut self.memory).split_at_mut(self.prepared.memory);
        let loop_steps = limits.loop_steps.unwrap_or(MAX_LOOP_STEPS);
        let mut context = Context { limits, loop_steps, inside: 0, observe };
        runner.function(0, memory, scratch, &mut context)?;
        self.take_parts();
        Ok(())
    }

    /// Copies what counts of the outputs whose sizes the data decide over.
    fn take_parts(&mut self) {
        let mut parts = std::mem::take(&mut self.parts);
        let memory = Unit::bytes(&self.memory);
        for part in &mut parts {
            let port = |index: usize| self.port(&self.main().outputs, index);
            let (Some(all), Some(count)) = (port(part.of.output), port(part.of.by)) else {
                continue;
            };
            let bytes = |tensor: &Tensor| {
                memory.get(tensor.at.0..tensor.at.0 + tensor.at.1).unwrap_or_default()
            };
            let ty = Ty { dtype: all.dtype, dims: self.prepared.dims_of(all) };
            part.take(bytes(all), ty, bytes(count));
        }
        self.parts = parts;
    }
}

/// What a run carries from step to step.
pub(crate) struct Context<'l, 'o> {
    limits: Limits<'l>,
    /// Steps that loops may still run.
    loop_steps: u64,
    /// How many calls deep the run is.
    inside: usize,
    observe: Option<&'o mut dyn FnMut(Observed<'_>)>,
}

impl Context<'_, '_> {
    /// Looks at the limits before a step.
    fn check(&mut self, step: &Exec) -> Result<(), RunError> {
        self.look(step)?;
        if 0 < self.inside { self.count(step) } else { Ok(()) }
    }

    /// Looks at the limits before a round of a loop, which may have no steps.
    pub fn round(&mut self, step: &Exec) -> Result<(), RunError> {
        self.look(step)?;
        self.count(step)
    }

    fn look(&self, step: &Exec) -> Result<(), RunError> {
        let stopped = RunError::Stopped { step: step.number };
        if self.limits.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Err(stopped);
        }
        if self.limits.deadline.is_some_and(|deadline| deadline < Instant::now()) {
            return Err(stopped);
        }
        Ok(())
    }

    fn count(&mut self, step: &Exec) -> Result<(), RunError> {
        let left = self.loop_steps.checked_sub(1);
        self.loop_steps = left.ok_or(RunError::Endless { step: step.number })?;
        Ok(())
    }
}

pub(crate) struct Runner<'a> {
    pub(crate) shared: &'a Shared,
    pool: &'a Pool,
    pub(crate) prepared: &'a Prepared,
}

const EMPTY: Ty<'static> = Ty { dtype: DType::U8, dims: &[] };

impl<'a> Runner<'a> {
    fn output<'m>(&self, step: &Exec, memory: &'m [u8]) -> Option<Src<'m>>
    where
        'a: 'm,
    {
        let (first, inputs, _) = step.args;
        let index = *self.prepared.args.get(first + inputs)?;
        let tensor = self.prepared.tensors.get(index as usize)?;
        let ty = Ty { dtype: tensor.dtype, dims: self.prepared.dims_of(tensor) };
        Some(Src { ty, data: memory.get(tensor.at.0..tensor.at.0 + tensor.at.1)? })
    }

    /// Runs the steps of a function.
    pub(crate) fn function(
        &self,
        index: usize,
        memory: &mut [u8],
        scratch: &mut [u8],
        context: &mut Context<'_, '_>,
    ) -> Result<(), RunError> {
        let steps = self.prepared.functions.get(index).map_or(0..0, |body| body.steps.clone());
        for step in self.prepared.steps.get(steps).unwrap_or(&[]) {
            context.check(step)?;
            let name = match &step.action {
                Action::Kernel { kernel, .. } => {
                    let (_, inputs, outputs) = step.args;
                    let result = match (inputs, outputs) {
                        (..=8, ..=1) => self.step::<8, 1>(step, memory, scratch),
                        (..=32, ..=8) => self.step::<32, 8>(step, memory, scratch),
                        _ => self.step::<MAX_ARGS, MAX_RESULTS>(step, memory, scratch),
                    };
                    let (number, kernel) = (step.number, kernel.name);
                    let fault = |fault| RunError::Fault { step: number, kernel, fault };
                    result.map_err(fault)?;
                    kernel
                }
                Action::Call(call) => {
                    context.inside += 1;
                    self.call(step, call, memory, scratch, context)?;
                    context.inside -= 1;
                    call.name()
                }
            };
            if let Some(observe) = &mut context.observe {
                let output = self.output(step, memory);
                observe(Observed { step: step.number, kernel: name, output });
            }
        }
        Ok(())
    }

    /// Runs the kernel of a step with at most `I` inputs and `O` outputs.
    fn step<const I: usize, const O: usize>(
        &self,
        step: &Exec,
        memory: &mut [u8],
        scratch: &mut [u8],
    ) -> Result<(), embarca_kernels::Fault> {
        const OVERLAP: embarca_kernels::Fault = embarca_kernels::Fault::Shape;
        let prepared = self.prepared;
        let Action::Kernel { kernel, record, needs, min_units } = &step.action else {
            return Err(OVERLAP);
        };
        let (min_units, (first, n_inputs, n_outputs)) = (*min_units, step.args);
        let args = &prepared.args[first..first + n_inputs + n_outputs];
        let tensor = |index: u32| prepared.tensors.get(index as usize);

        // The memory is cut at the outputs, in the order of their addresses; what lies between may
        // be read. A plan that was checked never reads where the same step writes.
        let mut order = [0usize; O];
        for (i, slot) in order[..n_outputs].iter_mut().enumerate() {
            *slot = i;
        }
        let outputs = &args[n_inputs..];
        let start = |i: usize| tensor(outputs[i]).map_or(0, |tensor| tensor.at.0);
        if 1 < n_outputs {
            order[..n_outputs].sort_unstable_by_key(|&i| start(i));
        }
        let mut written: [Dst<'_>; O] =
            core::array::from_fn(|_| Dst { ty: EMPTY, data: Default::default() });
        // First byte of each readable gap; the last one ends the memory. `O + 1` cannot be written
        // as an array length, so the last gap stands alone.
        let mut gaps: [(usize, &[u8]); O] = [(0, &[]); O];
        let (mut rest, mut at) = (memory, 0usize);
        for (gap, &i) in gaps.iter_mut().zip(&order[..n_outputs]) {
            let tensor = tensor(outputs[i]).ok_or(OVERLAP)?;
            let (begin, len) = tensor.at;
            // An empty tensor may lie anywhere, also inside another.
            let begin = if len == 0 { at } else { begin };
            let skip = begin.checked_sub(at).ok_or(OVERLAP)?;
            let (before, tail) = rest.split_at_mut_checked(skip).ok_or(OVERLAP)?;
            let (data, after) = tail.split_at_mut_checked(len).ok_or(OVERLAP)?;
            *gap = (at, before);
            let ty = Ty { dtype: tensor.dtype, dims: prepared.dims_of(tensor) };
            written[i] = Dst { ty, data };
            (rest, at) = (after, begin + len);
        }
        let last = (at, &*rest);

        let mut inputs: [Option<Src<'_>>; I] = [None; I];
        for (slot, &index) in inputs.iter_mut().zip(&args[..n_inputs]) {
            if index == u32::MAX {
                continue;
            }
            let tensor = tensor(index).ok_or(OVERLAP)?;
            let (begin, len) = tensor.at;
            let data = match tensor.region {
                _ if len == 0 => Some(&[][..]),
                Region::Weights => self.shared.weights().get(begin..begin + len),
                Region::Packed(buffer) => {
                    let buffer = self.shared.buffers.get(buffer as usize);
                    buffer.and_then(|units| Unit::bytes(units).get(..len))
                }
                Region::Memory => {
                    let gaps = gaps[..n_outputs].iter().chain([&last]);
                    let mut found = gaps.filter_map(|(from, bytes)| {
                        bytes.get(begin.checked_sub(*from)?..begin + len - from)
                    });
                    found.next()
                }
            };
            let ty = Ty { dtype: tensor.dtype, dims: prepared.dims_of(tensor) };
            *slot = Some(Src { ty, data: data.ok_or(OVERLAP)? });
        }
        let inputs = &inputs[..n_inputs];
        let record = &self.shared.bytes()[record.0..record.0 + record.1];
        let run = kernel.run;
        let (units, need) = (needs.units, needs.scratch.next_multiple_of(64));
        if units <= min_units || self.pool.threads() == 1 || n_outputs != 1 {
            let scratch = &mut scratch[..needs.scratch];
            let outputs = &mut written[..n_outputs];
            return run(&mut Call { record, inputs, outputs, scratch, units: 0..units });
        }
        let failed = AtomicBool::new(false);
        let Some(Dst { ty, data }) = written.first_mut() else { return Err(OVERLAP) };
        let ty = *ty;
        let scratch = &mut scratch[..need * self.pool.threads()];
        self.pool.split(units, min_units, data, (scratch, need), &|units, data, scratch| {
            let outputs = &mut [Dst { ty, data }];
            let mut call = Call { record, inputs, outputs, scratch, units };
            if run(&mut call).is_err() {
                failed.store(true, Ordering::Relaxed);
            }
        });
        if failed.load(Ordering::Relaxed) {
            // Which share failed first depends on timing; the fault must not.
            let scratch = &mut scratch[..needs.scratch];
            let outputs = &mut written[..n_outputs];
            return run(&mut Call { record, inputs, outputs, scratch, units: 0..units });
        }
        Ok(())
    }
}
