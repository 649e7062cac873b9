//! Fair share against floating point: what each task should have, from nothing but weights, times and formulas.

use std::vec::Vec;

use proptest::prelude::*;

use super::machine::{Idle, MS, Machine};
use crate::affinity::Affinity;
use crate::config::Config;
use crate::id::CpuId;
use crate::policy::{Arrival, Fair, Policy, PolicyKind};
use crate::shared::Shared;
use crate::task::{NORMAL_WEIGHT, Spec, Task};
use crate::time::Nanos;

const TAU: f64 = 200e6;
const SLICE: f64 = 10e6;

/// How far a measure may be off, in tau over weight: 1%, and a window of what ran last before it waited (see
/// [`crate::decay`]).
const BOUND: f64 = 0.01 + 1.0 / 128.0;

fn spec(weight: u32) -> Spec {
    Spec { weight, affinity: Affinity::one(CpuId(0)), ..Spec::default() }
}

proptest! {
    #![proptest_config(super::cases(128))]

    /// Loops on one CPU have what a fluid would have given them, to within one hysteresis of virtual time, at any moment.
    ///
    /// The bound's reason: the one that runs is the one that had least when it was switched to, and it goes on until
    /// it's ahead of the next by the hysteresis. So no two are ever further apart, and the weighted mean of all,
    /// which is the fluid's, lies between them. A decision's slack adds a microsecond of CPU time, and a
    /// charge loses less than one virtual nanosecond.
    #[test]
    fn loops_have_what_a_fluid_would_give(
        weights in prop::collection::vec(prop_oneof![1_u32..=65_536, Just(NORMAL_WEIGHT)], 1..8),
        ends in prop::collection::vec(1_u64..100 * MS, 1..20),
    ) {
        let config = Config::default();
        let hysteresis = config.hysteresis.0 as f64;
        agree_with_a_fluid(config, &weights, &ends, |heavy, charges| (hysteresis + charges) * heavy + 1_000.0)?;
    }

    /// The same for policies that give a slice at a time.
    ///
    /// EEVDF's bound is a slice of CPU time, whatever the weight: the theorem of its authors. Under stride scheduling the
    /// one that runs had least when it was switched to, and then runs a slice; so no two are further apart than that of
    /// the lightest, in virtual time.
    #[test]
    fn loops_have_it_a_slice_at_a_time(
        policy in prop::sample::select(std::vec![PolicyKind::Eevdf, PolicyKind::Stride]),
        weights in prop::collection::vec(prop_oneof![64_u32..=16_384, Just(NORMAL_WEIGHT)], 1..8),
        ends in prop::collection::vec(1_u64..100 * MS, 1..20),
    ) {
        let lightest = over_normal(*weights.iter().min().unwrap());
        agree_with_a_fluid(Config { policy, ..Config::default() }, &weights, &ends, |heavy, charges| {
            let slices = if policy == PolicyKind::Eevdf { 1.0 } else { heavy / lightest };
            SLICE * slices + charges * heavy.max(1.0) + 2_000.0
        })?;
    }

    /// Tasks that run, block, and arrive start where the formulas say, from measures integrated by themselves.
    ///
    /// The bound's reason: where a task starts is a difference of two measures, its own and that of whoever has had
    /// least, between limits, of which one is its own measure; each errs by [`BOUND`].
    #[test]
    fn tasks_start_where_the_formulas_say(
        weights in prop::array::uniform4(prop::sample::select(std::vec![16_u32, 512, 1024, 1024, 4096, 65_536])),
        start in 0_u64..1 << 50,
        steps in prop::collection::vec((0_u32..30, 0_u8..5, 0_usize..4), 1..80),
    ) {
        let tasks = weights.map(|weight| {
            let task = Task::new();
            task.create(0, spec(weight), CpuId(0));
            task
        });
        let mut cpu = Reference::new(&tasks, start);
        for (bits, what, who) in steps {
            cpu.pass((1_u64 << bits) * 7 / 8 + 1)?;
            match what {
                0 => cpu.block(),
                1 => cpu.arrive(who, Arrival::New)?,
                2 => cpu.arrive(who, Arrival::Woken)?,
                3 => cpu.arrive(who, Arrival::Migrated)?,
                _ => cpu.preempt(),
            }
        }
    }
}

fn over_normal(weight: u32) -> f64 {
    f64::from(weight) / f64::from(NORMAL_WEIGHT)
}

/// Loops of these weights on one CPU, compared after each span. They may be off by `bound` of a weight over the normal
/// one and of the number of charges so far.
fn agree_with_a_fluid(
    config: Config,
    weights: &[u32],
    spans: &[u64],
    bound: impl Fn(f64, f64) -> f64,
) -> Result<(), TestCaseError> {
    let shared = Shared::new(1, 8, config);
    let mut machine = Machine::new(&shared, 1, Idle::Halts);
    let tasks: Vec<_> = weights.iter().map(|&weight| machine.start(0, spec(weight))).collect();
    let total: f64 = weights.iter().map(|&weight| over_normal(weight)).sum();
    for span in spans {
        machine.run_until(machine.now + span);
        let charges = shared.mailbox(CpuId(0)).stats.timer_interrupts.get() as f64 + 1.0;
        for (task, heavy) in tasks.iter().zip(weights.iter().copied().map(over_normal)) {
            let had = shared.cpu_time(*task, Nanos(machine.now)).unwrap().0 as f64;
            let ideal = machine.now as f64 * heavy / total;
            prop_assert!(
                (had - ideal).abs() <= bound(heavy, charges),
                "weight {heavy}: had {had}, and not {ideal}"
            );
        }
    }
    Ok(())
}

/// A task as floating point sees it.
#[derive(Clone, Copy)]
struct Model {
    /// CPU time over weight.
    virtual_time: f64,
    /// The same with each moment weighted by how long ago it was.
    measure: f64,
    /// In which window it blocked; `None` while it's runnable.
    blocked: Option<u64>,
}

/// A policy, and beside it what it should do.
struct Reference<'a> {
    policy: Fair,
    tasks: &'a [Task],
    models: Vec<Model>,
    running: usize,
    now: u64,
}

impl<'a> Reference<'a> {
    /// The first task runs, the others are blocked since long ago.
    fn new(tasks: &'a [Task], now: u64) -> Self {
        let blocked = Model { virtual_time: 0.0, measure: 0.0, blocked: Some(u64::MAX) };
        let mut models = std::vec![blocked; tasks.len()];
        models[0].blocked = None;
        let mut policy = Fair::new(&Config::default());
        policy.alone(&tasks[0], Arrival::New, Nanos(now));
        Self { policy, tasks, models, running: 0, now }
    }

    fn over_weight(&self, who: usize) -> f64 {
        f64::from(NORMAL_WEIGHT) / f64::from(self.tasks[who].weight())
    }

    /// The power of two below tau / 128: what blocks and comes back within one has forgotten nothing.
    fn window(&self) -> u64 {
        self.now >> 20
    }

    /// The running task runs on.
    fn pass(&mut self, span: u64) -> Result<(), TestCaseError> {
        let (from, faded) = (Nanos(self.now), (-(span as f64) / TAU).exp());
        self.now += span;
        self.policy.charge(&self.tasks[self.running], from, Nanos(self.now));
        let over_weight = self.over_weight(self.running);
        self.models.iter_mut().for_each(|model| model.measure *= faded);
        let model = &mut self.models[self.running];
        model.measure += TAU * (1.0 - faded) * over_weight;
        model.virtual_time += span as f64 * over_weight;
        let expected = model.virtual_time;
        self.agree(self.running, expected, expected, 1.5)
    }

    /// The task's virtual time lies between two limits, give or take so much. From then on the model has it, too: errors
    /// don't add up.
    fn agree(&mut self, who: usize, low: f64, high: f64, error: f64) -> Result<(), TestCaseError> {
        let real = self.tasks[who].virtual_time.get() as f64;
        self.models[who].virtual_time = real;
        // An f64 counts nanoseconds up to 2^53.
        let error = error + real * 1e-15;
        prop_assert!(real >= low - error && real <= high + error, "{real} isn't from {low} to {high}");
        Ok(())
    }

    fn least(&self) -> Option<usize> {
        let runnable = (0..self.tasks.len()).filter(|&who| self.models[who].blocked.is_none());
        runnable.min_by_key(|&who| self.tasks[who].virtual_time.get())
    }

    /// The running task blocks, unless it's the only one.
    fn block(&mut self) {
        self.models[self.running].blocked = Some(self.window());
        match self.least() {
            Some(next) => {
                self.policy.depart(&self.tasks[self.running]);
                self.running = next;
            }
            None => self.models[self.running].blocked = None,
        }
    }

    fn preempt(&mut self) {
        self.running = self.least().expect("one runs");
    }

    /// A blocked task arrives.
    fn arrive(&mut self, who: usize, why: Arrival) -> Result<(), TestCaseError> {
        let Some(blocked) = self.models[who].blocked else { return Ok(()) };
        let least = self.least().expect("one runs");
        let key = self.policy.arrive(&self.tasks[who], why, Some(&self.tasks[least]), Nanos(self.now));
        prop_assert_eq!(key, self.tasks[who].virtual_time.get());
        let (mine, theirs) = (self.models[who], self.models[least]);
        let start = theirs.virtual_time;
        self.models[who].blocked = None;
        let goes_on_within = match why {
            Arrival::Migrated => Some((TAU, TAU)),
            Arrival::Woken if blocked == self.window() => Some((TAU, SLICE)),
            _ => None,
        };
        if let Some((behind, ahead)) = goes_on_within {
            let goes_on = mine.virtual_time.clamp(start - behind, start + ahead).max(0.0);
            return self.agree(who, goes_on, goes_on, 2.0);
        }
        let error = BOUND * TAU * (self.over_weight(who) + self.over_weight(least));
        let [low, high] = [-error, error].map(|error| {
            let more = mine.measure - theirs.measure + error;
            (start + self.offset(who, more, start - mine.virtual_time, why)).max(0.0)
        });
        self.agree(who, low - error, high + error, 64.0)
    }

    /// How far ahead of the one that has had least a task starts that has lately had so much more than it.
    fn offset(&self, who: usize, more: f64, behind: f64, why: Arrival) -> f64 {
        let slice = SLICE * self.over_weight(who);
        if more > 0.0 {
            return more.min(slice);
        }
        // One that was never runnable is new, whatever its arrival is called.
        let slept_here = why == Arrival::Woken && self.models[who].virtual_time > 0.0;
        let credit = if slept_here { behind.max(-more) } else { -more };
        -credit.min(slice + self.models[who].measure)
    }
}
