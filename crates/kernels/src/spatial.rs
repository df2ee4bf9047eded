//! Windows that slide over the height and width of channels-last tensors.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Fault, Ty};

/// How a window moves, height before width. The padding after the last row and column follows
/// from the dimensions of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Window {
    /// Input positions between two output positions; at least 1.
    pub stride: [u32; 2],
    /// Input positions between two taps; at least 1.
    pub dilation: [u32; 2],
    /// Positions before the first row and column; negative ones skip input.
    pub pad: [i32; 2],
}

impl Window {
    /// A window that visits every position, without padding.
    pub const DENSE: Self = Self { stride: [1, 1], dilation: [1, 1], pad: [0, 0] };

    /// One axis at its lengths. A `Record` fault when a stride or dilation is 0, `TooLarge` when
    /// positions do not fit 31 bits.
    pub fn axis(&self, axis: usize, input: u32, taps: u32, output: u32) -> Result<Axis, Fault> {
        let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
        if stride == 0 || dilation == 0 {
            return Err(Fault::Record);
        }
        let span = |count: u32, step: u32| u64::from(count).saturating_mul(u64::from(step));
        let reach = span(output, stride)
            .saturating_add(span(taps, dilation))
            .saturating_add(u64::from(self.pad[axis].unsigned_abs()))
            .saturating_add(u64::from(input));
        if 1 << 31 <= reach {
            return Err(Fault::TooLarge);
        }
        Ok(Axis {
            input: input as isize,
            taps: taps as isize,
            stride: stride as isize,
            dilation: dilation as isize,
            pad: self.pad[axis] as isize,
        })
    }
}

/// A [`Window`] along one axis, with the lengths that belong to it; no computation on it
/// overflows.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    input: isize,
    taps: isize,
    stride: isize,
    dilation: isize,
    pad: isize,
}

/// The taps of one output position that meet the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taps {
    /// The first of them.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// The input position that the first one meets; 0 when there is none.
    pub at: usize,
    /// Input positions from one to the next.
    pub step: usize,
}

impl Taps {
    /// Pairs of tap and input position.
    pub fn iter(self) -> impl Iterator<Item = (usize, usize)> + Clone {
        (0..self.count).map(move |i| (self.first + i, self.at + i * self.step))
    }
}

impl Axis {
    /// What output position `output` reads.
    pub fn taps(&self, output: usize) -> Taps {
        let origin = output as isize * self.stride - self.pad;
        let dilation = self.dilation.max(1);
        let ceil_div = |a: isize| if dilation == 1 { a } else { (a + dilation - 1) / dilation };
        let first = if origin < 0 { ceil_div(-origin) } else { 0 };
        let end =
            if self.input <= origin { 0 } else { ceil_div(self.input - origin).min(self.taps) };
        let step = self.dilation as usize;
        if end <= first {
            return Taps { first: 0, count: 0, at: 0, step };
        }
        let at = origin + first * self.dilation;
        Taps { first: first as usize, count: (end - first) as usize, at: at as usize, step }
    }

    /// Output positions whose taps all meet the input, among `0..output`.
    pub fn inside(&self, output: usize) -> core::ops::Range<usize> {
        let last = self.input - 1 - (self.taps - 1) * self.dilation + self.pad;
        let start = if 0 < self.pad { (self.pad + self.stride - 1) / self.stride } else { 0 };
        let start = (start as usize).min(output);
        if last < 0 || self.taps == 0 {
            return start..start;
        }
        start..(last / self.stride + 1).clamp(start as isize, output as isize) as usize
    }

    /// Number of taps.
    pub fn len(&self) -> usize {
        self.taps as usize
    }

    /// Whether there are no taps.
    pub fn is_empty(&self) -> bool {
        self.taps == 0
    }

    /// Input positions from one output position to the next.
    pub fn stride(&self) -> usize {
        self.stride as usize
    }

    /// Input positions from one tap to the next.
    pub fn dilation(&self) -> usize {
        self.dilation as usize
    }
}

/// The four dimensions of a tensor; a `Shape` fault for another rank.
pub fn dims4(ty: Ty) -> Result<[u32; 4], Fault> {
    ty.dims.try_into().map_err(|_| Fault::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_and_inside_agree_with_a_search() {
        for input in 0..7u32 {
            for taps in 0..4u32 {
                for stride in 1..4 {
                    for dilation in 1..4 {
                        for pad in -2..4 {
                            let window = Window {
                                stride: [stride; 2],
                                dilation: [dilation; 2],
                                pad: [pad; 2],
                            };
                            search(&window, input, taps);
                        }
                    }
                }
            }
        }
    }

    fn search(window: &Window, input: u32, taps: u32) {
        let axis = window.axis(0, input, taps, 8).unwrap();
        let inside = axis.inside(8);
        for output in 0..8i32 {
            let at = |tap: u32| {
                output * window.stride[0] as i32 - window.pad[0] + (tap * window.dilation[0]) as i32
            };
            let met = |tap: u32| (0..input as i32).contains(&at(tap));
            let expected = (0..taps).filter(|&tap| met(tap));
            let expected = expected.map(|tap| (tap as usize, at(tap) as usize));
            assert!(axis.taps(output as usize).iter().eq(expected), "{window:?} {input} {taps}");
            if 0 < taps {
                let all = (0..taps).all(met);
                assert_eq!(inside.contains(&(output as usize)), all, "{window:?} {input} {taps}");
            }
        }
    }

    #[test]
    fn hostile_records_are_refused() {
        let zero = Window { stride: [0, 1], ..Window::DENSE };
        assert_eq!(zero.axis(0, 4, 2, 3).unwrap_err(), Fault::Record);
        let far = Window { stride: [u32::MAX; 2], ..Window::DENSE };
        assert_eq!(far.axis(1, 4, 2, u32::MAX).unwrap_err(), Fault::TooLarge);
        let padded = Window { pad: [i32::MIN; 2], ..Window::DENSE };
        assert_eq!(padded.axis(0, 4, 2, 3).unwrap_err(), Fault::TooLarge);
    }
}
