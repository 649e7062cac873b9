//! Interrupts between CPUs, counted: none is sent to a CPU that will look by itself, and one where none would.
//!
//! A kick too many breaks nothing that the other tests look at, so it's counted here.

use super::machine::{Idle, Machine};
use crate::affinity::Affinity;
use crate::config::Config;
use crate::id::CpuId;
use crate::shared::Shared;
use crate::task::Spec;

const US: u64 = 1_000;

fn pinned(cpu: u32) -> Spec {
    Spec { affinity: Affinity::one(CpuId(cpu)), ..Spec::default() }
}

/// Kicks sent and saved by CPU 0, and those that the machine carried.
fn counts(machine: &Machine<'_>) -> (u64, u64, u64) {
    let stats = &machine.shared.mailbox(CpuId(0)).stats;
    (stats.kicks_sent.get(), stats.kicks_saved.get(), machine.kicks)
}

/// Two loops take turns on CPU 1, whose timer is armed for that. CPU 0 sends it a third task at `before` ns
/// before it fires: the kicks that this sends and saves.
fn sent_before_a_deadline(before: u64) -> (u64, u64) {
    let shared = Shared::new(2, 6, Config::default());
    let mut machine = Machine::new(&shared, 2, Idle::Halts);
    for cpu in [0, 1, 1] {
        machine.start(0, pinned(cpu));
    }
    machine.settle();
    let (deadline, start) = (machine.cpus[1].armed().0, counts(&machine));
    machine.now = deadline - before;
    let third = machine.start(0, pinned(1));
    let (sent, saved, carried) = counts(&machine);
    assert_eq!(carried - start.2, sent - start.0, "what is counted is what is sent");
    machine.settle();
    machine.run_until(deadline);
    assert_eq!(shared.task(third.index()).cpu(), CpuId(1), "nobody looked");
    (sent - start.0, saved - start.1)
}

/// Catches: a notice that isn't published when the timer is armed for a running task; a waker that trusts no timer, or
/// any.
#[test]
fn a_cpu_whose_timer_fires_within_20_us_is_not_kicked() {
    for (before, kicks) in [(1, 0), (10 * US, 0), (19 * US, 0), (21 * US, 1), (1_000 * US, 1)] {
        assert_eq!(sent_before_a_deadline(before), (kicks, 1 - kicks), "{before} ns before it looks");
    }
}
