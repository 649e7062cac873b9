//! Random threads on a random machine: not what's usual, but what's allowed.

use fastrand::Rng;
use sched::Affinity;

use super::program::{Plan, Span, Step};

/// So many threads of random programs for a machine of `cpus` CPUs.
pub fn plans(rng: &mut Rng, cpus: usize, threads: usize) -> Vec<Plan> {
    (0..threads).map(|_| plan(rng, cpus, threads, 2)).collect()
}

fn plan(rng: &mut Rng, cpus: usize, threads: usize, depth: u32) -> Plan {
    let mut steps = vec![Step::Run(span(rng))];
    for _ in 0..rng.usize(0..6) {
        steps.push(step(rng, cpus, threads, depth));
        steps.push(Step::Run(span(rng)));
    }
    let again_from = (depth == 2 && rng.u32(0..4) > 0).then_some(0);
    Plan {
        weight: weight(rng),
        affinity: affinity(rng, cpus),
        start: rng.u64(0..20_000_000),
        steps,
        again_from,
    }
}

fn step(rng: &mut Rng, cpus: usize, threads: usize, depth: u32) -> Step {
    match rng.u32(0..12) {
        0..=2 => Step::Sleep(span(rng)),
        3 | 4 => Step::Yield,
        5 => Step::Park,
        6 | 7 => Step::WakeAny,
        8 => Step::Wake(rng.usize(0..threads)),
        9 if depth > 0 => Step::Spawn(Box::new(plan(rng, cpus, threads, depth - 1))),
        10 => Step::Pin(None, affinity(rng, cpus)),
        11 => Step::Pin(Some(rng.usize(0..threads)), affinity(rng, cpus)),
        _ => Step::Run(span(rng)),
    }
}

/// From a microsecond to 30 ms, each magnitude as likely.
fn span(rng: &mut Rng) -> Span {
    let most = 1_000 << rng.u32(0..15);
    Span { least: most / 2, most }
}

fn weight(rng: &mut Rng) -> u32 {
    match rng.u32(0..4) {
        0 => rng.u32(1..=100_000),
        _ => sched::NORMAL_WEIGHT << rng.u32(0..3),
    }
}

fn affinity(rng: &mut Rng, cpus: usize) -> Affinity {
    let cpus = cpus as u32;
    let first = rng.u32(0..cpus);
    match rng.u32(0..4) {
        0 => Affinity::one(sched::CpuId(first)),
        1 => Affinity::range(first, rng.u32(first + 1..=cpus)).unwrap_or(Affinity::ANY),
        _ => Affinity::ANY,
    }
}
