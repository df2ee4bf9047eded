//! The constants of a layer with 8-bit weights, before any core's arrangement.

use embarca_kernels::tail::TailI8;
use embarca_num::fixed::Requant;
use zerocopy::FromBytes;

use super::{Site, word};

/// Constants of a layer with 8-bit weights and inputs, output by output.
pub(super) struct Layer {
    /// Weights in their canonical order.
    pub weights: Vec<i8>,
    /// With the input's zero point folded in: sums take the inputs as they are stored.
    pub biases: Vec<i32>,
    /// How sums become results.
    pub factors: Vec<Requant>,
    /// The least and the most that a sum can be.
    pub bounds: Vec<[i32; 2]>,
    /// Added to the rescaled sum.
    pub out_zero: i32,
    /// Bounds of the result.
    pub act: [i8; 2],
}

impl Site<'_> {
    /// The layer's constants, where every sum of an output fits 32 bits. `output_of(i)` is the output
    /// that weight `i` belongs to.
    ///
    /// A channel whose sums all give one result, as those that training has switched off, gets
    /// weights of zero and a bias with that result.
    pub(super) fn layer(
        &self,
        tail: &TailI8,
        outputs: usize,
        output_of: impl Fn(usize) -> usize,
    ) -> Option<Layer> {
        if tail.w_zero != 0 {
            return None;
        }
        let mut weights: Vec<i8> = self.constant(1)?.iter().map(|&w| w.cast_signed()).collect();
        let mut biases = match self.input(2) {
            Some(_) => {
                let bias = self.constant(2)?;
                bias.chunks_exact(4).map(|bytes| word(bytes).cast_signed()).collect()
            }
            None => vec![0; outputs],
        };
        let factors = self.constant(3)?.chunks_exact(size_of::<Requant>());
        let factors = factors.map(Requant::read_from_bytes).collect::<Result<Vec<_>, _>>().ok()?;
        if biases.len() != outputs || factors.len() != outputs {
            return None;
        }
        let (mut sums, mut sizes) = (vec![0i64; outputs], vec![0i64; outputs]);
        for (index, &w) in weights.iter().enumerate() {
            let output = output_of(index);
            *sums.get_mut(output)? += i64::from(w);
            sizes[output] += i64::from(w).abs() * 128;
        }
        let mut bounds = Vec::with_capacity(outputs);
        let mut constant = vec![false; outputs];
        for (output, factor) in factors.iter().enumerate() {
            let bias = i64::from(biases[output]) - i64::from(tail.in_zero) * sums[output];
            let (least, most) = (bias - sizes[output], bias + sizes[output]);
            let (least, most) = (i32::try_from(least).ok()?, i32::try_from(most).ok()?);
            let same = factor.apply(least) == factor.apply(most);
            constant[output] = factor.shift() <= 0 && same;
            let bias = if constant[output] { most } else { bias as i32 };
            biases[output] = bias;
            bounds.push(if constant[output] { [bias; 2] } else { [least, most] });
        }
        for (index, w) in weights.iter_mut().enumerate() {
            *w = if constant[output_of(index)] { 0 } else { *w };
        }
        let act = [tail.act_min as i8, tail.act_max as i8];
        Some(Layer { weights, biases, factors, bounds, out_zero: tail.out_zero, act })
    }
}
