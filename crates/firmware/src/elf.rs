//! Reading a 32-bit little-endian ELF file, as far as sizes and symbols need it.

use std::collections::BTreeMap;

/// A section that is loaded or takes room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// First byte in memory.
    pub address: u32,
    /// Bytes.
    pub size: u32,
    /// Its content; none for memory that starts as zeros.
    pub data: Vec<u8>,
    /// Whether it holds code.
    pub code: bool,
}

/// A program for a board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// Sections with memory of their own.
    pub sections: Vec<Section>,
    /// Addresses by name; of Thumb functions with the lowest bit set.
    pub symbols: BTreeMap<String, u32>,
    /// Functions: address without the lowest bit, bytes, name; sorted.
    pub functions: Vec<(u32, u32, String)>,
    /// Where Arm's mapping symbols say that code ends and data begins, and back: sorted addresses.
    pub marks: Vec<(u32, bool)>,
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn part(bytes: &[u8], at: u32, len: u32) -> Option<&[u8]> {
    bytes.get(at as usize..)?.get(..len as usize)
}

fn text(bytes: &[u8], at: u32) -> Option<String> {
    let rest = bytes.get(at as usize..)?;
    let end = rest.iter().position(|&byte| byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

impl Elf {
    /// Reads a file; `None` when it is none or is damaged.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.get(..6)? != b"\x7fELF\x01\x01" {
            return None;
        }
        let (table, entry, count) = (word(bytes, 32)?, half(bytes, 46)?, half(bytes, 48)?);
        let headers: Vec<&[u8]> = (0..count)
            .map(|index| part(bytes, table.checked_add(index.checked_mul(entry)?)?, 40))
            .collect::<Option<_>>()?;
        let of = |header: &[u8], index: usize| word(header, index * 4);
        let content = |header: &[u8]| part(bytes, of(header, 4)?, of(header, 5)?);
        let names = content(headers.get(half(bytes, 50)? as usize)?)?;
        let mut elf = Self::default();
        for header in &headers {
            let (kind, flags) = (of(header, 1)?, of(header, 2)?);
            if flags & 2 != 0 && of(header, 5)? != 0 {
                // 8: no bits in the file.
                let data = if kind == 8 { &[][..] } else { content(header)? };
                elf.sections.push(Section {
                    name: text(names, of(header, 0)?)?,
                    address: of(header, 3)?,
                    size: of(header, 5)?,
                    data: data.to_vec(),
                    code: flags & 4 != 0,
                });
            }
            if kind == 2 {
                let strings = content(headers.get(of(header, 6)? as usize)?)?;
                for symbol in content(header)?.chunks_exact(16) {
                    let (name, value) = (text(strings, word(symbol, 0)?)?, word(symbol, 4)?);
                    let (size, kind) = (word(symbol, 8)?, symbol[12] & 15);
                    let is_code = name.starts_with("$t") || name.starts_with("$x");
                    if is_code || name.starts_with("$d") || name.starts_with("$a") {
                        elf.marks.push((value, is_code));
                        continue;
                    }
                    if kind == 2 {
                        elf.functions.push((value & !1, size, name.clone()));
                    }
                    if !name.is_empty() {
                        elf.symbols.insert(name, value);
                    }
                }
            }
        }
        elf.functions.sort();
        elf.marks.sort();
        Some(elf)
    }

    /// The section of this name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Bytes of all sections that lie in flash, by name.
    pub fn flash(&self) -> Vec<(&str, u32)> {
        let stored = self.sections.iter().filter(|section| !section.data.is_empty());
        stored.map(|section| (section.name.as_str(), section.size)).collect()
    }

    /// The bytes at an address.
    pub fn bytes(&self, address: u32, len: u32) -> Option<&[u8]> {
        self.sections
            .iter()
            .find_map(|section| part(&section.data, address.checked_sub(section.address)?, len))
    }
}
