//! Steps that are no kernels: calls of functions, joins, and the caller's own.

/// Opcodes from 0xFF00 up, which mean the same in every revision of the operator list.
pub mod opcode {
    /// The first opcode that is no kernel's.
    pub const FIRST: u16 = 0xFF00;
    /// `cond, args... -> results...`; words: the function for true, the one for false. Both take
    /// all of `args` and yield all of `results`.
    pub const IF: u16 = 0xFF00;
    /// `vars... -> vars...`; words: condition, body. While the condition, `vars -> bool`, is true,
    /// the body, `vars -> vars`, runs.
    pub const WHILE: u16 = 0xFF01;
    /// `trips?, cond?, vars..., captures... -> vars..., collected...`; words: body, number of vars.
    /// The body, `trip: i64, cond: bool, vars..., captures... -> cond, vars..., items...`, runs
    /// while `cond` is true and fewer than `trips` runs are done; each item is appended to its
    /// collected tensor along a new first axis.
    pub const LOOP: u16 = 0xFF02;
    /// `vars..., sequences..., captures... -> vars..., collected...`; words: body, number of vars,
    /// number of sequences, then for each sequence and for each collected tensor its axis, bit 31
    /// set for backward. The body, `vars..., elements..., captures... -> vars..., items...`, runs
    /// once per element.
    pub const SCAN: u16 = 0xFF03;
    /// `pieces... -> whole`: does nothing at run time, because the pieces lie side by side in the
    /// whole; from here on the whole may be read. No record.
    pub const JOIN: u16 = 0xFF10;
    /// A kernel of the caller's. The record holds a string's number, a version and parameters.
    pub const CUSTOM: u16 = 0xFFFF;
}

/// What a call step calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control<'p> {
    /// See [`opcode::IF`].
    If {
        /// The function that runs when the condition is true.
        then: u32,
        /// The function that runs otherwise.
        otherwise: u32,
    },
    /// See [`opcode::WHILE`].
    While {
        /// The condition.
        cond: u32,
        /// The body.
        body: u32,
    },
    /// See [`opcode::LOOP`].
    Loop {
        /// The body.
        body: u32,
        /// Number of variables.
        vars: u32,
    },
    /// See [`opcode::SCAN`].
    Scan {
        /// The body.
        body: u32,
        /// Number of variables.
        vars: u32,
        /// Axis of each sequence.
        sequences: &'p [u32],
        /// Axis of each collected tensor.
        collected: &'p [u32],
    },
}

/// Reads the words of a call step; `None` for other steps and when their number is wrong.
pub(crate) fn decode(opcode: u16, words: &[u32]) -> Option<Control<'_>> {
    match (opcode, words) {
        (opcode::IF, &[then, otherwise]) => Some(Control::If { then, otherwise }),
        (opcode::WHILE, &[cond, body]) => Some(Control::While { cond, body }),
        (opcode::LOOP, &[body, vars]) => Some(Control::Loop { body, vars }),
        (opcode::SCAN, &[body, vars, count, ref axes @ ..]) => {
            let (sequences, collected) = axes.split_at_checked(count as usize)?;
            Some(Control::Scan { body, vars, sequences, collected })
        }
        _ => None,
    }
}

impl Control<'_> {
    /// The functions called: one or two.
    pub fn callees(&self) -> (u32, Option<u32>) {
        match *self {
            Self::If { then, otherwise } => (then, Some(otherwise)),
            Self::While { cond, body } => (cond, Some(body)),
            Self::Loop { body, .. } | Self::Scan { body, .. } => (body, None),
        }
    }
}
