//! Where a task may run: a contiguous range of CPUs, in one word.
//!
//! A range covers what schedulers are asked for in practice (anywhere, one CPU, one cache domain, the first
//! few CPUs), has no limit at 64 CPUs, and changes in a single store, so that no CPU ever sees half a mask.

use crate::id::CpuId;

/// The CPUs `first..first + count` on which a task may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub struct Affinity {
    first: u16,
    count: u16,
}

impl Affinity {
    /// The CPUs that can be told apart.
    const CPUS: u32 = 1 << 14;

    /// Every CPU.
    pub const ANY: Self = Self { first: 0, count: u16::MAX };

    /// One CPU: the task is pinned. One beyond 16,383 counts as that one, which no machine has.
    pub const fn one(cpu: CpuId) -> Self {
        let first = if cpu.0 < Self::CPUS { cpu.0 } else { Self::CPUS - 1 };
        Self { first: first as u16, count: 1 }
    }

    /// The CPUs `first..end`; `None` where that is empty or goes beyond CPU 16,383.
    pub fn range(first: u32, end: u32) -> Option<Self> {
        let count = end.checked_sub(first).filter(|&count| count > 0 && end <= Self::CPUS)?;
        Some(Self { first: first.try_into().ok()?, count: count.try_into().ok()? })
    }

    /// Whether a task may run on `cpu`.
    #[inline]
    pub const fn allows(self, cpu: CpuId) -> bool {
        cpu.0.wrapping_sub(self.first as u32) < self.count as u32
    }

    /// Whether a task may run on more than one CPU.
    #[inline]
    pub const fn is_movable(self) -> bool {
        self.count > 1
    }

    /// The lowest CPU that is allowed.
    pub const fn first(self) -> CpuId {
        CpuId(self.first as u32)
    }

    /// The lowest CPU above those that are allowed.
    pub const fn end(self) -> u32 {
        self.first as u32 + self.count as u32
    }

    #[inline]
    pub(crate) const fn to_word(self) -> u32 {
        (self.first as u32) << 16 | self.count as u32
    }

    #[inline]
    pub(crate) const fn from_word(word: u32) -> Self {
        Self { first: (word >> 16) as u16, count: word as u16 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_cpus_and_no_other() {
        let range = Affinity::range(2, 4).unwrap();
        let allowed: std::vec::Vec<u32> = (0..6).filter(|&cpu| range.allows(CpuId(cpu))).collect();
        assert_eq!(allowed, [2, 3]);
        assert_eq!(Affinity::from_word(range.to_word()), range);
        assert!(Affinity::range(3, 3).is_none());
        assert!(!Affinity::one(CpuId(300)).is_movable());
        assert!(Affinity::one(CpuId(300)).allows(CpuId(300)));
    }

    /// Catches: a number that runs into the marks of a task's terms.
    #[test]
    fn a_cpu_that_no_machine_has_is_none_that_one_has() {
        for number in [1 << 14, 1 << 15, 1 << 16, u32::MAX] {
            let nowhere = Affinity::one(CpuId(number));
            assert_eq!((nowhere.first().0 >> 14, nowhere.allows(CpuId(0))), (0, false), "{number}");
        }
    }
}
