//! Passed, failed, skipped.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Ran and passed.
    pub passed: u64,
    /// Ran and failed, or should have run and did not.
    pub failed: u64,
    /// Cannot run here.
    pub skipped: u64,
}

impl Tally {
    /// Exit status: 0 only when something passed and nothing failed.
    pub fn status(self) -> u8 {
        u8::from(self.failed > 0 || self.passed == 0)
    }

    /// Adds up the closing lines of `cargo test`, one for each test binary.
    pub fn of_cargo(output: &str) -> Self {
        let mut total = Self::default();
        output.lines().filter_map(closing_line).for_each(|tally| total += tally);
        total
    }
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; …`
fn closing_line(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |what: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(what))?;
        part.trim().parse().ok()
    };
    Some(Tally { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The closing line of `scripts/test`, which programs read: its form is fixed.
impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(out, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_closing_lines_add_up() {
        let output = "\
running 2 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

test result: FAILED. 1 passed; 3 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.10s
";
        assert_eq!(Tally::of_cargo(output), Tally { passed: 3, failed: 3, skipped: 4 });
        assert_eq!(Tally::of_cargo("error: could not compile"), Tally::default());
    }

    #[test]
    fn the_closing_line_keeps_its_form() {
        assert_eq!(Tally { passed: 5, failed: 0, skipped: 0 }.to_string(), "5 passed, 0 failed");
        let skipped = Tally { passed: 5, failed: 1, skipped: 2 };
        assert_eq!(skipped.to_string(), "5 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn nothing_passed_is_no_success() {
        assert_eq!(Tally { passed: 1, failed: 0, skipped: 9 }.status(), 0);
        assert_eq!(Tally { passed: 9, failed: 1, skipped: 0 }.status(), 1);
        assert_eq!(Tally { passed: 0, failed: 0, skipped: 9 }.status(), 1);
    }
}
