//! The keypoints of one body, hand or face.

use embarca_data::Image;
use embarca_data::image::{Ink, draw_disc, draw_line};

use super::{Answer, Run};
use crate::failure::Result;
use crate::json::Json;
use crate::term::Caps;

/// Keypoints as x, y, score.
pub struct Points {
    points: Vec<[f32; 3]>,
    names: Vec<String>,
    skeleton: Vec<[u32; 2]>,
    least: f32,
}

impl Points {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        let points = run.numbers("points")?;
        let least = run.task.values.iter().find(|(name, _)| name == "score");
        Ok(Self {
            points: points.as_chunks::<3>().0.to_vec(),
            names: run.task.points.clone(),
            skeleton: run.task.skeleton.clone(),
            least: least.map_or(0.0, |(_, value)| *value),
        })
    }

    fn name(&self, at: usize) -> String {
        self.names.get(at).cloned().unwrap_or_else(|| format!("point {at}"))
    }
}

impl Answer for Points {
    fn text(&self, _: &Caps) -> String {
        let mut text = String::new();
        for (at, [x, y, score]) in self.points.iter().enumerate() {
            if self.least <= *score {
                text += &format!("{:5.1}% {:14} {x:.0},{y:.0}\n", score * 100.0, self.name(at));
            }
        }
        if text.is_empty() {
            let least = self.least * 100.0;
            return format!("no point with a score of {least:.0}% or more; --score lowers it\n");
        }
        text
    }

    fn json(&self) -> (&'static str, Json) {
        let points = self.points.iter().enumerate().map(|(at, [x, y, score])| {
            Json::object([
                ("name", self.name(at).as_str().into()),
                ("x", f64::from(*x).into()),
                ("y", f64::from(*y).into()),
                ("score", f64::from(*score).into()),
            ])
        });
        ("points", Json::list(points))
    }

    fn draw(&self, picture: &mut Image) {
        let scale = 2 * Ink::scale(picture);
        let visible =
            |at: u32| self.points.get(at as usize).filter(|point| self.least <= point[2]).copied();
        for (bone, &[a, b]) in self.skeleton.iter().enumerate() {
            if let (Some([x0, y0, _]), Some([x1, y1, _])) = (visible(a), visible(b)) {
                draw_line(picture, [x0, y0], [x1, y1], Ink::numbered(bone % 8).paint, scale);
            }
        }
        for [x, y, score] in &self.points {
            if self.least <= *score {
                draw_disc(picture, [*x, *y], 1.5 * scale as f32, [255; 3]);
            }
        }
    }
}
