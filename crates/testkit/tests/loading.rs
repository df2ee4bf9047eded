//! Plans written by hand that a loader has to refuse, or to load within its limits.

use embarca_compile::plan_writer::{
    FunctionSource, InterfaceSource, PlanSource, PortSource, ProgramSource, RecordSource,
    StepSource, StorageSource, SymbolSource, TensorSource, WriteError, write,
};
use embarca_cpu::{LoadError, LoadOptions, Plan};
use embarca_kernels::opcode;
use embarca_num::DType;
use embarca_plan::{Dim, Expr, ExprOp, Packing, Problem, SizeError};

const N: Dim = Dim::Expr(0);

fn fixed(dims: &[u32]) -> Vec<Dim> {
    dims.iter().map(|&dim| Dim::Fixed(dim)).collect()
}

fn tensor(dtype: DType, dims: &[Dim], storage: StorageSource) -> TensorSource {
    TensorSource { dims: dims.to_vec(), ..TensorSource::new(dtype, &[], storage) }
}

fn blob(blob: usize, packing: u16) -> StorageSource {
    StorageSource::Weights { blob, packing: Packing { id: packing, version: 0 } }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn step(kernel: &str, record: &[u32], inputs: &[usize], output: usize) -> StepSource {
    StepSource {
        opcode: opcode(kernel).unwrap().0,
        inputs: inputs.iter().map(|&input| Some(input)).collect(),
        outputs: vec![output],
        record: RecordSource::Bytes(words(record)),
        ..StepSource::default()
    }
}

/// A plan of one function; with `exprs`, over one symbol that is 1 to 99.
fn plan(
    tensors: Vec<TensorSource>,
    steps: Vec<StepSource>,
    [inputs, outputs]: [&[usize]; 2],
    exprs: &[Expr],
    weights: Vec<Vec<u8>>,
) -> PlanSource {
    let symbol = SymbolSource { name: "n".into(), min: 1, preferred: 1, max: 99, from_data: false };
    let symbols = if exprs.is_empty() { vec![] } else { vec![symbol] };
    let port = |&index: &usize| PortSource {
        name: format!("t{index}"),
        role: String::new(),
        dtype: tensors[index].dtype,
        dims: tensors[index].dims.clone(),
        axes: vec![],
        quant: None,
    };
    let interface = InterfaceSource {
        symbols: symbols.clone(),
        exprs: exprs.to_vec(),
        inputs: inputs.iter().map(port).collect(),
        outputs: outputs.iter().map(port).collect(),
        profiles: vec![],
    };
    let (inputs, outputs) = (inputs.to_vec(), outputs.to_vec());
    let function =
        FunctionSource { name: String::new(), tensors, steps, inputs, outputs, scratch: 0 };
    let exprs = exprs.to_vec();
    let program =
        ProgramSource { symbols, exprs, functions: vec![function], ..ProgramSource::default() };
    PlanSource { interface, programs: vec![program], weights, ..PlanSource::default() }
}

const NO_CLAMP: [u32; 2] = [f32::NEG_INFINITY.to_bits(), f32::INFINITY.to_bits()];

/// `y = w x` of `w` with the given packing and bytes.
fn dense(x: &[Dim], w: [u32; 2], packing: u16, bytes: Vec<u8>, exprs: &[Expr]) -> PlanSource {
    let y = [x[0], Dim::Fixed(w[0])];
    let tensors = vec![
        tensor(DType::F32, x, StorageSource::Input),
        tensor(DType::F32, &fixed(&w), blob(0, packing)),
        tensor(DType::F32, &y, StorageSource::Output),
    ];
    let steps = vec![step("dense_f32", &NO_CLAMP, &[0, 1], 2)];
    plan(tensors, steps, [&[0], &[2]], exprs, vec![bytes])
}

fn load(source: &PlanSource) -> Result<Plan, LoadError> {
    Plan::from_bytes(&write(source).unwrap(), LoadOptions::default())
}

#[test]
fn packed_weights_are_refused_by_name() {
    let source = dense(&fixed(&[1, 1000]), [1000, 1000], 1, vec![0; 16], &[]);
    let error = load(&source).unwrap_err();
    assert_eq!(error, LoadError::Unsupported("weights that the plan holds packed"));
}

#[test]
fn constants_of_open_plans_are_as_long_as_their_dimensions() {
    let open = &[Expr::Symbol(0)];
    let short = dense(&[N, Dim::Fixed(1 << 14)], [1 << 14, 1 << 14], 0, vec![0; 16], open);
    let window = [1, 1, 1, 1, 0, 0];
    let record = [&window[..], &[0, 0, 0, (-128i32) as u32, 127]].concat();
    let x = [N, Dim::Fixed(1), Dim::Fixed(1), Dim::Fixed(8)];
    let tensors = vec![
        tensor(DType::I8, &x, StorageSource::Input),
        tensor(DType::I8, &fixed(&[1, 1, 1, 8]), blob(0, 0)),
        tensor(DType::I32, &fixed(&[8, 2]), blob(1, 0)),
        tensor(DType::I8, &x, StorageSource::Output),
    ];
    let mut multiply = step("depthwise_conv2d_i8", &record, &[0, 1, 1, 2], 3);
    multiply.inputs[2] = None;
    let weights = vec![vec![0; 1000], words(&[1 << 30; 16])];
    let long = plan(tensors, vec![multiply], [&[0], &[3]], open, weights);
    for source in [short, long] {
        let Err(LoadError::Open(error)) = load(&source) else { panic!("accepted") };
        assert_eq!(error.problem, Problem::Bounds);
    }
}

#[test]
fn sizes_that_contradict_each_other_are_refused() {
    let exprs = &[Expr::Symbol(0), Expr::Binary(ExprOp::Add, 0, 0)];
    let twice = Dim::Expr(1);
    let tensors = vec![
        tensor(DType::F32, &[N], StorageSource::Input),
        tensor(DType::F32, &[twice], StorageSource::Input),
        tensor(DType::F32, &[N], StorageSource::Output),
        tensor(DType::F32, &[twice], StorageSource::Output),
    ];
    let steps = vec![step("copy", &[], &[0], 2), step("copy", &[], &[1], 3)];
    let plan = load(&plan(tensors, steps, [&[0, 1], &[2, 3]], exprs, vec![])).unwrap();
    assert!(plan.session_for(&[&[3], &[6]]).is_ok());
    let error = plan.session_for(&[&[3], &[5]]).unwrap_err();
    assert_eq!(error, LoadError::Size(SizeError::Dim { input: 1, axis: 0, given: 5 }));
}

#[test]
fn what_finds_no_room_packed_is_computed_all_the_same() {
    let numbers: Vec<u32> = (0..64u16).map(|i| f32::from(i).to_bits()).collect();
    let bytes = write(&dense(&fixed(&[1, 64]), [1, 64], 0, words(&numbers), &[])).unwrap();
    // Packed, the weights take 16 times as much.
    for max_memory in [4 << 30, 2048] {
        let options = LoadOptions { max_memory, ..LoadOptions::default() };
        let mut session = Plan::from_bytes(&bytes, options).unwrap().session().unwrap();
        session.input::<f32>(0).unwrap().fill(2.0);
        session.run().unwrap();
        assert_eq!(session.output::<f32>(0).unwrap(), [2.0 * 63.0 * 32.0]);
    }
}

#[test]
fn names_do_not_multiply() {
    let scalar = |storage| tensor(DType::F32, &[], storage);
    let mut tensors = vec![scalar(StorageSource::Input)];
    tensors.extend((0..100).map(|_| scalar(StorageSource::Output)));
    let steps = (1..=100).map(|output| step("copy", &[], &[0], output)).collect();
    let outputs: Vec<usize> = (1..=100).collect();
    let mut source = plan(tensors, steps, [&[0], &outputs], &[], vec![]);
    assert!(write(&source).is_ok());
    for port in &mut source.interface.outputs {
        port.name = "n".repeat(1000);
    }
    let Err(WriteError::Refused(error)) = write(&source) else { panic!("accepted") };
    assert_eq!(error.problem, Problem::Repeats);
}
