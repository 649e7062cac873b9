//! What a machine does to a kernel without breaking it: interrupts that nobody expects, others that never come, errors of a
//! local APIC, a clock that jumps, clocks that differ. The run goes on.

use core::sync::atomic::{AtomicU64, Ordering};

use alloc::sync::Arc;

use arch::apic::plant::{self, send_spurious, taken_spurious};
use arch::{apic, clock, smp};
use sched::{CpuId, Nanos};

use crate::local::{Local, now};
use crate::thread::{Builder, park, sleep};
use crate::{machine, println, watchdog};

/// Interrupts sent that nobody expects.
static SENT: AtomicU64 = AtomicU64::new(0);

/// Between three of them and the next: thousands a second.
const PAUSE: Nanos = Nanos(200_000);

/// The CPU that all of this is done to, but for [`bombard`].
fn last_cpu() -> u32 {
    Local::here().shared.cpus() as u32 - 1
}

/// Has the last CPU send the first one, where the row `vectors` computes, interrupts for as long as the run lasts.
pub fn bombard() {
    let made = Builder::new("bombardier").pinned(CpuId(last_cpu())).spawn(|| {
        loop {
            SENT.fetch_add(send_spurious(0), Ordering::Relaxed);
            sleep(PAUSE);
        }
    });
    drop(made.expect("there is room for a thread"));
}

/// Says that they came, of each kind: one that isn't ended holds off those after it.
pub fn count() {
    let (sent, taken) = (SENT.load(Ordering::Relaxed), taken_spurious(0));
    let enough = taken.iter().all(|of_a_kind| *of_a_kind > 300) && taken.iter().sum::<u64>() <= sent + 3;
    assert!(enough, "{sent} interrupts that nobody expects were sent, of three kinds, and {taken:?} taken");
    println!("planted    interrupts that nobody expects: thousands sent, survived and counted");
}

/// Has a local APIC send what none may. One that says nothing of it gets the report sent that it owes.
pub fn complain() {
    const A_WHILE: Nanos = Nanos(10_000_000);
    for cpu in 0..=last_cpu() {
        let asker = Builder::new("asker").pinned(CpuId(cpu)).spawn(apic::reports_errors);
        let reports = asker.expect("there is room for a thread").join();
        assert!(reports, "CPU {cpu} isn't interrupted for errors of its local APIC");
    }
    let (before, _) = apic::errors();
    let silent = plant::send_illegal();
    if silent.is_some() {
        plant::send_error();
    }
    sleep(A_WHILE);
    let (reports, causes) = apic::errors();
    assert_eq!(reports - before, 1, "one error of a local APIC was planted");
    match silent {
        None => println!("planted    a vector that none may send was reported: {causes}"),
        Some(status) => println!(
            "planted    a vector that none may send was not reported (status: {status}): a report was sent"
        ),
    }
}

/// Loses all kicks of one CPU until the watchdog has noticed; a thread there must get every wake nevertheless.
pub fn lose_kicks() {
    const LEAST_ROUNDS: u64 = 5;
    const MOST_ROUNDS: u64 = 30;
    let done = Arc::new(AtomicU64::new(0));
    let counter = done.clone();
    let answerer = Builder::new("answerer").pinned(CpuId(last_cpu())).spawn(move || {
        loop {
            park();
            // Release: pairs with the Acquire below.
            counter.fetch_add(1, Ordering::Release);
        }
    });
    let answerer = answerer.expect("there is room for a thread");
    plant::lose_kicks(last_cpu());
    let mut rounds = 0;
    while rounds < LEAST_ROUNDS || (watchdog::lost_kicks() == 0 && rounds < MOST_ROUNDS) {
        sleep(Nanos(1_000_000));
        answerer.thread().unpark();
        rounds += 1;
        // Acquire: pairs with the Release above.
        while done.load(Ordering::Acquire) < rounds {
            sleep(Nanos(1_000_000));
        }
    }
    plant::deliver_kicks(last_cpu());
    assert!(watchdog::lost_kicks() > 0, "{rounds} kicks were lost, and no CPU noticed");
    println!("planted    kicks were lost, and every wake came");
}

/// Makes the clock jump a second ahead and back again, while threads sleep and run.
pub fn jump() {
    const SECOND: u64 = 1_000_000_000;
    let naps = Arc::new(AtomicU64::new(0));
    let counter = naps.clone();
    let napper = Builder::new("napper").spawn(move || {
        loop {
            sleep(Nanos(5_000_000));
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    drop(napper.expect("there is room for a thread"));
    let ways: [(&str, fn()); 2] =
        [("ahead", || clock::plant::jump_ahead(SECOND)), ("back", clock::plant::jump_back)];
    for (way, jump) in ways {
        let (naps_before, before) = (naps.load(Ordering::Relaxed), now());
        jump();
        let after = now();
        // Asleep while the clock jumped, or about to sleep: either way it comes back.
        while naps.load(Ordering::Relaxed) < naps_before + 10 {
            sleep(Nanos(1_000_000));
        }
        let jumped = after.since(before).0.max(before.since(after).0);
        assert!(jumped > SECOND / 2, "the clock jumped by {jumped} ns only");
        println!("planted    the clock jumped {way}, and every sleeper came back");
    }
}

/// Makes sure that there was a skew to find.
pub fn compare() {
    let found = smp::skews().any(|(_, skew)| skew.was != 0);
    machine::or_bad_input(if found {
        Ok(())
    } else {
        Err("plant=skew: the TSCs of this machine can't be set")
    });
}
