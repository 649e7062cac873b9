//! Storms: random threads on a random machine. Not what's usual, but what's allowed.

use std::ops::RangeInclusive;

use fastrand::Rng;

use super::case::Case;
use super::program::{Class, Cpus, Plan, Span, Step};
use super::shape::Shape;

/// Threads of a large storm for each CPU; small ones have up to twice as many.
const THREADS_A_CPU: usize = 2;

/// A storm on a machine of random size, each magnitude as likely.
pub fn storm(seed: u64, cpus: &RangeInclusive<usize>) -> Case {
    of_classes(seed, cpus, false)
}

/// The same with real-time and background threads among the others.
pub fn ranked(seed: u64, cpus: &RangeInclusive<usize>) -> Case {
    of_classes(seed, cpus, true)
}

fn of_classes(seed: u64, cpus: &RangeInclusive<usize>, ranked: bool) -> Case {
    let mut rng = Rng::with_seed(seed);
    let cpus = size(&mut rng, cpus);
    let most = if cpus <= 8 { 2 * THREADS_A_CPU * cpus } else { THREADS_A_CPU * cpus };
    let threads = rng.usize(1..=most);
    let channels = threads.div_ceil(4);
    let scene = Scene { cpus, threads, channels, ranked };
    let plans = (0..threads).map(|_| scene.plan(&mut rng, 2)).collect();
    let shape = Shape::draw(&mut rng);
    let window = if cpus <= 16 { 500_000_000 } else { 8_000_000_000 / cpus as u64 };
    Case { seed, shape, window: window.max(50_000_000), ..Case::new(format!("storm on {cpus}"), cpus, plans) }
}

/// A size from this range, small ones as likely as large ones.
fn size(rng: &mut Rng, cpus: &RangeInclusive<usize>) -> usize {
    let (least, most) = (*cpus.start() as f64, *cpus.end() as f64 + 1.0);
    let size = least * (most / least).powf(rng.f64());
    (size as usize).clamp(*cpus.start(), *cpus.end())
}

/// What a random thread must know of the others.
#[derive(Clone, Copy)]
struct Scene {
    cpus: usize,
    threads: usize,
    channels: usize,
    ranked: bool,
}

impl Scene {
    fn plan(self, rng: &mut Rng, depth: u32) -> Plan {
        let mut steps = vec![Step::Run(span(rng))];
        for _ in 0..rng.usize(0..6) {
            steps.push(self.step(rng, depth));
            steps.push(Step::Run(span(rng)));
        }
        let again_from = (depth == 2 && rng.u32(0..4) > 0).then_some(0);
        Plan {
            weight: weight(rng),
            class: if self.ranked { class(rng) } else { Class::Fair },
            cpus: self.affinity(rng),
            start: rng.u64(0..20_000_000),
            steps,
            again_from,
        }
    }

    fn step(self, rng: &mut Rng, depth: u32) -> Step {
        if self.ranked && rng.u32(0..16) == 0 {
            return Step::Class { thread: Some(rng.usize(0..self.threads)), class: class(rng) };
        }
        match rng.u32(0..16) {
            0..=2 => Step::Sleep(span(rng)),
            3 | 4 => Step::Yield,
            5 => Step::Park,
            6 | 7 => Step::WakeAny,
            8 => Step::Wake(rng.usize(0..self.threads)),
            9 if depth > 0 => Step::Spawn(Box::new(self.plan(rng, depth - 1))),
            10 => Step::Pin { thread: None, cpus: self.affinity(rng) },
            11 => Step::Pin { thread: Some(rng.usize(0..self.threads)), cpus: self.affinity(rng) },
            12 => Step::Weigh { thread: Some(rng.usize(0..self.threads)), weight: weight(rng) },
            13 | 14 => Step::Send(rng.usize(0..self.channels)),
            15 => Step::Receive(rng.usize(0..self.channels)),
            _ => Step::Run(span(rng)),
        }
    }

    fn affinity(self, rng: &mut Rng) -> Cpus {
        let cpus = self.cpus as u32;
        let first = rng.u32(0..cpus);
        match rng.u32(0..4) {
            0 => Cpus::One(first),
            1 => Cpus::Range(first, rng.u32(first + 1..=cpus)),
            _ => Cpus::Any,
        }
    }
}

/// From a microsecond to 30 ms, each magnitude as likely.
fn span(rng: &mut Rng) -> Span {
    let most = 1_000 << rng.u32(0..15);
    Span { least: most / 2, most }
}

/// Half of them fair; few priorities, so that there are equals.
fn class(rng: &mut Rng) -> Class {
    match rng.u32(0..8) {
        0 => Class::Background,
        1 | 2 => Class::Fifo(rng.u8(1..=3)),
        3 => Class::RoundRobin(rng.u8(1..=3)),
        _ => Class::Fair,
    }
}

fn weight(rng: &mut Rng) -> u32 {
    match rng.u32(0..4) {
        0 => rng.u32(1..=100_000),
        _ => sched::NORMAL_WEIGHT << rng.u32(0..3),
    }
}
