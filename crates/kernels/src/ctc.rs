//! The text that a recognizer trained with CTC reads: the best class of each step, repeats and the
//! blank left out (Graves et al. 2006, best path decoding).
//!
//! Input: scores f32 `[T, C]`. Outputs: classes i32 `[T]`, -1 beyond the last; their scores f32 `[T]`,
//! 0 beyond it; their number i32 `[1]`.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32; record [`Params`].
pub const F32: Kernel = Kernel::new("ctc_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The class that stands for nothing.
    pub blank: u32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { blank } = sig.params()?;
    let x = sig.input(0)?;
    if sig.inputs.len() != 1 || sig.outputs.len() != 3 {
        return Err(Fault::Arity);
    }
    if x.dtype != DType::F32 {
        return Err(Fault::Type);
    }
    let [t, classes] = *x.dims else { return Err(Fault::Shape) };
    if classes <= blank {
        return Err(Fault::Record);
    }
    for (i, (dtype, len)) in [(DType::I32, t), (DType::F32, t), (DType::I32, 1)].iter().enumerate()
    {
        let y = sig.output(i)?;
        if y.dtype != *dtype {
            return Err(Fault::Type);
        }
        if y.dims != [*len] {
            return Err(Fault::Shape);
        }
    }
    check_size(x)?;
    Ok(Needs::WHOLE)
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { blank } = call.params()?;
    let x = call.input(0)?;
    let classes = x.ty.dims.get(1).map_or(1, |&dim| dim as usize).max(1);
    let [to_classes, to_scores, to_count] = &mut *call.outputs else { return Err(Fault::Arity) };
    let (to_classes, to_scores) = (to_classes.elements::<i32>(), to_scores.elements::<f32>());
    to_classes.fill(-1);
    to_scores.fill(0.0);
    let mut to = to_classes.iter_mut().zip(to_scores);
    let (mut before, mut count) = (blank as usize, 0);
    for row in x.elements::<f32>().chunks_exact(classes) {
        let mut best = 0;
        for (at, score) in row.iter().enumerate() {
            if row[best] < *score {
                best = at;
            }
        }
        if best != before
            && best != blank as usize
            && let Some((class, score)) = to.next()
        {
            (*class, *score) = (best as i32, row[best]);
            count += 1;
        }
        before = best;
    }
    if let Some(to) = to_count.elements::<i32>().first_mut() {
        *to = count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn repeats_and_blanks_go() {
        let best = [0, 2, 2, 0, 2, 1, 1, 0];
        let mut x = [0.1f32; 8 * 3];
        for (t, class) in best.into_iter().enumerate() {
            x[t * 3 + class] = 0.5 + t as f32;
        }
        let to = [(DType::I32, &[8][..]), (DType::F32, &[8]), (DType::I32, &[1])];
        let y = run(&F32, &Params { blank: 0 }, &[Tensor::f32(&[8, 3], &x)], &to);
        assert_eq!(y[0].to_i32(), [2, 2, 1, -1, -1, -1, -1, -1]);
        assert_eq!(y[1].to_f32()[..4], [1.5, 4.5, 5.5, 0.0]);
        assert_eq!(y[2].to_i32(), [3]);
    }
}
