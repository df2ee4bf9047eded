//! Cases of `outline`: axis-parallel parts, which need no rotation.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |most, growth| Outline { most, growth, side: 1.5 };
    // Blocks of cells: top, left, height, width, value.
    let map = |blocks: &[[usize; 4]]| {
        let inside = |y: usize, x: usize| {
            blocks.iter().any(|b| (b[0]..b[0] + b[2]).contains(&y) && (b[1]..b[1] + b[3]).contains(&x))
        };
        let cell = |i: usize| if inside(i / 24, i % 24) { 0.75 } else { 0.125 };
        let numbers: Vec<f64> = (0..16 * 24).map(cell).collect();
        values(DType::F32, &[16, 24], &numbers)
    };
    let limit = |value: f64| values(DType::F32, &[], &[value]);
    let three: &[[usize; 4]] = &[[3, 2, 4, 9], [3, 15, 6, 5], [11, 5, 3, 12]];
    suite(
        rounded(8),
        reference,
        [
            case("three parts", op(5, 1.5), [map(three), limit(0.25), limit(0.5)]),
            case("not grown", op(3, 0.0), [map(three), limit(0.25), limit(0.5)]),
            case("too many", op(2, 1.5), [map(three), limit(0.25), limit(0.5)]),
            case("too small", op(2, 1.5), [map(&[[2, 2, 2, 9]]), limit(0.25), limit(0.5)]),
            case("too faint", op(2, 1.5), [map(three), limit(0.25), limit(0.8)]),
            case("none", op(2, 1.5), [map(&[]), limit(0.25), limit(0.5)]),
        ],
    )
}

fn reference(op: &Outline, x: &[Array]) -> Vec<Array> {
    let (height, width) = (x[0].dims[0], x[0].dims[1]);
    let bright = |y: usize, x_: usize| x[1].at(&[]) < x[0].at(&[y, x_]);
    let mut found = Vec::new();
    for y in 0..height {
        for x_ in 0..width {
            let first = bright(y, x_)
                && (y == 0 || !bright(y - 1, x_))
                && (x_ == 0 || !bright(y, x_ - 1));
            if !first {
                continue;
            }
            let right = (x_..width).take_while(|&at| bright(y, at)).last().expect("a cell");
            let low = (y..height).take_while(|&at| bright(at, x_)).last().expect("a cell");
            let (w, h) = ((right - x_) as f64, (low - y) as f64);
            let score = x[0].at(&[y, x_]);
            if w.min(h) < f64::from(op.side) || score < x[2].at(&[]) || found.len() == op.most {
                continue;
            }
            let by = f64::from(op.growth) * w * h / (2.0 * (w + h));
            let (left, top) = (x_ as f64 - by, y as f64 - by);
            let (right, low) = (right as f64 + by, low as f64 + by);
            let corners = [[left, top], [right, top], [right, low], [left, low]];
            found.push((corners.map(|[x, y]| [x / width as f64, y / height as f64]), score));
        }
    }
    let m = op.most;
    vec![
        Array::from_fn(DType::F32, &[m, 4, 2], |at| {
            found.get(at[0]).map_or(0.0, |(corners, _)| corners[at[1]][at[2]])
        }),
        Array::from_fn(DType::F32, &[m], |at| found.get(at[0]).map_or(0.0, |found| found.1)),
        Array::from_fn(DType::I32, &[1], |_| found.len() as f64),
    ]
}
