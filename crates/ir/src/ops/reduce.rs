//! Sums, means, extrema and norms along axes.

use embarca_kernels::reduce as kernel;
use kernel::Kind;

use super::elementwise;
use super::moves;
use super::prelude::*;
use crate::attr::{Attr, Field};

crate::payload! {
    /// One number for all elements that fall together along axes.
    pub struct Reduce {
        /// Which number.
        pub by: Reduction,
        /// The axes, sorted, counted from the front.
        pub axes: Vec<usize>,
        /// Whether the axes stay, with one element.
        pub keep: bool,
    }
}

/// What is computed of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduction(pub Kind);

/// Each reduction's name in graph text, in ONNX, in TFLite and in Caffe (empty where it has none).
const REDUCTIONS: &[(Kind, &str, &str, &str, &str)] = &[
    (Kind::Sum, "sum", "ReduceSum", "SUM", "SUM"),
    (Kind::Mean, "mean", "ReduceMean", "MEAN", "MEAN"),
    (Kind::Max, "max", "ReduceMax", "REDUCE_MAX", ""),
    (Kind::Min, "min", "ReduceMin", "REDUCE_MIN", ""),
    (Kind::Prod, "prod", "ReduceProd", "REDUCE_PROD", ""),
    (Kind::L1, "l1", "ReduceL1", "", "ASUM"),
    (Kind::L2, "l2", "ReduceL2", "", ""),
    (Kind::SumSquare, "sum_square", "ReduceSumSquare", "", "SUMSQ"),
    (Kind::LogSum, "log_sum", "ReduceLogSum", "", ""),
    (Kind::LogSumExp, "log_sum_exp", "ReduceLogSumExp", "", ""),
];

impl Field for Reduction {
    fn write(&self) -> Attr {
        let entry = REDUCTIONS.iter().find(|(kind, ..)| *kind == self.0);
        Attr::Word(entry.map_or("sum", |(_, name, ..)| name).to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(word) = attr else { return None };
        REDUCTIONS.iter().find(|(_, name, ..)| name == word).map(|(kind, ..)| Self(*kind))
    }
}

impl OpDef for Reduce {
    const NAME: &'static str = "reduce";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("ReduceSum", 1),
        Spelling::onnx("ReduceMean", 1),
        Spelling::onnx("ReduceMax", 1),
        Spelling::onnx("ReduceMin", 1),
        Spelling::onnx("ReduceProd", 1),
        Spelling::onnx("ReduceL1", 1),
        Spelling::onnx("ReduceL2", 1),
        Spelling::onnx("ReduceSumSquare", 1),
        Spelling::onnx("ReduceLogSum", 1),
        Spelling::onnx("ReduceLogSumExp", 1),
        Spelling::tflite("SUM"),
        Spelling::tflite("MEAN"),
        Spelling::tflite("REDUCE_MAX"),
        Spelling::tflite("REDUCE_MIN"),
        Spelling::tflite("REDUCE_PROD"),
        Spelling::tflite("REDUCE_ANY"),
        Spelling::tflite("REDUCE_ALL"),
        Spelling::caffe("Reduction"),
    ];
    const U8_AS_I8: Option<&'static str> =
        Some("works on differences to the zero points, or on order, so an offset cancels");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let rank = b.rank(x);
        match node.format {
            Format::Onnx => {
                let entry = REDUCTIONS.iter().find(|(_, _, name, ..)| *name == node.op);
                let (kind, ..) = entry.ok_or_else(|| ImportError::malformed("is not known"))?;
                let keep = node.flag("keepdims", true)?;
                // ReduceSum takes its axes as an input since opset 13, the others since 18.
                let none_is_none = node.flag("noop_with_empty_axes", false)?;
                let axes = match (node.opt_ints("axes")?, node.optional(1)) {
                    (Some(axes), _) => axes,
                    (None, Some(axes)) => b.ints(axes, "the list of axes")?,
                    (None, None) => Vec::new(),
                };
                if axes.is_empty() && none_is_none {
                    // Each element falls together with itself: a norm is still taken.
                    let (by, axes) = (Reduction(*kind), Vec::new());
                    return one(b.op(Self { by, axes, keep }, &[x])?);
                }
                one(b.op(Self::new(*kind, &axes, keep, rank)?, &[x])?)
            }
            Format::TfLite => {
                let entry = REDUCTIONS.iter().find(|(_, _, _, name, _)| *name == node.op);
                let kind = match node.op {
                    "REDUCE_ANY" => Kind::Max,
                    "REDUCE_ALL" => Kind::Min,
                    _ => entry.ok_or_else(|| ImportError::malformed("is not known"))?.0,
                };
                let keep = node.flag("keep_dims", false)?;
                let axes = b.ints(node.input(1)?, "the list of axes")?;
                if axes.is_empty() {
                    let quant = node.output_type(0).and_then(|ty| ty.quant.as_ref());
                    if !b.ty(x).is_quantized() || b.ty(x).quant.as_ref() == quant {
                        return one(x);
                    }
                    // Each element is rescaled alone.
                    let (by, axes) = (Reduction(kind), Vec::new());
                    return one(b.op(Self { by, axes, keep }, &[x])?);
                }
                one(b.op(Self::new(kind, &axes, keep, rank)?, &[x])?)
            }
            Format::Caffe => {
                let name = node.text("operation", "SUM")?;
                let entry = REDUCTIONS.iter().find(|(.., caffe)| *caffe == name);
                let (kind, ..) = entry.ok_or_else(|| {
                    ImportError::unsupported(format!("{name} is not known")).attribute("operation")
                })?;
                let first = axis(node.int("axis", 0)?, rank)?;
                let axes: Vec<i64> = (first..rank).map(|axis| axis as i64).collect();
                let y = b.op(Self::new(*kind, &axes, false, rank)?, &[x])?;
                let coeff = node.float("coeff", 1.0)?;
                if coeff == 1.0 {
                    return one(y);
                }
                let coeff = b.scalar(coeff);
                one(b.op(super::Mul {}, &[y, coeff])?)
            }
        }
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        for &at in &self.axes {
            axis(at as i64, x.rank())?;
        }
        let each = x.dims.iter().enumerate();
        let dims: Vec<Dim> = each
            .filter_map(|(i, dim)| match (self.axes.contains(&i), self.keep) {
                (true, true) => Some(Dim::Known(1)),
                (true, false) => None,
                (false, _) => Some(dim.clone()),
            })
            .collect();
        Ok(vec![TensorType::new(x.dtype, dims)])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let Some(x) = inputs.optional(0) else { return Vec::new() };
        let (Some(known), true) = (x.known, self.axes.len() == x.ty.rank()) else {
            return Vec::new();
        };
        let fold = |f: fn(&Dim, &Dim) -> Dim| {
            let (first, rest) = known.split_first()?;
            Some(vec![rest.iter().fold(first.clone(), |all, dim| f(&all, dim))])
        };
        vec![match self.by.0 {
            Kind::Sum => Some(vec![known.iter().fold(Dim::Known(0), |sum, dim| sum.add(dim))]),
            Kind::Prod => Some(vec![dim::product(known)]),
            Kind::Max => fold(Dim::larger),
            Kind::Min => fold(Dim::smaller),
            _ => None,
        }]
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let mut axes = Vec::with_capacity(self.axes.len());
        for &at in &self.axes {
            axes.push(*perm.get(at)?);
        }
        axes.sort_unstable();
        let perm = if self.keep { perm.to_vec() } else { moves::without_axes(perm, &axes) };
        Some((Self { axes, ..self.clone() }.into(), perm))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        let axes = s.axes(&self.axes);
        let axes = s.list(&axes)?;
        let keep = flag(if s.is_tflite() { "keep_dims" } else { "keepdims" }, self.keep);
        let entry = REDUCTIONS.iter().find(|(kind, ..)| *kind == self.by.0);
        let Some((_, _, onnx, tflite, _)) = entry else {
            return Err(SpellError::Bug("an unknown reduction".to_owned()));
        };
        if !s.is_tflite() {
            let none = self.axes.is_empty().then(|| flag("noop_with_empty_axes", true));
            return s.emit(onnx, &[Some(x), Some(axes)], [keep].into_iter().chain(none).collect());
        }
        let boolean = s.type_of(x).dtype == DType::Bool;
        let name = match self.by.0 {
            Kind::Max if boolean => "REDUCE_ANY",
            Kind::Min if boolean => "REDUCE_ALL",
            _ => tflite,
        };
        if !name.is_empty() {
            return s.emit(name, &[Some(x), Some(axes)], vec![keep]);
        }
        let (ty, narrow) = (s.type_of(x).clone(), s.out(0)?);
        let (before, after) = match self.by.0 {
            Kind::L1 => ("ABS", ""),
            Kind::L2 => ("SQUARE", "SQRT"),
            Kind::SumSquare => ("SQUARE", ""),
            Kind::LogSum => ("", "LOG"),
            _ => return Err(SpellError::none("TFLite has no such reduction")),
        };
        let x = if before.is_empty() { x } else { s.step(before, &[x], Vec::new(), ty) };
        let sum = s.step("SUM", &[x, axes], vec![keep], narrow);
        if after.is_empty() { s.give(sum) } else { s.emit(after, &[Some(sum)], Vec::new()) }
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let x = io.input(0)?.ty;
        let kind = self.by.0;
        let axes = self.axes.iter().fold(0u32, |mask, &axis| mask | 1 << axis.min(31));
        if x.is_quantized() {
            return lower_quantized(kind, axes, io);
        }
        let float_only = matches!(kind, Kind::L2 | Kind::LogSum | Kind::LogSumExp);
        let kernel = match x.dtype {
            DType::F32 => &kernel::F32,
            DType::F64 => &kernel::F64,
            DType::Bool if matches!(kind, Kind::Min | Kind::Max) => &kernel::BOOL,
            DType::I32 if !float_only => &kernel::I32,
            DType::I64 if !float_only => &kernel::I64,
            DType::I8 if !float_only => &kernel::I8,
            DType::U8 if !float_only => &kernel::U8,
            DType::I16 if !float_only => &kernel::I16,
            other => return Err(LowerError::no_kernel(format!("{kind:?} of {other}"))),
        };
        Ok(Lowered::plain(kernel, &kernel::Params { kind: kind as u32, axes }, 1))
    }
}

impl Reduce {
    /// Along `axes`, negative ones counted from the back; along all when there are none.
    fn new(kind: Kind, axes: &[i64], keep: bool, rank: usize) -> Result<Self, ShapeError> {
        let mut sorted = Vec::with_capacity(axes.len());
        for &at in axes {
            sorted.push(axis(at, rank)?);
        }
        if axes.is_empty() {
            sorted.extend(0..rank);
        }
        sorted.sort_unstable();
        sorted.dedup();
        Ok(Self { by: Reduction(kind), axes: sorted, keep })
    }
}

/// As TFLM's reference kernels (`micro/kernels/reduce_common.cc`).
fn lower_quantized(kind: Kind, axes: u32, io: &Io<'_>) -> Result<Lowered, LowerError> {
    let wide = elementwise::is_wide(io)?;
    let ((x, in_zero), (y, out_zero)) = (io.input_quant(0)?, io.output_quant(0)?);
    match kind {
        Kind::Sum | Kind::Mean => {
            let factor = elementwise::factor(f64::from(x) / f64::from(y))?;
            let kind = kind as u32;
            let params = kernel::ParamsI8 { kind, axes, in_zero, out_zero, factor };
            let kernel = if wide { &kernel::MEAN_I16 } else { &kernel::MEAN_I8 };
            Ok(Lowered::plain(kernel, &params, 1))
        }
        Kind::Max | Kind::Min if (x, in_zero) == (y, out_zero) => {
            let kernel = if wide { &kernel::I16 } else { &kernel::I8 };
            Ok(Lowered::plain(kernel, &kernel::Params { kind: kind as u32, axes }, 1))
        }
        kind => Err(LowerError::no_kernel(format!("{kind:?} of quantized tensors"))),
    }
}
