//! FlatBuffers' wire encoding, read in place.
//!
//! <https://flatbuffers.dev/internals/>. Every offset is checked against the file, alignment is
//! not assumed, every field is optional. The readers go as deep as a schema does, never as deep
//! as a file asks, so that offsets which form a loop do no harm; who copies elements counts them.

use crate::error::ReadError;

/// A table: fields found through a table of 16-bit offsets.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    file: &'a [u8],
    pos: usize,
    /// The offsets of the fields, two bytes each.
    slots: &'a [u8],
    /// Bytes of the table itself.
    size: usize,
}

/// A vector whose elements have `N` bytes each.
#[derive(Clone, Copy, Debug)]
pub struct Vector<'a, const N: usize> {
    /// The elements.
    pub items: &'a [[u8; N]],
    /// Offset of the first in the file.
    pub at: usize,
}

/// A vector of tables.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    file: &'a [u8],
    offsets: Vector<'a, 4>,
}

impl<'a> Table<'a> {
    /// The table that a file begins with.
    ///
    /// # Errors
    /// The file is too short, or the offset leads out of it.
    pub fn root(file: &'a [u8]) -> Result<Self, ReadError> {
        Self::behind(file, 0)
    }

    /// The table that the offset at `at` points to.
    fn behind(file: &'a [u8], at: usize) -> Result<Self, ReadError> {
        let pos = follow(file, at)?;
        let back = i64::from(i32::from_le_bytes(array(file, pos)?));
        let broken = |what| ReadError::malformed_at(pos, what);
        let vtable = i64::try_from(pos)
            .ok()
            .and_then(|pos| pos.checked_sub(back))
            .and_then(|vtable| usize::try_from(vtable).ok())
            .ok_or_else(|| broken("a table's field list lies before the file"))?;
        let length = usize::from(u16::from_le_bytes(array(file, vtable)?));
        let size = usize::from(u16::from_le_bytes(array(file, add(vtable, 2)?)?));
        let slots = length
            .checked_sub(4)
            .and_then(|slots| file.get(vtable + 4..)?.get(..slots))
            .ok_or_else(|| broken("a table's field list leaves the file"))?;
        if size < 4 || file.len() - pos < size {
            return Err(broken("a table leaves the file"));
        }
        Ok(Self { file, pos, slots, size })
    }

    /// Offset of the table in the file.
    pub fn at(&self) -> usize {
        self.pos
    }

    /// Where field `id` of `size` bytes lies, `None` if it is left out.
    fn find(&self, id: usize, size: usize) -> Result<Option<usize>, ReadError> {
        let slot = match self.slots.as_chunks::<2>().0.get(id) {
            Some(slot) => usize::from(u16::from_le_bytes(*slot)),
            None => 0,
        };
        if slot == 0 {
            return Ok(None);
        }
        if slot < 4 || self.size < slot + size {
            let what = format!("field {id} lies outside of its table");
            return Err(ReadError::malformed_at(self.pos, what));
        }
        Ok(Some(self.pos + slot))
    }

    fn scalar<const N: usize>(&self, id: usize) -> Result<Option<[u8; N]>, ReadError> {
        match self.find(id, N)? {
            Some(at) => Ok(Some(array(self.file, at)?)),
            None => Ok(None),
        }
    }

    /// Field `id` of type `byte`.
    ///
    /// # Errors
    /// The field leaves its table, as for every scalar below.
    pub fn i8(&self, id: usize, default: i8) -> Result<i8, ReadError> {
        Ok(self.scalar(id)?.map_or(default, i8::from_le_bytes))
    }

    /// Field `id` of type `ubyte`.
    ///
    /// # Errors
    /// As [`Table::i8`].
    pub fn u8(&self, id: usize, default: u8) -> Result<u8, ReadError> {
        Ok(self.scalar(id)?.map_or(default, u8::from_le_bytes))
    }

    /// Field `id` of type `bool`.
    ///
    /// # Errors
    /// As [`Table::i8`].
    pub fn bool(&self, id: usize, default: bool) -> Result<bool, ReadError> {
        Ok(self.u8(id, u8::from(default))? != 0)
    }

    /// Field `id` of type `int`.
    ///
    /// # Errors
    /// As [`Table::i8`].
    pub fn i32(&self, id: usize, default: i32) -> Result<i32, ReadError> {
        Ok(self.scalar(id)?.map_or(default, i32::from_le_bytes))
    }

    /// Field `id` of type `uint`.
    ///
    /// # Errors
    /// As [`Table::i8`].
    pub fn u32(&self, id: usize, default: u32) -> Result<u32, ReadError> {
        Ok(self.scalar(id)?.map_or(default, u32::from_le_bytes))
    }

    /// Field `id` of type `long`.
    ///
    /// # Errors
    /// As [`Table::i8`].
    pub fn i64(&self, id: usize, default: i64) -> Result<i64, ReadError> {
        Ok(self.scalar(id)?.map_or(default, i64::from_le_bytes))
    }

    /// Field `id` of type `ulong`.
    ///
    /// # Errors
    /// As [`Table::i8`].
    pub fn u64(&self, id: usize, default: u64) -> Result<u64, ReadError> {
        Ok(self.scalar(id)?.map_or(default, u64::from_le_bytes))
    }

    /// Field `id` of type `float`.
    ///
    /// # Errors
    /// As [`Table::i8`].
    pub fn f32(&self, id: usize, default: f32) -> Result<f32, ReadError> {
        Ok(self.scalar(id)?.map_or(default, f32::from_le_bytes))
    }

    /// The table in field `id`; of a union too, whose type lies in the field before.
    ///
    /// # Errors
    /// An offset leads out of the file.
    pub fn table(&self, id: usize) -> Result<Option<Self>, ReadError> {
        match self.find(id, 4)? {
            Some(at) => Self::behind(self.file, at).map(Some),
            None => Ok(None),
        }
    }

    /// The vector in field `id`, whose elements have `N` bytes each; empty if left out.
    ///
    /// # Errors
    /// It leaves the file.
    pub fn vector<const N: usize>(&self, id: usize) -> Result<Vector<'a, N>, ReadError> {
        Ok(self.find_vector(id)?.unwrap_or(Vector { items: &[], at: self.pos }))
    }

    /// As [`Table::vector`], `None` if left out.
    ///
    /// # Errors
    /// It leaves the file.
    pub fn find_vector<const N: usize>(
        &self,
        id: usize,
    ) -> Result<Option<Vector<'a, N>>, ReadError> {
        let Some(at) = self.find(id, 4)? else { return Ok(None) };
        let pos = follow(self.file, at)?;
        let count = u32::from_le_bytes(array(self.file, pos)?);
        let at = add(pos, 4)?;
        let items = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(N))
            .and_then(|bytes| self.file.get(at..)?.get(..bytes))
            .ok_or_else(|| {
                let what = format!("a vector of {count} elements leaves the file");
                ReadError::malformed_at(pos, what)
            })?;
        Ok(Some(Vector { items: items.as_chunks().0, at }))
    }

    /// The vector of bytes in field `id`; empty if left out.
    ///
    /// # Errors
    /// It leaves the file.
    pub fn bytes(&self, id: usize) -> Result<&'a [u8], ReadError> {
        Ok(self.vector::<1>(id)?.items.as_flattened())
    }

    /// The text in field `id`; empty if left out.
    ///
    /// # Errors
    /// It leaves the file or is not UTF-8.
    pub fn text(&self, id: usize) -> Result<&'a str, ReadError> {
        let vector = self.vector::<1>(id)?;
        std::str::from_utf8(vector.items.as_flattened())
            .map_err(|_| ReadError::malformed_at(vector.at, "a text is not UTF-8"))
    }

    /// The vector of tables in field `id`; empty if left out.
    ///
    /// # Errors
    /// It leaves the file.
    pub fn tables(&self, id: usize) -> Result<Tables<'a>, ReadError> {
        Ok(Tables { file: self.file, offsets: self.vector(id)? })
    }
}

impl<'a> Tables<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.offsets.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.offsets.items.is_empty()
    }

    /// Table `index`, `None` past the last.
    ///
    /// # Errors
    /// An offset leads out of the file.
    pub fn get(&self, index: usize) -> Result<Option<Table<'a>>, ReadError> {
        match index < self.len() {
            true => Table::behind(self.file, self.offsets.at + 4 * index).map(Some),
            false => Ok(None),
        }
    }

    /// All, in order.
    pub fn iter(self) -> impl Iterator<Item = Result<Table<'a>, ReadError>> {
        (0..self.len()).filter_map(move |index| self.get(index).transpose())
    }
}

/// The element that the unsigned offset at `at` points to.
fn follow(file: &[u8], at: usize) -> Result<usize, ReadError> {
    let offset = u32::from_le_bytes(array(file, at)?);
    usize::try_from(offset)
        .ok()
        .and_then(|offset| at.checked_add(offset))
        .filter(|&pos| pos < file.len())
        .ok_or_else(|| ReadError::malformed_at(at, "an offset leads out of the file"))
}

fn add(pos: usize, by: usize) -> Result<usize, ReadError> {
    pos.checked_add(by)
        .ok_or_else(|| ReadError::malformed_at(pos, "an offset leads out of the file"))
}

fn array<const N: usize>(file: &[u8], at: usize) -> Result<[u8; N], ReadError> {
    file.get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .ok_or_else(|| ReadError::malformed_at(at, "the file ends here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root table with an int in field 0, a text in field 1, a table in field 2 (itself) and
    /// field 3 left out.
    fn sample() -> Vec<u8> {
        let mut file = vec![16, 0, 0, 0];
        // The field list: its own size, the table's size, four slots.
        for half in [12u16, 16, 4, 8, 12, 0] {
            file.extend(half.to_le_bytes());
        }
        // The table at 16: back to 4; 7; the text 12 bytes further; a table 8 bytes back is not
        // possible (offsets are unsigned), so it leads to the text's bytes and is broken.
        file.extend(12i32.to_le_bytes());
        file.extend(7i32.to_le_bytes());
        file.extend(8u32.to_le_bytes());
        file.extend(4u32.to_le_bytes());
        file.extend(2u32.to_le_bytes());
        file.extend(*b"hi\0");
        file
    }

    #[test]
    fn fields_and_defaults() {
        let file = sample();
        let root = Table::root(&file).unwrap();
        assert_eq!(root.i32(0, 1), Ok(7));
        assert_eq!(root.text(1), Ok("hi"));
        assert_eq!((root.i32(3, 5), root.f32(99, 0.5)), (Ok(5), Ok(0.5)));
        assert!(root.table(2).is_err());
        assert!(root.table(3).unwrap().is_none());
        assert!(root.tables(3).unwrap().is_empty());
        // Field 2 begins 4 bytes before the table's end.
        assert!(root.i64(2, 0).is_err());
    }

    #[test]
    fn broken_files() {
        assert!(Table::root(&[]).is_err());
        assert!(Table::root(&[4, 0, 0, 0]).is_err());
        assert!(Table::root(&[0xff; 8]).is_err());
        assert!(Table::root(&[4, 0, 0, 0, 0, 0, 0, 0x80]).is_err());
        let whole = sample();
        for length in 0..whole.len() - 1 {
            let file = &whole[..length];
            let read = Table::root(file).and_then(|root| root.text(1));
            assert!(length >= 38 || read.is_err(), "{length}: {read:?}");
        }
        let mut huge = whole;
        huge[32..36].copy_from_slice(&[0xff; 4]);
        let error = Table::root(&huge).unwrap().text(1).unwrap_err();
        assert!(error.fault().what.contains("4294967295 elements"), "{error}");
        assert!(Table::root(&huge).unwrap().vector::<8>(1).is_err());
    }
}
