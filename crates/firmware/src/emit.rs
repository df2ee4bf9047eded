//! Writes what goes into a user's project: a crate, a library for C, or a firmware.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use embarca_num::DType;
use embarca_plan::DevicePort;

use crate::cache::{Cache, put};
use crate::crates::{self, Crate, STATE, Shell};
use crate::emulate::Work;
use crate::error::Result;
use crate::machine::Machine;
use crate::sources::Sources;
use crate::toolchain::{Toolchain, build};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A `no_std` crate with the sources that it needs.
    Rust,
    /// A header and a static library.
    C,
    /// A program that boots, runs the model and prints what it answers.
    Firmware,
}

/// Writes a plan as `form` into a folder; the files that matter to the user.
///
/// # Errors
/// The plan is none for the machine, a tool is missing, or the folder cannot be written to.
pub fn emit(
    plan: &[u8],
    machine: &Machine,
    title: &str,
    form: Form,
    folder: &Path,
    cache: &Cache,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>> {
    let model = Crate::new(plan, machine, title)?;
    let name = identifier(title);
    match form {
        Form::Rust => {
            Sources::beside(&folder.join("embarca"))?;
            model.write(folder, "embarca")?;
            Ok(["Cargo.toml", "src/lib.rs"].map(|file| folder.join(file)).to_vec())
        }
        Form::C => {
            let toolchain = Toolchain::find(machine, cache)?;
            let sources = Sources::cached(cache)?;
            let work = Work::new(cache)?;
            crates::library(&model, &sources, &work.folder, &name)?;
            let made = format!("lib{name}.a");
            let library = build(&toolchain, machine, cache, &work.folder, &made, progress)?;
            let paths = [folder.join(format!("{name}.h")), folder.join(&made)];
            put(&paths[0], header(&model, machine, &name, title).as_bytes())?;
            put(&paths[1], &library)?;
            Ok(paths.to_vec())
        }
        Form::Firmware => {
            let toolchain = Toolchain::find(machine, cache)?;
            let sources = Sources::cached(cache)?;
            let work = Work::new(cache)?;
            crates::program(&model, Shell::Show, &sources, &work.folder, "firmware")?;
            let program = build(&toolchain, machine, cache, &work.folder, "firmware", progress)?;
            let path = folder.join(format!("{name}.elf"));
            put(&path, &program)?;
            Ok(vec![path])
        }
    }
}

/// A name for C and Cargo: lower-case letters, digits and `_`.
fn identifier(title: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = title.chars().map(plain).take(40).collect();
    let name = name.trim_matches('_');
    match name.chars().next() {
        None => "net".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("net_{name}"),
        Some(_) if matches!(name, "model" | "core" | "firmware") => format!("{name}_net"),
        Some(_) => name.to_owned(),
    }
}

/// The C type of a port's elements, and how many there are.
fn elements(port: &DevicePort) -> (&'static str, u32) {
    let dtype = u8::try_from(port.dtype).ok().and_then(DType::from_code).unwrap_or(DType::U8);
    let size = u32::try_from(dtype.size()).unwrap_or(1).max(1);
    let name = match dtype {
        DType::I8 => "int8_t",
        DType::I16 => "int16_t",
        DType::U16 => "uint16_t",
        DType::I32 => "int32_t",
        DType::U32 => "uint32_t",
        DType::I64 => "int64_t",
        DType::F32 => "float",
        _ => "uint8_t",
    };
    (name, port.len / size)
}

fn header(model: &Crate<'_>, machine: &Machine, name: &str, title: &str) -> String {
    let upper = name.to_ascii_uppercase();
    let device = model.device();
    let mut text = format!(
        "/* {title} for {core}. Made by Embarca {version}.\n *\n\
         \x20*   static uint8_t arena[{upper}_ARENA_BYTES] __attribute__((aligned(16)));\n\
         \x20*   static {name}_model model;\n\
         \x20*   if ({name}_init(&model, arena) != 0) {{ ... }}\n\
         \x20*   ... write {name}_input(&model, 0) ...\n\
         \x20*   if ({name}_run(&model) != 0) {{ ... }}\n\
         \x20*   ... read {name}_output(&model, 0) ...\n *\n\
         \x20* Link with lib{name}.a (and -Wl,--gc-sections). Weights stay in flash; there is no heap.\n */\n\
         #ifndef {upper}_H\n#define {upper}_H\n\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         /* Bytes of the memory that the model works in; it starts at a multiple of 16. */\n\
         #define {upper}_ARENA_BYTES {arena}\n\n",
        title = title.replace("*/", "* /"),
        core = machine.core,
        version = env!("CARGO_PKG_VERSION"),
        arena = device.arena(),
    );
    let sides = [("INPUT", device.inputs()), ("OUTPUT", device.outputs())];
    for (side, ports) in sides {
        for (index, port) in ports.iter().enumerate() {
            let (dtype, count) = elements(port);
            let _ = writeln!(text, "/* {} {index}: {dtype} */", side.to_ascii_lowercase());
            let _ = writeln!(text, "#define {upper}_{side}_{index}_COUNT {count}");
        }
    }
    let _ = write!(
        text,
        "\n/* A model that was prepared; do not look inside. */\n\
         typedef struct {{ uint64_t state[{words}]; }} {name}_model;\n\n\
         /* Checks the plan and sets all states to their start: 0, or an error. */\n\
         uint32_t {name}_init({name}_model *model, void *arena);\n\n\
         /* Computes the outputs from the inputs, whose memory it may overwrite: 0, or an error. */\n\
         uint32_t {name}_run({name}_model *model);\n\n\
         /* The elements of an input, to be written before each run. */\n\
         void *{name}_input({name}_model *model, uint32_t index);\n\n\
         /* The elements of an output of the last run. */\n\
         const void *{name}_output({name}_model *model, uint32_t index);\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n",
        words = STATE / 8,
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_suit_c_and_cargo() {
        for (title, name) in [
            ("kws", "kws"),
            ("Net v2.1", "net_v2_1"),
            ("2d-net", "net_2d_net"),
            ("--", "net"),
            ("model", "model_net"),
        ] {
            assert_eq!(identifier(title), name);
        }
    }
}
