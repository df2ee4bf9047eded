//! A plan for a board, as the host holds it.

use embarca_num::DType;
use embarca_plan::{Device, DevicePort, Family, Plan, Unit};

use crate::error::{Error, Result};
use crate::steps;

/// An input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The author's name; may be empty.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// Dimensions, where the plan says them.
    pub dims: Vec<u32>,
    /// Bytes.
    pub len: usize,
}

/// The bytes of a plan at a multiple of 16, checked.
#[derive(Debug)]
pub struct DevicePlan {
    units: Vec<Unit>,
    len: usize,
    /// The inputs.
    pub inputs: Vec<Port>,
    /// The outputs.
    pub outputs: Vec<Port>,
    /// The kind of machine that it is for.
    pub family: &'static str,
    /// Whether it has states, so that a run depends on those before.
    pub stateful: bool,
    /// Bytes of the arena.
    pub arena: usize,
}

impl DevicePlan {
    /// Checks a plan as a board does.
    ///
    /// # Errors
    /// It is damaged or has no program for a board.
    pub fn open(bytes: &[u8]) -> Result<Self> {
        let mut units = vec![Unit::ZERO; Unit::count(bytes.len())];
        let copy = Unit::copy_from(&mut units, bytes).unwrap_or_default();
        let device = Device::open(copy).map_err(|fault| Error::new(fault.describe()))?;
        let plan = Plan::open(copy).ok();
        let known = |output: bool| -> Vec<(String, Vec<u32>)> {
            let Some(plan) = &plan else { return Vec::new() };
            let name = |port: embarca_plan::Port<'_>| {
                let dims = port.dims().map(|dim| dim.value(&[]));
                let dims = dims.collect::<Option<Vec<_>>>().unwrap_or_default();
                (port.name().unwrap_or_default().to_owned(), dims)
            };
            let interface = plan.interface();
            if output {
                interface.outputs().map(name).collect()
            } else {
                interface.inputs().map(name).collect()
            }
        };
        let ports = |ports: &[DevicePort], known: &[(String, Vec<u32>)]| -> Vec<Port> {
            let port = |(index, port): (usize, &DevicePort)| {
                let (name, dims) = known.get(index).cloned().unwrap_or_default();
                let dtype = u8::try_from(port.dtype).ok().and_then(DType::from_code);
                Port { name, dtype: dtype.unwrap_or(DType::U8), dims, len: port.len as usize }
            };
            ports.iter().enumerate().map(port).collect()
        };
        let (inputs, outputs) = (known(false), known(true));
        Ok(Self {
            inputs: ports(device.inputs(), &inputs),
            outputs: ports(device.outputs(), &outputs),
            family: match device.family() {
                Family::PORTABLE => embarca_target::ANY,
                family => family.name(),
            },
            stateful: !device.states().is_empty(),
            arena: device.arena(),
            len: bytes.len(),
            units,
        })
    }

    /// The kernels of the steps, in the order of execution; `?`, or `step` and its number, for one that
    /// this version lacks.
    pub fn kernels(&self) -> Vec<String> {
        let Ok(device) = Device::open(self.bytes()) else { return Vec::new() };
        device.steps().map(|step| steps::name(step.opcode, step.record)).collect()
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        Unit::bytes(&self.units).get(..self.len).unwrap_or_default()
    }
}
