//! Keys with lists of texts, integers or floats: the task and provenance sections.

use core::mem::size_of;

use zerocopy::IntoBytes;

use crate::container::{ContainerError, SectionKind};
use crate::error::{At, OpenError, Problem, Table};
use crate::records::{NONE, PropertiesRecord, PropertyRecord, TableRecord};
use crate::tables::{Cutter, Strings, in_range};

/// A task or provenance section that was checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Properties<'a> {
    strings: Strings<'a>,
    properties: &'a [PropertyRecord],
    texts: &'a [u32],
    integers: &'a [i32],
    floats: &'a [f32],
}

/// The values of a property.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Texts.
    Texts(Texts<'a>),
    /// Integers.
    Integers(&'a [i32]),
    /// Floats.
    Floats(&'a [f32]),
}

/// A list of texts.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    strings: Strings<'a>,
    texts: &'a [u32],
}

impl<'a> Texts<'a> {
    /// Number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The text at this place.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.strings.get(*self.texts.get(index)?)
    }

    /// All texts.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let strings = self.strings;
        self.texts.iter().map(move |&text| strings.get(text).unwrap_or(""))
    }
}

impl<'a> Properties<'a> {
    /// Checks a section's content apart from a plan, as in a portable graph. The bytes start at a
    /// multiple of four.
    ///
    /// # Errors
    /// They are not what [`write_properties`] writes.
    pub fn open(bytes: &'a [u8]) -> Result<Self, OpenError> {
        let at = At { section: Some(SectionKind::TASK), ordinal: NONE };
        let properties = Self::cut(at, bytes)?;
        properties.check(at)?;
        Ok(properties)
    }

    pub(crate) fn cut(at: At, bytes: &'a [u8]) -> Result<Self, OpenError> {
        let (header, mut cutter) = Cutter::new::<PropertiesRecord>(at, bytes)?;
        let properties = Self {
            strings: Strings::cut(&mut cutter, header.string_ends, header.strings)?,
            properties: cutter.take(Table::Properties, header.properties)?,
            texts: cutter.take(Table::Values, header.texts)?,
            integers: cutter.take(Table::Values, header.integers)?,
            floats: cutter.take(Table::Values, header.floats)?,
        };
        cutter.finish()?;
        Ok(properties)
    }

    pub(crate) fn check(&self, at: At) -> Result<(), OpenError> {
        self.strings.check(at)?;
        for (index, &text) in self.texts.iter().enumerate() {
            in_range(text, self.strings.len())
                .map_err(|problem| at.err(Table::Values, index, problem))?;
        }
        let repeats = self.strings.check_repeats(self.texts.iter().copied());
        repeats.map_err(|problem| at.header(problem))?;
        let mut ends = [0u32; 3];
        let mut before = None;
        for (index, property) in self.properties.iter().enumerate() {
            let err = |problem| at.err(Table::Properties, index, problem);
            let key = self.strings.get(property.key).ok_or(err(Problem::Range(property.key)))?;
            // Ascending keys differ, so each string is compared at most twice.
            if before.is_some_and(|before| before >= key) {
                return Err(err(Problem::Order));
            }
            before = Some(key);
            let end = (property.kind as usize)
                .checked_sub(1)
                .and_then(|kind| ends.get_mut(kind))
                .ok_or(err(Problem::Value(property.kind)))?;
            if property.start != *end {
                return Err(err(Problem::Place));
            }
            *end = end.checked_add(property.count).ok_or(err(Problem::Range(property.count)))?;
        }
        let lens = [self.texts.len(), self.integers.len(), self.floats.len()];
        if ends.iter().zip(lens).all(|(&end, len)| end as usize == len) {
            return Ok(());
        }
        Err(at.header(Problem::Length))
    }

    /// The values of the property with this key.
    pub fn get(&self, key: &str) -> Option<Values<'a>> {
        let order = |property: &PropertyRecord| self.strings.get(property.key).cmp(&Some(key));
        let at = self.properties.binary_search_by(order).ok()?;
        self.values(self.properties.get(at)?)
    }

    /// The first text of the property with this key.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.texts(key)?.get(0)
    }

    /// The texts of the property with this key.
    pub fn texts(&self, key: &str) -> Option<Texts<'a>> {
        match self.get(key)? {
            Values::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// The floats of the property with this key.
    pub fn floats(&self, key: &str) -> Option<&'a [f32]> {
        match self.get(key)? {
            Values::Floats(floats) => Some(floats),
            _ => None,
        }
    }

    /// The integers of the property with this key.
    pub fn integers(&self, key: &str) -> Option<&'a [i32]> {
        match self.get(key)? {
            Values::Integers(integers) => Some(integers),
            _ => None,
        }
    }

    /// All properties, ascending keys.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Values<'a>)> + use<'a> {
        let properties = *self;
        self.properties.iter().filter_map(move |property| {
            Some((properties.strings.get(property.key)?, properties.values(property)?))
        })
    }

    fn values(&self, property: &PropertyRecord) -> Option<Values<'a>> {
        let start = property.start as usize;
        let range = start..start.checked_add(property.count as usize)?;
        Some(match property.kind {
            PropertyRecord::TEXTS => {
                Values::Texts(Texts { strings: self.strings, texts: self.texts.get(range)? })
            }
            PropertyRecord::INTEGERS => Values::Integers(self.integers.get(range)?),
            _ => Values::Floats(self.floats.get(range)?),
        })
    }
}

/// The values of a property to be written.
#[derive(Clone, Copy, Debug)]
pub enum PropertySpec<'a> {
    /// Texts.
    Texts(&'a [&'a str]),
    /// Integers.
    Integers(&'a [i32]),
    /// Floats.
    Floats(&'a [f32]),
}

/// Entries of each table of a properties section.
#[derive(Clone, Copy, Default)]
struct Counts {
    strings: usize,
    bytes: usize,
    properties: usize,
    texts: usize,
    integers: usize,
    floats: usize,
}

impl Counts {
    fn of(properties: &[(&str, PropertySpec)]) -> Self {
        let mut counts = Self { properties: properties.len(), ..Self::default() };
        for (key, values) in properties {
            counts.strings += 1;
            counts.bytes += key.len();
            match values {
                PropertySpec::Texts(texts) => {
                    counts.texts += texts.len();
                    counts.strings += texts.len();
                    counts.bytes += texts.iter().map(|text| text.len()).sum::<usize>();
                }
                PropertySpec::Integers(integers) => counts.integers += integers.len(),
                PropertySpec::Floats(floats) => counts.floats += floats.len(),
            }
        }
        counts
    }

    /// The header, and where the last table ends.
    fn header(&self) -> Result<(PropertiesRecord, usize), ContainerError> {
        let mut end = size_of::<PropertiesRecord>();
        let mut table = |count: usize, size: usize| {
            let offset = end.next_multiple_of(4);
            end = count
                .checked_mul(size)
                .and_then(|len| offset.checked_add(len))
                .filter(|&end| end < NONE as usize)
                .ok_or(ContainerError::TooLarge)?;
            Ok(TableRecord { offset: offset as u32, count: count as u32 })
        };
        let header = PropertiesRecord {
            string_ends: table(self.strings, 4)?,
            strings: table(self.bytes, 1)?,
            properties: table(self.properties, size_of::<PropertyRecord>())?,
            texts: table(self.texts, 4)?,
            integers: table(self.integers, 4)?,
            floats: table(self.floats, 4)?,
        };
        Ok((header, end))
    }
}

/// Bytes of a section with these properties.
///
/// # Errors
/// [`ContainerError::TooLarge`].
pub fn properties_len(properties: &[(&str, PropertySpec)]) -> Result<usize, ContainerError> {
    Ok(Counts::of(properties).header()?.1)
}

/// Writes a section with these properties, whose keys ascend strictly, over the whole of `out`,
/// whose length is [`properties_len`].
///
/// # Errors
/// [`ContainerError::Keys`] when they do not ascend; see [`ContainerError`] for others.
pub fn write_properties(
    properties: &[(&str, PropertySpec)],
    out: &mut [u8],
) -> Result<(), ContainerError> {
    let (header, len) = Counts::of(properties).header()?;
    if len != out.len() {
        return Err(ContainerError::OutputLength);
    }
    if !properties.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Err(ContainerError::Keys);
    }
    out.fill(0);
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = out.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        at + bytes.len()
    };
    put(0, header.as_bytes());
    let (mut ends, mut bytes) = (header.string_ends.offset as usize, 0);
    let mut records = header.properties.offset as usize;
    let (mut strings, mut starts) = (0u32, [0u32; 3]);
    let mut tables = [header.texts, header.integers, header.floats].map(|t| t.offset as usize);
    for (key, values) in properties {
        let mut intern = |text: &str| {
            bytes = put(header.strings.offset as usize + bytes, text.as_bytes())
                - header.strings.offset as usize;
            ends = put(ends, &(bytes as u32).to_le_bytes());
            strings += 1;
            strings - 1
        };
        let key = intern(key);
        let (kind, count) = match values {
            PropertySpec::Texts(texts) => {
                for text in *texts {
                    intern(text);
                }
                for text in 0..texts.len() as u32 {
                    tables[0] = put(tables[0], &(key + 1 + text).to_le_bytes());
                }
                (PropertyRecord::TEXTS, texts.len())
            }
            PropertySpec::Integers(integers) => {
                tables[1] = put(tables[1], integers.as_bytes());
                (PropertyRecord::INTEGERS, integers.len())
            }
            PropertySpec::Floats(floats) => {
                tables[2] = put(tables[2], floats.as_bytes());
                (PropertyRecord::FLOATS, floats.len())
            }
        };
        let (start, count) = (&mut starts[kind as usize - 1], count as u32);
        let record = PropertyRecord { key, kind, start: *start, count };
        *start += count;
        records = put(records, record.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unit;

    #[test]
    fn written_and_read_back() {
        let source = [
            ("", PropertySpec::Texts(&[])),
            ("a", PropertySpec::Texts(&["x", "", "longer"])),
            ("b", PropertySpec::Integers(&[-1, 2])),
            ("c", PropertySpec::Floats(&[0.5])),
            ("d", PropertySpec::Texts(&["z"])),
        ];
        let len = properties_len(&source).unwrap();
        let mut units = [Unit::ZERO; 32];
        let out = &mut Unit::bytes_mut(&mut units)[..len];
        write_properties(&source, out).unwrap();
        let read = Properties::open(out).unwrap();
        assert!(read.texts("").unwrap().is_empty());
        assert!(read.texts("a").unwrap().iter().eq(["x", "", "longer"]));
        assert_eq!(read.integers("b"), Some(&[-1, 2][..]));
        assert_eq!(read.floats("c"), Some(&[0.5][..]));
        assert_eq!(read.text("d"), Some("z"));
        assert_eq!(read.iter().count(), 5);

        let twice = [source[1], source[1]];
        let len = properties_len(&twice).unwrap();
        let out = &mut Unit::bytes_mut(&mut units)[..len];
        assert_eq!(write_properties(&twice, out), Err(ContainerError::Keys));
        assert_eq!(write_properties(&source, out), Err(ContainerError::OutputLength));
    }
}
