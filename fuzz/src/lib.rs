//! Hostile input: for each parser of what comes from outside, a target that feeds it bytes and checks what it makes of them.
//!
//! A target panics if the parser does, and if what the parser promises does not hold. The unit tests run each on damaged
//! copies of well-formed input, always the same ones; `scripts/fuzz` lets a coverage-guided fuzzer look for more.

mod firmware;
mod loader;
mod text;

/// A parser, and how to feed it.
pub struct Target {
    /// What `scripts/fuzz` calls it.
    pub name: &'static str,
    /// Feeds it.
    pub feed: fn(&[u8]),
    /// Well-formed input to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 9] = [
    Target { name: "memory-map", feed: loader::memory_map, seeds: loader::memory_map_seeds },
    Target { name: "pvh", feed: loader::pvh, seeds: loader::pvh_seeds },
    Target { name: "multiboot2", feed: loader::multiboot2, seeds: loader::multiboot2_seeds },
    Target { name: "limine", feed: loader::limine, seeds: loader::limine_seeds },
    Target { name: "acpi", feed: firmware::acpi, seeds: firmware::seeds },
    Target { name: "madt", feed: firmware::madt, seeds: firmware::madt_seeds },
    Target { name: "command-line", feed: text::command_line, seeds: text::command_line_seeds },
    Target { name: "record", feed: text::record, seeds: text::record_seeds },
    Target { name: "symbols", feed: text::symbols, seeds: text::symbols_seeds },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs for each target. All together take some seconds.
    const INPUTS: usize = 20_000;

    /// What bounds checks are off by, and sizes that overflow.
    const ODD: [u64; 8] = [0, 1, 7, 0x7f, 0xff, 0xffff, 0xffff_ffff, u64::MAX];

    fn damaged(random: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[random.usize(..seeds.len())].clone();
        for _ in 0..random.usize(1..8) {
            damage(random, &mut bytes);
        }
        bytes
    }

    fn damage(random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
        let at = random.usize(..=bytes.len());
        match random.u8(..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.u8(..)),
            2 => bytes.extend_from_within(at..),
            3 => drop(bytes.drain(at..(at + random.usize(..16)).min(bytes.len()))),
            4 if at < bytes.len() => bytes[at] = random.u8(..),
            _ => {
                let odd = ODD[random.usize(..ODD.len())].to_le_bytes();
                let end = (at + (1 << random.usize(..4))).min(bytes.len());
                bytes[at..end].copy_from_slice(&odd[..end - at]);
            }
        }
    }

    #[test]
    fn well_formed_input_is_fed_to_every_target() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{}", target.name);
            for seed in &seeds {
                (target.feed)(seed);
            }
        }
    }

    #[test]
    fn damaged_input_breaks_no_parser_and_no_promise() {
        for target in TARGETS {
            let (seeds, mut random) = ((target.seeds)(), fastrand::Rng::with_seed(5));
            for _ in 0..INPUTS {
                (target.feed)(&damaged(&mut random, &seeds));
            }
        }
    }
}
