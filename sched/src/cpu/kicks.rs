//! The CPUs that this one still owes an interrupt: decisions may bring several.

use alloc::boxed::Box;

use crate::id::CpuId;

/// A private set of CPUs.
#[derive(Debug)]
pub(super) struct Kicks {
    any: bool,
    words: Box<[u64]>,
}

impl Kicks {
    pub(super) fn new(cpus: usize) -> Self {
        Self { any: false, words: (0..cpus.div_ceil(64)).map(|_| 0).collect() }
    }

    pub(super) fn insert(&mut self, cpu: CpuId) {
        self.any = true;
        self.words[cpu.index() / 64] |= 1 << (cpu.index() % 64);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<CpuId> {
        if self.any { self.pop_slowly() } else { None }
    }

    #[cold]
    fn pop_slowly(&mut self) -> Option<CpuId> {
        let index = self.words.iter().position(|&word| word != 0);
        let Some(index) = index else {
            self.any = false;
            return None;
        };
        let bit = self.words[index].trailing_zeros();
        self.words[index] &= self.words[index] - 1;
        Some(CpuId((index * 64) as u32 + bit))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Catches: one taken that takes others along, of its word or of the next; CPUs beyond the 64th taken for others.
    #[test]
    fn each_cpu_that_is_owed_a_kick_is_named_once() {
        let mut kicks = Kicks::new(200);
        for round in [&[3, 0, 63, 64, 199, 3][..], &[], &[130, 129]] {
            for &cpu in round {
                kicks.insert(CpuId(cpu));
            }
            let mut expected = round.to_vec();
            expected.sort_unstable();
            expected.dedup();
            let taken: Vec<u32> = core::iter::from_fn(|| kicks.pop()).map(|cpu| cpu.0).collect();
            assert_eq!((taken, kicks.any), (expected, false));
        }
    }
}
