//! `tickless/idle`, `/single`, `/pair`: who interrupts a CPU that has nothing to decide.
//!
//! Scenario: no thread; one loop on every CPU; two loops on every CPU. Interrupts of every vector are counted over a
//! second that begins 100 ms after the last thread started, or later: once no CPU was interrupted for 100 ms, for
//! leftover deadlines may fire late on a loaded host; but after a second at the latest, so that a kernel that
//! ticks, and never settles, is found out. Expected: 0, with idle CPUs halted for 99% of the window;
//! 0, with every loop served 99% of its CPU; one timer interrupt a slice and no other.
//! A miss of one or two a CPU: a deadline left over from before, farther away than any slice. Of hundreds: a tick.
//! Of other vectors: kicks that nobody needed. (Linux 6.12: 2 to 10 on an idle CPU, 248 on a busy one.)
//!
//! Who counts must not be counted. With loops, the first loop of every CPU reads its own CPU's counters when the clock
//! passes the window's ends: nothing sleeps, nothing is woken, and nobody leaves before all have read; so no
//! interrupt is excused. With nothing running, one thread, alone on CPU 0, must sleep over the window, reads right before
//! and right after, and excuses one timer interrupt on CPU 0, the one that woke it. That hides no other: a
//! halted CPU leaves its halt only by an interrupt, so if just one came, it was that one.

use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::timing::in_thread;
use super::{Effort, Lab, MS, Tickless, Trouble};
use crate::os::{Counters, Os, SpawnError, Spec};
use crate::report::{Quiet, Report};
use crate::verdict::Judgement;

/// So long nothing may interrupt before the window opens, and so long that is waited for.
const SETTLE_NS: u64 = 100 * MS;
const PATIENCE_NS: u64 = 1_000 * MS;
/// Of an idle CPU's window halted, or of a busy one's served, in percent.
const LEAST: f64 = 99.0;
/// The opening time of a window that is called off.
const OFF: u64 = u64::MAX;

pub fn run<O: Os>(name: &str, what: Tickless, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let cpus = match what {
        Tickless::Idle => in_thread::<O, _, _>(&Spec::new("observer").pinned(0), move || idle::<O>(&effort))?,
        Tickless::Single => busy::<O>(1, &effort)?,
        Tickless::Pair => busy::<O>(2, &effort)?,
    };
    report.interrupts(&cpus, &judge(what, &cpus));
    Ok(())
}

fn judge(what: Tickless, cpus: &[Quiet]) -> Judgement {
    let least = |part: fn(&Quiet) -> f64| cpus.iter().map(part).fold(100.0, f64::min);
    let judgement = Judgement::new();
    match what {
        Tickless::Idle => {
            none(judgement, cpus).at_least("halted", least(Quiet::halted), LEAST, "% on every CPU")
        }
        Tickless::Single => {
            none(judgement, cpus).at_least("served", least(Quiet::served), LEAST, "% on every CPU")
        }
        Tickless::Pair => {
            one_a_slice(judgement, cpus).at_least("served", least(Quiet::served), LEAST, "% on every CPU")
        }
    }
}

fn none(judgement: Judgement, cpus: &[Quiet]) -> Judgement {
    let total: u64 = cpus.iter().map(Quiet::interrupts).sum();
    judgement.check(total == 0, format!("{total} interrupts on {} CPUs, 0 expected", cpus.len()))
}

/// Every interrupt is the timer's, and every timer interrupt ends a slice. A window's ends may cut one off.
fn one_a_slice(judgement: Judgement, cpus: &[Quiet]) -> Judgement {
    let timer: u64 = cpus.iter().map(|cpu| cpu.spent.timer_interrupts).sum();
    let slices: u64 = cpus.iter().map(|cpu| cpu.spent.switches).sum();
    let others = cpus.iter().map(Quiet::interrupts).sum::<u64>().saturating_sub(timer);
    let bearable = cpus.len() as u64 + slices / 50;
    judgement.check(others == 0, format!("{others} interrupts other than the timer's, 0 expected")).check(
        slices > 0 && timer.abs_diff(slices) <= bearable,
        format!("{timer} timer interrupts for {slices} slices, one each expected"),
    )
}

/// All CPUs over a sleep of the caller, which must be alone on CPU 0.
fn idle<O: Os>(effort: &Effort) -> Vec<Quiet> {
    let mut cpus = Vec::with_capacity(O::cpus());
    settle_asleep::<O>(effort);
    let opened = O::now();
    cpus.extend((0..O::cpus()).map(|cpu| Quiet { spent: O::counters(cpu), ..Quiet::default() }));
    O::sleep(effort.second_ns);
    for (cpu, quiet) in cpus.iter_mut().enumerate() {
        quiet.spent = O::counters(cpu).since(&quiet.spent);
    }
    let ns = O::now().saturating_sub(opened);
    for quiet in &mut cpus {
        quiet.ns = ns;
    }
    cpus[0].excused = cpus[0].spent.timer_interrupts.min(1);
    cpus
}

/// Sleeps until a sleep saw no interrupt but the one that ended it.
fn settle_asleep<O: Os>(effort: &Effort) {
    let nap = SETTLE_NS.min(effort.settle_ns);
    let end = O::now() + PATIENCE_NS.min(effort.second_ns);
    let mut seen = all_interrupts::<O>();
    loop {
        O::sleep(nap);
        let now = all_interrupts::<O>();
        if now <= seen + 1 || O::now() > end {
            return;
        }
        seen = now;
    }
}

/// Watches until no CPU is interrupted. The caller runs, and is not.
fn settle_awake<O: Os>(effort: &Effort) {
    let calm = SETTLE_NS.min(effort.settle_ns);
    let mut since = O::now();
    let end = since + PATIENCE_NS.min(effort.second_ns);
    let mut seen = all_interrupts::<O>();
    while O::now() < (since + calm).min(end) {
        let now = all_interrupts::<O>();
        if now != seen {
            (seen, since) = (now, O::now());
        }
    }
}

fn all_interrupts<O: Os>() -> u64 {
    (0..O::cpus()).map(|cpu| O::counters(cpu).interrupts_total).sum()
}

/// Where the loops of all CPUs meet.
#[derive(Default)]
struct Meeting {
    /// Leaders that are there.
    arrived: AtomicUsize,
    /// When the window opens: 0 until all leaders are there.
    opens: AtomicU64,
    /// Leaders whose window is closed. Loops end when all are.
    closed: AtomicUsize,
}

/// All CPUs while `each` loops run on every one of them.
fn busy<O: Os>(each: usize, effort: &Effort) -> Result<Vec<Quiet>, Trouble> {
    let meeting = Arc::new(Meeting::default());
    let mut leaders = Vec::with_capacity(O::cpus());
    let mut trouble = None;
    for cpu in 0..O::cpus() {
        let (meeting, effort) = (meeting.clone(), *effort);
        match O::spawn(&Spec::new("leader").pinned(cpu), move || {
            Meeting::lead::<O>(&meeting, cpu, each, &effort)
        }) {
            Ok(leader) => leaders.push(leader),
            Err(error) => trouble = Some(error),
        }
    }
    if trouble.is_some() {
        meeting.call_off();
    }
    let quiet: Vec<_> = leaders.into_iter().map(O::join).collect();
    if let Some(error) = trouble {
        return Err(error.into());
    }
    let missing = || Trouble::Failed("a loop could not be started".to_string());
    quiet.into_iter().map(|quiet| quiet.ok_or_else(missing)).collect()
}

impl Meeting {
    /// The first loop of `cpu`: starts the others, and reads the CPU's counters at both ends of the window.
    fn lead<O: Os>(meeting: &Arc<Self>, cpu: usize, each: usize, effort: &Effort) -> Option<Quiet> {
        let followers: Result<Vec<_>, SpawnError> = (1..each)
            .map(|_| {
                let meeting = meeting.clone();
                O::spawn(&Spec::new("follower").pinned(cpu), move || meeting.follow::<O>())
            })
            .collect();
        let Ok(followers) = followers else {
            meeting.call_off();
            return None;
        };
        let threads: Vec<O::Thread> = followers.iter().map(O::thread).chain([O::current()]).collect();
        let quiet = meeting.opening::<O>(each, effort).map(|opens| {
            let opening = Self::read_at::<O>(opens, cpu, &threads);
            let closing = Self::read_at::<O>(opens + effort.second_ns, cpu, &threads);
            meeting.closed.fetch_add(1, Relaxed);
            while !meeting.is_over::<O>() {
                O::relax();
            }
            Quiet {
                ns: closing.0.saturating_sub(opening.0),
                spent: closing.1.since(&opening.1),
                served_ns: closing.2.saturating_sub(opening.2),
                excused: 0,
            }
        });
        followers.into_iter().for_each(O::join);
        quiet
    }

    fn follow<O: Os>(&self) {
        while !self.is_over::<O>() {}
    }

    /// Waits until all leaders are there; when the window opens, unless it was called off.
    fn opening<O: Os>(&self, each: usize, effort: &Effort) -> Option<u64> {
        if self.arrived.fetch_add(1, Relaxed) + 1 == O::cpus() {
            // Slices end by interrupts: only single loops get calm.
            if each == 1 {
                settle_awake::<O>(effort);
            }
            let opens = O::now() + SETTLE_NS.min(effort.settle_ns);
            let _ = self.opens.compare_exchange(0, opens, Relaxed, Relaxed);
        }
        loop {
            match self.opens.load(Relaxed) {
                0 => O::relax(),
                OFF => return None,
                opens => return Some(opens),
            }
        }
    }

    /// Loops until `when`; then the time, this CPU's counters, and the CPU time that `threads` got.
    fn read_at<O: Os>(when: u64, cpu: usize, threads: &[O::Thread]) -> (u64, Counters, u64) {
        while O::now() < when {}
        let served = threads.iter().map(|thread| O::usage(thread).cpu_ns).sum();
        (O::now(), O::counters(cpu), served)
    }

    fn call_off(&self) {
        self.opens.store(OFF, Relaxed);
    }

    fn is_over<O: Os>(&self) -> bool {
        self.opens.load(Relaxed) == OFF || self.closed.load(Relaxed) == O::cpus()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Mark;

    /// A CPU that was left alone for a second, halted or served throughout.
    fn quiet(served: bool) -> Quiet {
        let (served_ns, halted_ns) = if served { (1_000 * MS, 0) } else { (0, 1_000 * MS) };
        Quiet { ns: 1_000 * MS, spent: Counters { halted_ns, ..Counters::default() }, served_ns, excused: 0 }
    }

    fn paired(timer_interrupts: u64, interrupts_total: u64, switches: u64) -> Quiet {
        Quiet {
            spent: Counters { switches, timer_interrupts, interrupts_total, ..Counters::default() },
            ..quiet(true)
        }
    }

    fn mark(what: Tickless, cpus: &[Quiet]) -> Mark {
        judge(what, cpus).mark()
    }

    #[test]
    fn one_interrupt_on_one_cpu_fails() {
        for (what, served) in [(Tickless::Idle, false), (Tickless::Single, true)] {
            let mut cpus = [quiet(served); 4];
            assert_eq!(mark(what, &cpus), Mark::Ok);
            cpus[3].spent.interrupts_total = 1;
            assert_eq!(mark(what, &cpus), Mark::Fail);
            cpus[3].excused = 1;
            assert_eq!(mark(what, &cpus), Mark::Ok);
        }
    }

    #[test]
    fn a_cpu_that_polls_or_serves_others_fails() {
        let mut idle = [quiet(false); 2];
        idle[1].spent.halted_ns = 989 * MS;
        assert_eq!(mark(Tickless::Idle, &idle), Mark::Fail);
        let mut single = [quiet(true); 2];
        single[0].served_ns = 989 * MS;
        assert_eq!(mark(Tickless::Single, &single), Mark::Fail);
    }

    #[test]
    fn a_pair_has_one_timer_interrupt_a_slice_and_no_other() {
        assert_eq!(mark(Tickless::Pair, &[paired(100, 100, 100); 2]), Mark::Ok);
        assert_eq!(mark(Tickless::Pair, &[paired(101, 101, 100); 2]), Mark::Ok);
        assert_eq!(mark(Tickless::Pair, &[paired(200, 200, 100); 2]), Mark::Fail, "a tick");
        assert_eq!(mark(Tickless::Pair, &[paired(100, 101, 100); 2]), Mark::Fail, "a kick");
        assert_eq!(mark(Tickless::Pair, &[paired(0, 0, 0); 2]), Mark::Fail, "nobody preempts");
    }
}
