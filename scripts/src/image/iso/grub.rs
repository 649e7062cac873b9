//! A GRUB image: `grub-mkrescue` does all the work.

use std::process::Command;

use anyhow::Result;

use super::{Tree, quietly, tool};

pub(super) fn make(tree: &Tree, options: &str) -> Result<()> {
    let mkrescue = tool(&["grub-mkrescue", "grub2-mkrescue"], "grub-pc-bin")?;
    // It calls these two, and without them fails with messages of its own.
    tool(&["xorriso"], "xorriso")?;
    tool(&["mformat"], "mtools")?;
    tree.write("boot/grub/grub.cfg", configuration(options).as_bytes())?;
    quietly(Command::new(mkrescue).arg("-o").arg(&tree.image).arg(&tree.root))
}

fn configuration(options: &str) -> String {
    let words: Vec<String> = options.split_whitespace().map(|word| format!(" '{word}'")).collect();
    format!(
        "set timeout=0\nmenuentry \"Tacet\" {{\n    multiboot2 /boot/tacet{}\n    boot\n}}\n",
        words.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_quoted_so_that_grub_expands_nothing() {
        assert!(configuration("suite=a,b cpus=2").contains("multiboot2 /boot/tacet 'suite=a,b' 'cpus=2'\n"));
        assert!(configuration("").contains("multiboot2 /boot/tacet\n"));
    }
}
