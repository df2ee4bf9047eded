//! The inner loops without any instruction set: what they compute.

use super::pack::{self, BLOCK_PARAMS};
use super::{Columns, Helium, Line, Matrix, Scale, Sum, Vector, rescale};
use crate::device::{Bytes, Portable};

fn byte(bytes: Bytes<'_>, index: usize) -> i32 {
    bytes.get(index).map_or(0, |byte| i32::from(byte.get() as i8))
}

fn weight(bytes: &[u8], index: usize) -> i32 {
    bytes.get(index).map_or(0, |&byte| i32::from(byte as i8))
}

fn word(bytes: &[u8], at: usize) -> i32 {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |word| i32::from_le_bytes(*word))
}

fn set(bytes: Bytes<'_>, index: usize, value: i8) {
    if let Some(byte) = bytes.get(index) {
        byte.set(value as u8);
    }
}

/// The result of lane `lane` of a group of `lanes` biases, multipliers and shifts.
fn result(scale: &Scale, sum: i32, params: &[u8], lanes: usize, lane: usize) -> i8 {
    let sum = sum.wrapping_add(word(params, lane * 4));
    let multiplier = word(params, (lanes + lane) * 4);
    scale.apply(sum, multiplier, weight(params, lanes * 8 + lane) as i8)
}

impl Helium for Portable {
    fn line(line: &Line<'_>) {
        let [before, inside, behind] = line.cells.map(|count| count as usize);
        for cell in 0..before + inside + behind {
            for channel in 0..line.channels as usize {
                let input = cell.wrapping_sub(before);
                let value = if input < inside {
                    byte(line.from, input * line.step as usize + channel) as i8
                } else {
                    line.zero
                };
                set(line.to, cell * line.cell as usize + channel, value);
            }
        }
    }

    fn matrix(m: &Matrix<'_>) {
        let len = m.vectors as usize * 16;
        for window in 0..m.windows as usize {
            for channel in 0..m.channels as usize {
                let sum = (0..len).fold(0i32, |sum, k| {
                    let w = weight(m.weights, pack::matrix_place(channel, k, len));
                    sum.wrapping_add(w * byte(m.x, window * m.x_step as usize + k))
                });
                let params = m.params.get(channel / 4 * BLOCK_PARAMS..).unwrap_or_default();
                let y = result(&m.scale, sum, params, 4, channel % 4);
                set(m.y, window * m.y_step as usize + channel, y);
            }
        }
    }

    fn columns(c: &Columns<'_>) {
        for window in 0..c.windows as usize {
            for channel in 0..(c.channels as usize).min(16) {
                let sum = (0..c.taps as usize).fold(0i32, |sum, tap| {
                    let at = tap * 16 + channel;
                    let x = byte(c.x, window * c.x_step as usize + at);
                    sum.wrapping_add(weight(c.weights, at) * x)
                });
                let y = result(&c.scale, sum, c.params, 16, pack::column_lane(channel));
                set(c.y, window * c.y_step as usize + channel, y);
            }
        }
    }

    fn vector(v: &Vector<'_>) {
        let inputs = v.x.len();
        for output in 0..v.y.len() {
            let sum = (0..inputs).fold(0i32, |sum, k| {
                sum.wrapping_add(weight(v.weights, output * inputs + k) * byte(v.x, k))
            });
            let params = v.params.get(output / 4 * BLOCK_PARAMS..).unwrap_or_default();
            set(v.y, output, result(&v.scale, sum, params, 4, output % 4));
        }
    }

    fn sum(s: &Sum<'_>) {
        let scale = Scale { zero: s.zero, act: s.act, exact: 1 };
        for ((a, b), y) in s.a.iter().zip(s.b).zip(s.y) {
            let raised = |x: u8, [add, left, multiplier, shift]: [i32; 4]| {
                let x = i32::from(x as i8).wrapping_add(add).wrapping_shl(left as u32 & 31);
                rescale(x, multiplier, shift as i8)
            };
            let sum = raised(a.get(), s.inputs[0]).wrapping_add(raised(b.get(), s.inputs[1]));
            y.set(scale.apply(sum, s.factor[0], s.factor[1] as i8) as u8);
        }
    }
}
