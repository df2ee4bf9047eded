//! The graph: types, operators, verifier, text form. Knows no files and no targets.

pub mod attr;
pub mod build;
pub mod builder;
pub mod control;
pub mod dim;
pub mod emb;
pub mod error;
pub mod foreign;
pub mod foreign_node;
pub mod ids;
pub mod infer;
pub mod model;
pub mod op;
pub mod ops;
pub mod picture;
mod sizes;
pub mod spell;
pub mod stats;
pub mod text;
pub mod types;
pub mod verify;

#[cfg(test)]
mod samples;

pub use builder::Builder;
pub use dim::Dim;
pub use error::{Blame, ImportError, LowerError, ShapeError};
pub use foreign_node::NodeView;
pub use ids::{ConstId, GraphId, NodeId, SymbolId, ValueId};
pub use model::{Def, Graph, Meta, Model, Node, Output, State, Symbol, Value};
pub use op::{Algorithm, Arg, Io, Lowered, OpDef, Operand, Operands, Spelling, Tail, Tails};
pub use ops::Op;
pub use spell::{SpellError, Speller};
pub use types::{Const, Quant, TensorType};
pub use verify::{VerifyError, verify};
