//! The discrete Fourier transform in steps of the length's factors.
//!
//! Stockham's form: each step reads one buffer and writes the other in the order that the next one
//! reads, so nothing is reversed. Factors are taken as 4, 2, then odd primes, 2 always first; within
//! an odd one the terms are paired by their symmetry.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32. Inputs: numbers `[.., n, 2]` as real and imaginary parts, and the n-th roots of one `[n, 2]`,
/// counter-clockwise. Output: as the first input. Record [`Params`].
pub const F32: Kernel = Kernel::new("fft_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// 1 for the inverse, which is divided by the length.
    pub inverse: u32,
}

/// The longest transform.
pub const MAX_LENGTH: u32 = 1 << 20;

/// The greatest prime factor of a length; each costs its square.
pub const MAX_FACTOR: usize = 2048;

type Complex = [f32; 2];

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { inverse } = sig.params()?;
    let (x, roots, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.inputs.len() != 2 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if [x.dtype, roots.dtype, y.dtype] != [DType::F32; 3] {
        return Err(Fault::Type);
    }
    let [outer @ .., n, 2] = x.dims else { return Err(Fault::Shape) };
    if x.dims != y.dims || roots.dims != [*n, 2] || *n == 0 {
        return Err(Fault::Shape);
    }
    if 1 < inverse {
        return Err(Fault::Record);
    }
    if MAX_LENGTH < *n {
        return Err(Fault::TooLarge);
    }
    check_size(x)?;
    check_size(roots)?;
    let greatest = Factors::of(*n as usize).max().unwrap_or(1);
    if MAX_FACTOR < greatest {
        return Err(Fault::TooLarge);
    }
    let units = outer.iter().map(|&dim| dim as usize).product();
    Ok(Needs { units, scratch: 8 * (*n as usize + greatest) })
}

/// The factors in the order in which they are taken.
struct Factors {
    rest: usize,
    first: bool,
    next: usize,
}

impl Factors {
    fn of(n: usize) -> Self {
        Self { rest: n, first: true, next: 3 }
    }
}

impl Iterator for Factors {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let twos = self.rest.trailing_zeros();
        let factor = match (self.rest, twos) {
            (0 | 1, _) => return None,
            (_, 0) => {
                while !self.rest.is_multiple_of(self.next) {
                    // No factor is left below the root: the rest is prime.
                    let beyond = self.rest < self.next * self.next;
                    self.next = if beyond { self.rest } else { self.next + 2 };
                }
                self.next
            }
            (_, twos) if self.first && twos % 2 == 1 => 2,
            _ => 4,
        };
        self.first = false;
        self.rest /= factor;
        Some(factor)
    }
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { inverse } = call.params()?;
    let (x, roots) = (call.input(0)?, call.input(1)?);
    let (x, roots) = (complex(x.elements()), complex(roots.elements()));
    let n = roots.len();
    let units = call.units.clone();
    let (scratch, _) = call.scratch.split_at_mut(call.scratch.len() / 8 * 8);
    let scratch = <[Complex]>::mut_from_bytes(scratch).map_err(|_| Fault::TooLarge)?;
    let (work, pairs) = scratch.split_at_mut_checked(n).ok_or(Fault::TooLarge)?;
    let y = call.outputs.get_mut(0).ok_or(Fault::Arity)?.elements::<f32>();
    let y = y.as_chunks_mut::<2>().0;
    let rows = x.chunks_exact(n).skip(units.start).take(units.len());
    for (x, y) in rows.zip(y.chunks_exact_mut(n)) {
        transform(x, y, work, pairs, roots, inverse == 1);
    }
    Ok(())
}

fn complex(x: &[f32]) -> &[Complex] {
    x.as_chunks::<2>().0
}

fn add(a: Complex, b: Complex) -> Complex {
    [a[0] + b[0], a[1] + b[1]]
}

fn sub(a: Complex, b: Complex) -> Complex {
    [a[0] - b[0], a[1] - b[1]]
}

/// `a` turned by a quarter: counter-clockwise where `left`.
fn quarter(a: Complex, left: bool) -> Complex {
    if left { [-a[1], a[0]] } else { [a[1], -a[0]] }
}

/// `a` turned by a root: clockwise unless `left`.
fn turned(a: Complex, root: Complex, left: bool) -> Complex {
    if left {
        [a[0] * root[0] - a[1] * root[1], a[0] * root[1] + a[1] * root[0]]
    } else {
        [a[0] * root[0] + a[1] * root[1], a[1] * root[0] - a[0] * root[1]]
    }
}

/// One row. `pairs` holds as many elements as the greatest factor.
fn transform(
    x: &[Complex],
    y: &mut [Complex],
    work: &mut [Complex],
    pairs: &mut [Complex],
    roots: &[Complex],
    inverse: bool,
) {
    let n = x.len();
    y.copy_from_slice(x);
    let mut done = 1;
    for factor in Factors::of(n) {
        let step = Step { factor, done, left: n / (done * factor), inverse };
        work.copy_from_slice(y);
        step.run(work, y, pairs, roots);
        done *= factor;
    }
    if inverse {
        let scale = 1.0 / n as f32;
        for y in y {
            *y = [y[0] * scale, y[1] * scale];
        }
    }
}

/// One factor of the length.
struct Step {
    factor: usize,
    /// The product of the factors before.
    done: usize,
    /// The product of those behind.
    left: usize,
    inverse: bool,
}

impl Step {
    fn run(&self, from: &[Complex], to: &mut [Complex], pairs: &mut [Complex], roots: &[Complex]) {
        for k in 0..self.done {
            for i in 0..self.left {
                let term = |j: usize| from[i + self.left * (j + self.factor * k)];
                match self.factor {
                    2 => {
                        let (a, b) = (term(0), term(1));
                        self.put(to, roots, (i, k, 0), add(a, b));
                        self.put(to, roots, (i, k, 1), sub(a, b));
                    }
                    4 => {
                        let (even, odd) = (add(term(0), term(2)), sub(term(0), term(2)));
                        let (sum, difference) = (add(term(1), term(3)), sub(term(1), term(3)));
                        let across = quarter(difference, self.inverse);
                        self.put(to, roots, (i, k, 0), add(even, sum));
                        self.put(to, roots, (i, k, 1), add(odd, across));
                        self.put(to, roots, (i, k, 2), sub(even, sum));
                        self.put(to, roots, (i, k, 3), sub(odd, across));
                    }
                    _ => self.odd(&term, (i, k), to, pairs, roots),
                }
            }
        }
    }

    /// Result `u` of element `i` of group `k`, turned for the steps behind.
    fn put(
        &self,
        to: &mut [Complex],
        roots: &[Complex],
        (i, k, u): (usize, usize, usize),
        value: Complex,
    ) {
        let root = roots[u * self.done * i];
        let value = if u * i == 0 { value } else { turned(value, root, self.inverse) };
        to[i + self.left * (k + self.done * u)] = value;
    }

    fn odd(
        &self,
        term: &dyn Fn(usize) -> Complex,
        (i, k): (usize, usize),
        to: &mut [Complex],
        pairs: &mut [Complex],
        roots: &[Complex],
    ) {
        let (p, half) = (self.factor, self.factor / 2);
        let first = term(0);
        let mut sum = first;
        for j in 1..=half {
            let (a, b) = (term(j), term(p - j));
            pairs[j] = add(a, b);
            pairs[p - j] = sub(a, b);
            sum = add(sum, pairs[j]);
        }
        self.put(to, roots, (i, k, 0), sum);
        for u in 1..=half {
            let (mut along, mut across) = (first, [0.0, 0.0]);
            for j in 1..=half {
                let [cos, sin] = roots[j * u % p * (roots.len() / p)];
                let (sum, difference) = (pairs[j], pairs[p - j]);
                along = add(along, [cos * sum[0], cos * sum[1]]);
                let part = [sin * difference[0], sin * difference[1]];
                across = if j == 1 { part } else { add(across, part) };
            }
            let across = quarter(across, self.inverse);
            self.put(to, roots, (i, k, u), add(along, across));
            self.put(to, roots, (i, k, p - u), sub(along, across));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::testing::{Tensor, run};

    fn roots(n: usize) -> Vec<f32> {
        let turn = |i: usize| core::f64::consts::TAU * i as f64 / n as f64;
        (0..n).flat_map(|i| [turn(i).cos() as f32, turn(i).sin() as f32]).collect()
    }

    #[test]
    fn factors_multiply_to_the_length() {
        for n in 1..500 {
            assert_eq!(Factors::of(n).product::<usize>(), n);
        }
        assert_eq!(Factors::of(2 * 16 * 9 * 7).collect::<Vec<_>>(), [2, 4, 4, 3, 3, 7]);
    }

    #[test]
    fn sums_of_turned_terms_and_back() {
        for n in [1usize, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 22, 49, 60, 127] {
            let value = |i: usize| ((i * 37 % 11) as f32 - 5.0) / 3.0;
            let values: Vec<f32> = (0..4 * n).map(value).collect();
            let dims = [2, n as u32, 2];
            let x = Tensor::f32(&dims, &values);
            let table = Tensor::f32(&[n as u32, 2], &roots(n));
            let to = [(DType::F32, &dims[..])];
            let y = run(&F32, &Params { inverse: 0 }, &[x, table.clone()], &to);
            for (row, got) in y[0].to_f32().chunks(2 * n).enumerate() {
                for k in 0..n {
                    let mut want = [0.0f64; 2];
                    for i in 0..n {
                        let turn = core::f64::consts::TAU * (i * k % n) as f64 / n as f64;
                        let [a, b] = [0, 1].map(|p| f64::from(values[2 * (row * n + i) + p]));
                        want[0] += a * turn.cos() + b * turn.sin();
                        want[1] += b * turn.cos() - a * turn.sin();
                    }
                    for part in 0..2 {
                        let apart = f64::from(got[2 * k + part]) - want[part];
                        assert!(apart.abs() < 2e-6 * n as f64, "{n}, row {row}, {k}: {apart}");
                    }
                }
            }
            let back = run(&F32, &Params { inverse: 1 }, &[y[0].clone(), table], &to);
            for (a, b) in back[0].to_f32().iter().zip(&values) {
                assert!((a - b).abs() < 1e-5, "{n}: {a} instead of {b}");
            }
        }
    }
}
