//! Where things are: the checkout, its logs, and the directory that the user typed the command in.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Set by `scripts/run` and `scripts/test`, which change directory so that cargo finds its settings.
const INVOKED_FROM: &str = "TACET_INVOKED_FROM";

/// The checkout that this program was built from.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("scripts/ is inside the workspace")
}

/// Goes back to where the user is, so that relative paths mean what they say.
pub fn return_to_caller() -> Result<()> {
    let Some(directory) = env::var_os(INVOKED_FROM) else { return Ok(()) };
    env::set_current_dir(&directory).with_context(|| format!("cannot return to {}", directory.display()))
}

/// Where this program was built, and so where cargo builds everything else.
pub fn target() -> PathBuf {
    let beside = env::current_exe().ok().and_then(|program| Some(program.parent()?.parent()?.to_owned()));
    beside.unwrap_or_else(|| root().join("target"))
}

/// A directory for logs inside the checkout, made on first use; git ignores it.
pub fn logs(kind: &str) -> Result<PathBuf> {
    let directory = root().join("logs").join(kind);
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    Ok(directory)
}

/// `path` as a person would write it: relative to the current directory where it is below it.
pub fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// The commit that is checked out, marked where the tree differs from it; `None` outside of git.
pub fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .args(arguments)
            .current_dir(root())
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let id = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { id } else { id + "+" })
}

/// This program's file. To be asked for early: `cargo test` may build it anew under a running `xtask test`, whose own
/// file is gone then, while the name leads to the new one.
///
/// # Errors
/// The system doesn't say.
pub fn program() -> std::io::Result<PathBuf> {
    static PROGRAM: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program.clone());
    }
    let program = env::current_exe()?;
    Ok(PROGRAM.get_or_init(|| program).clone())
}
