//! `soak`: random mixes of threads in the guest, for as long as one likes, while its hypervisor stops it now and then.

use std::time::Duration;

use anstream::println;
use anyhow::{Result, ensure};
use clap::Args;

use crate::guest::{Act, Cue};
use crate::run::Run;

/// How long it may take beyond what was asked for: the boot, the last round, and all pauses.
const MARGIN: Duration = Duration::from_mins(5);
/// Between two pauses, and how long they are, in ms.
const BETWEEN: std::ops::Range<u64> = 500..20_000;
const PAUSE: std::ops::Range<u64> = 1..2_000;

/// `soak`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: as `run`'s. The seed decides what threads do and when the machine is paused.

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

    /// Never stop the machine
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
        let pauses = if self.no_pauses { vec![] } else { pauses(seed, time) };
        // Pauses included, for which the guest's clock may stand still.
        let planned: Duration = pauses.iter().filter_map(Act::time).sum();
        self.run.limit(time.max(planned) + MARGIN);
        if !pauses.is_empty() {
            self.run.cues.push(Cue { after: "soak  ".into(), acts: pauses, until_the_end: true });
        }
        self.run.execute()
    }
}

/// Stops and continues, for a little less than `time`.
fn pauses(seed: u64, time: Duration) -> Vec<Act> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut acts, mut spent) = (vec![], Duration::ZERO);
    loop {
        let between = Duration::from_millis(random.u64(BETWEEN));
        let pause = Duration::from_millis(random.u64(PAUSE));
        spent += between;
        if spent > time {
            return acts;
        }
        let command = |name: &str| Act::Execute(name.into(), None);
        acts.extend([Act::Wait(between), command("stop"), Act::Wait(pause), command("cont")]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_as_many_as_fit_and_all_end() {
        let acts = pauses(3, Duration::from_mins(10));
        assert!(acts.len() > 4 * 30, "{}", acts.len());
        assert!(acts.chunks(4).all(|four| four[1] == Act::Execute("stop".into(), None)
            && four[3] == Act::Execute("cont".into(), None)));
        assert_eq!(acts, pauses(3, Duration::from_mins(10)));
        assert_ne!(acts, pauses(4, Duration::from_mins(10)));
    }
}
