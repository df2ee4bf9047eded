//! Keys with lists of texts, integers or floats: the task and provenance sections.

use crate::error::{At, OpenError, Problem, Table};
use crate::records::{PropertiesRecord, PropertyRecord};
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
