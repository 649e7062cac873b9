//! Everything at once: what no single CPU's events can show.

use sched::attention::Notice;

use super::place::Place;
use super::{Invariant, Violation};
use crate::sim::world::{BOOT, Doing, Phase, World};

/// Time is summed up once in so many sweeps: it's kept or lost, and what is lost stays lost.
const SWEEPS_A_SUM: usize = 16;

impl World<'_> {
    /// Checks every CPU and every thread.
    pub(super) fn sweep(&mut self) -> Result<(), Violation> {
        for cpu in 0..self.cpus.len() {
            self.check_attention(cpu)?;
            self.check_inversion(cpu)?;
            self.check_held_up(cpu)?;
            let sleeper = self.first_sleeper(cpu);
            if self.cpus[cpu].pending.is_empty() {
                self.check_overdue(cpu, sleeper)?;
            }
        }
        self.check_ranks()?;
        let posted = self.posted()?;
        self.check_threads(&posted)?;
        self.checker.done += self.cpus.len() as u64 * 3 + self.shared.slots() as u64;
        self.checker.until_sum -= 1;
        if self.checker.until_sum == 0 {
            self.checker.until_sum = SWEEPS_A_SUM;
            self.check_conserved()?;
            self.check_counts()?;
        }
        Ok(())
    }

    /// A post is never left unseen: the CPU polls, is interrupted soon, or has its timer due soon.
    fn check_attention(&self, cpu: usize) -> Result<(), Violation> {
        let state = &self.cpus[cpu];
        let soon = self.local(cpu).0 + self.checker.bounds.unseen;
        let bides = matches!(state.sched.mailbox().attention.peek(), Notice::Ranked { bides: true, .. });
        let will_look = state.kicks > 0
            || bides
            || !state.pending.is_empty()
            || state.phase == Phase::Polling
            || state.timer.is_some_and(|(due, _)| due <= soon);
        if will_look || !state.sched.has_work() {
            return Ok(());
        }
        let found = format!("cpu {cpu} is {:?} and doesn't see what was posted to it", state.phase);
        Err(Invariant::Attention.violated(found))
    }

    /// By slot: whether it's in an inbox, and so in no other place.
    fn posted(&self) -> Result<Vec<bool>, Violation> {
        let mut posted = vec![false; self.shared.slots()];
        for (cpu, state) in self.cpus.iter().enumerate() {
            let mailbox = state.sched.mailbox();
            for slot in mailbox.pending.peek().flat_map(|from| mailbox.inbox(from).peek(self.shared.tasks()))
            {
                let slot = slot as usize;
                let place = self.checker.places.of(slot);
                if std::mem::replace(&mut posted[slot], true) || place != Place::Nowhere {
                    return Err(Invariant::OnePlace.violated(format!(
                        "slot {slot} is posted to cpu {cpu} and {place:?} or posted elsewhere"
                    )));
                }
            }
        }
        Ok(posted)
    }

    /// Runnable threads are somewhere; blocked and gone ones are nowhere.
    fn check_threads(&mut self, posted: &[bool]) -> Result<(), Violation> {
        for number in self.tenants.iter().copied().flatten() {
            let thread = &self.threads[number];
            let slot = thread.task.index();
            let nowhere = self.checker.places.of(slot) == Place::Nowhere && !posted[slot];
            match thread.doing {
                Doing::Runnable if nowhere && !self.checker.places.is_on_stack(slot) => {
                    return Err(
                        Invariant::NoLostWakeup.violated(format!("thread {number} is runnable and nowhere"))
                    );
                }
                Doing::Parked if posted[slot] => {
                    return Err(Invariant::OnePlace.violated(format!("thread {number} is parked but posted")));
                }
                _ => {}
            }
        }
        (0..self.shared.slots()).try_for_each(|slot| self.check_wish(slot))
    }

    /// All CPU time that was accounted is all the time that passed, to the nanosecond.
    pub fn check_conserved(&self) -> Result<(), Violation> {
        let passed = (self.now - BOOT) * self.cpus.len() as u64;
        let cpus = (0..self.cpus.len())
            .map(|cpu| self.shared.idle_time(sched::CpuId(cpu as u32), self.local(cpu)).0);
        let idle: u64 = cpus.sum();
        let living: u64 = self.tenants.iter().copied().flatten().map(|thread| self.accounted(thread)).sum();
        let used = living + self.gone;
        if idle + used == passed {
            return Ok(());
        }
        let found = format!("{passed} ns passed, but {used} ns were used and {idle} ns idled");
        Err(Invariant::TimeConserved.violated(found))
    }
}
