//! Names: a CPU's number, and a task's slot with the generation that makes a stale name harmless.

/// A CPU, counted from zero in the order of the machine's start-up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub struct CpuId(pub u32);

impl CpuId {
    /// The CPU's number as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A task: a slot of the task table, and which of the slot's tenants is meant.
///
/// An id outlives its task. Using a stale one is safe: every operation answers that the task is gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub struct TaskId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl TaskId {
    /// The task's slot, for tables that run in parallel with the scheduler's.
    #[inline]
    pub const fn index(self) -> usize {
        self.slot as usize
    }

    /// The id as one word, so that an atomic can hold it. Never 0 or 1 for a task that isn't idle.
    #[inline]
    pub const fn to_bits(self) -> u64 {
        (self.slot as u64) << 32 | self.generation as u64
    }

    /// The id whose word that is.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self { slot: (bits >> 32) as u32, generation: bits as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_from_its_word_which_no_other_has() {
        let id = |slot, generation| TaskId { slot, generation };
        let ids = [id(1, 0), id(1, 2), id(2, 1), id(u32::MAX, u32::MAX)];
        assert!(ids.iter().all(|&id| TaskId::from_bits(id.to_bits()) == id));
        assert_eq!(id(3, 5).to_bits(), 3 << 32 | 5);
    }
}
