//! One screen for two: the log's lines stay whole whatever the monitor writes, and the monitor's whatever the log writes.
//!
//! The log may have begun a line (a row's name stands there while it's measured), and so may the monitor (the prompt, and
//! what was typed so far). Who finds the other's line unfinished leaves it there, and goes on below. The log repeats its own
//! first, so that the line is complete when it ends.

use arrayvec::ArrayString;

/// Of a line that the log has begun, so much is repeated: no row's name is longer.
const KEPT: usize = 100;

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The log.
    Log,
    /// The monitor.
    Monitor,
}

/// Where the cursor is.
#[derive(Debug)]
pub struct Screen {
    /// Whose line is unfinished where the cursor is; `None` at the start of a line.
    at: Option<Who>,
    /// What the log has of a line that it has begun.
    begun: ArrayString<KEPT>,
}

impl Screen {
    /// Nothing was written yet.
    pub const fn new() -> Self {
        Self { at: None, begun: ArrayString::new_const() }
    }

    /// Writes for the log, by `out`.
    pub fn log(&mut self, text: &str, mut out: impl FnMut(&str)) {
        if text.is_empty() {
            return;
        }
        if self.at != Some(Who::Log) {
            self.end_line(&mut out);
            out(&self.begun);
        }
        out(text);
        self.keep(text);
        self.at = (!text.ends_with('\n')).then_some(Who::Log);
    }

    /// Writes for the monitor, by `out`. If its line was left, `line` is what it had of it.
    pub fn monitor(&mut self, line: &str, text: &str, mut out: impl FnMut(&str)) {
        if self.at != Some(Who::Monitor) {
            self.end_line(&mut out);
            out(line);
            self.note(line);
        }
        out(text);
        self.note(text);
    }

    /// Ends whatever line is unfinished: who had it goes on with it below, as if the other had written.
    pub fn leave_line(&mut self, mut out: impl FnMut(&str)) {
        self.end_line(&mut out);
    }

    fn note(&mut self, text: &str) {
        if !text.is_empty() {
            self.at = (!text.ends_with('\n')).then_some(Who::Monitor);
        }
    }

    fn end_line(&mut self, out: &mut impl FnMut(&str)) {
        if self.at.take().is_some() {
            out("\n");
        }
    }

    /// Keeps what the log has of its last line.
    fn keep(&mut self, text: &str) {
        let (ended, rest) = text.rsplit_once('\n').map_or((false, text), |(_, rest)| (true, rest));
        if ended {
            self.begun.clear();
        }
        let room = rest.floor_char_boundary(self.begun.remaining_capacity());
        self.begun.push_str(&rest[..room]);
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    /// `l…` is the log's, `m…` the monitor's after `> `.
    fn shown(pieces: &[&str]) -> String {
        let (mut screen, mut shown) = (Screen::new(), String::new());
        for piece in pieces {
            let (who, text) = piece.split_at(1);
            let out = |text: &str| shown.push_str(text);
            if who == "l" { screen.log(text, out) } else { screen.monitor("> ", text, out) }
        }
        shown
    }

    #[test]
    fn alone_each_writes_what_it_writes() {
        assert_eq!(shown(&["lone\n", "ltw", "lo\n"]), "one\ntwo\n");
        assert_eq!(shown(&["m", "mt", "mop\n", "mdone\n", "m"]), "> top\n> done\n> ");
    }

    #[test]
    fn the_log_goes_on_with_its_line_below() {
        assert_eq!(shown(&["lyield   ", "mto", "l184 ns\n"]), "yield   \n> to\nyield   184 ns\n");
        assert_eq!(shown(&["lyield   ", "m!\n", "l184 ns\n"]), "yield   \n> !\nyield   184 ns\n");
    }

    #[test]
    fn the_monitor_goes_on_with_its_own_when_something_is_typed() {
        assert_eq!(shown(&["mto", "lone\n", "ltwo\n", "mp\n"]), "> to\none\ntwo\n> p\n");
    }

    #[test]
    fn a_third_gets_a_line_of_its_own() {
        let (mut screen, mut shown) = (Screen::new(), String::new());
        screen.log("yield   ", |text| shown.push_str(text));
        screen.leave_line(|text| shown.push_str(text));
        shown.push_str("NMI\n");
        screen.log("184 ns\n", |text| shown.push_str(text));
        assert_eq!(shown, "yield   \nNMI\nyield   184 ns\n");
    }

    #[test]
    fn a_line_too_long_to_keep_is_cut() {
        let long = "ä".repeat(KEPT);
        let text = shown(&[&std::format!("l{long}"), "m\n", "l\n"]);
        assert!(text.ends_with(&std::format!("> \n{}\n", "ä".repeat(KEPT / 2))));
    }

    proptest! {
        #[test]
        fn every_line_that_the_log_ends_is_there_whole(
            pieces in proptest::collection::vec(("[lm]", "[a-z]{0,3}", any::<bool>()), 0..60),
        ) {
            let texts: Vec<String> =
                pieces.iter().map(|(who, text, ends)| std::format!("{who}{text}{}", if *ends { "\n" } else { "" })).collect();
            let shown = shown(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            let log: String = texts.iter().filter_map(|text| text.strip_prefix('l')).collect();
            let (ended, _) = log.rsplit_once('\n').unwrap_or_default();
            let mut lines = shown.lines();
            for wanted in ended.lines().filter(|line| line.len() < KEPT) {
                prop_assert!(lines.any(|line| line == wanted), "{:?} of {:?}", wanted, shown);
            }
        }
    }
}
