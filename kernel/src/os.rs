//! Tacet as the benchmarks see it.

use core::ops::Range;

use alloc::boxed::Box;

use arch::{apic, clock, cpu, interrupts, percpu, timer};
use bench::os::{Attention, Class, Counters, Distance, Memory, Os, SpawnError, Spec, Usage};
use bench::record::Env;
use sched::attention::Notice;
use sched::{Affinity, CpuId, Nanos};

use crate::facts;
use crate::lateness;
use crate::local::{Local, now};
use crate::preempt::PreemptGuard;
use crate::probe;
use crate::registers;
use crate::sync::{Condvar, Mutex, MutexGuard, Rcu, examples, mpsc};
use crate::thread::{self, Builder, JoinHandle, Thread, Timer, Timers};

/// This kernel.
pub struct Tacet;

impl From<thread::Usage> for Usage {
    fn from(usage: thread::Usage) -> Self {
        let thread::Usage { cpu_time, switches, preemptions, wakeups, migrations } = usage;
        Self { cpu_ns: cpu_time.0, switches, preemptions, wakeups, migrations }
    }
}

impl Os for Tacet {
    type Thread = Thread;
    type JoinHandle<T: Send + 'static> = JoinHandle<T>;
    type Mutex<T: Send + 'static> = Mutex<T>;
    type MutexGuard<'a, T: Send + 'static> = MutexGuard<'a, T>;
    type Condvar = Condvar;
    type Sender<T: Send + 'static> = mpsc::Sender<T>;
    type Receiver<T: Send + 'static> = mpsc::Receiver<T>;
    type Rcu<T: Send + Sync + 'static> = Rcu<T>;
    type Timers = Timers;
    type Timer = Timer;

    fn spawn<T, F>(spec: &Spec<'_>, body: F) -> Result<JoinHandle<T>, SpawnError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let mut builder = Builder::new(spec.name).priority(spec.weight).class(spec.class);
        if let Some(cpus) = &spec.cpus {
            let range = Affinity::range(cpus.start as u32, cpus.end as u32);
            builder = builder.affinity(range.ok_or(SpawnError("no such CPUs"))?);
        }
        if let Some(bytes) = spec.stack {
            builder = builder.stack_size(bytes);
        }
        builder.spawn(body).map_err(|error| SpawnError(error.text()))
    }

    fn join<T: Send + 'static>(handle: JoinHandle<T>) -> T {
        handle.join()
    }

    fn thread<T: Send + 'static>(handle: &JoinHandle<T>) -> Thread {
        handle.thread().clone()
    }

    fn current() -> Thread {
        thread::current()
    }

    #[inline]
    fn yield_now() {
        thread::yield_now();
    }

    fn sleep(ns: u64) {
        thread::sleep(Nanos(ns));
    }

    #[inline]
    fn park() {
        thread::park();
    }

    #[inline]
    fn unpark(thread: &Thread) {
        thread.unpark();
    }

    fn set_weight(thread: &Thread, weight: u32) {
        thread.set_priority(weight);
    }

    fn set_class(thread: &Thread, class: Class) {
        thread.set_class(class);
    }

    fn set_affinity(thread: &Thread, cpus: Range<usize>) {
        let range = Affinity::range(cpus.start as u32, cpus.end as u32);
        let set = range.map(|range| thread.set_affinity(range));
        debug_assert_eq!(set, Some(Ok(())), "workloads name CPUs that are there");
    }

    fn mutex<T: Send + 'static>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    #[inline]
    fn lock<T: Send + 'static>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock()
    }

    fn condvar() -> Condvar {
        Condvar::new()
    }

    #[inline]
    fn wait<'a, T: Send + 'static>(
        condvar: &Condvar,
        _mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
    ) -> MutexGuard<'a, T> {
        condvar.wait(guard)
    }

    #[inline]
    fn notify_one(condvar: &Condvar) {
        condvar.notify_one();
    }

    fn channel<T: Send + 'static>(messages: usize) -> (mpsc::Sender<T>, mpsc::Receiver<T>) {
        mpsc::sync_channel(messages)
    }

    fn send<T: Send + 'static>(sender: &mpsc::Sender<T>, message: T) {
        let _ = sender.send(message);
    }

    fn receive<T: Send + 'static>(receiver: &mpsc::Receiver<T>) -> Option<T> {
        receiver.recv().ok()
    }

    fn rcu<T: Send + Sync + 'static>(value: T) -> Rcu<T> {
        Rcu::new(Box::new(value))
    }

    #[inline]
    fn rcu_read<T: Send + Sync + 'static, R>(rcu: &Rcu<T>, read: impl FnOnce(&T) -> R) -> R {
        read(rcu.read(&PreemptGuard::new()))
    }

    fn rcu_replace<T: Send + Sync + 'static>(rcu: &Rcu<T>, value: T) {
        rcu.replace(Box::new(value));
    }

    fn timers() -> Timers {
        Timers::new()
    }

    fn set_timer(timers: &mut Timers, deadline: u64) -> Timer {
        timers.set(Nanos(deadline))
    }

    fn cancel_timer(timers: &mut Timers, timer: Timer) -> bool {
        timers.cancel(timer)
    }

    fn examples() -> &'static [(&'static str, fn())] {
        examples::ALL
    }

    fn registers_keep(seed: u64) -> bool {
        registers::keep(seed)
    }

    #[inline]
    fn now() -> u64 {
        clock::now_ns()
    }

    #[inline]
    fn relax() {
        cpu::relax();
    }

    fn cpus() -> usize {
        Local::here().shared.cpus()
    }

    #[inline]
    fn current_cpu() -> usize {
        percpu::index() as usize
    }

    fn distance(from: usize, to: usize) -> Distance {
        let [from, to] = [from, to].map(|cpu| CpuId(cpu as u32));
        Local::here().shared.topology().distance(from, to)
    }

    fn usage(thread: &Thread) -> Usage {
        thread.usage().into()
    }

    fn counters(cpu: usize) -> Counters {
        let (shared, id) = (Local::here().shared, CpuId(cpu as u32));
        let stats = &shared.mailbox(id).stats;
        Counters {
            switches: stats.switches.get(),
            preemptions: stats.preemptions.get(),
            blocks: shared.blocks(id),
            migrations: stats.given.get(),
            kicks_sent: stats.kicks_sent.get(),
            kicks_saved: stats.kicks_saved.get(),
            timer_interrupts: interrupts::count(id.0, interrupts::vector::TIMER),
            timer_late_ns: lateness::total(id.0).0,
            timer_writes: stats.timer_writes.get(),
            interrupts_total: interrupts::total(id.0),
            idle_ns: shared.idle_time(id, now()).0,
            halted_ns: stats.halted.read(now()).0,
        }
    }

    fn memory() -> Memory {
        let (stacks, idle_stacks, free_slots) = Local::here().threads.figures();
        Memory { heap: crate::heap::used() as u64, stacks, idle_stacks, free_slots }
    }

    fn attention(cpu: usize) -> Attention {
        let mailbox = Local::here().shared.mailbox(CpuId(cpu as u32));
        match mailbox.attention.peek() {
            // Who waits by MWAIT says that it polls, since it needs no interrupt.
            Notice::Polling if mailbox.stats.halted.is_running() => Attention::Halted,
            Notice::Polling => Attention::Polling,
            Notice::Halted => Attention::Halted,
            Notice::Busy(_) | Notice::Ranked { .. } => Attention::Busy,
        }
    }

    fn ipi_round(cpu: usize) -> Option<u64> {
        probe::round(cpu as u32)
    }

    fn env() -> Env {
        Env {
            accel: facts::accelerator().into(),
            cpus: Self::cpus() as u32,
            clock: facts::clock().into(),
            clock_hz: clock::hz(),
            timer: timer::mode().name().into(),
            apic: apic::mode().name().into(),
            boot: facts::door().into(),
            policy: Local::here().shared.config().policy.name().into(),
            seed: facts::seed(),
            icount: facts::counts_instructions(),
            version: facts::VERSION.into(),
            commit: facts::COMMIT.into(),
        }
    }
}
