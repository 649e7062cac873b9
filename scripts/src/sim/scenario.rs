//! What is simulated.

use bench::fairness::{Claim, ideal};
use fastrand::Rng;
use sched::{Affinity, Config, Shared};

use super::machine::Machine;
use super::measure::Measured;
use super::program::{Plan, Span, Step};
use super::world::World;

const MS: u64 = 1_000_000;
/// Slots for threads that threads start.
const SPARE_SLOTS: usize = 64;
/// CPUs boot at a time that's no round number of anything.
const BOOT: u64 = 1_234_567_891;

/// A case: threads on a machine, and what each should get.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it's called.
    pub name: String,
    /// How many CPUs.
    pub cpus: usize,
    /// The threads.
    pub plans: Vec<Plan>,
    /// What each should get of a CPU.
    pub expected: Vec<f64>,
    /// Before the window.
    pub settle: u64,
    /// The window.
    pub window: u64,
}

impl Case {
    fn new(name: impl Into<String>, cpus: usize, plans: Vec<Plan>, among: usize) -> Self {
        let claims: Vec<Claim> = plans.iter().map(|plan| Claim::endless(f64::from(plan.weight))).collect();
        let expected = ideal(&claims, among);
        Self { name: name.into(), cpus, plans, expected, settle: 500 * MS, window: 5_000 * MS }
    }

    /// Runs it; if anything is violated, once more with its trace kept.
    ///
    /// # Errors
    /// The first violation, and the trace that leads to it.
    pub fn run(&self, config: Config, machine: Machine, seed: u64) -> Result<Measured, String> {
        self.attempt(config, machine.clone(), seed, false)
            .or_else(|_| self.attempt(config, machine, seed, true))
    }

    fn attempt(&self, config: Config, machine: Machine, seed: u64, traced: bool) -> Result<Measured, String> {
        let shared = Shared::new(self.cpus, self.plans.len() + SPARE_SLOTS, config);
        let mut world = World::new(&shared, machine, seed, BOOT);
        world.trace.on = traced;
        for plan in &self.plans {
            world.add(plan.clone());
        }
        let outcome = world
            .run(self.settle)
            .and_then(|()| world.measure(self.window, self.expected.clone()))
            .and_then(|measured| world.check_conserved(BOOT).map(|()| measured));
        outcome.map_err(|why| {
            format!("{}: {why} (at {} ns, seed {seed})\n{}", self.name, world.now, world.trace)
        })
    }
}

fn loops(weights: &[u32]) -> Vec<Plan> {
    weights.iter().map(|&weight| Plan::looping().weighing(weight)).collect()
}

/// The fairness cases of the report, threads in an order and at times drawn from the seed.
pub fn fairness(seed: u64) -> Vec<Case> {
    let mut rng = Rng::with_seed(seed);
    let mut cases = Vec::new();
    for count in 1..=9 {
        cases.push(Case::new(format!("share/equal {count} on 4"), 4, loops(&vec![1; count]), 4));
    }
    let two = Affinity::range(0, 2).expect("a range");
    let confined = loops(&[1; 3]).into_iter().map(|plan| plan.on(two)).collect();
    cases.push(Case::new("share/equal 3 on 2 of 4", 4, confined, 2));
    cases.push(Case::new("share/weighted 1:2:4 on 1", 1, loops(&[1, 2, 4]), 1));
    for (cpus, weights) in [(2, vec![1, 1, 2, 2, 4, 4]), (4, [1, 2, 4].repeat(4))] {
        let mut weights = weights;
        rng.shuffle(&mut weights);
        cases.push(Case::new(format!("share/weighted {weights:?} on {cpus}"), cpus, loops(&weights), cpus));
    }
    for burst in [1, 2, 4, 8, 16, 32] {
        let span = Span::exactly(burst * MS);
        let half = Plan::repeat(vec![Step::Run(span), Step::Sleep(span)]);
        cases.push(Case::new(format!("share/intermittent {burst} ms"), 1, vec![Plan::looping(), half], 1));
    }
    cases.push(Case::new("timeslice", 1, loops(&[1, 1]), 1));
    for count in [2, 4, 3] {
        cases.push(Case::new(format!("balance/{count}on2"), 2, loops(&vec![1; count]), 2));
    }
    for case in &mut cases {
        for plan in &mut case.plans {
            plan.start = rng.u64(0..20 * MS);
        }
    }
    cases
}

/// Loops of random weights on random machines, to find where shares stray.
pub fn random_weights(seed: u64, count: usize) -> Vec<Case> {
    let mut rng = Rng::with_seed(seed);
    (0..count)
        .map(|_| {
            let cpus = rng.usize(1..=8);
            let weights: Vec<u32> = (0..rng.usize(1..=3 * cpus + 1)).map(|_| rng.u32(1..=8)).collect();
            let mut case =
                Case::new(format!("share/random {weights:?} on {cpus}"), cpus, loops(&weights), cpus);
            for plan in &mut case.plans {
                plan.start = rng.u64(0..20 * MS);
            }
            case
        })
        .collect()
}

/// A storm: random threads on a machine of random size, for half a second.
pub fn storm(seed: u64) -> Case {
    let mut rng = Rng::with_seed(seed);
    let cpus = rng.usize(1..=6);
    let threads = rng.usize(1..=4 * cpus);
    let plans = super::storm::plans(&mut rng, cpus, threads);
    let expected = vec![1.0; plans.len()];
    Case { name: format!("storm on {cpus}"), cpus, plans, expected, settle: 0, window: 500 * MS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sched::policy::PolicyKind;

    #[test]
    fn shares_are_fair_and_the_same_seed_repeats() {
        for case in fairness(3).iter().filter(|case| !case.name.starts_with("share/intermittent")) {
            let run = || case.run(Config::default(), Machine::plain(), 3).unwrap();
            let measured = run();
            assert!(
                measured.worst() < 0.02 && measured.jain() > 0.999,
                "{}: {:?}",
                case.name,
                measured.shares
            );
            assert_eq!(measured.shares, run().shares, "{}", case.name);
        }
    }

    #[test]
    fn round_robin_knows_no_weights() {
        let case = Case::new("unfair on purpose", 1, loops(&[1, 4]), 1);
        let config = Config { policy: PolicyKind::RoundRobin, ..Config::default() };
        assert!(case.run(config, Machine::plain(), 1).unwrap().worst() > 0.5, "this gate can't fail");
    }
}
