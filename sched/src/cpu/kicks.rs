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
