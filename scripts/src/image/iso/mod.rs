//! Bootable ISO images, for real machines and for the boot paths beside PVH.

mod grub;
mod limine;

use std::path::{Path, PathBuf};
use std::process::Command;

use anstream::println;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::Source;
use crate::place;
use crate::qemu::Door;

/// `iso`.
#[derive(Args, Debug)]
pub struct Iso {
    /// Use GRUB (Multiboot2) rather than Limine
    #[arg(long, conflicts_with = "limine")]
    grub: bool,

    #[command(flatten)]
    loader: Loader,

    #[command(flatten)]
    source: Source,

    /// Where the image goes [default: beside the kernel image]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Boot options for the kernel, such as suite=share
    #[arg(value_name = "KEY=VALUE")]
    options: Vec<String>,
}

/// Where boot loaders come from.
#[derive(Args, Debug, Clone)]
pub struct Loader {
    /// A directory with Limine's binary release, rather than downloading it
    #[arg(long, value_name = "DIR")]
    pub limine: Option<PathBuf>,
}

impl Iso {
    /// Makes the image and says where it is.
    pub fn execute(&self) -> Result<u8> {
        let kernel = self.source.image()?;
        let door = if self.grub { Door::Grub } else { Door::Limine };
        let made = make(door, &self.loader, &kernel, &self.options.join(" "))?;
        let image = match &self.output {
            Some(output) => {
                std::fs::copy(&made, output).with_context(|| format!("cannot write {}", output.display()))?;
                output
            }
            None => &made,
        };
        println!("{}", place::shown(image));
        Ok(0)
    }
}

/// Makes an ISO image that boots `kernel` with `options` and returns its path.
///
/// # Errors
/// A tool is missing or fails, or the options cannot be written to the loader's configuration.
pub fn make(door: Door, loader: &Loader, kernel: &Path, options: &str) -> Result<PathBuf> {
    ensure!(!options.contains(['\n', '\'']), "boot options for an ISO image cannot hold quotes or line ends");
    let tree = Tree::new(kernel, door)?;
    match door {
        Door::Pvh => bail!("PVH boots the kernel itself and needs no ISO image"),
        Door::Limine => limine::make(&tree, loader.limine.as_deref(), options)?,
        Door::Grub => grub::make(&tree, options)?,
    }
    // Made beside and moved: an emulator that still runs keeps the image that it started from.
    let image = kernel.with_file_name(format!("tacet-{}.iso", door.loader()));
    std::fs::rename(&tree.image, &image).with_context(|| format!("cannot write {}", image.display()))?;
    Ok(image)
}

/// The directory that becomes the image.
struct Tree {
    root: PathBuf,
    image: PathBuf,
}

impl Tree {
    fn new(kernel: &Path, door: Door) -> Result<Self> {
        let name = door.loader();
        let home = kernel.parent().context("the kernel is in no directory")?;
        let root = home.join(format!("{name}-tree-{}", std::process::id()));
        let image = home.join(format!("tacet-{name}-{}.iso", std::process::id()));
        let tree = Self { root, image };
        tree.add(kernel, "boot/tacet")?;
        Ok(tree)
    }

    fn add(&self, from: &Path, to: &str) -> Result<()> {
        self.write(to, &std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?)
    }

    fn write(&self, to: &str, bytes: &[u8]) -> Result<()> {
        let path = self.root.join(to);
        let directory = path.parent().unwrap_or(&self.root);
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&path, bytes))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // What stays behind is a few files under the build directory.
        let _ = std::fs::remove_dir_all(&self.root);
        let _ = std::fs::remove_file(&self.image);
    }
}

/// Finds the first of `names`; the error says which package has it.
fn tool(names: &[&str], package: &str) -> Result<PathBuf> {
    names
        .iter()
        .find_map(|name| which::which(name).ok())
        .with_context(|| format!("no {}: install the package {package}", names[0]))
}

/// Runs a tool quietly; what it said is shown only when it fails.
fn quietly(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed with {}:\n{}", output.status, said.trim());
    Ok(())
}
