//! Typed indices. Everything in a model is named by a `u32` of its own kind.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in its list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of a position. Models are limited to far fewer than `2^32` of anything.
            pub fn new(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }
    )*};
}

ids! {
    /// A graph of a model; 0 is the main one.
    GraphId,
    /// A node of a graph.
    NodeId,
    /// A value of a graph.
    ValueId,
    /// A constant of a model.
    ConstId,
    /// A named dimension of a model.
    SymbolId,
}
