//! Links `tacet` freestanding: the host target's compiler, without the host's start files or libraries.

fn main() {
    let manifest = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
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
}
