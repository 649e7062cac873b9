//! The table of offers: how a starting CPU and the first one agree.

use crate::acpi::MAX_CPUS;
use crate::clock::skew::{self, Exchange};
use crate::clock::{self, Skew};
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use spin::Once;

/// States of an offer; `super` draws their transitions.
pub(super) const OFFERED: u32 = 1;
pub(super) const ACCEPTED: u32 = 2;
const READY: u32 = 3;
const FAILED: u32 = 4;
const WITHDRAWN: u32 = 5;

/// What the trampoline needs to know of the layout.
pub(super) const SIZE: usize = size_of::<Offer>();
pub(super) const APIC_ID: usize = offset_of!(Offer, apic_id);
pub(super) const STATE: usize = offset_of!(Offer, state);
pub(super) const STACK: usize = offset_of!(Offer, stack);

const NO_INDEX: u32 = u32::MAX;

/// Why a CPU isn't there in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// The CPU did not come in time.
    Withdrawn,
    /// The CPU came, but there was no memory to set it up; it halted.
    OutOfMemory,
}

/// One CPU's offer.
pub(super) struct Offer {
    apic_id: AtomicU32,
    state: AtomicU32,
    stack: AtomicU64,
    index: AtomicU32,
    clocks: Exchange,
    skew: Once<Skew>,
}

pub(super) static OFFERS: [Offer; MAX_CPUS] = [const { Offer::new() }; MAX_CPUS];
/// How many are made. A starting CPU looks at no others.
pub(super) static COUNT: AtomicUsize = AtomicUsize::new(0);
/// The `fn(u32) -> !` that the CPUs are for.
static ENTRY: AtomicUsize = AtomicUsize::new(0);

/// The offers that were made.
pub(super) fn all() -> &'static [Offer] {
    &OFFERS[..COUNT.load(Ordering::Relaxed)]
}

/// Makes an offer; before the first INIT is sent. The table has room for every CPU that `Acpi` can list.
pub(super) fn make(apic_id: u32, stack_top: u64, entry: fn(u32) -> !) {
    let count = COUNT.load(Ordering::Relaxed);
    let offer = &OFFERS[count];
    offer.apic_id.store(apic_id, Ordering::Relaxed);
    offer.stack.store(stack_top, Ordering::Relaxed);
    ENTRY.store(entry as usize, Ordering::Relaxed);
    offer.state.store(OFFERED, Ordering::Relaxed);
    COUNT.store(count + 1, Ordering::Relaxed);
}

impl Offer {
    const fn new() -> Self {
        Self {
            apic_id: AtomicU32::new(0),
            state: AtomicU32::new(0),
            stack: AtomicU64::new(0),
            index: AtomicU32::new(NO_INDEX),
            clocks: Exchange::new(),
            skew: Once::new(),
        }
    }

    pub(super) fn apic_id(&self) -> u32 {
        self.apic_id.load(Ordering::Relaxed)
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ACCEPTED
    }

    /// Whether the CPU runs; `None` while it is being set up.
    pub(super) fn outcome(&self) -> Option<Result<(), Absent>> {
        // Acquire: pairs with the Release store in `accept`; whatever the CPU set up is seen by the caller.
        match self.state.load(Ordering::Acquire) {
            READY => Some(Ok(())),
            FAILED => Some(Err(Absent::OutOfMemory)),
            WITHDRAWN => Some(Err(Absent::Withdrawn)),
            _ => None,
        }
    }

    /// Withdraws the offer, unless the CPU came; tells whether it was withdrawn.
    pub(super) fn withdraw(&self) -> bool {
        // The trampoline's `lock cmpxchg` on the same word decides between the two; nothing else is published by it.
        self.state.compare_exchange(OFFERED, WITHDRAWN, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Tells the CPU its index, which lets it go on.
    pub(super) fn number(&self, index: u32) {
        // Release: pairs with the Acquire load in `accept`; the CPU sees what the first one did until now.
        self.index.store(index, Ordering::Release);
    }

    /// The CPU's index, if it came.
    pub(super) fn index(&self) -> Option<u32> {
        Some(self.index.load(Ordering::Relaxed)).filter(|&index| index != NO_INDEX)
    }

    /// Compares the CPU's clock with this one's, once it has its index.
    pub(super) fn settle_clock(&self) {
        if let Some(skew) = self.clocks.settle(skew::read_in_order, (clock::hz() / 1_000_000).max(1)) {
            self.skew.call_once(|| skew);
        }
    }

    /// What came of that; `None` if the CPU didn't answer.
    pub(super) fn skew(&self) -> Option<Skew> {
        self.skew.get().copied()
    }

    fn wait_for_index(&self) -> u32 {
        loop {
            // Acquire: pairs with the Release store in `number`.
            match self.index.load(Ordering::Acquire) {
                NO_INDEX => core::hint::spin_loop(),
                index => return index,
            }
        }
    }
}

/// The first Rust on a CPU that accepted `offer`: on its own stack, SSE on, kernel page tables, interrupts off.
pub(super) extern "C" fn accept(offer: &'static Offer) -> ! {
    let index = offer.wait_for_index();
    clock::plant::skew_this(index);
    offer.clocks.answer(skew::read_in_order, skew::shift_this);
    let state = if crate::cpu::init_this(index).is_ok() { READY } else { FAILED };
    // Release: pairs with the Acquire load in `outcome`.
    offer.state.store(state, Ordering::Release);
    if state == FAILED {
        crate::exit::halt();
    }
    let entry = ENTRY.load(Ordering::Relaxed);
    // SAFETY: `make` stored a `fn(u32) -> !` there before any CPU was started.
    let entry = unsafe { core::mem::transmute::<usize, fn(u32) -> !>(entry) };
    entry(index)
}
