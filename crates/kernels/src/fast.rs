//! Faster portable twins of kernels, each equal to the definition that it stands in for.

use crate::{Kernel, conv2d, dense, depthwise_conv2d};

/// The definition's name and its twin, sorted by name.
pub const FAST: &[(&str, Kernel)] = &[
    ("conv2d_f32", conv2d::fast::F32),
    ("conv2d_hybrid", conv2d::fast_i8::HYBRID),
    ("conv2d_i8", conv2d::fast_i8::I8),
    ("conv2d_onnx", conv2d::fast_i8::ONNX),
    ("dense_f32", dense::fast::F32),
    ("dense_hybrid", dense::fast_i8::HYBRID),
    ("dense_i8", dense::fast_i8::I8),
    ("dense_onnx", dense::fast_i8::ONNX),
    ("depthwise_conv2d_f32", depthwise_conv2d::fast::F32),
    ("depthwise_conv2d_hybrid", depthwise_conv2d::fast_i8::HYBRID),
    ("depthwise_conv2d_i8", depthwise_conv2d::fast_i8::I8),
    ("depthwise_conv2d_onnx", depthwise_conv2d::fast_i8::ONNX),
];

/// The twin of the portable kernel with this name.
pub fn twin(name: &str) -> Option<&'static Kernel> {
    FAST.iter().find(|(definition, _)| *definition == name).map(|(_, twin)| twin)
}

#[cfg(test)]
mod tests;
