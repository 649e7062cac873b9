//! Reads what a growing file gained since the last look.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Bytes read at a time, so that a guest that prints without end is noticed before memory runs out.
const MOST: u64 = 1 << 20;

/// A file and how far it has been read.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    position: u64,
}

impl Tail {
    /// Starts at the beginning of `path`, which must exist by the first [`Tail::read`].
    pub fn of(path: PathBuf) -> Self {
        Self { path, position: 0 }
    }

    /// What is new, up to [`MOST`] bytes. The file is opened anew each time: QEMU may replace it when it starts.
    pub fn read(&mut self) -> Result<Vec<u8>> {
        let mut fresh = Vec::new();
        File::open(&self.path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(self.position))?;
                file.take(MOST).read_to_end(&mut fresh)
            })
            .with_context(|| format!("cannot read the log {}", self.path.display()))?;
        self.position += fresh.len() as u64;
        Ok(fresh)
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn only_what_is_new_is_returned() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut tail = Tail::of(file.path().to_owned());
        assert!(tail.read().unwrap().is_empty());
        file.write_all(b"one").unwrap();
        assert_eq!(tail.read().unwrap(), b"one");
        file.write_all(b"two").unwrap();
        assert_eq!(tail.read().unwrap(), b"two");
        assert_eq!(tail.position(), 6);
    }
}
