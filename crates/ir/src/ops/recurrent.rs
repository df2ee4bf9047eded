//! What recurrent layers have in common: ONNX's attributes, directions, layouts.

use embarca_kernels::recurrent as kernel;
use kernel::Curve;

use super::prelude::*;
use super::slice::{Part, take};
use super::{Add, Concat, Dense};
use crate::attr::{Attr, Field};

/// A function between layers and its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    /// Which one.
    pub curve: Curve,
    /// Its first parameter; 0 when it has none.
    pub alpha: f32,
    /// Its second parameter; 0 when it has none.
    pub beta: f32,
}

/// Each function's name in ONNX and the default values of its parameters.
const CURVES: &[(Curve, &str, Option<f32>, Option<f32>)] = &[
    (Curve::Sigmoid, "Sigmoid", None, None),
    (Curve::Tanh, "Tanh", None, None),
    (Curve::Relu, "Relu", None, None),
    (Curve::Affine, "Affine", Some(1.0), Some(0.0)),
    (Curve::LeakyRelu, "LeakyRelu", Some(0.01), None),
    (Curve::ThresholdedRelu, "ThresholdedRelu", Some(1.0), None),
    (Curve::ScaledTanh, "ScaledTanh", Some(1.0), Some(1.0)),
    (Curve::HardSigmoid, "HardSigmoid", Some(0.2), Some(0.5)),
    (Curve::Elu, "Elu", Some(1.0), None),
    (Curve::Softsign, "Softsign", None, None),
    (Curve::Softplus, "Softplus", None, None),
];

impl Activation {
    /// A function without parameters.
    pub const fn plain(curve: Curve) -> Self {
        Self { curve, alpha: 0.0, beta: 0.0 }
    }

    /// As a kernel's record holds it.
    pub fn lowered(self) -> kernel::Activation {
        kernel::Activation { curve: self.curve as u32, alpha: self.alpha, beta: self.beta }
    }
}

impl Field for Activation {
    fn write(&self) -> Attr {
        let entry = CURVES.iter().find(|(curve, ..)| *curve == self.curve);
        let name = entry.map_or("Sigmoid", |(_, name, ..)| name);
        Attr::List(vec![
            Attr::Word(name.to_owned()),
            Attr::Float(self.alpha),
            Attr::Float(self.beta),
        ])
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::List(items) = attr else { return None };
        let [Attr::Word(word), Attr::Float(alpha), Attr::Float(beta)] = items.as_slice() else {
            return None;
        };
        let (curve, ..) = CURVES.iter().find(|(_, name, ..)| name == word)?;
        Some(Self { curve: *curve, alpha: *alpha, beta: *beta })
    }
}

/// A layer of one direction, its products with the input already formed.
#[derive(Clone, Debug)]
pub struct Direction {
    /// `[T, N, G * H]`
    pub gates: ValueId,
    /// `[H, G * H]`
    pub r: ValueId,
    /// `[G * H]`, not yet in `gates` where the layer has asked for it.
    pub recurrent_bias: Option<ValueId>,
    /// `[N, H]`, one for each state.
    pub states: Vec<Option<ValueId>>,
    /// `[3, H]`
    pub peepholes: Option<ValueId>,
    /// `[N]`
    pub lens: Option<ValueId>,
    /// Whether sequences are read from their end.
    pub reverse: bool,
    /// Bound of what goes into activations; infinity when there is none.
    pub clip: f32,
    /// As many as the layer has.
    pub activations: Vec<Activation>,
}

/// What tells the layers apart.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Gates.
    pub gates: usize,
    /// The activations of one direction where the node names none.
    pub activations: &'static [Curve],
    /// How many states there are; their initial values are inputs 5 and 6.
    pub states: usize,
    /// Whether the bias of the recurrent product is kept apart for the gates from this one on.
    pub bias_apart: Option<usize>,
}

/// Imports an ONNX node, one direction after the other; `make` yields y and the states.
///
/// # Errors
/// When the node asks for what is not done.
pub fn import_onnx(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    layer: Layer,
    mut make: impl FnMut(&mut Builder<'_>, Direction) -> Result<Vec<ValueId>, ShapeError>,
) -> Result<Vec<ValueId>, ImportError> {
    let batch_first = node.flag("layout", false)?;
    let directions: &[bool] = match node.text("direction", "forward")? {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => {
            let message = format!("'{other}' is no direction");
            return Err(ImportError::malformed(message).attribute("direction"));
        }
    };
    let clip = node.float("clip", f32::INFINITY)?;
    let activations = activations(node, layer.activations, directions.len())?;
    let mut x = node.input(0)?;
    if batch_first {
        x = b.transpose(x, &[1, 0, 2])?;
    }
    let (w, r, bias) = (node.input(1)?, node.input(2)?, node.optional(3));
    let [count, wide, hidden] = super::spatial::weight_dims(b.ty(r))?;
    if count != directions.len() || wide != layer.gates * hidden {
        let message = format!("recurrent weights {} do not fit the layer", b.ty(r));
        return Err(ImportError::malformed(message));
    }
    if node.opt_int("hidden_size")?.is_some_and(|size| usize::try_from(size) != Ok(hidden)) {
        let message = format!("the weights have {hidden} units");
        return Err(ImportError::malformed(message).attribute("hidden_size"));
    }
    let mut results: Vec<Vec<ValueId>> = Vec::new();
    for (number, &reverse) in directions.iter().enumerate() {
        let w = nth(b, w, 0, number)?;
        let r = nth(b, r, 0, number)?;
        let bias = bias.map(|bias| nth(b, bias, 0, number)).transpose()?;
        let (bias, recurrent_bias) = match bias {
            Some(bias) => biases(b, bias, wide, layer.bias_apart.map(|gate| gate * hidden))?,
            None => (None, None),
        };
        let inputs: Vec<ValueId> = [Some(x), Some(w), bias].into_iter().flatten().collect();
        let gates = b.op(Dense::PLAIN, &inputs)?;
        let r = b.transpose(r, &[1, 0])?;
        let axis = usize::from(batch_first);
        let mut states = Vec::new();
        for state in 0..layer.states {
            let initial = node.optional(5 + state);
            states.push(initial.map(|value| nth(b, value, axis, number)).transpose()?);
        }
        let peepholes = if layer.states == 2 { node.optional(7) } else { None };
        let peepholes = match peepholes {
            Some(p) => {
                let p = nth(b, p, 0, number)?;
                Some(b.reshape(p, vec![Dim::Known(3), Dim::Known(hidden as i64)])?)
            }
            None => None,
        };
        let each = layer.activations.len();
        let direction = Direction {
            gates,
            r,
            recurrent_bias,
            states,
            peepholes,
            lens: node.optional(4),
            reverse,
            clip,
            activations: activations[number * each..(number + 1) * each].to_vec(),
        };
        results.push(make(b, direction)?);
    }
    gather(b, &results, batch_first)
}

/// Slice `index` along `axis`, without that axis.
fn nth(b: &mut Builder<'_>, x: ValueId, at: usize, index: usize) -> Result<ValueId, ShapeError> {
    let mut dims = b.ty(x).dims.clone();
    axis(at as i64, dims.len())?;
    let mut parts: Vec<Part> = dims.iter().map(Part::whole).collect();
    parts[at] = Part { start: index as i64, step: 1, len: Dim::Known(1) };
    let part = take(b, x, &parts)?;
    dims.remove(at);
    b.reshape(part, dims)
}

/// The bias that goes into the gates and the one that does not, from those of both products.
fn biases(
    b: &mut Builder<'_>,
    bias: ValueId,
    wide: usize,
    apart: Option<usize>,
) -> Result<(Option<ValueId>, Option<ValueId>), ShapeError> {
    let part = |b: &mut Builder<'_>, start: usize, len: usize| {
        take(b, bias, &[Part { start: start as i64, step: 1, len: Dim::Known(len as i64) }])
    };
    let (first, second) = (part(b, 0, wide)?, part(b, wide, wide)?);
    let Some(from) = apart else { return Ok((Some(b.op(Add {}, &[first, second])?), None)) };
    let (head, kept) = (part(b, wide, from)?, part(b, wide + from, wide - from)?);
    let zeros = b.f32s(&[wide - from], &vec![0.0; wide - from]);
    let second = b.op(Concat { axis: 0 }, &[head, zeros])?;
    Ok((Some(b.op(Add {}, &[first, second])?), Some(kept)))
}

/// The node's outputs from those of its directions.
fn gather(
    b: &mut Builder<'_>,
    results: &[Vec<ValueId>],
    batch_first: bool,
) -> Result<Vec<ValueId>, ImportError> {
    let count = results.first().map_or(0, Vec::len);
    let mut outputs = Vec::with_capacity(count);
    for output in 0..count {
        // y `[T, N, H]` gains the axis of directions behind the first, states gain it in front.
        let at = usize::from(output == 0);
        let mut parts = Vec::new();
        for result in results {
            let mut dims = b.ty(result[output]).dims.clone();
            dims.insert(at, Dim::Known(1));
            parts.push(b.reshape(result[output], dims)?);
        }
        let whole = match parts.as_slice() {
            [only] => *only,
            parts => b.op(Concat { axis: at }, parts)?,
        };
        let perm: &[usize] = if output == 0 { &[2, 0, 1, 3] } else { &[1, 0, 2] };
        outputs.push(if batch_first { b.transpose(whole, perm)? } else { whole });
    }
    Ok(outputs)
}

fn activations(
    node: &NodeView<'_>,
    defaults: &[Curve],
    directions: usize,
) -> Result<Vec<Activation>, ImportError> {
    let mut alphas = node.opt_floats("activation_alpha")?.unwrap_or_default().into_iter();
    let mut betas = node.opt_floats("activation_beta")?.unwrap_or_default().into_iter();
    let names = match node.opt_texts("activations")? {
        Some(names) => names,
        None => {
            let plain = defaults.iter().map(|&curve| Activation::plain(curve));
            let plain: Vec<_> = plain.collect();
            return Ok(plain.repeat(directions));
        }
    };
    if names.len() != defaults.len() * directions {
        let message = format!("{} names for {directions} directions", names.len());
        return Err(ImportError::malformed(message).attribute("activations"));
    }
    let mut result = Vec::with_capacity(names.len());
    for name in &names {
        let entry = CURVES.iter().find(|(_, known, ..)| known.eq_ignore_ascii_case(name));
        let &(curve, _, alpha, beta) = entry.ok_or_else(|| {
            ImportError::unsupported(format!("'{name}' is not known")).attribute("activations")
        })?;
        let alpha = alpha.map(|default| alphas.next().unwrap_or(default)).unwrap_or(0.0);
        let beta = beta.map(|default| betas.next().unwrap_or(default)).unwrap_or(0.0);
        result.push(Activation { curve, alpha, beta });
    }
    Ok(result)
}

/// The types of y and of `states` states, from gates `[T, N, G * H]` and weights `[H, G * H]`.
///
/// # Errors
/// When they do not fit.
pub fn infer(
    inputs: Operands<'_, '_>,
    count: i64,
    states: usize,
) -> Result<Vec<TensorType>, ShapeError> {
    let (gates, r) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
    let ([steps, batch, wide], [hidden, r_wide]) = (gates.dims.as_slice(), r.dims.as_slice())
    else {
        return Err(ShapeError::new("gates have three axes, recurrent weights two"));
    };
    if !wide.may_equal(&hidden.mul(&Dim::Known(count))) || !wide.may_equal(r_wide) {
        let message = format!("gates of {wide} meet recurrent weights {r}");
        return Err(ShapeError::new(message));
    }
    for state in 0..states {
        if let Some(state) = inputs.optional(2 + state)
            && !(state.ty.rank() == 2
                && state.ty.dims[0].may_equal(batch)
                && state.ty.dims[1].may_equal(hidden))
        {
            return Err(ShapeError::new(format!("a state {} is not {batch} x {hidden}", state.ty)));
        }
    }
    let y = TensorType::new(gates.dtype, [steps.clone(), batch.clone(), hidden.clone()]);
    let state = TensorType::new(gates.dtype, [batch.clone(), hidden.clone()]);
    Ok([y].into_iter().chain(vec![state; states]).collect())
}

/// The step: every input as it is, f32 only.
///
/// # Errors
/// For another type.
pub fn lower(
    io: &Io<'_>,
    kernel: &embarca_kernels::Kernel,
    params: &(impl zerocopy::IntoBytes + zerocopy::Immutable),
) -> Result<Lowered, LowerError> {
    let x = io.input(0)?.ty;
    if x.dtype != DType::F32 {
        return Err(LowerError::no_kernel(format!("a recurrent layer of {}", x.dtype)));
    }
    let args = (0..io.inputs.len()).map(|index| super::spatial::optional_arg(io, index));
    Ok(Lowered::new(kernel, params, args.collect()))
}
