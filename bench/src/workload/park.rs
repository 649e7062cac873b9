//! `park/colocated`, `/apart`: a ping-pong by park and unpark (a futex ping-pong without the futex).
//!
//! Scenario: two threads on CPU 0, or on CPUs 0 and 1, unpark each other and park. A sample is there and back, halved:
//! one way. Expected on one CPU: 220 instructions, and at most 350. One switch, no interrupt; apart, see `handover`.
//! A miss against `yield` is the price of a block and a wake: the task's state transitions, the run queue's insertion.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::timing::{in_thread, timed};
use super::{Effort, Lab, Place, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;

const LIMIT: u64 = 350;

const PING: u32 = 0;
const PONG: u32 = 1;
const OVER: u32 = 2;

pub fn run<O: Os>(name: &str, place: Place, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let [first, second] = place.specs();
    let mut timed = in_thread::<O, _, _>(&first, move || take_turns::<O>(&second, &effort))??;
    let judgement = place.judge(lab, &mut timed, LIMIT);
    report.latency(timed, &judgement)
}

/// The turn travels by `turn`, which the park token orders; park may return without one, so each looks again.
pub fn take_turns<O: Os>(partner: &Spec<'_>, effort: &Effort) -> Result<Timed, Trouble> {
    let turn = Arc::new(AtomicU32::new(PING));
    let (me, shared) = (O::current(), turn.clone());
    let handle = O::spawn(partner, move || {
        loop {
            match shared.load(Relaxed) {
                PING => O::park(),
                PONG => {
                    shared.store(PING, Relaxed);
                    O::unpark(&me);
                }
                _ => return,
            }
        }
    })?;
    let partner = O::thread(&handle);
    let timed = timed::<O>(effort, 2, || {
        turn.store(PONG, Relaxed);
        O::unpark(&partner);
        while turn.load(Relaxed) != PING {
            O::park();
        }
    });
    turn.store(OVER, Relaxed);
    O::unpark(&partner);
    O::join(handle);
    Ok(timed)
}
