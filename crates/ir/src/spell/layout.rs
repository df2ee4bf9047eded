//! Orders of axes: which one a node is spelled in.

use crate::types::TensorType;

/// A permutation that leaves every axis where it is.
pub fn identity(rank: usize) -> Vec<usize> {
    (0..rank).collect()
}

/// Whether a permutation leaves every axis where it is.
pub fn is_identity(perm: &[usize]) -> bool {
    perm.iter().enumerate().all(|(i, &axis)| i == axis)
}

/// The permutation that undoes `perm`.
pub fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; perm.len()];
    for (i, &axis) in perm.iter().enumerate() {
        if let Some(place) = inverse.get_mut(axis) {
            *place = i;
        }
    }
    inverse
}

/// Axis `i` of the result is axis `perm[i]` of `ty`.
pub fn permuted(ty: &TensorType, perm: &[usize]) -> TensorType {
    let mut permuted = ty.with_dims(perm.iter().map(|&axis| ty.dims[axis].clone()).collect());
    if let Some(quant) = &mut permuted.quant {
        quant.axis = quant.axis.and_then(|axis| perm.iter().position(|&at| at == axis));
    }
    permuted
}

/// The bytes of a tensor of `dims` with its axes permuted: axis `i` of the result is axis `perm[i]`.
pub fn permuted_bytes(bytes: &[u8], dims: &[usize], size: usize, perm: &[usize]) -> Vec<u8> {
    let mut strides = vec![size; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    let steps: Vec<(usize, usize)> = perm.iter().map(|&axis| (dims[axis], strides[axis])).collect();
    let mut result = Vec::with_capacity(bytes.len());
    let mut index = vec![0usize; dims.len()];
    let mut at = 0usize;
    while result.len() < bytes.len() {
        result.extend_from_slice(&bytes[at..at + size]);
        for (i, &(dim, stride)) in index.iter_mut().zip(&steps).rev() {
            *i += 1;
            at += stride;
            if *i < dim {
                break;
            }
            at -= stride * dim;
            *i = 0;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_follow_their_axes() {
        let bytes: Vec<u8> = (0..12).collect();
        // [3, 2] of two bytes each.
        let turned = permuted_bytes(&bytes, &[3, 2], 2, &[1, 0]);
        assert_eq!(turned, [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
        let perm = [2, 0, 1];
        let there = permuted_bytes(&bytes, &[2, 3, 2], 1, &perm);
        let back = permuted_bytes(&there, &[2, 2, 3], 1, &inverse(&perm));
        assert_eq!(back, bytes);
        assert_eq!(permuted_bytes(&[], &[0, 3], 4, &[1, 0]), Vec::<u8>::new());
    }
}
