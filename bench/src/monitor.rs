//! The monitor on the serial console: what can be typed, and what is shown.
//!
//! Bytes become lines in the [`editor`], lines become a [`Command`]. What `top` and its like show is made from two
//! [`Sample`]s ([`tables`]). The [`screen`] is shared with the log. All of this knows no kernel, and so is tested on the
//! host.

pub mod command;
pub mod editor;
pub mod sample;
pub mod screen;
pub mod tables;

pub use command::{Command, HELP};
pub use editor::{Editor, Typed};
pub use sample::Sample;
pub use screen::{Screen, Who};

/// What the monitor shows when it waits for a line.
pub const PROMPT: &str = "tacet> ";

/// The name of the record that closes a session's log: of `end` records before it each closes a suite.
pub const NAME: &str = "console";
