//! Arithmetic in short, for compositions of many small steps.

use embarca_kernels::{compare, reduce, unary};

use super::compare::{Compare, Comparison};
use super::prelude::*;
use super::reduce::{Reduce, Reduction};
use super::slice::{Part, take};
use super::{Add, Binary, Concat, Div, Expand, Gather, Matmul, Mul, Select, Sub, Unary};

/// A value or why there is none.
pub type Result<T = ValueId> = std::result::Result<T, ShapeError>;

/// Numbers as a constant of a type.
///
/// # Errors
/// When the type holds no numbers of at most 64 bits.
pub fn numbers(dtype: DType, dims: &[usize], values: &[f64]) -> Result<Const> {
    let refused = || ShapeError::new(format!("{dtype} has no such constants"));
    let whole = values.iter().map(|&value| value as i64);
    let data: Vec<u8> = match dtype {
        DType::F32 => values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
        DType::F64 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DType::F16 => {
            let bits = values.iter().map(|&value| embarca_num::half::f32_to_f16(value as f32));
            bits.flat_map(u16::to_le_bytes).collect()
        }
        DType::Bf16 => {
            let bits = values.iter().map(|&value| embarca_num::half::f32_to_bf16(value as f32));
            bits.flat_map(u16::to_le_bytes).collect()
        }
        dtype if dtype.is_int() || dtype == DType::Bool => {
            let size = dtype.size().min(8);
            whole.flat_map(|value| value.to_le_bytes().into_iter().take(size)).collect()
        }
        _ => return Err(refused()),
    };
    Const::new(dtype, dims.to_vec(), data).ok_or_else(refused)
}

/// Adds nodes to a graph.
#[derive(Debug)]
pub struct Draft<'b, 'm> {
    /// Where they go.
    pub b: &'b mut Builder<'m>,
}

impl<'b, 'm> Draft<'b, 'm> {
    /// Adds to what `b` adds to.
    pub fn new(b: &'b mut Builder<'m>) -> Self {
        Self { b }
    }

    /// A number of rank 0 in the type of `like`.
    pub fn number(&mut self, like: ValueId, value: f64) -> Result {
        let dtype = self.b.ty(like).dtype;
        Ok(self.b.constant(numbers(dtype, &[], &[value])?, None))
    }

    /// `x + y`
    pub fn add(&mut self, x: ValueId, y: ValueId) -> Result {
        self.b.op(Add {}, &[x, y])
    }

    /// `x - y`
    pub fn sub(&mut self, x: ValueId, y: ValueId) -> Result {
        self.b.op(Sub {}, &[x, y])
    }

    /// `x * y`
    pub fn mul(&mut self, x: ValueId, y: ValueId) -> Result {
        self.b.op(Mul {}, &[x, y])
    }

    /// `x / y`
    pub fn div(&mut self, x: ValueId, y: ValueId) -> Result {
        self.b.op(Div {}, &[x, y])
    }

    /// `x * y` with a number.
    pub fn scaled(&mut self, x: ValueId, y: f64) -> Result {
        let y = self.number(x, y)?;
        self.mul(x, y)
    }

    /// `x + y` with a number.
    pub fn shifted(&mut self, x: ValueId, y: f64) -> Result {
        let y = self.number(x, y)?;
        self.add(x, y)
    }

    /// `x` to the power of `y`.
    pub fn pow(&mut self, x: ValueId, y: ValueId) -> Result {
        let function = super::binary::BinaryFunction::Pow;
        self.b.op(Binary { function }, &[x, y])
    }

    /// A function without parameters.
    pub fn unary(&mut self, kind: unary::Kind, x: ValueId) -> Result {
        self.b.op(Unary::plain(kind), &[x])
    }

    /// Whether a relation holds.
    pub fn compare(&mut self, kind: compare::Kind, x: ValueId, y: ValueId) -> Result {
        self.b.op(Compare { holds: Comparison(kind) }, &[x, y])
    }

    /// `x` where `when` holds, else `y`.
    pub fn select(&mut self, when: ValueId, x: ValueId, y: ValueId) -> Result {
        self.b.op(Select {}, &[when, x, y])
    }

    /// A reduction along `axes`, which are sorted.
    pub fn reduce(
        &mut self,
        kind: reduce::Kind,
        x: ValueId,
        axes: impl IntoIterator<Item = usize>,
        keep: bool,
    ) -> Result {
        let axes = axes.into_iter().collect();
        self.b.op(Reduce { by: Reduction(kind), axes, keep }, &[x])
    }

    /// The product of matrices.
    pub fn matmul(&mut self, x: ValueId, y: ValueId) -> Result {
        self.b.op(Matmul { transpose_a: false, transpose_b: false }, &[x, y])
    }

    /// In another element type.
    pub fn cast(&mut self, x: ValueId, dtype: DType) -> Result {
        super::cast_small::to(self.b, x, dtype)
    }

    /// One after the other along an axis.
    pub fn concat(&mut self, parts: &[ValueId], axis: usize) -> Result {
        match parts {
            [part] => Ok(*part),
            parts => self.b.op(Concat { axis }, parts),
        }
    }

    /// `len` elements along an axis, from `start` on in steps.
    pub fn part(&mut self, x: ValueId, axis: usize, start: i64, len: Dim, step: i64) -> Result {
        let mut parts: Vec<Part> = self.b.ty(x).dims.iter().map(Part::whole).collect();
        match parts.get_mut(axis) {
            Some(part) => *part = Part { start, step, len },
            None => return Err(ShapeError::new(format!("axis {axis} does not exist"))),
        }
        take(self.b, x, &parts)
    }

    /// With an axis of one element before `axis`.
    pub fn unsqueeze(&mut self, x: ValueId, axis: usize) -> Result {
        let mut dims = self.b.ty(x).dims.clone();
        dims.insert(axis.min(dims.len()), Dim::Known(1));
        self.b.reshape(x, dims)
    }

    /// Without the axis `axis` of one element.
    pub fn squeeze(&mut self, x: ValueId, axis: usize) -> Result {
        let mut dims = self.b.ty(x).dims.clone();
        if axis < dims.len() {
            dims.remove(axis);
        }
        self.b.reshape(x, dims)
    }

    /// The elements along an axis at indices.
    pub fn gather(&mut self, x: ValueId, indices: ValueId, axis: usize) -> Result {
        self.b.op(Gather { axis, batch_dims: 0 }, &[x, indices])
    }

    /// Repeated along axes of one element up to `dims`.
    pub fn expand(&mut self, x: ValueId, dims: Vec<Dim>) -> Result {
        if self.b.ty(x).dims == dims {
            return Ok(x);
        }
        self.b.op(Expand { dims }, &[x])
    }

    /// In f32 where it is a float of 16 bits.
    pub fn widened(&mut self, x: ValueId) -> Result {
        match self.b.ty(x).dtype {
            DType::F16 | DType::Bf16 => self.cast(x, DType::F32),
            _ => Ok(x),
        }
    }
}

/// The known dimensions of a value, whose products of any choice fit an index of a kernel.
///
/// # Errors
/// When one is open or they are too large; `what` names the value.
pub fn sizes(
    b: &Builder<'_>,
    value: ValueId,
    what: &str,
) -> std::result::Result<Vec<usize>, ImportError> {
    let dims = b.ty(value).known_dims().ok_or_else(|| {
        ImportError::unsupported(format!("{what} has an open dimension: {}", b.ty(value)))
            .hint("give the inputs' shapes with --shapes")
    })?;
    let all = dims.iter().try_fold(1usize, |all, &dim| all.checked_mul(dim.max(1)));
    match all {
        Some(all) if all < 1 << 31 => Ok(dims),
        _ => Err(ImportError::unsupported(format!("{what} is too large: {}", b.ty(value)))),
    }
}

/// Elements of the largest table that one step of a composition makes.
pub const MAX_TABLE: usize = 1 << 20;

/// That a table of so many elements may be made.
///
/// # Errors
/// When it may not.
pub fn check_table(elements: Option<usize>) -> std::result::Result<usize, ImportError> {
    elements.filter(|&elements| elements <= MAX_TABLE).ok_or_else(|| {
        ImportError::unsupported(format!("a table of more than {MAX_TABLE} elements"))
    })
}
