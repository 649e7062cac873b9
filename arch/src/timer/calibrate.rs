//! How fast the local APIC's timer counts, by the TSC.

use super::{LVT_MASKED, LVT_ONESHOT};
use crate::apic::registers::{self, Register};
use crate::clock;
use crate::interrupts::vector;

/// Counts a second, undivided. Takes some 10 ms; the timer is masked meanwhile and stopped afterwards.
pub(super) fn count_hz() -> u64 {
    registers::write(Register::DIVIDE, registers::DIVIDE_BY_1);
    registers::write(Register::LVT_TIMER, LVT_MASKED | LVT_ONESHOT | u32::from(vector::TIMER));
    registers::write(Register::INITIAL_COUNT, u32::MAX);
    let counted = || u64::from(u32::MAX - registers::read(Register::CURRENT_COUNT));
    let start = clock::sample(counted);
    clock::spin_ns(10_000_000);
    let end = clock::sample(counted);
    registers::write(Register::INITIAL_COUNT, 0);
    clock::snapped(clock::fastest(end.count - start.count, end.tsc - start.tsc, clock::hz()))
}
