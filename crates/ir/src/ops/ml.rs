//! Classical models (`ai.onnx.ml`): scalers, normalizers, encoders and linear models, as arithmetic.

use embarca_kernels::{compare, reduce, unary};

use super::draft::{Draft, numbers};
use super::prelude::*;
use super::texts::UNUSED;
use super::{ArgMax, IsSpecial, Softmax};

const ML: &str = "ai.onnx.ml";

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("ArrayFeatureExtractor", 1).domain(ML),
    Spelling::onnx("Binarizer", 1).domain(ML),
    Spelling::onnx("FeatureVectorizer", 1).domain(ML),
    Spelling::onnx("Imputer", 1).domain(ML),
    Spelling::onnx("LabelEncoder", 2).domain(ML),
    Spelling::onnx("LinearClassifier", 1).domain(ML),
    Spelling::onnx("LinearRegressor", 1).domain(ML),
    Spelling::onnx("Normalizer", 1).domain(ML),
    Spelling::onnx("OneHotEncoder", 1).domain(ML),
    Spelling::onnx("Scaler", 1).domain(ML),
    Spelling::onnx("ZipMap", 1).domain(ML),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let mut d = Draft::new(b);
    let x = node.input(0)?;
    match node.op {
        "ArrayFeatureExtractor" => {
            let places = node.input(1)?;
            let len = dim::product(&d.b.ty(places).dims);
            let places = d.b.reshape(places, vec![len])?;
            let x = match d.b.rank(x) {
                0 => return Err(ImportError::malformed("the input has no axes")),
                1 => d.unsqueeze(x, 0)?,
                _ => x,
            };
            let last = d.b.rank(x) - 1;
            one(d.gather(x, places, last)?)
        }
        "Binarizer" => {
            let threshold = d.number(x, node.float("threshold", 0.0)?.into())?;
            let above = d.compare(compare::Kind::Greater, x, threshold)?;
            let dtype = d.b.ty(x).dtype;
            one(d.cast(above, dtype)?)
        }
        "FeatureVectorizer" => {
            let sizes = node.opt_ints("inputdimensions")?.unwrap_or_default();
            let mut parts = Vec::new();
            for index in 0..node.n_inputs() {
                let part = node.input(index)?;
                let len = d.b.ty(part).dims.last().and_then(Dim::known);
                if sizes.get(index).is_some_and(|&size| len != Some(size)) || d.b.rank(part) != 2 {
                    let message = format!("input {index} is {}", d.b.ty(part));
                    return Err(ImportError::unsupported(message).attribute("inputdimensions"));
                }
                parts.push(d.cast(part, DType::F32)?);
            }
            one(d.concat(&parts, 1)?)
        }
        "Imputer" => imputer(node, &mut d, x),
        "LabelEncoder" => label_encoder(node, &mut d, x),
        "LinearClassifier" => linear_classifier(node, &mut d, x),
        "LinearRegressor" => {
            let targets = node.int("targets", 1)?;
            let y = linear(node, &mut d, x, targets)?;
            one(post_transform(node, &mut d, y)?)
        }
        "Normalizer" => normalizer(node, &mut d, x),
        "OneHotEncoder" => {
            let categories = node.opt_ints("cats_int64s")?.ok_or_else(|| {
                ImportError::unsupported("only whole numbers are encoded").attribute("cats_int64s")
            })?;
            if !node.flag("zeros", true)? {
                let message = "whether a category is known is not looked at";
                return Err(ImportError::unsupported(message).attribute("zeros"));
            }
            let categories = d.b.i64s(&categories);
            let x = d.cast(x, DType::I64)?;
            let rank = d.b.rank(x);
            let x = d.unsqueeze(x, rank)?;
            let same = d.compare(compare::Kind::Equal, x, categories)?;
            one(d.cast(same, DType::F32)?)
        }
        "Scaler" => {
            let x = d.cast(x, DType::F32)?;
            let offset = node.opt_floats("offset")?.unwrap_or_else(|| vec![0.0]);
            let scale = node.opt_floats("scale")?.unwrap_or_else(|| vec![1.0]);
            let offset = d.b.f32s(&[offset.len()], &offset);
            let scale = d.b.f32s(&[scale.len()], &scale);
            let centred = d.sub(x, offset)?;
            one(d.mul(centred, scale)?)
        }
        _ => zip_map(node, &mut d, x),
    }
}

/// A map for each row becomes the row of its values; the keys are the names of its columns.
fn zip_map(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let texts = node.opt_texts("classlabels_strings")?;
    let whole = node.opt_ints("classlabels_int64s")?;
    let names = texts.or_else(|| {
        whole.map(|labels| labels.iter().map(i64::to_string).collect::<Vec<String>>())
    });
    let names = names.unwrap_or_default();
    if d.b.ty(x).dims.last().and_then(Dim::known).is_some_and(|len| len != names.len() as i64) {
        let message = format!("{} keys for {}", names.len(), d.b.ty(x));
        return Err(ImportError::malformed(message));
    }
    let dims = d.b.ty(x).dims.clone();
    one(d.b.op(super::Reshape { dims }, &[x])?)
}

fn imputer(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let dtype = d.b.ty(x).dtype;
    let none = || ImportError::malformed("there are no values to put in");
    let (values, missing) = if dtype.is_float() {
        let values = node.opt_floats("imputed_value_floats")?.filter(|values| !values.is_empty());
        let values: Vec<f64> = values.ok_or_else(none)?.into_iter().map(f64::from).collect();
        let values = d.b.constant(numbers(dtype, &[values.len()], &values)?, None);
        (values, f64::from(node.float("replaced_value_float", 0.0)?))
    } else {
        let values = node.opt_ints("imputed_value_int64s")?.filter(|values| !values.is_empty());
        let values = d.b.i64s(&values.ok_or_else(none)?);
        (d.cast(values, dtype)?, 0.0)
    };
    let is_missing = if missing.is_nan() {
        d.b.op(IsSpecial::NAN, &[x])?
    } else {
        let missing = match dtype.is_float() {
            true => d.number(x, missing)?,
            // Whole numbers are not all numbers of f64.
            false => {
                let missing = Const::from_i64(&[], &[node.int("replaced_value_int64", 0)?]);
                let missing = d.b.constant(missing, None);
                d.cast(missing, dtype)?
            }
        };
        d.compare(compare::Kind::Equal, x, missing)?
    };
    one(d.select(is_missing, values, x)?)
}

/// A list of the node's, by its four spellings, and whether it holds texts, as their places.
fn list(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    what: &str,
) -> Result<Option<(Const, bool)>, ImportError> {
    if let Some(whole) = node.opt_ints(&format!("{what}_int64s"))? {
        return Ok(Some((Const::from_i64(&[whole.len()], &whole), false)));
    }
    if let Some(real) = node.opt_floats(&format!("{what}_floats"))? {
        return Ok(Some((Const::from_f32(&[real.len()], &real), false)));
    }
    let tensor = format!("{what}_tensor");
    let texts = match node.opt_texts(&format!("{what}_strings"))? {
        Some(texts) => Some(texts),
        None => node.opt_text_tensor(&tensor).map(|texts| texts.list),
    };
    if let Some(texts) = texts {
        let places: Vec<i64> =
            texts.iter().map(|text| d.b.text(text)).collect::<Result<_, _>>()?;
        return Ok(Some((Const::from_i64(&[places.len()], &places), true)));
    }
    Ok(node.opt_tensor(&tensor)?.map(|list| (list, false)))
}

/// What a label encoder says of an unknown key.
fn default_label(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    dtype: DType,
    texts: bool,
) -> Result<Const, ImportError> {
    let given = match node.opt_text_tensor("default_tensor") {
        Some(given) => given.list.first().cloned(),
        None => None,
    };
    let data = match (dtype, texts) {
        (_, true) => {
            let text = given.unwrap_or(node.text("default_string", UNUSED)?.to_owned());
            Const::from_i64(&[], &[d.b.text(&text)?])
        }
        _ if node.has("default_tensor") => {
            let missing = || ImportError::malformed("has no content").attribute("default_tensor");
            node.opt_tensor("default_tensor")?.ok_or_else(missing)?
        }
        (DType::I64, _) => Const::from_i64(&[], &[node.int("default_int64", -1)?]),
        (DType::F32, _) => Const::from_f32(&[], &[node.float("default_float", -0.0)?]),
        _ => return Err(ImportError::malformed("is missing").attribute("default_tensor")),
    };
    node.ignore(&["default_string", "default_int64", "default_float"]);
    Ok(data)
}

fn label_encoder(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let missing = |what| ImportError::malformed(format!("there are no {what}"));
    let (keys, key_texts) = list(node, d, "keys")?.ok_or_else(|| missing("keys"))?;
    let (values, value_texts) = list(node, d, "values")?.ok_or_else(|| missing("values"))?;
    let default = default_label(node, d, values.dtype, value_texts)?;
    if keys.dims != values.dims
        || keys.dims.len() != 1
        || keys.dtype != d.b.ty(x).dtype
        || key_texts != d.b.is_text(x)
    {
        let kind = if key_texts { "texts".to_owned() } else { keys.dtype.to_string() };
        let message = format!("{:?} keys ({kind}) for {}", keys.dims, d.b.ty(x));
        return Err(ImportError::malformed(message));
    }
    if keys.dtype.is_float()
        && keys.to_f64().is_some_and(|keys| keys.iter().any(|key| key.is_nan()))
    {
        return Err(ImportError::unsupported("what is no number is a key"));
    }
    // The place of the first key that is equal, behind all keys where there is none.
    let len = keys.dims[0];
    let rank = d.b.rank(x);
    let keys = d.b.constant(keys, None);
    let wide = d.unsqueeze(x, rank)?;
    let same = d.compare(compare::Kind::Equal, wide, keys)?;
    let same = d.cast(same, DType::F32)?;
    let first = d.b.op(ArgMax::first(rank), &[same])?;
    let known = d.reduce(reduce::Kind::Max, same, [rank], false)?;
    let known = d.cast(known, DType::Bool)?;
    let beyond = d.number(first, len as f64)?;
    let place = d.select(known, first, beyond)?;
    let dims = d.b.ty(x).dims.clone();
    let values = d.b.constant(values, None);
    let default = d.b.constant(default, None);
    let default = d.b.reshape(default, vec![Dim::Known(1)])?;
    let all = d.concat(&[values, default], 0)?;
    let y = d.gather(all, place, 0)?;
    let y = d.b.reshape(y, dims)?;
    if value_texts {
        d.b.set_text(y);
    }
    one(y)
}

fn normalizer(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let x = d.cast(x, DType::F32)?;
    let last = match d.b.rank(x) {
        0 => return Err(ImportError::malformed("the input has no axes")),
        rank => rank - 1,
    };
    let norm = match node.text("norm", "MAX")? {
        "MAX" => d.reduce(reduce::Kind::Max, x, [last], true)?,
        "L1" => {
            let size = d.unary(unary::Kind::Abs, x)?;
            d.reduce(reduce::Kind::Sum, size, [last], true)?
        }
        "L2" => {
            let square = d.mul(x, x)?;
            let sum = d.reduce(reduce::Kind::Sum, square, [last], true)?;
            d.unary(unary::Kind::Sqrt, sum)?
        }
        other => {
            let message = format!("there is no norm {other}");
            return Err(ImportError::malformed(message).attribute("norm"));
        }
    };
    // A row of zeros stays.
    let (zero, one_) = (d.number(x, 0.0)?, d.number(x, 1.0)?);
    let none = d.compare(compare::Kind::Equal, norm, zero)?;
    let norm = d.select(none, one_, norm)?;
    one(d.div(x, norm)?)
}

/// `x` times the node's coefficients, `rows` of them, plus its intercepts.
fn linear(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
    rows: i64,
) -> Result<ValueId, ImportError> {
    let coefficients = node.opt_floats("coefficients")?.unwrap_or_default();
    let intercepts = node.opt_floats("intercepts")?.unwrap_or_default();
    let rows = usize::try_from(rows).ok().filter(|&rows| 0 < rows);
    let wrong = || ImportError::malformed("do not fit the input").attribute("coefficients");
    let rows = rows.filter(|rows| coefficients.len().is_multiple_of(*rows)).ok_or_else(wrong)?;
    if coefficients.is_empty() || !(intercepts.is_empty() || intercepts.len() == rows) {
        return Err(wrong());
    }
    let x = d.cast(x, DType::F32)?;
    let x = match d.b.rank(x) {
        1 => d.unsqueeze(x, 0)?,
        _ => x,
    };
    let weights = d.b.f32s(&[rows, coefficients.len() / rows], &coefficients);
    let y = d.b.op(super::Dense::PLAIN, &[x, weights])?;
    if intercepts.is_empty() {
        return Ok(y);
    }
    let intercepts = d.b.f32s(&[rows], &intercepts);
    Ok(d.add(y, intercepts)?)
}

/// Scores after the node's `post_transform`.
pub fn post_transform(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    y: ValueId,
) -> Result<ValueId, ImportError> {
    match node.text("post_transform", "NONE")? {
        "NONE" => Ok(y),
        "LOGISTIC" => Ok(d.unary(unary::Kind::Sigmoid, y)?),
        "SOFTMAX" => {
            let axis = d.b.rank(y) - 1;
            Ok(d.b.op(Softmax { axis, beta: 1.0 }, &[y])?)
        }
        other => {
            let message = format!("{other} is not supported");
            Err(ImportError::unsupported(message).attribute("post_transform"))
        }
    }
}

/// What an answer says of classes.
pub struct Labels {
    /// The number that stands for each class: its own, or the place of its name among the texts.
    numbers: Vec<i64>,
    are_texts: bool,
}

impl Labels {
    /// By the attributes that name the classes, with whole numbers or with texts.
    ///
    /// # Errors
    /// When there are none, or too many texts.
    pub fn read(
        node: &NodeView<'_>,
        d: &mut Draft<'_, '_>,
        [whole, texts]: [&str; 2],
    ) -> Result<Self, ImportError> {
        let names = node.opt_texts(texts)?.unwrap_or_default();
        let numbers = node.opt_ints(whole)?.unwrap_or_default();
        let are_texts = !names.is_empty();
        let numbers = match are_texts {
            true => names.iter().map(|name| d.b.text(name)).collect::<Result<_, _>>()?,
            false => numbers,
        };
        if numbers.is_empty() {
            return Err(ImportError::malformed("there are no classes").attribute(whole));
        }
        Ok(Self { numbers, are_texts })
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The labels at places (whole numbers).
    pub fn at(&self, d: &mut Draft<'_, '_>, places: ValueId) -> Result<ValueId, ShapeError> {
        let labels = d.b.i64s(&self.numbers);
        let label = d.gather(labels, places, 0)?;
        if self.are_texts {
            d.b.set_text(label);
        }
        Ok(label)
    }

    /// The label of the greatest score of each row, the first of equals.
    pub fn best(&self, d: &mut Draft<'_, '_>, scores: ValueId) -> Result<ValueId, ShapeError> {
        let best = d.b.op(ArgMax::first(1), &[scores])?;
        self.at(d, best)
    }
}

fn linear_classifier(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    node.ignore(&["multi_class"]);
    let labels = Labels::read(node, d, ["classlabels_ints", "classlabels_strings"])?;
    let intercepts = node.opt_floats("intercepts")?.map_or(0, |list| list.len());
    let rows = if intercepts == 0 { labels.len() } else { intercepts };
    let scores = linear(node, d, x, rows as i64)?;
    if rows == 1 && labels.len() == 2 {
        // One score, that of the second class.
        let zero = d.number(scores, 0.0)?;
        let second = d.compare(compare::Kind::Greater, scores, zero)?;
        let second = d.cast(second, DType::I64)?;
        let second = d.squeeze(second, 1)?;
        let label = labels.at(d, second)?;
        let score = match node.text("post_transform", "NONE")? {
            "NONE" => scores,
            "LOGISTIC" => d.unary(unary::Kind::Sigmoid, scores)?,
            other => {
                let message = format!("{other} of one score for two classes");
                return Err(ImportError::unsupported(message).attribute("post_transform"));
            }
        };
        return Ok(vec![label, one_and_other(d, score)?]);
    }
    if rows != labels.len() {
        return Err(ImportError::malformed("there are not as many classes as rows"));
    }
    let label = labels.best(d, scores)?;
    Ok(vec![label, post_transform(node, d, scores)?])
}

/// The scores of two classes, of which the second's is given and both sum to 1: `[rows, 2]`.
pub fn one_and_other(d: &mut Draft<'_, '_>, score: ValueId) -> Result<ValueId, ShapeError> {
    let whole = d.number(score, 1.0)?;
    let other = d.sub(whole, score)?;
    d.concat(&[other, score], 1)
}
