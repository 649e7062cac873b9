//! What is typed to a guest that takes commands: by the user, by whatever is piped in, or by a boot test.
//!
//! Nothing is sent before the guest asks for it: what comes while it boots would be lost. After that QEMU holds back what
//! the guest has no room for.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ChildStdin;
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::interrupt;

/// Ends the machine, since Ctrl-C is the guest's: telnet's Ctrl-].
const LEAVE: u8 = 0x1d;

/// Ends a line that may have been begun, and then the session: ^D.
const END: &[u8] = b"\r\x04";

/// Who types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typist {
    /// Whoever has this program's standard input.
    User,
    /// A boot test: one line each time that the guest asks.
    Script(Vec<String>),
}

/// Whether there's a terminal to type at.
pub fn is_typed() -> bool {
    io::stdin().is_terminal()
}

/// Sends what is typed once it's asked for.
pub struct Feeder {
    /// The guest's; gone once it's a thread's.
    pipe: Option<ChildStdin>,
    lines: VecDeque<String>,
    /// Lines sent so far.
    sent: usize,
    is_script: bool,
    /// Back to what it was when this ends.
    _terminal: Option<Letters>,
}

impl Feeder {
    /// Types what `typist` says into `pipe`.
    pub fn new(typist: Typist, pipe: ChildStdin) -> Self {
        let (is_script, lines) = match typist {
            Typist::User => (false, VecDeque::new()),
            Typist::Script(lines) => (true, lines.into()),
        };
        let terminal = if is_script { None } else { Letters::take() };
        Self { pipe: Some(pipe), lines, sent: 0, is_script, _terminal: terminal }
    }

    /// The guest has asked so many times.
    pub fn feed(&mut self, prompts: usize) {
        if prompts <= self.sent {
            return;
        }
        if self.is_script {
            self.send_line();
        } else if let Some(pipe) = self.pipe.take() {
            thread::spawn(move || forward(pipe));
        }
    }

    fn send_line(&mut self) {
        if let (Some(pipe), Some(line)) = (&mut self.pipe, self.lines.pop_front()) {
            self.sent += 1;
            // A guest that is gone is noticed elsewhere.
            let _ = pipe.write_all(format!("{line}\r").as_bytes()).and_then(|()| pipe.flush());
        }
    }
}

/// Passes on what comes in, to its end or the guest's.
fn forward(mut pipe: ChildStdin) {
    let mut bytes = [0; 256];
    while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
        if is_typed() && bytes[..count].contains(&LEAVE) {
            return interrupt::ask();
        }
        if pipe.write_all(&bytes[..count]).and_then(|()| pipe.flush()).is_err() {
            return;
        }
    }
    let _ = pipe.write_all(END);
}

/// A terminal that gives letters as they are typed, and leaves it to the guest to show them.
struct Letters(Termios);

impl Letters {
    /// `None` where the standard input is no terminal.
    fn take() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut letters = before.clone();
        letters
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        tcsetattr(io::stdin(), OptionalActions::Now, &letters).ok()?;
        Some(Self(before))
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
