//! The constants of a device program: each content once, aligned to 16.

use std::collections::HashMap;

use crate::CompileError;

/// Bytes in the making.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    pub bytes: Vec<u8>,
    known: HashMap<Vec<u8>, u32>,
}

impl Constants {
    /// Where this content lies.
    pub fn add(&mut self, content: &[u8]) -> Result<u32, CompileError> {
        if let Some(&at) = self.known.get(content) {
            return Ok(at);
        }
        let align = if content.len() < 64 { 8 } else { 16 };
        self.bytes.resize(self.bytes.len().next_multiple_of(align), 0);
        let at = u32::try_from(self.bytes.len()).ok().filter(|at| *at < 1 << 31);
        let at = at.ok_or_else(|| CompileError::Limit("the weights exceed 2 GiB".to_owned()))?;
        self.bytes.extend_from_slice(content);
        self.known.insert(content.to_vec(), at);
        Ok(at)
    }
}
