//! Stages of an audio front end on integers: the signal operators of TensorFlow Lite Micro.

use embarca_kernels::{Kernel, signal as kernel};
use zerocopy::IntoBytes;

use super::prelude::*;
use crate::attr::{Attr, Field};

crate::payload! {
    /// One stage; its inputs and outputs are those of its kernel in `embarca_kernels::signal`.
    pub struct Signal {
        /// Which one.
        pub stage: Stage,
        /// Its parameters, in the order of `STAGES`.
        pub numbers: Vec<i64>,
    }
}

/// A stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Samples times a window.
    Window,
    /// Samples as large as 16 bits allow.
    AutoScale,
    /// Spectrum of real samples.
    Rfft,
    /// Squared magnitudes.
    Energy,
    /// Overlapping triangles.
    FilterBank,
    /// Square roots.
    Root,
    /// Less the noise.
    Subtraction,
    /// Automatic gain.
    Pcan,
    /// Logarithms.
    Log,
}

/// Each stage's name in graph text and in TFLM, the number of its inputs in the graph, and its
/// parameters.
pub const STAGES: &[(Stage, &str, &str, usize, &[&str])] = &[
    (Stage::Window, "window", "SignalWindow", 2, &["shift"]),
    (Stage::AutoScale, "auto_scale", "SignalFftAutoScale", 1, &[]),
    (Stage::Rfft, "rfft", "SignalRfft", 1, &["fft_length"]),
    (Stage::Energy, "energy", "SignalEnergy", 1, &["start_index", "end_index"]),
    (Stage::FilterBank, "filter_bank", "SignalFilterBank", 6, &["num_channels"]),
    (Stage::Root, "root", "SignalFilterBankSquareRoot", 2, &[]),
    (
        Stage::Subtraction,
        "subtraction",
        "SignalFilterBankSpectralSubtraction",
        2,
        &[
            "smoothing",
            "one_minus_smoothing",
            "alternate_smoothing",
            "alternate_one_minus_smoothing",
            "smoothing_bits",
            "min_signal_remaining",
            "spectral_subtraction_bits",
            "clamping",
        ],
    ),
    (Stage::Pcan, "pcan", "SignalPCAN", 3, &["snr_shift"]),
    (Stage::Log, "log", "SignalFilterBankLog", 1, &["output_scale", "input_correction_bits"]),
];

impl Field for Stage {
    fn write(&self) -> Attr {
        let entry = STAGES.iter().find(|(stage, ..)| stage == self);
        Attr::Word(entry.map_or("window", |(_, name, ..)| name).to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(word) = attr else { return None };
        STAGES.iter().find(|(_, name, ..)| name == word).map(|(stage, ..)| *stage)
    }
}

const fn custom(name: &'static str) -> Spelling {
    Spelling::tflite(name).domain("custom")
}

impl OpDef for Signal {
    const NAME: &'static str = "signal";
    const SPELLINGS: &'static [Spelling] = &[
        custom("SignalEnergy"),
        custom("SignalFftAutoScale"),
        custom("SignalFilterBank"),
        custom("SignalFilterBankLog"),
        custom("SignalFilterBankSpectralSubtraction"),
        custom("SignalFilterBankSquareRoot"),
        custom("SignalPCAN"),
        custom("SignalRfft"),
        custom("SignalWindow"),
    ];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let entry = STAGES.iter().find(|(_, _, name, ..)| *name == node.op);
        let &(stage, _, _, inputs, names) =
            entry.ok_or_else(|| ImportError::malformed("is not known"))?;
        let mut numbers = Vec::with_capacity(names.len());
        for name in names {
            let missing = || ImportError::malformed("is missing").attribute(*name);
            numbers.push(node.opt_int(name)?.ok_or_else(missing)?);
        }
        // The element type, which the tensors have too, and the number of channels.
        node.ignore(&["T", "num_channels"]);
        let op = Self { stage, numbers };
        if stage != Stage::Subtraction {
            let inputs: Vec<_> = (0..inputs).map(|index| node.optional(index)).collect();
            return Ok(b.node(op, &inputs)?);
        }
        let x = node.input(0)?;
        let open = || ImportError::unsupported("the number of channels is open");
        let dims = b.ty(x).known_dims().ok_or_else(open)?;
        let len = 4 * dims.iter().product::<usize>();
        let silence = Const::new(DType::U32, dims, vec![0; len]).ok_or_else(open)?;
        let noise = node.remember(b, "noise", silence)?;
        let outputs = b.node(op, &[Some(x), Some(noise)])?;
        if let Some(next) = outputs.get(1) {
            node.keep(noise, *next);
        }
        Ok(outputs)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (_, name, _, _, names) = self.entry()?;
        if self.numbers.len() != names.len() {
            let message = format!("{name} has {} numbers, not {}", names.len(), self.numbers.len());
            return Err(ShapeError::new(message));
        }
        let x = inputs.get(0)?.ty;
        let of = |dtype| TensorType::new(dtype, x.dims.iter().cloned());
        let last = |to: Dim| -> Result<Vec<Dim>, ShapeError> {
            let mut dims = x.dims.clone();
            *dims.last_mut().ok_or_else(|| ShapeError::new("a number is no signal"))? = to;
            Ok(dims)
        };
        Ok(match self.stage {
            Stage::Window => vec![of(DType::I16)],
            Stage::AutoScale => vec![of(DType::I16), TensorType::of(DType::I32, &[])],
            Stage::Rfft => {
                let numbers = last(Dim::Known(self.numbers[0].saturating_add(2)))?;
                vec![TensorType::new(DType::I16, numbers)]
            }
            Stage::Energy => {
                let parts = x.dims.last().cloned().unwrap_or(Dim::Known(0));
                vec![TensorType::new(DType::U32, last(parts.floor_div(&Dim::Known(2)))?)]
            }
            Stage::FilterBank => {
                vec![TensorType::new(DType::U64, [Dim::Known(self.numbers[0])])]
            }
            Stage::Root | Stage::Pcan => vec![of(DType::U32)],
            Stage::Subtraction => vec![of(DType::U32), of(DType::U32)],
            Stage::Log => vec![of(DType::I16)],
        })
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let (_, _, _, inputs, _) = self.entry().map_err(|error| LowerError::Bug(error.0))?;
        let mut numbers = [0u32; 8];
        for (to, number) in numbers.iter_mut().zip(&self.numbers) {
            *to = u32::try_from(*number).map_err(|_| {
                LowerError::no_kernel(format!("{} with the number {number}", self.stage_name()))
            })?;
        }
        let count = self.numbers.len();
        let plain = |kernel: &'static Kernel| {
            let args = (0..*inputs).map(Arg::Input).collect();
            let record = numbers[..count].as_bytes().to_vec();
            Lowered { kernel: kernel.name, record, args, algorithm: Algorithm::Direct }
        };
        if self.stage == Stage::Rfft && io.input(0)?.ty.dtype != DType::I16 {
            let other = io.input(0)?.ty.dtype;
            return Err(LowerError::no_kernel(format!("a spectrum of {other}")));
        }
        Ok(match self.stage {
            Stage::Window => plain(&kernel::WINDOW),
            Stage::AutoScale => plain(&kernel::AUTO_SCALE),
            Stage::Rfft => {
                let mut lowered = plain(&kernel::RFFT);
                lowered.args.extend(twiddles(numbers[0])?);
                lowered
            }
            Stage::Energy => plain(&kernel::ENERGY),
            Stage::FilterBank => Lowered::plain(&kernel::FILTER_BANK, &NO_PARAMS, *inputs),
            Stage::Root => plain(&kernel::ROOT),
            Stage::Subtraction => plain(&kernel::SUBTRACTION),
            Stage::Pcan => plain(&kernel::PCAN),
            Stage::Log => plain(&kernel::LOG),
        })
    }
}

impl Signal {
    fn entry(&self) -> Result<&'static (Stage, &'static str, &'static str, usize, &'static [&'static str]), ShapeError> {
        let entry = STAGES.iter().find(|(stage, ..)| *stage == self.stage);
        entry.ok_or_else(|| ShapeError::new("the stage is not known"))
    }

    fn stage_name(&self) -> &'static str {
        self.entry().map_or("", |(_, name, ..)| name)
    }
}

/// The two tables of KISS FFT (`kf_cexp` in `_kiss_fft_guts.h`): 32767 times cosine and sine, halves
/// up.
fn twiddles(length: u32) -> Result<[Arg; 2], LowerError> {
    if !length.is_power_of_two() || !(8..=1 << 14).contains(&length) {
        let message = format!("a spectrum of {length} samples, which is no power of two up to 16384");
        return Err(LowerError::no_kernel(message));
    }
    let half = f64::from(length / 2);
    let table = |count: u32, phase: &dyn Fn(f64) -> f64| {
        let mut bytes = Vec::with_capacity(4 * count as usize);
        for k in 0..count {
            let phase = phase(f64::from(k));
            for part in [phase.cos(), phase.sin()] {
                bytes.extend_from_slice(&((0.5 + 32767.0 * part).floor() as i16).to_le_bytes());
            }
        }
        let table = Const::new(DType::I16, vec![count as usize, 2], bytes);
        table.map(Arg::Const).ok_or_else(|| LowerError::Bug("a table has another size".to_owned()))
    };
    let pi = std::f64::consts::PI;
    Ok([
        table(length / 2, &|k| -2.0 * pi * k / half)?,
        table(length / 4, &|k| -pi * ((k + 1.0) / half + 0.5))?,
    ])
}
