//! A copy of the checkout, into which a fault can be put without disturbing anybody.
//!
//! A file is written only if it differs, and then gets a new time stamp, also when it's put back: cargo then builds what has
//! changed since the last fault and nothing else.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ignore::WalkBuilder;

use super::mutant::Mutant;

/// The copy.
#[derive(Debug)]
pub struct Tree {
    from: PathBuf,
    to: PathBuf,
}

impl Tree {
    /// A copy of `from` at `to`, which may hold an older one.
    pub fn copy(from: &Path, to: &Path) -> Result<Self> {
        let tree = Self { from: from.to_owned(), to: to.to_owned() };
        tree.restore()?;
        Ok(tree)
    }

    /// Where the copy is.
    pub fn root(&self) -> &Path {
        &self.to
    }

    /// Makes the copy equal to the original again: takes out a fault, and what tests left behind.
    pub fn restore(&self) -> Result<()> {
        let files = files(&self.from)?;
        for file in &files {
            let (wanted, path) = (fs::read(self.from.join(file))?, self.to.join(file));
            if fs::read(&path).ok().as_ref() != Some(&wanted) {
                write(&path, &wanted)?;
            }
        }
        let files: HashSet<&PathBuf> = files.iter().collect();
        if self.to.exists() {
            let mut strays = self::files(&self.to)?.into_iter().filter(|file| !files.contains(file));
            strays.try_for_each(|file| fs::remove_file(self.to.join(file)))?;
        }
        Ok(())
    }

    /// Puts a fault in, unless it's in already.
    pub fn put(&self, mutant: &Mutant) -> Result<()> {
        let (clean, path) = (self.from.join(&mutant.file), self.to.join(&mutant.file));
        let source =
            fs::read_to_string(&clean).with_context(|| format!("cannot read {}", clean.display()))?;
        let changed = mutant.edit.apply(&source);
        ensure!(changed != source, "{} changes nothing in {}", mutant.name, clean.display());
        if fs::read(&path).ok().as_deref() != Some(changed.as_bytes()) {
            write(&path, changed.as_bytes())?;
        }
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Every file below `root` that git would track or may come to, by its path from there.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let walk = WalkBuilder::new(root).hidden(false).parents(false).require_git(false).build();
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry?;
        let path = entry.path().strip_prefix(root)?;
        if entry.file_type().is_some_and(|kind| kind.is_file()) && !path.starts_with(".git") {
            files.push(path.to_owned());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::mutant::Edit;

    fn mutant() -> Mutant {
        Mutant {
            name: "a".into(),
            file: "src/x.rs".into(),
            edit: Edit { range: 0..3, text: "new".into() },
            why: String::new(),
            checks: Vec::new(),
            survives: None,
            quick: false,
        }
    }

    #[test]
    fn a_fault_is_put_in_and_taken_out_and_cargo_can_tell() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        write(&from.join("src/x.rs"), b"old text").unwrap();
        write(&from.join(".gitignore"), b"/target\n").unwrap();
        write(&from.join("target/x"), b"").unwrap();
        let tree = Tree::copy(&from, &to).unwrap();
        assert!(!to.join("target").exists());

        let (file, stamp) =
            (to.join("src/x.rs"), |file: &Path| fs::metadata(file).unwrap().modified().unwrap());
        let clean = stamp(&file);
        tree.restore().unwrap();
        assert_eq!(stamp(&file), clean, "what is the same isn't written");
        std::thread::sleep(std::time::Duration::from_millis(20));
        tree.put(&mutant()).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new text");
        let faulty = stamp(&file);
        write(&to.join("src/stray.txt"), b"").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        tree.restore().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"old text");
        assert!(stamp(&file) > faulty && faulty > clean, "cargo goes by time");
        assert!(!to.join("src/stray.txt").exists());
    }
}
