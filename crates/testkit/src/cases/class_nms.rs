//! Cases of `class_nms`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |each| ClassNms {
        each: Dim::Known(each),
        max_overlap: 0.4,
        min_score: 0.3,
        centred: false,
    };
    let inputs = |n, classes, all| {
        [reals(&[n, all, 4], 0.0, 1.0), reals(&[n, classes, all], 0.0, 1.0)]
    };
    let count = |count: f64| values(DType::I64, &[], &[count]);
    let [boxes, scores] = inputs(1, 2, 12);
    suite(
        EXACT,
        reference,
        [
            case("classes and samples", op(20), inputs(2, 3, 20)),
            case("few of each", op(2), inputs(2, 3, 25)),
            case("centres", ClassNms { centred: true, ..op(9) }, inputs(1, 2, 9)),
            case("some count", op(12), [boxes, scores, count(7.0)]),
            case("every score", ClassNms { min_score: f32::NEG_INFINITY, ..op(6) }, inputs(1, 1, 6)),
            case("nothing", op(3), inputs(1, 1, 0)),
        ],
    )
}

fn reference(op: &ClassNms, x: &[Array]) -> Vec<Array> {
    let [n, classes, all] = [0, 1, 2].map(|axis| x[1].dims[axis]);
    let used = x.get(2).map_or(all, |count| count.at(&[]) as usize);
    let each = op.each.known().unwrap() as usize;
    let corners = |sample: usize, i: usize| {
        let [a, b, c, d] = std::array::from_fn(|k| x[0].at(&[sample, i, k]));
        match op.centred {
            true => [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0],
            false => [f64::min(a, c), f64::min(b, d), f64::max(a, c), f64::max(b, d)],
        }
    };
    let share = |sample: usize, i: usize, j: usize| {
        let (a, b) = (corners(sample, i), corners(sample, j));
        let area = |c: [f64; 4]| (c[2] - c[0]) * (c[3] - c[1]);
        let side = |k: usize| (a[k + 2].min(b[k + 2]) - a[k].max(b[k])).max(0.0);
        let both = side(0) * side(1);
        both / (area(a) + area(b) - both)
    };
    let mut rows: Vec<[usize; 3]> = Vec::new();
    for (sample, class) in (0..n).flat_map(|sample| (0..classes).map(move |class| (sample, class))) {
        let score = |i: usize| x[1].at(&[sample, class, i]);
        let mut order: Vec<usize> = (0..used).filter(|&i| f64::from(op.min_score) < score(i)).collect();
        order.sort_by(|&i, &j| score(j).total_cmp(&score(i)).then(i.cmp(&j)));
        let mut kept: Vec<usize> = Vec::new();
        for i in order {
            let hidden = kept.iter().any(|&j| f64::from(op.max_overlap) < share(sample, i, j));
            if kept.len() < each && !hidden {
                kept.push(i);
            }
        }
        rows.extend(kept.into_iter().map(|i| [sample, class, i]));
    }
    let most = n * classes * each;
    vec![
        Array::from_fn(DType::I64, &[most, 3], |at| rows.get(at[0]).map_or(0.0, |r| r[at[1]] as f64)),
        Array::from_fn(DType::I64, &[], |_| rows.len() as f64),
    ]
}
