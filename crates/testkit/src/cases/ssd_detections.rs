//! Cases of `ssd_detections`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let fast = SsdDetections {
        max_detections: 6,
        max_classes: 1,
        per_class: 100,
        regular: false,
        classes: 3,
        min_score: 0.2,
        max_overlap: 0.4,
        scales: [10.0, 10.0, 5.0, 5.0],
    };
    let inputs = |boxes, columns| {
        let anchors = reals(&[boxes, 4], 0.3, 0.6).constant();
        [reals(&[1, boxes, 4], -2.0, 2.0), reals(&[1, boxes, columns], 0.0, 1.0), anchors]
    };
    let mut wide = inputs(9, 4);
    wide[0] = reals(&[1, 9, 6], -2.0, 2.0);
    suite(
        rounded(16),
        reference,
        [
            case("by the best class", fast.clone(), inputs(20, 4)),
            case("without a background", fast.clone(), inputs(20, 3)),
            case("two classes a box", SsdDetections { max_classes: 2, ..fast.clone() }, wide),
            case("each class apart", SsdDetections { regular: true, ..fast.clone() }, inputs(20, 4)),
            case(
                "few of each class",
                SsdDetections { regular: true, per_class: 1, ..fast.clone() },
                inputs(9, 3),
            ),
            case(
                "more rows than classes",
                SsdDetections { max_classes: 5, ..fast.clone() },
                inputs(9, 3),
            ),
            case("nothing is good enough", SsdDetections { min_score: 2.0, ..fast }, inputs(5, 4)),
        ],
    )
}

type Corners = [f64; 4];

fn reference(op: &SsdDetections, x: &[Array]) -> Vec<Array> {
    let boxes: Vec<Corners> = (0..x[0].dims[1])
        .map(|i| {
            let offset = |k: usize| x[0].at(&[0, i, k]) / f64::from(op.scales[k]);
            let anchor = |k: usize| x[2].at(&[i, k]);
            let center = |k: usize| offset(k) * anchor(k + 2) + anchor(k);
            let half = |k: usize| offset(k + 2).exp() * anchor(k + 2) / 2.0;
            let ends = [center(0) - half(0), center(1) - half(1), center(0) + half(0)];
            [ends[0], ends[1], ends[2], center(1) + half(1)]
        })
        .collect();
    let background = x[1].dims[2] - op.classes;
    let score = |i: usize, class: usize| x[1].at(&[0, i, background + class]);
    let ranked = |i: usize| {
        let mut classes: Vec<usize> = (0..op.classes).collect();
        classes.sort_by(|&a, &b| score(i, b).total_cmp(&score(i, a)));
        classes
    };
    // Box, class, score.
    let mut rows: Vec<Option<(usize, usize, f64)>> = Vec::new();
    let found;
    if op.regular {
        let of_class = |class: usize| {
            let kept = keep(&boxes, |i| score(i, class), op);
            kept.into_iter().take(op.per_class).map(move |i| (i, class, score(i, class)))
        };
        let mut all: Vec<_> = (0..op.classes).flat_map(of_class).collect();
        all.sort_by(|a, b| b.2.total_cmp(&a.2));
        rows.extend(all.into_iter().take(op.max_detections).map(Some));
        found = rows.len();
    } else {
        let kept = keep(&boxes, |i| score(i, ranked(i)[0]), op);
        found = kept.len().min(op.max_detections);
        for &i in &kept[..found] {
            let best = ranked(i).into_iter().map(|class| Some((i, class, score(i, class))));
            rows.extend(best.chain(std::iter::repeat(None)).take(op.max_classes));
        }
    }
    rows.resize(op.max_detections * op.max_classes, None);
    let column = |f: &dyn Fn((usize, usize, f64)) -> f64| {
        x[0].like(&[1, rows.len()], |at| rows[at[1]].map_or(0.0, f))
    };
    vec![
        x[0].like(&[1, rows.len(), 4], |at| rows[at[1]].map_or(0.0, |row| boxes[row.0][at[2]])),
        column(&|row| row.1 as f64),
        column(&|row| row.2),
        x[0].like(&[1], |_| found as f64),
    ]
}

/// The boxes that stay, best first.
fn keep(boxes: &[Corners], score: impl Fn(usize) -> f64, op: &SsdDetections) -> Vec<usize> {
    let mut left: Vec<usize> =
        (0..boxes.len()).filter(|&i| f64::from(op.min_score) <= score(i)).collect();
    left.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    let mut kept = Vec::new();
    while !left.is_empty() {
        let best = left.remove(0);
        left.retain(|&i| share(&boxes[best], &boxes[i]) <= f64::from(op.max_overlap));
        kept.push(best);
    }
    kept
}

fn share(a: &Corners, b: &Corners) -> f64 {
    let area = |c: &Corners| (c[2] - c[0]) * (c[3] - c[1]);
    let side = |k: usize| (a[k + 2].min(b[k + 2]) - a[k].max(b[k])).max(0.0);
    let both = side(0) * side(1);
    both / (area(a) + area(b) - both)
}
