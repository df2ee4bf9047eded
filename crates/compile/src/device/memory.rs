//! The arena of a device program: states, tensors and scratch.
//!
//! An output may lie over an input that ends with its step where the step allows it: a convolution
//! writes behind what it still has to read. Such tensors form a group that is placed as one. Scratch
//! beyond what a step needs at least buys speed; it is handed out where the arena stays within what
//! the tensors take when each is apart.

use super::Sized;
use super::steps::Step;
use crate::CompileError;
use crate::schedule::{Place, TensorIndex};

/// Beyond this many steps only outputs of their input's size lie over it: trying each is quadratic.
const MOST_TRIED: usize = 400;

/// Rounds of handing out scratch.
const ROUNDS: usize = 8;

/// Where everything lies.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Bytes.
    pub arena: u32,
    /// By tensor that owns memory; 0 for constants.
    places: Vec<u32>,
    /// By step.
    scratch: Vec<u32>,
}

/// An output that begins `lead` bytes before an input.
#[derive(Clone, Copy, Debug)]
struct Over {
    x: TensorIndex,
    y: TensorIndex,
    lead: u32,
}

/// Bytes and first and last position of use, by tensor that owns memory; position 0 is before the
/// first step.
struct Lives {
    lives: Vec<Option<(u32, u32)>>,
    lens: Vec<u32>,
}

impl Memory {
    /// Places everything and hands out scratch. `limit` are the bytes that the board has.
    pub fn plan(
        sized: &Sized<'_>,
        steps: &mut [Step],
        limit: Option<u32>,
    ) -> Result<Self, CompileError> {
        let lives = Lives::new(sized, steps);
        let tensors = steps.iter().enumerate().map(|(index, _)| lives.at(index)).max();
        for step in steps.iter_mut() {
            step.take_scratch(0);
        }
        let least = best(&lives, sized, steps)?;
        let budget = least.arena.max(tensors.unwrap_or(0)).min(limit.unwrap_or(u32::MAX));
        let mut grant = budget;
        for _ in 0..ROUNDS {
            for (index, step) in steps.iter_mut().enumerate() {
                step.take_scratch(grant.saturating_sub(least.used(&lives, index)));
            }
            let memory = best(&lives, sized, steps)?;
            if memory.arena <= budget {
                return Ok(memory);
            }
            grant = grant.saturating_sub(memory.arena - budget);
        }
        for step in steps.iter_mut() {
            step.take_scratch(0);
        }
        Ok(least)
    }

    /// Bytes up to the last one that tensors use at a step.
    fn used(&self, lives: &Lives, step: usize) -> u32 {
        let now = step as u32 + 1;
        let ends = lives.lives.iter().enumerate().filter_map(|(tensor, life)| {
            let (first, last) = (*life)?;
            let end = self.places[tensor] + lives.lens[tensor];
            (first <= now && now <= last).then_some(end)
        });
        ends.max().unwrap_or(0)
    }

    /// The first byte of a tensor in the arena.
    pub fn at(&self, sized: &Sized<'_>, tensor: TensorIndex) -> u32 {
        let (root, offset) = sized.tensors[tensor].root;
        self.places[root] + offset
    }

    /// The first byte of a step's scratch.
    pub fn scratch(&self, step: usize) -> u32 {
        self.scratch[step]
    }
}

impl Lives {
    fn new(sized: &Sized<'_>, steps: &[Step]) -> Self {
        let (tensors, end) = (&sized.tensors, steps.len() as u32 + 1);
        let mut lives: Vec<Option<(u32, u32)>> = vec![None; tensors.len()];
        let mut touch = |tensor: TensorIndex, at: u32| {
            let owner = tensors[tensor].root.0;
            if matches!(sized.schedule.tensors[owner].place, Place::Const(_)) {
                return;
            }
            let life = lives[owner].get_or_insert((at, at));
            *life = (life.0.min(at), life.1.max(at));
        };
        for &input in &sized.schedule.inputs {
            touch(input, 0);
        }
        for (index, step) in steps.iter().enumerate() {
            for &tensor in step.inputs.iter().flatten().chain(&step.outputs) {
                touch(tensor, index as u32 + 1);
            }
        }
        for &output in &sized.schedule.outputs {
            touch(output, end);
        }
        for (index, tensor) in sized.schedule.tensors.iter().enumerate() {
            if matches!(tensor.place, Place::State(_)) {
                touch(index, 0);
                touch(index, end);
            }
        }
        Self { lives, lens: tensors.iter().map(|tensor| tensor.len).collect() }
    }

    /// Bytes of the tensors that a step finds, each apart.
    fn at(&self, step: usize) -> u32 {
        let now = step as u32 + 1;
        let alive = self
            .lives
            .iter()
            .zip(&self.lens)
            .filter(|(life, _)| life.is_some_and(|(first, last)| first <= now && now <= last));
        alive.fold(0, |sum: u32, (_, &len)| sum.saturating_add(len.next_multiple_of(16)))
    }
}

/// The outputs that may lie over an input, the ones that save most first.
fn candidates(lives: &Lives, sized: &Sized<'_>, steps: &[Step]) -> Vec<Over> {
    let mut list = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let ([y], Some(lead)) = (step.outputs.as_slice(), step.lead()) else { continue };
        let now = index as u32 + 1;
        // The owner of a tensor's memory, where the tensor is all of it: reshaped ones are.
        let owner = |tensor: TensorIndex| {
            let (owner, offset) = sized.tensors[tensor].root;
            let state = matches!(sized.schedule.tensors[owner].place, Place::State(_));
            let whole = offset == 0 && lives.lens[owner] == lives.lens[tensor];
            (whole && !state).then_some(owner)
        };
        let Some(y) = owner(*y) else { continue };
        for x in step.inputs.iter().flatten().filter_map(|&x| owner(x)) {
            let (Some(from), Some(to)) = (lives.lives[x], lives.lives[y]) else { continue };
            if x != y && from.1 == now && to.0 == now {
                list.push(Over { x, y, lead });
            }
        }
    }
    let saved = |over: &Over| lives.lens[over.x].min(lives.lens[over.y].saturating_sub(over.lead));
    list.retain(|over| 0 < saved(over));
    list.sort_by_key(|over| core::cmp::Reverse(saved(over)));
    list
}

/// The smallest arena that laying outputs over inputs one after the other leads to.
fn best(lives: &Lives, sized: &Sized<'_>, steps: &[Step]) -> Result<Memory, CompileError> {
    let mut chosen: Vec<Over> = Vec::new();
    let candidates = candidates(lives, sized, steps);
    if MOST_TRIED < steps.len() {
        for over in candidates.into_iter().filter(|over| over.lead == 0) {
            if chosen.iter().all(|other| other.x != over.x && other.y != over.y) {
                chosen.push(over);
            }
        }
        return place(lives, steps, &chosen);
    }
    let mut memory = place(lives, steps, &chosen)?;
    for over in candidates {
        if chosen.iter().any(|other| other.x == over.x || other.y == over.y) {
            continue;
        }
        chosen.push(over);
        let next = place(lives, steps, &chosen)?;
        if next.arena <= memory.arena {
            memory = next;
        } else {
            chosen.pop();
        }
    }
    Ok(memory)
}

/// A tensor or scratch as a part of a group: positions of use, first byte in the group, bytes.
#[derive(Clone, Copy, Debug)]
struct Part {
    first: u32,
    last: u32,
    at: u64,
    len: u64,
}

/// Parts at fixed distances, which are placed together.
#[derive(Clone, Debug, Default)]
struct Group {
    parts: Vec<Part>,
    /// Byte times position that it takes.
    area: u64,
    offset: u64,
}

impl Group {
    fn end(&self) -> u64 {
        self.parts.iter().map(|part| self.offset + part.at + part.len).max().unwrap_or(0)
    }

    /// The lowest offset at which no part meets a part of a placed group.
    fn settle(&mut self, placed: &[Part]) {
        self.offset = 0;
        let mut moved = true;
        while moved {
            moved = false;
            for part in &self.parts {
                for other in placed {
                    let at = self.offset + part.at;
                    let meets = part.first <= other.last && other.first <= part.last;
                    if meets && at < other.at + other.len && other.at < at + part.len {
                        self.offset = (other.at + other.len - part.at).next_multiple_of(ALIGN);
                        moved = true;
                    }
                }
            }
        }
    }
}

/// Tensors start at multiples of this.
const ALIGN: u64 = 16;

/// Orders in which groups are placed, and how often each is refined.
const ORDERS: usize = 3;
const REFINED: usize = 24;

/// Gives every group an offset and returns the bytes needed: one group after the other at the lowest
/// place, in several orders, then again with the one that came to lie highest first.
fn settle(groups: &mut [Group]) -> u64 {
    let size = |group: &Group| group.parts.iter().map(|part| part.at + part.len).max();
    let first = |group: &Group| group.parts.iter().map(|part| part.first).min();
    let mut best: Option<(u64, Vec<u64>)> = None;
    for by in 0..ORDERS {
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_by_key(|&index| {
            let group = &groups[index];
            let key = match by {
                0 => size(group).unwrap_or(0),
                1 => group.area,
                _ => u64::from(u32::MAX - first(group).unwrap_or(0)),
            };
            core::cmp::Reverse(key)
        });
        for _ in 0..REFINED {
            let mut placed = Vec::new();
            for &index in &order {
                let group = &mut groups[index];
                group.settle(&placed);
                let offset = group.offset;
                placed
                    .extend(group.parts.iter().map(|part| Part { at: offset + part.at, ..*part }));
            }
            let ends = order.iter().enumerate().map(|(place, &index)| (groups[index].end(), place));
            let Some((total, highest)) = ends.max() else { return 0 };
            if best.as_ref().is_none_or(|(least, _)| total < *least) {
                best = Some((total, groups.iter().map(|group| group.offset).collect()));
            }
            if highest == 0 {
                break;
            }
            let index = order.remove(highest);
            order.insert(0, index);
        }
    }
    let Some((total, offsets)) = best else { return 0 };
    for (group, offset) in groups.iter_mut().zip(offsets) {
        group.offset = offset;
    }
    total
}

/// Places groups and scratch.
fn place(lives: &Lives, steps: &[Step], overs: &[Over]) -> Result<Memory, CompileError> {
    let count = lives.lives.len();
    // The group of each tensor and its first byte there, relative to the first member's.
    let mut members: Vec<(usize, i64)> = (0..count).map(|tensor| (tensor, 0)).collect();
    for over in overs {
        let (from, to) = (members[over.x], members[over.y]);
        let shift = from.1 - i64::from(over.lead) - to.1;
        for member in members.iter_mut().filter(|member| member.0 == to.0) {
            *member = (from.0, member.1 + shift);
        }
    }
    let mut starts: Vec<i64> = vec![i64::MAX; count];
    for (tensor, &(group, at)) in members.iter().enumerate() {
        if lives.lives[tensor].is_some() {
            starts[group] = starts[group].min(at);
        }
    }
    let mut groups: Vec<Group> = vec![Group::default(); count + steps.len()];
    let mut add = |group: usize, part: Part| {
        if part.len == 0 {
            return;
        }
        groups[group].area += part.len * u64::from(part.last - part.first + 1);
        groups[group].parts.push(part);
    };
    for (tensor, &(group, at)) in members.iter().enumerate() {
        let Some((first, last)) = lives.lives[tensor] else { continue };
        let at = (at - starts[group]).cast_unsigned();
        add(group, Part { first, last, at, len: lives.lens[tensor].into() });
    }
    for (index, step) in steps.iter().enumerate() {
        let at = index as u32 + 1;
        add(count + index, Part { first: at, last: at, at: 0, len: step.scratch().into() });
    }
    // Kernels read a few bytes behind a tensor; most at most three.
    let behind = steps.iter().map(Step::behind).fold(3, u32::max);
    let arena = (settle(&mut groups) + u64::from(behind)).next_multiple_of(ALIGN);
    let arena = u32::try_from(arena);
    let arena = arena.map_err(|_| CompileError::Limit("the arena exceeds 4 GiB".to_owned()))?;
    let at = |tensor: usize| {
        let (group, at) = members[tensor];
        match lives.lives[tensor] {
            Some(_) => (groups[group].offset + (at - starts[group]).cast_unsigned()) as u32,
            None => 0,
        }
    };
    Ok(Memory {
        arena,
        places: (0..count).map(at).collect(),
        scratch: groups[count..].iter().map(|group| group.offset as u32).collect(),
    })
}
