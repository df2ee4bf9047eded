//! What must hold of a program at given sizes: every tensor inside what holds it, nothing written
//! over what is still in use.

use crate::check::{Scope, Work};
use crate::control::opcode;
use crate::error::{At, OpenError, Problem, Table};
use crate::program::Program;
use crate::records::{NONE, StepRecord, TensorRecord};
use crate::tensor::{Location, Space, Tensor};

/// Checks all functions at these values of the expressions.
pub(crate) fn check(
    program: &Program,
    at: At,
    values: &[i64],
    weights: u64,
) -> Result<(), OpenError> {
    check_states(program, at, values, weights)?;
    let mut work = Work::new(program);
    for index in 0..program.functions.len() {
        if let Some(scope) = Scope::new(at, program, index) {
            check_function(&scope, values, &mut work)?;
        }
    }
    Ok(())
}

fn check_states(program: &Program, at: At, values: &[i64], weights: u64) -> Result<(), OpenError> {
    let mut end = 0;
    for (index, state) in program.states().enumerate() {
        let err = |problem| at.err(Table::States, index, problem);
        let bytes = state.bytes(values).ok_or(err(Problem::TooLarge))?;
        if state.initial().is_some_and(|initial| initial + bytes > weights) {
            return Err(err(Problem::Bounds));
        }
        if !program.is_dynamic() {
            if state.offset() < end {
                return Err(err(Problem::Order));
            }
            end = state.offset() + bytes;
        }
    }
    let total = program.state_bytes();
    if !program.is_dynamic() && end.next_multiple_of(crate::UNIT) != total {
        return Err(at.header(Problem::Value(program.header.state)));
    }
    Ok(())
}

fn check_function(scope: &Scope, values: &[i64], work: &mut Work) -> Result<(), OpenError> {
    let arena = u64::from(scope.function.arena) * crate::UNIT;
    for (index, record) in scope.tensors() {
        let err = |problem| scope.at.err(Table::Tensors, index, problem);
        let tensor = scope.program.tensor(index).ok_or(err(Problem::Range(index)))?;
        check_tensor(scope, tensor, record, values, arena).map_err(err)?;
    }
    check_arena(scope, values, work)?;
    check_aliases(scope, values, work)?;
    for (index, step) in (scope.function.steps..).zip(scope.steps) {
        let err = |problem| scope.at.err(Table::Steps, index, problem);
        if step.opcode == opcode::JOIN {
            check_join(scope, step, values).map_err(err)?;
        } else {
            check_step(scope, step, values, work).map_err(err)?;
        }
    }
    Ok(())
}

fn check_tensor(
    scope: &Scope,
    tensor: Tensor,
    record: &TensorRecord,
    values: &[i64],
    arena: u64,
) -> Result<(), Problem> {
    let bytes = tensor.bytes(values).ok_or(Problem::TooLarge)?;
    match record.storage {
        TensorRecord::WEIGHTS => {
            if tensor.dims().any(|dim| dim.fixed().is_none()) {
                return Err(Problem::Symbolic);
            }
            if bytes != u64::from(record.extent) {
                return Err(Problem::Bounds);
            }
        }
        TensorRecord::ARENA if u64::from(record.place) * crate::UNIT + bytes > arena => {
            return Err(Problem::Bounds);
        }
        TensorRecord::ALIAS => {
            let (target, location) = (scope.program.tensor(record.place), tensor.location(values));
            let (Some(target), Some(location)) = (target, location) else {
                return Err(Problem::TooLarge);
            };
            let holder = target.location(values).ok_or(Problem::TooLarge)?;
            if location.end() > holder.end() {
                return Err(Problem::Bounds);
            }
            let offset = location.start - holder.start;
            if !offset.is_multiple_of(tensor.dtype().size().max(1) as u64) {
                return Err(Problem::Value(offset as u32));
            }
        }
        _ => {}
    }
    Ok(())
}

fn locate(scope: &Scope, tensor: u32, values: &[i64]) -> Result<Location, Problem> {
    let tensor = scope.program.tensor(tensor).ok_or(Problem::Range(tensor))?;
    tensor.location(values).ok_or(Problem::TooLarge)
}

/// Tensors in the arena are sorted by when they come into use, so each is compared only with those
/// that come into use while it is.
fn check_arena(scope: &Scope, values: &[i64], work: &mut Work) -> Result<(), OpenError> {
    let in_arena = |&(_, record): &(u32, &TensorRecord)| record.storage == TensorRecord::ARENA;
    for (index, record) in scope.tensors().filter(in_arena) {
        let err = |problem| scope.at.err(Table::Tensors, index, problem);
        let location = locate(scope, index, values).map_err(err)?;
        let rest = scope.tensors_from(index.saturating_add(1));
        for (other, later) in rest.take_while(in_arena) {
            if later.first > record.last {
                break;
            }
            work.spend(1).map_err(err)?;
            let above = u64::from(later.place) * crate::UNIT >= location.end();
            if !above && location.overlaps(&locate(scope, other, values).map_err(err)?) {
                return Err(err(Problem::Overlap(other)));
            }
        }
    }
    Ok(())
}

/// Pieces that steps write into the same tensor do not overlap. Joins write nothing.
fn check_aliases(scope: &Scope, values: &[i64], work: &mut Work) -> Result<(), OpenError> {
    let is_piece = |&(_, record): &(u32, &TensorRecord)| {
        record.storage == TensorRecord::ALIAS
            && scope.writer(record).is_some_and(|step| step.opcode != opcode::JOIN)
    };
    for (index, record) in scope.tensors().filter(is_piece) {
        let err = |problem| scope.at.err(Table::Tensors, index, problem);
        let location = locate(scope, index, values).map_err(err)?;
        let rest = scope.tensors_from(index.saturating_add(1));
        let family = rest.take_while(|(_, other)| other.place == record.place);
        for (other, other_record) in family {
            work.spend(1).map_err(err)?;
            let overlaps = is_piece(&(other, other_record))
                && location.overlaps(&locate(scope, other, values).map_err(err)?);
            if overlaps {
                return Err(err(Problem::Overlap(other)));
            }
        }
    }
    Ok(())
}

/// The pieces lie side by side in the whole and fill it.
fn check_join(scope: &Scope, step: &StepRecord, values: &[i64]) -> Result<(), Problem> {
    let (pieces, whole) = scope.step_lists(step);
    let &[whole] = whole else { return Err(Problem::Arity) };
    let location = locate(scope, whole, values)?;
    let mut end = location.start;
    for &piece in pieces {
        let piece_location = locate(scope, piece, values)?;
        if piece_location.space != location.space || piece_location.start != end {
            return Err(Problem::NotJoined(piece));
        }
        end = piece_location.end();
    }
    if end == location.end() { Ok(()) } else { Err(Problem::NotJoined(whole)) }
}

/// No output shares a byte with an input or another output.
fn check_step(
    scope: &Scope,
    step: &StepRecord,
    values: &[i64],
    work: &mut Work,
) -> Result<(), Problem> {
    let (inputs, outputs) = scope.step_lists(step);
    work.spend(outputs.len().saturating_mul(inputs.len() + outputs.len()))?;
    for (number, &output) in outputs.iter().enumerate() {
        let location = locate(scope, output, values)?;
        for &other in inputs.iter().chain(&outputs[..number]).filter(|&&other| other != NONE) {
            let other_location = locate(scope, other, values)?;
            if other_location.space != Space::Weights && location.overlaps(&other_location) {
                return Err(Problem::Overlap(other));
            }
        }
    }
    Ok(())
}
