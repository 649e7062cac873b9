//! A bounded copy of the loader's command line.

/// Text copied out of loader memory: printable ASCII, at most [`CommandLine::CAPACITY`] bytes.
pub struct CommandLine {
    bytes: [u8; Self::CAPACITY],
    len: usize,
    truncated: bool,
}

impl CommandLine {
    /// The longest command line that is kept, in bytes: Linux's limit for x86.
    pub const CAPACITY: usize = 2048;

    /// An empty command line.
    pub const EMPTY: Self = Self { bytes: [0; Self::CAPACITY], len: 0, truncated: false };

    /// Copies `source` up to its first NUL. Control characters become spaces, and what is not ASCII becomes `?`.
    pub fn copied(source: &[u8]) -> Self {
        let text = source.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut line = Self::EMPTY;
        line.len = text.len().min(Self::CAPACITY);
        line.truncated = text.len() > Self::CAPACITY;
        for (to, &from) in line.bytes.iter_mut().zip(text) {
            *to = printable(from);
        }
        line
    }

    /// The text, without blanks around it.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).unwrap_or_default().trim()
    }

    /// Whether the loader's line was longer than fits.
    pub const fn truncated(&self) -> bool {
        self.truncated
    }
}

fn printable(byte: u8) -> u8 {
    match byte {
        0x20..=0x7e => byte,
        0..=0x1f | 0x7f => b' ',
        _ => b'?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_at_the_first_nul_and_is_trimmed() {
        assert_eq!(CommandLine::copied(b"  suite=quick cpus=2 \0junk").as_str(), "suite=quick cpus=2");
    }

    #[test]
    fn replaces_what_is_not_text() {
        assert_eq!(CommandLine::copied(b"a\tb\xffc\x1bd").as_str(), "a b?c d");
    }

    #[test]
    fn reports_truncation() {
        let exact = [b'x'; CommandLine::CAPACITY];
        let longer = [b'x'; CommandLine::CAPACITY + 1];
        assert!(!CommandLine::copied(&exact).truncated());
        assert!(CommandLine::copied(&longer).truncated());
        assert_eq!(CommandLine::copied(&longer).as_str().len(), CommandLine::CAPACITY);
    }
}
