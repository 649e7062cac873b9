//! The list of faults: `scripts/mutants/*.toml`, one file for each area, and what [`orderings`] finds by itself.
//!
//! ```toml
//! file = "sched/src/cpu/wake.rs"          # what the entries below change, where they don't say
//! checks = ["unit:cpu::", "loom:cpus"]    # the same for the checks
//!
//! [[mutant]]
//! name = "wake/ignores-the-destination"
//! why = "what an operator of the machine would see"
//! find = "let target = self.place(task);" # stands there once, or `nth` says which one is meant
//! replace = "let target = self.id;"
//! survives = "the reason, where no check can see it"
//! ```
//!
//! Texts are found by their words, so that moved and reformatted code doesn't matter; one that isn't found is an error for the
//! whole list, or else faults would vanish unseen.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::check::Check;
use super::mutant::{Edit, Mutant};
use super::{orderings, text};
use crate::place;

/// The file among them that is about [`orderings`].
const ORDERINGS: &str = "orderings.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Area {
    file: Option<PathBuf>,
    checks: Option<Vec<Check>>,
    mutant: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    why: String,
    file: Option<PathBuf>,
    find: String,
    nth: Option<usize>,
    replace: String,
    checks: Option<Vec<Check>>,
    survives: Option<String>,
    #[serde(default)]
    quick: bool,
}

/// Every fault, in the order of the files.
///
/// # Errors
/// A file can't be read, or an entry doesn't fit the tree any more. All such entries are named.
pub fn load() -> Result<Vec<Mutant>> {
    load_from(&place::root().join("scripts/mutants"), place::root())
}

fn load_from(directory: &Path, root: &Path) -> Result<Vec<Mutant>> {
    let (mut mutants, mut stale) = (Vec::new(), Vec::new());
    for path in files(directory)? {
        let text = fs::read_to_string(&path)?;
        let read = if path.ends_with(ORDERINGS) { orderings::read(&text, root) } else { read(&text, root) };
        let entries = read.with_context(|| format!("{} is no list of faults", place::shown(&path)))?;
        for entry in entries {
            entry.map_or_else(|error| stale.push(format!("{error:#}")), |mutant| mutants.push(mutant));
        }
    }
    ensure!(stale.is_empty(), "the list is stale:\n  {}", stale.join("\n  "));
    check_names(&mutants)?;
    Ok(mutants)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    Ok(files)
}

fn check_names(mutants: &[Mutant]) -> Result<()> {
    let mut seen = HashSet::new();
    match mutants.iter().find(|mutant| !seen.insert(&mutant.name)) {
        Some(twice) => bail!("two faults are called {}", twice.name),
        None => Ok(()),
    }
}

fn read(text: &str, root: &Path) -> Result<Vec<Result<Mutant>>> {
    let Area { file, checks, mutant } = toml::from_str(text)?;
    Ok(mutant.into_iter().map(|entry| entry.resolve(file.as_deref(), checks.as_deref(), root)).collect())
}

impl Entry {
    fn resolve(self, file: Option<&Path>, checks: Option<&[Check]>, root: &Path) -> Result<Mutant> {
        let name = self.name.clone();
        let file = self.file.clone().or(file.map(Path::to_owned));
        let file = file.with_context(|| format!("{name}: no file"))?;
        let checks = self.checks.clone().or(checks.map(<[Check]>::to_vec)).unwrap_or_default();
        ensure!(!checks.is_empty(), "{name}: no checks");
        let source =
            fs::read_to_string(root.join(&file)).with_context(|| format!("{name}: {}", file.display()))?;
        let edit = self.edit(&source).with_context(|| format!("{name}: {}", file.display()))?;
        ensure!(edit.apply(&source) != source, "{name}: it changes nothing");
        let Self { why, survives, quick, .. } = self;
        Ok(Mutant { name, file, edit, why, checks, survives, quick })
    }

    fn edit(&self, source: &str) -> Result<Edit> {
        let places = text::find(source, &self.find);
        let range = match (self.nth, &places[..]) {
            (_, []) => bail!("the text isn't there"),
            (None, [only]) => only.clone(),
            (None, several) => bail!("the text is there {} times: `nth` must say which", several.len()),
            (Some(nth), all) => match nth.checked_sub(1).and_then(|index| all.get(index)) {
                Some(range) => range.clone(),
                None => bail!("there is no {nth}. of the {} places", all.len()),
            },
        };
        Ok(Edit { range, text: self.replace.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn first() {\n    go(1);\n}\nfn second() {\n    go(1);\n}\n";

    fn resolved(entry: &str) -> Result<Mutant> {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("x.rs"), SOURCE).unwrap();
        let list = format!("file = 'x.rs'\nchecks = ['unit']\n[[mutant]]\nname = 'a'\nwhy = 'b'\n{entry}");
        read(&list, root.path()).unwrap().remove(0)
    }

    #[test]
    fn an_entry_changes_the_place_that_it_names() {
        let mutant = resolved("find = 'fn first() { go(1);'\nreplace = 'fn first() { go(2);'").unwrap();
        assert_eq!(mutant.edit.apply(SOURCE), SOURCE.replacen("{\n    go(1);", "{ go(2);", 1));
        let mutant = resolved("find = 'go(1)'\nnth = 2\nreplace = 'go(2)'").unwrap();
        assert!(mutant.edit.apply(SOURCE).ends_with("fn second() {\n    go(2);\n}\n"));
    }

    #[test]
    fn an_entry_that_does_not_fit_is_an_error() {
        for (entry, says) in [
            ("find = 'go(3)'\nreplace = ''", "isn't there"),
            ("find = 'go(1)'\nreplace = ''", "2 times"),
            ("find = 'go(1)'\nnth = 3\nreplace = ''", "no 3."),
            ("find = 'go(1)'\nnth = 1\nreplace = 'go(1)'", "changes nothing"),
            ("find = 'go(1)'\nreplace = ''\nfile = 'y.rs'", "y.rs"),
        ] {
            let error = format!("{:#}", resolved(entry).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }

    /// Who adds a boot test adds what it's there to catch.
    #[test]
    fn every_boot_test_has_a_fault_that_it_alone_must_catch() {
        let mutants = load().unwrap();
        let caught = |name: &str| {
            let only = |mutant: &Mutant| mutant.checks[..] == [Check::Boot(name.to_owned())];
            mutants.iter().any(|mutant| mutant.survives.is_none() && only(mutant))
        };
        for file in crate::test::boot::files().unwrap() {
            let name = file.file_stem().unwrap().to_str().unwrap();
            assert!(caught(name), "no fault is only for boot:{name}: add one to scripts/mutants");
        }
    }

    #[test]
    fn the_list_fits_the_tree() {
        let mutants = load().unwrap();
        assert!(mutants.len() > 50, "there are {}", mutants.len());
        let quick = mutants.iter().filter(|mutant| mutant.quick).count();
        assert!((5..=20).contains(&quick), "{quick} quick ones");
    }
}
