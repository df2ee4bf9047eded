//! Runs a device program out of flash, in an arena that the caller owns.
//!
//! `no_std`, no allocation, no panic. [`Model::load`] checks the program once: every step takes its
//! views of the memory without computing; [`Model::run`] then computes.
#![no_std]

use embarca_kernels::Fault;
use embarca_kernels::device::{Frame, Step, bytes_of};
use embarca_num::DType;
use embarca_plan::{Device, DeviceFault, DevicePort};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The steps that a firmware links, by number.
pub type Table = [(u16, Step)];

/// Why a program is refused or fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The plan.
    Plan(DeviceFault),
    /// The arena is too short or starts at another alignment than the program asks for.
    Arena,
    /// The firmware does not link the step's kernel.
    Unlinked,
    /// The step.
    Step(Fault),
}

/// An error: what, and at which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What.
    pub code: Code,
    /// The step by number; 0 where no step is to blame.
    pub step: u16,
}

impl Error {
    /// The error as one number: the code in the low byte, the step above.
    pub const fn bits(self) -> u32 {
        let code = match self.code {
            Code::Plan(fault) => fault as u32,
            Code::Arena => 64,
            Code::Unlinked => 65,
            Code::Step(fault) => fault as u32,
        };
        (self.step as u32) << 8 | code
    }
}

const fn whole(code: Code) -> Error {
    Error { code, step: 0 }
}

/// A type of elements that inputs and outputs may hold.
pub trait Element: FromBytes + IntoBytes + KnownLayout + Immutable {
    /// Its number, a [`DType`].
    const DTYPE: DType;
}

macro_rules! elements {
    ($($ty:ty: $dtype:ident),*) => {
        $(impl Element for $ty {
            const DTYPE: DType = DType::$dtype;
        })*
    };
}

elements!(i8: I8, u8: U8, i16: I16, u16: U16, i32: I32, u32: U32, i64: I64, f32: F32);

/// A loaded program with its memory.
#[derive(Debug)]
pub struct Model<'p, 't> {
    device: Device<'p>,
    table: &'t Table,
    arena: &'p mut [u8],
}

impl<'p, 't> Model<'p, 't> {
    /// Checks a plan, which stays where it is, and sets its states to their initial content.
    ///
    /// `arena` has at least [`Device::arena`] bytes and starts at a multiple of [`Device::align`].
    ///
    /// # Errors
    /// The plan is damaged, needs another memory, or names a kernel that `table` lacks.
    pub fn load(plan: &'p [u8], arena: &'p mut [u8], table: &'t Table) -> Result<Self, Error> {
        let device = Device::open(plan).map_err(|fault| whole(Code::Plan(fault)))?;
        let aligned = arena.as_ptr().addr().is_multiple_of(device.align());
        let arena = arena.get_mut(..device.arena()).filter(|_| aligned);
        let arena = arena.ok_or(whole(Code::Arena))?;
        let mut model = Self { device, table, arena };
        model.each(true)?;
        model.reset();
        Ok(model)
    }

    /// Sets the states to their initial content.
    pub fn reset(&mut self) {
        for state in self.device.states() {
            let to = part(self.arena, state.at, state.len);
            match self.device.initial(state) {
                Some(initial) => to.iter_mut().zip(initial).for_each(|(to, &from)| *to = from),
                None => to.fill(0),
            }
        }
    }

    /// The program.
    pub fn device(&self) -> &Device<'p> {
        &self.device
    }

    /// Input `index`, to be written; `None` when there is none or it holds another type.
    pub fn input<T: Element>(&mut self, index: usize) -> Option<&mut [T]> {
        let port = self.device.inputs().get(index)?;
        elements(self.arena, port)
    }

    /// Output `index` of the last run; `None` when there is none or it holds another type.
    pub fn output<T: Element>(&mut self, index: usize) -> Option<&[T]> {
        let port = self.device.outputs().get(index)?;
        elements(self.arena, port).map(|elements| &*elements)
    }

    /// The bytes of output `index` of the last run; none when there is no such output.
    pub fn output_bytes(&mut self, index: usize) -> &[u8] {
        let port = self.device.outputs().get(index);
        port.map_or(&[], |port| part(self.arena, port.at, port.len))
    }

    /// The bytes of input `index`, to be written; none when there is no such input.
    pub fn input_bytes(&mut self, index: usize) -> &mut [u8] {
        let port = self.device.inputs().get(index);
        port.map_or(&mut [], |port| part(self.arena, port.at, port.len))
    }

    /// Computes the outputs from the inputs, whose memory it may overwrite.
    ///
    /// # Errors
    /// A step reads an index from data that lies outside its axis, or divides by zero.
    pub fn run(&mut self) -> Result<(), Error> {
        self.each(false)
    }

    fn each(&mut self, dry: bool) -> Result<(), Error> {
        let constants = self.device.weights();
        let mut frame = Frame { arena: bytes_of(self.arena), constants, record: &[], dry };
        for (index, step) in self.device.steps().enumerate() {
            let error = |code| Error { code, step: index as u16 };
            frame.record = step.record;
            let run = self.table.iter().find(|(opcode, _)| *opcode == step.opcode);
            let (_, run) = run.ok_or(error(Code::Unlinked))?;
            run(&frame).map_err(|fault| error(Code::Step(fault)))?;
        }
        Ok(())
    }
}

/// Bytes of the arena; none beyond its end, which a loaded program excludes.
fn part(arena: &mut [u8], at: u32, len: u32) -> &mut [u8] {
    let rest = arena.get_mut(at as usize..).unwrap_or_default();
    rest.get_mut(..len as usize).unwrap_or_default()
}

fn elements<'a, T: Element>(arena: &'a mut [u8], port: &DevicePort) -> Option<&'a mut [T]> {
    if port.dtype != u32::from(T::DTYPE.code()) {
        return None;
    }
    <[T]>::mut_from_bytes(part(arena, port.at, port.len)).ok()
}
