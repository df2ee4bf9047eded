//! Case generators and golden drivers. Only for tests.

pub mod boards;
pub mod bombs;
pub mod cases;
pub mod conformance;
pub mod datasets;
pub mod differential;
pub mod fuzz;
pub mod outline;
pub mod random;
pub mod zoo;
