//! Which CPUs are near each other: what a task keeps that moves, and what two tasks share that run side by side.
//!
//! A task that moves to a CPU with the same cache finds its data there. Two that run on one core share its execution
//! units, so a task is better off on a core of its own. Where every CPU is as near as any other, nothing here is looked at
//! beyond that.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::id::CpuId;

/// What a CPU is part of, each by a number that those have in common which share it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub struct Seat {
    /// The package: one memory is near to all of it.
    pub package: u32,
    /// The last cache, within the package.
    pub cache: u32,
    /// The core, within the cache.
    pub core: u32,
}

/// How far a task goes that moves from one CPU to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Distance {
    /// It stays.
    Here,
    /// To another thread of the core.
    Core,
    /// To another core with the same cache.
    Cache,
    /// To another cache of the package.
    Package,
    /// To another package.
    Machine,
}

/// Where a machine's CPUs sit.
#[derive(Debug)]
pub struct Topology {
    seats: Box<[Seat]>,
    /// By CPU, those of its core, itself included.
    cores: Groups,
    /// By CPU, those that share its last cache.
    caches: Groups,
    /// By CPU, those of its package.
    packages: Groups,
    /// Whether some core has several CPUs.
    has_siblings: bool,
}

/// The CPUs, divided.
#[derive(Debug)]
struct Groups {
    members: Vec<Box<[CpuId]>>,
    /// By CPU, the number of its group.
    of: Box<[u16]>,
}

impl Groups {
    /// Together are those of whom `kin` says so, by what they are part of.
    fn new(seats: &[Seat], kin: impl Fn(Seat, Seat) -> bool) -> Self {
        let mut leaders: Vec<(Seat, Vec<CpuId>)> = Vec::new();
        let mut of = Vec::with_capacity(seats.len());
        for (cpu, &seat) in seats.iter().enumerate() {
            let found = leaders.iter().position(|&(leader, _)| kin(leader, seat));
            let group = found.unwrap_or_else(|| {
                leaders.push((seat, Vec::new()));
                leaders.len() - 1
            });
            leaders[group].1.push(CpuId(cpu as u32));
            of.push(group as u16);
        }
        Self { members: leaders.into_iter().map(|(_, cpus)| cpus.into()).collect(), of: of.into() }
    }

    fn with(&self, cpu: CpuId) -> &[CpuId] {
        &self.members[usize::from(self.of[cpu.index()])]
    }
}

impl Topology {
    /// The topology of CPUs that sit here.
    pub fn new(seats: &[Seat]) -> Self {
        let cores = Groups::new(seats, |a, b| a == b);
        Self {
            seats: seats.into(),
            has_siblings: cores.members.len() < seats.len(),
            cores,
            caches: Groups::new(seats, |a, b| (a.package, a.cache) == (b.package, b.cache)),
            packages: Groups::new(seats, |a, b| a.package == b.package),
        }
    }

    /// That of `cpus` CPUs with a core each and one cache for all.
    pub fn flat(cpus: usize) -> Self {
        let core = |core| Seat { package: 0, cache: 0, core };
        Self::new(&(0..cpus as u32).map(core).collect::<Vec<_>>())
    }

    /// Where they sit, by CPU.
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// How many packages, caches and cores there are.
    pub fn counts(&self) -> [usize; 3] {
        [&self.packages, &self.caches, &self.cores].map(|groups| groups.members.len())
    }

    /// The CPUs of a core, by one of them.
    #[inline]
    pub fn siblings(&self, cpu: CpuId) -> &[CpuId] {
        self.cores.with(cpu)
    }

    /// Whether some core has several CPUs.
    #[inline]
    pub fn has_siblings(&self) -> bool {
        self.has_siblings
    }

    /// The groups of CPUs around one that aren't the whole machine, from the nearest, each of which holds the one before.
    pub fn around(&self, cpu: CpuId) -> impl Iterator<Item = &[CpuId]> {
        let groups = [self.caches.with(cpu), self.packages.with(cpu)];
        let all = self.seats.len();
        groups.into_iter().filter(move |group| group.len() < all)
    }

    /// How far it is between two CPUs.
    pub fn distance(&self, from: CpuId, to: CpuId) -> Distance {
        let [a, b] = [from, to].map(|cpu| self.seats[cpu.index()]);
        match () {
            () if from == to => Distance::Here,
            () if a == b => Distance::Core,
            () if a.package != b.package => Distance::Machine,
            () if a.cache != b.cache => Distance::Package,
            () => Distance::Cache,
        }
    }
}

#[cfg(all(test, not(loom)))]
pub(crate) mod tests {
    use super::Distance::{Cache, Core, Here, Machine, Package};
    use super::*;

    /// Two packages, of two caches each, of two cores each, of two threads each; siblings are eight apart, as firmware
    /// likes to number them.
    pub(crate) fn large() -> Topology {
        let seat = |cpu: u32| Seat { package: cpu / 4 % 2, cache: cpu / 2 % 2, core: cpu % 2 };
        Topology::new(&(0..16).map(seat).collect::<Vec<_>>())
    }

    fn ids(cpus: &[CpuId]) -> Vec<u32> {
        cpus.iter().map(|cpu| cpu.0).collect()
    }

    #[test]
    fn a_cpu_knows_who_is_near() {
        let large = large();
        assert_eq!(large.counts(), [2, 4, 8]);
        assert_eq!(ids(large.siblings(CpuId(9))), [1, 9]);
        let around: Vec<_> = large.around(CpuId(9)).map(ids).collect();
        assert_eq!(around, [&[0, 1, 8, 9][..], &[0, 1, 2, 3, 8, 9, 10, 11]]);
        let far: Vec<_> =
            [9, 1, 0, 3, 15].map(|cpu| large.distance(CpuId(9), CpuId(cpu))).into_iter().collect();
        assert_eq!(far, [Here, Core, Cache, Package, Machine]);
    }

    #[test]
    fn on_a_flat_machine_all_are_as_near() {
        let flat = Topology::flat(3);
        assert!(!flat.has_siblings() && flat.around(CpuId(1)).next().is_none());
        assert_eq!(ids(flat.siblings(CpuId(1))), [1]);
        assert_eq!(flat.distance(CpuId(0), CpuId(2)), Cache);
    }
}
