//! Each invariant can fail: the fault that breaks it is planted, caught, and shrunk.

use sched::policy::PolicyKind;

use super::case::Case;
use super::check::Invariant;
use super::machine::Machine;
use super::plant::Plant;
use super::program::{Cpus, Plan, Span, Step};
use super::series::{self, Series};
use super::shrink::shrunk;

const MS: u64 = 1_000_000;

fn run_for(micros: u64) -> Step {
    Step::Run(Span::micros(micros / 2, micros))
}

fn sleeper() -> Plan {
    Plan::repeat(vec![run_for(300), Step::Sleep(Span::micros(200, 2_000))])
}

/// Two CPUs, two threads that sleep and run, and a pair that plays ping-pong across.
fn lively() -> Case {
    let server = Plan::repeat(vec![run_for(100), Step::Send(0), Step::Receive(1)]).on(Cpus::One(0));
    let returner = Plan::repeat(vec![Step::Receive(0), run_for(100), Step::Send(1)]).on(Cpus::One(1));
    Case::new("lively", 2, vec![sleeper(), sleeper(), server, returner])
}

/// The invariant that catches `plant` in `case`, which is fine without it.
fn caught(case: &Case, plant: Plant) -> Invariant {
    if let Err(why) = case.run() {
        panic!("{} fails without a fault: {why}", case.name);
    }
    let planted = Case { plant: Some(plant), ..case.clone() };
    planted.run().expect_err("nothing catches it").invariant
}

#[test]
fn a_dropped_kick_leaves_a_post_unseen() {
    assert_eq!(caught(&lively(), Plant::DropKick), Invariant::Attention);
}

/// A question is a post like others. That a CPU which isn't helped shows as one that wastes is seen by taking out the cure
/// of `many-that-idle-at-once-are-all-fed-soon`.
#[test]
fn a_dropped_question_is_left_unseen() {
    // Each comes and goes, so that now and then two are on one CPU when the other has nothing left.
    let comer = || Plan::repeat(vec![run_for(9_000), Step::Sleep(Span::micros(500, 9_000))]);
    let case = Case::new("asking", 2, vec![comer(), comer(), comer(), comer()]);
    let case = Case { window: 5_000 * MS, ..case };
    assert_eq!(caught(&case, Plant::DropQuestion), Invariant::Attention);
}

#[test]
fn a_timer_that_is_forgotten_or_very_late_is_missed() {
    let case = Case::new("sleeping", 1, vec![sleeper()]);
    assert_eq!(caught(&case, Plant::ForgetTimer), Invariant::TimerArmed);
    assert_eq!(caught(&case, Plant::LateTimer), Invariant::TimerArmed);
}

#[test]
fn a_late_timer_shows_in_what_others_are_owed() {
    let case = Case::new("turns", 1, vec![Plan::looping(), Plan::looping()]);
    let case = Case { policy: PolicyKind::RoundRobin, ..case };
    assert_eq!(caught(&case, Plant::LateTimer), Invariant::Lag);
}

#[test]
fn a_timer_for_nothing_is_noticed() {
    assert_eq!(caught(&lively(), Plant::NeedlessTimer), Invariant::NoNeedlessTimer);
}

#[test]
fn a_lost_preemption_lets_the_wrong_thread_run() {
    let waker = Plan::repeat(vec![run_for(500), Step::Send(0)]);
    let urgent = Plan::repeat(vec![Step::Receive(0), run_for(10)]).weighing(4);
    let case = Case { policy: PolicyKind::Priority, ..Case::new("urgent", 1, vec![waker, urgent]) };
    assert_eq!(caught(&case, Plant::LosePreemption), Invariant::Priority);
}

#[test]
fn a_task_that_is_started_twice_is_in_two_places() {
    let child = Plan::once(vec![run_for(2_000)]);
    let parent = Plan::repeat(vec![
        run_for(1_000),
        Step::Spawn(Box::new(child)),
        Step::Sleep(Span::micros(5_000, 5_000)),
    ]);
    let case = Case::new("births", 2, vec![parent, Plan::looping(), Plan::looping()]);
    assert_eq!(caught(&case, Plant::StartTwice), Invariant::OnePlace);
}

#[test]
fn a_switch_that_is_not_completed_loses_a_wakeup() {
    assert_eq!(caught(&lively(), Plant::SkipSwitched), Invariant::NoLostWakeup);
}

#[test]
fn a_clock_that_jumps_makes_time() {
    assert_eq!(caught(&lively(), Plant::ClockJump), Invariant::TimeConserved);
}

#[test]
fn a_change_of_affinity_that_is_forgotten_is_missed() {
    let there = |cpu| Step::Pin { thread: Some(1), cpus: Cpus::One(cpu) };
    let nap = || Step::Sleep(Span::micros(2_000, 3_000));
    let mover = Plan::repeat(vec![there(0), nap(), there(1), nap()]);
    let case = Case::new("moved", 2, vec![mover, Plan::looping()]);
    assert_eq!(caught(&case, Plant::ForgetControl), Invariant::Control);
}

#[test]
fn cpus_that_only_keep_each_other_busy_get_nothing_done() {
    let endless = Plan::repeat(vec![Step::Yield]);
    let case = Case::new("busy", 1, vec![endless.clone(), endless]);
    assert_eq!(case.run().unwrap_err().invariant, Invariant::Progress);
}

/// A planted fault in a storm on a rough machine comes down to very little.
#[test]
fn a_failing_storm_is_shrunk() {
    let series = Series {
        cpus: 4..=4,
        policy: Some(PolicyKind::Fair),
        machine: Some(Machine::rough()),
        shares: Some(false),
        ranked: Some(false),
        plant: Some(Plant::ForgetTimer),
    };
    let case = series.case(1);
    let violation = case.run().expect_err("the fault is found");
    let smallest = shrunk(case, &violation, 5_000);
    assert_eq!(smallest.run().unwrap_err().invariant, violation.invariant);
    assert_eq!((smallest.cpus, &smallest.machine), (1, &Machine::default()), "{smallest}");
    assert!(smallest.threads.len() <= 2, "{smallest}");
    assert_eq!(Case::read(&smallest.to_string()).unwrap(), smallest);
}

/// A few storms of each kind; `cargo xtask test sim` runs many.
#[test]
fn storms_violate_nothing() {
    let series =
        Series { cpus: 1..=16, policy: None, machine: None, shares: Some(false), ranked: None, plant: None };
    let findings = series.run(series::Span { first: 1, count: 24, part: 0, parts: 1, limit: None });
    if let Some((case, violation)) = findings.failures.first() {
        panic!("{violation}\n{case}");
    }
    let total = findings.total();
    assert!(total.worst_lag > MS as f64 && total.checks > 10 * total.events, "{total:?}");
}
