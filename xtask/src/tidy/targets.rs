//! The built-in targets against the folder of their descriptors.

use crate::tidy::{Finding, Project};

const LIST: &str = "crates/target/src/lib.rs";

/// Every descriptor in `targets/` is built in.
pub fn check(project: &Project) -> Vec<Finding> {
    let list = project.tree.text(LIST).unwrap_or_default();
    let descriptors = project.tree.files("targets/", ".toml");
    let unlisted = descriptors.filter(|(path, _)| !list.contains(&format!("/{path}\"")));
    unlisted
        .map(|(path, _)| Finding::in_file(path, format!("add it to DESCRIPTORS in {LIST}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::shown_failing;

    #[test]
    fn an_unlisted_descriptor_is_found() {
        let list = (LIST, "(\"cpu\", include_str!(\"../../../targets/cpu.toml\")),");
        let good = Project::of(&[list, ("targets/cpu.toml", "")]);
        let bad = Project::of(&[list, ("targets/cpu.toml", ""), ("targets/pico.toml", "")]);
        shown_failing(check, &good, &bad, 1);
    }
}
