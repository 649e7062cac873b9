//! UEFI firmware, where distributions put it.

use std::path::{Path, PathBuf};

/// The name that stands for it.
const UEFI: &str = "uefi";

/// Debian and Ubuntu, Fedora and Alpine, Arch, openSUSE. Whole images, code and variables in one.
const PLACES: [&str; 4] = [
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/OVMF/OVMF.fd",
    "/usr/share/edk2/x64/OVMF.4m.fd",
    "/usr/share/qemu/ovmf-x86_64.bin",
];

/// This host's, if it has one.
pub fn uefi() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|place| place.is_file())
}

/// What `--firmware` means: a file, or this host's UEFI. `None` where that is to be had and isn't there.
pub fn resolve(asked: &Path) -> Option<PathBuf> {
    if asked == Path::new(UEFI) { uefi() } else { Some(asked.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stands_for_itself() {
        assert_eq!(resolve(Path::new("x.fd")), Some("x.fd".into()));
        assert_eq!(resolve(Path::new("uefi")), uefi());
    }
}
