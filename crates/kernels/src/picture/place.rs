//! Where a picture lies in the frame that a model takes.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Fault;

/// The whole picture fills the frame, distorted where the shapes differ.
pub const STRETCH: u32 = 0;
/// The whole picture, as large as it goes, on a ground of one colour.
pub const LETTERBOX: u32 = 1;
/// The shorter side becomes [`Fit::short`], then the middle is cut out (torchvision's `Resize` and
/// `CenterCrop`).
pub const CROP: u32 = 2;

/// How a picture is brought into a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Fit {
    /// [`STRETCH`] to [`CROP`].
    pub fit: u32,
    /// Letterbox only. 0: in the middle; 1: at the top left.
    pub corner: u32,
    /// The shorter side before a crop; 0 otherwise.
    pub short: u32,
    /// Height and width of the frame, at least 1.
    pub frame: [u32; 2],
}

/// One axis of a picture in its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Pixels of the picture.
    pub from: usize,
    /// Pixels that it becomes.
    pub to: usize,
    /// Where the first of those lies in the frame; negative where it is cut off.
    pub offset: i64,
}

impl Fit {
    /// Refuses values that no writer produces.
    pub fn check(&self) -> Result<(), Fault> {
        let legal = self.fit <= CROP
            && self.corner <= 1
            && (self.fit == CROP) == (0 < self.short)
            && self.frame.iter().all(|&side| 0 < side);
        if legal && self.short < 1 << 16 { Ok(()) } else { Err(Fault::Record) }
    }

    /// Height and width of a picture of `size` in a frame; a `TooLarge` fault where a side would
    /// exceed 2^31.
    pub fn places(&self, size: [usize; 2], frame: [usize; 2]) -> Result<[Place; 2], Fault> {
        let [height, width] = size.map(|side| side.max(1));
        let ratio = |i: usize| frame[i] as f64 / size[i].max(1) as f64;
        let to = match self.fit {
            STRETCH => frame,
            LETTERBOX => {
                let scale = if ratio(0) < ratio(1) { ratio(0) } else { ratio(1) };
                let part = |side: usize, all: usize| {
                    ((side as f64 * scale + 0.5) as usize).clamp(1, all.max(1))
                };
                [part(height, frame[0]), part(width, frame[1])]
            }
            _ => {
                let short = u64::from(self.short);
                let long = |long: usize, side: usize| {
                    let long = short.saturating_mul(long as u64) / side as u64;
                    usize::try_from(long).ok().filter(|&long| long < 1 << 31)
                };
                let short = self.short as usize;
                if height <= width {
                    [short, long(width, height).ok_or(Fault::TooLarge)?]
                } else {
                    [long(height, width).ok_or(Fault::TooLarge)?, short]
                }
            }
        };
        let place = |i: usize| {
            let free = frame[i] as i64 - to[i] as i64;
            let offset = match (self.fit, self.corner) {
                (STRETCH, _) | (LETTERBOX, 1) => 0,
                (LETTERBOX, _) => free / 2,
                // Half a pixel that is left over goes to the end, as Python's rounding of halves
                // mostly does.
                _ => free.div_euclid(2),
            };
            Place { from: size[i].max(1), to: to[i], offset }
        };
        Ok([place(0), place(1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_hold_pictures() {
        let letterbox = |corner| Fit { fit: LETTERBOX, corner, short: 0, frame: [1, 1] };
        let crop = Fit { fit: CROP, corner: 0, short: 256, frame: [224, 224] };
        let stretch = Fit { fit: STRETCH, corner: 0, short: 0, frame: [1, 1] };
        for (fit, size, frame, want) in [
            (stretch, [480, 640], [10, 20], [(10, 0), (20, 0)]),
            (letterbox(0), [480, 640], [320, 320], [(240, 40), (320, 0)]),
            (letterbox(1), [606, 512], [320, 320], [(320, 0), (270, 0)]),
            (crop, [480, 640], [224, 224], [(256, -16), (341, -59)]),
            (crop, [1000, 500], [224, 224], [(512, -144), (256, -16)]),
        ] {
            let places = fit.places(size, frame).unwrap();
            assert_eq!(places.map(|place| (place.to, place.offset)), want, "{fit:?}");
        }
        assert!(crop.places([1, usize::MAX >> 1], [224, 224]).is_err());
    }
}
