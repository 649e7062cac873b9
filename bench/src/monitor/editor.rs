//! From bytes to lines: as much of line editing as a line without history needs.
//!
//! Whatever comes in, line noise included, does no more than spoil the line that it's in.

use alloc::string::String;
use core::mem;

/// The longest line.
pub const MOST: usize = 120;

const INTERRUPT: u8 = 0x03; // ^C
const END: u8 = 0x04; // ^D
const BACKSPACE: u8 = 0x08;
const KILL: u8 = 0x15; // ^U
const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;

/// Takes the last letter off the screen.
const RUB_OUT: &str = "\x08 \x08";

/// A line that is being typed.
#[derive(Debug, Default)]
pub struct Editor {
    text: String,
    /// Whether more was typed than there is room for.
    is_too_long: bool,
    /// Whether the last byte was a CR: an LF after it ends no further line.
    after_return: bool,
    escape: Escape,
}

/// How far into what a function key sends (ECMA-48, 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    Outside,
    /// After the escape.
    Begun,
    /// After `ESC [` or `ESC O`, up to a final byte.
    Inside,
}

/// What a byte made of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing yet.
    More,
    /// It's complete.
    Line(String),
    /// It's complete, and was longer than [`MOST`].
    TooLong,
    /// It was given up: ^C.
    Dropped,
    /// There won't be another: ^D on an empty line.
    End,
}

impl Editor {
    /// The line so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes a byte, and adds to `echo` what the screen must show for it.
    pub fn take(&mut self, byte: u8, echo: &mut String) -> Typed {
        let after_return = mem::take(&mut self.after_return);
        if self.is_escaped(byte) {
            return Typed::More;
        }
        match byte {
            b'\r' | b'\n' if after_return && byte == b'\n' => {}
            b'\r' | b'\n' => return self.complete(byte, echo),
            BACKSPACE | DELETE => self.rub_out(1, echo),
            KILL => self.rub_out(MOST, echo),
            INTERRUPT => return self.drop_line(echo),
            END if self.text.is_empty() => return Typed::End,
            ESCAPE => self.escape = Escape::Begun,
            b' '..=b'~' => self.append(byte, echo),
            _ => {}
        }
        Typed::More
    }

    /// Whether the byte belongs to an escape sequence.
    fn is_escaped(&mut self, byte: u8) -> bool {
        let was = self.escape;
        self.escape = match (was, byte) {
            (Escape::Begun, b'[' | b'O') | (Escape::Inside, b' '..=b'?') => Escape::Inside,
            _ => Escape::Outside,
        };
        // A control character ends a sequence that was cut short, and counts.
        was != Escape::Outside && byte >= b' '
    }

    fn append(&mut self, byte: u8, echo: &mut String) {
        if self.text.len() == MOST {
            self.is_too_long = true;
            return;
        }
        self.text.push(char::from(byte));
        echo.push(char::from(byte));
    }

    fn rub_out(&mut self, most: usize, echo: &mut String) {
        self.is_too_long = false;
        for _ in 0..most {
            if self.text.pop().is_some() {
                echo.push_str(RUB_OUT);
            }
        }
    }

    fn complete(&mut self, byte: u8, echo: &mut String) -> Typed {
        self.after_return = byte == b'\r';
        echo.push('\n');
        let text = mem::take(&mut self.text);
        if mem::take(&mut self.is_too_long) { Typed::TooLong } else { Typed::Line(text) }
    }

    fn drop_line(&mut self, echo: &mut String) -> Typed {
        self.text.clear();
        self.is_too_long = false;
        echo.push_str("^C\n");
        Typed::Dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// What the bytes make of an empty line, and what the screen shows.
    fn typed(bytes: &[u8]) -> (Vec<Typed>, String) {
        let (mut editor, mut echo) = (Editor::default(), String::new());
        let all = bytes.iter().map(|&byte| editor.take(byte, &mut echo));
        (all.filter(|typed| *typed != Typed::More).collect(), echo)
    }

    fn lines(bytes: &[u8]) -> Vec<Typed> {
        typed(bytes).0
    }

    fn line(text: &str) -> Typed {
        Typed::Line(text.into())
    }

    #[test]
    fn a_line_ends_with_either_or_both() {
        assert_eq!(lines(b"top\rcpus\nquit\r\n\n"), [line("top"), line("cpus"), line("quit"), line("")]);
        assert_eq!(typed(b"top\r").1, "top\n");
    }

    #[test]
    fn letters_are_taken_back() {
        assert_eq!(lines(b"topp\x7f\r"), [line("top")]);
        assert_eq!(lines(b"\x08\x08a\x08b\r"), [line("b")]);
        assert_eq!(lines(b"nonsense\x15top\r"), [line("top")]);
        assert_eq!(typed(b"ab\x15\x7f").1, "ab\x08 \x08\x08 \x08");
    }

    #[test]
    fn a_line_is_dropped() {
        assert_eq!(lines(b"nonsense\x03top\r"), [Typed::Dropped, line("top")]);
        assert_eq!(typed(b"x\x03").1, "x^C\n");
    }

    #[test]
    fn the_end_is_the_end_of_an_empty_line_only() {
        assert_eq!(lines(b"\x04"), [Typed::End]);
        assert_eq!(lines(b"to\x04p\r"), [line("top")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_none() {
        let just = [b'x'; MOST];
        assert_eq!(lines(&[&just[..], b"\r"].concat()), [line(&"x".repeat(MOST))]);
        assert_eq!(lines(&[&just[..], b"y\rtop\r"].concat()), [Typed::TooLong, line("top")]);
        assert_eq!(lines(&[&just[..], b"y\x15top\r"].concat()), [line("top")]);
    }

    #[test]
    fn keys_that_mean_nothing_do_nothing() {
        assert_eq!(lines(b"t\x1b[Ao\x1bOPp\x1b[15~\0\xff\xc3\xa4\x01\r"), [line("top")]);
        assert_eq!(lines(b"\x1b[\rtop\r"), [line(""), line("top")]);
    }

    proptest! {
        #[test]
        fn noise_spoils_the_line_that_it_is_in_and_no_other(noise in proptest::collection::vec(any::<u8>(), 0..500)) {
            let (mut editor, mut echo) = (Editor::default(), String::new());
            for &byte in noise.iter().chain(b"\r") {
                let _ = editor.take(byte, &mut echo);
                prop_assert!(editor.text().len() <= MOST && editor.text().bytes().all(|b| (b' '..=b'~').contains(&b)));
            }
            prop_assert!(echo.chars().all(|shown| shown == '\n' || shown == '\x08' || (' '..='~').contains(&shown)));
            let all: Vec<Typed> = b"top\r".iter().map(|&byte| editor.take(byte, &mut echo)).collect();
            prop_assert_eq!(all.last(), Some(&line("top")));
        }
    }
}
