//! Cases of `ctc`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |blank| Ctc { blank };
    suite(
        EXACT,
        reference,
        [
            case("steps", op(0), [reals(&[3, 3], 0.0, 1.0).open(0)]),
            case("a blank at the end", op(2), [reals(&[24, 3], 0.0, 1.0)]),
            case("one class", op(0), [reals(&[5, 1], 0.0, 1.0)]),
            case("no steps", op(0), [reals(&[0, 4], 0.0, 1.0)]),
        ],
    )
}

fn reference(op: &Ctc, x: &[Array]) -> Vec<Array> {
    let [steps, classes] = x[0].dims[..] else { panic!("steps by classes") };
    let best: Vec<usize> = (0..steps)
        .map(|t| {
            let first = |a: usize, b: usize| if x[0].at(&[t, a]) < x[0].at(&[t, b]) { b } else { a };
            (0..classes).reduce(first).expect("a class")
        })
        .collect();
    let read: Vec<(usize, usize)> = (0..steps)
        .filter(|&t| best[t] != op.blank && (t == 0 || best[t] != best[t - 1]))
        .map(|t| (t, best[t]))
        .collect();
    vec![
        Array::from_fn(DType::I32, &[steps], |at| read.get(at[0]).map_or(-1.0, |r| r.1 as f64)),
        Array::from_fn(DType::F32, &[steps], |at| {
            read.get(at[0]).map_or(0.0, |&(t, class)| x[0].at(&[t, class]))
        }),
        Array::from_fn(DType::I32, &[1], |_| read.len() as f64),
    ]
}
