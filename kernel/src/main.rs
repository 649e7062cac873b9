//! Tacet boot image.
fn main() {}
