//! What a line of text says.

use embarca_data::Image;
use embarca_data::image::{Ink, draw_text};

use super::{Answer, Run};
use crate::failure::Result;
use crate::json::Json;
use crate::term::Caps;

/// The text, and the mean of its characters' scores.
pub struct Line {
    text: String,
    score: f64,
}

impl Line {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        let count = run.count("count")?;
        let (characters, scores) = (run.places("characters")?, run.numbers("scores")?);
        let named = |class: &usize| match run.labels.get(*class) {
            Some(label) => label.clone(),
            // Without an alphabet, the numbers of the characters.
            None => format!("<{class}>"),
        };
        let text = characters.iter().take(count).map(named).collect();
        let sum: f64 = scores.iter().take(count).map(|&score| f64::from(score)).sum();
        Ok(Self { text, score: sum / count.max(1) as f64 })
    }
}

impl Answer for Line {
    fn text(&self, _: &Caps) -> String {
        if self.text.is_empty() {
            return "no text\n".to_owned();
        }
        format!("{:5.1}% {}\n", self.score * 100.0, self.text)
    }

    fn json(&self) -> (&'static str, Json) {
        let text =
            Json::object([("text", self.text.as_str().into()), ("score", self.score.into())]);
        ("line", text)
    }

    fn draw(&self, picture: &mut Image) {
        draw_text(picture, [0.0, 0.0], &self.text, Ink::numbered(0), Ink::scale(picture));
    }
}
