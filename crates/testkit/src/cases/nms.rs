//! Cases of `nms`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let hard = Nms { most: 8, max_overlap: 0.4, min_score: 0.1, sigma: 0.0 };
    let inputs = |n| [reals(&[n, 4], 0.0, 1.0), reals(&[n], 0.0, 1.0)];
    let soft = Nms { sigma: 0.3, max_overlap: 0.7, most: 20, ..hard };
    suite(
        rounded(40),
        reference,
        [
            case("hard", hard.clone(), inputs(25)),
            case("few", Nms { most: 2, ..hard.clone() }, inputs(25)),
            case("soft", soft.clone(), inputs(20)),
            case("soft, nothing hidden", Nms { max_overlap: 1.0, sigma: 0.8, ..soft }, inputs(15)),
            case("nothing", Nms { min_score: 2.0, ..hard }, inputs(5)),
        ],
    )
}

fn reference(op: &Nms, x: &[Array]) -> Vec<Array> {
    let n = x[1].dims[0];
    let corners = |i: usize| {
        let [a, b, c, d] = std::array::from_fn(|k| x[0].at(&[i, k]));
        [f64::min(a, c), f64::min(b, d), f64::max(a, c), f64::max(b, d)]
    };
    let share = |i: usize, j: usize| {
        let (a, b) = (corners(i), corners(j));
        let area = |c: [f64; 4]| (c[2] - c[0]) * (c[3] - c[1]);
        let side = |k: usize| (a[k + 2].min(b[k + 2]) - a[k].max(b[k])).max(0.0);
        let both = side(0) * side(1);
        both / (area(a) + area(b) - both)
    };
    // In exact arithmetic, a box's score is what all kept before it leave of it.
    let mut left: Vec<(usize, f64)> = (0..n).map(|i| (i, x[1].at(&[i]))).collect();
    let mut kept: Vec<(usize, f64)> = Vec::new();
    while kept.len() < op.most {
        left.retain(|&(_, score)| f64::from(op.min_score) < score);
        let best = left.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((index, score)) = best else { break };
        left.retain(|&(other, _)| other != index);
        left.retain(|&(other, _)| share(index, other) < f64::from(op.max_overlap));
        if 0.0 < op.sigma {
            for (other, score) in &mut left {
                *score *= (-0.5 / f64::from(op.sigma) * share(index, *other).powi(2)).exp();
            }
        }
        kept.push((index, score));
    }
    vec![
        Array::from_fn(DType::I32, &[op.most], |at| kept.get(at[0]).map_or(0.0, |k| k.0 as f64)),
        x[1].like(&[op.most], |at| kept.get(at[0]).map_or(0.0, |k| k.1)),
        Array::from_fn(DType::I32, &[], |_| kept.len() as f64),
    ]
}
