//! What is known of this run: the machine, the boot, the build.

use core::arch::x86_64::__cpuid;

use arch::boot::{BootInfo, Door};
use arch::clock;
use bench::options::Options;
use spin::Once;

use crate::preempt::PreemptGuard;

/// The kernel's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from.
pub const COMMIT: &str = match option_env!("TACET_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// What boot found out.
pub struct Facts {
    /// Who started the kernel.
    pub door: Door,
    /// What the clock's rate was taken from.
    pub clock: clock::Source,
    /// The command line.
    pub options: Options,
}

static FACTS: Once<Facts> = Once::new();

/// Keeps what boot found out. Once.
pub fn record(info: &BootInfo, clock: clock::Source, options: Options) {
    FACTS.call_once(|| Facts { door: info.door, clock, options });
}

fn facts() -> &'static Facts {
    FACTS.get().expect("boot records the facts before the first thread runs")
}

/// The loader's protocol, in lower case.
pub fn door() -> &'static str {
    match facts().door {
        Door::Pvh => "pvh",
        Door::Limine => "limine",
        Door::Multiboot2 => "multiboot2",
    }
}

/// What the clock's rate was taken from.
pub fn clock() -> &'static str {
    facts().clock.name()
}

/// The seed of everything random.
pub fn seed() -> u64 {
    facts().options.seed
}

/// The command line.
pub fn options() -> &'static Options {
    &facts().options
}

/// What runs this kernel, by the hypervisor's own signature (CPUID 0x40000000).
pub fn accelerator() -> &'static str {
    if !arch::cpu::features().hypervisor {
        return "hardware";
    }
    let leaf = __cpuid(0x4000_0000);
    match [leaf.ebx, leaf.ecx, leaf.edx].map(u32::to_le_bytes).as_flattened() {
        b"TCGTCGTCGTCG" => "tcg",
        b"KVMKVMKVM\0\0\0" => "kvm",
        _ => "hypervisor",
    }
}

/// Whether a nanosecond is an instruction (QEMU's `-icount shift=0`).
pub fn counts_instructions() -> bool {
    let _preemption = PreemptGuard::new();
    bench::probe::clock_counts_instructions(clock::now_ns)
}
