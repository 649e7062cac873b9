//! Tacet's host side.
fn main() {}
