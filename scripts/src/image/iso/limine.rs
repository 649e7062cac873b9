//! A Limine image that boots from BIOS and UEFI, from a CD or a stick.
//!
//! Limine's files come from a directory, or else from its pinned binary release, which is downloaded once and
//! checked against the sums below. The `limine` program, which makes sticks boot from a BIOS, is used where
//! it is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::{Tree, quietly, tool};
use crate::style;

const RELEASE: &str = "https://raw.githubusercontent.com/limine-bootloader/limine/v8.2.0-binary";

/// A file of the release: its name, where it goes in the image, and its SHA-256 sum.
struct Part {
    name: &'static str,
    place: &'static str,
    sum: &'static str,
}

const PARTS: [Part; 4] = [
    Part {
        name: "limine-bios.sys",
        place: "boot/limine/limine-bios.sys",
        sum: "8382e36ff9d51e52e9160842f834a346028edf9e0319b1c728d290e3044a44a7",
    },
    Part {
        name: "limine-bios-cd.bin",
        place: "boot/limine/limine-bios-cd.bin",
        sum: "3b889bf946b1f248c93efa90fd1718aad79f867e8184f9167a0b9875a0c41191",
    },
    Part {
        name: "limine-uefi-cd.bin",
        place: "boot/limine/limine-uefi-cd.bin",
        sum: "1801a9034420fb1b17bdcdedee11f29c946169abac103b161e7bfd01d98caf29",
    },
    Part {
        name: "BOOTX64.EFI",
        place: "EFI/BOOT/BOOTX64.EFI",
        sum: "7bf99f9ffdbce1443bd7f148f01bee47d4a587f58fb170e42dab29790e6d831a",
    },
];

pub(super) fn make(tree: &Tree, given: Option<&Path>, options: &str) -> Result<()> {
    let xorriso = tool(&["xorriso"], "xorriso")?;
    let files = match given {
        Some(directory) => directory.to_owned(),
        None => download(tree)?,
    };
    for part in &PARTS {
        tree.add(&files.join(part.name), part.place)?;
    }
    tree.write("boot/limine/limine.conf", configuration(options).as_bytes())?;
    quietly(Command::new(xorriso).args(mkisofs()).arg("-o").arg(&tree.image).arg(&tree.root))?;
    install(tree, &files)
}

fn configuration(options: &str) -> String {
    format!(
        "timeout: 0\nquiet: yes\n\n/Tacet\n    protocol: limine\n    kernel_path: boot():/boot/tacet\n    \
         kernel_cmdline: {options}\n"
    )
}

/// As Limine's own manual has it for hybrid images.
fn mkisofs() -> impl Iterator<Item = &'static str> {
    "-as mkisofs -R -r -J -b boot/limine/limine-bios-cd.bin -no-emul-boot -boot-load-size 4 \
     -boot-info-table -hfsplus -apm-block-size 2048 --efi-boot boot/limine/limine-uefi-cd.bin \
     -efi-boot-part --efi-boot-image --protective-msdos-label"
        .split_whitespace()
}

/// Makes the image boot from a stick under a BIOS too, where Limine's own program is at hand.
fn install(tree: &Tree, files: &Path) -> Result<()> {
    let beside = files.join("limine");
    let Ok(program) = which::which(&beside).or_else(|_| which::which("limine")) else {
        style::warn(
            "the program `limine` is not installed: the image boots from CD and from UEFI, \
             but not from a USB stick under a BIOS",
        );
        return Ok(());
    };
    quietly(Command::new(program).arg("bios-install").arg(&tree.image))
}

/// Fetches what is not there yet, and returns the directory.
fn download(tree: &Tree) -> Result<PathBuf> {
    let directory = tree.image.with_file_name("limine-8.2.0");
    std::fs::create_dir_all(&directory)?;
    for part in &PARTS {
        let file = directory.join(part.name);
        if !file.exists() {
            fetch(part, &file)?;
        }
    }
    Ok(directory)
}

fn fetch(part: &Part, file: &Path) -> Result<()> {
    let url = format!("{RELEASE}/{}", part.name);
    let partial = file.with_extension("partial");
    quietly(Command::new(tool(&["curl"], "curl")?).args(["-fsSL", "-o"]).arg(&partial).arg(&url))
        .with_context(|| {
            format!("cannot download {url}; `--limine DIR` takes Limine 8.2.0 from a directory")
        })?;
    verify(part, &std::fs::read(&partial)?)?;
    Ok(std::fs::rename(&partial, file)?)
}

fn verify(part: &Part, bytes: &[u8]) -> Result<()> {
    let sum = Sha256::digest(bytes).iter().fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"));
    ensure!(sum == part.sum, "{} is not what was pinned: its SHA-256 sum is {sum}", part.name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_that_differs_is_refused() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(verify(&Part { name: "x", place: "x", sum: empty }, b"").is_ok());
        assert!(verify(&PARTS[0], b"").unwrap_err().to_string().contains(empty));
    }

    #[test]
    fn the_options_stand_in_the_configuration() {
        assert!(configuration("suite=share").ends_with("kernel_cmdline: suite=share\n"));
    }
}
