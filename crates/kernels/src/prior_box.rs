//! Boxes of given sizes around every position of a feature map, as Caffe's SSD branch lays them out.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32. Inputs: a feature map `[n, c, height, width]` and a picture `[n, c, height, width]`, of
/// which only the dimensions are read, and the boxes' widths and heights in pixels `[boxes, 2]`.
/// Output `[1, 2, height * width * boxes * 4]`: left, top, right, bottom as parts of the picture,
/// then the variances of each. Record [`Params`].
pub const F32: Kernel = Kernel::new("prior_box_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// Height and width of the picture; 0 takes those of input 1.
    pub picture: [u32; 2],
    /// Pixels from one position to the next, down and across; 0 spreads positions over the picture.
    pub steps: [f32; 2],
    /// Where in its cell a position lies, 0.5 for the center.
    pub offset: f32,
    /// 1 to limit boxes to the picture.
    pub clip: u32,
    /// For left, top, right and bottom.
    pub variances: [f32; 4],
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { clip, .. } = sig.params()?;
    let (map, picture, sizes, y) = (sig.input(0)?, sig.input(1)?, sig.input(2)?, sig.output(0)?);
    if sizes.dtype != DType::F32 || y.dtype != DType::F32 {
        return Err(Fault::Type);
    }
    if 1 < clip {
        return Err(Fault::Record);
    }
    check_size(sizes)?;
    check_size(y)?;
    let (&[_, _, height, width], [_, _, _, _]) = (map.dims, picture.dims) else {
        return Err(Fault::Shape);
    };
    let (&[boxes, 2], &[1, 2, len]) = (sizes.dims, y.dims) else { return Err(Fault::Shape) };
    let positions = u64::from(height) * u64::from(width);
    let expected = positions.checked_mul(4 * u64::from(boxes)).ok_or(Fault::TooLarge)?;
    if expected != u64::from(len) {
        return Err(Fault::Shape);
    }
    Ok(Needs::WHOLE)
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: Params = call.params()?;
    let plane = |index: usize, call: &Call| match *call.input(index)?.ty.dims {
        [_, _, height, width] => Ok([height, width]),
        _ => Err(Fault::Shape),
    };
    let (map, picture) = (plane(0, call)?, plane(1, call)?);
    let sizes = call.input(2)?.elements::<f32>();
    run_f32(&params, map, picture, sizes, call.output(0)?.elements());
    Ok(())
}

/// Fills `y` with the boxes and variances of a map of height and width, see [`F32`].
pub fn run_f32(params: &Params, map: [u32; 2], picture: [u32; 2], sizes: &[f32], y: &mut [f32]) {
    let picture = if params.picture.contains(&0) { picture } else { params.picture };
    let picture = picture.map(|len| len as f32);
    let spread = |axis: usize| picture[axis] / map[axis].max(1) as f32;
    let steps =
        if params.steps.contains(&0.0) { [spread(0), spread(1)] } else { params.steps };
    let (boxes, variances) = y.split_at_mut(y.len() / 2);
    let mut boxes = boxes.as_chunks_mut::<4>().0.iter_mut();
    for row in 0..map[0] {
        for column in 0..map[1] {
            let center = [(row, 0), (column, 1)]
                .map(|(at, axis): (u32, usize)| (at as f32 + params.offset) * steps[axis]);
            for &[width, height] in sizes.as_chunks::<2>().0 {
                let Some(to) = boxes.next() else { return };
                // Sums and quotients are f64 in the reference.
                let side = |axis: usize, size: f32, sign: f64| {
                    let edge = f64::from(center[axis]) + sign * f64::from(size) / 2.0;
                    (edge / f64::from(picture[axis])) as f32
                };
                *to = [
                    side(1, width, -1.0),
                    side(0, height, -1.0),
                    side(1, width, 1.0),
                    side(0, height, 1.0),
                ];
                if params.clip == 1 {
                    *to = to.map(|edge| edge.clamp(0.0, 1.0));
                }
            }
        }
    }
    for to in variances.as_chunks_mut::<4>().0 {
        *to = params.variances;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn boxes_around_every_position() {
        let params = Params {
            picture: [0, 0],
            steps: [0.0, 0.0],
            offset: 0.5,
            clip: 1,
            variances: [0.1, 0.1, 0.2, 0.2],
        };
        let map = Tensor::f32(&[1, 1, 1, 2], &[0.0; 2]);
        let picture = Tensor::f32(&[1, 1, 4, 8], &[0.0; 32]);
        let sizes = Tensor::f32(&[1, 2], &[2.0, 8.0]);
        let y = run(&F32, &params, &[map, picture, sizes], &[(DType::F32, &[1, 2, 8])]);
        let y = y[0].to_f32();
        assert_eq!(y[..8], [0.125, 0.0, 0.375, 1.0, 0.625, 0.0, 0.875, 1.0]);
        assert_eq!(y[8..], [0.1, 0.1, 0.2, 0.2, 0.1, 0.1, 0.2, 0.2]);
    }
}
