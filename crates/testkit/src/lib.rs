//! Case generators and golden drivers. Only for tests.

pub mod zoo;
