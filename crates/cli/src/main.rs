//! The `embarca` command.
fn main() {}
