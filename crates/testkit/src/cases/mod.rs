//! The cases of every operator, with what it computes of real numbers.
//!
//! An operator's file is named like its dossier and yields its [`AnyCase`]s: inputs, attributes, and
//! a naive reference in f64 that shares no code with the kernels. [`check::check`] runs them and
//! states the tolerance.

mod array;
mod case;
pub mod check;
mod sequence;
mod shared;

pub use array::Array;
pub use case::{AnyCase, EXACT, Setting, Tolerance, case, f32s, rounded, suite};

/// What every file of cases uses.
mod prelude {
    pub use embarca_ir::attr::Attr;
    pub use embarca_ir::ops::*;
    pub use embarca_ir::{Const, Dim, Quant, TensorType};
    pub use embarca_num::DType;

    pub use super::array::*;
    pub use super::case::*;
    pub use super::shared::*;
    pub(crate) use crate::random::{numbers, word};
}

macro_rules! cases {
    ($($module:ident,)*) => {
        $(mod $module;)*

        /// The cases of each operator, by the name of its dossier's file.
        pub const SUITES: &[(&str, fn() -> Vec<AnyCase>)] =
            &[$((stringify!($module), $module::cases),)*];
    };
}

cases! {
    add,
    arg_max,
    average_pool2d,
    batch_to_space,
    binary,
    bit_cast,
    bitwise_not,
    cast,
    cast_small,
    class_nms,
    clip,
    compare,
    concat,
    conv2d,
    conv_transpose2d,
    ctc,
    cumsum,
    dense,
    depth_to_space,
    depthwise_conv2d,
    div,
    expand,
    fft,
    for_loop,
    gather,
    gather_elements,
    gather_nd,
    gru,
    if_else,
    is_special,
    l2_normalize,
    leaky_relu,
    log_softmax,
    logical_not,
    lookup,
    lrn,
    lstm,
    luma,
    matmul,
    max_pool2d,
    maximum,
    minimum,
    mul,
    nms,
    one_hot,
    outline,
    pad,
    placement,
    places,
    prelu,
    prior_box,
    prior_detections,
    quantized_binary,
    quantized_lstm,
    range,
    reduce,
    refuse,
    requantize,
    resample,
    reshape,
    resize,
    reverse_sequence,
    rnn,
    roi_align,
    scan,
    scatter_elements,
    scatter_nd,
    select,
    shape_of,
    signal,
    slice,
    softmax,
    space_to_batch,
    space_to_depth,
    spectrum,
    split,
    squared_difference,
    ssd_detections,
    standardize,
    sub,
    suppress,
    svdf,
    tile,
    top_k,
    transpose,
    unary,
    while_loop,
}
