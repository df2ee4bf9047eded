//! `cargo xtask boards`: what emulating and building for microcontrollers needs, from Debian's packages.

use std::process::Command;

use crate::shell;

/// The emulators, a compiler that brings the sources of `core`, and Arm's C compiler for what `emit
/// --as c` writes.
const PACKAGES: &[&str] =
    &["qemu-system-arm", "qemu-system-misc", "rustc-web", "rust-web-src", "gcc-arm-none-eabi"];

/// Installs the packages, or prints the command that does.
pub fn run(args: &[String]) -> Result<bool, String> {
    if !args.is_empty() {
        return Err("boards takes no arguments".into());
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    let line = format!("apt-get {} {}", install.join(" "), PACKAGES.join(" "));
    println!("{line}");
    let present = |package: &&str| {
        let query = Command::new("dpkg-query").args(["--show", package]).output();
        query.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
    };
    if PACKAGES.iter().all(present) {
        println!("all of them are installed");
        return Ok(true);
    }
    let mut command = Command::new("apt-get");
    command.args(install).args(PACKAGES);
    if shell::succeeds(&mut command)? {
        return Ok(true);
    }
    eprintln!("run it as an administrator: sudo {line}");
    Ok(false)
}
