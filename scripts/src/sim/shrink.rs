//! Makes a failing case small, so that a person can see what matters.
//!
//! Proptest's runner does the searching; here is what it searches: the cases that are one edit smaller than the
//! smallest one that still fails. Edits go from coarse to fine: half of the threads, fewer CPUs, an effect of
//! the machine, a step, a number. Each thread has its own chance, so that what's taken away changes little for the rest.

use std::time::{Duration, Instant};

use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::case::Case;
use super::check::{Invariant, Violation};
use super::machine::Machine;
use super::program::{Class, Cpus, Plan, Span, Step};
use super::shape::Shape;

/// More runs than this find little more.
const MOST_RUNS: u32 = 20_000;

/// The smallest case found that violates the same invariant, within `millis` milliseconds.
pub fn shrunk(case: Case, violation: &Violation, millis: u32) -> Case {
    let config = Config { max_shrink_iters: MOST_RUNS, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let wanted = violation.invariant;
    let deadline = Instant::now() + Duration::from_millis(u64::from(millis));
    let found = runner.run_one(Shrinking::new(case.clone(), deadline), |case| still_fails(&case, wanted));
    match found {
        Err(TestError::Fail(_, smallest)) => smallest,
        _ => case,
    }
}

fn still_fails(case: &Case, wanted: Invariant) -> Result<(), TestCaseError> {
    match case.run() {
        Err(violation) if violation.invariant == wanted => Err(TestCaseError::fail(violation.found)),
        _ => Ok(()),
    }
}

/// A kind of edit: the `index`th smaller case, if there are so many.
type Edit = fn(&Case, usize) -> Option<Case>;

/// From coarse to fine.
const EDITS: [Edit; 8] =
    [shorter, on_fewer_cpus, flatter, with_fewer_threads, calmer, with_fewer_steps, tamer, rounder];

/// The smallest case so far, and the one that is being tried.
#[derive(Debug)]
struct Shrinking {
    best: Case,
    tried: Option<Case>,
    edit: usize,
    index: usize,
    /// Whether anything was found since the first kind of edit.
    better: bool,
    /// When enough was tried.
    deadline: Instant,
}

impl Shrinking {
    fn new(case: Case, deadline: Instant) -> Self {
        Self { best: case, tried: None, edit: 0, index: 0, better: false, deadline }
    }

    /// Proposes the next smaller case; `false` if there's none.
    fn propose(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        loop {
            if self.edit == EDITS.len() {
                if !std::mem::take(&mut self.better) {
                    return false;
                }
                self.edit = 0;
            }
            self.tried = EDITS[self.edit](&self.best, self.index);
            if self.tried.is_some() {
                return true;
            }
            (self.edit, self.index) = (self.edit + 1, 0);
        }
    }
}

impl ValueTree for Shrinking {
    type Value = Case;

    fn current(&self) -> Case {
        self.tried.as_ref().unwrap_or(&self.best).clone()
    }

    /// What was tried fails as well: it's the best now. The same place may hold more that can go.
    fn simplify(&mut self) -> bool {
        if let Some(case) = self.tried.take() {
            (self.best, self.better) = (case, true);
        }
        self.propose()
    }

    /// What was tried doesn't fail: back, and on.
    fn complicate(&mut self) -> bool {
        self.tried = None;
        self.index += 1;
        self.propose()
    }
}

/// Ends earlier: what comes after the violation doesn't matter.
fn shorter(case: &Case, index: usize) -> Option<Case> {
    let cuts = [case.window / 2, case.window / 4 * 3, case.window / 8 * 7];
    let window = *cuts.get(index)?;
    (case.expected.is_empty() && window > 1_000).then(|| Case { window, ..case.clone() })
}

fn on_fewer_cpus(case: &Case, index: usize) -> Option<Case> {
    let fewer = [1, case.cpus / 4, case.cpus / 2, case.cpus * 3 / 4, case.cpus - 1];
    let mut smaller = fewer.into_iter().filter(|&cpus| cpus > 0 && cpus < case.cpus);
    let cpus = smaller.nth(index)?;
    Some(expecting_anew(Case { cpus, ..case.clone() }))
}

/// On a machine where every CPU is as near as any other.
fn flatter(case: &Case, index: usize) -> Option<Case> {
    (index == 0 && case.shape != Shape::default()).then(|| Case { shape: Shape::default(), ..case.clone() })
}

/// Takes a run of threads away: halves at first, then quarters, and so on to single ones.
fn with_fewer_threads(case: &Case, index: usize) -> Option<Case> {
    let (from, len) = piece(case.threads.len(), index)?;
    let gone = from..(from + len).min(case.threads.len());
    let mut smaller = case.clone();
    smaller.threads.drain(gone.clone());
    for plan in &mut smaller.threads {
        renumber(plan, &gone);
    }
    Some(expecting_anew(smaller))
}

/// The `index`th of the pieces of a list: its halves, its quarters, and so on.
fn piece(len: usize, mut index: usize) -> Option<(usize, usize)> {
    let mut size = len.div_ceil(2);
    while size > 0 {
        let pieces = len.div_ceil(size);
        if index < pieces {
            return Some((index * size, size));
        }
        index -= pieces;
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    None
}

/// Steps that name threads name them by their new numbers; those that name one that's gone go too.
fn renumber(plan: &mut Plan, gone: &std::ops::Range<usize>) {
    plan.steps.retain_mut(|step| {
        let named = match step {
            Step::Wake(thread) => Some(thread),
            Step::Pin { thread, .. } | Step::Weigh { thread, .. } => thread.as_mut(),
            Step::Spawn(child) => {
                renumber(child, gone);
                None
            }
            _ => None,
        };
        match named {
            Some(thread) if gone.contains(thread) => return false,
            Some(thread) if *thread >= gone.end => *thread -= gone.len(),
            _ => {}
        }
        true
    });
}

/// What is expected of loops follows from their number.
fn expecting_anew(case: Case) -> Case {
    if case.expected.is_empty() {
        return case;
    }
    let cpus = case.cpus;
    case.expecting_shares(cpus)
}

/// Turns one effect of the machine off.
fn calmer(case: &Case, index: usize) -> Option<Case> {
    let calmer = Machine::EFFECTS.iter().map(|effect| {
        let mut machine = case.machine.clone();
        machine.turn_off(effect);
        machine
    });
    let machine = calmer.filter(|machine| *machine != case.machine).nth(index)?;
    Some(Case { machine, ..case.clone() })
}

/// Takes a run of one thread's steps away.
fn with_fewer_steps(case: &Case, mut index: usize) -> Option<Case> {
    if !case.expected.is_empty() {
        // Of what doesn't loop nothing is expected.
        return None;
    }
    for (number, plan) in case.threads.iter().enumerate() {
        if let Some((from, len)) = piece(plan.steps.len(), index) {
            let mut smaller = case.clone();
            let end = (from + len).min(plan.steps.len());
            smaller.threads[number].steps.drain(from..end);
            return Some(smaller);
        }
        let mut pieces = 0;
        while piece(plan.steps.len(), pieces).is_some() {
            pieces += 1;
        }
        index -= pieces;
    }
    None
}

/// Makes one property of a thread what it usually is, or one of its steps a lesser one.
fn tamer(case: &Case, index: usize) -> Option<Case> {
    let mut found = case.threads.iter().enumerate().flat_map(|(number, plan)| {
        plain_plans(plan).chain(plain_steps(plan)).map(move |plan| (number, plan))
    });
    let (number, plan) = found.nth(index)?;
    let mut smaller = case.clone();
    smaller.threads[number] = plan;
    Some(expecting_anew(smaller))
}

fn plain_plans(plan: &Plan) -> impl Iterator<Item = Plan> + '_ {
    let tries = [
        Plan { start: 0, ..plan.clone() },
        Plan { weight: sched::NORMAL_WEIGHT, ..plan.clone() },
        Plan { class: Class::Fair, ..plan.clone() },
        Plan { cpus: Cpus::Any, ..plan.clone() },
        Plan { again_from: None, ..plan.clone() },
    ];
    tries.into_iter().filter(move |tried| tried != plan)
}

fn plain_steps(plan: &Plan) -> impl Iterator<Item = Plan> + '_ {
    plan.steps.iter().enumerate().flat_map(move |(at, step)| {
        lesser(step).into_iter().map(move |step| {
            let mut tamed = plan.clone();
            tamed.steps[at] = step;
            tamed
        })
    })
}

/// Steps that do less than this one.
fn lesser(step: &Step) -> Vec<Step> {
    match step {
        Step::Spawn(child) => {
            let halves = (0..).map_while(|index| piece(child.steps.len(), index));
            let mut less: Vec<Plan> = halves
                .map(|(from, len)| {
                    let mut child = (**child).clone();
                    let end = (from + len).min(child.steps.len());
                    child.steps.drain(from..end);
                    child
                })
                .collect();
            less.extend(plain_plans(child).chain(plain_steps(child)));
            less.into_iter().map(|child| Step::Spawn(Box::new(child))).collect()
        }
        Step::Pin { thread: Some(_), cpus } => vec![Step::Pin { thread: None, cpus: *cpus }],
        Step::Class { thread: Some(_), class } => vec![Step::Class { thread: None, class: *class }],
        Step::Weigh { thread, weight } if !weight.is_power_of_two() => {
            vec![Step::Weigh { thread: *thread, weight: weight.next_power_of_two() }]
        }
        _ => Vec::new(),
    }
}

/// Makes one number of a step a rounder one.
fn rounder(case: &Case, index: usize) -> Option<Case> {
    let mut found = case.threads.iter().enumerate().flat_map(|(number, plan)| {
        plan.steps.iter().enumerate().filter_map(move |(at, step)| Some((number, at, rounded(step)?)))
    });
    let (number, at, step) = found.nth(index)?;
    let mut smaller = case.clone();
    smaller.threads[number].steps[at] = step;
    Some(smaller)
}

fn rounded(step: &Step) -> Option<Step> {
    match step {
        Step::Run(span) => rounder_span(*span).map(Step::Run),
        Step::Sleep(span) => rounder_span(*span).map(Step::Sleep),
        _ => None,
    }
}

/// One length rather than a range, and that one digit and zeros.
fn rounder_span(span: Span) -> Option<Span> {
    let scale = 10_u64.pow(span.most.max(1).ilog10());
    let round = Span::exactly(span.most / scale * scale);
    (round != span).then_some(round)
}
