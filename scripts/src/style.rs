//! The few colours in use. `anstream` drops them where the output is no terminal.

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};

/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What went wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What was left out, and warnings.
pub const ODD: Style = AnsiColor::Yellow.on_default().bold();
/// What matters less.
pub const DIM: Style = Style::new().dimmed();
/// Headings.
pub const STRONG: Style = Style::new().bold();

/// `text` in `style`.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints an error with its causes, one a line.
pub fn complain(error: &anyhow::Error) {
    eprintln!("{} {error}", paint(BAD, "error:"));
    for cause in error.chain().skip(1) {
        eprintln!("  {} {cause}", paint(DIM, "because:"));
    }
}

/// Prints a remark that stops nothing.
pub fn warn(text: &str) {
    eprintln!("{} {text}", paint(ODD, "note:"));
}

/// Prints `label  text` with the label in a column of its own.
pub fn field(label: &str, text: impl std::fmt::Display) {
    println!("  {} {text}", paint(DIM, format!("{label:<8}")));
}
