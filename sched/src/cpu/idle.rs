//! Nothing to run: ask for work, poll for a bounded time, halt by the handshake.
//!
//! The kernel's idle task goes round: [`Cpu::reschedule`]; if that stays, [`Cpu::enter_idle`]; then, with
//! interrupts on, look at [`Cpu::has_work`] for [`Cpu::poll_time`]; then, with interrupts off,
//! [`Cpu::may_halt`], and halt if it says so, in one step with enabling interrupts. An interrupt that comes in
//! between may reschedule by itself.
//!
//! Polling saves whoever wakes a task here an interrupt, and the task the wait for it, but only if the wake comes while
//! it lasts. So a CPU polls as long as it may after it was idle for no longer than that, and half as long as before after
//! each time that it was idle for longer.
//!
//! A machine may wait for a store to [`crate::bitmap::Bitmap::bell`] instead of an interrupt (MONITOR and MWAIT). Then it asks
//! [`Cpu::may_doze`]: who posts finds the CPU as attentive as if it polled, and sends no interrupt.

use super::Cpu;
use crate::attention::Notice;
use crate::class::Rank;
use crate::sync::{Ordering, fence};
use crate::time::Nanos;

/// After this long, the other CPUs' virtual time has moved on enough to be looked up.
const STALE: Nanos = Nanos::from_millis(1);

/// However seldom it pays, a CPU polls for this part of the time that it may: to find out when it pays again, and since
/// a wake may be on its way already.
const LEAST_POLL: u64 = 16;

impl Cpu<'_> {
    /// Tells the others that this CPU has nothing to run, and asks one that has too much for a share.
    #[inline]
    pub fn enter_idle(&mut self, now: Nanos) {
        debug_assert!(self.is_idle() && self.queue.is_empty());
        self.mailbox.attention.raise(Notice::Polling);
        if self.shared.idle.contains(self.id) {
            return;
        }
        self.unasked = Rank::IDLE;
        self.adapt_poll(now);
        self.stale_at = now + STALE;
        self.mailbox.load.publish(0, self.policy.floor(), now);
        self.shared.idle.insert(self.id);
        // Pairs with the fence in `Cpu::announce_surplus`: either that CPU sees this one idle, or this one
        // sees it overloaded.
        fence(Ordering::SeqCst);
        if self.shared.overloaded.any() {
            self.ask_for_work();
        }
    }

    /// Judges by how long this CPU was idle last whether polling pays.
    fn adapt_poll(&mut self, now: Nanos) {
        let idled = self.running.meter.read(now);
        let last = idled.since(self.idled);
        self.idled = idled;
        let most = self.shared.config.poll;
        self.poll = if last <= most { most } else { Nanos((self.poll.0 / 2).max(most.0 / LEAST_POLL)) };
    }

    /// For how long to look for work before halting, this time.
    #[inline]
    pub fn poll_time(&self) -> Nanos {
        self.poll
    }

    /// Whether something was posted. For polling, with interrupts on or off.
    #[inline]
    pub fn has_work(&self) -> bool {
        self.mailbox.pending.any()
    }

    /// Ends polling: whether the CPU may halt, now. If not, or after the halt, [`Cpu::end_halt`] and
    /// [`Cpu::reschedule`] must follow.
    #[inline]
    pub fn may_halt(&mut self, now: Nanos) -> bool {
        self.mailbox.attention.lower(Notice::Halted);
        let nothing = !self.has_work();
        if nothing {
            self.mailbox.stats.halted.start(now);
        }
        nothing
    }

    /// Whether the CPU may wait, now, in a way that the next post ends by itself: for the store that it watches since before
    /// this call. If not, or after the wait, [`Cpu::end_halt`] and [`Cpu::reschedule`] must follow.
    #[inline]
    pub fn may_doze(&mut self, now: Nanos) -> bool {
        let nothing = !self.has_work();
        if nothing {
            self.mailbox.stats.halted.start(now);
        }
        nothing
    }

    /// Notes that the CPU isn't halted any more, if [`Cpu::reschedule`] hasn't already.
    #[inline]
    pub fn end_halt(&mut self, now: Nanos) {
        self.mailbox.stats.halted.stop_if_running(now);
    }

    /// Before an idle CPU looks, it no longer claims to poll, or a task that is posted just after its look would go
    /// unseen. [`Cpu::reschedule`] does so by itself.
    #[inline]
    pub fn end_poll(&mut self) {
        if self.mailbox.attention.peek() == Notice::Polling {
            self.mailbox.attention.lower(Notice::Halted);
        }
    }

    /// Leaves the set of idle CPUs, unless someone who sent work took this one out already.
    #[inline]
    pub(super) fn leave_idle(&mut self) {
        debug_assert_ne!(
            self.mailbox.attention.peek(),
            Notice::Polling,
            "what is posted now would go unseen"
        );
        self.mailbox.stats.halted.stop_if_running(self.charged);
        self.shared.idle.remove(self.id);
        self.mailbox.attention.raise(Notice::Busy(self.armed));
    }

    /// Brings the virtual time of a CPU that was idle for long to that of the furthest one, so that
    /// what starts here is neither owed for the time before nor in debt.
    #[inline]
    pub(super) fn catch_up(&mut self, now: Nanos) {
        if now >= self.stale_at {
            self.catch_up_slowly(now);
        }
    }

    #[cold]
    fn catch_up_slowly(&mut self, now: Nanos) {
        let loads = self.shared.mailboxes.iter().map(|mailbox| &*mailbox.load);
        if let Some(progress) = loads.map(|load| load.progress_at(now)).max() {
            self.policy.catch_up(progress);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::attention::Notice;
    use crate::cpu::tests::{run, start};
    use crate::{Affinity, Config, Cpu, CpuId, Nanos, Reason, Shared, Spec, WakeOutcome};

    /// Catches: polling as long as before after it was in vain, or as shortly after it would have paid.
    #[test]
    fn a_cpu_polls_for_as_long_as_that_pays() {
        let shared = Shared::new(1, 1, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        let most = shared.config().poll;
        let mut now = 0;
        let mut idle_for = |span: Nanos| {
            cpu.enter_idle(Nanos(now));
            now += span.0;
            cpu.end_poll();
            let task = shared.create(1, Spec::default(), CpuId(0));
            let _ = cpu.start(task, Nanos(now));
            let _ = run(&mut cpu, now, Reason::Preempt);
            let _ = run(&mut cpu, now, Reason::Exit);
            shared.release(task);
            cpu.enter_idle(Nanos(now));
            cpu.poll_time()
        };
        assert_eq!(idle_for(most), most);
        let long = Nanos::from_millis(1);
        assert_eq!([0; 6].map(|_| idle_for(long).0), [2, 4, 8, 16, 16, 16].map(|part| most.0 / part));
        assert_eq!(idle_for(Nanos(most.0 / 2)), most);
    }

    /// Catches: `may_doze` that doesn't look, or tells others that it needs an interrupt.
    #[test]
    fn a_cpu_that_dozes_needs_no_interrupt_and_has_looked() {
        let shared = Shared::new(2, 1, Config::default());
        let [mut here, mut there] = [0, 1].map(|id| Cpu::new(&shared, CpuId(id), Nanos(0)));
        there.enter_idle(Nanos(1));
        assert!(there.may_doze(Nanos(2)));
        let task = shared.create(2, Spec { affinity: Affinity::one(CpuId(1)), ..Spec::default() }, CpuId(1));
        assert_eq!(here.start(task, Nanos(3)), WakeOutcome::Noticed);
        there.end_halt(Nanos(4));
        assert!(!there.may_doze(Nanos(5)), "the post rang while nobody watched");
    }

    /// Catches: `leave_idle` that doesn't publish: whoever wakes a task would take the CPU for an idle one.
    #[test]
    fn a_cpu_that_runs_a_task_says_so() {
        let shared = Shared::new(1, 1, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        start(&mut cpu, 1, Affinity::ANY);
        let said = || shared.mailbox(CpuId(0)).attention.peek();
        assert!(matches!(said(), Notice::Busy(_)), "{:?}", said());
        let _ = run(&mut cpu, 10, Reason::Block);
        cpu.enter_idle(Nanos(10));
        assert_eq!(said(), Notice::Polling);
    }

    /// Catches: `end_halt` that stops no clock: a CPU that an interrupt wakes for nothing counts as halted from then on.
    #[test]
    fn a_halt_is_measured_to_its_end() {
        let shared = Shared::new(1, 0, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        cpu.enter_idle(Nanos(0));
        assert!(cpu.may_halt(Nanos(10)));
        cpu.end_halt(Nanos(30));
        assert_eq!(shared.mailbox(CpuId(0)).stats.halted.read(Nanos(100)), Nanos(20));
    }
}
