//! The guest's log, line by line: what each line means, and all of them together.
//!
//! The protocol: a banner `Tacet <version> …`, then lines for people, `@tacet {…}` records, and, where the guest
//! gives up, a line that starts with `PANIC:`, `FAULT:` or `BAD INPUT:`. The last record is `end`.

use bench::monitor;
use bench::record::{self, Body, End, Env, Record, Verdict};

/// What one line is.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// What there is of a line that isn't complete yet. Only where somebody types.
    Begun(String),
    /// For people.
    Text(String),
    /// For programs.
    Record(Record),
    /// Starts like a record and is none.
    Garbled {
        /// The line as it came.
        line: String,
        /// What is wrong with it.
        why: String,
    },
    /// The guest gave up.
    Stop(Stop, String),
}

/// Why a guest gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// A Rust panic.
    Panic,
    /// A processor exception, a stack overflow among them.
    Fault,
    /// A boot option or a machine that it cannot work with.
    BadInput,
}

impl Stop {
    const ALL: [(Self, &str); 3] =
        [(Self::Panic, "PANIC:"), (Self::Fault, "FAULT:"), (Self::BadInput, "BAD INPUT:")];

    fn of(line: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, mark)| line.starts_with(mark)).map(|&(stop, _)| stop)
    }
}

impl Line {
    /// The line as people see it; of a record, nothing.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Stop(_, text) => text,
            Self::Garbled { line, .. } => line,
            Self::Begun(_) | Self::Record(_) => "",
        }
    }

    /// Tells what `line` (without its line end) is.
    pub fn read(line: &str) -> Self {
        if let Some(stop) = Stop::of(line) {
            return Self::Stop(stop, line.to_owned());
        }
        let garbled = |why| Self::Garbled { line: line.to_owned(), why };
        match record::parse(line) {
            None => Self::Text(line.to_owned()),
            Some(Ok(record)) if record.v != record::VERSION => {
                garbled(format!("version {}, and this program reads {}", record.v, record::VERSION))
            }
            Some(Ok(record)) => Self::Record(record),
            Some(Err(why)) => garbled(why.to_string()),
        }
    }
}

/// Everything that a guest printed so far.
#[derive(Debug, Default)]
pub struct Transcript {
    /// Whether the guest takes commands: then its log goes on after a suite's closing record, up to the session's own.
    pub is_session: bool,
    partial: Vec<u8>,
    /// Every line, as it came.
    pub raw: Vec<String>,
    /// Every record, in order.
    pub records: Vec<Record>,
    /// Lines that look like records and are none, with the reason.
    pub garbled: Vec<(String, String)>,
    /// The first line with which the guest gave up.
    pub stop: Option<(Stop, String)>,
}

impl Transcript {
    /// Of a guest that takes commands, or not.
    pub fn new(is_session: bool) -> Self {
        Self { is_session, ..Self::default() }
    }

    /// Takes more output and returns the lines that it completed.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        self.partial.extend_from_slice(bytes);
        let Some(end) = self.partial.iter().rposition(|&byte| byte == b'\n') else { return vec![] };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        let text = String::from_utf8_lossy(&whole);
        text.lines().map(|line| self.take(line)).collect()
    }

    /// Takes what is left of a last line that never ended.
    pub fn finish(&mut self) -> Option<Line> {
        let last = std::mem::take(&mut self.partial);
        (!last.is_empty()).then(|| self.take(&String::from_utf8_lossy(&last)))
    }

    fn take(&mut self, line: &str) -> Line {
        let line = line.trim_end_matches('\r');
        let read = Line::read(line);
        self.raw.push(line.to_owned());
        match &read {
            Line::Record(record) => self.records.push(record.clone()),
            Line::Garbled { line, why } => self.garbled.push((line.clone(), why.clone())),
            Line::Stop(stop, line) if self.stop.is_none() => {
                self.stop = Some((*stop, line.clone()));
            }
            Line::Begun(_) | Line::Text(_) | Line::Stop(..) => {}
        }
        read
    }

    /// What there is of the last line.
    pub fn begun(&self) -> String {
        String::from_utf8_lossy(&self.partial).into_owned()
    }

    /// How often the guest has asked for a command.
    pub fn prompts(&self) -> usize {
        let lines = self.raw.iter().map(String::as_bytes).chain([&self.partial[..]]);
        lines.filter(|line| line.starts_with(monitor::PROMPT.as_bytes())).count()
    }

    /// Whether nothing at all was printed.
    pub fn is_blank(&self) -> bool {
        self.partial.is_empty() && self.raw.iter().all(|line| line.trim().is_empty())
    }

    /// Whether the guest has said all that it is going to say.
    pub fn is_over(&self) -> bool {
        self.stop.is_some() || self.end().is_some()
    }

    /// The closing record.
    pub fn end(&self) -> Option<End> {
        self.bodies().find_map(|(name, body)| match body {
            Body::End(end) if !self.is_session || name == monitor::NAME => Some(*end),
            _ => None,
        })
    }

    /// The record of the machine and its settings.
    pub fn env(&self) -> Option<&Env> {
        self.bodies().find_map(|(_, body)| if let Body::Env(env) = body { Some(env) } else { None })
    }

    /// The verdicts with the names of their rows, in order.
    pub fn verdicts(&self) -> impl Iterator<Item = (&str, &Verdict)> {
        self.bodies().filter_map(|(name, body)| match body {
            Body::Verdict(verdict) => Some((name, verdict)),
            _ => None,
        })
    }

    /// How many rows were measured, judged or not.
    pub fn results(&self) -> usize {
        self.bodies()
            .filter(|(_, body)| !matches!(body, Body::Env(_) | Body::Verdict(_) | Body::End(_)))
            .count()
    }

    fn bodies(&self) -> impl Iterator<Item = (&str, &Body)> {
        self.records.iter().map(|record| (record.name.as_str(), &record.body))
    }

    /// The last `count` lines for people, without blank ones.
    pub fn last_lines(&self, count: usize) -> Vec<&str> {
        let wanted = |line: &&String| !line.trim().is_empty() && !line.starts_with(record::PREFIX);
        let mut lines: Vec<&str> =
            self.raw.iter().rev().filter(wanted).take(count).map(String::as_str).collect();
        lines.reverse();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn transcript(text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        transcript.feed(text.as_bytes());
        transcript.finish();
        transcript
    }

    #[test]
    fn lines_are_told_apart() {
        let env = Body::Env(Env { cpus: 4, ..Env::default() });
        let env = record::line(&Record::new("tacet", env));
        let log = transcript(&format!(
            "Tacet 0.1.0\r\n\r\n{env}\r\n@tacet {{oops\r\n\
             FAULT: stack overflow\r\nPANIC: later\r\n",
        ));
        assert_eq!(log.raw[0], "Tacet 0.1.0");
        assert_eq!(log.env().unwrap().cpus, 4);
        assert_eq!(log.garbled.len(), 1);
        assert_eq!(log.stop, Some((Stop::Fault, "FAULT: stack overflow".into())));
        assert!(log.is_over() && log.end().is_none());
    }

    #[test]
    fn a_mark_counts_only_at_the_start_of_a_line() {
        let log = transcript("no PANIC: here\n the end of @tacet {}\n");
        assert!(log.stop.is_none() && log.records.is_empty() && log.garbled.is_empty());
    }

    #[test]
    fn a_session_goes_on_after_a_suite() {
        let end = |name: &str| record::line(&Record::new(name, Body::End(End { passed: 1, failed: 0 })));
        let mut log = Transcript::new(true);
        log.feed(format!("tacet> suite yield\n{}\ntacet> ", end("yield")).as_bytes());
        assert!(!log.is_over() && log.prompts() == 2 && log.begun() == "tacet> ");
        log.feed(format!("quit\n{}\n", end("console")).as_bytes());
        assert!(log.is_over() && log.prompts() == 2);
    }

    #[test]
    fn the_last_lines_leave_out_records_and_blanks() {
        let log = transcript("one\ntwo\n\n@tacet {}\nthree");
        assert_eq!(log.last_lines(2), ["two", "three"]);
    }

    #[test]
    fn a_record_of_another_version_is_no_record() {
        let mut end = Record::new("tacet", Body::End(End { passed: 1, failed: 0 }));
        end.v += 1;
        let log = transcript(&record::line(&end));
        assert!(log.end().is_none() && log.garbled[0].1.contains("version 2"));
    }

    #[test]
    fn blank_is_nothing_but_line_ends() {
        assert!(transcript("\r\n \n").is_blank());
        assert!(!transcript("x").is_blank());
    }

    proptest! {
        #[test]
        fn how_output_is_cut_does_not_matter(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            size in 1..50usize,
        ) {
            let mut whole = Transcript::default();
            let mut all = whole.feed(&bytes);
            all.extend(whole.finish());
            let mut cut = Transcript::default();
            let mut pieces: Vec<Line> = bytes.chunks(size).flat_map(|piece| cut.feed(piece)).collect();
            pieces.extend(cut.finish());
            prop_assert_eq!(all, pieces);
        }
    }
}
