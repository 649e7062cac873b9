//! Soak: random mixes of threads for as long as one likes, with what must hold checked after each: `soak=1800s`.
//!
//! A round takes a handful of [`crew`]s, each some threads that do one kind of thing and know whether it came out right,
//! and shakes some of the threads meanwhile: other weights, classes, CPUs. When the round is over, all have ended, and
//!
//! - every crew's own sums add up, and every thread got somewhere;
//! - no more CPU time was accounted than there was, and most of what there was, idle time included;
//! - heap, stacks and slots are what they were before the first round.
//!
//! The seed decides what is done; how it's interleaved, the machine and whoever pauses it.

mod crew;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::os::{Class, Memory, Os, Priority, SpawnError};
use crate::random::Random;
use crate::record::{self, Body, End, Record, Verdict};
use crate::units::Time;
use crew::{Crew, Member, Total};

/// A round's length.
const ROUND_NS: core::ops::Range<u64> = 50_000_000..800_000_000;
/// The length of one round in eight, which goes on until every thread has got somewhere.
const LONG_NS: u64 = 4_000_000_000;
/// How long that may take. Much longer than on a host with nothing else to do: one that has may give a CPU a tenth of the time.
const PATIENCE_NS: u64 = 30_000_000_000;
/// Crews of a round.
const CREWS: core::ops::Range<u64> = 1..6;
/// Between two lines that say how far it is.
const LINE_NS: u64 = 10_000_000_000;
/// How long threads that ended may take until the last trace of them is gone.
const SETTLE_NS: u64 = 5_000_000_000;
/// Accounted over elapsed CPU time: what clocks of different CPUs, read one after the other, may be off by.
const SLACK_NS: u64 = 20_000_000;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Rounds.
    pub rounds: u64,
    /// Threads made.
    pub threads: u64,
    /// Steps of all threads.
    pub steps: u64,
    /// Changes of weight, class or affinity.
    pub changes: u64,
    /// The longest round, after which every thread had got somewhere.
    pub longest_ns: u64,
}

/// Runs rounds until `ns` have passed, from a normal thread that is not pinned. True if all went well.
pub fn run<O: Os>(seed: u64, ns: u64, out: &mut dyn Write) -> bool {
    let _ = writeln!(out, "soak       {} on {} CPUs, seed {seed}", Time(ns), O::cpus());
    let mut random = Random::new(seed);
    let mut done = Done::default();
    // The first round fills caches that stay: stacks, and what the allocator keeps.
    let first = round::<O>(&mut random, &mut done);
    let (start, found) = (O::now(), settled::<O>(None));
    let result = first.and_then(|()| rounds::<O>(&mut random, &mut done, start + ns, found, out));
    let Done { rounds, threads, steps, changes, longest_ns } = done;
    let longest = Time(longest_ns);
    let text = format!(
        "{rounds} rounds, the longest {longest}, {threads} threads, {steps} steps, {changes} changes"
    );
    let (pass, why) = match result {
        Ok(()) => (true, text),
        Err(why) => (false, format!("round {rounds}: {why}; after {text}; seed {seed}")),
    };
    let _ = writeln!(out, "soak       {}: {why}", if pass { "passed" } else { "FAILED" });
    let (passed, failed) = (u32::from(pass), u32::from(!pass));
    for body in [Body::Verdict(Verdict { pass, why }), Body::End(End { passed, failed })] {
        let _ = writeln!(out, "{}", record::line(&Record::new("soak", body)));
    }
    pass
}

fn rounds<O: Os>(
    random: &mut Random,
    done: &mut Done,
    until: u64,
    mut found: Memory,
    out: &mut dyn Write,
) -> Result<(), String> {
    let mut next_line = O::now();
    while O::now() < until {
        round::<O>(random, done)?;
        let left = settled::<O>(Some(found));
        if keeps_more(left, found) {
            return Err(format!("memory was {found}, and is {left}"));
        }
        // Less: a thread of an earlier round was not quite gone when it was looked at last.
        found = left;
        if O::now() >= next_line {
            next_line = O::now() + LINE_NS;
            let Done { rounds, threads, steps, .. } = *done;
            let left = Time(until.saturating_sub(O::now()));
            let _ =
                writeln!(out, "soak       {rounds} rounds, {threads} threads, {steps} steps; {left} to go");
        }
    }
    Ok(())
}

/// Memory once nothing moves any more: as it was, if that's told, or else the same at two looks.
fn settled<O: Os>(wanted: Option<Memory>) -> Memory {
    let start = O::now();
    let mut last = O::memory();
    loop {
        O::sleep(1_000_000);
        let now = O::memory();
        let quiet = wanted.map_or(same(now, last), |wanted| same(now, wanted));
        if quiet || O::now().saturating_sub(start) > SETTLE_NS {
            return now;
        }
        last = now;
    }
}

/// Stacks may have been made meanwhile, as long as nobody keeps them.
fn same(left: Memory, right: Memory) -> bool {
    let of = |memory: Memory| (memory.heap, memory.stacks - memory.idle_stacks, memory.free_slots);
    of(left) == of(right)
}

/// Whether less is free than there was.
fn keeps_more(left: Memory, found: Memory) -> bool {
    let kept = |memory: Memory| memory.stacks - memory.idle_stacks;
    left.heap > found.heap || kept(left) > kept(found) || left.free_slots < found.free_slots
}

/// One mix, from its first thread to the end of its last.
fn round<O: Os>(random: &mut Random, done: &mut Done) -> Result<(), String> {
    let (before, idle) = (O::now(), idle_ns::<O>());
    let own = O::usage(&O::current()).cpu_ns;
    let long = random.within(0..8) == 0;
    let (stop, length) =
        (Arc::new(AtomicBool::new(false)), if long { LONG_NS } else { random.within(ROUND_NS) });
    let crews = (0..random.within(CREWS)).map(|_| crew::any::<O>(random, &stop));
    let crews: Vec<Crew<O>> = crews.collect::<Result<_, SpawnError>>().map_err(|error| format!("{error}"))?;
    let starved = shake_all(random, done, &crews, length..if long { PATIENCE_NS } else { length });
    // Relaxed: threads look at nothing else by it.
    stop.store(true, Ordering::Relaxed);
    let mut accounted = 0;
    for crew in crews {
        let (threads, Total { steps, cpu_ns }) = (crew.members.len() as u64, crew.join()?);
        done.threads += threads;
        done.steps += steps;
        accounted += cpu_ns;
    }
    done.rounds += 1;
    if let Some(name) = starved {
        return Err(format!("a {name} got nowhere in {}", Time(PATIENCE_NS)));
    }
    accounted += O::usage(&O::current()).cpu_ns - own;
    check_time::<O>(accounted + (idle_ns::<O>() - idle), O::now().saturating_sub(before))
}

fn idle_ns<O: Os>() -> u64 {
    (0..O::cpus()).map(|cpu| O::counters(cpu).idle_ns).sum()
}

/// What CPUs did adds up to the time that there was: threads and idleness.
fn check_time<O: Os>(accounted: u64, elapsed: u64) -> Result<(), String> {
    let (there_was, slack) = (elapsed * O::cpus() as u64, SLACK_NS * O::cpus() as u64);
    let most = there_was + there_was / 50 + slack;
    // What a thread does after its last look at its own usage, to its very end, is nobody's: children are many.
    let least = (there_was * 4 / 5).saturating_sub(slack);
    if (least..=most).contains(&accounted) {
        return Ok(());
    }
    Err(format!("{} of CPU time accounted, where there were {}", Time(accounted), Time(there_was)))
}

/// Changes threads at random for the time that `length` begins with, and on until each has got somewhere. Gives the name
/// of one that hasn't when all of `length` is over; if that's more than its beginning.
fn shake_all<O: Os>(
    random: &mut Random,
    done: &mut Done,
    crews: &[Crew<O>],
    length: core::ops::Range<u64>,
) -> Option<&'static str> {
    let before = O::now();
    let elapsed = || O::now().saturating_sub(before);
    let behind = || crews.iter().find_map(Crew::starved);
    while elapsed() < length.start || (elapsed() < length.end && behind().is_some()) {
        let crew = random.pick(crews);
        let member = random.pick(&crew.members);
        shake::<O>(random, member);
        done.changes += 1;
        O::sleep(random.within(200_000..20_000_000));
    }
    done.longest_ns = done.longest_ns.max(elapsed());
    behind().filter(|_| !length.is_empty())
}

/// Changes something about a thread that runs.
fn shake<O: Os>(random: &mut Random, member: &Member<O>) {
    let cpus = O::cpus() as u64;
    match random.within(0..5) {
        0 => O::set_weight(&member.thread, random.within(256..4096) as u32),
        1 => {
            let first = random.within(0..cpus);
            O::set_affinity(&member.thread, first as usize..random.within(first + 1..cpus + 1) as usize);
        }
        2 => O::set_affinity(&member.thread, 0..cpus as usize),
        3 if member.sleeps => {
            let class = if random.within(0..2) == 0 { Class::Fifo } else { Class::RoundRobin };
            O::set_class(&member.thread, class(Priority::LOWEST));
        }
        _ => O::set_class(&member.thread, Class::Fair),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;

    #[test]
    fn the_same_seed_chooses_the_same() {
        let (mut one, mut other) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| one.within(0..1000) == other.within(0..1000)));
        assert!((0..1000).all(|_| (5..9).contains(&one.within(5..9))));
    }

    #[test]
    fn every_crew_comes_out_right_on_host_threads() {
        for kind in 0..crew::KINDS {
            let stop = Arc::new(AtomicBool::new(false));
            let crew = crew::make::<Host<2>>(kind, &mut Random::new(1), &stop).unwrap();
            Host::<2>::sleep(30_000_000);
            stop.store(true, Ordering::Relaxed);
            let result = crew.join().unwrap();
            assert!(result.steps > 0, "crew {kind}");
        }
    }

    #[test]
    fn who_takes_long_is_waited_for_and_named_if_that_is_in_vain() {
        const MS: u64 = 1_000_000;
        let shaken = |length| {
            let stop = Arc::new(AtomicBool::new(false));
            let crews = [crew::sluggish::<Host<2>>(40 * MS, &stop).unwrap()];
            let mut done = Done::default();
            let starved = shake_all(&mut Random::new(1), &mut done, &crews, length);
            stop.store(true, Ordering::Relaxed);
            assert!(crews.into_iter().all(|crew| crew.join().is_ok()));
            (starved, done.longest_ns)
        };
        let (starved, longest_ns) = shaken(MS..60_000 * MS);
        assert!(starved.is_none() && longest_ns >= 40 * MS, "{longest_ns}");
        assert_eq!(shaken(MS..2 * MS).0, Some("sluggard"));
        assert_eq!(shaken(MS..MS).0, None);
    }

    #[test]
    fn memory_that_is_kept_is_noticed() {
        let before = Memory { heap: 100, stacks: 3, idle_stacks: 2, free_slots: 9 };
        assert!(same(before, Memory { stacks: 5, idle_stacks: 4, ..before }));
        for after in [
            Memory { heap: 101, ..before },
            Memory { stacks: 4, ..before },
            Memory { free_slots: 8, ..before },
        ] {
            assert!(!same(before, after) && keeps_more(after, before) && !keeps_more(before, after));
        }
    }

    #[test]
    fn time_must_add_up() {
        assert_eq!(check_time::<Host<2>>(2_000_000_000, 1_000_000_000), Ok(()));
        for accounted in [1_500_000_000, 2_200_000_000] {
            assert!(check_time::<Host<2>>(accounted, 1_000_000_000).is_err());
        }
    }
}
