//! A case: a machine, threads, and how long to watch them. Data, so that it can be written down and run again.

use std::fmt;

use anyhow::{Context, Result, ensure};
use sched::Config;
use sched::policy::PolicyKind;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bounds::Bounds;
use super::machine::Machine;
use super::plant::Plant;
use super::program::{Plan, is_default};
use super::shape::Shape;

/// CPUs that a case may have.
pub const MOST_CPUS: usize = 1_024;

/// A case.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it's called.
    pub name: String,
    /// Where all chance comes from.
    pub seed: u64,
    /// How many CPUs.
    pub cpus: usize,
    /// How they share cores and caches.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shape: Shape,
    /// Which policy picks.
    #[serde(serialize_with = "write_policy", deserialize_with = "read_policy")]
    pub policy: PolicyKind,
    /// What the machine does to them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub machine: Machine,
    /// What's wrong on purpose.
    #[serde(default, skip_serializing_if = "is_default")]
    pub plant: Option<Plant>,
    /// Nanoseconds before the window.
    #[serde(default, skip_serializing_if = "is_default")]
    pub settle: u64,
    /// The window.
    pub window: u64,
    /// What each thread should get of a CPU in the window; empty if nothing is said of that.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expected: Vec<f64>,
    /// The threads, by number.
    pub threads: Vec<Plan>,
}

impl Case {
    /// A case of `threads` on `cpus` CPUs that run for half a second, under the default policy.
    pub fn new(name: impl Into<String>, cpus: usize, threads: Vec<Plan>) -> Self {
        Self {
            name: name.into(),
            seed: 1,
            cpus,
            shape: Shape::default(),
            policy: PolicyKind::Fair,
            machine: Machine::default(),
            plant: None,
            settle: 0,
            window: 500_000_000,
            expected: Vec::new(),
            threads,
        }
    }

    /// The scheduler's settings.
    pub fn config(&self) -> Config {
        let config = Config { policy: self.policy, ..Config::default() };
        if !self.is_ranked() {
            return config;
        }
        // Short enough for a window to see many.
        let ms = sched::Nanos::from_millis;
        Config { rt_runtime: ms(19), rt_period: ms(20), rr_slice: ms(2), ..config }
    }

    /// Whether some of its threads are, or become, other than fair.
    pub fn is_ranked(&self) -> bool {
        self.threads.iter().any(Plan::is_ranked)
    }

    /// How long what must not last may last.
    pub fn bounds(&self) -> Bounds {
        Bounds::of(self)
    }

    /// Reads a case that was written down.
    ///
    /// # Errors
    /// It's no case, or none that can be run.
    pub fn read(text: &str) -> Result<Self> {
        let case: Self = serde_json::from_str(text).context("this is no case as `sim` prints them")?;
        ensure!((1..=MOST_CPUS).contains(&case.cpus), "a case has 1 to {MOST_CPUS} CPUs");
        let judged = case.expected.len();
        ensure!(
            judged == 0 || judged == case.threads.len(),
            "`expected` has an entry for each thread, or none"
        );
        Ok(case)
    }
}

impl fmt::Display for Case {
    /// JSON, with a line for each thread.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = Self { threads: Vec::new(), ..self.clone() };
        let head = serde_json::to_string(&rest).map_err(|_| fmt::Error)?;
        writeln!(out, "{}", head.trim_end_matches("]}"))?;
        for (number, thread) in self.threads.iter().enumerate() {
            let comma = if number + 1 < self.threads.len() { "," } else { "" };
            writeln!(out, "  {}{comma}", serde_json::to_string(thread).map_err(|_| fmt::Error)?)?;
        }
        write!(out, "]}}")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn write_policy<S: Serializer>(policy: &PolicyKind, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(policy.name())
}

fn read_policy<'de, D: Deserializer<'de>>(input: D) -> Result<PolicyKind, D::Error> {
    let name = String::deserialize(input)?;
    PolicyKind::from_name(&name)
        .ok_or_else(|| serde::de::Error::custom(format!("no policy is called {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::program::{Cpus, Span, Step};

    #[test]
    fn a_written_case_reads_as_itself() {
        let child = Plan::once(vec![Step::Pin { thread: None, cpus: Cpus::Range(1, 2) }]).weighing(3);
        let steps = vec![
            Step::Run(Span::micros(1, 2)),
            Step::Sleep(Span::exactly(7)),
            Step::Weigh { thread: Some(0), weight: 5 },
            Step::Spawn(Box::new(child)),
            Step::Park,
        ];
        let mut case = Case::new(
            "all",
            3,
            vec![Plan { start: 9, ..Plan::repeat(steps) }, Plan::looping().on(Cpus::One(2))],
        );
        case.machine = Machine::rough();
        case.shape = Shape { threads: 2, cores: 4, caches: 1, scattered: true };
        case.plant = Some(Plant::DropKick);
        case.expected = vec![0.25, 1.0];
        assert_eq!(Case::read(&case.to_string()).unwrap(), case);
        let plain = Case::new("none", 1, Vec::new());
        assert_eq!(Case::read(&plain.to_string()).unwrap(), plain);
        assert!(Case::read(&plain.to_string().replace("\"cpus\":1", "\"cpus\":0")).is_err());
    }
}
