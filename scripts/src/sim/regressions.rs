//! Cases that went wrong once, here or in another scheduler, by name: each fails if its cure is taken out.
//!
//! To add one, let `cargo xtask sim` print the shrunk case (or write one), put a function that makes it here, and
//! name it in [`ALL`]. A case violates an invariant by itself where one covers it; what only a count shows, such as
//! a storm of interrupts, is judged by `also`.

use super::case::Case;
use super::machine::Machine;
use super::measure::Outcome;
use super::program::{Cpus, Plan, Span, Step};

/// A case that must never go wrong again.
pub struct Regression {
    /// What it's called.
    pub name: &'static str,
    /// Where it was seen: a link, or a seed and the commit that cured it.
    pub source: &'static str,
    /// What would be seen without the cure.
    pub violation: &'static str,
    /// The case.
    pub case: fn() -> Case,
    /// What must hold beside the invariants.
    pub also: fn(&Outcome) -> Result<(), String>,
}

/// For cases that the invariants judge.
#[expect(clippy::unnecessary_wraps, reason = "others find something")]
pub fn nothing_else(_: &Outcome) -> Result<(), String> {
    Ok(())
}

/// All of them.
pub const ALL: &[Regression] = &[
    Regression {
        name: "a-sleeper-woken-early-sleeps-on",
        source: "the simulator, while it was written: a wake before the timer left the sleeper blocked for ever",
        violation: "TimerArmed: the sleeper sleeps on, and no timer is armed for it",
        case: woken_early,
        also: nothing_else,
    },
    Regression {
        name: "many-that-idle-at-once-are-all-fed-soon",
        source: "a storm on 834 CPUs, seed 17: questions went from each CPU to the next",
        violation: "WorkConserving: the last of 64 idle CPUs waits until 63 others have passed its question on",
        case: many_idle_at_once,
        also: nothing_else,
    },
    Regression {
        name: "a-question-disturbs-only-who-can-help",
        source: "the same storm: beyond 64 CPUs, any of a group of CPUs was taken for the one that idles",
        violation: "each time that a CPU idles 60 others are interrupted that can't help it",
        case: beyond_their_reach,
        also: few_kicks,
    },
    Regression {
        name: "a-stall-ends-before-the-next-begins",
        source: "`sim --rough`, seed 1: a stall foreseen for the time of another one followed it without a gap",
        violation: "TimerArmed: the sleeper is woken later than the longest stall explains",
        case: stalled_often,
        also: nothing_else,
    },
];

/// One thread sleeps; another one wakes it again and again before its time.
fn woken_early() -> Case {
    let sleeper = Plan::repeat(vec![Step::Sleep(Span::micros(900, 1_100)), Step::Run(Span::micros(1, 5))]);
    let waker = Plan::repeat(vec![Step::Run(Span::micros(50, 400)), Step::Wake(0)]);
    Case::new("woken early", 2, vec![sleeper, waker])
}

/// 64 CPUs have two threads each when 64 others run dry at the same time.
fn many_idle_at_once() -> Case {
    const DRY_AT: u64 = 10_000_000;
    // So heavy that balance takes nothing there.
    let ends = |cpu: u32| {
        let start = u64::from(cpu) * 1_000;
        let runs = Step::Run(Span::exactly(DRY_AT - start));
        Plan { start, ..Plan::once(vec![runs]).on(Cpus::One(cpu)).weighing(16) }
    };
    let stay = (0..128).map(|number| loop_from(64 + number / 2, number, Cpus::Any));
    let threads = (0..64).map(ends).chain(stay).collect();
    Case { window: 20_000_000, ..Case::new("many idle at once", 128, threads) }
}

/// One CPU idles a thousand times a second; on others threads wait that may run everywhere but there.
fn beyond_their_reach() -> Case {
    const CPUS: u32 = 256;
    let half = Span::exactly(500_000);
    let comer = Plan::repeat(vec![Step::Run(half), Step::Sleep(half)]).on(Cpus::One(1));
    let busy = (2..CPUS).map(|cpu| Plan::looping().on(Cpus::One(cpu)));
    let waiting = (0..60).map(|number| loop_from(100 + number, number, Cpus::Range(2, CPUS)));
    let threads = busy.chain(waiting).chain([comer]).collect();
    Case { settle: 50_000_000, window: 50_000_000, ..Case::new("out of reach", CPUS as usize, threads) }
}

/// A CPU on which one thread sleeps most of the time is stalled again and again: far more often than on a rough machine.
fn stalled_often() -> Case {
    let sleeper = Plan::repeat(vec![Step::Run(Span::micros(1, 5)), Step::Sleep(Span::micros(50, 1_000))]);
    let machine = Machine { stall_every: 2_000_000, ..Machine::rough() };
    Case { machine, window: 5_000_000_000, ..Case::new("stalled often", 1, vec![sleeper]) }
}

/// The `number`th of some loops, each of which begins on a CPU and may then run where `cpus` says.
fn loop_from(cpu: u32, number: u32, cpus: Cpus) -> Plan {
    let steps = vec![Step::Run(Span::micros(1, 2)), Step::Pin { thread: None, cpus }, Step::Loop];
    Plan { start: 1_000_000 + u64::from(number) * 1_000, ..Plan::once(steps).on(Cpus::One(cpu)) }
}

/// Some for balance, and none for questions.
fn few_kicks(outcome: &Outcome) -> Result<(), String> {
    let sent: u64 = outcome.window.cpus.iter().map(|cpu| cpu.kicks_sent).sum();
    if sent < 300 { Ok(()) } else { Err(format!("{sent} interrupts between CPUs")) }
}

impl Regression {
    /// Runs it.
    ///
    /// # Errors
    /// What came back.
    pub fn run(&self) -> Result<Outcome, String> {
        let outcome = (self.case)().run().map_err(|violation| violation.to_string());
        let judged = outcome.and_then(|outcome| (self.also)(&outcome).map(|()| outcome));
        judged.map_err(|why| {
            format!(
                "{} is back ({}): {why}; expected without the cure: {}",
                self.name, self.source, self.violation
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_back() {
        for regression in ALL {
            if let Err(why) = regression.run() {
                panic!("{why}");
            }
        }
    }
}
