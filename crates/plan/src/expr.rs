//! Sizes as expressions over named symbols.

use core::fmt;

use crate::records::{EXPR_BIT, ExprRecord, SymbolRecord};

/// A dimension or byte offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Known when the plan was built, below 2^31.
    Fixed(u32),
    /// The value of an expression.
    Expr(u32),
}

impl Dim {
    /// From its stored form.
    pub const fn decode(word: u32) -> Self {
        if word & EXPR_BIT == 0 { Self::Fixed(word) } else { Self::Expr(word & !EXPR_BIT) }
    }

    /// To its stored form; `None` when the number needs more than 31 bits.
    pub const fn encode(self) -> Option<u32> {
        match self {
            Self::Fixed(value) if value & EXPR_BIT == 0 => Some(value),
            Self::Expr(index) if index & EXPR_BIT == 0 => Some(index | EXPR_BIT),
            _ => None,
        }
    }

    /// The value, given those of all expressions; `None` when it is missing, negative or above
    /// 2^31 - 1.
    pub fn value(self, exprs: &[i64]) -> Option<u32> {
        let value = match self {
            Self::Fixed(value) => return Some(value),
            Self::Expr(index) => *exprs.get(index as usize)?,
        };
        u32::try_from(value).ok().filter(|value| value & EXPR_BIT == 0)
    }

    /// The value when it is fixed.
    pub const fn fixed(self) -> Option<u32> {
        match self {
            Self::Fixed(value) => Some(value),
            Self::Expr(_) => None,
        }
    }
}

/// What a node of an expression computes, on 64-bit signed integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum ExprOp {
    /// The number in both operand fields.
    Const = 0,
    /// A symbol's value.
    Symbol = 1,
    /// Sum.
    Add = 2,
    /// Difference.
    Sub = 3,
    /// Product.
    Mul = 4,
    /// Quotient rounded toward minus infinity; the divisor is positive.
    FloorDiv = 5,
    /// Quotient rounded toward plus infinity; the divisor is positive.
    CeilDiv = 6,
    /// What the floor division leaves; the divisor is positive.
    Rem = 7,
    /// The smaller one.
    Min = 8,
    /// The larger one.
    Max = 9,
}

impl ExprOp {
    /// The operation with this number.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::Const,
            1 => Self::Symbol,
            2 => Self::Add,
            3 => Self::Sub,
            4 => Self::Mul,
            5 => Self::FloorDiv,
            6 => Self::CeilDiv,
            7 => Self::Rem,
            8 => Self::Min,
            9 => Self::Max,
            _ => return None,
        })
    }
}

/// A node of an expression. Operands are indices of earlier nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Expr {
    /// A number.
    Const(i64),
    /// The value of a symbol.
    Symbol(u32),
    /// Two operands; never [`ExprOp::Const`] or [`ExprOp::Symbol`].
    Binary(ExprOp, u32, u32),
}

impl Expr {
    /// From its stored form; `None` when no operation has this number.
    pub const fn decode(record: ExprRecord) -> Option<Self> {
        Some(match ExprOp::from_code(record.op) {
            None => return None,
            Some(ExprOp::Const) => {
                Self::Const((record.a as u64 | (record.b as u64) << 32).cast_signed())
            }
            Some(ExprOp::Symbol) => Self::Symbol(record.a),
            Some(op) => Self::Binary(op, record.a, record.b),
        })
    }

    /// To its stored form.
    pub const fn encode(self) -> ExprRecord {
        match self {
            Self::Const(value) => {
                let value = value.cast_unsigned();
                ExprRecord { op: 0, a: value as u32, b: (value >> 32) as u32 }
            }
            Self::Symbol(symbol) => ExprRecord { op: 1, a: symbol, b: 0 },
            Self::Binary(op, a, b) => ExprRecord { op: op as u32, a, b },
        }
    }
}

/// Why sizes cannot be computed from the symbols' values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeError {
    /// An input has another rank than the program's.
    Rank {
        /// The input.
        input: u32,
    },
    /// A dimension of an input is not the one that the program fixes.
    Dim {
        /// The input.
        input: u32,
        /// The axis.
        axis: u32,
        /// The size given.
        given: u32,
    },
    /// A symbol has two values, or one outside its range.
    Symbol {
        /// The symbol.
        symbol: u32,
        /// The value given.
        given: u32,
    },
    /// A symbol's value follows from no input.
    Unbound {
        /// The symbol.
        symbol: u32,
    },
    /// An expression overflows or divides by a number that is not positive.
    Expr {
        /// The expression.
        index: u32,
    },
    /// A buffer of the caller is too short.
    Buffer,
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Rank { input } => write!(f, "input {input} has the wrong rank"),
            Self::Dim { input, axis, given } => {
                write!(f, "input {input} cannot have size {given} along axis {axis}")
            }
            Self::Symbol { symbol, given } => {
                write!(f, "size {given} does not fit symbol {symbol}")
            }
            Self::Unbound { symbol } => write!(f, "no input gives a value for symbol {symbol}"),
            Self::Expr { index } => write!(f, "size expression {index} has no value here"),
            Self::Buffer => f.write_str("a buffer is too short"),
        }
    }
}

impl core::error::Error for SizeError {}

/// Computes all expressions, each once, into the front of `values`.
///
/// # Errors
/// An expression has no value, or `values` is shorter than `exprs`.
pub fn evaluate(
    exprs: &[ExprRecord],
    symbols: &[u32],
    values: &mut [i64],
) -> Result<(), SizeError> {
    if values.len() < exprs.len() {
        return Err(SizeError::Buffer);
    }
    for (index, &record) in exprs.iter().enumerate() {
        let (before, rest) = values.split_at_mut(index);
        let value = Expr::decode(record).and_then(|expr| match expr {
            Expr::Const(value) => Some(value),
            Expr::Symbol(symbol) => symbols.get(symbol as usize).copied().map(i64::from),
            Expr::Binary(op, a, b) => {
                binary(op, *before.get(a as usize)?, *before.get(b as usize)?)
            }
        });
        let value = value.ok_or(SizeError::Expr { index: index as u32 })?;
        if let Some(slot) = rest.first_mut() {
            *slot = value;
        }
    }
    Ok(())
}

fn binary(op: ExprOp, a: i64, b: i64) -> Option<i64> {
    match op {
        ExprOp::Const | ExprOp::Symbol => None,
        ExprOp::Add => a.checked_add(b),
        ExprOp::Sub => a.checked_sub(b),
        ExprOp::Mul => a.checked_mul(b),
        ExprOp::FloorDiv if b > 0 => Some(a.div_euclid(b)),
        ExprOp::CeilDiv if b > 0 => Some(a.div_euclid(b) + i64::from(a.rem_euclid(b) != 0)),
        ExprOp::Rem if b > 0 => Some(a.rem_euclid(b)),
        ExprOp::FloorDiv | ExprOp::CeilDiv | ExprOp::Rem => None,
        ExprOp::Min => Some(a.min(b)),
        ExprOp::Max => Some(a.max(b)),
    }
}

/// Whether a symbol's value comes from data.
pub(crate) const fn from_data(symbol: &SymbolRecord) -> bool {
    symbol.flags & SymbolRecord::FROM_DATA != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(exprs: &[Expr], symbols: &[u32]) -> Result<i64, SizeError> {
        let mut records = [ExprRecord { op: 0, a: 0, b: 0 }; 8];
        for (record, expr) in records.iter_mut().zip(exprs) {
            *record = expr.encode();
            assert_eq!(Expr::decode(*record), Some(*expr));
        }
        let mut values = [0; 8];
        evaluate(&records[..exprs.len()], symbols, &mut values)?;
        Ok(values[exprs.len() - 1])
    }

    #[test]
    fn operations() {
        let cases = [
            (ExprOp::Add, 7, -9, Some(-2)),
            (ExprOp::Sub, 7, 9, Some(-2)),
            (ExprOp::Mul, 7, -3, Some(-21)),
            (ExprOp::FloorDiv, -7, 2, Some(-4)),
            (ExprOp::CeilDiv, -7, 2, Some(-3)),
            (ExprOp::CeilDiv, 7, 2, Some(4)),
            (ExprOp::CeilDiv, i64::MAX, 1, Some(i64::MAX)),
            (ExprOp::Rem, -7, 4, Some(1)),
            (ExprOp::Min, -1, 4, Some(-1)),
            (ExprOp::Max, -1, 4, Some(4)),
            (ExprOp::Rem, 1, 0, None),
            (ExprOp::FloorDiv, 1, -1, None),
            (ExprOp::Add, i64::MAX, 1, None),
            (ExprOp::Mul, i64::MIN, -1, None),
        ];
        for (op, a, b, want) in cases {
            let got = eval(&[Expr::Const(a), Expr::Const(b), Expr::Binary(op, 0, 1)], &[]);
            assert_eq!(got, want.ok_or(SizeError::Expr { index: 2 }), "{op:?} {a} {b}");
        }
    }

    #[test]
    fn symbols_and_shared_nodes() {
        let exprs = [
            Expr::Symbol(1),
            Expr::Const(1 << 40),
            Expr::Binary(ExprOp::Mul, 0, 0),
            Expr::Binary(ExprOp::Add, 2, 1),
        ];
        assert_eq!(eval(&exprs, &[0, 5]), Ok((1 << 40) + 25));
        assert_eq!(eval(&exprs, &[0]), Err(SizeError::Expr { index: 0 }));
    }

    #[test]
    fn dims_have_31_bits() {
        assert_eq!(Dim::Fixed(5).encode(), Some(5));
        assert_eq!(Dim::Fixed(1 << 31).encode(), None);
        assert_eq!(Dim::decode(Dim::Expr(3).encode().unwrap()), Dim::Expr(3));
        assert_eq!(Dim::Expr(0).value(&[-1]), None);
        assert_eq!(Dim::Expr(0).value(&[1 << 31]), None);
        assert_eq!(Dim::Expr(0).value(&[9]), Some(9));
    }
}
