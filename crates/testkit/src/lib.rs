//! Case generators and golden drivers. Only for tests.

pub mod differential;
pub mod random;
pub mod zoo;
