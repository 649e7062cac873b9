//! What `top` and its like show, in at most 100 columns.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt::{self, Write};

use super::sample::{Cpu, Sample, State, Thread};
use crate::os::Class;
use crate::units::{Compact, Time};

/// What interrupts a CPU: the vector, or the one from which on all others are, and a word for it.
pub type Vectors<'a> = &'a [(u8, &'a str)];

/// What was done between two samples.
///
/// # Errors
/// Those of `out`.
pub fn top(out: &mut dyn Write, spent: &Sample, vectors: Vectors<'_>) -> fmt::Result {
    writeln!(out, "  over {}", Time(spent.at))?;
    cpus(out, spent, vectors)?;
    let mut threads: Vec<&Thread> = spent.threads.iter().collect();
    threads.sort_by_key(|thread| (Reverse(thread.usage.cpu_ns), thread.id));
    thread_table(out, spent.at, &threads)
}

/// What each CPU did. `spent` is as long as the sample says.
///
/// # Errors
/// Those of `out`.
pub fn cpus(out: &mut dyn Write, spent: &Sample, vectors: Vectors<'_>) -> fmt::Result {
    writeln!(
        out,
        "  {:>3} {:>7} {:>6} {:>8} {:>9} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}",
        "CPU",
        "busy",
        "queue",
        "switches",
        "preempted",
        "blocked",
        "moved",
        "kicks",
        "saved",
        "arms",
        "timer",
        "kicked",
        "other"
    )?;
    for (i, cpu) in spent.cpus.iter().enumerate() {
        let counters = &cpu.counters;
        let [timer, kick] = ["timer", "kick"].map(|name| cpu.taken(name, vectors));
        let columns = [counters.migrations, counters.kicks_sent, counters.kicks_saved, counters.timer_writes];
        let columns = columns.into_iter().chain([
            timer,
            kick,
            counters.interrupts_total - (timer + kick).min(counters.interrupts_total),
        ]);
        write!(
            out,
            "  {i:>3} {:>7} {:>6} {:>8} {:>9} {:>7}",
            share(spent.at.saturating_sub(counters.idle_ns), spent.at),
            spent.queue(i),
            Compact(counters.switches),
            Compact(counters.preemptions),
            Compact(counters.blocks),
        )?;
        columns.into_iter().try_for_each(|count| write!(out, " {:>6}", Compact(count)))?;
        writeln!(out)?;
    }
    Ok(())
}

/// What each thread did, by id.
///
/// # Errors
/// Those of `out`.
pub fn threads(out: &mut dyn Write, spent: &Sample) -> fmt::Result {
    thread_table(out, spent.at, &spent.threads.iter().collect::<Vec<_>>())
}

fn thread_table(out: &mut dyn Write, window: u64, threads: &[&Thread]) -> fmt::Result {
    writeln!(
        out,
        "  {:>4} {:>7} {:>8} {:>4} {:<7} {:<10} {:>8} {:>8} {:>9} {:>6} {:>6}  name",
        "ID",
        "share",
        "CPU time",
        "CPU",
        "state",
        "class",
        "weight",
        "switches",
        "preempted",
        "woken",
        "moved"
    )?;
    for thread in threads {
        let Thread { id, usage, cpu, weight, ref name, .. } = **thread;
        let pinned = if thread.is_pinned { "!" } else { "" };
        writeln!(
            out,
            "  {id:>4} {:>7} {:>8} {:>4} {:<7} {:<10} {weight:>8} {:>8} {:>9} {:>6} {:>6}  {name}",
            share(usage.cpu_ns, window),
            format!("{}", Time(usage.cpu_ns)),
            format!("{pinned}{cpu}"),
            thread.state.word(),
            class(thread.class),
            Compact(usage.switches),
            Compact(usage.preemptions),
            Compact(usage.wakeups),
            Compact(usage.migrations),
        )?;
    }
    Ok(())
}

/// Interrupts by vector, of those that came at all.
///
/// # Errors
/// Those of `out`.
pub fn interrupts(out: &mut dyn Write, sample: &Sample, vectors: Vectors<'_>) -> fmt::Result {
    let count = |cpu: &Cpu, vector: usize| cpu.vectors.get(vector).copied().unwrap_or(0);
    writeln!(out, "  {:>6}  {:<14} {:>9}  by CPU", "vector", "what", "all")?;
    let slots = sample.cpus.iter().map(|cpu| cpu.vectors.len()).max().unwrap_or(0);
    for vector in 0..slots {
        let all: u64 = sample.cpus.iter().map(|cpu| count(cpu, vector)).sum();
        if all == 0 {
            continue;
        }
        write!(out, "    {vector:#04x}  {:<14} {:>9} ", word(vector as u8, vectors), Compact(all))?;
        for (i, taken) in
            sample.cpus.iter().map(|cpu| count(cpu, vector)).enumerate().filter(|(_, taken)| *taken > 0)
        {
            write!(out, " {i}:{}", Compact(taken))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The name of the last row that begins at or below the vector.
fn word(vector: u8, vectors: Vectors<'_>) -> &str {
    vectors.iter().rev().find(|(first, _)| *first <= vector).map_or("", |(_, word)| word)
}

fn share(part: u64, whole: u64) -> String {
    format!("{:.2}%", part as f64 / whole.max(1) as f64 * 100.0)
}

fn class(class: Class) -> String {
    match class {
        Class::Fair => "fair".into(),
        Class::Background => "background".into(),
        Class::Fifo(priority) => format!("fifo {}", priority.number()),
        Class::RoundRobin(priority) => format!("rr {}", priority.number()),
    }
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Blocked => "blocked",
        }
    }
}

impl Cpu {
    /// Interrupts by the vectors of that name.
    fn taken(&self, name: &str, vectors: Vectors<'_>) -> u64 {
        let named = |vector: usize| word(vector as u8, vectors) == name;
        self.vectors.iter().enumerate().filter(|(vector, _)| named(*vector)).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::{Attention, Counters, NORMAL_WEIGHT, Usage};

    const VECTORS: Vectors<'static> = &[(0, "exception"), (2, "timer"), (3, "kick"), (4, "other")];

    fn cpu(idle_ns: u64, vectors: [u64; 6]) -> Cpu {
        let counters = Counters {
            idle_ns,
            switches: 12,
            preemptions: 3,
            blocks: 8,
            migrations: 1,
            kicks_sent: 5,
            kicks_saved: 6,
            timer_writes: 7,
            interrupts_total: vectors.iter().sum(),
            ..Counters::default()
        };
        Cpu { attention: Attention::Busy, counters, vectors: vectors.to_vec() }
    }

    fn thread(id: u32, name: &str, cpu_ns: u64, state: State) -> Thread {
        let usage = Usage { cpu_ns, switches: 4, preemptions: 2, wakeups: 9, migrations: 1 };
        let (key, name) = (u64::from(id), name.into());
        Thread {
            id,
            key,
            name,
            class: Class::Fair,
            weight: NORMAL_WEIGHT,
            cpu: 0,
            is_pinned: id == 9,
            state,
            usage,
        }
    }

    fn sample() -> Sample {
        Sample {
            at: 2_000_000_000,
            cpus: [cpu(500_000_000, [0, 0, 20, 2, 0, 1]), cpu(2_000_000_000, [0; 6])].into(),
            threads: [
                thread(8, "loop 1", 500_000_000, State::Ready),
                thread(9, "console", 1_000_000_000, State::Running),
            ]
            .into(),
        }
    }

    fn shown(show: impl FnOnce(&mut dyn Write) -> fmt::Result) -> String {
        let mut text = String::new();
        show(&mut text).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        text
    }

    #[test]
    fn top_has_cpus_and_then_threads_by_what_they_used() {
        let text = shown(|out| top(out, &sample(), VECTORS));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "  over 2.00 s",
                "  CPU    busy  queue switches preempted blocked  moved  kicks  saved   arms  timer kicked  other",
                "    0  75.00%      1       12         3       8      1      5      6      7     20      2      1",
                "    1   0.00%      0       12         3       8      1      5      6      7      0      0      0",
                "    ID   share CPU time  CPU state   class        weight switches preempted  woken  moved  name",
                "     9  50.00%   1.00 s   !0 running fair           1024        4         2      9      1  console",
                "     8  25.00%   500 ms    0 ready   fair           1024        4         2      9      1  loop 1",
            ]
        );
    }

    #[test]
    fn interrupts_that_never_came_are_left_out() {
        let text = shown(|out| interrupts(out, &sample(), VECTORS));
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            rows,
            [
                "    0x02  timer                 20  0:20",
                "    0x03  kick                   2  0:2",
                "    0x05  other                  1  0:1"
            ]
        );
    }

    #[test]
    fn a_window_is_the_difference_of_two_samples() {
        let (before, mut now) = (sample(), sample());
        now.at += 1_000;
        now.cpus[0].counters.switches += 5;
        now.cpus[0].vectors[2] += 1;
        now.threads[0].usage.cpu_ns += 250;
        now.threads[1].key = 77;
        let spent = now.since(&before);
        assert_eq!((spent.at, spent.cpus[0].counters.switches, spent.cpus[0].vectors[2]), (1_000, 5, 1));
        assert_eq!(spent.threads[0].usage, Usage { cpu_ns: 250, ..Usage::default() });
        assert_eq!(spent.threads[1].usage, now.threads[1].usage, "another thread, of which all is new");
    }
}
