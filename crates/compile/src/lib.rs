//! From a graph to a plan for a target.

pub mod plan_writer;
