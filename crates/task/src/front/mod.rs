//! Fronts: from what a user has to a model's inputs. One file for each kind of data.

pub mod picture;
