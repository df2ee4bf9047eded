//! Parameter records and portable kernels: the definition of what each operator computes.
//!
//! `no_std`, no allocation, no graph, no instruction sets. One file per operator (or per family of
//! element-wise operators that differ in one function); the list below gives each its number.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod boxes;
pub mod call;
pub mod device;
pub mod fast;
pub mod finish;
pub mod hybrid;
pub mod onnx;
pub mod packing;
pub mod products;
pub mod spatial;
pub mod tail;
#[cfg(test)]
mod testing;
pub mod walk;
pub mod wide;

pub use call::{Call, Dst, Fault, Kernel, Needs, Pack, Signature, Src, Ty, element_count};

/// Declares the modules and the table in one place: the number of an operator is stored in plans
/// and never changes or returns. A kernel's opcode is `16 * number + its index in the module`.
macro_rules! kernels {
    ($($number:literal => $module:ident,)*) => {
        $(pub mod $module;)*

        /// Every operator with portable kernels: number, module name, kernels by index.
        pub const OPERATORS: &[(u16, &str, &[Kernel])] =
            &[$(($number, stringify!($module), $module::KERNELS),)*];
    };
}

kernels! {
    1 => softmax,
    2 => conv2d,
    3 => depthwise_conv2d,
    4 => dense,
    5 => pool,
    6 => matmul,
    7 => resize,
    8 => lrn,
    9 => l2_normalize,
    10 => standardize,
    11 => conv_transpose2d,
    12 => quantized_binary,
    40 => binary,
    41 => compare,
    42 => unary,
    43 => table,
    44 => clip,
    45 => prelu,
    46 => quantize,
    47 => requantize,
    48 => cast,
    49 => reduce,
    50 => arg,
    51 => copy,
    52 => transpose,
    53 => concat,
    54 => split,
    55 => slice,
    56 => gather,
    57 => gather_nd,
    59 => scatter,
    60 => pad,
    61 => expand,
    62 => tile,
    63 => space_depth,
    64 => select,
    65 => one_hot,
    66 => range,
    68 => shape_of,
    69 => cumsum,
    70 => top_k,
    71 => reverse_sequence,
    80 => refuse,
    85 => recurrent,
    86 => lstm_int,
    87 => svdf,
    88 => sixteen,
    89 => signal,
    105 => cast_small,
    125 => ssd_detections,
    126 => prior_box,
    127 => prior_detections,
    128 => nms,
    129 => roi_align,
    150 => picture,
    151 => suppress,
    152 => ctc,
    153 => outline,
    160 => spectrum,
    180 => fft,
    181 => class_nms,
    182 => places,
}

/// The number under which a plan names a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Opcode(pub u16);

/// The opcode of the kernel with this name.
pub fn opcode(name: &str) -> Option<Opcode> {
    OPERATORS.iter().find_map(|(number, _, kernels)| {
        let index = kernels.iter().position(|kernel| kernel.name == name)?;
        Some(Opcode(number * 16 + index as u16))
    })
}

/// The portable kernel with this opcode.
pub fn portable(opcode: Opcode) -> Option<&'static Kernel> {
    let (_, _, kernels) = OPERATORS.iter().find(|(number, _, _)| *number == opcode.0 / 16)?;
    kernels.get(usize::from(opcode.0 % 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_fit() {
        for (i, (number, module, kernels)) in OPERATORS.iter().enumerate() {
            assert!(kernels.len() <= 16, "{module} has more than 16 kernels");
            assert!(*number < 4096, "{module}: opcodes have 16 bits");
            for (other, _, _) in &OPERATORS[..i] {
                assert_ne!(number, other, "{module} shares its number");
            }
            for kernel in *kernels {
                let opcode = opcode(kernel.name).unwrap();
                assert_eq!(portable(opcode).unwrap().name, kernel.name, "duplicate name");
            }
        }
    }
}
