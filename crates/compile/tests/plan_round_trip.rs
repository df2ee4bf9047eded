//! Everything that a plan can hold comes back as it was written.

mod plans;

use embarca_compile::plan_writer::write;
use embarca_num::DType;
use embarca_plan::memory::{self, Block};
use embarca_plan::{
    Control, Dim, Expected, Family, Packing, Plan, Problem, SectionKind, Space, Storage, Values,
    VectorInput, Writer, opcode,
};
use plans::Buffer;

fn with_plan(source: &embarca_compile::plan_writer::PlanSource, look: impl FnOnce(&Plan)) {
    let bytes = write(source).unwrap();
    assert_eq!(bytes, write(&source.clone()).unwrap(), "the same source gives the same bytes");
    let buffer = Buffer::new(&bytes);
    let plan = Plan::open(buffer.bytes()).unwrap();
    plan.verify().unwrap();
    look(&plan);
    assert_eq!(Plan::reopen(buffer.bytes()).unwrap().program_count(), plan.program_count());
}

#[test]
fn classifier() {
    with_plan(&plans::classifier(), |plan| {
        let program = plan.program(0).unwrap();
        assert_eq!(program.target(), Some("nano33ble"));
        assert_eq!((program.family(), program.kernel_set()), (Family::CORTEX_M4F, 7));
        assert!(!program.is_dynamic() && !program.needs_host());
        let kernels: Vec<_> = program.kernels().collect();
        assert_eq!(kernels, [(16, None), (33, Some("conv2d_i8")), (49, Some("dense_i8"))]);

        let main = program.function(0).unwrap();
        assert_eq!((main.name(), main.scratch_bytes()), (Some("main"), 144));
        let steps: Vec<_> = main.steps().collect();
        assert_eq!((steps[0].name(), steps[0].algorithm()), (Some("conv"), 1));
        assert_eq!(steps[0].record(), [1, 0, 0, 0, 9, 9, 9]);
        assert_eq!(steps[0].inputs().nth(2), Some(None));
        assert!(steps[1].record().is_empty());

        let x = program.tensor(main.inputs()[0]).unwrap();
        assert_eq!((x.name(), x.writer(), x.dtype()), (Some("x"), Writer::Input(0), DType::I8));
        assert_eq!(x.quant().unwrap().zeros, [-128]);
        let filter = program.tensor(steps[0].inputs().nth(1).unwrap().unwrap()).unwrap();
        assert_eq!(filter.quant().unwrap().axis, Some(0));
        assert_eq!(filter.quant().unwrap().scales, [0.5, 0.25, 0.125, 0.0625]);
        let location = filter.location(&[]).unwrap();
        assert_eq!((location.space, location.len), (Space::Weights, 36));
        assert_eq!(plan.weights()[location.start as usize..][..36], (0..36).collect::<Vec<u8>>());

        let view = program.tensor(steps[1].inputs().next().unwrap().unwrap()).unwrap();
        let conv = program.tensor(steps[0].outputs()[0]).unwrap();
        assert_eq!(view.location(&[]), conv.location(&[]));
        assert_eq!((view.writer(), conv.writer()), (Writer::None, Writer::Step(1)));
        assert_eq!((conv.first(), conv.last()), (1, 2));
        let dense = program.tensor(steps[1].inputs().nth(1).unwrap().unwrap()).unwrap();
        let Storage::Weights { packing, len, .. } = dense.storage() else { panic!() };
        assert_eq!((packing, len), (Packing { id: 3, version: 2 }, 2570));

        // 64 + 256 while the convolution runs; the outputs of 10 bytes fit where x was.
        assert_eq!(main.arena_bytes(), 320);
        let memory = plan.memory()[0];
        assert_eq!((memory.arena, memory.lower_bound), (320, 320));
        assert_eq!((memory.weights, memory.scratch), (36 + 2570 + 40, 144));

        let input = plan.interface().inputs().next().unwrap();
        assert_eq!((input.name(), input.role()), (Some("x"), Some("image")));
        let axes: Vec<_> = input.axes().flatten().collect();
        assert_eq!(axes, ["n", "h", "w", "c"]);
        assert_eq!(input.quant().unwrap().scales, [0.5]);
        assert_eq!(plan.interface().outputs().next().unwrap().name(), Some("scores"));

        let task = plan.task().unwrap();
        assert_eq!(task.text("kind"), Some("classification"));
        assert_eq!(task.texts("labels").unwrap().get(9), Some("digit 9"));
        assert_eq!(task.floats("threshold"), Some(&[0.5][..]));
        assert_eq!(task.integers("crop"), Some(&[0, 255][..]));
        assert!(task.get("nothing").is_none() && task.floats("kind").is_none());
        assert_eq!(task.iter().count(), 4);
        let (key, Values::Texts(hash)) = plan.provenance().unwrap().iter().next().unwrap() else {
            panic!()
        };
        assert_eq!((key, hash.get(0).map(str::len)), ("source.sha256", Some(64)));

        let vectors: Vec<_> = plan.vectors().unwrap().iter().collect();
        assert_eq!(vectors[0].input, VectorInput::Generated { generator: "ramp", seed: 1 << 40 });
        assert_eq!(vectors[0].expected, Expected::Crc(0xDEAD_BEEF));
        assert_eq!(
            (vectors[1].name, vectors[1].program, vectors[1].runs),
            (Some("stored"), Some(0), 2)
        );
        assert_eq!(vectors[1].input, VectorInput::Stored(&[3; 129]));
        let near = Expected::Near { bytes: &[0; 40], absolute: 1e-5, relative: 1e-3 };
        assert_eq!(vectors[1].expected, near);
    });
}

#[test]
fn symbolic_sizes_are_bound_checked_and_placed() {
    with_plan(&plans::symbolic(), |plan| {
        let program = plan.program(0).unwrap();
        assert!(program.is_dynamic() && !program.is_data_dependent());
        assert_eq!(program.align(), 64);
        let profiles: Vec<_> = plan.interface().profiles().collect();
        assert_eq!(profiles[1], (Some("large"), &[64, 4096][..]));
        let range = plan.interface().common.symbols[1];
        assert_eq!((range.min, range.preferred, range.max), (2, 16, 4096));

        let mut symbols = [0; 2];
        let mut values = [0; 9];
        for (batch, length) in [(1, 2), (3, 7), (64, 4096)] {
            program.bind(&[&[batch, length]], &mut symbols).unwrap();
            program.evaluate(&symbols, &mut values).unwrap();
            program.matches(&[&[batch, length]], &values).unwrap();
            assert!(program.matches(&[&[batch, length + 1]], &values).is_err());
            plan.check_sizes(0, &values).unwrap();
            let main = program.function(0).unwrap();
            let output = program.tensor(main.outputs()[0]).unwrap();
            let mut dims = [0; 8];
            let want = [length.div_ceil(2) * 2, batch, 4];
            assert_eq!(output.dims_at(&values, &mut dims), Some(&want[..]));
            let mut blocks = [Block::default(); 8];
            let count = main.blocks(&values, &mut blocks).unwrap();
            assert_eq!(count, 1, "the pieces lie in the joined tensor");
            let total = memory::assign(&mut blocks[..count], &mut [0; 2], 64).unwrap();
            let bytes = u64::from(want.iter().product::<u32>()) * 4;
            assert_eq!(total, bytes.next_multiple_of(64));
            let second = program.tensor(main.steps().nth(1).unwrap().outputs()[0]).unwrap();
            assert_eq!(second.location(&values).unwrap().start, bytes / 2);
        }
        for shape in [&[0, 2][..], &[65, 2], &[1, 1], &[1]] {
            assert!(program.bind(&[shape], &mut symbols).is_err(), "{shape:?}");
        }
        assert!(program.bind(&[], &mut symbols).is_err());
        // Values that no symbols give: the second piece would reach beyond the whole.
        values[7] += 16;
        let error = plan.check_sizes(0, &values).unwrap_err();
        assert_eq!(error.problem, Problem::Bounds);
        values[7] = 0;
        let error = plan.check_sizes(0, &values).unwrap_err();
        assert!(matches!(error.problem, Problem::Overlap(_)), "{error}");
    });
}

#[test]
fn control_flow() {
    with_plan(&plans::control_flow(), |plan| {
        let program = plan.program(0).unwrap();
        let main = program.function(0).unwrap();
        let controls: Vec<_> = main.steps().map(|step| step.control().unwrap()).collect();
        assert_eq!(controls[0], Control::If { then: 1, otherwise: 2 });
        assert_eq!(controls[1], Control::While { cond: 3, body: 4 });
        assert_eq!(controls[2], Control::Loop { body: 5, vars: 1 });
        let axes = (&[0][..], &[1 | embarca_plan::BACKWARD][..]);
        let scan = Control::Scan { body: 6, vars: 1, sequences: axes.0, collected: axes.1 };
        assert_eq!(controls[3], scan);
        assert_eq!(program.function_count(), 9);
        let loops: Vec<_> = main.steps().nth(2).unwrap().inputs().map(|i| i.is_some()).collect();
        assert_eq!(loops, [true, false, true, true]);
        let deepest = program.functions().skip(1).map(|f| f.stack_bytes()).max().unwrap();
        assert_eq!(main.stack_bytes(), main.arena_bytes() + deepest);
        assert_eq!(plan.memory()[0].arena, main.stack_bytes());
    });
}

#[test]
fn states_custom_steps_and_data_dependent_sizes() {
    with_plan(&plans::streaming(), |plan| {
        let program = plan.program(0).unwrap();
        assert!(program.is_data_dependent() && program.needs_host());
        assert!(plan.interface().is_data_dependent());
        let states: Vec<_> = program.states().collect();
        assert_eq!((states[0].name(), states[0].initial()), (Some("cache"), None));
        assert_eq!((states[1].initial(), states[1].reset_group()), (Some(0), 1));
        assert_eq!(program.state_bytes(), 32 + 16);
        let main = program.function(0).unwrap();
        let step = main.steps().nth(2).unwrap();
        assert_eq!(step.opcode(), opcode::CUSTOM);
        let custom = step.custom().unwrap();
        assert_eq!((custom.name, custom.version, custom.bytes), ("acme.find", 2, &[1, 2, 3][..]));
        let found = program.tensor(step.outputs()[0]).unwrap();
        assert_eq!(found.dims().nth(1), Some(Dim::Expr(0)));
        let (mut symbols, mut values) = ([0], [0]);
        program.bind(&[&[1, 8]], &mut symbols).unwrap();
        assert_eq!(symbols, [100], "the largest value until the run tells");
        program.evaluate(&symbols, &mut values).unwrap();
        plan.check_sizes(0, &values).unwrap();
    });
}

#[test]
fn several_programs_share_weights() {
    with_plan(&plans::fleet(), |plan| {
        let families: Vec<_> = plan.programs().map(|program| program.family()).collect();
        assert_eq!(families, [Family::PORTABLE, Family::AARCH64, Family::X86_64]);
        assert_eq!(plan.weights().len(), 32, "equal blobs once, unused ones not at all");
        let weights_of = |program: usize| {
            let program = plan.program(program).unwrap();
            program.tensors().find_map(|tensor| match tensor.storage() {
                Storage::Weights { offset, .. } => Some(offset),
                _ => None,
            })
        };
        assert_eq!([0, 1, 2].map(weights_of), [Some(0), Some(0), Some(16)]);
        let program = plan.program(0).unwrap();
        assert_eq!(program.states().next().unwrap().offset(), 0);
        let kinds: Vec<_> = plan.container().sections().map(|section| section.kind).collect();
        let program = SectionKind::PROGRAM;
        let want = [SectionKind::INTERFACE, SectionKind::MEMORY, program, program, program];
        assert_eq!(kinds[..5], want);
        // 12 floats for the joined tensor, which holds all three pieces, 12 for the output.
        assert_eq!(plan.memory()[1].arena, 48 + 48);
    });
}
