//! Dimensions: numbers or expressions over named symbols.
//!
//! An expression is kept as a polynomial with integer coefficients in a canonical order, so that two
//! dimensions that are equal by ring laws are equal as values. Quotients, remainders, minima and
//! maxima are atoms of the polynomial.

use std::fmt;
use std::sync::Arc;

use crate::ids::SymbolId;

/// A dimension, or any integer computed from dimensions.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Dim {
    /// A number.
    Known(i64),
    /// A polynomial that is not a number.
    Expr(Arc<Poly>),
}

/// A sum of terms, each a coefficient times a product of atoms; sorted, without zero terms.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Poly {
    terms: Vec<(Vec<Atom>, i64)>,
}

impl Poly {
    /// Sorted atoms and coefficient of each term; the constant term has no atoms.
    pub fn terms(&self) -> &[(Vec<Atom>, i64)] {
        &self.terms
    }
}

/// What a polynomial is made of.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Atom {
    /// A named dimension.
    Symbol(SymbolId),
    /// `floor(a / b)`
    FloorDiv(Dim, Dim),
    /// `a - b * floor(a / b)`
    Rem(Dim, Dim),
    /// The smaller.
    Min(Dim, Dim),
    /// The larger.
    Max(Dim, Dim),
    /// Too large to be kept. It has no value, and a graph that contains it is refused.
    Unknown,
}

/// Expressions with more terms, or nested deeper, become [`Atom::Unknown`].
const MAX_TERMS: usize = 64;
const MAX_DEPTH: usize = 24;
/// Likewise when more atoms than this occur in them, nested ones included.
const MAX_SIZE: usize = 4096;

impl From<i64> for Dim {
    fn from(value: i64) -> Self {
        Self::Known(value)
    }
}

impl Dim {
    /// The dimension that a symbol stands for.
    pub fn symbol(id: SymbolId) -> Self {
        Self::atom(Atom::Symbol(id))
    }

    /// An integer nobody can compute.
    pub fn unknown() -> Self {
        Self::atom(Atom::Unknown)
    }

    fn atom(atom: Atom) -> Self {
        Self::Expr(Arc::new(Poly { terms: vec![(vec![atom], 1)] }))
    }

    /// The number, if it is one.
    pub fn known(&self) -> Option<i64> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Expr(_) => None,
        }
    }

    /// The symbol, if it is exactly one.
    pub fn as_symbol(&self) -> Option<SymbolId> {
        let Self::Expr(poly) = self else { return None };
        match poly.terms.as_slice() {
            [(atoms, 1)] => match atoms.as_slice() {
                [Atom::Symbol(id)] => Some(*id),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether [`Atom::Unknown`] occurs in it.
    pub fn is_unknown(&self) -> bool {
        self.any(&mut |atom| matches!(atom, Atom::Unknown))
    }

    fn any(&self, found: &mut impl FnMut(&Atom) -> bool) -> bool {
        let Self::Expr(poly) = self else { return false };
        let mut atoms = poly.terms.iter().flat_map(|(atoms, _)| atoms);
        atoms.any(|atom| {
            found(atom)
                || match atom {
                    Atom::Symbol(_) | Atom::Unknown => false,
                    Atom::FloorDiv(a, b) | Atom::Rem(a, b) | Atom::Min(a, b) | Atom::Max(a, b) => {
                        a.any(found) || b.any(found)
                    }
                }
        })
    }

    /// Calls `visit` with each symbol that occurs in it, possibly several times.
    pub fn for_each_symbol(&self, visit: &mut impl FnMut(SymbolId)) {
        self.any(&mut |atom| {
            if let Atom::Symbol(id) = atom {
                visit(*id);
            }
            false
        });
    }

    fn depth(&self) -> usize {
        let Self::Expr(poly) = self else { return 0 };
        let atoms = poly.terms.iter().flat_map(|(atoms, _)| atoms);
        let nested = atoms.map(|atom| match atom {
            Atom::Symbol(_) | Atom::Unknown => 0,
            Atom::FloorDiv(a, b) | Atom::Rem(a, b) | Atom::Min(a, b) | Atom::Max(a, b) => {
                1 + a.depth().max(b.depth())
            }
        });
        nested.max().unwrap_or(0)
    }

    /// The number of atoms in it, nested ones included.
    fn size(&self) -> usize {
        let Self::Expr(poly) = self else { return 0 };
        let atoms = poly.terms.iter().flat_map(|(atoms, _)| atoms);
        let sizes = atoms.map(|atom| match atom {
            Atom::Symbol(_) | Atom::Unknown => 1,
            Atom::FloorDiv(a, b) | Atom::Rem(a, b) | Atom::Min(a, b) | Atom::Max(a, b) => {
                1 + a.size() + b.size()
            }
        });
        sizes.sum()
    }

    fn to_terms(&self) -> Vec<(Vec<Atom>, i64)> {
        match self {
            Self::Known(0) => Vec::new(),
            Self::Known(value) => vec![(Vec::new(), *value)],
            Self::Expr(poly) => poly.terms.clone(),
        }
    }

    fn from_terms(mut terms: Vec<(Vec<Atom>, i64)>) -> Self {
        terms.sort();
        let mut merged: Vec<(Vec<Atom>, i64)> = Vec::with_capacity(terms.len());
        for (atoms, factor) in terms {
            match merged.last_mut() {
                Some((last, sum)) if *last == atoms => match sum.checked_add(factor) {
                    Some(total) => *sum = total,
                    None => return Self::unknown(),
                },
                _ => merged.push((atoms, factor)),
            }
        }
        merged.retain(|(_, factor)| *factor != 0);
        match merged.as_slice() {
            [] => Self::Known(0),
            [(atoms, value)] if atoms.is_empty() => Self::Known(*value),
            _ if MAX_TERMS < merged.len() => Self::unknown(),
            _ => Self::Expr(Arc::new(Poly { terms: merged })).if_small(),
        }
    }

    fn nested(atom: Atom) -> Self {
        let dim = Self::atom(atom);
        if MAX_DEPTH < dim.depth() { Self::unknown() } else { dim.if_small() }
    }

    fn if_small(self) -> Self {
        if MAX_SIZE < self.size() { Self::unknown() } else { self }
    }

    /// `self + other`
    pub fn add(&self, other: &Self) -> Self {
        let mut terms = self.to_terms();
        terms.extend(other.to_terms());
        Self::from_terms(terms)
    }

    /// `self - other`
    pub fn sub(&self, other: &Self) -> Self {
        self.add(&other.mul(&Self::Known(-1)))
    }

    /// `self * other`
    pub fn mul(&self, other: &Self) -> Self {
        let (left, right) = (self.to_terms(), other.to_terms());
        if MAX_TERMS * MAX_TERMS / 4 < left.len() * right.len() {
            return Self::unknown();
        }
        let mut terms = Vec::with_capacity(left.len() * right.len());
        for (a, x) in &left {
            for (b, y) in &right {
                let Some(factor) = x.checked_mul(*y) else { return Self::unknown() };
                let mut atoms: Vec<Atom> = a.iter().chain(b).cloned().collect();
                if 16 < atoms.len() {
                    return Self::unknown();
                }
                atoms.sort();
                terms.push((atoms, factor));
            }
        }
        Self::from_terms(terms)
    }

    /// `floor(self / other)`; a division by zero is unknown.
    pub fn floor_div(&self, other: &Self) -> Self {
        match (self, other) {
            (_, Self::Known(0)) => return Self::unknown(),
            (Self::Known(a), Self::Known(b)) => {
                return floor_div(*a, *b).map_or_else(Self::unknown, Self::Known);
            }
            (Self::Known(0), _) => return Self::Known(0),
            (_, Self::Known(1)) => return self.clone(),
            _ if self == other => return Self::Known(1),
            _ => {}
        }
        self.exact_div(other)
            .unwrap_or_else(|| Self::nested(Atom::FloorDiv(self.clone(), other.clone())))
    }

    /// The quotient when every term of `self` is a multiple of the single term of `other`.
    fn exact_div(&self, other: &Self) -> Option<Self> {
        let divisor = other.to_terms();
        let [(by, factor)] = divisor.as_slice() else { return None };
        let mut terms = Vec::new();
        for (atoms, x) in self.to_terms() {
            if x.checked_rem(*factor)? != 0 {
                return None;
            }
            let mut rest = atoms;
            for atom in by {
                let at = rest.iter().position(|a| a == atom)?;
                rest.remove(at);
            }
            terms.push((rest, x.checked_div(*factor)?));
        }
        Some(Self::from_terms(terms))
    }

    /// `ceil(self / other)`
    pub fn ceil_div(&self, other: &Self) -> Self {
        self.add(other).sub(&Self::Known(1)).floor_div(other)
    }

    /// `self - other * floor(self / other)`
    pub fn rem(&self, other: &Self) -> Self {
        if let (Self::Known(a), Self::Known(b)) = (self, other) {
            return match floor_div(*a, *b) {
                // The product may wrap; the difference is smaller than `b`.
                Some(quotient) => Self::Known(a.wrapping_sub(b.wrapping_mul(quotient))),
                None => Self::unknown(),
            };
        }
        match self.exact_div(other) {
            Some(_) => Self::Known(0),
            None => Self::nested(Atom::Rem(self.clone(), other.clone())),
        }
    }

    /// The smaller of the two.
    pub fn smaller(&self, other: &Self) -> Self {
        match self.sub(other) {
            Self::Known(difference) => if difference < 0 { self } else { other }.clone(),
            Self::Expr(_) => self
                .absorbed(other, false)
                .unwrap_or_else(|| Self::nested(Atom::Min(self.clone(), other.clone()))),
        }
    }

    /// The larger of the two.
    pub fn larger(&self, other: &Self) -> Self {
        match self.sub(other) {
            Self::Known(difference) => if difference < 0 { other } else { self }.clone(),
            Self::Expr(_) => self
                .absorbed(other, true)
                .unwrap_or_else(|| Self::nested(Atom::Max(self.clone(), other.clone()))),
        }
    }

    /// `max(a, max(a, b)) = max(a, b)`, `max(a, min(a, b)) = a`, and the same with both exchanged.
    fn absorbed(&self, other: &Self, larger: bool) -> Option<Self> {
        for (one, both) in [(self, other), (other, self)] {
            let Self::Expr(poly) = both else { continue };
            let [(atoms, 1)] = poly.terms.as_slice() else { continue };
            let (a, b, of_larger) = match atoms.as_slice() {
                [Atom::Max(a, b)] => (a, b, true),
                [Atom::Min(a, b)] => (a, b, false),
                _ => continue,
            };
            if a == one || b == one {
                return Some(if of_larger == larger { both } else { one }.clone());
            }
        }
        None
    }

    /// The number at given values of the symbols; `None` when one is missing, a division is by
    /// zero or the result leaves 64 bits.
    pub fn eval(&self, symbols: &dyn Fn(SymbolId) -> Option<i64>) -> Option<i64> {
        let Self::Expr(poly) = self else { return self.known() };
        let mut sum = 0i64;
        for (atoms, factor) in &poly.terms {
            let mut product = *factor;
            for atom in atoms {
                let value = match atom {
                    Atom::Symbol(id) => symbols(*id)?,
                    Atom::FloorDiv(a, b) => floor_div(a.eval(symbols)?, b.eval(symbols)?)?,
                    Atom::Rem(a, b) => {
                        let (a, b) = (a.eval(symbols)?, b.eval(symbols)?);
                        a.checked_sub(b.checked_mul(floor_div(a, b)?)?)?
                    }
                    Atom::Min(a, b) => a.eval(symbols)?.min(b.eval(symbols)?),
                    Atom::Max(a, b) => a.eval(symbols)?.max(b.eval(symbols)?),
                    Atom::Unknown => return None,
                };
                product = product.checked_mul(value)?;
            }
            sum = sum.checked_add(product)?;
        }
        Some(sum)
    }

    /// The same expression with symbols replaced by what `with` yields for them.
    pub fn substitute(&self, with: &dyn Fn(SymbolId) -> Option<Dim>) -> Self {
        let Self::Expr(poly) = self else { return self.clone() };
        let mut sum = Self::Known(0);
        for (atoms, factor) in &poly.terms {
            let mut product = Self::Known(*factor);
            for atom in atoms {
                let value = match atom {
                    Atom::Symbol(id) => with(*id).unwrap_or_else(|| Self::symbol(*id)),
                    Atom::FloorDiv(a, b) => a.substitute(with).floor_div(&b.substitute(with)),
                    Atom::Rem(a, b) => a.substitute(with).rem(&b.substitute(with)),
                    Atom::Min(a, b) => a.substitute(with).smaller(&b.substitute(with)),
                    Atom::Max(a, b) => a.substitute(with).larger(&b.substitute(with)),
                    Atom::Unknown => Self::unknown(),
                };
                product = product.mul(&value);
            }
            sum = sum.add(&product);
        }
        sum
    }

    /// Whether the two may be the same number: false only when they differ by a known non-zero
    /// amount. Symbolic sizes that cannot be compared here are compared when shapes are bound.
    pub fn may_equal(&self, other: &Self) -> bool {
        !matches!(self.sub(other), Self::Known(difference) if difference != 0)
    }

    /// Whether this is at most `other` whatever the symbols are, each at least 0. False also where
    /// that is not seen.
    pub fn at_most(&self, other: &Self) -> bool {
        other.sub(self).never_negative(4)
    }

    fn never_negative(&self, depth: usize) -> bool {
        let Self::Expr(poly) = self else { return self.known().is_some_and(|value| 0 <= value) };
        let atom = |atom: &Atom| match atom {
            Atom::Symbol(_) => true,
            _ if depth == 0 => false,
            Atom::FloorDiv(a, b) => a.never_negative(depth - 1) && b.never_negative(depth - 1),
            Atom::Rem(_, b) => b.known().is_some_and(|b| 0 < b),
            Atom::Min(a, b) => a.never_negative(depth - 1) && b.never_negative(depth - 1),
            Atom::Max(a, b) => a.never_negative(depth - 1) || b.never_negative(depth - 1),
            Atom::Unknown => false,
        };
        let fits = |(atoms, factor): &(Vec<Atom>, i64)| 0 <= *factor && atoms.iter().all(atom);
        let Some((atoms, factor)) = poly.terms.iter().find(|term| !fits(term)) else { return true };
        // -f * floor(a / k) is at least -f * a / k, so k times the whole is at least as computed.
        let ([Atom::FloorDiv(a, k)], ..0, 1..) = (atoms.as_slice(), *factor, depth) else {
            return false;
        };
        if k.known().is_none_or(|k| k <= 0) {
            return false;
        }
        let factor = Self::Known(*factor);
        let rest = self.sub(&a.floor_div(k).mul(&factor));
        rest.mul(k).add(&a.mul(&factor)).never_negative(depth - 1)
    }

    /// Writes the expression with the symbols' names.
    pub fn write(
        &self,
        out: &mut dyn fmt::Write,
        name: &dyn Fn(SymbolId) -> String,
    ) -> fmt::Result {
        let Self::Expr(poly) = self else {
            return write!(out, "{}", self.known().unwrap_or_default());
        };
        // The constant term sorts first and reads better last.
        let (constant, rest): (Vec<_>, Vec<_>) =
            poly.terms.iter().partition(|(atoms, _)| atoms.is_empty());
        for (i, (atoms, factor)) in rest.into_iter().chain(constant).enumerate() {
            match (i, *factor) {
                (0, 1) | (_, 1) if i == 0 => {}
                (0, -1) if !atoms.is_empty() => out.write_char('-')?,
                (0, factor) if atoms.is_empty() => write!(out, "{factor}")?,
                (0, factor) => write!(out, "{factor}*")?,
                (_, factor) => {
                    out.write_str(if factor < 0 { " - " } else { " + " })?;
                    let magnitude = factor.unsigned_abs();
                    match (atoms.is_empty(), magnitude) {
                        (true, _) => write!(out, "{magnitude}")?,
                        (false, 1) => {}
                        (false, _) => write!(out, "{magnitude}*")?,
                    }
                }
            }
            for (k, atom) in atoms.iter().enumerate() {
                if 0 < k {
                    out.write_char('*')?;
                }
                let (function, a, b) = match atom {
                    Atom::Symbol(id) => {
                        out.write_str(&name(*id))?;
                        continue;
                    }
                    Atom::Unknown => {
                        out.write_char('?')?;
                        continue;
                    }
                    Atom::FloorDiv(a, b) => ("div", a, b),
                    Atom::Rem(a, b) => ("rem", a, b),
                    Atom::Min(a, b) => ("min", a, b),
                    Atom::Max(a, b) => ("max", a, b),
                };
                write!(out, "{function}(")?;
                a.write(out, name)?;
                out.write_str(", ")?;
                b.write(out, name)?;
                out.write_char(')')?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &|id| format!("s{}", id.0))
    }
}

fn floor_div(a: i64, b: i64) -> Option<i64> {
    let quotient = a.checked_div(b)?;
    Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
}

/// Product of `dims`.
pub fn product<'a>(dims: impl IntoIterator<Item = &'a Dim>) -> Dim {
    dims.into_iter().fold(Dim::Known(1), |product, dim| product.mul(dim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dim: &Dim, text: &str, at_7: Option<i64>) {
        assert_eq!(dim.to_string(), text);
        assert_eq!(dim.eval(&|_| Some(7)), at_7);
    }

    #[test]
    fn canonical_forms() {
        let h = Dim::symbol(SymbolId(0));
        let k = |value: i64| Dim::Known(value);
        check(&h.add(&k(3)), "s0 + 3", Some(10));
        check(&h.sub(&h), "0", Some(0));
        check(&h.mul(&k(6)).floor_div(&k(3)), "2*s0", Some(14));
        check(&h.add(&k(1)).floor_div(&k(2)), "div(s0 + 1, 2)", Some(4));
        check(&h.mul(&h).floor_div(&h), "s0", Some(7));
        check(&h.mul(&k(2)).rem(&k(2)), "0", Some(0));
        check(&k(2).sub(&h), "-s0 + 2", Some(-5));
        check(&h.larger(&h.add(&k(1))), "s0 + 1", Some(8));
        check(&h.smaller(&k(5)), "min(s0, 5)", Some(5));
        check(&h.larger(&k(5).larger(&h)), "max(5, s0)", Some(7));
        check(&h.larger(&h.smaller(&k(5))), "s0", Some(7));
        check(&h.smaller(&h.larger(&k(5))), "s0", Some(7));
        check(&h.smaller(&h.smaller(&k(5))), "min(s0, 5)", Some(5));
        check(&k(i64::MIN).rem(&k(3)), "1", Some(1));
        let least = h.mul(&k(i64::MIN));
        check(&least.floor_div(&h.mul(&k(-1))), "div(-9223372036854775808*s0, -s0)", None);
        check(&k(1).floor_div(&k(0)), "?", None);
        check(&k(i64::MAX).add(&k(1)), "?", None);
        assert!(h.may_equal(&k(3)) && !h.may_equal(&h.add(&k(1))));
        assert_eq!(h.add(&k(1)).mul(&h), h.mul(&h).add(&h));
    }

    #[test]
    fn orders_that_are_seen() {
        let h = Dim::symbol(SymbolId(0));
        let k = |value: i64| Dim::Known(value);
        let half = h.floor_div(&k(2));
        let cases = [
            (k(2), k(3), true),
            (h.clone(), h.add(&k(1)), true),
            (h.sub(&k(1)), h.clone(), true),
            (half.clone(), h.clone(), true),
            (half.add(&half), h.clone(), true),
            (half.mul(&k(3)), h.clone(), false),
            (k(5), h.clone(), false),
            (h.clone(), k(5), false),
            (h.rem(&k(4)), h.add(&k(3)), false),
            (Dim::unknown(), h.clone(), false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(a.at_most(&b), expected, "{a} <= {b}");
        }
    }

    #[test]
    fn growth_is_bounded() {
        let mut dim = Dim::symbol(SymbolId(0));
        for i in 1..200 {
            dim = dim.mul(&Dim::symbol(SymbolId(i)).add(&Dim::Known(1)));
        }
        assert!(dim.is_unknown());
        let mut dim = Dim::symbol(SymbolId(0));
        for i in 2..60 {
            dim = dim.floor_div(&Dim::Known(i)).larger(&dim.rem(&Dim::Known(i)));
        }
        assert!(dim.is_unknown());
    }
}
