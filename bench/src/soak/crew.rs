//! Some threads that do one kind of thing together until they are told to stop, and can tell whether it came out right.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::os::{Os, SpawnError, Spec};
use crate::random::Random;

/// A thread of a crew.
pub struct Member<O: Os> {
    /// For who changes its weight and the like.
    pub thread: O::Thread,
    /// Whether it sleeps every step, so that as a real-time thread it leaves CPU time to others.
    pub sleeps: bool,
    steps: Arc<AtomicU64>,
    handle: O::JoinHandle<()>,
}

/// Threads, and what must come of them.
pub struct Crew<O: Os> {
    name: &'static str,
    /// The threads.
    pub members: Vec<Member<O>>,
    stop: Arc<AtomicBool>,
    wrong: Arc<AtomicU64>,
    /// CPU time of threads that members made.
    children_ns: Arc<AtomicU64>,
    /// Compares sums, given the steps of all, once all have ended.
    check: Box<dyn FnOnce(u64) -> bool>,
}

/// What came of a crew.
#[derive(Clone, Copy, Debug)]
pub struct Total {
    /// Steps of all its threads.
    pub steps: u64,
    /// CPU time of all its threads.
    pub cpu_ns: u64,
}

/// What a thread of a crew asks and tells.
struct Pace {
    stop: Arc<AtomicBool>,
    steps: Arc<AtomicU64>,
    wrong: Arc<AtomicU64>,
}

impl Pace {
    /// One step is done; whether there is to be another.
    fn go_on(&self) -> bool {
        self.steps.fetch_add(1, Relaxed);
        !self.stop.load(Relaxed)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    fn expect(&self, right: bool) {
        self.wrong.fetch_add(u64::from(!right), Relaxed);
    }
}

impl<O: Os> Crew<O> {
    fn new(name: &'static str, stop: &Arc<AtomicBool>) -> Self {
        Self {
            name,
            members: Vec::new(),
            stop: stop.clone(),
            wrong: Arc::default(),
            children_ns: Arc::default(),
            check: Box::new(|_| true),
        }
    }

    fn add(&mut self, body: impl FnOnce(&Pace) + Send + 'static) -> Result<(), SpawnError> {
        let steps = Arc::<AtomicU64>::default();
        let pace = Pace { stop: self.stop.clone(), steps: steps.clone(), wrong: self.wrong.clone() };
        let handle = O::spawn(&Spec::new(self.name), move || body(&pace))?;
        self.members.push(Member {
            thread: O::thread(&handle),
            sleeps: self.name == "napper",
            steps,
            handle,
        });
        Ok(())
    }

    fn checking(mut self, check: impl FnOnce(u64) -> bool + 'static) -> Self {
        self.check = Box::new(check);
        self
    }

    /// A thread that has not got anywhere yet. One that waits for others may have found nothing to do, but it has run.
    pub fn starved(&self) -> Option<&'static str> {
        let alone = !matches!(self.name, "player" | "sender" | "consumer");
        let stuck = |member: &Member<O>| {
            member.steps.load(Relaxed) == 0 && (alone || O::usage(&member.thread).cpu_ns == 0)
        };
        self.members.iter().any(stuck).then_some(self.name)
    }

    /// Waits for all, after they were told to stop.
    pub fn join(self) -> Result<Total, String> {
        let mut total = Total { steps: 0, cpu_ns: 0 };
        for member in self.members {
            O::join(member.handle);
            total.steps += member.steps.load(Relaxed);
            total.cpu_ns += O::usage(&member.thread).cpu_ns;
        }
        total.cpu_ns += self.children_ns.load(Relaxed);
        let wrong = self.wrong.load(Relaxed);
        if wrong > 0 {
            return Err(format!("{wrong} wrong results of a {}", self.name));
        }
        if !(self.check)(total.steps) {
            return Err(format!("the sums of a {} crew do not add up", self.name));
        }
        Ok(total)
    }
}

/// Kinds of crews.
pub const KINDS: u64 = 9;

/// A crew of any kind.
pub fn any<O: Os>(random: &mut Random, stop: &Arc<AtomicBool>) -> Result<Crew<O>, SpawnError> {
    make(random.within(0..KINDS), random, stop)
}

/// A crew of one kind.
pub fn make<O: Os>(kind: u64, random: &mut Random, stop: &Arc<AtomicBool>) -> Result<Crew<O>, SpawnError> {
    let threads = random.within(1..2 * O::cpus() as u64 + 2);
    match kind {
        0 => crowd("loop", threads, random, stop, |_| spin),
        1 => crowd("napper", threads, random, stop, nap::<O>),
        2 => crowd("yielder", threads, random, stop, |_| O::yield_now),
        3 => {
            let children_ns = Arc::default();
            let crew = crowd("spawner", threads.min(3), random, stop, |seed| bear::<O>(seed, &children_ns))?;
            Ok(Crew { children_ns, ..crew })
        }
        4 => crowd("register keeper", threads, random, stop, keep::<O>),
        5 => mutex(threads, stop),
        6 => ping_pong(stop),
        7 => channel(threads, stop),
        _ => condvar(threads, stop),
    }
}

/// One thread that takes so long for its first step.
#[cfg(test)]
pub fn sluggish<O: Os>(ns: u64, stop: &Arc<AtomicBool>) -> Result<Crew<O>, SpawnError> {
    let mut crew = Crew::new("sluggard", stop);
    crew.add(move |pace| {
        O::sleep(ns);
        pace.go_on();
    })?;
    Ok(crew)
}

/// A step that says whether it came out right, or is one that can't go wrong.
trait Step: Send + 'static {
    fn take(&mut self) -> bool;
}

impl<F: FnMut() -> R + Send + 'static, R: Into<Right>> Step for F {
    fn take(&mut self) -> bool {
        self().into().0
    }
}

struct Right(bool);

impl From<()> for Right {
    fn from((): ()) -> Self {
        Self(true)
    }
}

impl From<bool> for Right {
    fn from(right: bool) -> Self {
        Self(right)
    }
}

/// Threads that have nothing to do with each other; `make_step` makes each one's from a seed of its own.
fn crowd<O: Os, S: Step>(
    name: &'static str,
    threads: u64,
    random: &mut Random,
    stop: &Arc<AtomicBool>,
    make_step: impl Fn(u64) -> S,
) -> Result<Crew<O>, SpawnError> {
    let mut crew = Crew::new(name, stop);
    for _ in 0..threads {
        let mut own = make_step(random.within(0..u64::MAX));
        crew.add(move |pace| {
            loop {
                pace.expect(own.take());
                if !pace.go_on() {
                    break;
                }
            }
        })?;
    }
    Ok(crew)
}

/// Some tens of microseconds.
fn spin() {
    (0..20_000_u64).for_each(|i| _ = black_box(i));
}

/// Naps are never too short.
fn nap<O: Os>(seed: u64) -> impl FnMut() -> bool + Send {
    let mut random = Random::new(seed);
    move || {
        let (before, span) = (O::now(), random.within(1_000..5_000_000));
        O::sleep(span);
        O::now() >= before + span
    }
}

/// Threads come to the world, and give back what they were given.
fn bear<O: Os>(seed: u64, cpu_ns: &Arc<AtomicU64>) -> impl FnMut() -> bool + Send + use<O> {
    let (mut random, cpu_ns) = (Random::new(seed), cpu_ns.clone());
    move || {
        let number = random.within(0..u64::MAX);
        // Where all slots are taken for now, a thread is refused, and that's right.
        let Ok(child) = O::spawn(&Spec::new("child"), move || !number) else {
            O::sleep(1_000_000);
            return true;
        };
        let thread = O::thread(&child);
        let right = O::join(child) == !number;
        cpu_ns.fetch_add(O::usage(&thread).cpu_ns, Relaxed);
        right
    }
}

/// Registers survive being preempted.
fn keep<O: Os>(seed: u64) -> impl FnMut() -> bool + Send {
    let mut random = Random::new(seed);
    move || O::registers_keep(random.within(0..u64::MAX))
}

/// One at a time: the counter is what they did, together.
fn mutex<O: Os>(threads: u64, stop: &Arc<AtomicBool>) -> Result<Crew<O>, SpawnError> {
    let counter = Arc::new(O::mutex(0_u64));
    let mut crew = Crew::new("locker", stop);
    for _ in 0..threads {
        let counter = counter.clone();
        crew.add(move |pace| {
            loop {
                let mut value = O::lock(&counter);
                let seen = *value;
                if seen % 8 == 0 {
                    O::yield_now();
                }
                *value = seen + 1;
                drop(value);
                if !pace.go_on() {
                    break;
                }
            }
        })?;
    }
    Ok(crew.checking(move |steps| *O::lock(&counter) == steps))
}

/// Two that take turns by parking, and a handle of each for the other.
fn ping_pong<O: Os>(stop: &Arc<AtomicBool>) -> Result<Crew<O>, SpawnError> {
    let handles = Arc::new(O::mutex([const { None::<O::Thread> }; 2]));
    let turn = Arc::new(AtomicU64::new(0));
    let mut crew = Crew::new("player", stop);
    for own in 0..2 {
        let (handles, turn) = (handles.clone(), turn.clone());
        crew.add(move |pace| {
            O::lock(&handles)[own] = Some(O::current());
            let wake_other = || O::lock(&handles)[1 - own].as_ref().map(O::unpark);
            loop {
                while turn.load(Relaxed) % 2 != own as u64 && !pace.stopped() {
                    O::park();
                }
                if turn.load(Relaxed) % 2 == own as u64 {
                    turn.fetch_add(1, Relaxed);
                }
                wake_other();
                if !pace.go_on() {
                    break;
                }
            }
            // It may have taken its turn meanwhile, and wait for one that nobody takes.
            wake_other();
        })?;
    }
    // Each may have gone one step without its turn: the one after it was told to stop.
    Ok(crew.checking(move |steps| steps - turn.load(Relaxed) <= 2))
}

/// What is sent arrives, once.
fn channel<O: Os>(threads: u64, stop: &Arc<AtomicBool>) -> Result<Crew<O>, SpawnError> {
    let (sender, inlet) = O::channel::<u64>(8);
    let (sent, received) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let mut crew = Crew::new("sender", stop);
    for _ in 0..threads {
        let (sender, sent) = (sender.clone(), sent.clone());
        crew.add(move |pace| {
            loop {
                O::send(&sender, 1);
                sent.fetch_add(1, Relaxed);
                if !pace.go_on() {
                    break;
                }
            }
        })?;
    }
    drop(sender);
    let arrived = received.clone();
    crew.add(move |pace| {
        // Until the last sender is gone.
        while let Some(message) = O::receive(&inlet) {
            arrived.fetch_add(message, Relaxed);
            pace.go_on();
        }
    })?;
    Ok(crew.checking(move |_| sent.load(Relaxed) == received.load(Relaxed)))
}

/// What is produced is consumed, or left.
fn condvar<O: Os>(threads: u64, stop: &Arc<AtomicBool>) -> Result<Crew<O>, SpawnError> {
    let store = Arc::new((O::mutex(0_u64), O::condvar()));
    let (produced, consumed) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let mut crew = Crew::new("consumer", stop);
    for _ in 0..threads {
        let (store, consumed) = (store.clone(), consumed.clone());
        crew.add(move |pace| {
            loop {
                let mut items = O::lock(&store.0);
                while *items == 0 && !pace.stopped() {
                    items = O::wait(&store.1, &store.0, items);
                }
                if *items > 0 {
                    *items -= 1;
                    consumed.fetch_add(1, Relaxed);
                }
                drop(items);
                if !pace.go_on() {
                    break;
                }
            }
            // Whoever waits still is told by whoever doesn't any more.
            O::notify_one(&store.1);
        })?;
    }
    let (supply, made) = (store.clone(), produced.clone());
    crew.add(move |pace| {
        loop {
            let mut items = O::lock(&supply.0);
            *items += 1;
            made.fetch_add(1, Relaxed);
            drop(items);
            O::notify_one(&supply.1);
            if !pace.go_on() {
                break;
            }
        }
        // Under the lock: nobody is between looking whether to stop and waiting.
        drop(O::lock(&supply.0));
        O::notify_one(&supply.1);
    })?;
    let left = move || *O::lock(&store.0);
    Ok(crew.checking(move |_| produced.load(Relaxed) == consumed.load(Relaxed) + left()))
}
