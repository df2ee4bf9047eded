//! A device program on the host, with the portable forms of its steps.

use embarca_kernels::device::{self, Frame, Portable, helium, opcode, plain, small};
use embarca_kernels::{Fault, Kernel, Opcode, portable};
use embarca_mcu::{Model, Table};
use embarca_plan::{Device, Unit};

/// All steps.
pub const TABLE: &Table = &[
    (opcode::CONV, device::conv::<Portable>),
    (opcode::DEPTHWISE, device::depthwise::<Portable>),
    (opcode::DENSE, device::dense::<Portable>),
    (opcode::HELIUM_CONV, helium::conv::<Portable>),
    (opcode::HELIUM_DEPTHWISE, helium::depthwise::<Portable>),
    (opcode::HELIUM_DENSE, helium::dense::<Portable>),
    (opcode::HELIUM_ADD, helium::add::<Portable>),
    (opcode::PLAIN_CONV, plain::plain_conv::<Portable>),
    (opcode::TAPS, plain::taps::<Portable>),
    (opcode::ADD, small::add),
    (opcode::MUL, small::mul),
    (opcode::POOL, small::pool),
    (opcode::SOFTMAX, small::softmax),
    (opcode::TABLE, small::table),
    (opcode::GENERAL, general),
];

fn general(frame: &Frame<'_>) -> Result<(), Fault> {
    device::general(frame, find)
}

fn find(opcode: u16) -> Option<&'static Kernel> {
    portable(Opcode(opcode))
}

/// A plan for a board and an arena, as a firmware holds them.
#[derive(Debug)]
pub struct Board {
    plan: Vec<Unit>,
    len: usize,
    arena: Vec<Unit>,
}

impl Board {
    /// A board with this plan in its flash and the arena that it asks for.
    ///
    /// # Errors
    /// The plan is not one for boards.
    pub fn new(plan: &[u8]) -> Result<Self, String> {
        let mut units = vec![Unit::ZERO; Unit::count(plan.len())];
        let bytes = Unit::copy_from(&mut units, plan).ok_or("the plan does not fit its copy")?;
        let device = Device::open(bytes).map_err(|fault| fault.describe().to_owned())?;
        let arena = vec![Unit::ZERO; Unit::count(device.arena())];
        Ok(Self { plan: units, len: plan.len(), arena })
    }

    /// Loads the program.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load(&mut self) -> Result<Model<'_, 'static>, String> {
        let plan = Unit::bytes(&self.plan).get(..self.len).unwrap_or_default();
        Model::load(plan, Unit::bytes_mut(&mut self.arena), TABLE)
            .map_err(|error| format!("step {}: {:?}", error.step, error.code))
    }
}
