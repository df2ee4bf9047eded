//! Plans that between them use everything the format has.

#![allow(dead_code)]

use std::mem::size_of;

use embarca_compile::plan_writer::*;
use embarca_num::DType;
use embarca_plan::{
    Dim, Expr, ExprOp, Family, HEADER_LEN, Packing, Unit, crc32, header_crc, opcode,
};

pub const ARENA: StorageSource = StorageSource::Arena { offset: 0 };

pub fn weights(blob: usize) -> StorageSource {
    StorageSource::Weights { blob, packing: Packing::default() }
}

pub fn alias(tensor: usize, offset: u32) -> StorageSource {
    StorageSource::Alias { tensor, offset: Dim::Fixed(offset) }
}

pub fn f32s(dims: &[u32], storage: StorageSource) -> TensorSource {
    TensorSource::new(DType::F32, dims, storage)
}

pub fn port(name: &str, dtype: DType, dims: &[Dim]) -> PortSource {
    PortSource {
        name: name.into(),
        role: String::new(),
        dtype,
        dims: dims.to_vec(),
        axes: Vec::new(),
        quant: None,
    }
}

pub fn fixed(dims: &[u32]) -> Vec<Dim> {
    dims.iter().map(|&dim| Dim::Fixed(dim)).collect()
}

pub fn step(opcode: u16, inputs: &[usize], outputs: &[usize]) -> StepSource {
    StepSource {
        opcode,
        inputs: inputs.iter().map(|&input| Some(input)).collect(),
        outputs: outputs.to_vec(),
        ..Default::default()
    }
}

pub fn call(opcode: u16, words: &[u32], inputs: &[usize], outputs: &[usize]) -> StepSource {
    StepSource { record: RecordSource::Words(words.to_vec()), ..step(opcode, inputs, outputs) }
}

fn symbol(name: &str, min: u32, preferred: u32, max: u32) -> SymbolSource {
    SymbolSource { name: name.into(), min, preferred, max, from_data: false }
}

fn placed(mut source: PlanSource) -> PlanSource {
    for program in &mut source.programs {
        program.place().unwrap();
    }
    source
}

/// An int8 classifier for a microcontroller: packed weights, quantization, a view, every optional
/// section.
pub fn classifier() -> PlanSource {
    let quant = |scale: f32, zero| QuantSource {
        axis: None,
        block: 0,
        scales: vec![scale],
        zeros: vec![zero],
    };
    let i8s = |dims: &[u32], storage| TensorSource::new(DType::I8, dims, storage);
    let per_channel = QuantSource {
        axis: Some(0),
        block: 0,
        scales: vec![0.5, 0.25, 0.125, 0.0625],
        zeros: vec![0; 4],
    };
    let packed = StorageSource::Weights { blob: 1, packing: Packing { id: 3, version: 2 } };
    let function = FunctionSource {
        name: "main".into(),
        tensors: vec![
            TensorSource {
                quant: Some(quant(0.5, -128)),
                name: "x".into(),
                ..i8s(&[1, 8, 8, 1], ARENA)
            },
            TensorSource { quant: Some(per_channel), ..i8s(&[4, 3, 3, 1], weights(0)) },
            TensorSource { quant: Some(quant(0.25, 3)), ..i8s(&[1, 8, 8, 4], ARENA) },
            i8s(&[1, 256], alias(2, 0)),
            i8s(&[10, 256], packed),
            TensorSource::new(DType::I32, &[10], weights(2)),
            TensorSource { quant: Some(quant(0.125, 0)), ..i8s(&[1, 10], ARENA) },
            i8s(&[1, 10], ARENA),
        ],
        steps: vec![
            StepSource {
                name: "conv".into(),
                inputs: vec![Some(0), Some(1), None],
                outputs: vec![2],
                opcode: 33,
                algorithm: 1,
                record: RecordSource::Bytes(vec![1, 0, 0, 0, 9, 9, 9]),
            },
            step(49, &[3, 4, 5], &[6]),
            step(16, &[6], &[7]),
        ],
        inputs: vec![0],
        outputs: vec![7],
        scratch: 144,
    };
    let program = ProgramSource {
        target: "nano33ble".into(),
        family: Family::CORTEX_M4F,
        kernel_set: 7,
        kernel_names: [(33, "conv2d_i8"), (49, "dense_i8")].map(|(c, n)| (c, n.into())).into(),
        functions: vec![function],
        ..Default::default()
    };
    let input = PortSource {
        role: "image".into(),
        axes: ["n", "h", "w", "c"].map(|axis| Some(axis.to_owned())).to_vec(),
        quant: Some(quant(0.5, -128)),
        ..port("x", DType::I8, &fixed(&[1, 8, 8, 1]))
    };
    placed(PlanSource {
        interface: InterfaceSource {
            inputs: vec![input],
            outputs: vec![port("scores", DType::I8, &fixed(&[1, 10]))],
            ..Default::default()
        },
        programs: vec![program],
        weights: vec![(0..36).collect(), vec![5; 2570], vec![1; 40]],
        task: [
            ("kind".to_owned(), "classification".into()),
            (
                "labels".to_owned(),
                PropertySource::Texts((0..10).map(|digit| format!("digit {digit}")).collect()),
            ),
            ("threshold".to_owned(), PropertySource::Floats(vec![0.5])),
            ("crop".to_owned(), PropertySource::Integers(vec![0, 255])),
        ]
        .into(),
        provenance: [("source.sha256".to_owned(), "00".repeat(32).as_str().into())].into(),
        vectors: vec![
            VectorSource {
                name: String::new(),
                program: None,
                runs: 1,
                input: VectorInputSource::Generated { generator: "ramp".into(), seed: 1 << 40 },
                expected: ExpectedSource::Crc(0xDEAD_BEEF),
            },
            VectorSource {
                name: "stored".into(),
                program: Some(0),
                runs: 2,
                input: VectorInputSource::Stored(vec![3; 129]),
                expected: ExpectedSource::Near {
                    bytes: vec![0; 40],
                    absolute: 1e-5,
                    relative: 1e-3,
                },
            },
        ],
        memory: true,
        ..Default::default()
    })
}

/// Free batch and length, a concatenation by pieces, shapes as expressions, profiles.
pub fn symbolic() -> PlanSource {
    // 0: N, 1: L, 2: 2, 3: ceil(L / 2), 4: 4, 5: N*4, 6: (L/2)*(N*4), 7: 4*that (bytes), 8: 2*L/2
    let exprs = vec![
        Expr::Symbol(0),
        Expr::Symbol(1),
        Expr::Const(2),
        Expr::Binary(ExprOp::CeilDiv, 1, 2),
        Expr::Const(4),
        Expr::Binary(ExprOp::Mul, 0, 4),
        Expr::Binary(ExprOp::Mul, 3, 5),
        Expr::Binary(ExprOp::Mul, 6, 4),
        Expr::Binary(ExprOp::Mul, 3, 2),
    ];
    let tensor = |dims: &[Dim], storage| TensorSource { dims: dims.to_vec(), ..f32s(&[], storage) };
    let half = [Dim::Expr(3), Dim::Expr(0), Dim::Fixed(4)];
    let whole = [Dim::Expr(8), Dim::Expr(0), Dim::Fixed(4)];
    let input = [Dim::Expr(0), Dim::Expr(1)];
    let function = FunctionSource {
        tensors: vec![
            tensor(&input, StorageSource::Input),
            tensor(&half, alias(3, 0)),
            tensor(&half, StorageSource::Alias { tensor: 3, offset: Dim::Expr(7) }),
            tensor(&whole, ARENA),
            tensor(&whole, StorageSource::Output),
            f32s(&[4], weights(0)),
        ],
        steps: vec![
            step(17, &[0, 5], &[1]),
            step(17, &[0, 5], &[2]),
            step(opcode::JOIN, &[1, 2], &[3]),
            step(18, &[3], &[4]),
        ],
        inputs: vec![0],
        outputs: vec![4],
        ..Default::default()
    };
    let symbols = vec![symbol("batch", 1, 2, 64), symbol("length", 2, 16, 4096)];
    let program = ProgramSource {
        target: "server".into(),
        family: Family::X86_64,
        align: 64,
        symbols: symbols.clone(),
        exprs: exprs.clone(),
        functions: vec![function],
        ..Default::default()
    };
    PlanSource {
        interface: InterfaceSource {
            symbols,
            exprs,
            inputs: vec![port("x", DType::F32, &input)],
            outputs: vec![port("y", DType::F32, &whole)],
            profiles: vec![("small".into(), vec![1, 8]), ("large".into(), vec![64, 4096])],
        },
        programs: vec![program],
        weights: vec![vec![0; 16]],
        weights_align: 64,
        memory: true,
        ..Default::default()
    }
}

/// `If`, `While`, `Loop` and `Scan`, functions that call functions.
pub fn control_flow() -> PlanSource {
    let bools = |storage| TensorSource::new(DType::Bool, &[], storage);
    let i64s = |storage| TensorSource::new(DType::I64, &[], storage);
    let v = |storage| f32s(&[4], storage);
    let unary = |opcode| FunctionSource {
        tensors: vec![v(StorageSource::Input), v(StorageSource::Output)],
        steps: vec![step(opcode, &[0], &[1])],
        inputs: vec![0],
        outputs: vec![1],
        ..Default::default()
    };
    let main = FunctionSource {
        tensors: vec![
            bools(ARENA),
            v(ARENA),
            v(ARENA),
            v(ARENA),
            i64s(weights(0)),
            v(ARENA),
            f32s(&[5, 4], ARENA),
            v(ARENA),
            f32s(&[4, 5], ARENA),
        ],
        steps: vec![
            call(opcode::IF, &[1, 2], &[0, 1], &[2]),
            call(opcode::WHILE, &[3, 4], &[2], &[3]),
            StepSource {
                inputs: vec![Some(4), None, Some(3), Some(1)],
                ..call(opcode::LOOP, &[5, 1], &[], &[5, 6])
            },
            call(opcode::SCAN, &[6, 1, 1, 0, 1 | 1 << 31], &[5, 6], &[7, 8]),
        ],
        inputs: vec![0, 1],
        outputs: vec![7, 8],
        ..Default::default()
    };
    let condition = FunctionSource {
        tensors: vec![v(StorageSource::Input), bools(ARENA)],
        steps: vec![step(20, &[0], &[1])],
        inputs: vec![0],
        outputs: vec![1],
        ..Default::default()
    };
    // trip, going, variable, capture -> going, variable, item
    let body = FunctionSource {
        tensors: vec![i64s(ARENA), bools(ARENA), v(ARENA), v(ARENA), v(ARENA), v(ARENA)],
        steps: vec![step(21, &[2, 3], &[4]), step(22, &[4], &[5])],
        inputs: vec![0, 1, 2, 3],
        outputs: vec![1, 4, 5],
        ..Default::default()
    };
    // variable, element -> variable, item; calls a function itself
    let scan = FunctionSource {
        tensors: vec![v(ARENA), v(ARENA), v(ARENA), v(ARENA), bools(weights(1))],
        steps: vec![step(21, &[0, 1], &[2]), call(opcode::IF, &[7, 8], &[4, 2], &[3])],
        inputs: vec![0, 1],
        outputs: vec![2, 3],
        ..Default::default()
    };
    let program = ProgramSource {
        target: "host".into(),
        functions: vec![
            main,
            unary(16),
            unary(17),
            condition,
            unary(18),
            body,
            scan,
            unary(16),
            unary(19),
        ],
        ..Default::default()
    };
    placed(PlanSource {
        interface: InterfaceSource {
            inputs: vec![port("which", DType::Bool, &[]), port("x", DType::F32, &fixed(&[4]))],
            outputs: vec![
                port("last", DType::F32, &fixed(&[4])),
                port("all", DType::F32, &fixed(&[4, 5])),
            ],
            ..Default::default()
        },
        programs: vec![program],
        weights: vec![5i64.to_le_bytes().to_vec(), vec![1]],
        memory: true,
        ..Default::default()
    })
}

/// States with and without initial value, a caller's kernel, sizes known only at run time.
pub fn streaming() -> PlanSource {
    let mut found = symbol("found", 0, 3, 100);
    found.from_data = true;
    let exprs = vec![Expr::Symbol(0)];
    let function = FunctionSource {
        tensors: vec![
            f32s(&[1, 8], StorageSource::Input),
            f32s(&[1, 8], StorageSource::State(0)),
            f32s(&[3], StorageSource::State(1)),
            f32s(&[1, 8], ARENA),
            TensorSource {
                dims: vec![Dim::Fixed(1), Dim::Expr(0)],
                ..TensorSource::new(DType::I64, &[], ARENA)
            },
        ],
        steps: vec![
            step(30, &[0, 1], &[3]),
            step(31, &[3], &[1]),
            StepSource {
                record: RecordSource::Custom {
                    name: "acme.find".into(),
                    version: 2,
                    bytes: vec![1, 2, 3],
                },
                ..step(opcode::CUSTOM, &[3, 2], &[4])
            },
        ],
        inputs: vec![0],
        outputs: vec![4],
        ..Default::default()
    };
    let state = |name: &str, dims: &[u32], initial, reset_group| StateSource {
        name: name.into(),
        dtype: DType::F32,
        dims: fixed(dims),
        initial,
        reset_group,
    };
    let program = ProgramSource {
        symbols: vec![found.clone()],
        exprs: exprs.clone(),
        functions: vec![function],
        states: vec![state("cache", &[1, 8], None, 0), state("gain", &[3], Some(0), 1)],
        ..Default::default()
    };
    PlanSource {
        interface: InterfaceSource {
            symbols: vec![found],
            exprs,
            inputs: vec![port("x", DType::F32, &fixed(&[1, 8]))],
            outputs: vec![port("at", DType::I64, &[Dim::Fixed(1), Dim::Expr(0)])],
            ..Default::default()
        },
        programs: vec![program],
        weights: vec![vec![0; 12]],
        ..Default::default()
    }
}

/// Three programs that share weights; a static one with states; pieces of pieces.
pub fn fleet() -> PlanSource {
    let function = FunctionSource {
        tensors: vec![
            f32s(&[4], ARENA),
            f32s(&[4], weights(0)),
            f32s(&[4], alias(5, 0)),
            f32s(&[4], alias(5, 16)),
            f32s(&[8], alias(5, 0)),
            f32s(&[12], ARENA),
            f32s(&[4], alias(5, 32)),
            f32s(&[12], ARENA),
            f32s(&[4], StorageSource::State(0)),
        ],
        steps: vec![
            step(17, &[0, 1], &[2]),
            step(17, &[0, 8], &[3]),
            step(opcode::JOIN, &[2, 3], &[4]),
            step(18, &[4, 2], &[6]),
            step(16, &[6], &[8]),
            step(opcode::JOIN, &[2, 3, 6], &[5]),
            step(19, &[5], &[7]),
        ],
        inputs: vec![0],
        outputs: vec![7],
        ..Default::default()
    };
    let state = StateSource {
        name: "bias".into(),
        dtype: DType::F32,
        dims: fixed(&[4]),
        initial: Some(1),
        reset_group: 0,
    };
    let program = |target: &str, family, blob| {
        let mut function = function.clone();
        function.tensors[1].storage = weights(blob);
        ProgramSource {
            target: target.into(),
            family,
            functions: vec![function],
            states: vec![state.clone()],
            ..Default::default()
        }
    };
    placed(PlanSource {
        interface: InterfaceSource {
            inputs: vec![port("x", DType::F32, &fixed(&[4]))],
            outputs: vec![port("y", DType::F32, &fixed(&[12]))],
            ..Default::default()
        },
        programs: vec![
            program("any", Family::PORTABLE, 0),
            program("pi", Family::AARCH64, 1),
            program("pc", Family::X86_64, 2),
        ],
        weights: vec![vec![7; 16], vec![7; 16], vec![8; 16], vec![9; 9999]],
        memory: true,
        ..Default::default()
    })
}

pub fn all() -> [(&'static str, PlanSource); 5] {
    [
        ("classifier", classifier()),
        ("symbolic", symbolic()),
        ("control_flow", control_flow()),
        ("streaming", streaming()),
        ("fleet", fleet()),
    ]
}

/// A buffer at the alignment that plans need.
pub struct Buffer {
    units: Vec<Unit>,
    len: usize,
}

impl Buffer {
    pub fn new(bytes: &[u8]) -> Self {
        let mut units = vec![Unit::ZERO; Unit::count(bytes.len())];
        Unit::copy_from(&mut units, bytes).unwrap();
        Self { units, len: bytes.len() }
    }

    pub fn bytes(&self) -> &[u8] {
        &Unit::bytes(&self.units)[..self.len]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut Unit::bytes_mut(&mut self.units)[..self.len]
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

/// First byte and length of each section that lies in the file.
pub fn sections(bytes: &[u8]) -> Vec<(usize, u32, usize, usize)> {
    let count = u32::from_le_bytes(field(bytes, 24)) as usize;
    let entries = (0..count.min(bytes.len() / HEADER_LEN)).filter_map(|index| {
        let entry = HEADER_LEN * (index + 1);
        let kind = u32::from_le_bytes(field(bytes, entry));
        let start = usize::try_from(u64::from_le_bytes(field(bytes, entry + 8))).ok()?;
        let len = usize::try_from(u64::from_le_bytes(field(bytes, entry + 16))).ok()?;
        (start.checked_add(len)? <= bytes.len()).then_some((entry, kind, start, len))
    });
    entries.collect()
}

/// Makes all checksums fit the bytes as far as the section table allows.
pub fn repair(bytes: &mut [u8]) {
    for (entry, _, start, len) in sections(bytes) {
        let crc = crc32(&bytes[start..start + len]);
        if let Some(place) = bytes.get_mut(entry + 28..entry + 32) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
    }
    if let Some(crc) = header_crc(bytes) {
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    }
}

const _: () = assert!(size_of::<usize>() >= 4);
