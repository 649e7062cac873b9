//! `handover/colocated`, `/apart`, `/free`: a token under a mutex and a condition variable (OSv `misc-ctxsw`).
//!
//! Scenario: the token goes back and forth between two threads: both on CPU 0; on CPUs 0 and 1; wherever the kernel
//! puts them. A sample is there and back, halved: one hand-over. Expected on one CPU: 300 instructions, 450 at most,
//! one switch, no interrupt. Apart, each hand-over wakes an idle CPU, which costs what `wake/*` says, and is two
//! switches: to idle, and back. Under `-icount` the two virtual CPUs run in turns, so the time informs there.
//! A miss on one CPU: two switches a hand-over mean that the notified thread ran before the mutex was free. Four apart:
//! that, or a lock convoy as in `mutex/contended`. Free much
//! dearer than colocated: wake-up placement throws the pair apart.

use alloc::sync::Arc;

use super::timing::{in_thread, timed};
use super::{Effort, Lab, Place, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;

const LIMIT: u64 = 450;

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ping,
    Pong,
    Over,
}

/// The token. One condition variable for each side, so that a notification wakes whom it means.
struct Table<O: Os> {
    turn: O::Mutex<Turn>,
    to_ping: O::Condvar,
    to_pong: O::Condvar,
}

pub fn run<O: Os>(name: &str, place: Place, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let [first, second] = place.specs();
    let mut timed = in_thread::<O, _, _>(&first, move || pass_token::<O>(&second, &effort))??;
    let judgement = place.judge(lab, &mut timed, LIMIT);
    report.latency(timed, &judgement)
}

fn pass_token<O: Os>(partner: &Spec<'_>, effort: &Effort) -> Result<Timed, Trouble> {
    let table =
        Arc::new(Table::<O> { turn: O::mutex(Turn::Ping), to_ping: O::condvar(), to_pong: O::condvar() });
    let other = table.clone();
    let partner = O::spawn(partner, move || while other.pong() {})?;
    let timed = timed::<O>(effort, 2, || table.ping());
    *O::lock(&table.turn) = Turn::Over;
    O::notify_one(&table.to_pong);
    O::join(partner);
    Ok(timed)
}

impl<O: Os> Table<O> {
    /// Hands the token over and waits until it is back.
    fn ping(&self) {
        let mut turn = O::lock(&self.turn);
        *turn = Turn::Pong;
        O::notify_one(&self.to_pong);
        while *turn != Turn::Ping {
            turn = O::wait(&self.to_ping, &self.turn, turn);
        }
    }

    /// Waits for the token and hands it back; false when the game is over.
    fn pong(&self) -> bool {
        let mut turn = O::lock(&self.turn);
        while *turn == Turn::Ping {
            turn = O::wait(&self.to_pong, &self.turn, turn);
        }
        if *turn == Turn::Over {
            return false;
        }
        *turn = Turn::Ping;
        O::notify_one(&self.to_ping);
        true
    }
}
