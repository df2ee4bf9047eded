//! Cases of `conv_transpose2d`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = ConvTranspose2d {
        strides: [2, 2],
        dilations: [1, 1],
        pads: [0; 4],
        extra: [0, 0],
        groups: 1,
    };
    let padded = ConvTranspose2d { pads: [1, 0, 1, 2], extra: [1, 0], ..op.clone() };
    let grouped = ConvTranspose2d { groups: 2, ..op.clone() };
    let dilated = ConvTranspose2d { dilations: [2, 3], strides: [1, 2], ..op.clone() };
    let w = |dims: &[usize]| f32s(dims).constant();
    let b = |len| f32s(&[len]).constant();
    let q = [i8s(&[1, 4, 3, 4], 0.02, -5), weights(&[6, 3, 3, 4], 0), bias(6, 0.02)];
    let x = i16s(&[1, 4, 3, 4], 0.0001);
    let w16 = [x, weights(&[6, 3, 3, 4], 0), bias_of(DType::I64, 6, 0.0001)];
    suite(
        rounded(1),
        reference,
        [
            case("doubles", op.clone(), [f32s(&[3, 4, 3, 2]).open(0), w(&[3, 2, 2, 2]), b(3)]),
            case("padded", padded.clone(), [f32s(&[1, 4, 5, 3]), w(&[2, 3, 3, 3])]),
            case("grouped", grouped, [f32s(&[2, 3, 3, 4]), w(&[6, 3, 3, 2]), b(6)]),
            case("dilated", dilated, [f32s(&[1, 3, 4, 2]), w(&[2, 2, 3, 2])]),
            case("no images", op, [f32s(&[0, 4, 4, 3]), w(&[2, 3, 3, 3])]),
            case("16 bits", padded.clone(), w16).yields(0.0003, 0).within(WIDE),
            case("quantized", padded, q).yields(0.05, 10),
        ],
    )
}

/// Every input position adds the kernel, scaled, to the result.
fn reference(op: &ConvTranspose2d, x: &[Array]) -> Array {
    let (x, w, bias) = (&x[0], &x[1], x.get(2));
    let [images, height, width, channels] = x.dims[..] else { panic!("rank 4") };
    let [outputs, down, across, each] = w.dims[..] else { panic!("rank 4") };
    let len = |axis: usize, input: usize, size: usize| {
        let full = op.strides[axis] * (input - 1) + op.dilations[axis] * (size - 1) + 1;
        (full as i32 - op.pads[axis] - op.pads[axis + 2] + op.extra[axis]) as usize
    };
    let dims = [images, len(0, height, down), len(1, width, across), outputs];
    let mut y = x.like(&dims, |at| bias.map_or(0.0, |bias| bias.at(&[at[3]])));
    let to = |axis: usize, i: usize, k: usize| {
        let place = (i * op.strides[axis] + k * op.dilations[axis]) as i64;
        usize::try_from(place - i64::from(op.pads[axis])).ok().filter(|&at| at < dims[axis + 1])
    };
    for from in indices(&[images, height, width, channels]) {
        for tap in indices(&[outputs / op.groups, down, across]) {
            let group = from[3] / each;
            let output = group * (outputs / op.groups) + tap[0];
            let (oy, ox) = (to(0, from[1], tap[1]), to(1, from[2], tap[2]));
            if let (Some(oy), Some(ox)) = (oy, ox) {
                let place = y.place(&[from[0], oy, ox, output]);
                y.data[place] += x.at(&from) * w.at(&[output, tap[1], tap[2], from[3] % each]);
            }
        }
    }
    y.summing(down * across * each + 1)
}
