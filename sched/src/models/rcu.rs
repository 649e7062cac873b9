//! Grace periods: nothing is reused that a reader may still have.

use std::sync::Arc;

use super::explore;
use super::threads::{self, Cell};
use crate::primitives::Grace;
use crate::sync::{AtomicU32, Ordering};

/// The CPU of the readers; the writers' own has none.
const CPU: usize = 0;

/// Places for values, and which one is current.
struct Scene {
    grace: Grace<1>,
    current: AtomicU32,
    places: [Cell<u32>; 3],
    /// Writers that are done.
    done: AtomicU32,
}

impl Scene {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            grace: Grace::new(),
            current: AtomicU32::new(0),
            places: [0; 3].map(Cell::new),
            done: AtomicU32::new(0),
        })
    }

    /// Reads the current value. The cell panics if that races with a write to its place.
    fn read(&self) {
        let place = self.current.load(Ordering::Acquire) as usize;
        self.places[place].with(|_| ());
    }

    /// Makes `place` current, waits until nobody has the one before, and overwrites that.
    fn replace(&self, place: u32) {
        let before = self.current.swap(place, Ordering::AcqRel);
        let question = self.grace.ask();
        while !self.grace.has_answered(CPU, question) {
            threads::yield_now();
        }
        self.places[before as usize].with_mut(|_| ());
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// The same, but without waiting: what isn't known to be free stays.
    fn replace_if_answered(&self, place: u32) {
        let before = self.current.swap(place, Ordering::AcqRel);
        let question = self.grace.ask();
        if self.grace.has_answered(CPU, question) {
            self.places[before as usize].with_mut(|_| ());
        }
    }

    /// A CPU that reads `sections` times, is interrupted after each, and then idles until `writers` are done.
    fn run(&self, sections: usize, writers: u32) {
        for _ in 0..sections {
            self.read();
            self.grace.answer(CPU);
        }
        while self.done.load(Ordering::Relaxed) < writers {
            self.grace.answer(CPU);
            threads::yield_now();
        }
    }
}

/// Catches: `ask` that answers the number before its own, `has_answered` that takes it for enough (race: the reader has the
/// value still); `answer` before the section's end; `ask` without Release or `answer` without Acquire (stale: a reader that
/// comes after the answer finds the old value); `answer` without Release, `has_answered` without Acquire (the read comes
/// after the overwriting).
#[test]
fn what_a_reader_has_is_kept() {
    explore(3, || {
        let scene = Scene::new();
        let shared = scene.clone();
        let cpu = threads::spawn(move || shared.run(2, 1));
        scene.replace(1);
        cpu.join().unwrap();
    });
}

/// Two writers at a time, one of which may be content with the answer to the other's question.
///
/// Catches: `ask` by a load and a store (two have one number: a reader that saw the first's question hasn't seen what the
/// second did).
#[test]
fn what_a_reader_has_is_kept_by_two_writers() {
    explore(3, || {
        let scene = Scene::new();
        let (shared, other) = (scene.clone(), scene.clone());
        let cpu = threads::spawn(move || {
            shared.grace.answer(CPU);
            shared.read();
        });
        let writer = threads::spawn(move || other.replace_if_answered(1));
        scene.replace_if_answered(2);
        writer.join().unwrap();
        cpu.join().unwrap();
    });
}
