//! libFuzzer's side: feeds the target that the environment names.

#![no_main]

use std::path::Path;
use std::sync::OnceLock;
use std::{env, fs};

use fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<&'static Target> = OnceLock::new();

/// Finds the target, and puts its seeds where libFuzzer will look.
fn begin() {
    let name = env::var("TACET_FUZZ_TARGET").unwrap_or_default();
    let names = TARGETS.map(|target| target.name).join(", ");
    let target = const { &TARGETS }.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("no target \"{name}\"; there are {names}"));
    if let Some(corpus) = env::var_os("TACET_FUZZ_CORPUS") {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            let file = Path::new(&corpus).join(format!("seed-{number}"));
            fs::write(file, seed).expect("the corpus can be written");
        }
    }
    TARGET.get_or_init(|| target);
}

fuzz_target!(init: begin(), |data: &[u8]| {
    (TARGET.get().expect("`begin` comes first").feed)(data);
});
