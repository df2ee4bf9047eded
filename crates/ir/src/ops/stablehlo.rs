//! The StableHLO operators of TFLite files that are ours under other names.

use embarca_kernels::compare;
use embarca_kernels::unary::Kind;

use super::binary::{Binary, BinaryFunction};
use super::compare::Comparison;
use super::prelude::*;
use super::{
    Add, Compare, Concat, Div, Expand, Maximum, Minimum, Mul, Select, Slice, Sub, Unary, cast,
    dilate,
};

pub const SPELLINGS: &[Spelling] = &[
    Spelling::tflite("STABLEHLO_ABS"),
    Spelling::tflite("STABLEHLO_ADD"),
    Spelling::tflite("STABLEHLO_AND"),
    Spelling::tflite("STABLEHLO_BROADCAST_IN_DIM"),
    Spelling::tflite("STABLEHLO_CLAMP"),
    Spelling::tflite("STABLEHLO_COMPARE"),
    Spelling::tflite("STABLEHLO_CONCATENATE"),
    Spelling::tflite("STABLEHLO_CONVERT"),
    Spelling::tflite("STABLEHLO_COSINE"),
    Spelling::tflite("STABLEHLO_DIVIDE"),
    Spelling::tflite("STABLEHLO_EXPONENTIAL"),
    Spelling::tflite("STABLEHLO_FLOOR"),
    Spelling::tflite("STABLEHLO_IOTA"),
    Spelling::tflite("STABLEHLO_LOG"),
    Spelling::tflite("STABLEHLO_LOGISTIC"),
    Spelling::tflite("STABLEHLO_MAXIMUM"),
    Spelling::tflite("STABLEHLO_MINIMUM"),
    Spelling::tflite("STABLEHLO_MULTIPLY"),
    Spelling::tflite("STABLEHLO_NEGATE"),
    Spelling::tflite("STABLEHLO_OR"),
    Spelling::tflite("STABLEHLO_PAD"),
    Spelling::tflite("STABLEHLO_POWER"),
    Spelling::tflite("STABLEHLO_REMAINDER"),
    Spelling::tflite("STABLEHLO_RESHAPE"),
    Spelling::tflite("STABLEHLO_RSQRT"),
    Spelling::tflite("STABLEHLO_SELECT"),
    Spelling::tflite("STABLEHLO_SLICE"),
    Spelling::tflite("STABLEHLO_SUBTRACT"),
    Spelling::tflite("STABLEHLO_TANH"),
    Spelling::tflite("STABLEHLO_TRANSPOSE"),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    if node.inputs.items().flatten().any(|input| b.ty(input).is_quantized()) {
        return Err(ImportError::unsupported("quantized tensors are not supported here"));
    }
    let name = node.op.strip_prefix("STABLEHLO_").unwrap_or(node.op);
    let function = match name {
        "ABS" => Some(Kind::Abs),
        "COSINE" => Some(Kind::Cos),
        "EXPONENTIAL" => Some(Kind::Exp),
        "FLOOR" => Some(Kind::Floor),
        "LOG" => Some(Kind::Log),
        "LOGISTIC" => Some(Kind::Sigmoid),
        "NEGATE" => Some(Kind::Neg),
        "RSQRT" => Some(Kind::Rsqrt),
        "TANH" => Some(Kind::Tanh),
        _ => None,
    };
    if let Some(kind) = function {
        return one(b.op(Unary::plain(kind), &[node.input(0)?])?);
    }
    let of = |function| Op::from(Binary { function });
    let pair: Option<Op> = match name {
        "ADD" => Some(Add {}.into()),
        "AND" => Some(of(BinaryFunction::And)),
        "DIVIDE" => Some(Div {}.into()),
        "MAXIMUM" => Some(Maximum {}.into()),
        "MINIMUM" => Some(Minimum {}.into()),
        "MULTIPLY" => Some(Mul {}.into()),
        "OR" => Some(of(BinaryFunction::Or)),
        "POWER" => Some(of(BinaryFunction::Pow)),
        "REMAINDER" => Some(of(BinaryFunction::Rem)),
        "SUBTRACT" => Some(Sub {}.into()),
        _ => None,
    };
    if let Some(op) = pair {
        return one(b.op(op, &[node.input(0)?, node.input(1)?])?);
    }
    if name == "IOTA" {
        return iota(node, b);
    }
    let x = node.input(0)?;
    one(match name {
        "BROADCAST_IN_DIM" => broadcast_in_dim(node, b, x)?,
        "CLAMP" => {
            let x = b.op(Maximum {}, &[x, node.input(1)?])?;
            b.op(Minimum {}, &[x, node.input(2)?])?
        }
        "COMPARE" => {
            let holds = match node.text("comparison_direction", "")? {
                "STABLEHLO_COMPARISON_DIRECTION_EQ" => compare::Kind::Equal,
                "STABLEHLO_COMPARISON_DIRECTION_NE" => compare::Kind::NotEqual,
                "STABLEHLO_COMPARISON_DIRECTION_GE" => compare::Kind::GreaterEqual,
                "STABLEHLO_COMPARISON_DIRECTION_GT" => compare::Kind::Greater,
                "STABLEHLO_COMPARISON_DIRECTION_LE" => compare::Kind::LessEqual,
                "STABLEHLO_COMPARISON_DIRECTION_LT" => compare::Kind::Less,
                other => {
                    let message = format!("{other} is not known");
                    return Err(ImportError::malformed(message).attribute("comparison_direction"));
                }
            };
            if node.text("compare_type", "")?.ends_with("TOTAL_ORDER") {
                let message = "a total order is not supported";
                return Err(ImportError::unsupported(message).attribute("compare_type"));
            }
            b.op(Compare { holds: Comparison(holds) }, &[x, node.input(1)?])?
        }
        "CONCATENATE" => {
            let at = axis(node.int("dimension", 0)?, b.rank(x))?;
            let parts = (0..node.n_inputs()).map(|index| node.input(index));
            b.op(Concat { axis: at }, &parts.collect::<Result<Vec<_>, _>>()?)?
        }
        "CONVERT" => {
            let to = node.output_type(0).map(|ty| ty.dtype);
            cast::to(b, x, to.ok_or_else(|| ImportError::malformed("the output has no type"))?)?
        }
        "PAD" => pad(node, b, x)?,
        "RESHAPE" => {
            let dims = output_dims(node)?;
            b.reshape(x, dims)?
        }
        "SELECT" => b.op(Select {}, &[x, node.input(1)?, node.input(2)?])?,
        "SLICE" => slice(node, b, x)?,
        _ => {
            let perm = node.opt_ints("permutation")?.unwrap_or_default();
            let rank = b.rank(x);
            let perm = perm.iter().map(|&at| axis(at, rank)).collect::<Result<Vec<_>, _>>()?;
            b.transpose(x, &perm)?
        }
    })
}

fn output_dims(node: &NodeView<'_>) -> Result<Vec<Dim>, ImportError> {
    let ty = node.output_type(0).ok_or_else(|| ImportError::malformed("the output has no type"))?;
    Ok(ty.dims.clone())
}

fn iota(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let ty = node.output_type(0).ok_or_else(|| ImportError::malformed("the output has no type"))?;
    let at = axis(node.int("iota_dimension", 0)?, ty.rank())?;
    let len = ty.dims[at].known().and_then(|len| i32::try_from(len).ok());
    let len = len.filter(|len| (0..1 << 24).contains(len));
    let len = len.ok_or_else(|| ImportError::unsupported("the axis is open or too long"))?;
    let mut dims = vec![1; ty.rank()];
    dims[at] = len as usize;
    let row = b.constant(Const::from_i32(&dims, &(0..len).collect::<Vec<_>>()), None);
    let row = cast::to(b, row, ty.dtype)?;
    one(b.op(Expand { dims: ty.dims.clone() }, &[row])?)
}

fn broadcast_in_dim(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
) -> Result<ValueId, ImportError> {
    let places = match node.optional(1) {
        Some(places) => b.ints(places, "the axes")?,
        None => node.opt_ints("broadcast_dimensions")?.unwrap_or_default(),
    };
    let dims = output_dims(node)?;
    let own = b.ty(x).dims.clone();
    let mut wide = vec![Dim::Known(1); dims.len()];
    let rising = places.windows(2).all(|pair| pair[0] < pair[1]);
    if places.len() != own.len() || !rising {
        return Err(ImportError::malformed(format!("axes {places:?} for {}", b.ty(x))));
    }
    for (&place, own) in places.iter().zip(own) {
        wide[axis(place, dims.len())?] = own;
    }
    let x = b.reshape(x, wide)?;
    Ok(b.op(Expand { dims }, &[x])?)
}

fn slice(node: &NodeView<'_>, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId, ImportError> {
    let list = |name: &str| Ok::<_, ImportError>(node.opt_ints(name)?.unwrap_or_default());
    let (starts, limits) = (list("start_indices")?, list("limit_indices")?);
    let steps = list("strides")?;
    let rank = b.rank(x);
    let whole = [starts.len(), limits.len(), steps.len()] == [rank; 3];
    if !whole || steps.iter().any(|&step| step < 1) {
        return Err(ImportError::malformed(format!("is no slice of {}", b.ty(x))));
    }
    let each = starts.iter().zip(&limits).zip(&steps);
    let dims = each.map(|((start, limit), step)| {
        let len = limit.saturating_sub(*start).max(0);
        Dim::Known(len / step + i64::from(len % step != 0))
    });
    let dims = dims.collect();
    Ok(b.op(Slice { starts, steps, dims }, &[x])?)
}

fn pad(node: &NodeView<'_>, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId, ImportError> {
    let fill = b.floats(node.input(1)?, "the filling")?.first().copied().unwrap_or(0.0);
    let list = |name: &str| Ok::<_, ImportError>(node.opt_ints(name)?.unwrap_or_default());
    let (before, after) = (list("edge_padding_low")?, list("edge_padding_high")?);
    let steps: Vec<i64> =
        list("interior_padding")?.iter().map(|between| between.saturating_add(1)).collect();
    if [before.len(), after.len()] != [b.rank(x); 2] {
        return Err(ImportError::malformed(format!("is no padding of {}", b.ty(x))));
    }
    let x = dilate::spread(b, x, &steps, fill)?;
    let mode = super::pad::PadMode(embarca_kernels::pad::Mode::Constant);
    Ok(b.op(super::Pad { mode, before, after, value: fill }, &[x])?)
}
