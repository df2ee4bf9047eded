//! Numbers that are predicted, with their names and units.

use embarca_data::Image;

use super::{Answer, Run};
use crate::failure::Result;
use crate::json::Json;
use crate::term::Caps;

/// Name, number, unit.
pub struct Quantities {
    all: Vec<(String, f32, String)>,
    numbers: Vec<f32>,
}

impl Quantities {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        let numbers = run.numbers("numbers")?;
        let of = |texts: &[String], i: usize| texts.get(i).cloned().unwrap_or_default();
        let all = numbers.iter().enumerate();
        let all = all.map(|(i, &x)| (of(run.labels, i), x, of(&run.task.units, i)));
        Ok(Self { all: all.collect(), numbers: numbers.clone() })
    }
}

impl Answer for Quantities {
    fn text(&self, _: &Caps) -> String {
        let one = |(name, number, unit): &(String, f32, String)| {
            let mut text = String::new();
            if !name.is_empty() {
                text += &format!("{name} ");
            }
            text += &format!("{number:.6}");
            if !unit.is_empty() {
                text += &format!(" {unit}");
            }
            text
        };
        format!("{}\n", self.all.iter().map(one).collect::<Vec<_>>().join(", "))
    }

    fn json(&self) -> (&'static str, Json) {
        let all = self.all.iter().map(|(name, number, unit)| {
            Json::object([
                ("name", name.as_str().into()),
                ("value", f64::from(*number).into()),
                ("unit", unit.as_str().into()),
            ])
        });
        ("numbers", Json::list(all))
    }

    fn draw(&self, _: &mut Image) {}

    fn numbers(&self) -> &[f32] {
        &self.numbers
    }
}
