//! How sums of quantized products become stored integers.

use super::prelude::*;
use crate::attr::{Attr, Field};

/// Whose arithmetic brings the sums of quantized products to the scale of the result. Without
/// meaning on f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rescale {
    /// TFLite's: in fixed point, rounded twice.
    #[default]
    Tflite,
    /// TFLite's in models that were unsigned: two scales are multiplied in f32.
    TfliteU8,
    /// ONNX's: by one product in f32, halves to even.
    Onnx,
}

const WORDS: [(Rescale, &str); 3] =
    [(Rescale::Tflite, "tflite"), (Rescale::TfliteU8, "tflite_u8"), (Rescale::Onnx, "onnx")];

impl Rescale {
    /// TFLite's for a model that was unsigned or not.
    pub fn tflite(was_u8: bool) -> Self {
        if was_u8 { Self::TfliteU8 } else { Self::Tflite }
    }
}

impl Field for Rescale {
    fn write(&self) -> Attr {
        let entry = WORDS.iter().find(|(rescale, _)| rescale == self);
        Attr::Word(entry.map_or("tflite", |(_, word)| word).to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(text) = attr else { return None };
        WORDS.iter().find(|(_, word)| word == text).map(|(rescale, _)| *rescale)
    }
}

/// One f32 factor for each of `channels` output channels, formed as ONNX Runtime's QLinearConv does
/// (`core/providers/cpu/quantization/qlinearconv.cc`): in f32, from the left.
///
/// # Errors
/// When scales are missing.
pub fn onnx_scales(io: &Io<'_>, channels: usize) -> Result<Arg, LowerError> {
    let (x, _) = io.input_quant(0)?;
    let (y, _) = io.output_quant(0)?;
    let weights = io.input(1)?.ty.quant.as_ref();
    let scales = weights.map_or(&[][..], |quant| &quant.scales);
    if scales.len() != 1 && scales.len() != channels {
        let message = format!("the weights have {} scales for {channels} channels", scales.len());
        return Err(LowerError::no_kernel(message));
    }
    let one = |channel: usize| x * scales[if scales.len() == 1 { 0 } else { channel }] / y;
    let factors: Vec<f32> = (0..channels).map(one).collect();
    Ok(Arg::Const(Const::from_f32(&[channels], &factors)))
}
