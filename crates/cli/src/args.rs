//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{ArgAction, Parser, Subcommand, ValueEnum, value_parser};
use clap_complete::Shell;
use embarca::ir::ops::FILTERS;

use crate::limits::LimitArgs;

/// From a trained net to an answer, on anything from a server to a microcontroller.
#[derive(Debug, Parser)]
#[command(name = "embarca", version, max_term_width = 100)]
#[command(after_help = "\
Two commands to an answer:
  embarca inspect model.tflite          what is in it, what it costs, where it runs
  embarca run model.tflite photo.jpg    82.1% tabby cat

New here: embarca tour
Exit codes: 0 done, 1 refused or failed, 2 the command line makes no sense")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The whole story on built-in data: a net, its plan, digits, int8 against f32, speed
    Tour(Tour),
    /// What is in a model, what it costs, what will not run and why
    Inspect(Inspect),
    /// From a model to a plan for one or several targets
    Build(Build),
    /// A model in another format: ONNX, TFLite, or the portable graph
    Convert(Convert),
    /// Whether a plan will run on a target, and if not, why and what to do
    Check(Check),
    /// An image, a sound, a table row or raw tensors in, an answer out
    Run(Run),
    /// How far two models are apart: outputs first, then layer by layer
    Compare(Compare),
    /// Latency, throughput and memory
    Bench(Bench),
    /// A plan in an emulated microcontroller: answers, instructions, memory
    Emulate(Emulate),
    /// A plan as what goes into a project: a Rust crate, a C library, or a firmware
    Emit(Emit),
    /// The machines and boards that Embarca knows
    Targets(Targets),
    /// A completion script for your shell
    Completions(Completions),
}

/// How to open a model or a plan.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Open {
    /// Caffe's weights [default: the .caffemodel beside the .prototxt]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Input shapes, for models that leave them open: name:1x3x224x224,...
    #[arg(long, value_name = "SHAPES", value_parser = shapes)]
    pub shapes: Option<Shapes>,
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// `name:1x3x224x224,...`
pub type Shapes = Vec<(String, Vec<u64>)>;

/// How pictures, sounds and tables become tensors. What is not given comes from the file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Prepare {
    /// Class names, one a line [default: those in the model]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Subtracted from each channel: one number or one a channel, in pixels of 0 to 255 (or of 0
    /// to 1 when they are fractions)
    #[arg(long, value_name = "M,M,M", value_delimiter = ',', allow_hyphen_values = true)]
    pub mean: Vec<f32>,
    /// Divides each channel after the mean
    #[arg(long, value_name = "S,S,S", value_delimiter = ',')]
    pub std: Vec<f32>,
    /// Blue first, as most Caffe nets want it
    #[arg(long)]
    pub bgr: bool,
    /// The order of the axes of a picture [default: found from the shape]
    #[arg(long, value_enum)]
    pub layout: Option<Layout>,
    /// How a picture of another shape is made to fit [default: the task's, or stretch]
    #[arg(long, value_enum)]
    pub fit: Option<FitArg>,
    /// How a picture is resized, by whose arithmetic [default: the task's, or pillow-bilinear]
    #[arg(long, value_parser = filters())]
    pub filter: Option<String>,
    /// What the model is for, described in a TOML file [default: as the plan or the model says]
    #[arg(long, value_name = "FILE.toml")]
    pub task: Option<PathBuf>,
    /// How text becomes tokens: tokenizer.json, or BERT's vocab.txt [default: the plan's, or the
    /// one beside the model]
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
}

/// The order of the axes of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// Height, width, channels.
    Nhwc,
    /// Channels, height, width.
    Nchw,
    /// Channels, width, height, for nets that were trained in MATLAB.
    Ncwh,
}

/// How a picture of another shape is made to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FitArg {
    /// The whole picture, distorted.
    Stretch,
    /// The largest centred part.
    Crop,
    /// The whole picture in the middle of grey.
    Letterbox,
    /// The whole picture at the top left of grey.
    Corner,
}

/// `tour`
#[derive(Debug, clap::Args)]
pub struct Tour {
    /// Held-out digits to judge with
    #[arg(long, default_value_t = 360, value_parser = value_parser!(u16).range(1..=360))]
    pub digits: u16,
}

/// `inspect`
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// An ONNX, TFLite or Caffe model, or a plan
    #[arg(value_name = "MODEL|PLAN")]
    pub model: PathBuf,
    #[command(flatten)]
    pub open: Open,
    /// Every layer with its shape and cost
    #[arg(long)]
    pub layers: bool,
    /// The graph as text
    #[arg(long)]
    pub text: bool,
    /// Draws the graph into a picture
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Draws the graph into a page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `embarca convert`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  embarca convert net.onnx -o net.tflite      transposes vanish, quantization stays
  embarca convert net.tflite -o net.onnx      int8 as QuantizeLinear and DequantizeLinear
  embarca convert net.prototxt -o net.onnx    Caffe's weights lie beside it")]
pub struct Convert {
    /// ONNX, TFLite, Caffe, or a portable graph
    pub model: PathBuf,
    /// Where to; its ending says the format: .onnx, .tflite, .emb
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// For programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub open: Open,
}

/// `build`
#[derive(Debug, clap::Args)]
pub struct Build {
    /// An ONNX, TFLite or Caffe model
    pub model: PathBuf,
    /// Targets, from `embarca targets` [default: this machine]
    #[arg(long = "for", value_name = "TARGET", value_delimiter = ',')]
    pub targets: Vec<String>,
    /// The plan [default: the model's name with .plan]; a name with .emb saves the portable graph
    /// instead
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub open: Open,
    /// What the model is for, described in a TOML file; `none` leaves it out [default: recognized]
    #[arg(long, value_name = "FILE.toml|none")]
    pub task: Option<PathBuf>,
    /// How text becomes tokens: tokenizer.json, or BERT's vocab.txt [default: the one beside the
    /// model]
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `check`
#[derive(Debug, clap::Args)]
pub struct Check {
    /// A plan
    pub plan: PathBuf,
    /// The target to run it on [default: this machine]
    #[arg(long = "for", value_name = "TARGET")]
    pub target: Option<String>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `run`
#[derive(Debug, clap::Args)]
pub struct Run {
    /// An ONNX, TFLite or Caffe model, or a plan
    #[arg(value_name = "MODEL|PLAN")]
    pub model: PathBuf,
    /// PNG, JPEG, BMP, WAV, CSV, NPY or NPZ; a folder of pictures; a video (Y4M, - for standard
    /// input, others through ffmpeg) or a camera (/dev/video0); for models that take text, the text
    /// or a file of a text a line (TXT, CSV, TSV, -); for tables also numbers (0.7 or 1,2,3)
    #[arg(
        value_name = "INPUT",
        required_unless_present = "tensors",
        allow_negative_numbers = true
    )]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub open: Open,
    #[command(flatten)]
    pub prepare: Prepare,
    /// How many classes to print
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub top: u64,
    /// Feeds raw tensors: keys are the model's names, or in0, in1, ...; a model of one input also
    /// takes an NPY file
    #[arg(long, value_name = "IN.npz", conflicts_with = "inputs")]
    pub tensors: Option<PathBuf>,
    /// The least score of a box, a point or a line of text [default: the task's]
    #[arg(long, value_name = "0..1", value_parser = share)]
    pub score: Option<f32>,
    /// The largest overlap of two boxes of a class [default: the task's]
    #[arg(long, value_name = "0..1", value_parser = share)]
    pub overlap: Option<f32>,
    /// The score from which on data are anomalous [default: the task's]
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub threshold: Option<f32>,
    /// The column of a CSV or TSV file that holds the text: its name, or its number where columns
    /// have no names
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// The array of an NPZ file that holds the rows of a table
    #[arg(long, value_name = "NAME")]
    pub array: Option<String>,
    /// Where the outputs go as raw tensors (NPZ, or NPY for a model of one output), or the picture with the answer drawn into it
    /// (PNG); a folder for several pictures
    #[arg(long, value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// Names tensors in0, in1, ... and out0, out1, ... whatever the model calls them
    #[arg(long)]
    pub positional: bool,
    /// Sound from a WAV file, or from standard input (-): prints what is heard as it happens
    #[arg(long)]
    pub follow: bool,
    /// Samples a second of bare 16-bit samples on standard input [default: those of its WAV header, or
    /// what the model takes]
    #[arg(long, value_name = "HZ", requires = "follow", value_parser = value_parser!(u32).range(1000..=768_000))]
    pub rate: Option<u32>,
    /// Threads, at most 256 [default: as many as the machine has cores]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `compare`
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// The model or plan that is right
    pub a: PathBuf,
    /// The model or plan to judge
    pub b: PathBuf,
    /// Tensors (NPZ), a picture, a sound or a table to feed both [default: random inputs of a
    /// fixed seed]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub open: Open,
    #[command(flatten)]
    pub prepare: Prepare,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `bench`
#[derive(Debug, clap::Args)]
pub struct Bench {
    /// An ONNX, TFLite or Caffe model, or a plan
    #[arg(value_name = "MODEL|PLAN")]
    pub model: PathBuf,
    #[command(flatten)]
    pub open: Open,
    /// Threads, at most 256
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// Samples in one run, for models that leave their first dimension open
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub batch: Option<u64>,
    /// How often to run [default: as often as fits into the duration]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub runs: Option<u64>,
    /// Seconds to measure for
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub duration: f64,
    /// One latency in ms a line, and `# first_ms X`
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// The time of every layer
    #[arg(long)]
    pub layers: bool,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `emulate`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  embarca emulate kws.tflite --on cortex-m4
  embarca emulate kws.plan --on cortex-m4 --input features.npy --json")]
pub struct Emulate {
    /// A plan for a microcontroller, or an ONNX, TFLite or Caffe model
    #[arg(value_name = "MODEL|PLAN")]
    pub model: PathBuf,
    /// The target, from `embarca targets`
    #[arg(long, value_name = "TARGET")]
    pub on: String,
    /// Raw tensors: NPY or bare bytes, one file an input; NPZ with in0, in1, ...; several rounds for
    /// several runs [default: a fixed pattern]
    #[arg(long = "input", value_name = "FILE", num_args = 1..)]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub open: Open,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `emit`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  embarca emit kws.plan --as c                         a header and a static library
  embarca emit kws.tflite --for cortex-m4 --as rust    a no_std crate with all that it needs
  embarca emit kws.plan --as firmware -o out           an ELF file for the emulator")]
pub struct Emit {
    /// A plan for a microcontroller, or an ONNX, TFLite or Caffe model
    #[arg(value_name = "MODEL|PLAN")]
    pub model: PathBuf,
    /// As what
    #[arg(long = "as", value_enum, value_name = "FORM")]
    pub form: EmitForm,
    /// The target [default: what the plan is for]
    #[arg(long = "for", value_name = "TARGET")]
    pub target: Option<String>,
    /// The folder [default: beside the plan, with the form in its name]
    #[arg(long, short, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub open: Open,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// What a plan is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EmitForm {
    /// A `no_std` crate with the sources that it needs.
    Rust,
    /// A header and a static library.
    C,
    /// A program that boots, runs the model and prints what it answers.
    Firmware,
}

/// `targets`
#[derive(Debug, clap::Args)]
pub struct Targets {
    /// Only this one, with everything that is known
    pub id: Option<String>,
    /// For programs
    #[arg(long, action = ArgAction::SetTrue)]
    pub json: bool,
}

/// `completions`
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Your shell
    pub shell: Shell,
}

fn filters() -> PossibleValuesParser {
    // The names of before there were several libraries.
    let short = |name: &str| match name {
        "pillow-nearest" => Some("nearest"),
        "pillow-bilinear" => Some("bilinear"),
        "pillow-bicubic" => Some("bicubic"),
        "opencv-linear" => Some("cv-linear"),
        _ => None,
    };
    let value = |(name, _): (&'static str, u32)| match short(name) {
        Some(short) => PossibleValue::new(name).alias(short),
        None => PossibleValue::new(name),
    };
    PossibleValuesParser::new(FILTERS.map(value))
}

/// Reads a number from 0 to 1.
fn share(text: &str) -> Result<f32, String> {
    let value = text.parse::<f32>().ok().filter(|value| (0.0..=1.0).contains(value));
    value.ok_or_else(|| "a number from 0 to 1".to_owned())
}

/// Reads `name:1x3x224x224,...`; a name may itself hold colons, so the last one counts.
fn shapes(text: &str) -> Result<Shapes, String> {
    let example = "write name:1x3x224x224, several with commas";
    text.split(',')
        .map(|part| {
            let (name, dims) = part.rsplit_once(':').ok_or(example)?;
            let dims = dims.split('x').map(|dim| dim.parse::<u64>());
            let dims = dims.collect::<Result<Vec<_>, _>>();
            let dims = dims.map_err(|_| format!("'{part}' is no shape; {example}"))?;
            Ok((name.to_owned(), dims))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn shapes_are_read() {
        let read = shapes("x:1x3,serving:0:2").unwrap();
        assert_eq!(read, [("x".into(), vec![1, 3]), ("serving:0".into(), vec![2])]);
        for wrong in ["x", "x:", "x:1xa", "x:1,,y:1"] {
            assert!(shapes(wrong).is_err(), "{wrong}");
        }
    }
}
