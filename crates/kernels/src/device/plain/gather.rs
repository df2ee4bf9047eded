//! Windows that reach over the border of the input, completed with its zero point.

use super::Sums;
use crate::device::Bytes;

/// Sizes of an input and of the windows on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Height, width, channels.
    pub input: [u16; 3],
    /// Height, width.
    pub kernel: [u8; 2],
    /// Along height, width.
    pub stride: [u8; 2],
    /// Along height, width.
    pub dilation: [u8; 2],
    /// Above, to the left.
    pub pad: [u8; 2],
    /// Zero point of the input.
    pub zero: i8,
}

impl Sizes {
    /// Row and column of the first tap of an output, and whether all taps lie within the input.
    pub fn corner(&self, y: u16, x: u16) -> (i32, i32, bool) {
        let [height, width, _] = self.input.map(i32::from);
        let y = i32::from(y) * i32::from(self.stride[0]) - i32::from(self.pad[0]);
        let x = i32::from(x) * i32::from(self.stride[1]) - i32::from(self.pad[1]);
        let last =
            |axis: usize| (i32::from(self.kernel[axis]) - 1) * i32::from(self.dilation[axis]);
        let inside = 0 <= (y | x) && y + last(0) < height && x + last(1) < width;
        (y, x, inside)
    }

    /// Whether windows of this many outputs all lie within the input.
    pub fn all_inside(&self, [height, width]: [u16; 2]) -> bool {
        let last = self.corner(height.saturating_sub(1), width.saturating_sub(1));
        self.pad == [0, 0] && last.2
    }

    /// Offset of a pixel.
    pub fn place(&self, y: i32, x: i32) -> usize {
        let [_, width, channels] = self.input.map(i32::from);
        y.wrapping_mul(width).wrapping_add(x).wrapping_mul(channels) as usize
    }

    /// Bytes from row to row of taps, and from tap to tap.
    pub fn steps(&self) -> [u32; 2] {
        let [_, width, channels] = self.input.map(u32::from);
        let [down, right] = self.dilation.map(u32::from);
        [down.wrapping_mul(width).wrapping_mul(channels), right.wrapping_mul(channels)]
    }

    /// Bytes of a window.
    pub fn window(&self) -> u32 {
        self.kernel
            .iter()
            .fold(self.input[2].into(), |len: u32, &size| len.saturating_mul(size.into()))
    }

    /// The taps of a window one after the other.
    pub fn gather<P: Sums>(&self, from: Bytes<'_>, (y, x): (i32, i32), mut to: Bytes<'_>) {
        let [height, width, channels] = self.input.map(i32::from);
        let [kernel_h, kernel_w] = self.kernel.map(i32::from);
        let [down, right] = self.dilation.map(i32::from);
        // Columns that follow each other, and how many such groups make a row.
        let (group, groups) = if right == 1 { (kernel_w, 1) } else { (1, kernel_w) };
        for ky in 0..kernel_h {
            let row = y + ky * down;
            for kx in 0..groups {
                let column = x + kx * right;
                let before = (-column).max(0).min(group);
                let behind = (column + group - width).max(0).min(group - before);
                let within = 0 <= row && row < height;
                let (before, behind) = if within { (before, behind) } else { (group, 0) };
                let at = self.place(row, column + before);
                let parts = [before, group - before - behind, behind];
                let [before, count, behind] = parts.map(|count| (count * channels) as usize);
                fill(&mut to, before, self.zero);
                let (now, later) = to.split_at_checked(count).unwrap_or_default();
                P::copy(part(from, at, count), now);
                to = later;
                fill(&mut to, behind, self.zero);
            }
        }
    }
}

pub(super) fn part(bytes: Bytes<'_>, at: usize, len: usize) -> Bytes<'_> {
    bytes.get(at..).and_then(|rest| rest.get(..len)).unwrap_or_default()
}

fn fill(to: &mut Bytes<'_>, count: usize, value: i8) {
    let (now, later) = to.split_at_checked(count).unwrap_or_default();
    for byte in now {
        byte.set(value as u8);
    }
    *to = later;
}
