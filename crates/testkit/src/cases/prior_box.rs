//! Cases of `prior_box`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let plain = PriorBox {
        sizes: vec![[30.0, 30.0], [42.5, 21.25]],
        picture: [0, 0],
        steps: [0.0, 0.0],
        offset: 0.5,
        clip: false,
        variances: [0.1, 0.1, 0.2, 0.3],
    };
    let inputs = || [f32s(&[1, 2, 3, 5]), f32s(&[1, 3, 48, 100])];
    let fixed = PriorBox { picture: [64, 80], steps: [8.0, 16.0], ..plain.clone() };
    suite(
        rounded(4),
        reference,
        [
            case("spread over the picture", plain.clone(), inputs()),
            case("steps", PriorBox { steps: [16.0, 20.0], ..plain.clone() }, inputs()),
            case("a given picture", fixed, inputs()),
            case("clipped", PriorBox { clip: true, offset: 0.0, ..plain.clone() }, inputs()),
            case("of any size", plain, [f32s(&[1, 2, 4, 3]).open(2), f32s(&[1, 3, 32, 32])]),
        ],
    )
}

fn reference(op: &PriorBox, x: &[Array]) -> Array {
    let (map, mut picture) = (&x[0].dims[2..], [x[1].dims[2] as f64, x[1].dims[3] as f64]);
    if op.picture != [0, 0] {
        picture = op.picture.map(f64::from);
    }
    let step = |axis: usize| match op.steps[axis] {
        0.0 => picture[axis] / map[axis] as f64,
        step => f64::from(step),
    };
    let boxes = op.sizes.len();
    x[0].like(&[1, 2, map[0] * map[1] * boxes * 4], |at| {
        let (edge, rest) = (at[2] % 4, at[2] / 4);
        if at[1] == 1 {
            return f64::from(op.variances[edge]);
        }
        let (size, position) = (op.sizes[rest % boxes], rest / boxes);
        let axis = 1 - edge % 2;
        let index = [position / map[1], position % map[1]][axis] as f64;
        let half = f64::from(size[edge % 2]) / if edge < 2 { -2.0 } else { 2.0 };
        let at = ((index + f64::from(op.offset)) * step(axis) + half) / picture[axis];
        if op.clip { at.clamp(0.0, 1.0) } else { at }
    })
}
