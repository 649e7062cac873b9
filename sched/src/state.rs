//! A task's life in one word: generation, phase and permit.
//!
//! ```text
//!            create            begin_block            finish_block
//!   Free ------------> Active ------------> Blocking ------------> Blocked
//!     ^                 ^  |                   |                      |
//!     |     release     |  | exit              | (permit noticed)     | wake
//!     +---- Exited <----|--+                   v                      |
//!                       +----------------------+<---------------------+
//! ```
//!
//! Active means runnable: running, in a run queue, or on its way in an inbox. Whoever moves a task from
//! Blocked to Active owns it and must enqueue or post it; nobody else may. Only the CPU on which a task ran
//! moves it from Blocking to Blocked, once the task's context is saved: until then a wake leaves the permit,
//! and that CPU acts on it. So no task is ever enqueued while its stack is in use.
//!
//! The permit is `std::thread::park`'s token: a wake of a task that isn't blocked makes its next block
//! return at once. Permits don't add up.

use crate::sync::{AtomicU64, Ordering};

const PHASE: u64 = 0b0111;
const PERMIT: u64 = 0b1000;
const FREE: u64 = 0;
const ACTIVE: u64 = 1;
const BLOCKING: u64 = 2;
const BLOCKED: u64 = 3;
const EXITED: u64 = 4;

/// What a wake found, and what its caller owes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Woken {
    /// The id is stale: nothing was done.
    Gone,
    /// The task wasn't blocked: the permit is set, nothing more is owed.
    Noticed,
    /// The task was blocked and is now the caller's, who must enqueue or post it.
    Claimed,
}

/// The state word. All transitions are single compare-and-swaps on it.
#[derive(Debug)]
pub struct State(AtomicU64);

impl State {
    /// A free slot of generation zero.
    pub fn new() -> Self {
        Self(AtomicU64::new(FREE))
    }

    /// The slot's generation.
    #[inline]
    pub fn generation(&self) -> u32 {
        (self.0.load(Ordering::Relaxed) >> 32) as u32
    }

    /// The same, never an old one: for who knows that the tenant lives, but not by what came after its creation.
    pub fn latest_generation(&self) -> u32 {
        // A read-modify-write gets the latest value.
        (self.0.fetch_add(0, Ordering::Relaxed) >> 32) as u32
    }

    /// Whether `generation` is the slot's tenant and alive.
    pub fn is_alive(&self, generation: u32) -> bool {
        // Acquire pairs with `create`'s Release: who sees the tenant sees its fields.
        let word = self.0.load(Ordering::Acquire);
        (word >> 32) as u32 == generation && !matches!(word & PHASE, FREE | EXITED)
    }

    /// Free → Active. The caller holds the free slot, and must enqueue or post the task.
    pub fn create(&self) {
        let word = self.0.load(Ordering::Relaxed);
        debug_assert_eq!(word & PHASE, FREE, "a slot is handed out once");
        // Release pairs with the Acquire of `wake` and `is_alive`: the fields were filled before.
        self.0.store(word & !PHASE | ACTIVE, Ordering::Release);
    }

    /// Active → Blocking, unless a permit waits: then takes it and answers `false` (the task goes on).
    #[inline]
    #[must_use]
    pub fn begin_block(&self) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        if word & PERMIT == 0 {
            let blocking = word + (BLOCKING - ACTIVE);
            if self.0.compare_exchange(word, blocking, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
        // Acquire pairs with `wake`'s Release: what the waker wrote is seen when the block returns. Only this CPU
        // takes the permit, so it's still there.
        self.0.fetch_and(!PERMIT, Ordering::Acquire);
        false
    }

    /// Blocking → Blocked, once the context is saved. `false` if a wake came meanwhile: the task is Active
    /// again and the caller's to enqueue.
    #[inline]
    #[must_use]
    pub fn finish_block(&self) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        if word & PERMIT == 0 {
            let blocked = word + (BLOCKED - BLOCKING);
            // Release pairs with the Acquire of the waker that claims the task: the saved context is in
            // memory before the task can run elsewhere.
            if self.0.compare_exchange(word, blocked, Ordering::Release, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
        // A swap, not a store: a second waker may set the permit again meanwhile, and what it wrote before must
        // be seen by the task. Acquire pairs with the Release of the `wake`s that left the permit.
        self.0.swap(word & !(PHASE | PERMIT) | ACTIVE, Ordering::Acquire);
        false
    }

    /// Wakes the tenant `generation`: claims it if it's blocked, else leaves the permit.
    #[inline]
    pub fn wake(&self, generation: u32) -> Woken {
        match self.claim(generation) {
            Ok(()) => Woken::Claimed,
            Err(word) => self.wake_otherwise(generation, word),
        }
    }

    /// The same by one that has just failed to claim it.
    #[inline]
    pub fn wake_unclaimed(&self, generation: u32) -> Woken {
        self.wake_otherwise(generation, self.0.load(Ordering::Relaxed))
    }

    /// Blocked → Active for the tenant `generation`, without a look first: most wakes find the task blocked.
    ///
    /// # Errors
    /// What the word is, where it isn't that tenant, blocked.
    #[inline]
    pub fn claim(&self, generation: u32) -> Result<(), u64> {
        let blocked = u64::from(generation) << 32 | BLOCKED;
        let active = u64::from(generation) << 32 | ACTIVE;
        // Acquire as in `wake_otherwise`. No Release: nobody learns from the word that the task is Active. It's continued
        // by this CPU, or by one that had it from this CPU's hands, through an inbox and its own Release; and a permit
        // that another waker sets later is released by that waker.
        self.0.compare_exchange(blocked, active, Ordering::Acquire, Ordering::Relaxed).map(|_| ())
    }

    /// The same from what the word is.
    #[inline(never)]
    fn wake_otherwise(&self, generation: u32, mut word: u64) -> Woken {
        loop {
            if (word >> 32) as u32 != generation {
                return Woken::Gone;
            }
            let (next, outcome) = match word & PHASE {
                BLOCKED => (word & !PHASE | ACTIVE, Woken::Claimed),
                ACTIVE | BLOCKING => (word | PERMIT, Woken::Noticed),
                _ => return Woken::Gone,
            };
            // Release pairs with the Acquire of `begin_block` and `finish_block`; Acquire with the Release
            // of `finish_block` (the saved context). A set permit is written again for the same reason.
            match self.0.compare_exchange(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return outcome,
                Err(now) => word = now,
            }
        }
    }

    /// Active → Exited: from now on the id is stale. Called by the CPU that runs the task.
    pub fn exit(&self) {
        let word = self.0.load(Ordering::Relaxed);
        // No order: a wake that came first was for the task to see, which looks at nothing any more; one that comes later
        // finds it gone and touches the slot no more, as does who asks `is_alive`. Who joins learns of the end from
        // its completion, and the stack and the slot are given up by this same CPU.
        let exited = |now: u64| Some(now & !(PHASE | PERMIT) | EXITED);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, exited);
        debug_assert_eq!(word & PHASE, ACTIVE, "only a running task exits");
    }

    /// Exited → Free under the next generation. Called once the task's stack is no longer in use.
    pub fn release(&self) {
        let next = (self.0.load(Ordering::Relaxed) >> 32).wrapping_add(1) << 32;
        // No Release: who reads a free word, or another generation than its own, does nothing with the slot. Its next
        // holder has it from this one's hands, through a free list with an order of its own, and `create` releases.
        self.0.store(next | FREE, Ordering::Relaxed);
    }

    /// Whether the task is blocked, or about to be.
    pub fn is_blocked(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed) & PHASE, BLOCKING | BLOCKED)
    }

    /// Whether the tenant runs or could.
    pub fn is_active(&self) -> bool {
        self.0.load(Ordering::Relaxed) & PHASE == ACTIVE
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn active() -> State {
        let state = State::new();
        state.create();
        state
    }

    #[test]
    fn a_permit_makes_the_next_block_return_once() {
        let state = active();
        assert_eq!(state.wake(0), Woken::Noticed);
        assert_eq!(state.wake(0), Woken::Noticed);
        assert!(!state.begin_block());
        assert!(state.begin_block());
    }

    #[test]
    fn a_wake_in_the_middle_of_blocking_is_completed_by_the_blocker() {
        let state = active();
        assert!(state.begin_block());
        assert_eq!(state.wake(0), Woken::Noticed);
        assert!(!state.finish_block());
        assert!(state.begin_block(), "the permit was used up");
        assert!(state.finish_block());
        assert_eq!(state.wake(0), Woken::Claimed);
    }

    #[test]
    fn a_stale_id_wakes_nobody() {
        let state = active();
        state.exit();
        assert_eq!(state.wake(0), Woken::Gone);
        assert_eq!((state.generation(), state.latest_generation()), (0, 0));
        state.release();
        state.create();
        assert_eq!((state.generation(), state.latest_generation()), (1, 1));
        assert_eq!(state.wake(0), Woken::Gone);
        assert_eq!(state.wake(1), Woken::Noticed);
    }

    #[test]
    fn a_claim_is_for_one_tenant_which_keeps_its_name() {
        let state = active();
        for generation in 0..3 {
            assert!(state.begin_block() && state.finish_block());
            assert!(state.claim(generation + 1).is_err() && state.is_blocked());
            assert!(state.claim(generation).is_ok() && state.is_alive(generation));
            assert!(state.begin_block() && state.finish_block());
            // As after a claim that failed, and then the task blocked.
            assert_eq!(state.wake_unclaimed(generation), Woken::Claimed);
            assert!(state.is_active() && state.is_alive(generation));
            state.exit();
            state.release();
            state.create();
        }
    }
}
