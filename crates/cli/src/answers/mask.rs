//! A class for each pixel.

use embarca_data::Image;
use embarca_data::image::{Ink, draw_mask, draw_text};

use super::{Answer, Run};
use crate::failure::Result;
use crate::json::Json;
use crate::term::{Caps, ranking};

/// The class that is left as it is in drawings: the background of every data set.
const GROUND: usize = 0;

/// Classes by pixel, and the share of each that occurs, the greatest first.
pub struct Mask {
    pixels: Vec<u8>,
    dims: Vec<usize>,
    shares: Vec<(usize, String, f64)>,
    top: usize,
}

impl Mask {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        let array = run.array("mask")?;
        let mut counts = [0usize; 256];
        for &class in &array.data {
            counts[usize::from(class)] += 1;
        }
        let total = array.data.len().max(1) as f64;
        let found = counts.iter().enumerate().filter(|(_, count)| 0 < **count);
        let mut shares: Vec<_> =
            found.map(|(class, &count)| (class, run.label(class), count as f64 / total)).collect();
        shares.sort_by(|a, b| b.2.total_cmp(&a.2));
        Ok(Self { pixels: array.data, dims: array.dims, shares, top: run.top })
    }
}

impl Answer for Mask {
    fn text(&self, caps: &Caps) -> String {
        let shown = self.shares.iter().take(self.top);
        ranking(shown.map(|(_, label, share)| (label.as_str(), *share)), caps)
    }

    fn json(&self) -> (&'static str, Json) {
        let shares = self.shares.iter().map(|(class, label, share)| {
            Json::object([
                ("label", label.as_str().into()),
                ("class", (*class).into()),
                ("share", (*share).into()),
            ])
        });
        let mask = Json::object([
            ("dims", Json::list(self.dims.iter().copied())),
            ("shares", Json::list(shares)),
        ]);
        ("mask", mask)
    }

    fn draw(&self, picture: &mut Image) {
        draw_mask(picture, &self.pixels, GROUND);
        let scale = Ink::scale(picture);
        let shown = self.shares.iter().filter(|(class, ..)| *class != GROUND).take(self.top);
        for (line, (class, label, share)) in shown.enumerate() {
            let text = format!("{label} {:.0}%", share * 100.0);
            let top = (line * 9 * scale) as f32;
            draw_text(picture, [0.0, top], &text, Ink::numbered(*class), scale);
        }
    }
}
