//! One class of several.

use embarca_data::Image;
use embarca_data::image::{Ink, draw_text};

use super::{Answer, Run};
use crate::failure::Result;
use crate::json::Json;
use crate::term::{Caps, ranking};

/// Labels and probabilities, the greatest first.
pub struct Classes(Vec<(String, f64)>);

impl Classes {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        let (scores, classes) = (run.numbers("scores")?, run.places("classes")?);
        let pairs = scores.into_iter().zip(classes).take(run.top);
        Ok(Self(pairs.map(|(score, class)| (run.label(class), f64::from(score))).collect()))
    }
}

impl Answer for Classes {
    fn text(&self, caps: &Caps) -> String {
        ranking(self.0.iter().map(|(label, share)| (label.as_str(), *share)), caps)
    }

    fn json(&self) -> (&'static str, Json) {
        let classes = self.0.iter().map(|(label, share)| {
            Json::object([("label", label.as_str().into()), ("share", (*share).into())])
        });
        ("classes", Json::list(classes))
    }

    fn draw(&self, picture: &mut Image) {
        let Some((label, share)) = self.0.first() else { return };
        let text = format!("{label} {:.0}%", share * 100.0);
        draw_text(picture, [0.0, 0.0], &text, Ink::numbered(0), Ink::scale(picture));
    }
}
