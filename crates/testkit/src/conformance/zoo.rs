//! The zoo's models against their golden outputs.

use std::path::Path;

use super::Outcome;
use crate::zoo;

pub(super) fn cases(folder: &Path) -> Result<Vec<String>, String> {
    Ok(zoo::entries(folder)?.into_iter().map(|entry| entry.id).collect())
}

pub(super) fn run(folder: &Path, case: &str) -> Outcome {
    let entries = match zoo::entries(folder) {
        Ok(entries) => entries,
        Err(reason) => return Outcome::refused(reason),
    };
    let Some(entry) = entries.into_iter().find(|entry| entry.id == case) else {
        return Outcome::refused("there is no such model");
    };
    match zoo::check(&entry, 1) {
        zoo::Outcome::Match { .. } => Outcome::Passed { fixed: 0, inputs: entry.inputs.len() },
        zoo::Outcome::Refused(reason) => Outcome::refused_in(folder, &reason),
        zoo::Outcome::Wrong(place) => Outcome::Wrong(place),
    }
}
