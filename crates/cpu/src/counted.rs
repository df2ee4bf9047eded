//! Outputs of sizes that the data decide over: the part that counts, after a run.

use embarca_kernels::Ty;
use embarca_num::DType;
use embarca_plan::{Interface, Unit};
use zerocopy::FromBytes;

use crate::error::LoadError;

/// An output of which the first elements along an axis count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub output: usize,
    pub axis: usize,
    /// The output that holds their number.
    pub by: usize,
}

impl Counted {
    /// All of an interface.
    pub fn of(interface: &Interface<'_>) -> Result<Vec<Self>, LoadError> {
        let ports: Vec<_> = interface.outputs().collect();
        // Whoever runs a plan numbers the outputs without the counts.
        if !ports.is_sorted_by_key(embarca_plan::Port::is_count) {
            return Err(LoadError::Unsupported("outputs behind the numbers that count others"));
        }
        let mut found = Vec::new();
        for (output, port) in ports.iter().enumerate() {
            let Some((axis, by)) = port.counted() else { continue };
            let number = |port: &embarca_plan::Port<'_>| {
                port.is_count() && port.dtype() == DType::I64 && port.rank() == 0
            };
            if port.rank() <= axis || !ports.get(by).is_some_and(number) {
                return Err(LoadError::Unsupported("outputs that no number counts"));
            }
            found.push(Self { output, axis, by });
        }
        Ok(found)
    }
}

/// A copy of what counts of an output, with room for all of it.
#[derive(Debug)]
pub(crate) struct Part {
    pub of: Counted,
    dims: Vec<u32>,
    units: Vec<Unit>,
    len: usize,
}

impl Part {
    /// Room for all of an output of `bytes` bytes.
    pub fn new(of: Counted, dims: &[u32], bytes: usize) -> Result<Self, LoadError> {
        let mut units = Vec::new();
        units.try_reserve_exact(Unit::count(bytes)).map_err(|_| LoadError::TooLarge)?;
        units.resize(Unit::count(bytes), Unit::ZERO);
        Ok(Self { of, dims: dims.to_vec(), units, len: bytes })
    }

    /// Takes the part that counts of `all`, whose dimensions are those of `ty`.
    pub fn take(&mut self, all: &[u8], ty: Ty<'_>, count: &[u8]) {
        let [before @ .., _] = ty.dims.split_at(self.of.axis + 1).0 else { return };
        let outer: usize = before.iter().map(|&dim| dim as usize).product();
        let most = ty.dims[self.of.axis];
        let count = i64::read_from_bytes(count).unwrap_or(0);
        let count = u32::try_from(count.max(0)).unwrap_or(u32::MAX).min(most);
        let row = all.len().checked_div(outer).unwrap_or(0);
        let kept = row.checked_div(most as usize).unwrap_or(0) * count as usize;
        let to = Unit::bytes_mut(&mut self.units);
        self.len = 0;
        for row in all.chunks_exact(row.max(1)).take(outer) {
            to[self.len..self.len + kept].copy_from_slice(&row[..kept]);
            self.len += kept;
        }
        self.dims.clear();
        self.dims.extend_from_slice(ty.dims);
        self.dims[self.of.axis] = count;
    }

    /// The dimensions of the part.
    pub fn dims(&self) -> &[u32] {
        &self.dims
    }

    /// Its elements.
    pub fn bytes(&self) -> &[u8] {
        &Unit::bytes(&self.units)[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_of_every_row_counts() {
        let of = Counted { output: 0, axis: 1, by: 1 };
        let ty = Ty { dtype: DType::U8, dims: &[2, 3] };
        let mut part = Part::new(of, ty.dims, 6).unwrap();
        part.take(&[1, 2, 3, 4, 5, 6], ty, &2i64.to_le_bytes());
        assert_eq!((part.dims(), part.bytes()), (&[2, 2][..], &[1, 2, 4, 5][..]));
        part.take(&[1, 2, 3, 4, 5, 6], ty, &9i64.to_le_bytes());
        assert_eq!((part.dims(), part.bytes()), (&[2, 3][..], &[1, 2, 3, 4, 5, 6][..]));
        part.take(&[1, 2, 3, 4, 5, 6], ty, &(-1i64).to_le_bytes());
        assert_eq!((part.dims(), part.bytes()), (&[2, 0][..], &[][..]));
    }
}
