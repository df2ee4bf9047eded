//! What a firmware must not hold, and the most that its stack takes: told from the program alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode::{Flow, Insn, riscv, thumb};
use crate::elf::{Elf, Section};
use crate::emulate::is_step;

/// A function of a program.
#[derive(Clone, Debug, Default)]
struct Function {
    name: String,
    /// Bytes of its frame.
    frame: u32,
    /// Functions that it calls, while its frame stands.
    calls: BTreeSet<u32>,
    /// Functions that it goes on as, after its frame.
    goes: BTreeSet<u32>,
    /// Whether it calls what a register tells.
    by_register: bool,
    traps: bool,
}

/// What is known of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// What must not be there: functions that panic or allocate, and instructions that stop the core.
    pub findings: Vec<String>,
    /// The most that loading and running take of the stack; `None` where functions call themselves.
    pub stack: Option<u32>,
}

/// Parts of the names of functions that panic, unwind or allocate.
const BARRED: [&str; 6] =
    ["panic", "begin_unwind", "__rust_alloc", "alloc::alloc", "_Unwind_", "malloc"];

/// Goes through the code of a program; the measuring shell is left out.
pub fn examine(elf: &Elf, arm: bool) -> Examined {
    let mut functions = BTreeMap::new();
    let named = elf.functions.iter().filter(|(_, size, _)| *size != 0);
    for (address, size, name) in named {
        let Some(section) = owner(elf, *address) else { continue };
        if section.name == ".shell" || !section.code {
            continue;
        }
        let mut function = Function { name: name.clone(), ..Function::default() };
        let end = address + size;
        for (at, insn) in decoded(elf, *address, end, arm) {
            function.frame += insn.push;
            match insn.flow {
                Flow::Call(to) => drop(function.calls.insert(to & !1)),
                Flow::Jump(to) if !(*address..end).contains(&to) => {
                    function.goes.insert(to & !1);
                }
                Flow::CallRegister => function.by_register = true,
                Flow::Trap => function.traps = true,
                _ => {}
            }
            debug_assert!(at < end);
        }
        functions.insert(*address, function);
    }
    let mut findings = Vec::new();
    for function in functions.values() {
        let barred = BARRED.iter().find(|part| function.name.contains(**part));
        if let Some(part) = barred {
            findings.push(format!("{} is linked ({part})", function.name));
        }
        if function.traps {
            findings.push(format!("{} stops the core", function.name));
        }
    }
    // The panic handler belongs to the shell, and is linked only where something may panic.
    let handler = elf.functions.iter().find(|(_, _, name)| name.contains("begin_unwind"));
    if let Some((_, _, name)) = handler.filter(|(at, ..)| !functions.contains_key(at)) {
        findings.push(format!("{name} is linked: something may panic"));
    }
    findings.sort();
    findings.dedup();
    Examined { findings, stack: stack(elf, &functions) }
}

fn owner(elf: &Elf, address: u32) -> Option<&Section> {
    elf.sections.iter().find(|s| s.address <= address && address - s.address < s.size)
}

/// The instructions from an address to an end, without the data between them.
fn decoded(elf: &Elf, start: u32, end: u32, arm: bool) -> Vec<(u32, Insn)> {
    let mut list = Vec::new();
    let (mut at, mut before) = (start, 0);
    while at < end {
        let mark = elf.marks.partition_point(|(address, _)| *address <= at);
        if let Some((_, false)) = mark.checked_sub(1).and_then(|index| elf.marks.get(index)) {
            at = elf.marks.get(mark).map_or(end, |(address, _)| (*address).max(at + 2));
            continue;
        }
        let Some(insn) = instruction(elf, at, before, arm) else { break };
        before = word(elf, at).unwrap_or(0);
        list.push((at, insn));
        at += insn.len;
    }
    list
}

fn half(elf: &Elf, at: u32) -> Option<u16> {
    elf.bytes(at, 2).and_then(|bytes| bytes.first_chunk()).map(|bytes| u16::from_le_bytes(*bytes))
}

fn word(elf: &Elf, at: u32) -> Option<u32> {
    let high = half(elf, at + 2).map_or(0, u32::from);
    Some(u32::from(half(elf, at)?) | high << 16)
}

/// The instruction at an address.
fn instruction(elf: &Elf, at: u32, before: u32, arm: bool) -> Option<Insn> {
    let first = half(elf, at)?;
    if arm {
        return Some(thumb(at, first, half(elf, at + 2).unwrap_or(0)));
    }
    Some(riscv(at, word(elf, at)?, before))
}

/// Words that a program loads and stores, by how often each instruction is executed.
pub fn traffic(elf: &Elf, executed: &[(u32, u64)], arm: bool) -> (u64, u64) {
    let each = executed.iter().filter_map(|&(at, count)| {
        let insn = instruction(elf, at, 0, arm)?;
        Some((u64::from(insn.loads) * count, u64::from(insn.stores) * count))
    });
    each.fold((0, 0), |(loads, stores), (l, s)| (loads + l, stores + s))
}

/// The deepest chain of calls from loading and from running. A call by register may go to any
/// function whose address lies in a table: from the walk over the steps to a step, from a step to
/// a kernel.
fn stack(elf: &Elf, functions: &BTreeMap<u32, Function>) -> Option<u32> {
    let mut tables = BTreeSet::new();
    for section in elf.sections.iter().filter(|s| !s.code && s.name != ".plan") {
        for bytes in section.data.chunks_exact(4) {
            let value = bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)) & !1;
            if functions.contains_key(&value) {
                tables.insert(value);
            }
        }
    }
    let (steps, others): (BTreeSet<u32>, BTreeSet<u32>) = tables
        .into_iter()
        .partition(|at| functions.get(at).is_some_and(|function| is_step(&function.name)));
    let mut depths = BTreeMap::new();
    let mut most = 0;
    for root in ["5Model3new", "5Model3run"] {
        let is_root = |name: &str| name.contains("5model") && name.contains(root);
        let (at, _) = functions.iter().find(|(_, function)| is_root(&function.name))?;
        let at = *at;
        let mut open = BTreeSet::new();
        most = most.max(depth(at, functions, (&steps, &others), false, &mut depths, &mut open)?);
    }
    Some(most)
}

/// The most that a function takes, with all that it calls.
fn depth(
    at: u32,
    functions: &BTreeMap<u32, Function>,
    tables: (&BTreeSet<u32>, &BTreeSet<u32>),
    inside: bool,
    known: &mut BTreeMap<(u32, bool), u32>,
    open: &mut BTreeSet<u32>,
) -> Option<u32> {
    if let Some(depth) = known.get(&(at, inside)) {
        return Some(*depth);
    }
    let Some(function) = functions.get(&at) else { return Some(0) };
    if !open.insert(at) {
        return None;
    }
    let inside = inside || is_step(&function.name);
    let mut below = 0;
    let registers = if inside { tables.1 } else { tables.0 };
    let registers = registers.iter().filter(|_| function.by_register);
    for &to in function.calls.iter().chain(registers) {
        below = below.max(depth(to, functions, tables, inside, known, open)?);
    }
    let mut most = function.frame + below;
    for &to in &function.goes {
        most = most.max(depth(to, functions, tables, inside, known, open)?);
    }
    open.remove(&at);
    known.insert((at, inside), most);
    Some(most)
}
