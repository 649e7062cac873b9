//! What every CPU keeps for itself, one `gs`-relative instruction away.
//!
//! The GS base of each CPU points at its own [`PerCpu`]. All accesses to the first cache line are single instructions
//! relative to GS, so no interrupt and no migration can come in between: a thread that is moved right after the
//! instruction has read a stale value, but never a torn one and never half of another CPU's.
//!
//! **The preempt word** holds the disable count and, inverted, the wish to reschedule in bit 31 (as Linux does on
//! x86): set means that nobody wants it. So "count is zero *and* a reschedule is wanted" is the word being zero, which
//! the decrement tells by itself.

use core::arch::asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

pub(crate) mod state;
#[cfg(test)]
mod tests;

use state::State;

/// CPUs that the tables of this crate have room for.
pub const MAX_CPUS: usize = crate::acpi::MAX_CPUS;

/// Interrupt counters a CPU: vectors below 64, and one for all others.
pub(crate) const COUNTERS: usize = 65;

/// No reschedule is wanted. Cleared, not set, by the one who wants it.
const NOT_WANTED: u32 = 1 << 31;

/// One CPU's block. Only its owner writes to it.
#[repr(C, align(64))]
pub(crate) struct PerCpu {
    this: AtomicPtr<PerCpu>,
    kernel: AtomicPtr<()>,
    index: AtomicU32,
    preempt: AtomicU32,
    apic_id: AtomicU32,
    stopped: AtomicBool,
    scoped: AtomicPtr<()>,
    running: AtomicPtr<()>,
    /// Interrupts taken, by vector; on lines of their own, since other CPUs read them for the report.
    counts: Counters,
    /// What the CPU was doing when another one asked.
    state: State,
}

#[repr(C, align(64))]
struct Counters([AtomicU64; COUNTERS]);

const KERNEL: usize = offset_of!(PerCpu, kernel);
const INDEX: usize = offset_of!(PerCpu, index);
const PREEMPT: usize = offset_of!(PerCpu, preempt);
const SCOPED: usize = offset_of!(PerCpu, scoped);
const RUNNING: usize = offset_of!(PerCpu, running);
/// Where the interrupt stubs find the counters, from GS.
pub(crate) const COUNTS: usize = offset_of!(PerCpu, counts);

// The kernel's own assembly may rely on these.
const _: () = assert!(offset_of!(PerCpu, this) == 0 && KERNEL == 8 && INDEX == 16 && PREEMPT == 20);

/// Blocks of the CPUs that came up, by index.
static BLOCKS: [AtomicPtr<PerCpu>; MAX_CPUS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];

impl PerCpu {
    pub(crate) const fn new() -> Self {
        Self {
            this: AtomicPtr::new(core::ptr::null_mut()),
            kernel: AtomicPtr::new(core::ptr::null_mut()),
            index: AtomicU32::new(0),
            preempt: AtomicU32::new(NOT_WANTED),
            apic_id: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
            scoped: AtomicPtr::new(core::ptr::null_mut()),
            running: AtomicPtr::new(core::ptr::null_mut()),
            counts: Counters([const { AtomicU64::new(0) }; COUNTERS]),
            state: State::new(),
        }
    }

    /// Fills the block in for CPU `index` and makes it findable. The caller points GS at it.
    pub(crate) fn adopt(&'static self, index: u32) {
        let this = core::ptr::from_ref(self).cast_mut();
        self.this.store(this, Ordering::Relaxed);
        self.index.store(index, Ordering::Relaxed);
        // Release: pairs with the Acquire in `of`, so that a finder sees the fields above.
        BLOCKS[index as usize].store(this, Ordering::Release);
    }

    /// The block of CPU `index`, if it came up.
    pub(crate) fn of(index: usize) -> Option<&'static Self> {
        // Acquire: pairs with the Release in `adopt`.
        let block = BLOCKS.get(index)?.load(Ordering::Acquire);
        // SAFETY: `adopt` stored a `&'static PerCpu`; null, where it did not, gives `None`.
        unsafe { block.as_ref() }
    }

    /// Interrupts taken in one counter slot.
    pub(crate) fn count(&self, slot: usize) -> u64 {
        self.counts.0[slot].load(Ordering::Relaxed)
    }

    /// Notes that the CPU stops for ever. True the first time.
    pub(crate) fn stop(&self) -> bool {
        !self.stopped.swap(true, Ordering::Relaxed)
    }

    /// What the CPU was doing when another one asked.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Adds one to a slot; only on the block's own CPU, with interrupts off.
    pub(crate) fn bump(&self, slot: usize) {
        let counter = &self.counts.0[slot];
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// This CPU's block. GS must point at it, as it does from `cpu::init_bsp` or `init_this` on.
pub(crate) fn this() -> &'static PerCpu {
    let block: *const PerCpu;
    // SAFETY: GS points at a `PerCpu` whose first field is its own address, and which lives for ever.
    unsafe {
        asm!("mov {}, gs:[0]", out(reg) block, options(nomem, nostack, preserves_flags));
        &*block
    }
}

/// This CPU's index: 0 for the one that booted. May be stale at once unless preemption is off.
#[inline(always)]
pub fn index() -> u32 {
    let index: u32;
    // SAFETY: reads a field of this CPU's block. Not `pure`: the answer changes when a thread migrates.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) index, const INDEX, options(nomem, nostack, preserves_flags));
    };
    index
}

/// The pointer that the kernel keeps for this CPU; null until [`set_kernel_ptr`].
#[inline(always)]
pub fn kernel_ptr() -> *const () {
    let kernel;
    // SAFETY: as in `index`.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) kernel, const KERNEL, options(nomem, nostack, preserves_flags));
    };
    kernel
}

/// Sets what [`kernel_ptr`] returns on this CPU.
pub fn set_kernel_ptr(kernel: *const ()) {
    // SAFETY: writes a field of this CPU's block, which has room for a pointer.
    unsafe { asm!("mov gs:[{}], {}", const KERNEL, in(reg) kernel, options(nostack, preserves_flags)) };
}

/// The pointer that the kernel keeps for this CPU while interrupts are off; null whenever they are on, so that a thread
/// which may migrate right after the instruction never has another CPU's.
#[inline(always)]
pub fn scoped_ptr() -> *mut () {
    let scoped;
    // SAFETY: as in `index`.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) scoped, const SCOPED, options(nomem, nostack, preserves_flags));
    };
    scoped
}

/// Sets what [`scoped_ptr`] returns on this CPU, with interrupts off; to null before they are on again.
#[inline(always)]
pub fn set_scoped_ptr(scoped: *mut ()) {
    // SAFETY: writes a field of this CPU's block, which has room for a pointer.
    unsafe { asm!("mov gs:[{}], {}", const SCOPED, in(reg) scoped, options(nostack, preserves_flags)) };
}

/// What the kernel keeps for the thread that runs on this CPU. The same for a thread wherever it runs, so never stale.
#[inline(always)]
pub fn running() -> *const () {
    let running;
    // SAFETY: as in `index`.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) running, const RUNNING, options(nomem, nostack, preserves_flags));
    };
    running
}

/// The lower half of [`running`], for the thread itself: it may be kept, as it stays the same until the thread ends.
#[inline(always)]
pub fn running_low() -> u32 {
    let running: u32;
    // SAFETY: as in `index`. `pure`, since to a thread the answer never changes.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) running, const RUNNING, options(pure, nomem, nostack, preserves_flags));
    };
    running
}

/// Sets what [`running`] returns on this CPU, with interrupts off, right before the switch to that thread.
#[inline(always)]
pub fn set_running(thread: *const ()) {
    // SAFETY: writes a field of this CPU's block, which has room for a pointer.
    unsafe { asm!("mov gs:[{}], {}", const RUNNING, in(reg) thread, options(nostack, preserves_flags)) };
}

/// Turns preemption off, nested: one increment. A compiler barrier.
#[inline(always)]
pub fn preempt_disable() {
    // SAFETY: changes the preempt word of this CPU's block in one instruction; memory is clobbered, so that nothing
    // moves out of the section.
    unsafe { asm!("inc dword ptr gs:[{}]", const PREEMPT, options(nostack)) };
}

/// Undoes one [`preempt_disable`]. True: preemption is on again and a reschedule is wanted, so do it now.
#[inline(always)]
#[must_use = "true means that somebody is waiting for a reschedule, and nobody else will do it"]
pub fn preempt_enable() -> bool {
    // SAFETY: as in `preempt_disable`; the word is zero exactly if the count is and bit 31 was cleared.
    unsafe {
        asm!("dec dword ptr gs:[{}]", "jz {}", const PREEMPT, label { return true }, options(nostack));
    }
    false
}

/// The preempt word, as it is.
#[inline(always)]
fn preempt_word() -> u32 {
    let word: u32;
    // SAFETY: reads a field of this CPU's block.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) word, const PREEMPT, options(nomem, nostack, preserves_flags));
    };
    word
}

/// How many [`preempt_disable`]s are open on this CPU.
#[inline(always)]
pub fn preempt_count() -> u32 {
    preempt_word() & !NOT_WANTED
}

/// Whether somebody asked this CPU to reschedule.
#[inline(always)]
pub fn resched_wanted() -> bool {
    preempt_word() & NOT_WANTED == 0
}

/// Whether a reschedule is wanted and nothing holds it off: the word is zero.
#[inline(always)]
pub fn resched_due() -> bool {
    preempt_word() == 0
}

/// Asks this CPU to reschedule as soon as the count is zero.
#[inline(always)]
pub fn need_resched_set() {
    // SAFETY: as in `preempt_disable`.
    unsafe { asm!("and dword ptr gs:[{}], {}", const PREEMPT, const !NOT_WANTED as i32, options(nostack)) };
}

/// Whether an interrupt handler may look for something better to run. If not, because the interrupted thread keeps
/// preemption off, the wish is noted, and the thread looks as soon as it turns preemption on. Interrupts off.
#[inline(always)]
pub fn interrupt_may_look() -> bool {
    let may = preempt_count() == 0;
    if !may {
        need_resched_set();
    }
    may
}

/// Takes the wish to reschedule back; the scheduler is looking right now.
#[inline(always)]
pub fn resched_clear() {
    // SAFETY: as in `preempt_disable`.
    unsafe { asm!("or dword ptr gs:[{}], {}", const PREEMPT, const NOT_WANTED as i32, options(nostack)) };
}

/// Notes this CPU's local APIC id.
pub(crate) fn set_apic_id(id: u32) {
    this().apic_id.store(id, Ordering::Relaxed);
}

/// The local APIC id of CPU `index`, if it came up.
pub fn apic_id(index: usize) -> Option<u32> {
    PerCpu::of(index).map(|block| block.apic_id.load(Ordering::Relaxed))
}
