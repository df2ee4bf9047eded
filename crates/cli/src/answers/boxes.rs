//! Boxes with classes, and keypoints where a detector finds some.

use embarca_data::Image;
use embarca_data::image::{Ink, draw_box, draw_disc, draw_line, draw_text};

use super::{Answer, Run};
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::term::Caps;

/// Keypoints with a lower score are not drawn.
const VISIBLE: f32 = 0.3;

/// One thing that was found.
struct Found {
    label: String,
    class: usize,
    score: f32,
    /// Left, top, right, bottom in the picture's pixels.
    corners: [f32; 4],
    /// x, y, score.
    points: Vec<[f32; 3]>,
}

/// What was found, the surest first.
pub struct Boxes {
    found: Vec<Found>,
    names: Vec<String>,
    skeleton: Vec<[u32; 2]>,
    least: f32,
}

impl Boxes {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        let count = run.count("count")?;
        let (corners, scores) = (run.numbers("boxes")?, run.numbers("scores")?);
        let classes = run.places("classes")?;
        // Scores are probabilities; what rounds may be a little more.
        if let Some(score) = scores.iter().take(count).find(|score| 1.01 < **score) {
            let what = format!("a box has the score {score}, which is no probability");
            return Err(Failure::refused(what)
                .next("decoder = '...' in a description (--task) says how boxes are decoded"));
        }
        let points = run.pipeline.output("points").map(|_| run.array("points")).transpose()?;
        let width = points.as_ref().and_then(|points| points.dims.last().copied()).unwrap_or(2);
        let each = points.as_ref().map_or(0, |points| points.dims.get(1).copied().unwrap_or(0));
        let points = points.map(|points| points.to_f32()).transpose()?.unwrap_or_default();
        let rows = corners.as_chunks::<4>().0.iter().zip(&scores).zip(&classes).take(count);
        let found = rows.enumerate().map(|(i, ((corners, &score), &class))| Found {
            label: run.label(class),
            class,
            score,
            corners: *corners,
            points: points
                .chunks_exact(width)
                .skip(i * each)
                .take(each)
                .map(|point| [point[0], point[1], point.get(2).copied().unwrap_or(1.0)])
                .collect(),
        });
        let least = run.task.values.iter().find(|(name, _)| name == "score");
        Ok(Self {
            found: found.collect(),
            names: run.task.points.clone(),
            skeleton: run.task.skeleton.clone(),
            least: least.map_or(0.0, |(_, value)| *value),
        })
    }
}

impl Answer for Boxes {
    fn text(&self, _: &Caps) -> String {
        if self.found.is_empty() {
            let least = self.least * 100.0;
            return format!("nothing with a score of {least:.0}% or more; --score lowers it\n");
        }
        let longest = self.found.iter().map(|found| found.label.chars().count()).max().unwrap_or(0);
        let line = |found: &Found| {
            let [left, top, right, bottom] = found.corners;
            format!(
                "{:5.1}% {:longest$}  {left:.0},{top:.0} to {right:.0},{bottom:.0}\n",
                found.score * 100.0,
                found.label
            )
        };
        self.found.iter().map(line).collect()
    }

    fn json(&self) -> (&'static str, Json) {
        let numbers = |values: &[f32]| Json::list(values.iter().map(|&value| f64::from(value)));
        let boxes = self.found.iter().map(|found| {
            let mut members = vec![
                ("label".to_owned(), found.label.as_str().into()),
                ("class".to_owned(), found.class.into()),
                ("score".to_owned(), f64::from(found.score).into()),
                ("box".to_owned(), numbers(&found.corners)),
            ];
            if !found.points.is_empty() {
                let points = found.points.iter().enumerate().map(|(i, point)| {
                    let name = self.names.get(i).cloned().unwrap_or_else(|| i.to_string());
                    Json::object([("name", name.as_str().into()), ("at", numbers(point))])
                });
                members.push(("points".to_owned(), Json::list(points)));
            }
            Json::Object(members)
        });
        ("boxes", Json::list(boxes))
    }

    fn draw(&self, picture: &mut Image) {
        let scale = Ink::scale(picture);
        // The surest on top.
        for found in self.found.iter().rev() {
            let ink = Ink::numbered(found.class);
            draw_box(picture, found.corners, ink.paint, scale);
            let visible = |at: u32| {
                found.points.get(at as usize).filter(|point| VISIBLE <= point[2]).copied()
            };
            for &[a, b] in &self.skeleton {
                if let (Some([x0, y0, _]), Some([x1, y1, _])) = (visible(a), visible(b)) {
                    draw_line(picture, [x0, y0], [x1, y1], ink.paint, scale);
                }
            }
            for [x, y, score] in &found.points {
                if VISIBLE <= *score {
                    // A dark rim keeps a point visible on skin and sky alike.
                    draw_disc(picture, [*x, *y], 3.0 * scale as f32, [0; 3]);
                    draw_disc(picture, [*x, *y], 2.0 * scale as f32, ink.paint);
                }
            }
            let text = format!("{} {:.0}%", found.label, found.score * 100.0);
            let [left, top, ..] = found.corners;
            let height = (9 * scale) as f32;
            let at = if top < height { top } else { top - height };
            draw_text(picture, [left, at], &text, ink, scale);
        }
    }
}
