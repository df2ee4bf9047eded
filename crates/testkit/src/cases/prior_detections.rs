//! Cases of `prior_detections`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let plain = PriorDetections {
        classes: 3,
        background: 0,
        shared: true,
        code: "center_size".to_owned(),
        scaled: false,
        top_k: Some(8),
        keep: Some(6),
        min_score: 0.4,
        max_overlap: 0.45,
        eta: 1.0,
    };
    // Left, top, right, bottom of priors that overlap, then variances.
    let priors = |boxes: usize| {
        // Far from zero, where sums lose little.
    let corner = |i: usize| [1.0 + 0.07 * i as f64, 1.3, 1.4 + 0.07 * i as f64, 1.8];
        let edges = (0..boxes).flat_map(corner);
        let variances = (0..boxes).flat_map(|_| [0.1, 0.1, 0.2, 0.2]);
        values(DType::F32, &[1, 2, 4 * boxes], &edges.chain(variances).collect::<Vec<_>>())
    };
    let inputs = |n: usize, sets: usize| {
        [reals(&[n, 40 * sets], -2.0, 2.0), reals(&[n, 30], 0.0, 1.0), priors(10)]
    };
    let code = |code: &str| PriorDetections { code: code.to_owned(), ..plain.clone() };
    let adaptive = PriorDetections { eta: 0.7, max_overlap: 0.8, ..plain.clone() };
    let own = PriorDetections { shared: false, keep: None, top_k: None, ..plain.clone() };
    suite(
        rounded(16),
        reference,
        [
            case("two samples", plain.clone(), inputs(2, 1)),
            case("offsets of each class", own, inputs(1, 3)),
            case("corners", code("corner"), inputs(1, 1)),
            case("corners by size", code("corner_size"), inputs(1, 1)),
            case("scaled offsets", PriorDetections { scaled: true, ..plain.clone() }, inputs(1, 1)),
            case("a sinking limit", adaptive, inputs(1, 1)),
            case("no background", PriorDetections { background: 9, ..plain.clone() }, inputs(1, 1)),
            case("nothing", PriorDetections { min_score: 2.0, ..plain }, inputs(3, 1)),
        ],
    )
}

type Corners = [f64; 4];

fn reference(op: &PriorDetections, x: &[Array]) -> Vec<Array> {
    let (n, boxes) = (x[0].dims[0], x[2].dims[2] / 4);
    let sets = if op.shared { 1 } else { op.classes };
    let each = op.top_k.unwrap_or(boxes).min(boxes) * op.classes;
    let keep = op.keep.unwrap_or(each).min(each).max(1);
    let mut rows: Vec<[f64; 7]> = Vec::new();
    for sample in 0..n {
        let corners = |index: usize, class: usize| -> Corners {
            let set = if op.shared { 0 } else { class };
            let prior: [f64; 4] = std::array::from_fn(|edge| x[2].at(&[0, 0, 4 * index + edge]));
            let moved: [f64; 4] = std::array::from_fn(|edge| {
                let offset = x[0].at(&[sample, 4 * (index * sets + set) + edge]);
                let variance = x[2].at(&[0, 1, 4 * index + edge]);
                offset * if op.scaled { 1.0 } else { variance }
            });
            let size = [prior[2] - prior[0], prior[3] - prior[1]];
            match op.code.as_str() {
                "corner" => std::array::from_fn(|edge| prior[edge] + moved[edge]),
                "corner_size" => {
                    std::array::from_fn(|edge| prior[edge] + moved[edge] * size[edge % 2])
                }
                _ => std::array::from_fn(|edge| {
                    let axis = edge % 2;
                    let center = prior[axis] + size[axis] / 2.0 + moved[axis] * size[axis];
                    let half = moved[axis + 2].exp() * size[axis] / 2.0;
                    if edge < 2 { center - half } else { center + half }
                }),
            }
        };
        let mut kept: Vec<(usize, usize, f64)> = Vec::new();
        for class in (0..op.classes).filter(|&class| class as u32 != op.background) {
            let score = |index: usize| x[1].at(&[sample, index * op.classes + class]);
            let mut order: Vec<usize> =
                (0..boxes).filter(|&index| f64::from(op.min_score) < score(index)).collect();
            order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
            order.truncate(op.top_k.unwrap_or(usize::MAX));
            let mut limit = f64::from(op.max_overlap);
            let mut stay: Vec<usize> = Vec::new();
            for index in order {
                let this = corners(index, class);
                if stay.iter().all(|&before| share(&this, &corners(before, class)) <= limit) {
                    stay.push(index);
                    limit *= if 0.5 < limit { f64::from(op.eta) } else { 1.0 };
                }
            }
            kept.extend(stay.into_iter().map(|index| (class, index, score(index))));
        }
        kept.sort_by(|a, b| b.2.total_cmp(&a.2));
        kept.truncate(keep);
        kept.sort_by_key(|row| row.0);
        for (class, index, score) in kept {
            let [left, top, right, bottom] = corners(index, class);
            rows.push([sample as f64, class as f64, score, left, top, right, bottom]);
        }
    }
    if rows.is_empty() {
        rows = (0..n).map(|n| [n as f64, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]).collect();
    }
    vec![
        x[0].like(&[1, 1, n * keep, 7], |at| rows.get(at[2]).map_or(-1.0, |row| row[at[3]])),
        Array::from_fn(DType::I32, &[1], |_| rows.len() as f64),
    ]
}

fn share(a: &Corners, b: &Corners) -> f64 {
    let area = |c: &Corners| (c[2] - c[0]).max(0.0) * (c[3] - c[1]).max(0.0);
    let side = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let both = side(0) * side(1);
    if both == 0.0 { 0.0 } else { both / (area(a) + area(b) - both) }
}
