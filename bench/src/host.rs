//! An [`Os`] of host threads, so that the tests run what the kernel runs.
//!
//! Threads, locks, sleeping and CPU time are real. CPUs are not: a host test can't pin, so "CPU n" is a number that a
//! thread carries, and a CPU's counters are made up to be consistent: sleeping costs its CPU a timer interrupt,
//! blocking and yielding a switch. So workloads are tested for what they do, not for what a kernel would make of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::os::{Attention, Counters, Memory, Os, SpawnError, Spec, Usage};
use crate::record::Env;

/// Host threads on a made-up machine of this many CPUs.
pub struct Host<const CPUS: usize>;

/// A host thread.
#[derive(Clone, Debug)]
pub struct HostThread {
    thread: thread::Thread,
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub struct Shared {
    cpu: usize,
    /// The kernel's id, once the thread runs.
    tid: OnceLock<String>,
}

thread_local! {
    static CURRENT: RefCell<Option<HostThread>> = const { RefCell::new(None) };
    /// How often this thread asked what a CPU does: it does something else every so often.
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

/// Switches and timer interrupts of the CPUs.
static SWITCHES: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
static TIMERS: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn current() -> HostThread {
    CURRENT.with_borrow_mut(|current| current.get_or_insert_with(|| adopt(0)).clone())
}

/// The calling thread, which nobody spawned.
fn adopt(cpu: usize) -> HostThread {
    let tid = OnceLock::from(own_tid());
    HostThread { thread: thread::current(), shared: Arc::new(Shared { cpu, tid }) }
}

fn own_tid() -> String {
    let link = fs::read_link("/proc/thread-self").unwrap_or_default();
    link.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn count(counts: &[AtomicU64; 8]) {
    counts[current().shared.cpu].fetch_add(1, Relaxed);
}

impl<const CPUS: usize> Os for Host<CPUS> {
    type Thread = HostThread;
    type JoinHandle<T: Send + 'static> = (thread::JoinHandle<T>, Arc<Shared>);
    type Mutex<T: Send + 'static> = Mutex<T>;
    type MutexGuard<'a, T: Send + 'static> = MutexGuard<'a, T>;
    type Condvar = Condvar;
    type Sender<T: Send + 'static> = SyncSender<T>;
    type Receiver<T: Send + 'static> = Receiver<T>;
    type Rcu<T: Send + Sync + 'static> = RwLock<T>;
    type Timers = BTreeSet<(u64, usize)>;
    type Timer = (u64, usize);

    fn spawn<T, F>(spec: &Spec<'_>, body: F) -> Result<Self::JoinHandle<T>, SpawnError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let cpu = spec.cpus.as_ref().map_or(0, |cpus| cpus.start);
        assert!(spec.cpus.as_ref().is_none_or(|cpus| !cpus.is_empty() && cpus.end <= CPUS), "{spec:?}");
        let shared = Arc::new(Shared { cpu, tid: OnceLock::new() });
        let known = shared.clone();
        let builder = thread::Builder::new().name(spec.name.into());
        let handle = builder.spawn(move || {
            let _ = known.tid.set(own_tid());
            CURRENT.set(Some(HostThread { thread: thread::current(), shared: known }));
            body()
        });
        handle.map(|handle| (handle, shared)).map_err(|_| SpawnError("the host refused a thread"))
    }

    fn join<T: Send + 'static>(handle: Self::JoinHandle<T>) -> T {
        handle.0.join().expect("no workload panics")
    }

    fn thread<T: Send + 'static>(handle: &Self::JoinHandle<T>) -> HostThread {
        HostThread { thread: handle.0.thread().clone(), shared: handle.1.clone() }
    }

    fn current() -> HostThread {
        current()
    }

    fn yield_now() {
        count(&SWITCHES);
        thread::yield_now();
    }

    fn sleep(ns: u64) {
        count(&SWITCHES);
        thread::sleep(Duration::from_nanos(ns));
        count(&TIMERS);
    }

    fn park() {
        count(&SWITCHES);
        thread::park();
    }

    fn unpark(thread: &HostThread) {
        thread.thread.unpark();
    }

    fn set_class(_thread: &HostThread, _class: crate::os::Class) {}

    fn set_weight(_thread: &HostThread, _weight: u32) {
        // The host's scheduler isn't under test.
    }

    fn set_affinity(_thread: &HostThread, _cpus: std::ops::Range<usize>) {
        // Nor is there more than made-up CPUs.
    }

    fn mutex<T: Send + 'static>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn lock<T: Send + 'static>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn condvar() -> Condvar {
        Condvar::new()
    }

    fn wait<'a, T: Send + 'static>(
        condvar: &Condvar,
        _mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
    ) -> MutexGuard<'a, T> {
        count(&SWITCHES);
        condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    fn notify_one(condvar: &Condvar) {
        condvar.notify_one();
    }

    fn channel<T: Send + 'static>(messages: usize) -> (SyncSender<T>, Receiver<T>) {
        sync_channel(messages)
    }

    fn send<T: Send + 'static>(sender: &SyncSender<T>, message: T) {
        let _ = sender.send(message);
    }

    fn receive<T: Send + 'static>(receiver: &Receiver<T>) -> Option<T> {
        receiver.recv().ok()
    }

    fn rcu<T: Send + Sync + 'static>(value: T) -> RwLock<T> {
        RwLock::new(value)
    }

    fn rcu_read<T: Send + Sync + 'static, R>(rcu: &RwLock<T>, read: impl FnOnce(&T) -> R) -> R {
        read(&rcu.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn rcu_replace<T: Send + Sync + 'static>(rcu: &RwLock<T>, value: T) {
        *rcu.write().unwrap_or_else(PoisonError::into_inner) = value;
    }

    fn timers() -> Self::Timers {
        BTreeSet::new()
    }

    fn set_timer(timers: &mut Self::Timers, deadline: u64) -> Self::Timer {
        let timer = (deadline, timers.len());
        timers.insert(timer);
        timer
    }

    fn cancel_timer(timers: &mut Self::Timers, timer: Self::Timer) -> bool {
        timers.remove(&timer)
    }

    fn examples() -> &'static [(&'static str, fn())] {
        &[("nothing", || ())]
    }

    fn now() -> u64 {
        START.elapsed().as_nanos() as u64
    }

    fn relax() {
        thread::yield_now();
    }

    fn cpus() -> usize {
        CPUS
    }

    fn current_cpu() -> usize {
        current().shared.cpu
    }

    fn usage(thread: &HostThread) -> Usage {
        let tid = thread.shared.tid.get().map_or("", String::as_str);
        let text = fs::read_to_string(format!("/proc/self/task/{tid}/schedstat")).unwrap_or_default();
        let mut fields = text.split_whitespace().map(|field| field.parse().unwrap_or(0));
        let cpu_ns = fields.next().unwrap_or(0);
        Usage { cpu_ns, switches: fields.nth(1).unwrap_or(0), ..Usage::default() }
    }

    fn counters(cpu: usize) -> Counters {
        let timer_interrupts = TIMERS[cpu].load(Relaxed);
        let halted_ns = Self::now();
        Counters {
            switches: SWITCHES[cpu].load(Relaxed),
            timer_interrupts,
            interrupts_total: timer_interrupts,
            idle_ns: halted_ns,
            halted_ns,
            ..Counters::default()
        }
    }

    fn memory() -> Memory {
        // The host's.
        Memory::default()
    }

    fn attention(_cpu: usize) -> Attention {
        ASKED.set(ASKED.get() + 1);
        match ASKED.get() / 4 % 3 {
            0 => Attention::Polling,
            1 => Attention::Halted,
            _ => Attention::Busy,
        }
    }

    fn ipi_round(cpu: usize) -> Option<u64> {
        assert_ne!(cpu, Self::current_cpu(), "a CPU can't probe itself");
        Some(100)
    }

    fn env() -> Env {
        Env {
            accel: "host".into(),
            cpus: CPUS as u32,
            clock: "Instant".into(),
            clock_hz: 1_000_000_000,
            timer: "oneshot".into(),
            apic: "none".into(),
            boot: "std".into(),
            policy: "host".into(),
            seed: 1,
            version: "0".into(),
            commit: "unknown".into(),
            ..Env::default()
        }
    }
}
