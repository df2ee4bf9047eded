//! One step of a solver, as ONNX's training operators define it: Adagrad, Adam, Momentum.

use embarca_kernels::compare::Kind as Relation;
use embarca_kernels::unary::Kind;

use super::draft::Draft;
use super::prelude::*;

const DOMAIN: &str = "ai.onnx.preview.training";

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("Adagrad", 1).domain(DOMAIN),
    Spelling::onnx("Adam", 1).domain(DOMAIN),
    Spelling::onnx("Momentum", 1).domain(DOMAIN),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (rate, count) = (node.input(0)?, node.input(1)?);
    // Tensors come in groups: weights, gradients, then one or two states of each weight.
    let groups = if node.op == "Adam" { 4 } else { 3 };
    let each = (node.n_inputs() - 2) / groups;
    if each * groups + 2 != node.n_inputs() || each == 0 {
        return Err(ImportError::malformed(format!("{} inputs", node.n_inputs())));
    }
    let mut results = vec![Vec::with_capacity(each); groups - 1];
    for index in 0..each {
        let input = |group: usize| node.input(2 + group * each + index);
        let (x, gradient, state) = (input(0)?, input(1)?, input(2)?);
        let mut d = Draft::new(b);
        let norm = d.scaled(x, node.float("norm_coefficient", 0.0)?.into())?;
        let gradient = d.add(norm, gradient)?;
        let step = match node.op {
            "Adagrad" => adagrad(node, &mut d, (rate, count), [x, gradient, state])?,
            "Adam" => adam(node, &mut d, (rate, count), [x, gradient, state, input(3)?])?,
            _ => momentum(node, &mut d, (rate, count), [x, gradient, state])?,
        };
        for (results, value) in results.iter_mut().zip(step) {
            results.push(value);
        }
    }
    Ok(results.concat())
}

fn adagrad(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    (rate, count): (ValueId, ValueId),
    [x, gradient, sum]: [ValueId; 3],
) -> Result<Vec<ValueId>, ImportError> {
    let (decay, epsilon) = (node.float("decay_factor", 0.0)?, node.float("epsilon", 0.0)?);
    let count = d.cast(count, d.b.ty(rate).dtype)?;
    let slower = d.scaled(count, decay.into())?;
    let slower = d.shifted(slower, 1.0)?;
    let rate = d.div(rate, slower)?;
    let square = d.mul(gradient, gradient)?;
    let sum = d.add(sum, square)?;
    let root = d.unary(Kind::Sqrt, sum)?;
    let root = d.shifted(root, epsilon.into())?;
    let way = d.mul(rate, gradient)?;
    let way = d.div(way, root)?;
    Ok(vec![d.sub(x, way)?, sum])
}

fn adam(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    (rate, count): (ValueId, ValueId),
    [x, gradient, mean, square]: [ValueId; 4],
) -> Result<Vec<ValueId>, ImportError> {
    let (alpha, beta) = (node.float("alpha", 0.9)?, node.float("beta", 0.999)?);
    let epsilon = node.float("epsilon", 0.0)?;
    let after = node.float("norm_coefficient_post", 0.0)?;
    let mean = blend(d, mean, gradient, alpha)?;
    let squares = d.mul(gradient, gradient)?;
    let square = blend(d, square, squares, beta)?;
    let root = d.unary(Kind::Sqrt, square)?;
    let root = d.shifted(root, epsilon.into())?;
    // From the second step on, both averages are freed of their start at zero.
    let zero = d.number(count, 0.0)?;
    let later = d.compare(Relation::Greater, count, zero)?;
    let count = d.cast(count, d.b.ty(rate).dtype)?;
    let rest = |d: &mut Draft<'_, '_>, base: f32| {
        let base = d.number(count, base.into())?;
        let power = d.pow(base, count)?;
        let one = d.number(count, 1.0)?;
        d.sub(one, power)
    };
    let (of_mean, of_square) = (rest(d, alpha)?, rest(d, beta)?);
    let of_square = d.unary(Kind::Sqrt, of_square)?;
    let freed = d.mul(rate, of_square)?;
    let freed = d.div(freed, of_mean)?;
    let rate = d.select(later, freed, rate)?;
    let way = d.div(mean, root)?;
    let way = d.mul(rate, way)?;
    let x = d.sub(x, way)?;
    let x = d.scaled(x, 1.0 - f64::from(after))?;
    Ok(vec![x, mean, square])
}

/// `old * share + new * (1 - share)`
fn blend(
    d: &mut Draft<'_, '_>,
    old: ValueId,
    new: ValueId,
    share: f32,
) -> Result<ValueId, ShapeError> {
    let old = d.scaled(old, share.into())?;
    let new = d.scaled(new, 1.0 - f64::from(share))?;
    d.add(old, new)
}

fn momentum(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    (rate, count): (ValueId, ValueId),
    [x, gradient, speed]: [ValueId; 3],
) -> Result<Vec<ValueId>, ImportError> {
    let (alpha, beta) = (node.float("alpha", 0.0)?, node.float("beta", 0.0)?);
    let zero = d.number(count, 0.0)?;
    let later = d.compare(Relation::Greater, count, zero)?;
    let (beta, first) = (d.number(x, beta.into())?, d.number(x, 1.0)?);
    let beta = d.select(later, beta, first)?;
    let old = d.scaled(speed, alpha.into())?;
    let new = d.mul(beta, gradient)?;
    let speed = d.add(old, new)?;
    let way = match node.text("mode", "standard")? {
        "standard" => speed,
        "nesterov" => {
            let ahead = d.scaled(speed, alpha.into())?;
            d.add(gradient, ahead)?
        }
        other => {
            let message = format!("{other} is not known");
            return Err(ImportError::malformed(message).attribute("mode"));
        }
    };
    let way = d.mul(rate, way)?;
    Ok(vec![d.sub(x, way)?, speed])
}
