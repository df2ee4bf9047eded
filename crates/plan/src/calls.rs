//! What must hold of steps that are no kernels.

use zerocopy::FromBytes;

use embarca_num::DType;

use crate::check::Scope;
use crate::control::{Control, decode, opcode};
use crate::error::Problem;
use crate::expr::Dim;
use crate::records::{NONE, StepRecord, TensorRecord};
use crate::tables::in_range;

/// Checks a step above the kernels' opcodes; returns the largest stack of a function it calls.
pub(crate) fn check(scope: &Scope, step: &StepRecord) -> Result<u32, Problem> {
    if step.opcode < opcode::FIRST {
        return Ok(0);
    }
    let start = step.record as usize;
    let end = start.saturating_add(step.record_len as usize);
    let record = scope.program.records.get(start..end).unwrap_or(&[]);
    match step.opcode {
        opcode::JOIN => check_join(scope, step).map(|()| 0),
        opcode::CUSTOM => {
            let (name, rest) = u32::read_from_prefix(record).map_err(|_| Problem::Arity)?;
            if rest.len() < 4 {
                return Err(Problem::Arity);
            }
            in_range(name, scope.program.common.strings.len()).map(|()| 0)
        }
        opcode::IF | opcode::WHILE | opcode::LOOP | opcode::SCAN => {
            let words = <[u32]>::ref_from_bytes(record).map_err(|_| Problem::Arity)?;
            let control = decode(step.opcode, words).ok_or(Problem::Arity)?;
            check_control(scope, step, control)
        }
        unknown => Err(Problem::Opcode(unknown)),
    }
}

fn check_join(scope: &Scope, step: &StepRecord) -> Result<(), Problem> {
    let (pieces, whole) = scope.step_lists(step);
    let &[whole] = whole else { return Err(Problem::Arity) };
    let record = scope.tensor(whole)?;
    if step.record_len != 0 || record.storage == TensorRecord::STATE {
        return Err(Problem::Arity);
    }
    for &piece in pieces {
        let piece_record = scope.tensor(piece)?;
        if piece_record.dtype != record.dtype {
            return Err(Problem::Mismatch(piece));
        }
    }
    Ok(())
}

fn check_control(scope: &Scope, step: &StepRecord, control: Control) -> Result<u32, Problem> {
    let (inputs, outputs) = scope.step_lists(step);
    let optional = if step.opcode == opcode::LOOP { 2 } else { 0 };
    for (number, &tensor) in inputs.iter().chain(outputs).enumerate() {
        if tensor == NONE && number < optional.min(inputs.len()) {
            continue;
        }
        // A function may use states itself; an argument would be a second way to the same bytes.
        if is_state(scope, scope.tensor(tensor)?) {
            return Err(Problem::Mismatch(tensor));
        }
    }
    match control {
        Control::If { then, otherwise } => {
            let (&cond, args) = inputs.split_first().ok_or(Problem::Arity)?;
            scalar(scope, cond, DType::Bool)?;
            let (then, otherwise) = (callee(scope, then)?, callee(scope, otherwise)?);
            for function in [&then, &otherwise] {
                pairs(scope, args, function, function.inputs())?;
                pairs(scope, outputs, function, function.outputs())?;
            }
            Ok(then.function.stack.max(otherwise.function.stack))
        }
        Control::While { cond, body } => {
            let (cond, body) = (callee(scope, cond)?, callee(scope, body)?);
            pairs(scope, inputs, &cond, cond.inputs())?;
            let &[going] = cond.outputs() else { return Err(Problem::Arity) };
            scalar(&cond, going, DType::Bool)?;
            pairs(scope, inputs, &body, body.inputs())?;
            pairs(scope, inputs, &body, body.outputs())?;
            pairs(scope, outputs, &body, body.outputs())?;
            Ok(cond.function.stack.max(body.function.stack))
        }
        Control::Loop { body, vars } => {
            let body = callee(scope, body)?;
            let (head, args) = inputs.split_at_checked(2).ok_or(Problem::Arity)?;
            let (counters, params) = body.inputs().split_at_checked(2).ok_or(Problem::Arity)?;
            for (&tensor, dtype) in head.iter().zip([DType::I64, DType::Bool]) {
                if tensor != NONE {
                    scalar(scope, tensor, dtype)?;
                }
            }
            for (&tensor, dtype) in counters.iter().zip([DType::I64, DType::Bool]) {
                scalar(&body, tensor, dtype)?;
            }
            let (&going, results) = body.outputs().split_first().ok_or(Problem::Arity)?;
            scalar(&body, going, DType::Bool)?;
            pairs(scope, args, &body, params)?;
            let (made, each) = carried(scope, args, outputs, &body, results, vars)?;
            slices(scope, made, &body, each, None)?;
            Ok(body.function.stack)
        }
        Control::Scan { body, vars, sequences, collected } => {
            let body = callee(scope, body)?;
            let (args, rest) = inputs.split_at_checked(vars as usize).ok_or(Problem::Arity)?;
            let (items, captures) = rest.split_at_checked(sequences.len()).ok_or(Problem::Arity)?;
            let (params, others) =
                body.inputs().split_at_checked(vars as usize).ok_or(Problem::Arity)?;
            let (elements, captured) =
                others.split_at_checked(items.len()).ok_or(Problem::Arity)?;
            pairs(scope, args, &body, params)?;
            pairs(scope, captures, &body, captured)?;
            slices(scope, items, &body, elements, Some(sequences))?;
            let (made, each) = carried(scope, args, outputs, &body, body.outputs(), vars)?;
            slices(scope, made, &body, each, Some(collected))?;
            Ok(body.function.stack)
        }
    }
}

/// The variables go round. Returns what is collected and what the body yields for it.
fn carried<'l>(
    scope: &Scope,
    args: &[u32],
    outputs: &'l [u32],
    body: &Scope,
    results: &'l [u32],
    vars: u32,
) -> Result<(&'l [u32], &'l [u32]), Problem> {
    let vars = vars as usize;
    let args = args.get(..vars).ok_or(Problem::Arity)?;
    let (finals, made) = outputs.split_at_checked(vars).ok_or(Problem::Arity)?;
    let (results, each) = results.split_at_checked(vars).ok_or(Problem::Arity)?;
    pairs(scope, args, body, results)?;
    pairs(scope, finals, body, results)?;
    Ok((made, each))
}

fn callee<'s, 'a>(scope: &Scope<'s, 'a>, index: u32) -> Result<Scope<'s, 'a>, Problem> {
    if index <= scope.index {
        return Err(Problem::Callee(index));
    }
    Scope::new(scope.at, scope.program, index as usize).ok_or(Problem::Callee(index))
}

fn is_state(scope: &Scope, tensor: &TensorRecord) -> bool {
    let target = match tensor.storage {
        TensorRecord::ALIAS => scope.tensor(tensor.place).unwrap_or(tensor),
        _ => tensor,
    };
    target.storage == TensorRecord::STATE
}

/// One element, of rank 0 or 1.
fn scalar(scope: &Scope, tensor: u32, dtype: DType) -> Result<(), Problem> {
    let record = scope.tensor(tensor)?;
    let dims = scope.program.common.dims(record.dims, record.rank);
    match dims {
        _ if record.dtype != dtype.code() => Err(Problem::Mismatch(tensor)),
        [] | [1] => Ok(()),
        _ => Err(Problem::Mismatch(tensor)),
    }
}

/// Same number, and pairwise the same type as far as it is known.
fn pairs(scope: &Scope, ours: &[u32], other: &Scope, theirs: &[u32]) -> Result<(), Problem> {
    if ours.len() != theirs.len() {
        return Err(Problem::Arity);
    }
    for (&our, &their) in ours.iter().zip(theirs) {
        let (a, b) = (scope.tensor(our)?, other.tensor(their)?);
        if (a.dtype, a.rank, a.layout) != (b.dtype, b.rank, b.layout) {
            return Err(Problem::Mismatch(our));
        }
        let common = &scope.program.common;
        let dims = common.dims(a.dims, a.rank).iter().zip(common.dims(b.dims, b.rank));
        for (&a, &b) in dims {
            if let (Dim::Fixed(a), Dim::Fixed(b)) = (Dim::decode(a), Dim::decode(b))
                && a != b
            {
                return Err(Problem::Mismatch(our));
            }
        }
    }
    Ok(())
}

/// Same number, and pairwise one is the other without an axis (the first unless `axes` says which).
fn slices(
    scope: &Scope,
    wholes: &[u32],
    body: &Scope,
    parts: &[u32],
    axes: Option<&[u32]>,
) -> Result<(), Problem> {
    if wholes.len() != parts.len() || axes.is_some_and(|axes| axes.len() != parts.len()) {
        return Err(Problem::Arity);
    }
    for (number, (&whole, &part)) in wholes.iter().zip(parts).enumerate() {
        let (a, b) = (scope.tensor(whole)?, body.tensor(part)?);
        if a.dtype != b.dtype || a.rank != b.rank.saturating_add(1) || a.layout | b.layout != 0 {
            return Err(Problem::Mismatch(whole));
        }
        let axis = axes.and_then(|axes| axes.get(number)).map_or(0, |word| word & !BACKWARD);
        if axis >= u32::from(a.rank) {
            return Err(Problem::Rank(a.rank));
        }
        let common = &scope.program.common;
        let whole_dims = common.dims(a.dims, a.rank).iter().enumerate();
        let kept = whole_dims.filter(|(at, _)| *at != axis as usize).map(|(_, dim)| dim);
        for (&a, &b) in kept.zip(common.dims(b.dims, b.rank)) {
            if let (Dim::Fixed(a), Dim::Fixed(b)) = (Dim::decode(a), Dim::decode(b))
                && a != b
            {
                return Err(Problem::Mismatch(whole));
            }
        }
    }
    Ok(())
}

/// The bit of a [`opcode::SCAN`] axis that reverses the order.
pub const BACKWARD: u32 = 1 << 31;
