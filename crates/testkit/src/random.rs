//! Small random graphs from a seed, float or int8, with everything that rewrites and the scheduler
//! look at: shared values, constants on either side, channels-first pairs, open batch sizes.

use std::collections::HashMap;

use embarca_ir::attr::Attr;
use embarca_ir::ops::{
    Add, AveragePool2d, Concat, Conv2d, Dense, DepthwiseConv2d, Gather, LeakyRelu, MaxPool2d,
    Maximum, Minimum, Mul, Rescale, Reshape, Slice, Softmax, Split, Sub,
};
use embarca_ir::{Builder, Const, Dim, GraphId, Model, Op, Quant, ShapeError, TensorType, ValueId};
use embarca_num::DType;

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// From -1 up to 1.
    pub fn real(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// One of several.
    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// Reals from -1 up to 1.
    pub fn f32s(&mut self, dims: &[usize]) -> Const {
        let values: Vec<f32> = (0..dims.iter().product()).map(|_| self.real()).collect();
        Const::from_f32(dims, &values)
    }

    /// Any bytes.
    pub fn i8s(&mut self, dims: &[usize]) -> Const {
        let values: Vec<i8> = (0..dims.iter().product()).map(|_| self.bits() as i8).collect();
        Const::from_i8(dims, &values)
    }
}

/// A graph and what to feed it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The graph.
    pub model: Model,
    /// One constant for each input.
    pub inputs: Vec<Const>,
}

/// What a graph computes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Reals.
    Float,
    /// i8, as TFLite.
    Quantized,
    /// Reals that are quantized and dequantized behind every operator, as ONNX spells it out. Only
    /// operators whose integer forms are exact.
    SpelledOut,
}

/// A graph of up to `nodes` drawn operators from a seed. The same seed with fewer nodes yields the
/// beginning of the same graph.
pub fn case(seed: u64, nodes: usize, style: Style) -> Case {
    let mut random = Random(seed);
    let mut model = Model::new("random");
    let batch = 1 + random.below(3);
    let n = match random.once_in(3) {
        true => Dim::symbol(model.symbol("n")),
        false => Dim::Known(batch as i64),
    };
    let b = Builder::new(&mut model, GraphId(0));
    let quantized = style == Style::Quantized;
    let stored = HashMap::new();
    let mut maker = Maker { b, random, pool: Vec::new(), quantized, style, stored, batch };
    let mut inputs = Vec::new();
    for index in 0..1 + maker.random.below(2) {
        inputs.push(maker.input(&n, index));
    }
    let mut made = 0;
    // Some draws do not fit what is there; they count a little so that the loop ends.
    for _ in 0..8 * nodes {
        if made == nodes {
            break;
        }
        made += usize::from(maker.draw());
    }
    maker.outputs();
    Case { model, inputs }
}

/// Values of more elements are not drawn.
const MAX_LEN: i64 = 1 << 12;

struct Maker<'m> {
    b: Builder<'m>,
    random: Random,
    pool: Vec<ValueId>,
    quantized: bool,
    style: Style,
    /// How the values of a graph that is spelled out were stored.
    stored: HashMap<ValueId, (DType, Quant)>,
    batch: usize,
}

type Drawn = Result<Vec<ValueId>, ShapeError>;

fn misfit<T>() -> Result<T, ShapeError> {
    Err(ShapeError::new("does not fit"))
}

/// An operator by the name and attributes of its text form.
pub(crate) fn named(name: &str, attrs: &[(&str, Attr)]) -> Result<Op, ShapeError> {
    let attrs: Vec<(String, Attr)> =
        attrs.iter().map(|(key, attr)| ((*key).to_owned(), attr.clone())).collect();
    Op::from_attrs(name, &attrs).map_err(ShapeError::new)
}

pub(crate) fn word(text: &str) -> Attr {
    Attr::Word(text.to_owned())
}

pub(crate) fn numbers(values: &[i64]) -> Attr {
    Attr::List(values.iter().map(|&value| Attr::Dim(Dim::Known(value))).collect())
}

impl Maker<'_> {
    fn input(&mut self, n: &Dim, index: usize) -> Const {
        let rank = self.random.pick(&[2, 3, 4, 4, 4]);
        let rest: Vec<usize> = (1..rank).map(|_| 1 + self.random.below(6)).collect();
        let dims: Vec<Dim> =
            [n.clone()].into_iter().chain(rest.iter().map(|&dim| Dim::Known(dim as i64))).collect();
        let actual: Vec<usize> = [self.batch].into_iter().chain(rest).collect();
        let (ty, data) = match self.quantized && !self.random.once_in(4) {
            true => {
                let quant = Some(self.quant());
                (TensorType::new(DType::I8, dims).with_quant(quant), self.random.i8s(&actual))
            }
            false => (TensorType::new(DType::F32, dims), self.random.f32s(&actual)),
        };
        let real = ty.dtype == DType::F32;
        let x = self.b.input(&format!("x{index}"), ty);
        let first = match self.style {
            Style::Quantized if real => self.requantize(x, DType::I8),
            Style::SpelledOut => self.spell_out(x, None),
            _ => Ok(x),
        };
        self.pool.push(first.unwrap_or(x));
        data
    }

    fn quant(&mut self) -> Quant {
        let scale = (1.0 + self.random.real().abs()) / 128.0;
        Quant::per_tensor(scale, self.random.below(41) as i32 - 20)
    }

    fn requantize(&mut self, x: ValueId, to: DType) -> Result<ValueId, ShapeError> {
        let op = named("requantize", &[("to", word(to.name())), ("rule", word("tflite"))])?;
        let y = self.b.op(op, &[x])?;
        if to == DType::I8 {
            let quant = self.quant();
            self.b.set_quant(y, Some(quant));
        }
        Ok(y)
    }

    /// `x` quantized and dequantized, as `like` is stored or as drawn.
    fn spell_out(&mut self, x: ValueId, like: Option<ValueId>) -> Result<ValueId, ShapeError> {
        let kept = like.and_then(|like| self.stored.get(&like)).cloned();
        let (to, quant) = match kept {
            Some(kept) if !self.random.once_in(4) => kept,
            _ if self.random.once_in(2) => (DType::I8, self.quant()),
            _ => {
                let quant = self.quant();
                let zero_points = quant.zero_points.iter().map(|zero| zero + 128).collect();
                (DType::U8, Quant { zero_points, ..quant })
            }
        };
        let op =
            |to: DType| named("requantize", &[("to", word(to.name())), ("rule", word("onnx"))]);
        let stored = self.b.op(op(to)?, &[x])?;
        self.b.set_quant(stored, Some(quant.clone()));
        let real = self.b.op(op(DType::F32)?, &[stored])?;
        self.stored.insert(real, (to, quant));
        Ok(real)
    }

    /// The quantization of a result that is not one of its inputs'.
    fn declare(&mut self, values: &[ValueId]) {
        for &value in values {
            if self.quantized && self.b.ty(value).dtype == DType::I8 {
                let quant = self.quant();
                self.b.set_quant(value, Some(quant));
            }
        }
    }

    /// Results in the quantization of `x`.
    fn alike(&mut self, x: ValueId, values: &[ValueId]) {
        let quant = self.b.ty(x).quant.clone();
        for &value in values {
            self.b.set_quant(value, quant.clone());
        }
    }

    fn known(&self, x: ValueId, axis: usize) -> Result<usize, ShapeError> {
        let dim = self.b.ty(x).dims.get(axis).and_then(Dim::known);
        dim.and_then(|dim| usize::try_from(dim).ok()).map_or_else(misfit, Ok)
    }

    fn draw(&mut self) -> bool {
        // Late values are drawn more often, so that graphs become deep.
        let recent = self.pool.len().min(4);
        let x = match self.random.once_in(3) {
            true => self.random.pick(&self.pool.clone()),
            false => self.pool[self.pool.len() - 1 - self.random.below(recent)],
        };
        const EXACT: [usize; 17] =
            [6, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 24, 9, 10];
        let kind = match self.style {
            Style::SpelledOut => self.random.pick(&EXACT),
            _ => self.random.below(26),
        };
        let drawn = match kind {
            0..=2 => self.wrapped(x, Self::convolution),
            3 | 4 => self.wrapped(x, Self::depthwise),
            5 => self.dense(x),
            6 => self.wrapped(x, |maker, x| maker.pool2d(x, true)),
            7 => self.wrapped(x, |maker, x| maker.pool2d(x, false)),
            8 | 9 => self.clip(x),
            10..=12 => self.binary(x),
            13 => self.affine(x),
            14 => self.function(x),
            15 => self.softmax(x),
            16 | 17 => self.transpose(x),
            18 => self.reshape(x),
            19 => self.concat(x),
            20 => self.split(x),
            21 => self.slice(x),
            22 => self.pad(x),
            23 => self.reduce(x),
            24 => self.gather(x),
            _ => self.wrapped(x, Self::resize),
        };
        let Ok(mut values) = drawn else { return false };
        if self.style == Style::SpelledOut {
            for value in &mut values {
                *value = self.spell_out(*value, Some(x)).unwrap_or(*value);
            }
        }
        // At the sizes that a plan is made for, and at those that it is fed.
        let fits = |&value: &ValueId| {
            [1, self.batch as i64].iter().all(|&n| {
                let dims = &self.b.ty(value).dims;
                let dims: Option<Vec<i64>> =
                    dims.iter().map(|dim| dim.eval(&|_| Some(n))).collect();
                dims.is_some_and(|dims| {
                    dims.iter().all(|&dim| 0 < dim) && dims.iter().product::<i64>() <= MAX_LEN
                })
            })
        };
        if !values.iter().all(fits) {
            return false;
        }
        self.pool.extend(values);
        true
    }

    /// A spatial operator as it is, or between a channels-first pair of transposes.
    fn wrapped(&mut self, x: ValueId, make: impl Fn(&mut Self, ValueId) -> Drawn) -> Drawn {
        if self.b.rank(x) != 4 {
            return misfit();
        }
        if self.random.once_in(3) {
            return make(self, x);
        }
        let inner = self.b.channels_last(x)?;
        let outputs = make(self, inner)?;
        outputs.into_iter().map(|y| self.b.channels_first(y)).collect()
    }

    fn pads(&mut self, size: [usize; 2]) -> [i32; 4] {
        let mut pad = |size: usize| self.random.below(size) as i32;
        [pad(size[0]), pad(size[1]), pad(size[0]), pad(size[1])]
    }

    /// Reals for float graphs; i8 with one scale for each index of `axis` otherwise.
    fn weights(&mut self, dims: &[usize], axis: usize) -> ValueId {
        if !self.quantized {
            let data = self.random.f32s(dims);
            return self.b.constant(data, None);
        }
        let scales: Vec<f32> =
            (0..dims[axis]).map(|_| (0.2 + self.random.real().abs()) / 512.0).collect();
        let zero_points = vec![0; scales.len()];
        let data = self.random.i8s(dims);
        self.b.constant(data, Some(Quant { scales, zero_points, axis: Some(axis) }))
    }

    fn bias(&mut self, len: usize) -> Option<ValueId> {
        if self.random.once_in(3) {
            return None;
        }
        let data = match self.quantized {
            true => {
                let values: Vec<i32> =
                    (0..len).map(|_| (self.random.bits() as i16).into()).collect();
                Const::from_i32(&[len], &values)
            }
            false => self.random.f32s(&[len]),
        };
        Some(self.b.constant(data, None))
    }

    fn convolution(&mut self, x: ValueId) -> Drawn {
        let channels = self.known(x, 3)?;
        let size = [1 + self.random.below(3), 1 + self.random.below(3)];
        let groups = if channels.is_multiple_of(2) && self.random.once_in(3) { 2 } else { 1 };
        let outputs = groups * (1 + self.random.below(4));
        let w = self.weights(&[outputs, size[0], size[1], channels / groups], 0);
        let strides = [1 + self.random.below(2), 1 + self.random.below(2)];
        let dilations = self.random.pick(&[[1, 1], [1, 1], [2, 1]]);
        let op =
            Conv2d { strides, dilations, pads: self.pads(size), groups, rescale: Rescale::Tflite };
        let bias = self.bias(outputs);
        let outputs = self.b.node(op, &[Some(x), Some(w), bias])?;
        self.declare(&outputs);
        self.maybe_affine(outputs)
    }

    fn maybe_affine(&mut self, outputs: Vec<ValueId>) -> Drawn {
        if self.random.once_in(4) { self.affine(outputs[0]) } else { Ok(outputs) }
    }

    fn depthwise(&mut self, x: ValueId) -> Drawn {
        let outputs = self.known(x, 3)? * (1 + self.random.below(2));
        let size = [1 + self.random.below(3), 1 + self.random.below(3)];
        let w = self.weights(&[1, size[0], size[1], outputs], 3);
        let strides = [1 + self.random.below(2), 1 + self.random.below(2)];
        let pads = self.pads(size);
        let op = DepthwiseConv2d { strides, dilations: [1, 1], pads, rescale: Rescale::Tflite };
        let bias = self.bias(outputs);
        let outputs = self.b.node(op, &[Some(x), Some(w), bias])?;
        self.declare(&outputs);
        self.maybe_affine(outputs)
    }

    fn dense(&mut self, x: ValueId) -> Drawn {
        let inputs = self.known(x, self.b.rank(x).wrapping_sub(1))?;
        let outputs = 1 + self.random.below(5);
        let w = self.weights(&[outputs, inputs], 0);
        let bias = self.bias(outputs);
        let outputs = self.b.node(Dense::PLAIN, &[Some(x), Some(w), bias])?;
        self.declare(&outputs);
        self.maybe_affine(outputs)
    }

    fn pool2d(&mut self, x: ValueId, max: bool) -> Drawn {
        let size = [1 + self.random.below(3), 1 + self.random.below(3)];
        let strides = [1 + self.random.below(2), 1 + self.random.below(2)];
        let (dilations, ceil) = ([1, 1], self.random.once_in(4));
        let pads = self.pads(size);
        let count_pad = self.random.once_in(3) && !self.quantized;
        let op: Op = match max {
            true => MaxPool2d { size, strides, dilations, pads, ceil }.into(),
            false => {
                let half_up = false;
                AveragePool2d { size, strides, dilations, pads, ceil, count_pad, half_up }.into()
            }
        };
        let outputs = self.b.node(op, &[Some(x)])?;
        self.alike(x, &outputs);
        Ok(outputs)
    }

    fn resize(&mut self, x: ValueId) -> Drawn {
        let size = [1 + self.random.below(8) as i64, 1 + self.random.below(8) as i64];
        let op = named(
            "resize",
            &[
                ("mode", word(self.random.pick(&["nearest", "linear"]))),
                ("coordinates", word("asymmetric")),
                ("rounding", word("floor")),
                ("size", numbers(&size)),
                ("scales", Attr::List(vec![Attr::Float(0.0); 2])),
                ("tflite", word("true")),
                ("cubic_a", Attr::Float(0.0)),
                ("exclude_outside", word("false")),
                ("was_u8", word("false")),
            ],
        )?;
        let outputs = self.b.node(op, &[Some(x)])?;
        self.alike(x, &outputs);
        Ok(outputs)
    }

    fn clip(&mut self, x: ValueId) -> Drawn {
        let bounds = [(0.0, f32::INFINITY), (0.0, 6.0), (-0.5, 0.25), (f32::NEG_INFINITY, 0.1)];
        let (min, max) = self.random.pick(&bounds);
        Ok(vec![self.b.clip(x, min, max)?])
    }

    fn function(&mut self, x: ValueId) -> Drawn {
        // Some reference kernels take one quantization of the result only.
        let functions = [
            ("tanh", Some(Quant::per_tensor(1.0 / 128.0, 0))),
            ("sigmoid", Some(Quant::per_tensor(1.0 / 256.0, -128))),
            ("hard_swish", None),
            ("leaky_relu", None),
            ("abs", None),
        ];
        let (name, fixed) = self.random.pick(&functions);
        let zero = Attr::Float(0.0);
        let [a, b] = [zero.clone(), zero.clone()];
        let op = match name {
            "leaky_relu" => LeakyRelu { alpha: 0.25 }.into(),
            _ => named("unary", &[("function", word(name)), ("a", a), ("b", b), ("c", zero)])?,
        };
        let outputs = self.b.node(op, &[Some(x)])?;
        self.declare(&outputs);
        if self.quantized && fixed.is_some() {
            self.b.set_quant(outputs[0], fixed);
        }
        Ok(outputs)
    }

    /// With another value of the same dimensions, or with a constant that broadcasts.
    fn binary(&mut self, x: ValueId) -> Drawn {
        let dims = self.b.ty(x).dims.clone();
        let twins: Vec<ValueId> =
            self.pool.iter().copied().filter(|&y| self.b.ty(y).dims == dims).collect();
        let other = match self.random.once_in(3) {
            true => self.operand(x)?,
            false => self.random.pick(&twins),
        };
        let kinds: [Op; 5] =
            [Add {}.into(), Sub {}.into(), Mul {}.into(), Minimum {}.into(), Maximum {}.into()];
        // Extrema of quantized values have one quantization for all.
        let kinds = if self.quantized { &kinds[..3] } else { &kinds[..] };
        let op = self.random.pick(kinds);
        let pair = if self.random.once_in(2) { [x, other] } else { [other, x] };
        let outputs = self.b.node(op, &pair.map(Some))?;
        self.declare(&outputs);
        Ok(outputs)
    }

    /// A constant for all, for each index of the last axis, or for each of axis 1.
    fn operand(&mut self, x: ValueId) -> Result<ValueId, ShapeError> {
        let rank = self.b.rank(x);
        let dims = match self.random.below(3) {
            0 => vec![],
            1 => vec![self.known(x, rank.wrapping_sub(1))?],
            _ if 1 < rank => {
                let mut dims = vec![1; rank - 1];
                dims[0] = self.known(x, 1)?;
                dims
            }
            _ => vec![1],
        };
        Ok(match self.quantized {
            true => {
                let (data, quant) = (self.random.i8s(&dims), self.quant());
                self.b.constant(data, Some(quant))
            }
            false if self.style == Style::SpelledOut && self.random.once_in(2) => {
                let data = self.random.f32s(&dims);
                let real = self.b.constant(data, None);
                self.spell_out(real, None)?
            }
            false => {
                let data = self.random.f32s(&dims);
                self.b.constant(data, None)
            }
        })
    }

    /// A factor, then a term: what batch normalization becomes.
    fn affine(&mut self, x: ValueId) -> Drawn {
        let (factor, term) = (self.operand(x)?, self.operand(x)?);
        let scaled = self.b.op(Mul {}, &[x, factor])?;
        self.declare(&[scaled]);
        let pair = if self.random.once_in(2) { [scaled, term] } else { [term, scaled] };
        let op = self.random.pick::<Op>(&[Add {}.into(), Sub {}.into()]);
        let outputs = self.b.node(op, &pair.map(Some))?;
        self.declare(&outputs);
        Ok(outputs)
    }

    fn softmax(&mut self, x: ValueId) -> Drawn {
        let rank = self.b.rank(x);
        let axis =
            if self.quantized { rank.wrapping_sub(1) } else { self.random.below(rank.max(1)) };
        let y = self.b.op(Softmax { axis, beta: 1.0 }, &[x])?;
        if self.quantized {
            self.b.set_quant(y, Some(Quant::per_tensor(1.0 / 256.0, -128)));
        }
        Ok(vec![y])
    }

    fn transpose(&mut self, x: ValueId) -> Drawn {
        let mut perm: Vec<usize> = (0..self.b.rank(x)).collect();
        for i in (1..perm.len()).rev() {
            perm.swap(i, self.random.below(i + 1));
        }
        Ok(vec![self.b.transpose(x, &perm)?])
    }

    /// Two neighbouring axes become one, or an axis two.
    fn reshape(&mut self, x: ValueId) -> Drawn {
        let mut dims = self.b.ty(x).dims.clone();
        if dims.is_empty() {
            return misfit();
        }
        let axis = self.random.below(dims.len());
        if axis + 1 < dims.len() && self.random.once_in(2) {
            let next = dims.remove(axis + 1);
            dims[axis] = dims[axis].mul(&next);
        } else {
            let len = dims[axis].known().unwrap_or(1);
            let part = if len % 2 == 0 { 2 } else { 1 };
            dims[axis] = dims[axis].floor_div(&Dim::Known(part));
            dims.insert(axis, Dim::Known(part));
        }
        if 5 < dims.len() {
            return misfit();
        }
        Ok(vec![self.b.op(Reshape { dims }, &[x])?])
    }

    fn concat(&mut self, x: ValueId) -> Drawn {
        let ty = self.b.ty(x).clone();
        let twins: Vec<ValueId> =
            self.pool.iter().copied().filter(|&y| *self.b.ty(y) == ty).collect();
        let mut parts = vec![x, self.random.pick(&twins)];
        if self.random.once_in(3) {
            parts.push(self.random.pick(&twins));
        }
        let axis = self.random.below(ty.rank().max(1));
        let parts: Vec<Option<ValueId>> = parts.into_iter().map(Some).collect();
        let outputs = self.b.node(Concat { axis }, &parts)?;
        self.alike(x, &outputs);
        Ok(outputs)
    }

    fn split(&mut self, x: ValueId) -> Drawn {
        let axis = self.random.below(self.b.rank(x).max(1));
        let len = self.known(x, axis)?;
        let first = self.random.below(len + 1);
        let sizes = [first, len - first].iter().map(|&size| Dim::Known(size as i64)).collect();
        if first == 0 || first == len {
            return misfit();
        }
        let outputs = self.b.node(Split { axis, sizes }, &[Some(x)])?;
        self.alike(x, &outputs);
        Ok(outputs)
    }

    fn slice(&mut self, x: ValueId) -> Drawn {
        let mut dims = self.b.ty(x).dims.clone();
        let (mut starts, mut steps) = (vec![0; dims.len()], vec![1; dims.len()]);
        let axis = self.random.below(dims.len().max(1));
        let len = self.known(x, axis)? as i64;
        if len == 0 {
            return misfit();
        }
        starts[axis] = self.random.below(len as usize) as i64;
        steps[axis] = self.random.pick(&[1, 2, -1]);
        dims[axis] = Dim::Known(match steps[axis] {
            -1 => starts[axis] + 1,
            step => (len - starts[axis] + step - 1) / step,
        });
        let outputs = self.b.node(Slice { starts, steps, dims }, &[Some(x)])?;
        self.alike(x, &outputs);
        Ok(outputs)
    }

    fn pad(&mut self, x: ValueId) -> Drawn {
        let rank = self.b.rank(x);
        let mut some = || -> Vec<i64> { (0..rank).map(|_| self.random.below(2) as i64).collect() };
        let (mut before, mut after) = (some(), some());
        for list in [&mut before, &mut after] {
            list[0] = 0;
            if rank == 4 && self.random.once_in(2) {
                // What convolutions can absorb.
                list[3] = 0;
            }
        }
        let value = self.random.pick(&[0.0, 0.0, 0.25]);
        let attrs = [
            ("mode", word(self.random.pick(&["constant", "constant", "edge"]))),
            ("before", numbers(&before)),
            ("after", numbers(&after)),
            ("value", Attr::Float(value)),
        ];
        let outputs = self.b.node(named("pad", &attrs)?, &[Some(x)])?;
        self.alike(x, &outputs);
        if rank == 4 && self.style != Style::SpelledOut && !self.random.once_in(3) {
            return self.wrapped(outputs[0], Self::convolution);
        }
        Ok(outputs)
    }

    fn reduce(&mut self, x: ValueId) -> Drawn {
        let rank = self.b.rank(x);
        let axes: Vec<i64> = (1..rank as i64).filter(|_| self.random.once_in(2)).collect();
        let by = if self.quantized { "mean" } else { self.random.pick(&["mean", "sum", "max"]) };
        if axes.is_empty() {
            return misfit();
        }
        let keep = word(self.random.pick(&["true", "false"]));
        let op = named("reduce", &[("by", word(by)), ("axes", numbers(&axes)), ("keep", keep)])?;
        let outputs = self.b.node(op, &[Some(x)])?;
        self.declare(&outputs);
        Ok(outputs)
    }

    fn gather(&mut self, x: ValueId) -> Drawn {
        let axis = self.random.below(self.b.rank(x).max(1));
        let len = self.known(x, axis)?;
        if len == 0 {
            return misfit();
        }
        let indices: Vec<i64> = (0..3).map(|_| self.random.below(len) as i64).collect();
        let indices = self.b.i64s(&indices);
        let outputs = self.b.node(Gather { axis, batch_dims: 0 }, &[Some(x), Some(indices)])?;
        self.alike(x, &outputs);
        Ok(outputs)
    }

    /// Every value that nothing reads, and now and then others; real numbers again for some.
    fn outputs(&mut self) {
        let uses = self.b.graph().use_counts();
        let random = &mut self.random;
        let read = |value: &ValueId| 0 < uses[value.index()];
        let chosen = |value: &&ValueId| !read(value) || random.once_in(8);
        let outputs: Vec<ValueId> = self.pool.iter().filter(chosen).copied().collect();
        for (index, mut value) in outputs.into_iter().enumerate() {
            if self.quantized && self.random.once_in(4) {
                value = self.requantize(value, DType::F32).unwrap_or(value);
            }
            self.b.output(value, &format!("y{index}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_operator_is_drawn() {
        for (style, kinds) in [(Style::Float, 20), (Style::Quantized, 20), (Style::SpelledOut, 15)]
        {
            let mut counts = BTreeMap::new();
            for seed in 0..100 {
                for node in &case(seed, 12, style).model.main().nodes {
                    *counts.entry(node.op.name()).or_insert(0) += 1;
                }
            }
            let rare: Vec<_> = counts.iter().filter(|(_, count)| **count < 5).collect();
            assert!(kinds <= counts.len() && rare.is_empty(), "{style:?}: {counts:?}");
        }
    }
}
