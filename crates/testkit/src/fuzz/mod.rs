//! Fuzz targets: what reads bytes from outside, as functions of those bytes.
//!
//! A body may refuse; it may not panic, run for seconds or take memory that the input's size does not
//! justify. `fuzz/` wraps each for libFuzzer, `cargo xtask fuzz` drives them with [`engine`] on a
//! stable toolchain, and a test gives each a few seconds of damaged seeds.

mod bodies;
pub mod engine;
pub mod mutants;
pub mod mutate;
mod seeds;

pub use bodies::{differential_case, repair, survive};
pub use seeds::plans;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As on the command line.
    pub name: &'static str,
    /// What it reads, for people.
    pub about: &'static str,
    /// One execution. It panics when something is found.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Inputs are cut to so many bytes.
    pub longest: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "onnx",
        about: "an ONNX file, as far as a session",
        run: bodies::onnx,
        seeds: seeds::onnx,
        longest: 1 << 15,
    },
    Target {
        name: "tflite",
        about: "a TFLite file, as far as a session",
        run: bodies::tflite,
        seeds: seeds::tflite,
        longest: 1 << 15,
    },
    Target {
        name: "caffe",
        about: "a prototxt, a zero byte, a caffemodel; as far as a session",
        run: bodies::caffe,
        seeds: seeds::caffe,
        longest: 1 << 15,
    },
    Target {
        name: "plan",
        about: "a plan: opened, prepared, run for a while",
        run: bodies::plan,
        seeds: seeds::plan,
        longest: 1 << 15,
    },
    Target {
        name: "task",
        about: "the description of a task, and its stages around a model",
        run: bodies::task,
        seeds: seeds::task,
        longest: 1 << 12,
    },
    Target {
        name: "differential",
        about: "a random graph, in every way that it can be computed",
        run: bodies::differential,
        seeds: seeds::differential,
        longest: 16,
    },
    Target {
        name: "emb",
        about: "the text of a portable graph, a zero byte, its weights",
        run: bodies::emb,
        seeds: seeds::emb,
        longest: 1 << 14,
    },
];

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
