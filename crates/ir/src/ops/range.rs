//! Range: `start, start + delta, ...` below a limit.

use embarca_kernels::range as kernel;

use super::prelude::*;
use crate::model::Node;

crate::payload! {
    /// Inputs: start, limit, delta.
    pub struct Range {
        /// How many numbers.
        pub len: Dim,
    }
}

impl OpDef for Range {
    const NAME: &'static str = "range";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("Range", 11), Spelling::tflite("RANGE")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let inputs = [node.input(0)?, node.input(1)?, node.input(2)?];
        let mut numbers = Vec::with_capacity(3);
        for input in inputs {
            numbers.push(whole(b, input));
        }
        let whole: Option<Vec<Dim>> = numbers.into_iter().collect();
        let len = match whole.as_deref() {
            Some([start, limit, delta]) => whole_len(start, limit, delta)?,
            _ => real_len(b, &inputs)?,
        };
        one(b.op(Self { len }, &inputs)?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (start, delta) = (inputs.get(0)?.ty, inputs.get(2)?.ty);
        inputs.get(1)?;
        if start.dtype != delta.dtype {
            return Err(ShapeError::new(format!("{start} and {delta} do not mix")));
        }
        Ok(vec![TensorType::new(start.dtype, [self.len.clone()])])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let known = || {
            let len = self.len.known().filter(|&len| len <= crate::builder::MAX_KNOWN as i64)?;
            let (start, delta) = (inputs.optional(0)?.known?, inputs.optional(2)?.known?);
            let (start, delta) = (start.first()?, delta.first()?);
            Some((0..len).map(|i| start.add(&delta.mul(&Dim::Known(i)))).collect())
        };
        vec![known()]
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.plainly("Range", "RANGE")
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let kernel = match io.output(0)?.dtype {
            DType::F32 => &kernel::F32,
            DType::I32 => &kernel::I32,
            DType::I64 => &kernel::I64,
            other => return Err(LowerError::no_kernel(format!("a range of {other}"))),
        };
        Ok(Lowered::plain(kernel, &NO_PARAMS, 3))
    }
}

/// More real numbers than this are no range.
const MOST: f64 = 2_147_483_647.0;

/// The whole number that a value is known to hold, as an integer or as an f32 made from one.
fn whole(b: &Builder<'_>, value: ValueId) -> Option<Dim> {
    let operand = b.operand(value);
    if let Some([number]) = operand.known {
        return Some(number.clone());
    }
    if let Some([number]) = operand.data.and_then(Const::to_f64).as_deref() {
        let exact = number.fract() == 0.0 && number.abs() < f64::from(1 << 24);
        return exact.then_some(Dim::Known(*number as i64));
    }
    match b.graph().writer(value)? {
        (Node { op: Op::Cast(_), inputs, .. }, _) => {
            match b.operand(inputs.first().copied().flatten()?).known {
                Some([number]) => Some(number.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

fn whole_len(start: &Dim, limit: &Dim, delta: &Dim) -> Result<Dim, ImportError> {
    let way = limit.sub(start);
    let len = match delta.known() {
        Some(0) => return Err(ImportError::malformed("the step is 0")),
        Some(..0) => Dim::Known(0).sub(&way).ceil_div(&Dim::Known(0).sub(delta)),
        _ => way.ceil_div(delta),
    };
    // A limit that is computed from dimensions is taken to be a number of things, which is not
    // below a start of 0; a plan is not bound to sizes where it is.
    if *start == Dim::Known(0) && limit.known().is_none() {
        return Ok(len);
    }
    Ok(len.larger(&Dim::Known(0)))
}

fn real_len(b: &Builder<'_>, inputs: &[ValueId; 3]) -> Result<Dim, ImportError> {
    let mut numbers = [0.0; 3];
    for (number, &input) in numbers.iter_mut().zip(inputs) {
        let given = b.floats(input, "the range")?;
        let missing = || ImportError::malformed("a bound of the range holds no number");
        *number = *given.first().ok_or_else(missing)?;
    }
    let [start, limit, delta] = numbers.map(f64::from);
    let len = ((limit - start) / delta).ceil();
    if len.is_nan() || MOST < len {
        let message = format!("{start} to {limit} in steps of {delta} is not a range");
        return Err(ImportError::malformed(message));
    }
    Ok(Dim::Known(len.max(0.0) as i64))
}
