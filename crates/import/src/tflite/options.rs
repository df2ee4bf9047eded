//! The options of TFLite's built-in operators: fields by name, with the schema's defaults.
//!
//! Source: the option tables of the TFLite schema, version 3 (`schema.fbs`, as of LiteRT 2.3).
//! Tables without fields are left out.

use embarca_ir::foreign::AttrValue;

use self::Kind::*;
use crate::error::ReadError;
use crate::limits::Budget;
use crate::wire::flatbuffer::Table;

/// Which table lies in one of the two unions of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Union {
    /// `BuiltinOptions`
    First(u8),
    /// `BuiltinOptions2`
    Second(u8),
}

/// How a field is read and what it becomes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `bool`, with its default: a number.
    Flag(bool),
    /// `int`, with its default: a number.
    Int(i32),
    /// `long`: a number.
    Long,
    /// `float`: a real number.
    Real,
    /// `byte` enumeration whose default is 0: its name.
    Enum8(&'static [&'static str]),
    /// `int` or `uint` enumeration whose default is 0: its name.
    Enum32(&'static [&'static str]),
    /// `TensorType`, with its default: its name.
    Type(i8),
    /// `byte`: a number.
    Int8,
    /// `string`: a text.
    Text,
    /// `[int]`
    Ints32,
    /// `[long]`
    Ints64,
    /// `[bool]`: numbers.
    Flags,
    /// `[float]`
    Reals,
    /// `[ubyte]`: bytes.
    Raw,
    /// `int`, the index of a subgraph.
    Graph,
}

/// Slot in the table, name, kind.
pub type Field = (usize, &'static str, Kind);

/// The fields of `union`, empty where the table has none or is not known.
pub fn fields(union: Union) -> &'static [Field] {
    let (tables, number): (&[(u8, &'static [Field])], u8) = match union {
        Union::First(number) => (FIRST, number),
        Union::Second(number) => (SECOND, number),
    };
    match tables.binary_search_by_key(&number, |&(number, _)| number) {
        Ok(index) => tables.get(index).map_or(&[], |&(_, fields)| fields),
        Err(_) => &[],
    }
}

/// Whether the schema knows `union`.
pub fn is_known(union: Union) -> bool {
    match union {
        Union::First(number) => number <= 126,
        Union::Second(number) => number <= 23,
    }
}

/// Whether `union` has fields.
pub fn has_fields(union: Union) -> bool {
    !fields(union).is_empty()
}

/// The attributes in `table`, or their defaults where it is missing.
///
/// # Errors
/// A broken table, an enumeration's value that the schema does not know, or the index of a
/// subgraph that does not exist (there are `graphs`).
pub(crate) fn read(
    union: Union,
    table: Option<Table<'_>>,
    graphs: usize,
    budget: &mut Budget<'_>,
) -> Result<Vec<(String, AttrValue)>, ReadError> {
    let fields = fields(union);
    budget.items::<(String, AttrValue)>(fields.len())?;
    let mut attrs = Vec::with_capacity(fields.len());
    for &(id, name, kind) in fields {
        let value = match table {
            Some(table) => value(table, id, kind, graphs, budget)
                .map_err(|error| error.within(|| format!("attribute '{name}'")))?,
            None if matches!(kind, Graph) => {
                return Err(ReadError::malformed(format!("attribute '{name}' is missing")));
            }
            None => default(kind),
        };
        attrs.push((budget.text(name)?, value));
    }
    Ok(attrs)
}

fn value(
    table: Table<'_>,
    id: usize,
    kind: Kind,
    graphs: usize,
    budget: &mut Budget<'_>,
) -> Result<AttrValue, ReadError> {
    Ok(match kind {
        Flag(default) => AttrValue::Int(i64::from(table.bool(id, default)?)),
        Int(default) => AttrValue::Int(i64::from(table.i32(id, default)?)),
        Int8 => AttrValue::Int(i64::from(table.i8(id, 0)?)),
        Long => AttrValue::Int(table.i64(id, 0)?),
        Real => AttrValue::Float(table.f32(id, 0.0)?),
        Enum8(names) => named(i64::from(table.i8(id, 0)?), names)?,
        Enum32(names) => named(i64::from(table.i32(id, 0)?), names)?,
        Type(default) => named(i64::from(table.i8(id, default)?), TYPES)?,
        Text => AttrValue::Text(budget.text(table.text(id)?)?),
        Ints32 => {
            let items = table.vector(id)?.items;
            budget.list::<i64>(items.len())?;
            AttrValue::Ints(items.iter().map(|&item| i32::from_le_bytes(item).into()).collect())
        }
        Ints64 => {
            let items = table.vector(id)?.items;
            budget.list::<i64>(items.len())?;
            AttrValue::Ints(items.iter().map(|&item| i64::from_le_bytes(item)).collect())
        }
        Flags => {
            let items = table.bytes(id)?;
            budget.list::<i64>(items.len())?;
            AttrValue::Ints(items.iter().map(|&item| i64::from(item != 0)).collect())
        }
        Reals => {
            let items = table.vector(id)?.items;
            budget.list::<f32>(items.len())?;
            AttrValue::Floats(items.iter().map(|&item| f32::from_le_bytes(item)).collect())
        }
        Raw => {
            let bytes = table.bytes(id)?;
            budget.items::<u8>(bytes.len())?;
            AttrValue::Bytes(bytes.to_vec())
        }
        Graph => {
            let index = table.i32(id, 0)?;
            match usize::try_from(index).ok().filter(|&index| index < graphs) {
                Some(index) => AttrValue::Graph(index),
                None => {
                    let what = format!("there is no subgraph {index}, the file has {graphs}");
                    return Err(ReadError::malformed(what));
                }
            }
        }
    })
}

fn default(kind: Kind) -> AttrValue {
    let first = |names: &[&str]| AttrValue::Text(names.first().copied().unwrap_or("").to_owned());
    match kind {
        Flag(default) => AttrValue::Int(i64::from(default)),
        Int(default) => AttrValue::Int(i64::from(default)),
        Int8 | Long | Graph => AttrValue::Int(0),
        Real => AttrValue::Float(0.0),
        Enum8(names) | Enum32(names) => first(names),
        Type(default) => {
            let name = usize::try_from(default).ok().and_then(|default| TYPES.get(default));
            AttrValue::Text(name.copied().unwrap_or("").to_owned())
        }
        Text => AttrValue::Text(String::new()),
        Ints32 | Ints64 | Flags => AttrValue::Ints(Vec::new()),
        Reals => AttrValue::Floats(Vec::new()),
        Raw => AttrValue::Bytes(Vec::new()),
    }
}

fn named(value: i64, names: &[&'static str]) -> Result<AttrValue, ReadError> {
    match usize::try_from(value).ok().and_then(|value| names.get(value)) {
        Some(&name) => Ok(AttrValue::Text(name.to_owned())),
        None => Err(ReadError::unsupported(format!(
            "value {value} is not one of {}; the file may be newer than this reader",
            names.join(", ")
        ))),
    }
}

/// `TensorType`, by number.
pub const TYPES: &[&str] = &[
    "FLOAT32",
    "FLOAT16",
    "INT32",
    "UINT8",
    "INT64",
    "STRING",
    "BOOL",
    "INT16",
    "COMPLEX64",
    "INT8",
    "FLOAT64",
    "COMPLEX128",
    "UINT64",
    "RESOURCE",
    "VARIANT",
    "UINT32",
    "UINT16",
    "INT4",
    "BFLOAT16",
    "INT2",
    "UINT4",
    "FLOAT8_E4M3FN",
    "FLOAT8_E5M2",
];

const PADDING: Kind = Enum8(&["SAME", "VALID"]);
const ACTIVATION: Kind = Enum8(&["NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"]);
const WEIGHTS_FORMAT: Kind = Enum8(&["DEFAULT", "SHUFFLED4x16INT8"]);
const MIRROR: Kind = Enum8(&["REFLECT", "SYMMETRIC"]);
const COMBINER: Kind = Enum8(&["SUM", "MEAN", "SQRTN"]);
const LSTM_KERNEL: Kind = Enum8(&["FULL", "BASIC"]);
const LSH: Kind = Enum8(&["UNKNOWN", "SPARSE", "DENSE"]);
const RNG: Kind = Enum8(&["DEFAULT", "PHILOX", "THREEFRY"]);
const REDUCE: &[&str] = &["UNSUPPORTED", "ADD", "MUL", "MINIMUM", "MAXIMUM", "ALL", "ANY"];
const DIRECTION: &[&str] = &["EQ", "NE", "GE", "GT", "LE", "LT"];
const COMPARISON: &[&str] = &["NOTYPE", "FLOAT", "FLOAT_TOTAL_ORDER", "SIGNED", "UNSIGNED"];

/// `BuiltinOptions`, by number.
const FIRST: &[(u8, &[Field])] = &[
    (
        1,
        &[
            (0, "padding", PADDING),
            (1, "stride_w", Int(0)),
            (2, "stride_h", Int(0)),
            (3, "fused_activation_function", ACTIVATION),
            (4, "dilation_w_factor", Int(1)),
            (5, "dilation_h_factor", Int(1)),
            (6, "quantized_bias_type", Type(0)),
        ],
    ),
    (
        2,
        &[
            (0, "padding", PADDING),
            (1, "stride_w", Int(0)),
            (2, "stride_h", Int(0)),
            (3, "depth_multiplier", Int(0)),
            (4, "fused_activation_function", ACTIVATION),
            (5, "dilation_w_factor", Int(1)),
            (6, "dilation_h_factor", Int(1)),
        ],
    ),
    (
        3,
        &[
            (0, "num_channels", Int(0)),
            (1, "num_columns_per_channel", Ints32),
            (2, "embedding_dim_per_channel", Ints32),
        ],
    ),
    (4, &[(0, "type", LSH)]),
    (
        5,
        &[
            (0, "padding", PADDING),
            (1, "stride_w", Int(0)),
            (2, "stride_h", Int(0)),
            (3, "filter_width", Int(0)),
            (4, "filter_height", Int(0)),
            (5, "fused_activation_function", ACTIVATION),
        ],
    ),
    (
        6,
        &[
            (0, "rank", Int(0)),
            (1, "fused_activation_function", ACTIVATION),
            (2, "asymmetric_quantize_inputs", Flag(false)),
        ],
    ),
    (
        7,
        &[
            (0, "fused_activation_function", ACTIVATION),
            (1, "asymmetric_quantize_inputs", Flag(false)),
        ],
    ),
    (
        8,
        &[
            (0, "fused_activation_function", ACTIVATION),
            (1, "weights_format", WEIGHTS_FORMAT),
            (2, "keep_num_dims", Flag(false)),
            (3, "asymmetric_quantize_inputs", Flag(false)),
            (4, "quantized_bias_type", Type(0)),
            (5, "quant_spec", Raw),
        ],
    ),
    (9, &[(0, "beta", Real)]),
    (10, &[(0, "axis", Int(0)), (1, "fused_activation_function", ACTIVATION)]),
    (11, &[(0, "fused_activation_function", ACTIVATION), (1, "pot_scale_int16", Flag(true))]),
    (12, &[(0, "fused_activation_function", ACTIVATION)]),
    (13, &[(0, "radius", Int(0)), (1, "bias", Real), (2, "alpha", Real), (3, "beta", Real)]),
    (
        14,
        &[
            (0, "fused_activation_function", ACTIVATION),
            (1, "cell_clip", Real),
            (2, "proj_clip", Real),
            (3, "kernel_type", LSTM_KERNEL),
            (4, "asymmetric_quantize_inputs", Flag(false)),
        ],
    ),
    (15, &[(2, "align_corners", Flag(false)), (3, "half_pixel_centers", Flag(false))]),
    (16, &[(0, "subgraph", Graph)]),
    (17, &[(0, "new_shape", Ints32)]),
    (
        18,
        &[
            (0, "ngram_size", Int(0)),
            (1, "max_skip_size", Int(0)),
            (2, "include_all_ngrams", Flag(false)),
        ],
    ),
    (19, &[(0, "block_size", Int(0))]),
    (20, &[(0, "combiner", COMBINER)]),
    (21, &[(0, "fused_activation_function", ACTIVATION)]),
    (23, &[(0, "axis", Int(0)), (1, "batch_dims", Int(0))]),
    (27, &[(0, "keep_dims", Flag(false))]),
    (28, &[(0, "fused_activation_function", ACTIVATION), (1, "pot_scale_int16", Flag(true))]),
    (29, &[(0, "fused_activation_function", ACTIVATION)]),
    (30, &[(0, "squeeze_dims", Ints32)]),
    (
        31,
        &[
            (0, "time_major", Flag(false)),
            (1, "fused_activation_function", ACTIVATION),
            (2, "asymmetric_quantize_inputs", Flag(false)),
        ],
    ),
    (
        32,
        &[
            (0, "begin_mask", Int(0)),
            (1, "end_mask", Int(0)),
            (2, "ellipsis_mask", Int(0)),
            (3, "new_axis_mask", Int(0)),
            (4, "shrink_axis_mask", Int(0)),
            (5, "offset", Flag(false)),
        ],
    ),
    (35, &[(0, "num_splits", Int(0))]),
    (37, &[(0, "in_data_type", Type(0)), (1, "out_data_type", Type(0))]),
    (40, &[(0, "output_type", Type(0))]),
    (
        49,
        &[
            (0, "padding", PADDING),
            (1, "stride_w", Int(0)),
            (2, "stride_h", Int(0)),
            (3, "fused_activation_function", ACTIVATION),
            (4, "quantized_bias_type", Type(0)),
        ],
    ),
    (50, &[(0, "validate_indices", Flag(false))]),
    (55, &[(0, "out_type", Type(0))]),
    (57, &[(0, "output_type", Type(0))]),
    (
        58,
        &[
            (0, "min", Real),
            (1, "max", Real),
            (2, "num_bits", Int(0)),
            (3, "narrow_range", Flag(false)),
        ],
    ),
    (59, &[(0, "values_count", Int(0)), (1, "axis", Int(0))]),
    (61, &[(0, "axis", Int(0))]),
    (64, &[(0, "num", Int(0)), (1, "axis", Int(0))]),
    (
        69,
        &[
            (0, "fused_activation_function", ACTIVATION),
            (1, "cell_clip", Real),
            (2, "proj_clip", Real),
            (3, "merge_outputs", Flag(false)),
            (4, "time_major", Flag(true)),
            (5, "asymmetric_quantize_inputs", Flag(false)),
        ],
    ),
    (
        70,
        &[
            (0, "time_major", Flag(false)),
            (1, "fused_activation_function", ACTIVATION),
            (2, "merge_outputs", Flag(false)),
            (3, "asymmetric_quantize_inputs", Flag(false)),
        ],
    ),
    (
        71,
        &[
            (0, "fused_activation_function", ACTIVATION),
            (1, "cell_clip", Real),
            (2, "proj_clip", Real),
            (3, "time_major", Flag(false)),
            (4, "asymmetric_quantize_inputs", Flag(false)),
            (5, "diagonal_recurrent_tensors", Flag(false)),
        ],
    ),
    (74, &[(0, "align_corners", Flag(false)), (1, "half_pixel_centers", Flag(false))]),
    (75, &[(0, "alpha", Real)]),
    (77, &[(0, "mode", MIRROR)]),
    (79, &[(0, "num_splits", Int(0))]),
    (80, &[(0, "idx_out_type", Type(2))]),
    (87, &[(0, "seq_dim", Int(0)), (1, "batch_dim", Int(0))]),
    (92, &[(0, "then_subgraph_index", Graph), (1, "else_subgraph_index", Graph)]),
    (93, &[(0, "cond_subgraph_index", Graph), (1, "body_subgraph_index", Graph)]),
    (94, &[(0, "block_size", Int(0))]),
    (
        101,
        &[
            (0, "adj_x", Flag(false)),
            (1, "adj_y", Flag(false)),
            (2, "asymmetric_quantize_inputs", Flag(false)),
        ],
    ),
    (102, &[(0, "exclusive", Flag(false)), (1, "reverse", Flag(false))]),
    (103, &[(0, "init_subgraph_index", Graph)]),
    (
        106,
        &[
            (0, "padding", PADDING),
            (1, "stride_d", Int(0)),
            (2, "stride_w", Int(0)),
            (3, "stride_h", Int(0)),
            (4, "fused_activation_function", ACTIVATION),
            (5, "dilation_d_factor", Int(1)),
            (6, "dilation_w_factor", Int(1)),
            (7, "dilation_h_factor", Int(1)),
        ],
    ),
    (107, &[(0, "table_id", Int(0)), (1, "key_dtype", Type(0)), (2, "value_dtype", Type(0))]),
    (111, &[(0, "container", Text), (1, "shared_name", Text)]),
    (114, &[(0, "seed", Long), (1, "seed2", Long)]),
    (115, &[(0, "boundaries", Reals)]),
    (116, &[(0, "approximate", Flag(false))]),
];

/// `BuiltinOptions2`, by number.
const SECOND: &[(u8, &[Field])] = &[
    (1, &[(0, "dimension", Long)]),
    (2, &[(0, "broadcast_dimensions", Ints64)]),
    (3, &[(0, "start_indices", Ints64), (1, "limit_indices", Ints64), (2, "strides", Ints64)]),
    (
        4,
        &[
            (0, "window_strides", Ints64),
            (1, "padding", Ints64),
            (2, "lhs_dilation", Ints64),
            (3, "rhs_dilation", Ints64),
            (4, "window_reversal", Flags),
            (5, "input_batch_dimension", Long),
            (6, "input_feature_dimension", Long),
            (7, "input_spatial_dimensions", Ints64),
            (8, "kernel_input_feature_dimension", Long),
            (9, "kernel_output_feature_dimension", Long),
            (10, "kernel_spatial_dimensions", Ints64),
            (11, "output_batch_dimension", Long),
            (12, "output_feature_dimension", Long),
            (13, "output_spatial_dimensions", Ints64),
            (14, "feature_group_count", Long),
            (15, "batch_group_count", Long),
            (16, "precision_config", Ints32),
        ],
    ),
    (
        5,
        &[
            (0, "call_target_name", Text),
            (1, "has_side_effect", Flag(false)),
            (2, "backend_config", Text),
            (3, "api_version", Int(0)),
            (4, "called_computations", Ints32),
            (5, "custom_attributes", Raw),
        ],
    ),
    (6, &[(0, "dimensions", Ints64), (1, "body_subgraph_index", Graph)]),
    (
        7,
        &[
            (0, "indices_are_sorted", Flag(false)),
            (1, "update_window_dims", Ints64),
            (2, "inserted_window_dims", Ints64),
            (3, "scatter_dims_to_operand_dims", Ints64),
            (4, "index_vector_dim", Long),
            (5, "unique_indices", Flag(false)),
            (6, "update_computation_subgraph_index", Graph),
        ],
    ),
    (8, &[(0, "comparison_direction", Enum32(DIRECTION)), (1, "compare_type", Enum32(COMPARISON))]),
    (9, &[(0, "slice_sizes", Ints64)]),
    (
        10,
        &[
            (0, "edge_padding_low", Ints64),
            (1, "edge_padding_high", Ints64),
            (2, "interior_padding", Ints64),
        ],
    ),
    (11, &[(0, "iota_dimension", Long)]),
    (
        12,
        &[
            (0, "lhs_batching_dimensions", Ints64),
            (1, "rhs_batching_dimensions", Ints64),
            (2, "lhs_contracting_dimensions", Ints64),
            (3, "rhs_contracting_dimensions", Ints64),
            (4, "precision_config", Ints32),
        ],
    ),
    (
        13,
        &[
            (0, "window_dimensions", Ints64),
            (1, "window_strides", Ints64),
            (2, "base_dilations", Ints64),
            (3, "window_dilations", Ints64),
            (4, "padding", Ints64),
            (5, "body_subgraph_index", Graph),
        ],
    ),
    (
        14,
        &[
            (0, "dimension", Long),
            (1, "is_stable", Flag(false)),
            (2, "comparator_subgraph_index", Graph),
        ],
    ),
    (15, &[(0, "cond_subgraph_index", Graph), (1, "body_subgraph_index", Graph)]),
    (
        16,
        &[
            (0, "offset_dims", Ints64),
            (1, "collapsed_slice_dims", Ints64),
            (2, "start_index_map", Ints64),
            (3, "index_vector_dim", Long),
            (4, "slice_sizes", Ints64),
            (5, "indices_are_sorted", Flag(false)),
        ],
    ),
    (17, &[(0, "permutation", Ints64)]),
    (19, &[(0, "algorithm", RNG)]),
    (20, &[(0, "reduce_function", Enum32(REDUCE))]),
    (
        21,
        &[
            (0, "name", Text),
            (1, "decomposition_subgraph_index", Graph),
            (2, "composite_attributes", Raw),
            (3, "composite_attributes_format", Int8),
            (4, "version", Int(0)),
        ],
    ),
    (23, &[(0, "branch_subgraph_indices", Ints32)]),
];
