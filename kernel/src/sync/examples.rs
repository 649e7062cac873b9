//! The examples of the book's chapter on threads and synchronisation, which includes this file. They run at boot: the row
//! `examples` of the suite.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::array;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sched::{Affinity, CpuId, Nanos};

use super::mpsc::{self, TryRecvError};
use super::rcu;
use super::{
    Barrier, Condvar, LazyLock, Mutex, OnceLock, Rcu, ReentrantLock, Refusal, RwLock, Semaphore, WaitQueue,
};
use crate::local::{Local, now};
use crate::per_cpu;
use crate::preempt::{MigrateGuard, PreemptGuard};
use crate::thread::{self, Builder, JoinHandle, Timers};

/// All of them, by name.
pub const ALL: &[(&str, fn())] = &[
    ("park", park),
    ("mutex", mutex),
    ("condvar", condvar),
    ("rwlock", rwlock),
    ("reentrant", reentrant),
    ("semaphore", semaphore),
    ("barrier", barrier),
    ("once", once),
    ("queue", queue),
    ("channel", channel),
    ("rendezvous", rendezvous),
    ("percpu", percpu),
    ("migrate", migrate),
    ("at_exit", at_exit),
    ("timers", timers),
    ("many timers", many_timers),
    ("rcu", replaced),
];

const MS: Nanos = Nanos::from_millis(1);

fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new("example").spawn(body).expect("there is room for an example's threads")
}

fn park() {
    // ANCHOR: park
    let ready = Arc::new(AtomicBool::new(false));
    let seen = ready.clone();
    let sleeper = spawn(move || {
        while !seen.load(Ordering::Relaxed) {
            // May return without an unpark, so look again.
            thread::park();
        }
    });
    // Even if the sleeper runs to its end in between, the wake reaches it or nobody.
    sleeper.thread().unpark_with(|| ready.store(true, Ordering::Relaxed));
    sleeper.join();
    // ANCHOR_END: park
}

fn mutex() {
    // ANCHOR: mutex
    let sum = Arc::new(Mutex::new(0));
    let adders: Vec<_> = (1..=3)
        .map(|i| {
            let sum = sum.clone();
            spawn(move || *sum.lock() += i)
        })
        .collect();
    adders.into_iter().for_each(JoinHandle::join);
    let held = sum.lock();
    assert_eq!(*held, 6);
    let rival = sum.clone();
    let got = spawn(move || rival.try_lock().is_some() || rival.lock_timeout(MS).is_some()).join();
    assert!(!got, "it was held all the time");
    // ANCHOR_END: mutex
}

fn condvar() {
    // ANCHOR: condvar
    let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
    let other = shared.clone();
    let consumer = spawn(move || {
        let (letters, came) = &*other;
        let mut letters = came.wait_while(letters.lock(), |letters| letters.is_empty());
        letters.pop()
    });
    shared.0.lock().push('a');
    shared.1.notify_one();
    assert_eq!(consumer.join(), Some('a'));
    let (_letters, result) = shared.1.wait_timeout(shared.0.lock(), MS);
    assert!(result.timed_out());
    // ANCHOR_END: condvar
}

fn rwlock() {
    // ANCHOR: rwlock
    let table = Arc::new(RwLock::new(1));
    let first = table.read();
    assert!(table.try_write().is_none());
    let writer = table.clone();
    let writer = spawn(move || {
        let mut value = writer.write();
        *value += 1;
        *value.downgrade()
    });
    drop(first);
    assert_eq!(writer.join(), 2);
    // ANCHOR_END: rwlock
    assert!(table.write_timeout(MS).is_some());
    assert!(table.read_timeout(MS).is_some());
}

fn reentrant() {
    // ANCHOR: reentrant
    let log = Arc::new(ReentrantLock::new(AtomicU32::new(0)));
    let outer = log.lock();
    let inner = log.lock();
    inner.fetch_add(1, Ordering::Relaxed);
    drop(outer);
    let rival = log.clone();
    assert!(spawn(move || rival.lock_timeout(MS).is_none()).join(), "one guard is left");
    drop(inner);
    assert!(log.try_lock().is_some());
    // ANCHOR_END: reentrant
}

fn semaphore() {
    // ANCHOR: semaphore
    let tickets = Arc::new(Semaphore::new(2));
    let mine = tickets.acquire_many(2).expect("open");
    let asked = tickets.clone();
    let late = spawn(move || asked.acquire_timeout(1, MS).err()).join();
    assert_eq!(late, Some(Refusal::TooFew));
    drop(mine);
    assert_eq!(tickets.available_permits(), 2);
    // ANCHOR_END: semaphore
    tickets.try_acquire_many(2).expect("both are there").forget();
    tickets.close();
    assert_eq!(tickets.acquire_many(1).err(), Some(Refusal::Closed));
}

fn barrier() {
    // ANCHOR: barrier
    let start = Arc::new(Barrier::new(3));
    let runner = || {
        let start = start.clone();
        spawn(move || start.wait().is_leader())
    };
    let runners = [runner(), runner()];
    let led = start.wait().is_leader();
    let leaders = runners.into_iter().map(|runner| u32::from(runner.join())).sum::<u32>() + u32::from(led);
    assert_eq!(leaders, 1);
    // ANCHOR_END: barrier
}

fn once() {
    // ANCHOR: once
    static TABLE: OnceLock<[u8; 4]> = OnceLock::new();
    static SQUARES: LazyLock<[u64; 4]> = LazyLock::new(|| [0, 1, 4, 9]);

    let makers = [1, 2].map(|i| spawn(move || TABLE.get_or_init(|| [i; 4])[0]));
    let [first, second] = makers.map(JoinHandle::join);
    assert_eq!(first, second, "one of them made it");
    assert_eq!(SQUARES[3], 9);
    // ANCHOR_END: once
    assert!(TABLE.set([0; 4]).is_err());
}

fn queue() {
    // ANCHOR: queue
    let shared = Arc::new((AtomicU32::new(0), WaitQueue::new()));
    let other = shared.clone();
    let waiter = spawn(move || other.1.wait_until(|| other.0.load(Ordering::Relaxed) >= 3));
    for _ in 0..3 {
        shared.0.fetch_add(1, Ordering::Relaxed);
        shared.1.wake_one();
    }
    waiter.join();
    assert!(!shared.1.wait_timeout(MS, || false));
    // ANCHOR_END: queue
    shared.1.wake_all();
}

fn channel() {
    // ANCHOR: channel
    let (sender, receiver) = mpsc::sync_channel(2);
    let senders: Vec<_> = (0..3)
        .map(|i| {
            let sender = sender.clone();
            spawn(move || sender.send(i).expect("somebody receives"))
        })
        .collect();
    drop(sender);
    let mut all: Vec<u32> = receiver.iter().collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2]);
    assert_eq!(receiver.recv_timeout(MS), Err(TryRecvError::Disconnected));
    // ANCHOR_END: channel
    senders.into_iter().for_each(JoinHandle::join);
    let (sender, receiver) = mpsc::channel();
    sender.send(1).expect("somebody receives");
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.recv_timeout(MS), Err(TryRecvError::Empty));
    drop(receiver);
    assert!(sender.send(2).is_err());
}

fn rendezvous() {
    // ANCHOR: rendezvous
    let (sender, receiver) = mpsc::sync_channel(0);
    assert!(sender.try_send(1).is_err(), "nobody receives");
    let server = spawn(move || receiver.recv());
    sender.send(2).expect("somebody receives");
    assert_eq!(server.join(), Ok(2));
    // ANCHOR_END: rendezvous
    assert!(sender.send_timeout(3, MS).is_err());
}

fn percpu() {
    // ANCHOR: percpu
    per_cpu! {
        /// How often something happened, by CPU.
        static HITS: AtomicU32 = AtomicU32::new(0);
    }

    let count = || {
        for _ in 0..1000 {
            let here = PreemptGuard::new();
            let mine = HITS.get(&here);
            // No read-modify-write: nobody else writes to this CPU's own while the guard lives.
            mine.store(mine.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            // `mine` ends before `here` does, or this wouldn't compile.
        }
    };
    let counters: Vec<_> = (0..4).map(|_| spawn(count)).collect();
    counters.into_iter().for_each(JoinHandle::join);
    let sum: u32 = HITS.iter().map(|hits| hits.load(Ordering::Relaxed)).sum();
    assert_eq!(sum % 4000, 0);
    // ANCHOR_END: percpu
}

fn migrate() {
    // ANCHOR: migrate
    let stay = MigrateGuard::new();
    let here = stay.cpu();
    // It may block as often as it likes, and be told to go: it stays.
    let elsewhere = Affinity::one(CpuId(u32::from(here == 0)));
    let there_is_one = thread::current().set_affinity(elsewhere).is_ok();
    thread::sleep(MS);
    assert_eq!(MigrateGuard::new().cpu(), here);
    // Now it goes.
    drop(stay);
    assert_eq!(MigrateGuard::new().cpu() != here, there_is_one);
    // ANCHOR_END: migrate
    thread::current().set_affinity(Affinity::ANY).expect("some CPU is there");
}

fn at_exit() {
    // ANCHOR: at_exit
    let log = Arc::new(Mutex::new(Vec::new()));
    let (first, last) = (log.clone(), log.clone());
    let worker = spawn(move || {
        thread::at_exit(move || last.lock().push("registered first"));
        thread::at_exit(move || first.lock().push("registered last"));
        "done"
    });
    assert_eq!(worker.join(), "done");
    // They have run by the time that a join returns.
    assert_eq!(*log.lock(), ["registered last", "registered first"]);
    // ANCHOR_END: at_exit
}

fn timers() {
    // ANCHOR: timers
    let [answered, cancelled, came] = array::from_fn(|_| Arc::new(AtomicBool::new(false)));
    let seen = (answered, cancelled.clone(), came.clone());
    let waiter = spawn(move || {
        let mut timers = Timers::new();
        let start = now();
        let (reminder, limit) = (timers.set(start + MS), timers.set(start + Nanos::from_millis(60_000)));
        let either = || seen.0.load(Ordering::Relaxed) || seen.1.load(Ordering::Relaxed);
        assert_eq!(timers.wait_until(either), Some(reminder), "the other one is still set");
        seen.2.store(true, Ordering::Relaxed);
        assert!(now() >= start + MS && timers.wait_until(either).is_none());
        assert!(timers.cancel(limit) && timers.is_empty());
    });
    while !came.load(Ordering::Relaxed) {
        thread::sleep(MS);
    }
    waiter.thread().unpark_with(|| cancelled.store(true, Ordering::Relaxed));
    waiter.join();
    // ANCHOR_END: timers
}

/// A hundred thousand timers, of which every other one is cancelled; the rest come in order.
fn many_timers() {
    let (mut timers, start) = (Timers::new(), now());
    let all: Vec<_> = (0..100_000_u64).map(|i| timers.set(start + Nanos(i * 7_919 % 100_000))).collect();
    assert!(all.iter().step_by(2).all(|&timer| timers.cancel(timer)));
    assert!(!timers.cancel(all[0]) && timers.len() == 50_000);
    let mut last = Nanos::ZERO;
    while !timers.is_empty() {
        let timer = timers.wait_until(|| false).expect("nothing else ends the wait");
        assert!(timer.deadline() >= last && now() >= timer.deadline());
        last = timer.deadline();
    }
}

/// Readers on every CPU, which never give way by themselves, while values are replaced: none reads a value that was freed, and
/// all are freed in the end.
fn replaced() {
    static FREED: AtomicU32 = AtomicU32::new(0);
    const POISON: u32 = 0xdead_dead;
    const VALUES: u32 = 500;
    struct Value(AtomicU32);
    impl Drop for Value {
        fn drop(&mut self) {
            self.0.store(POISON, Ordering::Relaxed);
            FREED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let freed = FREED.load(Ordering::Relaxed);

    // ANCHOR: rcu
    let current = Arc::new(Rcu::new(Box::new(Value(AtomicU32::new(0)))));
    let stop = Arc::new(AtomicBool::new(false));
    let readers = (0..Local::here().shared.cpus() as u32).map(|cpu| {
        let (current, stop) = (current.clone(), stop.clone());
        let read = move || {
            while !stop.load(Ordering::Relaxed) {
                let section = PreemptGuard::new();
                let value = current.read(&section);
                let before = value.0.load(Ordering::Relaxed);
                (0..20).for_each(|_| arch::cpu::relax());
                // Replaced meanwhile, perhaps, but neither freed nor used for something else.
                assert_eq!(value.0.load(Ordering::Relaxed), before);
                assert_ne!(before, POISON);
            }
        };
        Builder::new("reader").pinned(CpuId(cpu)).spawn(read).expect("there is room for readers")
    });
    let readers: Vec<_> = readers.collect();
    for number in 1..=VALUES {
        current.replace(Box::new(Value(AtomicU32::new(number))));
    }
    rcu::synchronize();
    stop.store(true, Ordering::Relaxed);
    // ANCHOR_END: rcu
    assert_eq!(FREED.load(Ordering::Relaxed) - freed, VALUES, "all but the current one");
    readers.into_iter().for_each(JoinHandle::join);
}
