//! The crate around a plan, and the program around the crate.

use std::fmt::Write;
use std::path::Path;

use embarca_num::DType;
use embarca_plan::{Device, DevicePort};

use crate::cache::put;
use crate::error::{Error, Result};
use crate::machine::Machine;
use crate::sources::Sources;
use crate::steps::{self, Link};

/// The program around a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// Feeds it from a file of the host and writes what it answers: for measuring.
    Measure,
    /// Runs it on a fixed pattern and prints what it answers.
    Show,
}

/// A `no_std` crate that holds a plan and links the steps that it names.
#[derive(Clone, Debug)]
pub struct Crate<'a> {
    plan: &'a [u8],
    device: Device<'a>,
    machine: &'a Machine,
    title: String,
    links: Vec<Link>,
    kernels: Vec<(u16, String)>,
    /// The most inputs and outputs of a general step.
    most: [u8; 2],
}

const LICENCE: &str = "MIT OR Apache-2.0";

impl<'a> Crate<'a> {
    /// Around this plan, which lies at a multiple of 16.
    ///
    /// # Errors
    /// It is no plan for a board, or names what this version lacks.
    pub fn new(plan: &'a [u8], machine: &'a Machine, title: &str) -> Result<Self> {
        let device = Device::open(plan).map_err(|fault| Error::new(fault.describe()))?;
        let (links, kernels, most) = steps::links(&device, machine)?;
        let paths = kernels.into_iter().map(|opcode| Ok((opcode.0, steps::kernel(opcode)?)));
        let kernels = paths.collect::<Result<_>>()?;
        Ok(Self { plan, device, machine, title: title.to_owned(), links, kernels, most })
    }

    /// The program that it holds.
    pub fn device(&self) -> &Device<'a> {
        &self.device
    }

    /// Writes the crate into a folder; its dependencies are those of `sources`.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self, folder: &Path, sources: &str) -> Result<()> {
        put(&folder.join("Cargo.toml"), self.manifest(sources).as_bytes())?;
        put(&folder.join("src/lib.rs"), self.library().as_bytes())?;
        put(&folder.join("src/model.plan"), self.plan)
    }

    fn manifest(&self, sources: &str) -> String {
        let mut text = format!(
            "[package]\nname = \"model\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
             description = {:?}\nlicense = \"{LICENCE}\"\npublish = false\n\n[dependencies]\n",
            self.title
        );
        for name in ["kernels", "mcu", "simd"] {
            let features = match (name, self.machine.features) {
                ("simd", Some(feature)) => format!(", features = [\"{feature}\"]"),
                _ => String::new(),
            };
            let path = format!("{sources}/crates/{name}");
            let _ = writeln!(text, "embarca-{name} = {{ path = \"{path}\"{features} }}");
        }
        text
    }

    fn library(&self) -> String {
        let device = &self.device;
        let ports = |ports: &[DevicePort]| -> String {
            let line = |(index, port): (usize, &DevicePort)| {
                let (dtype, count) = elements(port);
                format!("//! | {index} | `{dtype}` | {count} |\n")
            };
            ports.iter().enumerate().map(line).collect()
        };
        let (arena, align) = (device.arena(), device.align());
        let mut text = format!(
            "//! {title}, for {core}. Made by Embarca {version}.\n//!\n\
             //! | input | type | elements |\n//! |---|---|---|\n{inputs}//!\n\
             //! | output | type | elements |\n//! |---|---|---|\n{outputs}\
             #![no_std]\n\n\
             use embarca_kernels::device::Frame;\n\
             use embarca_kernels::Fault;\n\
             use embarca_mcu::Table;\n\
             pub use embarca_mcu::{{Element, Error}};\n\n\
             /// Bytes of the memory that the model works in.\n\
             pub const ARENA_BYTES: usize = {arena};\n\
             /// Number of inputs.\npub const INPUTS: usize = {ins};\n\
             /// Number of outputs.\npub const OUTPUTS: usize = {outs};\n\
             /// Bytes of an element of each output, and whether it has a sign.\n\
             pub const OUTPUT_TYPES: [(usize, bool); OUTPUTS] = {types:?};\n\n\
             #[repr(C, align(16))]\nstruct Aligned<T: ?Sized>(T);\n\n\
             /// The plan: the program and its weights.\n\
             #[unsafe(link_section = \".rodata.embarca_plan\")]\n\
             static PLAN: Aligned<[u8; {len}]> = Aligned(*include_bytes!(\"model.plan\"));\n\n",
            title = self.title,
            core = self.machine.core,
            version = env!("CARGO_PKG_VERSION"),
            inputs = ports(device.inputs()),
            outputs = ports(device.outputs()),
            ins = device.inputs().len(),
            outs = device.outputs().len(),
            len = self.plan.len(),
            types = device.outputs().iter().map(signs).collect::<Vec<_>>(),
        );
        let _ = write!(
            text,
            "/// The memory that the model works in.\n\
             #[repr(C, align({align}))]\n#[derive(Debug)]\n\
             pub struct Arena([u8; ARENA_BYTES]);\n\n\
             impl Arena {{\n    /// Zeros.\n    pub const fn new() -> Self {{\n        \
             Self([0; ARENA_BYTES])\n    }}\n}}\n\n\
             impl Default for Arena {{\n    fn default() -> Self {{\n        Self::new()\n    }}\n}}\n\n"
        );
        text += &self.table();
        text += MODEL;
        text
    }

    /// The steps that the plan names.
    fn table(&self) -> String {
        let mut text = "/// The steps that the plan names.\nstatic TABLE: &Table = &[\n".to_owned();
        for Link { opcode, name, .. } in &self.links {
            let _ = writeln!(text, "    ({opcode}, step_{name}),");
        }
        text += "];\n\n";
        for Link { name, function, .. } in &self.links {
            let call = if function.is_empty() {
                format!(
                    "embarca_kernels::device::general_of::<{}, {}>(frame, kernel)",
                    self.most[0], self.most[1]
                )
            } else {
                format!("{function}(frame)")
            };
            let _ = write!(
                text,
                "#[inline(never)]\n\
                 fn step_{name}(frame: &Frame<'_>) -> Result<(), Fault> {{\n    {call}\n}}\n\n"
            );
        }
        if !self.kernels.is_empty() {
            text += "/// The kernels of the general steps.\n\
                     fn kernel(opcode: u16) -> Option<&'static embarca_kernels::Kernel> {\n    \
                     static KERNELS: &[(u16, embarca_kernels::Kernel)] = &[\n";
            for (opcode, path) in &self.kernels {
                let _ = writeln!(text, "        ({opcode}, {path}),");
            }
            text += "    ];\n    \
                     let found = KERNELS.iter().find(|(number, _)| *number == opcode);\n    \
                     found.map(|(_, kernel)| kernel)\n}\n\n";
        }
        text
    }
}

/// The Rust type of a port's elements, and how many there are.
fn elements(port: &DevicePort) -> (&'static str, u32) {
    let dtype = u8::try_from(port.dtype).ok().and_then(DType::from_code).unwrap_or(DType::U8);
    let size = u32::try_from(dtype.size()).unwrap_or(1).max(1);
    (dtype.name(), port.len / size)
}

/// Bytes of a port's elements, and whether they have a sign.
fn signs(port: &DevicePort) -> (usize, bool) {
    let (name, count) = elements(port);
    ((port.len / count.max(1)) as usize, name.starts_with('i'))
}

const MODEL: &str = "\
/// The model.
#[derive(Debug)]
pub struct Model<'a>(embarca_mcu::Model<'a, 'static>);

impl<'a> Model<'a> {
    /// Checks the plan and sets all states to their start.
    ///
    /// # Errors
    /// The plan is damaged.
    #[inline(never)]
    pub fn new(arena: &'a mut Arena) -> Result<Self, Error> {
        embarca_mcu::Model::load(&PLAN.0, &mut arena.0, TABLE).map(Self)
    }

    /// The elements of an input, to be written before each run; `None` when there is no such input or
    /// it has another type.
    pub fn input<T: Element>(&mut self, index: usize) -> Option<&mut [T]> {
        self.0.input(index)
    }

    /// The elements of an output of the last run.
    pub fn output<T: Element>(&mut self, index: usize) -> Option<&[T]> {
        self.0.output(index)
    }

    /// The bytes of an input.
    pub fn input_bytes(&mut self, index: usize) -> &mut [u8] {
        self.0.input_bytes(index)
    }

    /// The bytes of an output of the last run.
    pub fn output_bytes(&mut self, index: usize) -> &[u8] {
        self.0.output_bytes(index)
    }

    /// Computes the outputs from the inputs. The memory of the inputs may be overwritten.
    ///
    /// # Errors
    /// An index in the data lies outside its axis, or a divisor is zero.
    #[inline(never)]
    pub fn run(&mut self) -> Result<(), Error> {
        self.0.run()
    }
}
";

/// The manifest around a model. The loops that matter are written out; what is compiled around them is
/// a third smaller for size, at one instruction in a hundred.
fn manifest(name: &str, kind: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         {kind}[dependencies]\nmodel = {{ path = \"model\" }}\n\n[profile.release]\n\
         opt-level = \"s\"\nlto = true\ncodegen-units = 1\npanic = \"abort\"\n\n[workspace]\n"
    )
}

/// Writes the static library around a model into a folder; its functions are called `name_...`.
pub(crate) fn library(
    model: &Crate<'_>,
    sources: &Sources,
    folder: &Path,
    name: &str,
) -> Result<()> {
    let root = sources.root().to_string_lossy().replace('\\', "/");
    model.write(&folder.join("model"), &root)?;
    let kind = "[lib]\ncrate-type = [\"staticlib\"]\n\n";
    put(&folder.join("Cargo.toml"), manifest(name, kind).as_bytes())?;
    put(&folder.join("Cargo.lock"), lock(name).as_bytes())?;
    let text = include_str!("../aboard/c.rs.in");
    let text = text.replace("@NAME@", name).replace("@STATE@", &STATE.to_string());
    put(&folder.join("src/lib.rs"), text.as_bytes())
}

/// Bytes of a model without its arena, on a board, at most.
pub(crate) const STATE: usize = 64;

/// Writes the program around a model into a folder; it is called `name`.
pub(crate) fn program(
    model: &Crate<'_>,
    shell: Shell,
    sources: &Sources,
    folder: &Path,
    name: &str,
) -> Result<()> {
    let machine = model.machine;
    let root = sources.root().to_string_lossy().replace('\\', "/");
    model.write(&folder.join("model"), &root)?;
    put(&folder.join("Cargo.toml"), manifest(name, "").as_bytes())?;
    put(&folder.join("Cargo.lock"), lock(name).as_bytes())?;
    put(&folder.join("build.rs"), BUILD.as_bytes())?;
    put(&folder.join("link.x"), script(model)?.as_bytes())?;
    let arm = machine.is_arm();
    let start = if arm {
        let fpu = if machine.fpu { FPU } else { "" };
        include_str!("../aboard/start_arm.s").replace("@FPU@", fpu)
    } else {
        include_str!("../aboard/start_riscv.s").to_owned()
    };
    put(&folder.join("src/start.s"), start.as_bytes())?;
    let semihost = if arm {
        include_str!("../aboard/semihost_arm.rs.in")
    } else {
        include_str!("../aboard/semihost_riscv.rs.in")
    };
    let main = match shell {
        Shell::Measure => include_str!("../aboard/measure.rs.in"),
        Shell::Show => include_str!("../aboard/show.rs.in"),
    };
    let main = main.replace("@SEMIHOST@", semihost);
    put(&folder.join("src/main.rs"), main.as_bytes())
}

const BUILD: &str = "\
fn main() {
    println!(\"cargo:rustc-link-arg=-T{}/link.x\", env!(\"CARGO_MANIFEST_DIR\"));
    println!(\"cargo:rerun-if-changed=link.x\");
}
";

/// Coprocessors 10 and 11 on.
const FPU: &str = "\
    ldr r0, =0xE000ED88
    ldr r1, [r0]
    movs r2, #0xF
    lsls r2, r2, #20
    orrs r1, r2
    str r1, [r0]
    dsb
    isb
";

/// The lock file of the sources, with the crates around them.
fn lock(name: &str) -> String {
    let crates = "[[package]]\nname = \"model\"\nversion = \"0.1.0\"\ndependencies = [\n \
                  \"embarca-kernels\",\n \"embarca-mcu\",\n \"embarca-simd\",\n]\n\n";
    let own = format!(
        "[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\ndependencies = [\n \"model\",\n]\n\n"
    );
    let text = Sources::lock();
    let (head, packages) = text.split_once("[[package]]").unwrap_or((text, ""));
    format!("{head}{own}{crates}[[package]]{packages}")
}

/// Where everything lies.
fn script(model: &Crate<'_>) -> Result<String> {
    let machine = model.machine;
    let (plan, arena) = (model.plan.len() as u64, model.device.arena() as u64);
    // Code, tables and the shell, and on the other side stack, statics and the shell's paint.
    let (code, stack) = (96u64 << 10, 128u64 << 10);
    let in_flash = plan + code <= u64::from(machine.flash.1);
    let in_ram = arena + stack <= u64::from(machine.ram.1);
    let large = if in_flash { 0 } else { plan } + if in_ram { 0 } else { arena };
    if u64::from(machine.large.1) < large {
        return Err(Error::new(format!(
            "the emulated {} has no room: plan {plan} bytes, arena {arena} bytes",
            machine.core
        )));
    }
    let place = |fits: bool, there: &str| if fits { there.to_owned() } else { "LARGE".to_owned() };
    let region = |name: &str, (at, len): (u32, u32)| {
        format!("  {name} (rwx) : ORIGIN = {at:#x}, LENGTH = {len:#x}\n")
    };
    Ok(SCRIPT
        .replace(
            "@MEMORY@",
            &(region("FLASH", machine.flash)
                + &region("RAM", machine.ram)
                + &region("LARGE", machine.large)),
        )
        .replace("@PLAN@", &place(in_flash, "FLASH"))
        .replace("@ARENA@", &place(in_ram, "RAM"))
        .replace("@TOP@", &format!("{:#x}", machine.ram.0 + machine.ram.1)))
}

const SCRIPT: &str = "\
MEMORY {
@MEMORY@}
ENTRY(reset)
__stack_top = @TOP@;
SECTIONS {
  .vectors : { KEEP(*(.vectors)) } > FLASH
  .plan : ALIGN(16) { *(.rodata.embarca_plan) } > @PLAN@
  .text : { *(.text .text.*) } > FLASH
  .rodata : { *(.rodata .rodata.*) } > FLASH
  .exidx : { *(.ARM.exidx .ARM.exidx.*) } > FLASH
  .shell : { *(.shell .shell.*) } > FLASH
  .data : ALIGN(4) {
    __data_start = .;
    __global_pointer$ = . + 0x800;
    *(.data .data.*) *(.sdata .sdata.*)
    . = ALIGN(4);
    __data_end = .;
  } > RAM AT> FLASH
  __data_load = LOADADDR(.data);
  .arena (NOLOAD) : ALIGN(16) { *(.bss.arena) } > @ARENA@
  .bss (NOLOAD) : ALIGN(4) {
    __bss_start = .;
    *(.bss .bss.*) *(.sbss .sbss.*) *(COMMON)
    . = ALIGN(4);
    __bss_end = .;
  } > RAM
  /DISCARD/ : { *(.eh_frame .eh_frame.*) *(.comment) }
}
";
