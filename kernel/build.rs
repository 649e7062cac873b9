//! Links `tacet` freestanding: the host target's compiler, without the host's start files or libraries. And tells it
//! the commit that it is built from.

use std::env;
use std::process::Command;

/// What the kernel is made of, in the workspace.
const SOURCES: [&str; 6] = ["Cargo.toml", "Cargo.lock", "arch", "bench", "kernel", "sched"];

fn main() {
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let script = format!("{manifest}/linker.ld");
    println!("cargo:rerun-if-changed={script}");
    for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie", &format!("-Wl,-T,{script}")] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    // Pages are 4 KiB to every loader; larger alignment would only pad the file. The build id is a note that PVH
    // loaders would have to skip.
    for argument in ["-Wl,-z,max-page-size=4096", "-Wl,--build-id=none"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    name_commit(&manifest);
}

/// Sets `TACET_COMMIT`, which the kernel prints, unless whoever builds has set it; without git it stays unset.
fn name_commit(manifest: &str) {
    println!("cargo:rerun-if-env-changed=TACET_COMMIT");
    if env::var_os("TACET_COMMIT").is_some() {
        return;
    }
    let root = format!("{manifest}/..");
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(&root).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return };
    // Whatever changes the answer: commits, checkouts, and the sources.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", file]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    for source in SOURCES {
        println!("cargo:rerun-if-changed={root}/{source}");
    }
    let changed = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat());
    let mark = if changed.is_none_or(|changes| !changes.is_empty()) { "+" } else { "" };
    println!("cargo:rustc-env=TACET_COMMIT={commit}{mark}");
}
