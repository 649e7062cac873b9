//! What must hold between any two events, whatever happened.
//!
//! A violation is an error that says what was found; the world's trace tells how it came about.

use sched::{CpuId, Nanos};

use super::world::{Doing, Phase, World};

/// Where a slot's task was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Nowhere,
    /// On a CPU, or about to leave its stack.
    Running(usize),
    Queued(usize),
    Posted(usize),
}

impl World<'_> {
    /// Checks everything.
    ///
    /// # Errors
    /// The first violation.
    pub fn check(&mut self) -> Result<(), String> {
        let places = self.places()?;
        self.check_threads(&places)?;
        for cpu in 0..self.cpus.len() {
            self.check_timer(cpu)?;
            self.check_attention(cpu)?;
        }
        self.check_waste(&places)
    }

    /// Each task is in one place at most.
    fn places(&self) -> Result<Vec<Place>, String> {
        let mut places = vec![Place::Nowhere; self.shared.slots()];
        let mut put = |slot: usize, place: Place| {
            let was = std::mem::replace(&mut places[slot], place);
            if was == Place::Nowhere { Ok(()) } else { Err(format!("slot {slot} is {was:?} and {place:?}")) }
        };
        for (cpu, state) in self.cpus.iter().enumerate() {
            put(state.sched.current().index(), Place::Running(cpu))?;
            for slot in state.sched.waiting_slots() {
                put(slot as usize, Place::Queued(cpu))?;
            }
            for slot in state.sched.mailbox().posted(self.shared.tasks()) {
                put(slot as usize, Place::Posted(cpu))?;
            }
        }
        Ok(places)
    }

    /// Runnable threads are somewhere; blocked and gone ones are nowhere.
    fn check_threads(&self, places: &[Place]) -> Result<(), String> {
        for number in self.tenants.iter().copied().flatten() {
            let thread = &self.threads[number];
            if matches!(thread.doing, Doing::New | Doing::Gone) {
                continue;
            }
            let place = places[thread.task.index()];
            let leaving = self.is_leaving(number);
            match (thread.doing, place) {
                (Doing::Runnable, Place::Nowhere) if !leaving => {
                    return Err(format!("thread {number} is runnable and nowhere: a lost wakeup"));
                }
                (Doing::Parked, Place::Running(_) | Place::Queued(_) | Place::Posted(_)) => {
                    return Err(format!("thread {number} is parked but {place:?}"));
                }
                (Doing::Sleeping(until), Place::Nowhere) => self.check_sleeper(number, until)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a CPU is just switching away: then nothing can be said of a thread that's in transition.
    fn is_leaving(&self, _thread: usize) -> bool {
        self.cpus.iter().any(|cpu| cpu.phase == Phase::Switching)
    }

    /// A sleeper's timer, or one before it, is armed somewhere.
    fn check_sleeper(&self, number: usize, until: u64) -> Result<(), String> {
        let armed = self.cpus.iter().any(|cpu| cpu.timer.is_some_and(|(due, _)| due <= until));
        let pending = self.cpus.iter().any(|cpu| !cpu.pending.is_empty() || cpu.stalled_until > self.now);
        if armed || pending {
            return Ok(());
        }
        Err(format!("thread {number} sleeps until {until} and no timer is armed for it"))
    }

    /// A CPU where a task waits has its timer armed for the moment of overtaking or before.
    fn check_timer(&self, cpu: usize) -> Result<(), String> {
        let state = &self.cpus[cpu];
        if state.sched.armed() != state.timer.map_or(Nanos::NEVER, |(due, _)| Nanos(due))
            && state.pending.is_empty()
        {
            return Err(format!("cpu {cpu} believes its timer armed for {:?}", state.sched.armed()));
        }
        let needs = state.phase == Phase::Running && state.sched.waiting() > 0 && self.takes_turns();
        if needs && state.timer.is_none() {
            return Err(format!("cpu {cpu} has a task waiting and no timer armed"));
        }
        Ok(())
    }

    /// Whether the policy ends a task's run by time, whoever waits.
    fn takes_turns(&self) -> bool {
        self.shared.config().policy != sched::policy::PolicyKind::Priority
    }

    /// A post is never left unseen: the CPU polls, is interrupted soon, or has its timer due soon.
    fn check_attention(&self, cpu: usize) -> Result<(), String> {
        let state = &self.cpus[cpu];
        let posted = state.sched.has_work();
        let will_look = state.kicks > 0
            || !state.pending.is_empty()
            || matches!(state.phase, Phase::Polling)
            || state.timer.is_some_and(|(due, _)| due <= self.local(cpu).0 + self.machine.patience());
        if posted && !will_look {
            return Err(format!("cpu {cpu} is {:?} and doesn't see what was posted to it", state.phase));
        }
        Ok(())
    }

    /// No CPU idles while a thread waits that could move there, beyond the bound.
    fn check_waste(&mut self, places: &[Place]) -> Result<(), String> {
        for cpu in 0..self.cpus.len() {
            let idle = matches!(self.cpus[cpu].phase, Phase::Polling | Phase::Halted);
            if !(idle && self.someone_waits_for(cpu, places)) {
                self.end_waste(cpu);
                continue;
            }
            let since = *self.cpus[cpu].wasting_since.get_or_insert(self.now);
            let stalled = self.cpus.iter().any(|other| other.stalled_until + 1_000_000 > self.now);
            if self.now - since > self.machine.patience() && !stalled {
                return Err(format!(
                    "cpu {cpu} idles for {} ns while a thread waits that may run there",
                    self.now - since
                ));
            }
        }
        Ok(())
    }

    fn end_waste(&mut self, cpu: usize) {
        if let Some(since) = self.cpus[cpu].wasting_since.take() {
            let wasted = self.now - since;
            self.totals.waste += wasted;
            self.totals.longest_waste = self.totals.longest_waste.max(wasted);
        }
    }

    fn someone_waits_for(&self, cpu: usize, places: &[Place]) -> bool {
        let allowed = |slot: usize| {
            let repinned = self.tenants[slot].is_some_and(|thread| self.threads[thread].repinned);
            !repinned && self.shared.task(slot).affinity().allows(CpuId(cpu as u32))
        };
        places.iter().enumerate().any(|(slot, place)| match place {
            Place::Queued(at) => *at != cpu && allowed(slot),
            _ => false,
        })
    }

    /// All CPU time that was accounted is all the time that passed, to the nanosecond.
    ///
    /// # Errors
    /// Both figures.
    pub fn check_conserved(&self, start: u64) -> Result<(), String> {
        let passed: u64 = (self.now - start) * self.cpus.len() as u64;
        let idle: u64 =
            (0..self.cpus.len()).map(|cpu| self.shared.idle_time(CpuId(cpu as u32), self.local(cpu)).0).sum();
        let used: u64 = (0..self.threads.len()).map(|thread| self.accounted(thread)).sum();
        if idle + used == passed {
            return Ok(());
        }
        Err(format!("{passed} ns passed, but {used} ns were used and {idle} ns idled"))
    }
}
