//! What the user sees while a guest works: its lines as they come, and what it is doing below them.

use std::io::Write;
use std::time::Duration;

use anstream::{eprintln, print, println};
use bench::record::{Body, Record};
use indicatif::{ProgressBar, ProgressStyle};

use crate::log::Line;
use crate::style::{BAD, paint};

/// A spinner on the error output, hidden where that is no terminal.
pub fn spinner(message: impl Into<std::borrow::Cow<'static, str>>) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner:.green} {elapsed:>3} {wide_msg:.dim}")
        .expect("the template is a constant");
    let bar = ProgressBar::new_spinner().with_style(style).with_message(message);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Shows one run.
pub struct Screen {
    bar: ProgressBar,
    /// Of a line that isn't complete, so much is on the screen.
    shown: usize,
    progress: Progress,
}

impl Screen {
    /// Starts with the time until the first line.
    pub fn new() -> Self {
        Self { bar: spinner("starting"), shown: 0, progress: Progress::default() }
    }

    /// The same for a guest that takes commands: nothing stands below its last line.
    pub fn of_session() -> Self {
        Self { bar: ProgressBar::hidden(), ..Self::new() }
    }

    /// Shows a line of the guest; records only move the progress.
    pub fn line(&mut self, line: &Line) {
        match line {
            Line::Begun(text) => return self.begun(text),
            Line::Text(text) => self.bar.suspend(|| println!("{}", rest(text, self.shown))),
            Line::Stop(_, text) => self.bar.suspend(|| println!("{}", paint(BAD, text))),
            Line::Garbled { line, why } => {
                self.bar.suspend(|| eprintln!("{} {line}", paint(BAD, format!("garbled, {why}:"))));
            }
            Line::Record(record) => self.progress.note(record),
        }
        self.shown = 0;
        self.bar.set_message(self.progress.message());
    }

    /// Shows what is new of a line that isn't complete, unless it may become a record.
    fn begun(&mut self, text: &str) {
        if !text.starts_with('@') {
            print!("{}", rest(text, self.shown));
            let _ = std::io::stdout().flush();
            self.shown = text.len();
        }
    }

    /// Takes the spinner away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// What follows the part that is shown. All of it, where that part was read as other letters.
fn rest(text: &str, shown: usize) -> &str {
    text.get(shown..).unwrap_or(text)
}

/// How far the guest is.
#[derive(Default)]
struct Progress {
    running: bool,
    results: usize,
    failed: usize,
    last: String,
}

impl Progress {
    fn note(&mut self, record: &Record) {
        match &record.body {
            Body::Env(_) => self.running = true,
            Body::Verdict(verdict) => self.failed += usize::from(!verdict.pass),
            Body::End(_) => {}
            Body::Latency(_) | Body::Share(_) | Body::Ratio(_) | Body::Count(_) => {
                self.results += 1;
                self.last.clone_from(&record.name);
            }
        }
    }

    fn message(&self) -> String {
        let Self { running, results, failed, last } = self;
        match (running, results, failed) {
            (false, 0, _) => "booting".into(),
            (true, 0, _) => "measuring".into(),
            (_, _, 0) => format!("measuring, results: {results}, last: {last}"),
            _ => format!("measuring, results: {results}, failed: {failed}, last: {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench::record::{Count, Env, Verdict};

    #[test]
    fn progress_names_the_last_result_and_counts_failures() {
        let mut progress = Progress::default();
        assert_eq!(progress.message(), "booting");
        progress.note(&Record::new("quick", Body::Env(Env::default())));
        assert_eq!(progress.message(), "measuring");
        let count = Count { unit: "interrupts".into(), per_cpu: [0].into() };
        progress.note(&Record::new("tickless/idle", Body::Count(count)));
        let verdict = Verdict { pass: false, why: String::new() };
        progress.note(&Record::new("tickless/idle", Body::Verdict(verdict)));
        assert_eq!(progress.message(), "measuring, results: 1, failed: 1, last: tickless/idle");
    }
}
