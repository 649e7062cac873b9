//! Golden logs: what a reader should see, with room for what differs from run to run.
//!
//! In a pattern `...` alone on a line stands for any number of lines, and `[..]` for anything within a
//! line. Everything else stands for itself. The pattern must match the whole log.

/// What stands for any number of lines.
const LINES: &str = "...";
/// What stands for anything within a line.
const ANYTHING: &str = "[..]";

/// Matches `log` against `pattern`.
///
/// # Errors
/// The pattern line that nothing in the log fits, given that everything before it does.
pub fn check<S: AsRef<str>>(pattern: &str, log: &[S]) -> Result<(), String> {
    // The log lines that the pattern so far may have used up: after 0, after 1, …
    let mut reached = vec![false; log.len() + 1];
    reached[0] = true;
    for (number, wanted) in pattern.lines().enumerate() {
        let next = advance(wanted, log, &reached);
        if !next.contains(&true) {
            return Err(miss(number + 1, wanted, log, &reached));
        }
        reached = next;
    }
    if reached[log.len()] {
        return Ok(());
    }
    let used = reached.iter().rposition(|&used| used).unwrap_or(0);
    Err(format!("the log goes on after the expected end:\n  {}", log[used].as_ref()))
}

fn advance<S: AsRef<str>>(wanted: &str, log: &[S], reached: &[bool]) -> Vec<bool> {
    if wanted == LINES {
        let mut open = false;
        return reached
            .iter()
            .map(|&used| {
                open |= used;
                open
            })
            .collect();
    }
    let fits = |(&used, line): (&bool, &S)| used && line_fits(wanted, line.as_ref().trim_end());
    std::iter::once(false).chain(reached.iter().zip(log).map(fits)).collect()
}

fn miss<S: AsRef<str>>(number: usize, wanted: &str, log: &[S], reached: &[bool]) -> String {
    let first = reached.iter().position(|&used| used).unwrap_or(0);
    let found = log.get(first).map_or("(the end of the log)", AsRef::as_ref);
    format!("expected line {number}:\n  {wanted}\nis not in the log from here on:\n  {found}")
}

/// The text between two wildcards is looked for from left to right; the first and the last piece are anchored.
fn line_fits(wanted: &str, line: &str) -> bool {
    let Some((first, others)) = wanted.split_once(ANYTHING) else { return wanted == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let (middle, last) = others.rsplit_once(ANYTHING).unwrap_or(("", others));
    for piece in middle.split(ANYTHING) {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, log: &str) -> bool {
        check(pattern, &log.lines().collect::<Vec<_>>()).is_ok()
    }

    #[test]
    fn lines_stand_for_themselves() {
        assert!(fits("a\nb", "a\nb"));
        assert!(!fits("a\nb", "a") && !fits("a", "a\nb") && !fits("a", "ab") && !fits("a", "ba"));
        assert!(fits("a", "a  "), "trailing blanks do not show");
    }

    #[test]
    fn dots_stand_for_any_number_of_lines() {
        assert!(fits("a\n...\nd\n...", "a\nb\nc\nd") && fits("a\n...\nd", "a\nd"));
        assert!(fits("...\na\nb", "a\nx\na\nb"), "an early fit does not hide a later one");
        assert!(!fits("a\n...\nd", "a\nb") && !fits("...\na", "a\nb"));
    }

    #[test]
    fn brackets_stand_for_anything_within_a_line() {
        assert!(fits("Tacet [..] on [..]", "Tacet 0.1.0 on pvh") && fits("[..]", "\n") && fits("x[..]", "x"));
        assert!(fits("[..]b[..]b", "abab") && !fits("[..]b[..]b", "ab"));
        assert!(!fits("a[..]a", "a") && !fits("Tacet [..]", "Tace"));
    }

    #[test]
    fn a_miss_names_the_line() {
        let error = check("a\n...\nmissing", &["a", "b"]).unwrap_err();
        assert!(error.contains("line 3") && error.contains("missing"), "{error}");
        let error = check("a", &["a", "surplus"]).unwrap_err();
        assert!(error.contains("surplus"), "{error}");
    }
}
