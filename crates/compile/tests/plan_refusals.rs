//! Each inconsistency is refused for what it is.

mod plans;

use std::mem::{offset_of, size_of};
use std::time::Instant;

use embarca_compile::plan_writer::*;
use embarca_num::DType;
use embarca_plan::records::*;
use embarca_plan::{OpenError, Plan, Problem, SectionKind, Table, opcode};
use plans::{ARENA, Buffer, alias, f32s, repair, sections, step, weights};

/// Where to write: section, place of the table's offset in the section's header (or `None` for the
/// header itself), bytes from the table's start.
type Spot = (SectionKind, Option<usize>, usize);

fn tensor(index: usize, field: usize) -> Spot {
    let table = offset_of!(ProgramRecord, tensors);
    (SectionKind::PROGRAM, Some(table), index * size_of::<TensorRecord>() + field)
}

fn step_field(index: usize, field: usize) -> Spot {
    let table = offset_of!(ProgramRecord, steps);
    (SectionKind::PROGRAM, Some(table), index * size_of::<StepRecord>() + field)
}

fn list(index: usize) -> Spot {
    (SectionKind::PROGRAM, Some(offset_of!(ProgramRecord, lists)), index * 4)
}

fn function(index: usize, field: usize) -> Spot {
    let table = offset_of!(ProgramRecord, functions);
    (SectionKind::PROGRAM, Some(table), index * size_of::<FunctionRecord>() + field)
}

fn program(table: usize, at: usize) -> Spot {
    (SectionKind::PROGRAM, Some(table), at)
}

fn common(table: usize, at: usize) -> Spot {
    (SectionKind::PROGRAM, Some(offset_of!(ProgramRecord, common) + table), at)
}

fn header(at: usize) -> Spot {
    (SectionKind::PROGRAM, None, at)
}

fn patched(source: &PlanSource, spot: Spot, value: &[u8]) -> Result<(), OpenError> {
    let bytes = write(source).unwrap();
    let (kind, table, at) = spot;
    let (_, _, start, _) = sections(&bytes).into_iter().find(|s| s.1 == kind.0).unwrap();
    let at = at
        + match table {
            Some(table) => {
                let offset = bytes[start + table..start + table + 4].try_into().unwrap();
                start + u32::from_le_bytes(offset) as usize
            }
            None => start,
        };
    let mut buffer = Buffer::new(&bytes);
    assert_ne!(buffer.bytes()[at..at + value.len()], *value, "the patch changes nothing");
    buffer.bytes_mut()[at..at + value.len()].copy_from_slice(value);
    repair(buffer.bytes_mut());
    Plan::open(buffer.bytes()).map(|_| ())
}

fn run(source: &PlanSource, cases: &[(&str, Spot, u32, usize, Problem)]) {
    let mut wrong = Vec::new();
    for &(what, spot, value, len, want) in cases {
        match patched(source, spot, &value.to_le_bytes()[..len]) {
            Err(error) if error.problem == want => assert!(!error.to_string().is_empty()),
            Err(error) => wrong.push(format!("{what}: {error}, not {want:?}")),
            Ok(()) => wrong.push(format!("{what}: accepted, not {want:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Tensors in file order: 0 weights, 1 state, 2 x, 3 joined, 4 y, then the aliases of 3: 5 first
/// piece, 6 second piece, 7 both, 8 third piece. Positions: 1 and 2 write the first pieces, 3
/// joins them, 4 writes the third, 5 the state, 6 joins all, 7 writes y.
/// Lists: x, y | 2 0 5 | 2 1 6 | 5 6 7 | 7 5 8 | 8 1 | 5 6 8 3 | 3 4.
#[test]
fn tensors_and_steps() {
    use Problem::*;
    let (first, last) = (offset_of!(TensorRecord, first), offset_of!(TensorRecord, last));
    let (place, extent) = (offset_of!(TensorRecord, place), offset_of!(TensorRecord, extent));
    let (writer, storage) = (offset_of!(TensorRecord, writer), offset_of!(TensorRecord, storage));
    let layout = offset_of!(TensorRecord, layout);
    let (quant, name) = (offset_of!(TensorRecord, quant), offset_of!(TensorRecord, name));
    let code = offset_of!(StepRecord, opcode);
    run(
        &plans::fleet(),
        &[
            ("type 0", tensor(0, 0), 0, 1, DType(0)),
            ("type str", tensor(0, 0), 8, 1, DType(8)),
            ("rank 9", tensor(0, 1), 9, 1, Rank(9)),
            ("storage 7", tensor(4, storage), 7, 1, Storage(7)),
            ("layout 9", tensor(2, layout), 9, 2, Layout(9)),
            ("blocks of a vector", tensor(3, layout), 0x12, 2, TooLarge),
            ("reserved", tensor(2, 3), 1, 1, Padding),
            ("packed arena", tensor(2, 6), 1, 2, Padding),
            ("dims", tensor(2, offset_of!(TensorRecord, dims)), 50, 4, Range(50)),
            ("weights beyond", tensor(0, place), 2, 4, Bounds),
            ("weights length", tensor(0, extent), 12, 4, Bounds),
            ("state number", tensor(1, place), 1, 4, Range(1)),
            ("arena beyond", tensor(4, place), 100, 4, Bounds),
            ("arena overlap", tensor(4, place), 0, 4, Overlap(4)),
            ("alias of an alias", tensor(8, place), 5, 4, Storage(6)),
            ("alias of nothing", tensor(8, place), 99, 4, Range(99)),
            ("alias beyond", tensor(8, extent), 36, 4, Bounds),
            ("alias unaligned", tensor(8, extent), 30, 4, Value(30)),
            ("pieces overlap", tensor(8, extent), 20, 4, Overlap(8)),
            ("piece misplaced", tensor(7, extent), 4, 4, NotJoined(5)),
            ("no such step", tensor(2, writer), 50, 4, Range(50)),
            ("no such input", tensor(2, writer), 1 << 31 | 7, 4, NotWritten),
            ("never written", tensor(4, writer), 0, 4, Storage(4)),
            ("writer too early", tensor(4, writer), 6, 4, Lifetime),
            ("input lives later", tensor(2, first), 1, 4, Lifetime),
            ("dies too early", tensor(2, last), 1, 4, Lifetime),
            ("dies before output", tensor(4, last), 7, 4, Lifetime),
            ("beyond the end", tensor(4, last), 9, 4, Lifetime),
            ("weights die", tensor(0, last), 3, 4, Lifetime),
            ("alias before its target", tensor(3, first), 2, 4, Lifetime),
            ("piece after its join", tensor(3, writer), 1, 4, NotWritable(3)),
            ("quantization", tensor(2, quant), 0, 4, Range(0)),
            ("name", tensor(2, name), 500, 4, Range(500)),
            ("reads the unwritten", list(2), 4, 4, ReadBeforeWritten(4)),
            ("reads another function", list(2), 9, 4, Range(9)),
            ("reads the dead", list(14), 2, 4, Lifetime),
            ("writes weights", list(4), 0, 4, NotWritable(0)),
            ("writes twice", list(7), 5, 4, NotWritable(5)),
            ("writes an input", list(21), 2, 4, NotWritable(2)),
            ("writes what it reads", list(14), 1, 4, Overlap(1)),
            ("joins too early", list(9), 8, 4, ReadBeforeWritten(8)),
            ("joins in another order", list(16), 6, 4, NotJoined(6)),
            ("wrong input", list(0), 3, 4, NotWritten),
            ("wrong output", list(1), 2, 4, Lifetime),
            ("kernel not listed", step_field(0, code), 77, 2, Opcode(77)),
            ("reserved opcode", step_field(0, code), 0xFF77, 2, Opcode(0xFF77)),
            ("flags", step_field(0, 4), 1, 2, Flags(1)),
            ("list", step_field(1, offset_of!(StepRecord, list)), 6, 4, Place),
            ("record", step_field(1, offset_of!(StepRecord, record)), 4, 4, Range(4)),
            ("record length", step_field(1, offset_of!(StepRecord, record_len)), 1, 4, Range(0)),
            ("too many inputs", step_field(6, 6), 9, 2, Range(10)),
            ("join with record", step_field(2, 8), 0, 2, Place),
        ],
    );
}

#[test]
fn program_headers_and_tables() {
    use Problem::*;
    let kernels = offset_of!(ProgramRecord, kernels);
    let states = offset_of!(ProgramRecord, states);
    let (exprs, symbols) = (offset_of!(CommonRecord, exprs), offset_of!(CommonRecord, symbols));
    let dims = offset_of!(CommonRecord, dims);
    let ends = offset_of!(CommonRecord, string_ends);
    run(
        &plans::fleet(),
        &[
            ("flags", header(0), 8, 4, Flags(8)),
            ("dynamic", header(0), 1, 4, Storage(4)),
            ("data-dependent but not dynamic", header(0), 6, 4, Flags(6)),
            ("alignment", header(6), 3, 2, Alignment(3)),
            ("target", header(12), 40, 4, Range(40)),
            ("state area", header(16), 2, 4, Value(2)),
            ("reserved", header(20), 1, 4, Padding),
            ("kernels descend", program(kernels, 0), 18, 4, Order),
            ("kernel number", program(kernels, 24), 0xFF00, 4, Order),
            ("state offset", program(states, offset_of!(StateRecord, offset)), 1, 4, Value(1)),
            ("state value", program(states, offset_of!(StateRecord, initial)), 2, 4, Bounds),
            ("state type", program(states, 4), 7, 1, Storage(1)),
            ("a table moved", header(kernels), 0, 4, Place),
            ("a table grew", header(kernels + 4), 9999, 4, Truncated),
            ("strings end early", common(ends, 0), 9, 4, Text),
            ("symbolic dimension", common(dims, 0), 1 << 31, 4, Range(0)),
            ("huge dimension", common(dims, 0), u32::MAX >> 1, 4, Bounds),
            ("stack", function(0, offset_of!(FunctionRecord, stack)), 7, 4, Value(7)),
            ("arena", function(0, offset_of!(FunctionRecord, arena)), 5, 4, Value(6)),
            ("no outputs", function(0, offset_of!(FunctionRecord, outputs)), 0, 4, Place),
            ("tensors", function(0, offset_of!(FunctionRecord, tensor_count)), 10, 4, Range(10)),
            ("steps", function(0, offset_of!(FunctionRecord, step_count)), 6, 4, Length),
        ],
    );
    run(
        &plans::symbolic(),
        &[
            ("symbol range", common(symbols, 8), 3, 4, Order),
            ("symbol too large", common(symbols, 16), 1 << 31, 4, Value(1 << 31)),
            ("symbol flags", common(symbols, 4), 2, 4, Flags(2)),
            ("data symbol", common(symbols, 4), 1, 4, Flags(1)),
            ("operation", common(exprs, 0), 10, 4, Value(10)),
            ("no such symbol", common(exprs, 4), 2, 4, Range(2)),
            ("cycle", common(exprs, 3 * 12 + 4), 3, 4, Range(3)),
            ("forward", common(exprs, 3 * 12 + 8), 8, 4, Range(8)),
            ("no such expression", common(dims, 0), 1 << 31 | 9, 4, Range(9)),
            ("static but symbolic", header(0), 0, 4, Symbolic),
        ],
    );
    let (quants, scales) = (offset_of!(CommonRecord, quants), offset_of!(CommonRecord, scales));
    run(
        &plans::classifier(),
        &[
            ("quantized axis", common(quants, 16), 7, 4, Range(7)),
            ("scales per axis", common(quants, 16), 1, 4, Value(1)),
            ("per tensor with block", common(quants, 16 + 4), 2, 4, Value(1)),
            ("quantization start", common(quants, 16 + 8), 2, 4, Place),
            ("scale NaN", common(scales, 0), 0x7FC0_0000, 4, Value(0x7FC0_0000)),
            ("scale negative", common(scales, 0), 0xBF80_0000, 4, Value(0xBF80_0000)),
        ],
    );
}

#[test]
fn calls() {
    use Problem::*;
    let records = offset_of!(ProgramRecord, records);
    let record_len = offset_of!(StepRecord, record_len);
    run(
        &plans::control_flow(),
        &[
            ("calls itself", program(records, 0), 0, 4, Callee(0)),
            ("calls nothing", program(records, 0), 9, 4, Callee(9)),
            ("other branch", program(records, 4), 5, 4, Arity),
            ("condition is no bool", program(records, 8), 4, 4, Mismatch(16)),
            ("too many variables", program(records, 20), 9, 4, Arity),
            ("no such axis", program(records, 36), 2, 4, Rank(2)),
            ("sequences", program(records, 32), 3, 4, Arity),
            ("words", step_field(0, record_len), 4, 4, Arity),
            ("part of a word", step_field(0, record_len), 7, 4, Arity),
        ],
    );
    let custom = plans::streaming();
    run(
        &custom,
        &[
            ("name of a custom step", program(records, 0), 99, 4, Range(99)),
            ("custom step without version", step_field(2, record_len), 7, 4, Arity),
        ],
    );
    // A call may not hand on a state: the function called can reach it another way.
    let mut source = custom;
    source.programs[0].functions.push(FunctionSource {
        tensors: vec![f32s(&[1, 8], StorageSource::Input)],
        inputs: vec![0],
        outputs: vec![0],
        ..Default::default()
    });
    let flag = TensorSource::new(embarca_num::DType::Bool, &[], weights(1));
    source.weights.push(vec![1]);
    source.programs[0].functions[0].tensors.push(flag);
    let call = plans::call(opcode::IF, &[1, 1], &[5, 1], &[3]);
    source.programs[0].functions[0].steps[0] = call;
    let WriteError::Refused(error) = write(&source).unwrap_err() else { panic!() };
    assert!(matches!((error.table, error.problem), (Table::Steps, Mismatch(_))), "{error}");
}

#[test]
fn other_sections() {
    use Problem::*;
    let interface = |table: usize, at| (SectionKind::INTERFACE, Some(table), at);
    let ports = offset_of!(InterfaceRecord, ports);
    let task = |table: usize, at| (SectionKind::TASK, Some(table), at);
    let properties = offset_of!(PropertiesRecord, properties);
    let vectors = |at| (SectionKind::VECTORS, Some(offset_of!(VectorsRecord, vectors)), at);
    let memory = |at| (SectionKind::MEMORY, None, at);
    run(
        &plans::classifier(),
        &[
            ("inputs", (SectionKind::INTERFACE, None, 0), 3, 4, Range(3)),
            ("one input more", (SectionKind::INTERFACE, None, 0), 2, 4, Arity),
            ("port type", interface(ports, 8), 1, 1, DType(3)),
            ("port rank", interface(ports, 9), 3, 1, Rank(4)),
            ("port name", interface(ports, 0), 77, 4, Range(77)),
            ("port axes", interface(ports, 16), 2, 4, Range(2)),
            ("property kind", task(properties, 4), 4, 4, Value(4)),
            ("property start", task(properties, 8), 1, 4, Place),
            ("property count", task(properties, 12), 1, 4, Length),
            ("property keys", task(properties, 16), 0, 4, Order),
            ("vector program", vectors(56 + 4), 1, 4, Range(1)),
            ("vector runs", vectors(8), 0, 4, Value(0)),
            ("vector check", vectors(32), 2, 4, Value(2)),
            ("vector data", vectors(56 + 28), 9999, 4, Range(0)),
            ("vector tolerance", vectors(56 + 48), 0xFFC0_0000, 4, Value(0xFFC0_0000)),
            ("memory arena", memory(0), 16, 4, Value(0)),
            ("memory weights", memory(24), 1 << 20, 4, Value(0)),
        ],
    );
    let values = offset_of!(InterfaceRecord, values);
    let profiles = offset_of!(InterfaceRecord, profiles);
    run(
        &plans::symbolic(),
        &[
            ("profile outside the range", interface(values, 0), 65, 4, Value(65)),
            ("profile start", interface(profiles, 8 + 4), 1, 4, Place),
        ],
    );
}

#[test]
fn containers() {
    let bytes = write(&plans::classifier()).unwrap();
    let open = |change: &dyn Fn(&mut [u8])| {
        let mut buffer = Buffer::new(&bytes);
        change(buffer.bytes_mut());
        repair(buffer.bytes_mut());
        Plan::open(buffer.bytes()).map(|_| ()).unwrap_err().problem
    };
    assert_eq!(open(&|b| b[0] = b'e'), Problem::Magic);
    assert_eq!(open(&|b| b[8] = 1), Problem::FileKind(1));
    assert_eq!(open(&|b| b[10] = 2), Problem::Version(2));
    assert_eq!(open(&|b| b[12] = 9), Problem::Semantics(9));
    assert_eq!(open(&|b| b[16] ^= 1), Problem::Length);
    for damaged in [31, 32 + 5, bytes.len() / 2] {
        let mut buffer = Buffer::new(&bytes);
        buffer.bytes_mut()[damaged] ^= 16;
        let plan = Plan::open(buffer.bytes()).and_then(|plan| plan.verify());
        assert_eq!(plan.unwrap_err().problem, Problem::Checksum, "byte {damaged}");
    }
    let sealed = |kind: u8, flags: u8| {
        move |b: &mut [u8]| {
            b[32 * 2] = kind;
            b[32 * 2 + 4] = flags;
            repair(b);
        }
    };
    // An unknown optional section is skipped, an unknown required one refused by its number.
    let mut buffer = Buffer::new(&bytes);
    sealed(99, 0)(buffer.bytes_mut());
    repair(buffer.bytes_mut());
    assert!(Plan::open(buffer.bytes()).unwrap().task().is_none());
    sealed(99, 1)(buffer.bytes_mut());
    repair(buffer.bytes_mut());
    let error = Plan::open(buffer.bytes()).unwrap_err();
    assert_eq!(error.problem, Problem::RequiredSection(99));
    assert!(error.is_unsupported() && error.to_string().contains("99"), "{error}");
    sealed(6, 0)(buffer.bytes_mut());
    repair(buffer.bytes_mut());
    assert_eq!(Plan::open(buffer.bytes()).unwrap_err().problem, Problem::Twice);

    let units = vec![0u8; bytes.len() + 16];
    let at = units.as_ptr().addr();
    let start = (1..16).find(|skip| !(at + skip).is_multiple_of(16)).unwrap();
    let mut unaligned = units;
    unaligned[start..start + bytes.len()].copy_from_slice(&bytes);
    let error = Plan::open(&unaligned[start..start + bytes.len()]).unwrap_err();
    assert_eq!(error.problem, Problem::Misaligned);
    assert!(error.to_string().contains("16"), "{error}");

    let mut buffer = Buffer::new(&bytes);
    let last = bytes.len() - 1;
    buffer.bytes_mut()[last] ^= 1;
    let plan = Plan::open(buffer.bytes()).unwrap();
    assert_eq!(plan.verify().unwrap_err().problem, Problem::Checksum, "open leaves weights alone");
}

/// A plan that would take a quadratic number of comparisons is refused after a linear one, and an
/// honest one with as many steps is not.
#[test]
fn work_is_bounded() {
    let chain = |length: usize, live: usize| {
        let tensors = (0..=length).map(|_| f32s(&[1], ARENA)).collect();
        let steps = (0..length)
            .map(|index| step(16, &[index.saturating_sub(live), index], &[index + 1]))
            .collect();
        let function = FunctionSource {
            tensors,
            steps,
            inputs: vec![0],
            outputs: vec![length],
            ..Default::default()
        };
        let port = |name| plans::port(name, DType::F32, &plans::fixed(&[1]));
        PlanSource {
            interface: InterfaceSource {
                inputs: vec![port("x")],
                outputs: vec![port("y")],
                ..Default::default()
            },
            programs: vec![ProgramSource { functions: vec![function], ..Default::default() }],
            ..Default::default()
        }
    };
    let mut honest = chain(4000, 30);
    honest.programs[0].place().unwrap();
    write(&honest).unwrap();

    let mut tangled = chain(30_000, 0);
    let function = &mut tangled.programs[0].functions[0];
    for (index, tensor) in function.tensors.iter_mut().enumerate() {
        tensor.storage = StorageSource::Arena { offset: index as u64 * 16 };
    }
    let all = (0..30_000).map(Some).collect();
    function.steps.last_mut().unwrap().inputs = all;
    let start = Instant::now();
    let error = write(&tangled).unwrap_err();
    assert!(matches!(error, WriteError::Refused(e) if e.problem == Problem::Work), "{error}");
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn sources_that_make_no_plan() {
    let fleet = plans::fleet();
    let change = |change: &dyn Fn(&mut PlanSource)| {
        let mut source = fleet.clone();
        change(&mut source);
        write(&source).unwrap_err()
    };
    let refused = |error: WriteError, want: Problem| {
        assert!(matches!(error, WriteError::Refused(e) if e.problem == want), "{error}");
    };
    let first = |source: &mut PlanSource, change: &dyn Fn(&mut FunctionSource)| {
        change(&mut source.programs[0].functions[0]);
    };
    let missing = |what, index| WriteError::Index { what, index };
    let error = change(&|s| first(s, &|f| f.steps[0].inputs[0] = Some(40)));
    assert_eq!(error, missing("tensor", 40));
    let error = change(&|s| first(s, &|f| f.steps[1].outputs[0] = 2));
    assert_eq!(error, WriteError::Twice { function: 0, tensor: 2 });
    let error = change(&|s| first(s, &|f| f.tensors[1].storage = weights(4)));
    assert_eq!(error, missing("blob", 4));
    let error = change(&|s| first(s, &|f| f.tensors[0].storage = StorageSource::Output));
    assert_eq!(error, missing("output for tensor", 0));
    let error = change(&|s| first(s, &|f| f.tensors[6].storage = alias(0, 0)));
    refused(error, Problem::NotWritable(2));
    let error = change(&|s| s.weights_align = 24);
    assert_eq!(error, WriteError::Alignment(24));
    let error = change(&|s| s.programs.clear());
    refused(error, Problem::Missing(SectionKind::PROGRAM));
    let error = change(&|s| s.interface.outputs.clear());
    refused(error, Problem::Arity);
}
