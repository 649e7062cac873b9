//! Threads that want the CPU, and windows over what they get.
//!
//! The threads are plain loops that count their rounds, or *nappers* that run and sleep in turn. The control thread
//! lets them settle, reads every thread's CPU time, sleeps once over the whole window, and reads again. All times of
//! a reading must be of one instant, while everything runs on: so the clock is read before and after each pass, and
//! a pass that took long (its reader was preempted, or its virtual CPU not run by the host) is repeated. What the two
//! passes took is the window's blur, and is reported.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::Trouble;
use crate::os::{Class, Counters, NORMAL_WEIGHT, Os, Spec, Usage};

/// A pass over all threads that takes longer is repeated ...
const BLUR_NS: u64 = 50_000;
/// ... this often.
const PASSES: usize = 16;

/// What a thread does all day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Counts without end.
    Loop,
    /// Uses `run_ns` of CPU time, sleeps `sleep_ns`, and so on.
    Nap { run_ns: u64, sleep_ns: u64 },
}

/// A thread's rounds, alone on its cache lines, so that counting costs the same for all.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Rounds(AtomicU64);

/// Running threads; they end when this is dropped.
pub struct Loops<O: Os> {
    stop: Arc<AtomicBool>,
    members: Vec<Member<O>>,
}

struct Member<O: Os> {
    name: String,
    habit: Habit,
    handle: Option<O::JoinHandle<()>>,
    thread: O::Thread,
    rounds: Arc<Rounds>,
}

/// What happened between two instants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Its length in ns.
    pub ns: u64,
    /// How long the readings at its ends took: no time in it is known better.
    pub blur_ns: u64,
    /// The threads, in the order of creation.
    pub threads: Vec<ThreadWindow>,
    /// The CPUs.
    pub cpus: Vec<Counters>,
}

/// What a thread got in a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadWindow {
    /// Its name.
    pub name: String,
    /// What was accounted to it.
    pub usage: Usage,
    /// The rounds that it counted: what it got by its own account. `None` of a napper, whose rounds are others.
    pub rounds: Option<u64>,
}

impl Window {
    /// The accounted CPU time of each thread.
    pub fn received(&self) -> Vec<u64> {
        self.threads.iter().map(|thread| thread.usage.cpu_ns).collect()
    }

    /// A thread's part of the rounds that the loops counted, as the report shows it.
    pub fn work(&self, thread: &ThreadWindow) -> String {
        let all = self.threads.iter().filter_map(|thread| thread.rounds).sum::<u64>().max(1) as f64;
        thread.rounds.map_or_else(|| "-".into(), |rounds| format!("{:.2}%", rounds as f64 / all * 100.0))
    }

    /// By how much timer interrupts were late, on average, in ns.
    pub fn lateness(&self) -> u64 {
        let total = self.total();
        total.timer_late_ns.checked_div(total.timer_interrupts).unwrap_or(0)
    }

    /// The part of all CPUs' time by which timer interrupts were late, together.
    pub fn late_part(&self) -> f64 {
        let time = self.ns.max(1) as f64 * self.cpus.len().max(1) as f64;
        self.total().timer_late_ns as f64 / time
    }

    /// All CPUs together.
    pub fn total(&self) -> Counters {
        self.cpus.iter().fold(Counters::default(), |sum, cpu| sum.plus(cpu))
    }
}

impl ThreadWindow {
    /// How much longer the thread takes than alone: elapsed over accounted CPU time, at least a ns of it.
    pub fn ratio(&self, window_ns: u64) -> f64 {
        window_ns as f64 / self.usage.cpu_ns.max(1) as f64
    }
}

/// All that is read at one end of a window; made before it opens.
struct Reading {
    began: u64,
    ended: u64,
    threads: Vec<(Usage, u64)>,
    cpus: Vec<Counters>,
}

impl<O: Os> Loops<O> {
    /// Starts a thread for each weight (1 is normal) that loops on the CPUs `0..cpus`.
    pub fn start(weights: &[u32], cpus: usize) -> Result<Self, Trouble> {
        let mut loops =
            Self { stop: Arc::new(AtomicBool::new(false)), members: Vec::with_capacity(weights.len() + 1) };
        for (i, &weight) in weights.iter().enumerate() {
            loops.add(format!("loop {i}"), Habit::Loop, weight * NORMAL_WEIGHT, cpus)?;
        }
        Ok(loops)
    }

    /// Starts a thread of each class that loops on CPU 0. Real-time ones start last, since they leave little to who
    /// starts them there.
    pub fn start_classes(classes: &[Class]) -> Result<Self, Trouble> {
        let loops = Self::start(&alloc::vec![1; classes.len()], 1)?;
        for (member, &class) in loops.members.iter().zip(classes) {
            O::set_class(&member.thread, class);
        }
        Ok(loops)
    }

    /// Starts one more thread, of a normal thread's weight, that naps on the CPUs `0..cpus`.
    pub fn add_napper(&mut self, run_ns: u64, sleep_ns: u64, cpus: usize) -> Result<(), Trouble> {
        self.add("napper".into(), Habit::Nap { run_ns, sleep_ns }, NORMAL_WEIGHT, cpus)
    }

    fn add(&mut self, name: String, habit: Habit, weight: u32, cpus: usize) -> Result<(), Trouble> {
        let rounds = Arc::new(Rounds::default());
        let (stop, counted) = (self.stop.clone(), rounds.clone());
        let mut spec = Spec::new(&name).weighing(weight);
        if cpus < O::cpus() {
            spec = spec.on(0..cpus);
        }
        let handle = O::spawn(&spec, move || match habit {
            Habit::Loop => count(&stop, &counted.0),
            Habit::Nap { run_ns, sleep_ns } => nap::<O>(&stop, &counted.0, run_ns, sleep_ns),
        })?;
        let thread = O::thread(&handle);
        self.members.push(Member { name, habit, handle: Some(handle), thread, rounds });
        Ok(())
    }

    /// Gives each thread another weight (1 is normal), whatever it does.
    pub fn reweigh(&self, weights: &[u32]) {
        for (member, weight) in self.members.iter().zip(weights) {
            O::set_weight(&member.thread, weight * NORMAL_WEIGHT);
        }
    }

    /// Confines each thread to one CPU, whatever it does.
    pub fn pin(&self, cpus: &[usize]) {
        for (member, &cpu) in self.members.iter().zip(cpus) {
            O::set_affinity(&member.thread, cpu..cpu + 1);
        }
    }

    /// Lets the threads settle, and watches them for `window_ns`.
    pub fn watch(&self, settle_ns: u64, window_ns: u64) -> Window {
        let (mut opening, mut closing) = (self.reading(), self.reading());
        O::sleep(settle_ns);
        self.read(&mut opening);
        O::sleep(window_ns);
        self.read(&mut closing);
        self.between(&opening, &closing)
    }

    fn reading(&self) -> Reading {
        Reading {
            began: 0,
            ended: 0,
            threads: Vec::with_capacity(self.members.len()),
            cpus: Vec::with_capacity(O::cpus()),
        }
    }

    /// Reads everything, again while that takes long.
    fn read(&self, reading: &mut Reading) {
        for _ in 0..PASSES {
            reading.threads.clear();
            reading.cpus.clear();
            reading.began = O::now();
            for member in &self.members {
                reading.threads.push((O::usage(&member.thread), member.rounds.0.load(Relaxed)));
            }
            reading.cpus.extend((0..O::cpus()).map(O::counters));
            reading.ended = O::now();
            if reading.ended - reading.began <= BLUR_NS {
                break;
            }
        }
    }

    fn between(&self, opening: &Reading, closing: &Reading) -> Window {
        let blur_ns = (opening.ended - opening.began) + (closing.ended - closing.began);
        let outer = closing.ended - opening.began;
        let threads = self.members.iter().zip(opening.threads.iter().zip(&closing.threads));
        Window {
            ns: outer.saturating_sub(blur_ns / 2),
            blur_ns,
            threads: threads
                .map(|(member, (before, after))| ThreadWindow {
                    name: member.name.clone(),
                    usage: after.0.since(&before.0),
                    rounds: (member.habit == Habit::Loop).then(|| after.1.saturating_sub(before.1)),
                })
                .collect(),
            cpus: closing.cpus.iter().zip(&opening.cpus).map(|(after, before)| after.since(before)).collect(),
        }
    }
}

impl<O: Os> Drop for Loops<O> {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.members.iter_mut().filter_map(|member| member.handle.take()).for_each(O::join);
    }
}

fn count(stop: &AtomicBool, rounds: &AtomicU64) {
    let mut round = 0;
    while !stop.load(Relaxed) {
        round += 1;
        rounds.store(round, Relaxed);
    }
}

fn nap<O: Os>(stop: &AtomicBool, rounds: &AtomicU64, run_ns: u64, sleep_ns: u64) {
    let me = O::current();
    let mut round = 0;
    while !stop.load(Relaxed) {
        let enough = O::usage(&me).cpu_ns + run_ns;
        while O::usage(&me).cpu_ns < enough && !stop.load(Relaxed) {
            round += 1;
            rounds.store(round, Relaxed);
        }
        O::sleep(sleep_ns);
    }
}
