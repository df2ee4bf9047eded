//! Models for tests: one by hand with every construct, and random ones.

use embarca_num::DType;

use crate::builder::Builder;
use crate::dim::Dim;
use crate::ids::{ConstId, GraphId, NodeId, ValueId};
use crate::model::{Def, Graph, Meta, Model, Output, State};
use crate::ops::{Clip, Requantize, Reshape, Softmax, Transpose};
use crate::types::{Const, Quant, TensorType};

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Names that a careless writer would not survive.
pub(crate) const HOSTILE: [&str; 7] = [
    "plain",
    "",
    "two words",
    "quote\" slash\\ line\n tab\t nul\0",
    "</title><script>alert('x')</script>&amp;",
    "}%0 = input // \u{202e}rtl\u{2028}",
    "größe 猫 🐈",
];

fn output(name: &str, value: ValueId) -> Output {
    Output { name: name.to_owned(), value, counted: None }
}

/// Quantization, symbols, state, blobs, shared and unused constants, two graphs, hostile names.
pub(crate) fn by_hand() -> Model {
    let mut model = Model::new("main");
    model.meta = Meta {
        format: "TFLite".to_owned(),
        description: "a \"model\"".to_owned(),
        producer: String::new(),
        labels: (0..20).map(|i| format!("label {i}")).collect(),
        mean: vec![127.5, 0.1],
        std: vec![1.0 / 3.0],
        properties: [("task".to_owned(), HOSTILE[4].to_owned())].into(),
    };
    let batch = Dim::symbol(model.symbol("batch"));
    let width = Dim::symbol(model.symbol("DynamicDimension.0"));
    let odd = Dim::symbol(model.symbol("odd name\""));
    let taken = Dim::symbol(model.symbol("tflite"));
    model.consts.push(Const::from_f32(&[3], &[f32::NAN, f32::INFINITY, -0.0]));
    let mut b = Builder::new(&mut model, GraphId(0));
    let dims = [batch.clone(), width.add(&Dim::Known(1)).floor_div(&Dim::Known(2)), Dim::Known(12)];
    let x = b.input("x", TensorType::new(DType::F32, dims));
    let quantized = TensorType::new(DType::I8, [odd.clone(), taken.larger(&width), Dim::Known(4)])
        .with_quant(Some(Quant::per_tensor(0.1, -128)));
    let y = b.input(HOSTILE[4], quantized);
    let x = b.clip(x, f32::NEG_INFINITY, 6.0).unwrap();
    b.node_name = HOSTILE[3].to_owned();
    let soft = b.op(Softmax { axis: 2, beta: 1.0 / 3.0 }, &[x]).unwrap();
    let real = b.op(Requantize { to: DType::F32, rule: "tflite".to_owned() }, &[y]).unwrap();
    b.set_name(real, HOSTILE[5]);
    let flat = b.reshape(
        soft,
        vec![
            batch.mul(&Dim::Known(3)),
            Dim::Known(-1).mul(&width).add(&width.mul(&Dim::Known(5))),
            Dim::Known(1),
        ],
    );
    let flat = flat.unwrap_or(soft);
    let per_axis = |n: usize| Quant {
        scales: (0..n).map(|i| 0.01 * (i + 1) as f32).collect(),
        zero_points: (0..n).map(|i| (i % 3) as i32).collect(),
        axis: Some(0),
    };
    let w = Const::from_i8(&[20, 2], &[7; 40]);
    b.named_constant("w", w.clone(), Some(per_axis(20)));
    b.named_constant("w again", w, Some(Quant { zero_points: vec![0; 20], ..per_axis(20) }));
    let shared = b.i64s(&[1, -2, i64::MIN, i64::MAX]);
    b.set_name(shared, "shared");
    let Def::Const(id) = b.graph().value(shared).def else { panic!("a constant") };
    b.use_constant("", id, None);
    b.constant(Const::new(DType::Bool, vec![2], [1u8, 0]).unwrap(), None);
    b.constant(Const::new(DType::F16, vec![], [1u8, 0]).unwrap(), None);
    b.constant(Const::new(DType::F32, vec![0, 7], []).unwrap(), None);
    b.constant(Const::new(DType::F32, vec![1], 0x7fc0_0001u32.to_le_bytes()).unwrap(), None);
    b.constant(Const::new(DType::F64, vec![1], 1e-300f64.to_le_bytes()).unwrap(), None);
    let zeros = Const::from_f32(&[1, 40], &[0.0; 40]);
    b.model.consts.push(zeros.clone());
    let initial = ConstId::new(b.model.consts.len() - 1);
    let h = b.state("h", zeros.ty(), 0);
    let next = b.clip(h, -1.0, 1.0).unwrap();
    let graph = &mut model.graphs[0];
    graph.states.push(State { name: "hidden".to_owned(), initial, value: h, next });
    graph.outputs = vec![output("prob", flat), output(HOSTILE[6], real), output("", flat)];
    model.graphs.push(Graph { name: "then branch".to_owned(), ..Graph::default() });
    let mut b = Builder::new(&mut model, GraphId(1));
    let z = b.input("z", TensorType::of(DType::I64, &[2, 3]));
    let again = b.use_constant("again", id, None);
    let z = b.transpose(z, &[1, 0]).unwrap();
    model.graphs[1].outputs = vec![output("z", z), output("a", again)];
    model
}

/// A sound model of up to `nodes` nodes.
pub(crate) fn random(seed: u64, nodes: usize) -> Model {
    let mut random = Random(seed);
    let mut model = Model::new("random");
    let symbols: Vec<Dim> = ["n", "h", "weird name", "div"]
        .iter()
        .map(|name| Dim::symbol(model.symbol(name)))
        .collect();
    let mut b = Builder::new(&mut model, GraphId(0));
    let mut values: Vec<ValueId> = Vec::new();
    for _ in 0..1 + random.below(3) {
        let rank = random.below(5);
        let dims: Vec<Dim> = (0..rank).map(|_| some_dim(&mut random, &symbols)).collect();
        let dtype = *random.pick(&[DType::F32, DType::I8, DType::I64]);
        let name = *random.pick(&HOSTILE);
        values.push(b.input(name, TensorType::new(dtype, dims)));
    }
    for _ in 0..random.below(nodes + 1) {
        b.node_name = (*random.pick(&HOSTILE)).to_owned();
        let x = *random.pick(&values);
        let rank = b.rank(x);
        let result = match random.below(6) {
            0 => b.clip(x, -(random.below(9) as f32) / 7.0, f32::INFINITY),
            1 if 0 < rank => {
                b.op(Softmax { axis: random.below(rank), beta: random.next() as f32 }, &[x])
            }
            2 => {
                let mut perm: Vec<usize> = (0..rank).collect();
                perm.rotate_left(random.below(rank.max(1)));
                b.op(Transpose { perm }, &[x])
            }
            3 => {
                let dims = b.ty(x).dims.clone();
                b.op(
                    Reshape {
                        dims: [vec![crate::dim::product(&dims)], vec![Dim::Known(1)]].concat(),
                    },
                    &[x],
                )
            }
            4 => {
                let len = random.below(24);
                let data: Vec<i64> = (0..len).map(|_| random.next() as i64).collect();
                let name = *random.pick(&HOSTILE);
                Ok(b.named_constant(name, Const::from_i64(&[len], &data), None))
            }
            _ => {
                let rule = (*random.pick(&["tflite", "onnx", "n"])).to_owned();
                let y = b.op(Requantize { to: DType::I8, rule }, &[x]).unwrap();
                b.set_quant(
                    y,
                    Some(Quant::per_tensor(f32::from_bits(random.next() as u32 >> 2 | 1), 3)),
                );
                Ok(y)
            }
        };
        values.push(result.unwrap());
    }
    let outputs = 1 + random.below(3);
    model.graphs[0].outputs = (0..outputs)
        .map(|_| output(random.pick::<&str>(&HOSTILE), *random.pick(&values)))
        .collect();
    model
}

fn some_dim(random: &mut Random, symbols: &[Dim]) -> Dim {
    let mut dim = if random.below(2) == 0 {
        Dim::Known(random.below(40) as i64)
    } else {
        random.pick(symbols).clone()
    };
    for _ in 0..random.below(4) {
        let other = if random.below(2) == 0 {
            random.pick(symbols).clone()
        } else {
            Dim::Known(1 + random.below(9) as i64)
        };
        dim = match random.below(7) {
            0 => dim.add(&other),
            1 => dim.larger(&other).sub(&other),
            2 => dim.mul(&other),
            3 => dim.floor_div(&other),
            4 => dim.rem(&other),
            5 => dim.smaller(&other),
            _ => dim.ceil_div(&other),
        };
    }
    if dim.known().is_some_and(|dim| dim < 0) || dim.is_unknown() { Dim::Known(3) } else { dim }
}

/// A node that reads what it writes: unsound on purpose.
pub(crate) fn with_cycle() -> Model {
    let mut model = random(3, 4);
    let mut b = Builder::new(&mut model, GraphId(0));
    let x = b.input("late", TensorType::of(DType::F32, &[2]));
    let y = b.op(Clip { min: 0.0, max: 1.0 }, &[x]).unwrap();
    let last = NodeId::new(model.graphs[0].nodes.len() - 1);
    model.graphs[0].nodes[last.index()].inputs = vec![Some(y)];
    model
}
