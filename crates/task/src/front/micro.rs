//! The audio front end of TensorFlow Lite Micro: from 16-bit samples to logarithms of noise-reduced bands.
//!
//! The tables are those of its `experimental/microfrontend/lib` (`window_util.c`, `filterbank_util.c`,
//! `pcan_gain_control_util.c`), formed in f32 as there; the operators are those of its audio
//! preprocessor. One run takes one frame; the estimate of the noise and the frames before are states.

use embarca_ir::ops::{self, Signal, Stage as Step};
use embarca_ir::{Const, Quant, TensorType, ValueId};
use embarca_kernels::unary::Kind;
use embarca_num::{DType, float};

use crate::error::TaskError;
use crate::net::Port;
use crate::stage::{Result, Stage};

/// What can be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Micro {
    /// Samples a second.
    pub rate: u32,
    /// Samples of a frame.
    pub window: usize,
    /// Bands.
    pub bands: usize,
    /// Edges in Hz.
    pub edges: [f32; 2],
}

/// Bits behind the point of windows and filters.
const BITS: i32 = 12;
/// Bits of the gain.
const GAIN_BITS: i32 = 21;
/// The widths of filters are multiples of this many bins.
const BLOCK: usize = 4;
/// Filters begin at multiples of this many bins.
const ALIGN: usize = 2;

fn mel(hertz: f32) -> f32 {
    1127.0 * float::ln_1p(hertz / 700.0)
}

/// The filters: weights, what is left to 1, and for each filter its first bin, its first weight and its
/// width.
#[derive(Debug, Default)]
struct Bank {
    weights: Vec<i16>,
    rests: Vec<i16>,
    bins: Vec<i16>,
    starts: Vec<i16>,
    widths: Vec<i16>,
    /// The bins that are used.
    range: [usize; 2],
}

impl Micro {
    fn fft(&self) -> usize {
        self.window.next_power_of_two().max(8)
    }

    fn window(&self, exact: bool) -> Vec<i16> {
        let turn = std::f32::consts::PI * 2.0 / self.window as f32;
        let value = |i: usize| {
            let phase = turn * (i as f32 + 0.5);
            let cosine = if exact { f64::from(phase).cos() } else { float::cos(phase).into() };
            ((0.5 - 0.5 * cosine) * f64::from(1 << BITS) + 0.5).floor() as i16
        };
        (0..self.window).map(value).collect()
    }

    fn bank(&self, exact: bool) -> Result<Bank> {
        let count = self.bands + 1;
        let [low, high] = self.edges.map(mel);
        let spacing = (high - low) / count as f32;
        let centres: Vec<f32> = (0..count).map(|i| low + spacing * (i + 1) as f32).collect();
        let bins = self.fft() / 2 + 1;
        let hertz = 0.5 * self.rate as f32 / (bins - 1) as f32;
        let place = |bin: usize| mel(bin as f32 * hertz);
        let first = (1.5 + self.edges[0] / hertz) as usize;
        // The bins of each filter up to its centre.
        let mut spans = Vec::with_capacity(count);
        let mut bin = first;
        for centre in &centres {
            let from = bin;
            while place(bin) <= *centre && bin < bins {
                bin += 1;
            }
            spans.push((from, bin - from));
        }
        if bins <= bin {
            let high = self.edges[1];
            return Err(TaskError::spec(format!(
                "sound: high = {high} reaches half the rate, which is beyond micro features"
            )));
        }
        let mut bank = Bank { range: [first, bin], ..Bank::default() };
        // Empty filters share one block of zeros in front of the others.
        let mut next = if spans.iter().any(|(_, width)| *width == 0) { BLOCK } else { 0 };
        for (from, width) in &spans {
            if *width == 0 {
                bank.bins.push(0);
                bank.starts.push(0);
                bank.widths.push(BLOCK as i16);
                continue;
            }
            let aligned = from / ALIGN * ALIGN;
            let padded = (from - aligned + width).next_multiple_of(BLOCK);
            bank.bins.push(aligned as i16);
            bank.starts.push(next as i16);
            bank.widths.push(padded as i16);
            next += padded;
        }
        (bank.weights, bank.rests) = (vec![0; next], vec![0; next]);
        for (i, (from, width)) in spans.iter().enumerate() {
            let below = if i == 0 { low } else { centres[i - 1] };
            for bin in *from..from + width {
                let share = (centres[i] - place(bin)) / (centres[i] - below);
                // The audio preprocessor cuts off what the library rounds.
                let half = if exact { 0.0 } else { 0.5 };
                let stored = |share: f32| float::floor(share * (1 << BITS) as f32 + half) as i16;
                let at = bank.starts[i] as usize + bin - bank.bins[i] as usize;
                (bank.weights[at], bank.rests[at]) = (stored(share), stored(1.0 - share));
            }
        }
        Ok(bank)
    }

    /// Bits by which the numbers are off behind the filters.
    fn correction(&self) -> i32 {
        self.fft().ilog2() as i32 - BITS / 2
    }

    /// The gain as parabolas between powers of two.
    fn gains(&self) -> Vec<i16> {
        const STRENGTH: f32 = 0.95;
        const OFFSET: f32 = 80.0;
        let bits = 10 - self.correction();
        let gain = |x: u32| {
            let x = x as f32 / (1u64 << bits.clamp(0, 31)) as f32;
            let gain = (1 << GAIN_BITS) as f32 * float::pow(x + OFFSET, -STRENGTH);
            if f32::from(i16::MAX) < gain { i16::MAX } else { (gain + 0.5) as i16 }
        };
        let mut table = vec![gain(0), gain(1)];
        for interval in 2..=32u32 {
            let from = 1u32 << (interval - 1);
            let middle = from + from / 2;
            let to = if interval == 32 { from + (from - 1) } else { 2 * from };
            let [a, b, c] = [from, middle, to].map(|x| i32::from(gain(x)));
            let second = 4 * (b - a) - (c - a);
            table.extend([a as i16, second as i16, (c - a - second) as i16, 0]);
        }
        table.truncate(4 * 32 - 3);
        table
    }

    /// From samples f32 `[window]` to i16 `[bands]`.
    fn features(&self, stage: &mut Stage<'_>, samples: ValueId, exact: bool) -> Result<ValueId> {
        let full = stage.b.scalar(32768.0);
        let x = stage.op(ops::Mul {}, &[samples, full])?;
        let x = stage.op(ops::Unary::plain(Kind::Round), &[x])?;
        let x = stage.op(ops::Clip { min: -32768.0, max: 32767.0 }, &[x])?;
        let x = stage.cast(x, DType::I16)?;
        let shorts = |stage: &mut Stage<'_>, values: &[i16]| -> Result<ValueId> {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let table = Const::new(DType::I16, vec![values.len()], bytes);
            let table = table.ok_or_else(|| TaskError::spec("sound: a table is too large"))?;
            Ok(stage.b.constant(table, None))
        };
        let step = |stage: Step, numbers: &[i64]| Signal { stage, numbers: numbers.to_vec() };
        let window = shorts(stage, &self.window(exact))?;
        let x = stage.op(step(Step::Window, &[BITS.into()]), &[x, window])?;
        let scaled = stage.b.node(step(Step::AutoScale, &[]), &[Some(x)])?;
        let [x, shift] = scaled[..] else {
            return Err(TaskError::spec("sound: the samples cannot be scaled"));
        };
        let x = stage.op(step(Step::Rfft, &[self.fft() as i64]), &[x])?;
        let bank = self.bank(exact)?;
        let range = bank.range.map(|bin| bin as i64);
        let x = stage.op(step(Step::Energy, &range), &[x])?;
        let mut inputs = vec![x];
        for table in [&bank.weights, &bank.rests, &bank.bins, &bank.starts, &bank.widths] {
            inputs.push(shorts(stage, table)?);
        }
        let x = stage.op(step(Step::FilterBank, &[self.bands as i64]), &inputs)?;
        let x = stage.op(step(Step::Root, &[]), &[x, shift])?;
        let noise = stage.state("noise", TensorType::of(DType::U32, &[self.bands]))?;
        // Smoothing of even and of odd bands, what is left at least; 14 bits behind the point.
        let numbers = [409, 15975, 983, 15401, 10, 819, 14, 0];
        let less = stage.b.node(step(Step::Subtraction, &numbers), &[Some(x), Some(noise)])?;
        let [x, next] = less[..] else {
            return Err(TaskError::spec("sound: the noise cannot be subtracted"));
        };
        stage.keep(noise, next);
        let gains = shorts(stage, &self.gains())?;
        let shift = i64::from(GAIN_BITS - self.correction() - 12);
        let x = stage.op(step(Step::Pcan, &[shift]), &[x, next, gains])?;
        stage.op(step(Step::Log, &[64, self.correction().into()]), &[x])
    }

    /// From samples f32 `[window]` to one row `[1, bands]` of a model's input; `exact` is the integer
    /// arithmetic of the audio preprocessor, which knows one scale only.
    pub fn row(
        &self,
        stage: &mut Stage<'_>,
        samples: ValueId,
        port: &Port,
        exact: bool,
    ) -> Result<ValueId> {
        if !(33..=8192).contains(&self.window) {
            let what = format!("sound: micro features of frames of {} samples", self.window);
            return Err(TaskError::spec(what).hint("33 to 8192 are computed"));
        }
        let x = self.features(stage, samples, exact)?;
        let row = [1, self.bands as i64].map(embarca_ir::Dim::Known);
        let x = stage.reshape(x, &row)?;
        let quant = port.quant.map(|(scale, zero)| Quant::per_tensor(scale, zero));
        if exact {
            if port.dtype != DType::I8 {
                let what =
                    format!("sound: rounding = 'tflm' yields i8, the input takes {}", port.dtype);
                return Err(TaskError::spec(what));
            }
            let x = stage.cast(x, DType::I32)?;
            let number = |stage: &mut Stage<'_>, value: i32| {
                stage.b.constant(Const::from_i32(&[], &[value]), None)
            };
            let (up, half, down, low) =
                (number(stage, 256), number(stage, 333), number(stage, 666), number(stage, -128));
            let x = stage.op(ops::Mul {}, &[x, up])?;
            let x = stage.op(ops::Add {}, &[x, half])?;
            let x = stage.op(ops::Div {}, &[x, down])?;
            let x = stage.op(ops::Add {}, &[x, low])?;
            let most = number(stage, 127);
            let x = stage.op(ops::Minimum {}, &[x, most])?;
            let x = stage.op(ops::Maximum {}, &[x, low])?;
            let x = stage.cast(x, DType::I8)?;
            stage.b.set_quant(x, quant);
            return Ok(x);
        }
        let x = stage.cast(x, DType::F32)?;
        // 26 stands for 670 or so, which nothing exceeds.
        let scale = stage.b.scalar(10.0 / 256.0);
        let x = stage.op(ops::Mul {}, &[x, scale])?;
        super::sound::stored(stage, port, x)
    }
}
