//! Where there is text.

use embarca_data::Image;
use embarca_data::image::{Ink, draw_line};

use super::{Answer, Run};
use crate::failure::Result;
use crate::json::Json;
use crate::term::Caps;

/// Corners from the upper left on clockwise, and a score for each line of text.
pub struct Quads(Vec<([[f32; 2]; 4], f32)>);

impl Quads {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        let (corners, scores) = (run.numbers("quads")?, run.numbers("scores")?);
        let corners = corners.as_chunks::<8>().0.iter().take(run.count("count")?);
        let corner = |at: &[f32; 8]| [0, 2, 4, 6].map(|i| [at[i], at[i + 1]]);
        Ok(Self(corners.map(corner).zip(scores).collect()))
    }
}

impl Answer for Quads {
    fn text(&self, _: &Caps) -> String {
        if self.0.is_empty() {
            return "no text; --score lowers the bar\n".to_owned();
        }
        let line = |(corners, score): &([[f32; 2]; 4], f32)| {
            let corners = corners.map(|[x, y]| format!("{x:.0},{y:.0}")).join("  ");
            format!("{:5.1}%  {corners}\n", score * 100.0)
        };
        self.0.iter().map(line).collect()
    }

    fn json(&self) -> (&'static str, Json) {
        let quads = self.0.iter().map(|(corners, score)| {
            let corners = corners.map(|corner| Json::list(corner.map(f64::from)));
            Json::object([("score", f64::from(*score).into()), ("corners", Json::list(corners))])
        });
        ("quads", Json::list(quads))
    }

    fn draw(&self, picture: &mut Image) {
        let scale = Ink::scale(picture);
        for (i, (corners, _)) in self.0.iter().enumerate() {
            let paint = Ink::numbered(i % 8).paint;
            for (k, &from) in corners.iter().enumerate() {
                draw_line(picture, from, corners[(k + 1) % 4], paint, scale);
            }
        }
    }
}
