//! Calls of functions: arguments are copied in, results out.

use embarca_kernels::Fault;
use embarca_plan::BACKWARD;

use crate::error::RunError;
use crate::prepare::{Body, Call, Exec, Prepared, Region, Tensor};
use crate::session::{Context, Runner};

/// What is left out.
const ABSENT: u32 = u32::MAX;

/// Whether the tensors on both sides of a call have the same sizes.
pub(crate) fn fits(prepared: &Prepared, step: &Exec) -> bool {
    let crate::prepare::Action::Call(call) = &step.action else { return false };
    let (inputs, outputs) = prepared.lists(step);
    agree(prepared, call, inputs, outputs).is_some()
}

fn agree(prepared: &Prepared, call: &Call, inputs: &[u32], outputs: &[u32]) -> Option<()> {
    let tensor = |index: u32| prepared.tensors.get(index as usize);
    let same = |ours: &[u32], theirs: &[u32]| -> Option<()> {
        let equal = |(&a, &b): (&u32, &u32)| {
            let (Some(a), Some(b)) = (tensor(a), tensor(b)) else { return false };
            let sizes = prepared.dims_of(a) == prepared.dims_of(b);
            a.dtype == b.dtype && a.at.1 == b.at.1 && sizes && b.region == Region::Memory
        };
        (ours.len() == theirs.len() && ours.iter().zip(theirs).all(equal)).then_some(())
    };
    // Results may be constants; arguments are written.
    let results = |ours: &[u32], theirs: &[u32]| -> Option<()> {
        let equal = |(&a, &b): (&u32, &u32)| {
            let (Some(a), Some(b)) = (tensor(a), tensor(b)) else { return false };
            let sizes = prepared.dims_of(a) == prepared.dims_of(b);
            a.dtype == b.dtype && a.at.1 == b.at.1 && sizes && a.region == Region::Memory
        };
        (ours.len() == theirs.len() && ours.iter().zip(theirs).all(equal)).then_some(())
    };
    let part = |whole: u32, part: u32, axis: u32| -> Option<()> {
        let (whole, part) = (tensor(whole)?, tensor(part)?);
        let (dims, axis) = (prepared.dims_of(whole), (axis & !BACKWARD) as usize);
        let (before, after) = (dims.get(..axis)?, dims.get(axis + 1..)?);
        let inner = prepared.dims_of(part);
        let sizes = inner.get(..axis)? == before && inner.get(axis..)? == after;
        (whole.dtype == part.dtype && sizes).then_some(())
    };
    let body = |index: usize| prepared.functions.get(index);
    match call {
        Call::If { then, otherwise } => {
            for function in [body(*then)?, body(*otherwise)?] {
                same(inputs.get(1..)?, &function.inputs)?;
                results(outputs, &function.outputs)?;
            }
        }
        Call::While { cond, body: rounds } => {
            let (cond, rounds) = (body(*cond)?, body(*rounds)?);
            same(outputs, &cond.inputs)?;
            same(outputs, &rounds.inputs)?;
            results(outputs, &rounds.outputs)?;
            results(outputs, inputs)?;
        }
        Call::Loop { body: rounds, vars } => {
            let rounds = body(*rounds)?;
            let args = inputs.get(2..)?;
            same(args, rounds.inputs.get(2..)?)?;
            let (finals, collected) = outputs.split_at_checked(*vars)?;
            results(finals, args.get(..*vars)?)?;
            let (carried, items) = rounds.outputs.get(1..)?.split_at_checked(*vars)?;
            results(finals, carried)?;
            for (&whole, &item) in collected.iter().zip(items) {
                part(whole, item, 0)?;
            }
        }
        Call::Scan { body: rounds, vars, sequences, collected } => {
            let rounds = body(*rounds)?;
            let (args, rest) = inputs.split_at_checked(*vars)?;
            let (wholes, captures) = rest.split_at_checked(sequences.len())?;
            let (params, rest) = rounds.inputs.split_at_checked(*vars)?;
            let (elements, captured) = rest.split_at_checked(sequences.len())?;
            let (finals, made) = outputs.split_at_checked(*vars)?;
            let (carried, items) = rounds.outputs.split_at_checked(*vars)?;
            same(args, params)?;
            same(captures, captured)?;
            results(finals, args)?;
            results(finals, carried)?;
            let ins = wholes.iter().zip(elements).zip(sequences);
            let outs = made.iter().zip(items).zip(collected);
            let mut length = None;
            for ((&whole, &element), &axis) in ins.chain(outs) {
                part(whole, element, axis)?;
                let dims = prepared.dims_of(tensor(whole)?);
                let len = *dims.get((axis & !BACKWARD) as usize)?;
                if *length.get_or_insert(len) != len {
                    return None;
                }
            }
        }
    }
    Some(())
}

/// A part of each run along an axis: `outer` times `inner` bytes, `stride` bytes apart.
struct Strip {
    outer: usize,
    inner: usize,
    stride: usize,
    /// First byte behind the beginning of the whole.
    start: usize,
}

impl Runner<'_> {
    fn body(&self, index: usize) -> Result<&Body, Fault> {
        self.prepared.functions.get(index).ok_or(Fault::Shape)
    }

    fn tensor(&self, index: u32) -> Result<&Tensor, Fault> {
        self.prepared.tensors.get(index as usize).ok_or(Fault::Shape)
    }

    /// Copies tensors of equal sizes.
    fn copy(&self, memory: &mut [u8], from: &[u32], to: &[u32]) -> Result<(), Fault> {
        for (&from, &to) in from.iter().zip(to) {
            let (from, to) = (self.tensor(from)?, self.tensor(to)?);
            self.copy_bytes(memory, from, 0, to, 0, to.at.1)?;
        }
        Ok(())
    }

    /// Copies bytes from one tensor into another.
    fn copy_bytes(
        &self,
        memory: &mut [u8],
        from: &Tensor,
        from_byte: usize,
        to: &Tensor,
        to_byte: usize,
        len: usize,
    ) -> Result<(), Fault> {
        let end = |at: usize| at.checked_add(len).ok_or(Fault::Shape);
        if to.region != Region::Memory || from.at.1 < end(from_byte)? || to.at.1 < end(to_byte)? {
            return Err(Fault::Shape);
        }
        let (start, target) = (from.at.0 + from_byte, to.at.0 + to_byte);
        match from.region {
            Region::Memory if memory.len() < end(start)? || memory.len() < end(target)? => {
                return Err(Fault::Shape);
            }
            Region::Memory => memory.copy_within(start..start + len, target),
            Region::Weights => {
                let source = self.shared.weights().get(start..end(start)?).ok_or(Fault::Shape)?;
                let target = memory.get_mut(target..end(target)?).ok_or(Fault::Shape)?;
                target.copy_from_slice(source);
            }
            Region::Packed(_) => return Err(Fault::Shape),
        }
        Ok(())
    }

    /// The truth value that a tensor holds.
    fn truth(&self, memory: &[u8], index: u32) -> Result<bool, Fault> {
        let tensor = self.tensor(index)?;
        let bytes = match tensor.region {
            Region::Memory => memory,
            Region::Weights => self.shared.weights(),
            Region::Packed(_) => return Err(Fault::Shape),
        };
        bytes.get(tensor.at.0).map(|&byte| byte != 0).ok_or(Fault::Shape)
    }

    fn number(&self, memory: &[u8], index: u32) -> Result<i64, Fault> {
        let tensor = self.tensor(index)?;
        let bytes = match tensor.region {
            Region::Memory => memory,
            Region::Weights => self.shared.weights(),
            Region::Packed(_) => return Err(Fault::Shape),
        };
        let bytes = bytes.get(tensor.at.0..tensor.at.0 + 8).ok_or(Fault::Shape)?;
        bytes.try_into().map(i64::from_le_bytes).map_err(|_| Fault::Shape)
    }

    fn write(&self, memory: &mut [u8], index: u32, bytes: &[u8]) -> Result<(), Fault> {
        let (start, len) = self.tensor(index)?.at;
        let place = memory.get_mut(start..start + len).filter(|place| place.len() == bytes.len());
        place.ok_or(Fault::Shape)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Where index `at` of an axis lies in a tensor.
    fn strip(&self, whole: &Tensor, axis: u32, at: usize) -> Result<Strip, Fault> {
        let (dims, number) = (self.prepared.dims_of(whole), (axis & !BACKWARD) as usize);
        let len = *dims.get(number).ok_or(Fault::Shape)? as usize;
        let product = |dims: &[u32]| dims.iter().map(|&dim| dim as usize).product::<usize>();
        let inner = product(&dims[number + 1..]) * whole.dtype.size();
        let at = if axis & BACKWARD == 0 { Some(at) } else { len.checked_sub(at + 1) };
        let at = at.filter(|&at| at < len).ok_or(Fault::Shape)?;
        Ok(Strip { outer: product(&dims[..number]), inner, stride: len * inner, start: at * inner })
    }

    fn take(
        &self,
        memory: &mut [u8],
        (whole, axis, at): (u32, u32, usize),
        part: u32,
    ) -> Result<(), Fault> {
        let (whole, part) = (self.tensor(whole)?, self.tensor(part)?);
        let strip = self.strip(whole, axis, at)?;
        for outer in 0..strip.outer {
            let from = strip.start + outer * strip.stride;
            self.copy_bytes(memory, whole, from, part, outer * strip.inner, strip.inner)?;
        }
        Ok(())
    }

    fn put(
        &self,
        memory: &mut [u8],
        part: u32,
        (whole, axis, at): (u32, u32, usize),
    ) -> Result<(), Fault> {
        let (whole, part) = (self.tensor(whole)?, self.tensor(part)?);
        let strip = self.strip(whole, axis, at)?;
        for outer in 0..strip.outer {
            let to = strip.start + outer * strip.stride;
            self.copy_bytes(memory, part, outer * strip.inner, whole, to, strip.inner)?;
        }
        Ok(())
    }

    /// Runs a step that calls functions. What goes from one round to the next is kept in the step's
    /// own outputs, because the frames of the functions it calls overlap.
    pub(crate) fn call(
        &self,
        step: &Exec,
        call: &Call,
        memory: &mut [u8],
        scratch: &mut [u8],
        context: &mut Context<'_, '_>,
    ) -> Result<(), RunError> {
        let fault = |fault| RunError::Fault { step: step.number, kernel: call.name(), fault };
        let (inputs, outputs) = self.prepared.lists(step);
        match call {
            Call::If { then, otherwise } => {
                let (&cond, args) = inputs.split_first().ok_or(fault(Fault::Arity))?;
                let taken = if self.truth(memory, cond).map_err(fault)? { then } else { otherwise };
                let body = self.body(*taken).map_err(fault)?;
                self.copy(memory, args, &body.inputs).map_err(fault)?;
                self.function(*taken, memory, scratch, context)?;
                self.copy(memory, &body.outputs, outputs).map_err(fault)
            }
            Call::While { cond, body } => {
                let (asks, does) =
                    (self.body(*cond).map_err(fault)?, self.body(*body).map_err(fault)?);
                let &[going] = asks.outputs.as_slice() else { return Err(fault(Fault::Arity)) };
                self.copy(memory, inputs, outputs).map_err(fault)?;
                loop {
                    context.round(step)?;
                    self.copy(memory, outputs, &asks.inputs).map_err(fault)?;
                    self.function(*cond, memory, scratch, context)?;
                    if !self.truth(memory, going).map_err(fault)? {
                        return Ok(());
                    }
                    self.copy(memory, outputs, &does.inputs).map_err(fault)?;
                    self.function(*body, memory, scratch, context)?;
                    self.copy(memory, &does.outputs, outputs).map_err(fault)?;
                }
            }
            Call::Loop { body, vars } => {
                let (&[trips, cond], args) =
                    inputs.split_first_chunk::<2>().ok_or(fault(Fault::Arity))?;
                let does = self.body(*body).map_err(fault)?;
                let (&[trip, flag], params) =
                    does.inputs.split_first_chunk::<2>().ok_or(fault(Fault::Arity))?;
                let (&going_on, results) = does.outputs.split_first().ok_or(fault(Fault::Arity))?;
                let (finals, wholes) =
                    outputs.split_at_checked(*vars).ok_or(fault(Fault::Arity))?;
                let (carried, items) =
                    results.split_at_checked(*vars).ok_or(fault(Fault::Arity))?;
                let limit = match trips {
                    ABSENT => i64::MAX,
                    trips => self.number(memory, trips).map_err(fault)?,
                };
                let mut going = match cond {
                    ABSENT => true,
                    cond => self.truth(memory, cond).map_err(fault)?,
                };
                let (first, captures) = args.split_at_checked(*vars).ok_or(fault(Fault::Arity))?;
                let (params, captured) =
                    params.split_at_checked(*vars).ok_or(fault(Fault::Arity))?;
                self.copy(memory, first, finals).map_err(fault)?;
                self.copy(memory, captures, captured).map_err(fault)?;
                let mut round = 0i64;
                while going && round < limit {
                    context.round(step)?;
                    self.write(memory, trip, &round.to_le_bytes()).map_err(fault)?;
                    self.write(memory, flag, &[1]).map_err(fault)?;
                    self.copy(memory, finals, params).map_err(fault)?;
                    self.function(*body, memory, scratch, context)?;
                    going = self.truth(memory, going_on).map_err(fault)?;
                    self.copy(memory, carried, finals).map_err(fault)?;
                    for (&item, &whole) in items.iter().zip(wholes) {
                        self.put(memory, item, (whole, 0, round as usize)).map_err(fault)?;
                    }
                    round += 1;
                }
                // A loop that ends early must not leave a part of its results unwritten.
                for &whole in wholes {
                    let whole = self.tensor(whole).map_err(fault)?;
                    if self.prepared.dims_of(whole).first().map(|&dim| i64::from(dim))
                        != Some(round)
                    {
                        return Err(fault(Fault::Shape));
                    }
                }
                Ok(())
            }
            Call::Scan { body, vars, sequences, collected } => {
                let does = self.body(*body).map_err(fault)?;
                let (first, rest) = inputs.split_at_checked(*vars).ok_or(fault(Fault::Arity))?;
                let (wholes, captures) =
                    rest.split_at_checked(sequences.len()).ok_or(fault(Fault::Arity))?;
                let (params, rest) =
                    does.inputs.split_at_checked(*vars).ok_or(fault(Fault::Arity))?;
                let (elements, captured) =
                    rest.split_at_checked(sequences.len()).ok_or(fault(Fault::Arity))?;
                let (finals, made) = outputs.split_at_checked(*vars).ok_or(fault(Fault::Arity))?;
                let (carried, items) =
                    does.outputs.split_at_checked(*vars).ok_or(fault(Fault::Arity))?;
                let length = match (wholes.first(), sequences.first()) {
                    (Some(&whole), Some(&axis)) => {
                        let whole = self.tensor(whole).map_err(fault)?;
                        let dims = self.prepared.dims_of(whole);
                        *dims.get((axis & !BACKWARD) as usize).ok_or(fault(Fault::Shape))?
                    }
                    _ => 0,
                };
                self.copy(memory, first, finals).map_err(fault)?;
                self.copy(memory, captures, captured).map_err(fault)?;
                for round in 0..length as usize {
                    context.round(step)?;
                    self.copy(memory, finals, params).map_err(fault)?;
                    for ((&whole, &axis), &element) in wholes.iter().zip(sequences).zip(elements) {
                        self.take(memory, (whole, axis, round), element).map_err(fault)?;
                    }
                    self.function(*body, memory, scratch, context)?;
                    self.copy(memory, carried, finals).map_err(fault)?;
                    for ((&whole, &axis), &item) in made.iter().zip(collected).zip(items) {
                        self.put(memory, item, (whole, axis, round)).map_err(fault)?;
                    }
                }
                Ok(())
            }
        }
    }
}
