//! Who is told of every access to the scheduler's memory on this host: each thread for itself.
//!
//! In replay a thread has a [`Script`]: what the reads of the present call must find. To record, as the tests
//! do, it has a tape.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use taped::tape::reader::{Entry, Read};
use taped::tape::{self, Tape, Witness};

/// More reads than any call makes, however many tasks and CPUs there are.
const ENDLESS: u64 = 1 << 22;

thread_local! {
    static PLACES: Cell<u32> = const { Cell::new(0) };
    static TAPE: RefCell<Option<Box<Tape>>> = const { RefCell::new(None) };
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// How closely the replayed scheduler resembles the recorded one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Likeness {
    /// It's the same: it makes the same reads in the same order.
    Same,
    /// It has another policy or other settings, and reads what it likes.
    Other,
}

/// What the reads of a call must find.
#[derive(Debug)]
struct Script {
    likeness: Likeness,
    /// Reads of this call so far.
    made: u64,
    /// What [`Likeness::Same`] must find, the next one last.
    ahead: Vec<Read>,
    /// What [`Likeness::Other`] finds at each place when it reads that next: the values that the kernel saw there, the
    /// next one last.
    news: HashMap<u32, Vec<u64>>,
    stray: Option<Stray>,
}

/// A read that the kernel didn't make, or that only the kernel made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stray {
    /// What the kernel read.
    pub kernel: Read,
    /// The place that this scheduler read instead, unless the call ended.
    pub here: Option<u32>,
}

impl Script {
    fn begin(&mut self, entry: &Entry) {
        (self.made, self.stray) = (0, None);
        match self.likeness {
            Likeness::Same => self.ahead = entry.reads.iter().rev().copied().collect(),
            Likeness::Other => {
                // Of what was never read, only the last value counts.
                self.news.values_mut().for_each(|values| values.truncate(1));
                for read in entry.reads.iter().rev() {
                    self.news.entry(read.at).or_default().push(read.value);
                }
            }
        }
    }

    fn foretell(&mut self, at: u32) -> Option<u64> {
        self.made += 1;
        assert!(self.made < ENDLESS, "it reads memory without end");
        if self.likeness == Likeness::Other {
            return self.news.get_mut(&at)?.pop();
        }
        let read = self.ahead.pop_if(|read| read.nth == self.made)?;
        if read.at != at {
            self.stray = Some(Stray { kernel: read, here: Some(at) });
            self.ahead.clear();
            return None;
        }
        Some(read.value)
    }

    fn end(&self) -> Option<Stray> {
        self.stray.or(self.ahead.last().map(|&kernel| Stray { kernel, here: None }))
    }
}

/// This host.
struct Host;

impl Witness for Host {
    fn number(&self) -> u32 {
        PLACES.replace(PLACES.get() + 1)
    }

    fn foretell(&self, at: u32) -> Option<u64> {
        SCRIPT.with_borrow_mut(|script| script.as_mut()?.foretell(at))
    }

    fn saw(&self, at: u32, seen: u64, left: u64) {
        TAPE.with_borrow_mut(|tape| {
            if let Some(tape) = tape {
                tape.saw(at, seen, left);
            }
        });
    }

    fn overwrote(&self, at: u32, left: u64) {
        TAPE.with_borrow_mut(|tape| {
            if let Some(tape) = tape {
                tape.overwrote(at, left);
            }
        });
    }

    fn listen(&self, tape: Box<Tape>) {
        TAPE.set(Some(tape));
    }

    fn hush(&self) -> Option<Box<Tape>> {
        TAPE.take()
    }
}

/// Makes something of atomics whose places count from 0; how many it has.
pub fn numbered<T>(build: impl FnOnce() -> T) -> (T, u32) {
    tape::install(&Host);
    PLACES.set(0);
    let whole = build();
    (whole, PLACES.get())
}

/// Makes the call of `entry` by `perform`, whose reads find what the kernel found.
pub fn recite<T>(memory: &mut Memory, entry: &Entry, perform: impl FnOnce() -> T) -> (T, Option<Stray>) {
    let mut lines = memory.0.take().expect("a call that ended gave its script back");
    lines.begin(entry);
    SCRIPT.set(Some(lines));
    let answer = perform();
    memory.0 = SCRIPT.take();
    (answer, memory.0.as_ref().and_then(Script::end))
}

/// What one CPU's replay remembers from one call to the next.
#[derive(Debug)]
pub struct Memory(Option<Script>);

impl Memory {
    /// Of a replay that begins.
    pub fn new(likeness: Likeness) -> Self {
        // A replay that panicked may have left its script behind.
        SCRIPT.set(None);
        Self(Some(Script { likeness, made: 0, ahead: Vec::new(), news: HashMap::new(), stray: None }))
    }
}
