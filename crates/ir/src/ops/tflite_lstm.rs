//! TFLite's recurrent layers, whose states are variables of the model.
//!
//! What TFLM refuses is refused here: peepholes, projections, layer norms and coupled gates.

use embarca_kernels::recurrent::Curve;

use super::prelude::*;
use super::recurrent::Activation;
use super::{Concat, Dense, Lstm, QuantizedLstm, Rnn};

/// TFLite's places of the gates' weights and biases in the order input, output, forget, cell.
const ORDER: [usize; 4] = [0, 3, 1, 2];

/// UNIDIRECTIONAL_SEQUENCE_LSTM.
///
/// # Errors
/// When the node asks for what is not done.
pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    // How hybrid layers quantize, and the scales of layers with normalization.
    node.ignore(&["asymmetric_quantize_inputs", "intermediates"]);
    let absent: [(&[usize], &str); 3] = [
        (&[9, 10, 11], "peepholes are"),
        (&[16, 17], "a projection is"),
        (&[20, 21, 22, 23], "layer normalization is"),
    ];
    for (inputs, what) in absent {
        if inputs.iter().any(|&input| node.optional(input).is_some()) {
            return Err(ImportError::unsupported(format!("{what} not supported")));
        }
    }
    if node.optional(1).is_none() {
        return Err(ImportError::unsupported("coupled input and forget gates are not supported"));
    }
    if node.float("proj_clip", 0.0)? != 0.0 {
        return Err(ImportError::unsupported("is not supported").attribute("proj_clip"));
    }
    let cell_clip = node.float("cell_clip", 0.0)?;
    let activation = node.text("fused_activation_function", "TANH")?;
    if activation != "TANH" {
        let message = format!("{activation} is not supported");
        return Err(ImportError::unsupported(message).attribute("fused_activation_function"));
    }
    if node.flag("diagonal_recurrent_tensors", false)? {
        let error = ImportError::unsupported("is not supported");
        return Err(error.attribute("diagonal_recurrent_tensors"));
    }
    let (h, c) = (node.input(18)?, node.input(19)?);
    let time_major = node.flag("time_major", false)?;
    let x = steps_first(b, node.input(0)?, time_major)?;
    let places = |first: usize| ORDER.map(|gate| first + gate);
    let [w, r] = [1, 5].map(|first| stack(node, b, places(first)));
    let (w, r, bias) = (w?, r?, stack(node, b, places(12))?);
    let outputs = match b.ty(x).dtype {
        DType::F32 => {
            let gates = b.op(Dense::PLAIN, &[x, w, bias])?;
            let r = b.transpose(r, &[1, 0])?;
            let op = Lstm {
                reverse: false,
                coupled: false,
                clip: f32::INFINITY,
                cell_clip: if 0.0 < cell_clip { cell_clip } else { f32::INFINITY },
                activations: [Curve::Sigmoid, Curve::Tanh, Curve::Tanh].map(Activation::plain),
            };
            b.node(op, &[Some(gates), Some(r), Some(h), Some(c)])?
        }
        _ => {
            let inputs = [x, w, r, bias, h, c].map(Some);
            b.node(QuantizedLstm { cell_clip }, &inputs)?
        }
    };
    let [y, next_h, next_c] = outputs.as_slice() else {
        return Err(ImportError::malformed("the layer has other outputs"));
    };
    node.assign(18, *next_h);
    node.assign(19, *next_c);
    let y = steps_first(b, *y, time_major)?;
    if let Some(declared) = node.output_type(0) {
        b.set_quant(y, declared.quant.clone());
    }
    one(y)
}

/// RNN and UNIDIRECTIONAL_SEQUENCE_RNN.
///
/// # Errors
/// When the node asks for what is not done.
pub fn import_rnn(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    node.ignore(&["asymmetric_quantize_inputs"]);
    let activation = match node.text("fused_activation_function", "NONE")? {
        "NONE" => Activation { curve: Curve::Affine, alpha: 1.0, beta: 0.0 },
        "RELU" => Activation::plain(Curve::Relu),
        "TANH" => Activation::plain(Curve::Tanh),
        other => {
            let message = format!("{other} is not supported");
            return Err(ImportError::unsupported(message).attribute("fused_activation_function"));
        }
    };
    let (x, w, r) = (node.input(0)?, node.input(1)?, node.input(2)?);
    let (bias, h) = (node.input(3)?, node.input(4)?);
    let sequence = node.op != "RNN";
    let time_major = !sequence || node.flag("time_major", false)?;
    let x = if sequence {
        steps_first(b, x, time_major)?
    } else {
        let dims = [Dim::Known(1)].into_iter().chain(b.ty(x).dims.clone()).collect();
        b.reshape(x, dims)?
    };
    let gates = b.op(Dense::PLAIN, &[x, w, bias])?;
    let r = b.transpose(r, &[1, 0])?;
    let op = Rnn { reverse: false, clip: f32::INFINITY, activation };
    let outputs = b.node(op, &[Some(gates), Some(r), Some(h)])?;
    let [y, next] = outputs.as_slice() else {
        return Err(ImportError::malformed("the layer has other outputs"));
    };
    node.assign(4, *next);
    if sequence {
        return one(steps_first(b, *y, time_major)?);
    }
    let dims = b.ty(*y).dims.get(1..).unwrap_or_default().to_vec();
    one(b.reshape(*y, dims)?)
}

/// From `[N, T, ...]` to `[T, N, ...]` and back, unless steps come first already.
fn steps_first(b: &mut Builder<'_>, x: ValueId, time_major: bool) -> Result<ValueId, ShapeError> {
    if time_major {
        return Ok(x);
    }
    let quant = b.ty(x).quant.clone();
    let x = b.transpose(x, &[1, 0, 2])?;
    b.set_quant(x, quant);
    Ok(x)
}

/// The constants of four gates, one below the other, each with its scale.
fn stack(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    places: [usize; 4],
) -> Result<ValueId, ImportError> {
    let mut gates = Vec::with_capacity(4);
    for place in places {
        gates.push(node.input(place)?);
    }
    let ty = b.ty(gates[0]).clone();
    if !ty.is_quantized() {
        return Ok(b.op(Concat { axis: 0 }, &gates)?);
    }
    let (mut bytes, mut scales, mut rows) = (Vec::new(), Vec::new(), 0);
    for &gate in &gates {
        let constant = || ImportError::unsupported("the layer's weights are not constants");
        let data = b.const_of(gate).ok_or_else(constant)?;
        let single = b.ty(gate).quant.as_ref().and_then(Quant::single);
        let Some((scale, 0)) = single else {
            let message = "the layer's weights have several scales or a zero point";
            return Err(ImportError::unsupported(message));
        };
        let width = ty.known_dims().and_then(|dims| dims.get(1).copied());
        if data.dtype != ty.dtype || data.dims.get(1).copied() != width {
            return Err(ImportError::malformed("the gates' weights differ in shape or type"));
        }
        let count = data.dims.first().copied().unwrap_or(0);
        scales.resize(scales.len() + count, scale);
        bytes.extend_from_slice(&data.data);
        rows += count;
    }
    let mut dims = ty.known_dims().unwrap_or_default();
    if let Some(first) = dims.first_mut() {
        *first = rows;
    }
    let data = Const::new(ty.dtype, dims, bytes);
    let data = data.ok_or_else(|| ImportError::malformed("the gates' weights differ in shape"))?;
    let quant = Quant { zero_points: vec![0; scales.len()], scales, axis: Some(0) };
    Ok(b.constant(data, Some(quant)))
}
