//! Pad: elements added before and after each axis, or (negative padding) removed.

use embarca_kernels::pad as kernel;
use kernel::Mode;

use super::moves;
use super::prelude::*;
use crate::attr::{Attr, Field};

crate::payload! {
    /// Continues a tensor beyond its borders.
    pub struct Pad {
        /// With what.
        pub mode: PadMode,
        /// Elements before each axis.
        pub before: Vec<i64>,
        /// Elements after each axis.
        pub after: Vec<i64>,
        /// The real number that stands outside in mode `constant`.
        pub value: f32,
    }
}

/// What stands outside the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PadMode(pub Mode);

const MODES: [(Mode, &str); 5] = [
    (Mode::Constant, "constant"),
    (Mode::Reflect, "reflect"),
    (Mode::Edge, "edge"),
    (Mode::Symmetric, "symmetric"),
    (Mode::Wrap, "wrap"),
];

impl PadMode {
    /// ONNX's name.
    pub fn name(self) -> &'static str {
        MODES.iter().find(|(mode, _)| *mode == self.0).map_or("constant", |(_, name)| name)
    }
}

impl Field for PadMode {
    fn write(&self) -> Attr {
        Attr::Word(self.name().to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(word) = attr else { return None };
        MODES.iter().find(|(_, name)| name == word).map(|(mode, _)| Self(*mode))
    }
}

impl OpDef for Pad {
    const NAME: &'static str = "pad";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Pad", 2),
        Spelling::tflite("PAD"),
        Spelling::tflite("PADV2"),
        Spelling::tflite("MIRROR_PAD"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("moves data; the padding is stored as zero point");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = moves::as_declared(node, b, node.input(0)?)?;
        let rank = b.rank(x);
        let (mut mode, mut value) = (Mode::Constant, 0.0);
        let (before, after) = if node.format == Format::Onnx {
            let name = node.text("mode", "constant")?;
            let known = MODES.iter().find(|(mode, text)| *text == name && *mode != Mode::Symmetric);
            let unknown = || ImportError::unsupported(format!("{name} is not known"));
            mode = known.ok_or_else(|| unknown().attribute("mode"))?.0;
            let pads = match node.opt_ints("pads")? {
                Some(pads) => pads,
                None => b.ints(node.input(1)?, "the padding")?,
            };
            value = node.float("value", 0.0)?;
            if let Some(constant) = node.optional(2)
                && mode == Mode::Constant
            {
                value = real_value(b, constant)?;
            }
            let axes = match node.optional(3) {
                Some(axes) => b.ints(axes, "the list of axes")?,
                None => (0..rank as i64).collect(),
            };
            onnx_pads(&pads, &axes, rank)?
        } else {
            if node.op == "MIRROR_PAD" {
                mode = match node.text("mode", "REFLECT")? {
                    "REFLECT" => Mode::Reflect,
                    _ => Mode::Symmetric,
                };
            }
            if node.op == "PADV2" {
                value = real_value(b, node.input(2)?)?;
            }
            let pads = b.ints(node.input(1)?, "the padding")?;
            let (pairs, rest) = pads.as_chunks::<2>();
            if pairs.len() != rank || !rest.is_empty() {
                return Err(ImportError::malformed("the padding is not a pair for each axis"));
            }
            if let Some(by) = pads.iter().find(|&&by| by < 0) {
                return Err(ImportError::malformed(format!("padding by {by} elements")));
            }
            let dims = &b.ty(x).dims;
            let farthest = |dim: &Dim| match mode {
                Mode::Reflect => dim.known().map(|dim| dim - 1),
                Mode::Symmetric => dim.known(),
                _ => None,
            };
            for (dim, pair) in dims.iter().zip(pairs) {
                let most = farthest(dim).unwrap_or(i64::MAX);
                if let Some(by) = pair.iter().find(|&&by| most < by) {
                    let message = format!("{by} elements are mirrored of {dim}");
                    return Err(ImportError::malformed(message));
                }
            }
            pairs.iter().map(|[before, after]| (*before, *after)).unzip()
        };
        let y = b.op(Self { mode: PadMode(mode), before, after, value }, &[x])?;
        one(y)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        if self.before.len() != x.rank() || self.after.len() != x.rank() {
            return Err(ShapeError::new(format!("padding of {} axes on {x}", self.before.len())));
        }
        let mut dims = Vec::with_capacity(x.rank());
        for ((dim, &before), &after) in x.dims.iter().zip(&self.before).zip(&self.after) {
            let sum = dim.add(&Dim::Known(before)).add(&Dim::Known(after));
            if sum.known().is_some_and(|sum| sum < 0) {
                return Err(ShapeError::new(format!(
                    "{before} and {after} remove more than {dim}"
                )));
            }
            dims.push(sum);
        }
        let mut ty = x.with_dims(dims);
        ty.quant = ty.quant.filter(|quant| quant.axis.is_none());
        Ok(vec![ty])
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let (before, after) =
            (moves::permuted(&self.before, perm)?, moves::permuted(&self.after, perm)?);
        Some((Self { before, after, ..self.clone() }.into(), perm.to_vec()))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let ty = s.out(0)?;
        s.moves();
        let quant = ty.quant.as_ref().and_then(Quant::single);
        let stored = match (quant, ty.dtype) {
            (Some(quant), DType::I8) => quantized_bounds(Some((self.value, self.value)), quant, (-128, 127)).0.into(),
            (Some(quant), _) => quantized_bounds(Some((self.value, self.value)), quant, (-32768, 32767)).0.into(),
            (None, _) => f64::from(self.value),
        };
        let value = super::draft::numbers(ty.dtype, &[], &[stored]);
        let value = value.map_err(|error| SpellError::none(error.0));
        let mut x = s.input(0)?;
        if !s.is_tflite() {
            let mode = match self.mode.0 {
                Mode::Symmetric => return Err(SpellError::none("ONNX does not repeat the edge")),
                _ => self.mode.name(),
            };
            let pads = s.list(&[&self.before[..], &self.after].concat())?;
            let mut inputs = vec![Some(x), Some(pads)];
            if self.mode.0 == Mode::Constant {
                inputs.push(Some(s.constant(value?)));
            }
            return s.emit("Pad", &inputs, vec![text("mode", mode)]);
        }
        if self.before.iter().chain(&self.after).any(|&pad| pad < 0) {
            // What is removed goes first.
            let mut cut = s.type_of(x).clone();
            let begin: Vec<i64> = self.before.iter().map(|&pad| (-pad).max(0)).collect();
            for (i, dim) in cut.dims.iter_mut().enumerate() {
                *dim = dim.add(&Dim::Known(self.before[i].min(0) + self.after[i].min(0)));
            }
            let (begin, size) = (s.list(&begin)?, s.shape(&cut.dims)?);
            x = s.step("SLICE", &[x, begin, size], Vec::new(), cut);
        }
        let pairs = self.before.iter().zip(&self.after);
        let pairs: Vec<i64> = pairs.flat_map(|(&b, &a)| [b.max(0), a.max(0)]).collect();
        let pads = s.pairs(&pairs)?;
        match self.mode.0 {
            Mode::Constant if self.value == 0.0 => s.emit("PAD", &[Some(x), Some(pads)], Vec::new()),
            Mode::Constant => {
                let value = match ty.quant {
                    Some(quant) => s.quantized(value?, quant),
                    None => s.constant(value?),
                };
                s.emit("PADV2", &[Some(x), Some(pads), Some(value)], Vec::new())
            }
            Mode::Reflect => s.emit("MIRROR_PAD", &[Some(x), Some(pads)], vec![text("mode", "REFLECT")]),
            Mode::Symmetric => {
                s.emit("MIRROR_PAD", &[Some(x), Some(pads)], vec![text("mode", "SYMMETRIC")])
            }
            _ => Err(SpellError::none(format!("TFLite does not pad by {}", self.mode.name()))),
        }
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let ty = io.output(0)?;
        let quant = ty.quant.as_ref().and_then(Quant::single);
        let stored = |low: i32, high: i32| match quant {
            Some(quant) => quantized_bounds(Some((self.value, self.value)), quant, (low, high)).0,
            None => (self.value as i32).clamp(low, high),
        };
        let value = match ty.dtype {
            DType::F32 => kernel::Params::value_of(&self.value.to_le_bytes()),
            DType::I8 => kernel::Params::value_of(&(stored(-128, 127) as i8).to_le_bytes()),
            DType::U8 | DType::Bool => kernel::Params::value_of(&[stored(0, 255) as u8]),
            DType::I16 => kernel::Params::value_of(&(stored(-32768, 32767) as i16).to_le_bytes()),
            DType::I32 => kernel::Params::value_of(&stored(i32::MIN, i32::MAX).to_le_bytes()),
            DType::I64 => kernel::Params::value_of(&(self.value as i64).to_le_bytes()),
            _ if self.value == 0.0 => [0, 0],
            other => return Err(LowerError::no_kernel(format!("padding of {other}"))),
        };
        let mut params = kernel::Params { mode: self.mode.0 as u32, before: [0; 8], value };
        for (to, &before) in params.before.iter_mut().zip(&self.before) {
            *to = i32::try_from(before)
                .map_err(|_| LowerError::no_kernel(format!("padding by {before}")))?;
        }
        Ok(Lowered::plain(&kernel::ANY, &params, 1))
    }
}

/// The one number of a constant; quantized ones as what they stand for.
fn real_value(b: &Builder<'_>, constant: ValueId) -> Result<f32, ImportError> {
    let refused = || ImportError::unknown(constant, "the padding is not one constant number");
    let [value] = b.const_of(constant).and_then(Const::to_f64).unwrap_or_default()[..] else {
        return Err(refused());
    };
    let ty = b.ty(constant);
    if let Some((scale, zero)) = ty.quant.as_ref().and_then(Quant::single) {
        return Ok(scale * (value as i32).wrapping_sub(zero) as f32);
    }
    if ty.dtype != DType::F32 && f64::from(value as f32) != value {
        return Err(refused());
    }
    Ok(value as f32)
}

/// All begins, then all ends, of the axes listed.
fn onnx_pads(pads: &[i64], axes: &[i64], rank: usize) -> Result<(Vec<i64>, Vec<i64>), ImportError> {
    if pads.len() != 2 * axes.len() {
        return Err(ImportError::malformed("the padding is not a pair for each axis"));
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (i, &at) in axes.iter().enumerate() {
        let at = axis(at, rank)?;
        (before[at], after[at]) = (pads[i], pads[i + axes.len()]);
    }
    Ok((before, after))
}
