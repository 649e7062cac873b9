//! `soak`: random mixes of threads in the guest, for as long as one likes, while its hypervisor stops it now and then, or one
//! of its CPUs.

use std::time::Duration;

use anstream::println;
use anyhow::{Result, ensure};
use clap::Args;

use crate::guest::{Act, Cue};
use crate::qemu::hold;
use crate::run::Run;

/// How long it may take beyond what was asked for: the boot, the last round, and all pauses.
const MARGIN: Duration = Duration::from_mins(5);
/// Between two pauses, and how long they are, in ms.
const BETWEEN: std::ops::Range<u64> = 500..20_000;
const PAUSE: std::ops::Range<u64> = 1..2_000;

/// `soak`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: as `run`'s. The seed decides what threads do, and when the machine is paused, or a CPU.

Examples:
  cargo xtask soak --minutes 30
  cargo xtask soak --minutes 5 --smp 8 --seed 42 -- policy=eevdf")]
pub struct Soak {
    /// How long, by the guest's clock
    #[arg(long, value_name = "N", default_value = "30")]
    minutes: u64,

    /// What everything random comes from [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Never stop the machine, nor a CPU
    #[arg(long)]
    no_pauses: bool,

    #[command(flatten)]
    run: Run,
}

impl Soak {
    /// Soaks; the status is the run's.
    pub fn execute(mut self) -> Result<u8> {
        ensure!(self.minutes > 0, "a soak takes a minute at least");
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        let time = Duration::from_secs(60 * self.minutes);
        println!("seed {seed}");
        self.run.options.push(format!("soak={}s seed={seed}", time.as_secs()));
        let pauses = if self.no_pauses { vec![] } else { pauses(seed, time, self.to_hold()) };
        // Pauses included, for which the guest's clock may stand still.
        let planned: Duration = pauses.iter().filter_map(Act::time).sum();
        self.run.limit(time.max(planned) + MARGIN);
        if !pauses.is_empty() {
            self.run.cues.push(Cue { after: "soak  ".into(), acts: pauses, until_the_end: true });
        }
        self.run.execute()
    }

    /// How many CPUs there are that can be paused by themselves.
    fn to_hold(&self) -> u32 {
        if hold::is_allowed() {
            return self.run.machine.smp;
        }
        println!(
            "note: this host lets nobody stop a thread of QEMU's: only the machine is paused, and no CPU"
        );
        0
    }
}

/// Stops and continues, for a little less than `time`: the whole machine, or as often one of its `cpus`, if there are any.
fn pauses(seed: u64, time: Duration, cpus: u32) -> Vec<Act> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut acts, mut spent) = (vec![], Duration::ZERO);
    loop {
        let between = Duration::from_millis(random.u64(BETWEEN));
        let pause = Duration::from_millis(random.u64(PAUSE));
        spent += between;
        if spent > time {
            return acts;
        }
        acts.push(Act::Wait(between));
        if cpus > 0 && random.bool() {
            acts.push(Act::Hold(random.u32(..cpus), pause));
        } else {
            let command = |name: &str| Act::Execute(name.into(), None);
            acts.extend([command("stop"), Act::Wait(pause), command("cont")]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_as_many_as_fit_and_all_end() {
        let acts = pauses(3, Duration::from_mins(10), 4);
        let count = |is: fn(&Act) -> bool| acts.iter().filter(|act| is(act)).count();
        let command = |act: &Act, name: &str| *act == Act::Execute(name.into(), None);
        let stops = count(|act| *act == Act::Execute("stop".into(), None));
        let holds = count(|act| matches!(act, Act::Hold(0..4, time) if *time < Duration::from_secs(2)));
        assert!(stops > 10 && holds > 10 && stops + holds > 30, "{stops} and {holds}");
        assert_eq!(acts.len(), 4 * stops + 2 * holds);
        for (at, _) in acts.iter().enumerate().filter(|(_, act)| command(act, "stop")) {
            assert!(matches!(acts[at + 1], Act::Wait(_)) && command(&acts[at + 2], "cont"));
        }
        assert!(pauses(3, Duration::from_mins(10), 0).iter().all(|act| !matches!(act, Act::Hold(..))));
        assert_eq!(acts, pauses(3, Duration::from_mins(10), 4));
        assert_ne!(acts, pauses(4, Duration::from_mins(10), 4));
    }
}
