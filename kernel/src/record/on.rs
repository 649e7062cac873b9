//! Each CPU's calls of its scheduler go onto a tape, and at the end all tapes go to the debug console.
//!
//! While a CPU is in a call, the pointer that `arch` keeps for it is its tape, and what the scheduler reads is put
//! there. Interrupts are off then, so nothing comes in between. At all other times the pointer is null.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, Ordering};

use arch::{cpu, debug_console, percpu};
use sched::tape::file::{Run, Writer};
use sched::tape::{self, Deck, Recorded, Tape, Witness};
use sched::{CpuId, Nanos, Shared};
use spin::Once;

use crate::local::now;
use crate::{facts, machine, println};

/// One CPU's scheduler.
pub type Scheduler = Recorded<'static>;

/// Where the CPUs' tapes lie between calls.
static DECKS: [Deck; percpu::MAX_CPUS] = [const { Deck::new(None) }; percpu::MAX_CPUS];

/// Atomics of the scheduler that were made so far.
static PLACES: AtomicU32 = AtomicU32::new(0);

/// What a replay must have the same.
static RUN: Once<Run> = Once::new();

/// The share of the heap that all tapes take together, and the size of one at most.
const HEAP_SHARE: usize = 8;
const TAPE_MOST: usize = 512 << 10;

/// How long to wait for a CPU that is in a call. None takes as long.
const PATIENCE: Nanos = Nanos::from_millis(1_000);

struct Here;

/// Does something with the tape of the call that this CPU is in, if it's in one.
#[inline]
fn with_tape(write: impl FnOnce(&mut Tape)) {
    // SAFETY: not null only from `listen` to `hush`, on the CPU that called them, and with interrupts off: so the call in
    // between is the only code that comes here, and it does so one access after the other.
    if let Some(tape) = unsafe { percpu::scoped_ptr().cast::<Tape>().as_mut() } {
        write(tape);
    }
}

impl Witness for Here {
    fn number(&self) -> u32 {
        PLACES.fetch_add(1, Ordering::Relaxed)
    }

    fn foretell(&self, _at: u32) -> Option<u64> {
        None
    }

    fn saw(&self, at: u32, seen: u64, left: u64) {
        with_tape(|tape| tape.saw(at, seen, left));
    }

    fn overwrote(&self, at: u32, left: u64) {
        with_tape(|tape| tape.overwrote(at, left));
    }

    fn listen(&self, tape: Box<Tape>) {
        percpu::set_scoped_ptr(Box::into_raw(tape).cast());
    }

    fn hush(&self) -> Option<Box<Tape>> {
        let tape = percpu::scoped_ptr().cast::<Tape>();
        percpu::set_scoped_ptr(core::ptr::null_mut());
        // SAFETY: not null only if `listen` put the box there, and it's taken out by this alone.
        (!tape.is_null()).then(|| unsafe { Box::from_raw(tape) })
    }
}

/// Counts the places of what is made from now on.
pub fn prepare() {
    tape::install(&Here);
}

/// Keeps what a replay must have the same.
pub fn describe(shared: &Shared) {
    RUN.call_once(|| Run {
        commit: facts::COMMIT.into(),
        cpus: shared.cpus() as u32,
        seats: shared.topology().seats().into(),
        tasks: (shared.slots() - shared.cpus()) as u32,
        places: PLACES.load(Ordering::Relaxed),
        config: *shared.config(),
    });
}

/// Makes a CPU's scheduler, and its tape.
pub fn scheduler(shared: &'static Shared, id: CpuId, now: Nanos) -> Scheduler {
    let room = machine::heap_bytes() / HEAP_SHARE / shared.cpus();
    Recorded::new(shared, id, now, &DECKS[id.index()], room.min(TAPE_MOST))
}

/// Ends the recording and saves all tapes.
pub fn save() {
    let Some(run) = RUN.get() else { return };
    if !debug_console::is_there() {
        return println!("tape: not saved, for want of a debug console");
    }
    let mut file = Writer::new(run, debug_console::write_bytes);
    for cpu in 0..run.cpus {
        let Some(tape) = take(&DECKS[cpu as usize]) else { continue };
        file.tape(cpu, &tape);
        let full = if tape.is_full() { ", then it was full" } else { "" };
        println!("tape: CPU {cpu}, {} calls{full}", tape.calls());
    }
    file.end();
}

/// Takes a tape for good: its CPU records no more.
fn take(deck: &Deck) -> Option<Box<Tape>> {
    let begun = now();
    while now().since(begun) < PATIENCE {
        if let Some(tape) = deck.take() {
            return Some(tape);
        }
        cpu::relax();
    }
    None
}
