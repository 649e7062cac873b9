//! The monitor: a thread that does what is typed on the serial console. `console=on` starts it.
//!
//! It's a thread like any other, parked while nothing is typed. Bytes come by an interrupt ([`input`]), lines and commands
//! are made of them by `bench`, [`act`] carries them out, [`survey`] looks around for `top`.

mod act;
mod input;
mod loops;
mod session;
mod survey;

use alloc::format;
use alloc::string::String;

use arch::acpi::Acpi;
use arch::serial;
use bench::monitor::editor::MOST;
use bench::monitor::{Editor, PROMPT, Typed};

use crate::local::Local;
use crate::thread::{Builder, names};
use crate::{console, facts, machine, suite};
use act::Monitor;
pub use input::{take as take_input, wake};

/// It formats tables.
const STACK: usize = 64 << 10;

/// Makes the thread. Called by boot, with interrupts off.
pub fn spawn(acpi: &Acpi) {
    names::keep(Local::here().shared);
    let made = Builder::new("console").stack_size(STACK).spawn(run);
    let made = made.expect("the first thread finds a free slot and memory for its stack");
    let routed = input::route(acpi, made.thread().task());
    machine::or_bad_input(routed.map_err(|error| format!("console=on: {error}")));
}

fn run() {
    suite::guard(facts::options());
    let mut monitor = Monitor::new();
    monitor.begin();
    let mut editor = Editor::default();
    prompt();
    serial::listen();
    loop {
        take(&mut editor, &mut monitor);
    }
}

/// Waits for a byte, and does what it asks for.
fn take(editor: &mut Editor, monitor: &mut Monitor) {
    let byte = input::next();
    let line = format!("{PROMPT}{}", editor.text());
    let mut echo = String::new();
    let typed = editor.take(byte, &mut echo);
    console::monitor(&line, format_args!("{echo}"));
    match typed {
        Typed::More => return,
        Typed::Line(line) => monitor.obey(&line),
        Typed::TooLong => act::say(format_args!("a line has {MOST} letters at most\n")),
        Typed::Dropped => {}
        Typed::End => {
            console::monitor("", format_args!("\n"));
            monitor.obey("quit");
        }
    }
    prompt();
}

fn prompt() {
    console::monitor("", format_args!("{PROMPT}"));
}
