//! The tables of the TFLite schema: which field has which number.
//!
//! Source: `schema.fbs`, version 3, as of LiteRT 2.3.
#![allow(missing_docs)]

/// What stands in the file behind the first offset.
pub const IDENTIFIER: &[u8; 4] = b"TFL3";
pub const CUSTOM: i32 = 32;
pub const PLACEHOLDER: i32 = 127;

/// Fields of `Model`.
pub mod model {
    pub const VERSION: usize = 0;
    pub const OPERATOR_CODES: usize = 1;
    pub const SUBGRAPHS: usize = 2;
    pub const DESCRIPTION: usize = 3;
    pub const BUFFERS: usize = 4;
    pub const METADATA: usize = 6;
    pub const SIGNATURES: usize = 7;
}

/// Fields of `OperatorCode`.
pub mod operator_code {
    pub const DEPRECATED_BUILTIN_CODE: usize = 0;
    pub const CUSTOM_CODE: usize = 1;
    pub const VERSION: usize = 2;
    pub const BUILTIN_CODE: usize = 3;
}

/// Fields of `SubGraph`.
pub mod subgraph {
    pub const TENSORS: usize = 0;
    pub const INPUTS: usize = 1;
    pub const OUTPUTS: usize = 2;
    pub const OPERATORS: usize = 3;
    pub const NAME: usize = 4;
}

/// Fields of `Operator`.
pub mod node {
    pub const OPCODE_INDEX: usize = 0;
    pub const INPUTS: usize = 1;
    pub const OUTPUTS: usize = 2;
    pub const BUILTIN_OPTIONS_TYPE: usize = 3;
    pub const BUILTIN_OPTIONS: usize = 4;
    pub const CUSTOM_OPTIONS: usize = 5;
    pub const INTERMEDIATES: usize = 8;
    pub const LARGE_CUSTOM_OPTIONS_OFFSET: usize = 9;
    pub const LARGE_CUSTOM_OPTIONS_SIZE: usize = 10;
    pub const BUILTIN_OPTIONS_2_TYPE: usize = 11;
    pub const BUILTIN_OPTIONS_2: usize = 12;
}

/// Fields of `Tensor`.
pub mod tensor {
    pub const SHAPE: usize = 0;
    pub const TYPE: usize = 1;
    pub const BUFFER: usize = 2;
    pub const NAME: usize = 3;
    pub const QUANTIZATION: usize = 4;
    pub const IS_VARIABLE: usize = 5;
    pub const SPARSITY: usize = 6;
    pub const SHAPE_SIGNATURE: usize = 7;
    pub const HAS_RANK: usize = 8;
    pub const EXTERNAL_BUFFER: usize = 10;
}

/// Fields of `QuantizationParameters`.
pub mod quantization {
    pub const SCALE: usize = 2;
    pub const ZERO_POINT: usize = 3;
    pub const DETAILS_TYPE: usize = 4;
    pub const QUANTIZED_DIMENSION: usize = 6;
}

/// Fields of `Buffer`.
pub mod buffer {
    pub const DATA: usize = 0;
    pub const OFFSET: usize = 1;
    pub const SIZE: usize = 2;
}

/// Fields of `SignatureDef`.
pub mod signature {
    pub const INPUTS: usize = 0;
    pub const OUTPUTS: usize = 1;
    pub const KEY: usize = 2;
    pub const SUBGRAPH: usize = 4;
}

/// Fields of `TensorMap`.
pub mod tensor_map {
    pub const NAME: usize = 0;
    pub const TENSOR: usize = 1;
}
