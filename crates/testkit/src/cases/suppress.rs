//! Cases of `suppress`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |most, across| Suppress { most, across };
    // Corners that make boxes of some overlap.
    let boxes = |n: usize| {
        let corner = |i: usize| {
            let (x, y) = ((i * 7 % 13) as f64, (i * 5 % 11) as f64);
            [x, y, x + 3.0 + (i % 4) as f64, y + 4.0 + (i % 3) as f64]
        };
        let numbers: Vec<f64> = (0..n).flat_map(corner).collect();
        values(DType::F32, &[n, 4], &numbers)
    };
    let limit = |value: f64| values(DType::F32, &[], &[value]);
    let scores = |n, classes| reals(&[n, classes], 0.0, 1.0);
    suite(
        EXACT,
        reference,
        [
            case("classes apart", op(9, false), [boxes(40), scores(40, 3), limit(0.3), limit(0.4)]),
            case("classes together", op(9, true), [
                boxes(40),
                scores(40, 3),
                limit(0.3),
                limit(0.4),
            ]),
            case("more room than boxes", op(12, false), [
                boxes(5),
                scores(5, 1),
                limit(0.1),
                limit(0.2),
            ]),
            case("classes given", op(8, false), [
                boxes(20),
                scores(20, 1),
                limit(0.5),
                limit(0.1),
                ints(DType::F32, &[20], 0, 2),
            ]),
            case("nothing scores", op(3, false), [boxes(4), scores(4, 2), limit(2.0), limit(0.5)]),
            case("nothing", op(2, false), [boxes(0), scores(0, 2), limit(0.5), limit(0.5)]),
        ],
    )
}

fn reference(op: &Suppress, x: &[Array]) -> Vec<Array> {
    let (n, classes) = (x[1].dims[0], x[1].dims[1]);
    let score = |i: usize, class: usize| x[1].at(&[i, class]);
    let best = |i: usize| {
        let first = |a: usize, b: usize| if score(i, a) < score(i, b) { b } else { a };
        (0..classes).reduce(first).expect("a class")
    };
    let class = |i: usize| x.get(4).map_or(best(i) as f64, |given| given.at(&[i]));
    let corner = |i: usize, k: usize| x[0].at(&[i, k]);
    let overlap = |a: usize, b: usize| {
        let side = |k: usize| {
            (corner(a, k + 2).min(corner(b, k + 2)) - corner(a, k).max(corner(b, k))).max(0.0)
        };
        let area = |i: usize| (corner(i, 2) - corner(i, 0)) * (corner(i, 3) - corner(i, 1));
        let common = side(0) * side(1);
        common / (area(a) + area(b) - common)
    };
    let (least, most) = (x[2].at(&[]), x[3].at(&[]));
    let mut order: Vec<usize> = (0..n).filter(|&i| least <= score(i, best(i))).collect();
    order.sort_by(|&a, &b| score(b, best(b)).total_cmp(&score(a, best(a))));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        let rivals = kept.iter().filter(|&&k| op.across || class(k) == class(i));
        if kept.len() < op.most && !rivals.clone().any(|&k| most < overlap(i, k)) {
            kept.push(i);
        }
    }
    let of = |dtype, dims: &[usize], f: &dyn Fn(usize, &[usize]) -> f64| {
        Array::from_fn(dtype, dims, |at| kept.get(at[0]).map_or(0.0, |&i| f(i, at)))
    };
    let m = op.most;
    vec![
        of(DType::F32, &[m, 4], &|i, at| corner(i, at[1])),
        of(DType::F32, &[m], &|i, _| score(i, best(i))),
        of(DType::I32, &[m], &|i, _| class(i)),
        of(DType::I32, &[m], &|i, _| i as f64),
        Array::from_fn(DType::I32, &[1], |_| kept.len() as f64),
    ]
}
