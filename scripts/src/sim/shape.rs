//! How a simulated machine's CPUs share cores, caches and packages.

use fastrand::Rng;
use sched::{Seat, Topology};
use serde::{Deserialize, Serialize};

/// How many of what make up the next larger one. The default is one cache for all, and a core each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// CPUs a core; 0 where all is flat.
    pub threads: u32,
    /// Cores a cache.
    pub cores: u32,
    /// Caches a package.
    pub caches: u32,
    /// Whether the numbers go through the first threads of all cores before the second ones, as firmware often has it.
    pub scattered: bool,
}

impl Shape {
    /// A random one; one of three is flat.
    pub fn draw(rng: &mut Rng) -> Self {
        if rng.u32(0..3) == 0 {
            return Self::default();
        }
        let [threads, cores, caches] = [1..=2, 0..=3, 0..=1].map(|range| rng.u32(range));
        Self { threads, cores: 1 << cores, caches: 1 << caches, scattered: rng.bool() }
    }

    /// The topology of `cpus` such CPUs.
    pub fn topology(self, cpus: usize) -> Topology {
        if self.threads == 0 {
            return Topology::flat(cpus);
        }
        let mut order: Vec<u32> = (0..cpus as u32).collect();
        if self.scattered {
            order.sort_by_key(|cpu| cpu % self.threads);
        }
        let seat = |cpu: u32| {
            let core = cpu / self.threads;
            let cache = core / self.cores.max(1);
            Seat { package: cache / self.caches.max(1), cache, core }
        };
        Topology::new(&order.into_iter().map(seat).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sched::CpuId;

    #[test]
    fn a_shape_divides_the_cpus() {
        let shape = Shape { threads: 2, cores: 2, caches: 2, scattered: false };
        assert_eq!(shape.topology(16).counts(), [2, 4, 8]);
        assert_eq!(shape.topology(5).siblings(CpuId(4)), [CpuId(4)]);
        assert_eq!(Shape::default().topology(5).counts(), [1, 1, 5]);
        let scattered = Shape { scattered: true, ..shape }.topology(16);
        assert_eq!(scattered.siblings(CpuId(3)), [CpuId(3), CpuId(11)]);
    }
}
