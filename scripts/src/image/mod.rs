//! The kernel image: built by cargo, then given its symbol table.

pub mod iso;
mod symbols;

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anstream::println;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::place;

/// The kernel's binary, as cargo calls it.
const BINARY: &str = "tacet";

/// `build`.
#[derive(Args, Debug)]
pub struct Build {
    #[command(flatten)]
    source: Source,
}

impl Build {
    /// Builds and says where the image is.
    pub fn execute(&self) -> Result<u8> {
        println!("{}", place::shown(&self.source.image()?));
        Ok(0)
    }
}

/// Where an image comes from.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Kernel")]
pub struct Source {
    /// Build without optimisation
    #[arg(long, conflicts_with = "kernel")]
    pub debug: bool,

    /// Boot this image and build nothing
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
}

impl Source {
    /// The image, built where none is given.
    ///
    /// # Errors
    /// The given one is no ELF image, or the build fails.
    pub fn image(&self) -> Result<PathBuf> {
        match &self.kernel {
            Some(path) => check(path),
            None if self.debug => build(Flavour::Debug),
            None => build(Flavour::Release),
        }
    }
}

/// How a kernel is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Optimised.
    Release,
    /// Not.
    Debug,
    /// Optimised, and it keeps a tape of what its scheduler does.
    Recording,
}

impl Flavour {
    /// What cargo is told. Another set of features goes to a directory of its own: or else each build would undo the
    /// other's.
    fn arguments(self) -> Vec<OsString> {
        match self {
            Self::Debug => vec![],
            Self::Release => vec!["--release".into()],
            Self::Recording => vec![
                "--release".into(),
                "--features=record".into(),
                "--target-dir".into(),
                place::target().join("record").into(),
            ],
        }
    }
}

fn check(path: &Path) -> Result<PathBuf> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the kernel {}", path.display()))?;
    ensure!(bytes.starts_with(b"\x7fELF"), "{} is no ELF image", path.display());
    Ok(path.to_owned())
}

/// Builds the kernel and returns the image that boots.
pub fn build(flavour: Flavour) -> Result<PathBuf> {
    bootable(&compile(flavour)?, if flavour == Flavour::Debug { "tacet-debug" } else { "tacet" })
}

/// A copy of what cargo linked, with its symbols filled in.
pub fn bootable(linked: &Path, name: &str) -> Result<PathBuf> {
    let image = boot_directory(linked)?.join(name);
    let filled = symbols::fill(std::fs::read(linked)?)
        .with_context(|| format!("cannot fill in the symbols of {}", linked.display()))?;
    // Written beside and moved, so that two runs at once never boot half an image.
    let fresh = image.with_extension(std::process::id().to_string());
    std::fs::write(&fresh, filled).and_then(|()| std::fs::rename(&fresh, &image))?;
    Ok(image)
}

/// `boot/` beside cargo's profile directories.
fn boot_directory(linked: &Path) -> Result<PathBuf> {
    let target = linked.parent().and_then(Path::parent).context("cargo's output has no directory")?;
    let directory = target.join("boot");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Runs cargo and returns the executable that it reports.
fn compile(flavour: Flavour) -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["build", "--package", "kernel", "--message-format=json-render-diagnostics"]);
    cargo.args(flavour.arguments());
    if let Some(commit) = place::commit() {
        cargo.env("TACET_COMMIT", commit);
    }
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let messages = BufReader::new(child.stdout.take().context("cargo has no output")?);
    let executable = messages.lines().map_while(Result::ok).filter_map(|line| artifact(&line)).last();
    ensure!(child.wait()?.success(), "the kernel does not build; cargo says why above");
    let Some(executable) = executable else { bail!("cargo built no `{BINARY}`") };
    Ok(executable)
}

/// The kernel's path, where one of cargo's messages names it.
fn artifact(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_kernel = message["target"]["name"] == BINARY;
    message["executable"].as_str().filter(|_| is_kernel).map(PathBuf::from)
}

/// The cargo that runs this program, in the checkout.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(place::root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_found_among_cargos_messages() {
        let line =
            r#"{"reason":"compiler-artifact","target":{"name":"tacet"},"executable":"/t/release/tacet"}"#;
        assert_eq!(artifact(line), Some("/t/release/tacet".into()));
        assert_eq!(artifact(&line.replace("\"/t/release/tacet\"", "null")), None);
        assert_eq!(artifact(&line.replace("\"tacet\"", "\"other\"")), None);
        assert_eq!(artifact("warning: not JSON"), None);
    }
}
