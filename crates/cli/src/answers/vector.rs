//! What a text means, as a vector; how alike several are.

use embarca_data::Image;

use super::{Answer, Run};
use crate::failure::Result;
use crate::json::Json;
use crate::term::{Align, Caps, Table};

/// More texts than this are not compared each with each.
const MOST: usize = 12;

/// How many numbers of a vector are printed.
const SHOWN: usize = 8;

/// A vector of length 1.
pub struct Vector(Vec<f32>);

impl Vector {
    pub fn read(run: &Run<'_>) -> Result<Self> {
        Ok(Self(run.numbers("embedding")?))
    }
}

impl Answer for Vector {
    fn text(&self, _: &Caps) -> String {
        let shown: Vec<String> = self.0.iter().take(SHOWN).map(|x| format!("{x:.4}")).collect();
        let more = if SHOWN < self.0.len() { " ..." } else { "" };
        format!("{} numbers: {}{more}\n", self.0.len(), shown.join(" "))
    }

    fn json(&self) -> (&'static str, Json) {
        ("embedding", Json::list(self.0.iter().map(|&x| f64::from(x))))
    }

    fn draw(&self, _: &mut Image) {}

    fn numbers(&self) -> &[f32] {
        &self.0
    }
}

/// The cosine of two vectors of length 1.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// A table of similarities; of many texts, the nearest other one of each.
pub fn similarities(names: &[String], vectors: &[Vec<f32>], caps: &Caps) -> String {
    if names.len() <= MOST {
        let numbers: Vec<String> = (1..=names.len()).map(|i| i.to_string()).collect();
        let columns = std::iter::once(("similarity", Align::Left))
            .chain(numbers.iter().map(|number| (number.as_str(), Align::Right)));
        let mut table = Table::new(columns);
        for (i, (name, vector)) in names.iter().zip(vectors).enumerate() {
            let values = vectors.iter().map(|other| format!("{:.3}", cosine(vector, other)));
            let name = format!("{} {}", i + 1, super::shortened(name, 44));
            table.row(std::iter::once(name).chain(values));
        }
        return table.render(caps);
    }
    let mut text = String::new();
    for (i, (name, vector)) in names.iter().zip(vectors).enumerate() {
        let others = vectors.iter().enumerate().filter(|(j, _)| *j != i);
        let nearest = others
            .map(|(j, other)| (cosine(vector, other), j))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        if let Some((value, j)) = nearest {
            let (name, other) = (super::shortened(name, 36), super::shortened(&names[j], 36));
            text += &format!("{value:6.3}  {name}  ~  {other}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::tests::PLAIN;

    #[test]
    fn few_texts_are_compared_each_with_each() {
        let names = ["one".to_owned(), "two".to_owned()];
        let text = similarities(&names, &[vec![1.0, 0.0], vec![0.6, 0.8]], &PLAIN);
        assert!(
            text.contains("1 one") && text.contains("0.600") && text.contains("1.000"),
            "{text}"
        );
        let names: Vec<String> = (0..13).map(|i| format!("text {i}")).collect();
        let vectors: Vec<Vec<f32>> = (0..13).map(|i| vec![1.0, i as f32]).collect();
        let text = similarities(&names, &vectors, &PLAIN);
        assert_eq!(text.lines().count(), 13);
        assert!(text.lines().next().unwrap().ends_with("text 0  ~  text 1"), "{text}");
    }
}
