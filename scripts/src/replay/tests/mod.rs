//! What is recorded plays back the same; whatever is changed shows, at the call where it matters; and no file, however
//! broken, is more than an error.

mod lab;

use proptest::prelude::*;
use serde::Serialize;
use taped::cpu::{Decision, Reason, Rest};
use taped::policy::PolicyKind;
use taped::tape::file::{Fault, Recording};
use taped::tape::reader::{Entries, Entry};
use taped::tape::{Call, Outcome};
use taped::{Config, Nanos, Next};

use super::names;
use super::player::{Part, Played, What};
use lab::Lab;

/// The part of a recording that is of `cpu`.
fn part(recording: &Recording, cpu: usize) -> Part<'_> {
    let (label, bytes) = &recording.tapes[cpu];
    Part { run: &recording.run, label: *label, bytes, config: recording.run.config }
}

/// A recording of three CPUs that took turns.
fn turns(seed: u64) -> Recording {
    let lab = Lab::new(3, Config::default());
    lab.take_turns(2_000, seed, 1 << 20);
    lab.recording()
}

fn entries(part: &Part<'_>) -> Vec<Entry> {
    Entries::new(part.bytes, part.label.born).map(Result::unwrap).collect()
}

/// A tape with these entries.
fn tape(born: Nanos, entries: &[Entry]) -> Vec<u8> {
    fn put(tape: &mut Vec<u8>, value: &impl Serialize) {
        tape.extend(postcard::to_stdvec(value).unwrap());
    }
    let (mut tape, mut last) = (Vec::new(), born);
    for entry in entries {
        put(&mut tape, &entry.call);
        if entry.call.clone().now().is_some() {
            put(&mut tape, &(entry.now.0.wrapping_sub(last.0) as i64));
            last = entry.now;
        }
        let mut nth = 0;
        for read in &entry.reads {
            put(&mut tape, &(read.nth - nth, read.at, read.value));
            nth = read.nth;
        }
        put(&mut tape, &(0_u8, entry.outcome));
    }
    tape
}

/// Plays CPU 0's part of `recording` with its entries changed by `change`.
fn play_changed(recording: &Recording, change: impl FnOnce(&mut Vec<Entry>)) -> Played {
    let part = part(recording, 0);
    let mut entries = entries(&part);
    change(&mut entries);
    let bytes = tape(part.label.born, &entries);
    Part { bytes: &bytes, ..part }.play().unwrap()
}

#[track_caller]
fn assert_identical(recording: &Recording) -> u64 {
    let played = |cpu| {
        let played = part(recording, cpu).play().unwrap();
        assert!(played.difference.is_none(), "CPU {cpu}: {:?}", played.difference);
        played.decisions
    };
    (0..recording.tapes.len()).map(played).sum()
}

/// Catches: a read of shared memory that isn't on tape, one that is foreseen wrongly or put back wrongly, calls that are
/// recorded in another order than they were made.
#[test]
fn cpus_that_race_play_back_the_same() {
    for seed in 0..4 {
        let lab = Lab::new(4, Config::default());
        lab.race(4_000, seed);
        assert!(assert_identical(&lab.recording()) > 5_000);
    }
}

/// Catches the same with sets of CPUs that have a summary, and under each policy.
#[test]
fn many_cpus_and_every_policy_play_back_the_same() {
    for policy in PolicyKind::ALL {
        let lab = Lab::new(70, Config { policy, ..Config::default() });
        lab.take_turns(200, 7, 1 << 18);
        assert!(assert_identical(&lab.recording()) > 5_000);
    }
}

#[test]
fn a_full_tape_keeps_what_came_first() {
    let lab = Lab::new(2, Config::default());
    lab.take_turns(2_000, 1, 3_000);
    let recording = lab.recording();
    assert!(assert_identical(&recording) > 100);
    for (label, bytes) in &recording.tapes {
        assert!(label.full && (2_900..=3_000).contains(&bytes.len()), "{label:?} {}", bytes.len());
    }
}

#[test]
fn another_decision_is_a_difference_at_its_call() {
    let stays = Outcome::Decision(Decision { next: Next::Stay, arm: taped::cpu::Arm::Keep });
    let mut number = 0;
    let played = play_changed(&turns(1), |entries| {
        let switches = |entry: &&mut Entry| {
            matches!(entry.outcome, Outcome::Decision(Decision { next: Next::Switch(_), .. }))
        };
        let entry = entries.iter_mut().filter(switches).nth(20).unwrap();
        (number, entry.outcome) = (entry.number, stays);
    });
    let difference = played.difference.expect("it shows");
    assert_eq!((difference.entry.number, difference.entry.outcome), (number, stays));
    assert!(matches!(difference.what, What::Outcome(Outcome::Decision(_))), "{:?}", difference.what);
    assert_eq!((played.calls, difference.history.len()), (number - 1, 10));
}

#[test]
fn another_input_is_a_difference_at_its_call() {
    let recording = turns(2);
    let shared = part(&recording, 0).shared().unwrap();
    let mut number = 0;
    let played = play_changed(&recording, |entries| {
        let claims = |entry: &&mut Entry| {
            matches!(entry.call, Call::Wake(_)) && entry.outcome != Outcome::Short(Err(Rest::Unclaimed))
        };
        for entry in entries.iter_mut().filter(claims) {
            let is_state = |at| names::name(&shared, at).ends_with("].state");
            if let Some(read) = entry.reads.iter_mut().find(|read| is_state(read.at)) {
                // Blocked no more: the next phase is that of a task that exited.
                (number, read.value) = (entry.number, read.value + 1);
                break;
            }
        }
    });
    let difference = played.difference.expect("it shows");
    assert_eq!(difference.entry.number, number);
}

#[test]
fn an_interrupt_that_was_not_sent_is_a_difference() {
    let mut number = 0;
    let played = play_changed(&turns(3), |entries| {
        let kick = entries.iter().position(|entry| entry.call == Call::TakeKick).unwrap();
        number = entries.remove(kick).number;
    });
    let difference = played.difference.expect("it shows");
    assert_eq!(difference.entry.number, number, "the one that took its place");
    assert!(matches!(difference.what, What::Kick(_)), "{:?}", difference.what);
}

/// With twice the hysteresis the first slice isn't over when the recorded timer fires.
#[test]
fn another_constant_is_a_difference_where_the_first_slice_ends() {
    let recording = turns(4);
    let config = Config { hysteresis: Nanos::from_millis(50), ..Config::default() };
    let differences = (0..3).filter_map(|cpu| {
        let part = part(&recording, cpu);
        let difference = Part { config, ..part }.play().unwrap().difference?;
        let first = entries(&part).into_iter().find(|entry| {
            matches!(entry.call, Call::Reschedule { reason: Reason::Preempt, .. })
                && matches!(entry.outcome, Outcome::Decision(Decision { next: Next::Switch(_), .. }))
        })?;
        Some((difference, first))
    });
    let mut count = 0;
    for (difference, first) in differences {
        count += 1;
        assert!(difference.entry.number >= first.number, "nothing before it depends on the constant");
        assert!(matches!(difference.what, What::Outcome(_)), "{:?}", difference.what);
    }
    assert!(count > 0);
}

#[test]
fn another_policy_shows_its_first_other_choice() {
    let recording = turns(5);
    let config = Config { policy: PolicyKind::Priority, ..Config::default() };
    let played = Part { config, ..part(&recording, 0) }.play().unwrap();
    let difference = played.difference.expect("priorities are no shares");
    let shown = super::show::difference(0, &difference, &part(&recording, 0).shared().unwrap());
    for expected in ["where     CPU 0, call ", "kernel ", "replay ", "queue ", "before it"] {
        assert!(shown.contains(expected), "no {expected:?} in\n{shown}");
    }
}

#[test]
fn a_scheduler_with_other_memory_is_refused() {
    let mut recording = turns(6);
    recording.run.places += 1;
    let error = part(&recording, 0).play().unwrap_err().to_string();
    assert!(error.contains("atomics") && error.contains("(here)"), "{error}");
}

#[test]
fn broken_files_are_named() {
    let lab = Lab::new(2, Config::default());
    lab.take_turns(100, 1, 1 << 16);
    let file = lab.save();
    assert_eq!(Recording::read(b"tacet"), Err(Fault::Foreign));
    assert_eq!(Recording::read(&file[..20]), Err(Fault::Cut(0)));
    assert_eq!(Recording::read(&file[..file.len() - 20]), Err(Fault::Cut(2)));
    assert!(matches!(Recording::read(&[&file[..], b"x"].concat()), Err(Fault::Strange(3))));
    let mut garbled = file.clone();
    garbled[file.len() / 2] ^= 4;
    assert!(matches!(Recording::read(&garbled), Err(Fault::Garbled(_))));
    assert!(Recording::read(&file).is_ok());
}

/// The files that the fuzzing starts from.
fn file() -> &'static [u8] {
    static FILE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    FILE.get_or_init(|| {
        let lab = Lab::new(2, Config::default());
        lab.take_turns(300, 9, 1 << 16);
        lab.save()
    })
}

proptest! {
    #[test]
    fn any_bytes_are_a_file_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), opened in any::<bool>()) {
        let magic: &[u8] = if opened { taped::tape::file::MAGIC } else { b"" };
        prop_assert!(Recording::read(&[magic, &bytes].concat()).is_err());
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = file().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Recording::read(&bytes).is_err());
        prop_assert!(Recording::read(&file()[..at]).is_err());
    }

    /// A tape whose checksum is right but whose content isn't: it plays up to somewhere, and never on without end.
    #[test]
    fn any_tape_plays_to_a_verdict(at in any::<prop::sample::Index>(), byte in any::<u8>(), cpu in 0..2_usize) {
        let recording = Recording::read(file()).unwrap();
        let part = part(&recording, cpu);
        let mut bytes = part.bytes.to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let verdict = Part { bytes: &bytes, ..part }.play();
        if let Ok(Played { difference: Some(difference), .. }) = verdict {
            super::show::difference(0, &difference, &part.shared().unwrap());
        }
    }
}
