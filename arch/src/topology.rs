//! How a CPU's APIC id tells where it sits: package, last cache, core.
//!
//! An APIC id is a row of bit fields, the thread of the core lowest. CPUID gives their widths: leaf 0x1f or 0xb those of core
//! and package (SDM 3A 9.9.1), leaf 4, on AMD 0x8000001d, how many ids share a cache. All CPUs of a machine are taken to
//! be made alike, so one of them is asked.

use raw_cpuid::{CpuId, CpuIdReader, CpuIdReaderNative, ExtendedTopologyIter, TopologyType};

/// By how many bits an APIC id is to be shifted right for the number of its core, its last cache, its package. None is less
/// than the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    core: u32,
    cache: u32,
    package: u32,
}

/// Where a CPU sits. Two that have a number in common, and those before it, share what it numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    /// Its package.
    pub package: u32,
    /// Its last cache, within the package.
    pub cache: u32,
    /// Its core, within the cache.
    pub core: u32,
}

impl Layout {
    /// Asks the CPU that runs this.
    pub fn read() -> Self {
        Self::of::<CpuIdReaderNative>(&CpuId::new())
    }

    fn of<R: CpuIdReader>(cpuid: &CpuId<R>) -> Self {
        let levels = cpuid.get_extended_topology_info_v2().and_then(widths);
        let levels = levels.or_else(|| cpuid.get_extended_topology_info().and_then(widths));
        let (core, package) = levels.unwrap_or_else(|| widths_of_old(cpuid));
        let cache = cache_width(cpuid).unwrap_or(package).clamp(core, package.max(core));
        Self { core, cache, package: package.max(core) }
    }

    /// Where the CPU of this APIC id sits.
    pub fn seat(self, apic_id: u32) -> Seat {
        let field = |from: u32, to: u32| (apic_id >> from) & ((1_u32 << (to - from)) - 1);
        Seat {
            package: apic_id.checked_shr(self.package).unwrap_or(0),
            cache: field(self.cache, self.package),
            core: field(self.core, self.cache),
        }
    }
}

/// The widths of what is below the core's number and below the package's, if the leaf says any.
fn widths<R: CpuIdReader>(levels: ExtendedTopologyIter<R>) -> Option<(u32, u32)> {
    let (mut core, mut package) = (0, None);
    for level in levels {
        let width = level.shift_right_for_next_apic_id();
        if level.level_type() == TopologyType::SMT {
            core = width;
        }
        package = Some(width);
    }
    package.map(|package| (core, package))
}

/// The same of CPUs without those leaves: of the ids of a package, and of the cores among them.
fn widths_of_old<R: CpuIdReader>(cpuid: &CpuId<R>) -> (u32, u32) {
    let basic = cpuid.get_feature_info().filter(raw_cpuid::FeatureInfo::has_htt);
    let ids = basic.map_or(1, |basic| u32::from(basic.max_logical_processor_ids()));
    let caches = cpuid.get_cache_parameters().and_then(|mut caches| caches.next());
    let cores = caches.map_or(ids, |cache| cache.max_cores_for_package() as u32);
    (width(ids / cores.clamp(1, ids.max(1))), width(ids))
}

/// The width of what is below the number of the last cache.
fn cache_width<R: CpuIdReader>(cpuid: &CpuId<R>) -> Option<u32> {
    let last = cpuid.get_cache_parameters()?.max_by_key(raw_cpuid::CacheParameter::level)?;
    Some(width(last.max_cores_for_cache() as u32))
}

/// How many bits number so many.
fn width(count: u32) -> u32 {
    count.max(1).next_power_of_two().trailing_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use raw_cpuid::CpuIdResult;

    /// A CPU that answers as `leaves` say, each by leaf and sub-leaf.
    fn cpu(leaves: &'static [(u32, u32, [u32; 4])]) -> CpuId<impl CpuIdReader> {
        let answer = move |leaf, sub| {
            let found = leaves.iter().find(|entry| (entry.0, entry.1) == (leaf, sub));
            let [eax, ebx, ecx, edx] = found.map_or([0; 4], |entry| entry.2);
            CpuIdResult { eax, ebx, ecx, edx }
        };
        CpuId::with_cpuid_fn(answer)
    }

    const INTEL: [u32; 3] = [0x756e_6547, 0x6c65_746e, 0x4965_6e69];

    #[test]
    fn two_packages_of_four_cores_of_two_threads() {
        // As QEMU has them with `-smp 16,sockets=2,cores=4,threads=2`.
        let cpuid = cpu(&[
            (0, 0, [0xd, INTEL[0], INTEL[1], INTEL[2]]),
            (4, 0, [0x0c00_4121, 0, 0, 0]),
            (4, 1, [0x0c01_c163, 0, 0, 0]),
            (0xb, 0, [1, 2, 0x100, 0]),
            (0xb, 1, [3, 8, 0x201, 0]),
        ]);
        let layout = Layout::of(&cpuid);
        assert_eq!(layout, Layout { core: 1, cache: 3, package: 3 });
        assert_eq!(layout.seat(11), Seat { package: 1, cache: 0, core: 1 });
    }

    #[test]
    fn leaf_1f_goes_before_leaf_b_and_a_package_may_have_several_caches() {
        let cpuid = cpu(&[
            (0, 0, [0x1f, INTEL[0], INTEL[1], INTEL[2]]),
            (4, 0, [0x0c00_c163, 0, 0, 0]),
            (0xb, 0, [0, 1, 0x100, 0]),
            (0xb, 1, [1, 2, 0x201, 0]),
            (0x1f, 0, [0, 1, 0x100, 0]),
            (0x1f, 1, [2, 4, 0x201, 0]),
            (0x1f, 2, [4, 16, 0x502, 0]),
        ]);
        let layout = Layout::of(&cpuid);
        assert_eq!(layout, Layout { core: 0, cache: 2, package: 4 });
        assert_eq!(layout.seat(0x1b), Seat { package: 1, cache: 2, core: 3 });
    }

    #[test]
    fn an_old_cpu_says_it_with_two_counts() {
        let cpuid = cpu(&[
            (0, 0, [4, INTEL[0], INTEL[1], INTEL[2]]),
            (1, 0, [0, 4 << 16, 0, 1 << 28]),
            (4, 0, [1 << 26 | 0x4121, 0, 0, 0]),
        ]);
        assert_eq!(Layout::of(&cpuid), Layout { core: 1, cache: 1, package: 2 });
    }

    #[test]
    fn a_cpu_that_says_nothing_has_a_package_to_itself() {
        let layout = Layout::of(&cpu(&[(0, 0, [1, 0, 0, 0])]));
        assert_eq!(layout, Layout::default());
        assert_eq!(layout.seat(3), Seat { package: 3, cache: 0, core: 0 });
    }
}
