//! The server runtime.
pub mod pool;
