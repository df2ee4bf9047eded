//! From output tensors to an answer.

use embarca::Port;
use embarca_data::Array;

use crate::failure::Result;
use crate::json::Json;
use crate::show;
use crate::term::{Caps, ranking};

/// What an output means.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Classes, most likely first, and where a picture was labelled pixel by pixel, its shares.
    Classes {
        /// Label and probability (or share) from 0 to 1.
        ranking: Vec<(String, f64)>,
        /// What was assumed.
        note: Option<String>,
    },
    /// A few numbers.
    Values(Vec<f64>),
    /// Anything else, summed up.
    Tensor {
        /// Smallest, largest and mean value.
        range: [f64; 3],
    },
}

/// The elements as real numbers.
pub fn real(array: &Array, quant: Option<(f32, i32)>) -> Result<Vec<f64>> {
    let values = array.to_f64()?;
    Ok(match quant {
        Some((scale, zero)) => {
            let real = |x: f64| f64::from(scale) * (x - f64::from(zero));
            values.into_iter().map(real).collect()
        }
        None => values,
    })
}

/// Most numbers that are printed one by one.
const FEW: usize = 16;

/// What one output says; `scores` when the model makes it one score a class. Labels count only where
/// there is one per class.
pub fn answer(array: &Array, port: &Port, labels: &[String], scores: bool) -> Result<Answer> {
    let values = real(array, port.quant)?;
    let long: Vec<usize> = array.dims.iter().copied().filter(|&dim| 1 < dim).collect();
    let is_class = matches!(long[..], [classes] if classes == values.len());
    if is_class {
        let probable = values.iter().all(|x| (-1e-6..=1.000_001).contains(x));
        let named = labels.len() == values.len();
        if probable && (scores || named) {
            return Ok(Answer::Classes { ranking: ranked(&values, labels), note: None });
        }
        if named {
            let note = "the scores are no probabilities; a softmax of them is shown";
            let ranking = ranked(&softmax(&values), labels);
            return Ok(Answer::Classes { ranking, note: Some(note.into()) });
        }
    }
    let shares = mask(array, &values, labels).or_else(|| class_map(array, port, &values));
    if let Some(shares) = shares {
        let ranking = ranked(&shares, labels).into_iter().filter(|(_, share)| 0.0 < *share);
        let note = Some("shares of the pixels".into());
        return Ok(Answer::Classes { ranking: ranking.collect(), note });
    }
    if values.len() <= FEW {
        return Ok(Answer::Values(values));
    }
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Ok(Answer::Tensor { range: [min, max, mean] })
}

/// What is said about labels that do not fit the classes of a classifier.
pub fn label_note(array: &Array, labels: &[String]) -> Option<String> {
    let mut long = array.dims.iter().copied().filter(|&dim| 1 < dim);
    let (classes, None) = (long.next()?, long.next()) else { return None };
    (!labels.is_empty() && labels.len() != classes).then(|| {
        format!("{} labels for {classes} classes; --labels FILE gives others", labels.len())
    })
}

/// Share of the pixels of each class in a picture labelled pixel by pixel: one score per class and
/// pixel, on the last axis or on the first after the batch.
fn mask(array: &Array, values: &[f64], labels: &[String]) -> Option<Vec<f64>> {
    let classes = labels.len();
    let [1, a, b, c] = array.dims[..] else { return None };
    let (pixels, stride, step) = match classes {
        0 | 1 => return None,
        n if n == c && 1 < a * b => (a * b, 1, c),
        n if n == a && 1 < b * c => (b * c, b * c, 1),
        _ => return None,
    };
    let mut counts = vec![0usize; classes];
    for pixel in 0..pixels {
        let score = |class: usize| values.get(pixel * step + class * stride).copied();
        let best = (0..classes).max_by(|&x, &y| {
            // Of equal scores the first counts.
            score(x).partial_cmp(&score(y)).unwrap_or(std::cmp::Ordering::Equal).then(y.cmp(&x))
        })?;
        *counts.get_mut(best)? += 1;
    }
    Some(counts.into_iter().map(|count| count as f64 / pixels as f64).collect())
}

/// A picture has this many rows and columns at least.
const LEAST_SIDE: usize = 8;

/// More classes than this are no classes.
const MOST_CLASSES: f64 = 4096.0;

/// Share of the pixels of each class in a picture of class numbers.
fn class_map(array: &Array, port: &Port, values: &[f64]) -> Option<Vec<f64>> {
    let sides = match array.dims[..] {
        [1, h, w] | [1, h, w, 1] | [1, 1, h, w] => [h, w],
        _ => [0; 2],
    };
    let is_picture = sides.iter().all(|&side| LEAST_SIDE <= side);
    let is_numbers = array.dtype.is_int() && port.quant.is_none();
    let most = values.iter().copied().fold(0.0, f64::max);
    let fits = values.iter().all(|&x| 0.0 <= x) && most < MOST_CLASSES;
    if !is_picture || !is_numbers || !fits {
        return None;
    }
    let mut counts = vec![0usize; most as usize + 1];
    for &value in values {
        *counts.get_mut(value as usize)? += 1;
    }
    Some(counts.into_iter().map(|count| count as f64 / values.len() as f64).collect())
}

fn ranked(values: &[f64], labels: &[String]) -> Vec<(String, f64)> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    // A picture of class numbers need not hold the last class.
    let named = values.len() <= labels.len();
    let label = |i: usize| match labels.get(i) {
        Some(label) if named && !label.is_empty() => label.clone(),
        _ => format!("class {i}"),
    };
    order.into_iter().map(|i| (label(i), values[i])).collect()
}

fn softmax(values: &[f64]) -> Vec<f64> {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = values.iter().map(|x| (x - max).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

impl Answer {
    /// Lines for people.
    pub fn text(&self, port: &Port, array: &Array, top: usize, caps: &Caps) -> String {
        match self {
            Self::Classes { ranking: classes, .. } => {
                let shown = classes.iter().take(top);
                ranking(shown.map(|(label, share)| (label.as_str(), *share)), caps)
            }
            Self::Values(values) => {
                let is_whole = port.quant.is_none() && !array.dtype.is_float();
                let digits = if is_whole { 0 } else { 6 };
                let values: Vec<String> = values.iter().map(|x| format!("{x:.digits$}")).collect();
                format!("{}: {}\n", port.name, values.join(" "))
            }
            Self::Tensor { range: [min, max, mean] } => format!(
                "{}: {} {}, {} to {}, mean {}\n",
                port.name,
                array.dtype,
                show::dims(&array.dims),
                show::digits(*min),
                show::digits(*max),
                show::digits(*mean)
            ),
        }
    }

    /// For programs.
    pub fn json(&self, port: &Port, array: &Array, top: usize) -> Json {
        let answer = match self {
            Self::Classes { ranking, .. } => {
                let classes = ranking.iter().take(top).map(|(label, share)| {
                    Json::object([("label", label.as_str().into()), ("share", (*share).into())])
                });
                ("classes", Json::list(classes))
            }
            Self::Values(values) => ("values", Json::list(values.iter().copied())),
            Self::Tensor { range: [min, max, mean] } => (
                "range",
                Json::object([
                    ("min", (*min).into()),
                    ("max", (*max).into()),
                    ("mean", (*mean).into()),
                ]),
            ),
        };
        Json::object([
            ("output", port.name.as_str().into()),
            ("type", array.dtype.name().into()),
            ("dims", Json::list(array.dims.iter().copied())),
            answer,
        ])
    }
}

#[cfg(test)]
mod tests {
    use embarca_num::DType;

    use super::*;
    use crate::term::tests::PLAIN;

    fn port(quant: Option<(f32, i32)>) -> Port {
        Port { name: "y".into(), dtype: DType::F32, dims: vec![], preferred: vec![], quant }
    }

    fn of(dims: &[usize], values: &[f32], labels: &[&str]) -> String {
        let labels: Vec<String> = labels.iter().map(|label| label.to_string()).collect();
        let array = Array::from_slice(dims, values).unwrap();
        answer(&array, &port(None), &labels, true).unwrap().text(&port(None), &array, 2, &PLAIN)
    }

    #[test]
    fn answers() {
        let labels = ["cat", "dog", "emu"];
        assert_eq!(of(&[1, 3], &[0.1, 0.821, 0.079], &labels), " 82.1% dog\n 10.0% cat\n");
        assert_eq!(of(&[1, 3], &[0.1, 0.821, 0.079], &[]), " 82.1% class 1\n 10.0% class 0\n");
        assert_eq!(of(&[3, 1, 1], &[0.0, 9.0, 0.0], &labels), "100.0% dog\n  0.0% cat\n");
        assert_eq!(of(&[1, 2], &[7.5, -1.0], &labels), "y: 7.500000 -1.000000\n");
        let mask = [0.9, 0.0, 0.1, 0.2, 0.7, 0.1, 0.1, 0.8, 0.0, 0.5, 0.5, 0.0];
        assert_eq!(of(&[1, 2, 2, 3], &mask, &labels), " 50.0% cat\n 50.0% dog\n");
        let map: Vec<i64> = (0..64).map(|i| if i % 4 == 0 { 0 } else { 2 }).collect();
        let numbers = Array::from_slice(&[1, 8, 8], &map).unwrap();
        let labels_of =
            |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let said = answer(&numbers, &port(None), &labels_of(&labels), false).unwrap();
        assert_eq!(said.text(&port(None), &numbers, 5, &PLAIN), " 75.0% emu\n 25.0% cat\n");
        let index = Array::from_slice(&[1], &[7i64]).unwrap();
        let said = answer(&index, &port(None), &[], false).unwrap();
        assert_eq!(said.text(&port(None), &index, 5, &PLAIN), "y: 7\n");
        // Numbers are scores where the model makes them so, whatever they are.
        let shares = Array::from_slice(&[1, 2], &[0.25f32, 0.75]).unwrap();
        let said = |scores| answer(&shares, &port(None), &[], scores).unwrap();
        assert_eq!(said(false), Answer::Values(vec![0.25, 0.75]));
        assert!(matches!(said(true), Answer::Classes { .. }));
        let few = Array::from_slice(&[2, 2], &[1i64, 0, 0, 1]).unwrap();
        let said = answer(&few, &port(None), &[], false).unwrap();
        assert_eq!(said, Answer::Values(vec![1.0, 0.0, 0.0, 1.0]));
        let long = of(&[4, 5], &[2.0; 20], &labels);
        assert_eq!(long, "y: f32 4x5, 2.00 to 2.00, mean 2.00\n");
    }

    #[test]
    fn integers_stand_for_real_numbers() {
        let array = Array::from_slice(&[1, 2], &[-128i8, 127]).unwrap();
        let port = port(Some((1.0 / 256.0, -128)));
        let Answer::Classes { ranking, .. } = answer(&array, &port, &[], true).unwrap() else {
            panic!("no classes")
        };
        assert_eq!(ranking, [("class 1".into(), 255.0 / 256.0), ("class 0".into(), 0.0)]);
    }

    #[test]
    fn labels_that_do_not_fit_are_mentioned() {
        let array = Array::from_slice(&[1, 3], &[0f32; 3]).unwrap();
        let labels = vec![String::new(); 4];
        assert!(label_note(&array, &labels).unwrap().contains("4 labels for 3 classes"));
        assert_eq!(label_note(&array, &labels[..3]), None);
        let boxes = Array::from_slice(&[1, 2, 5], &[0f32; 10]).unwrap();
        assert_eq!(label_note(&boxes, &labels), None);
    }
}
