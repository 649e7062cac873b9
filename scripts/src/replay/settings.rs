//! The settings of a replay: the run's, and what the user wants otherwise.

use anyhow::{Result, anyhow};
use bench::options::Options;
use taped::policy::PolicyKind;
use taped::{Config, Nanos};

/// The run's settings, changed by `words` as the boot command line writes them.
///
/// # Errors
/// A word that isn't one, or a value out of range.
pub fn changed(run: Config, words: &[String]) -> Result<Config> {
    let Config { policy, tau, hysteresis, penalty, poll, rt_runtime, rt_period, rr_slice } = run;
    let nanos = |span: Nanos| sched::Nanos(span.0);
    let mut options = Options::default();
    options.sched = sched::Config {
        policy: sched::policy::PolicyKind::from_name(policy.name()).unwrap_or(options.sched.policy),
        tau: nanos(tau),
        hysteresis: nanos(hysteresis),
        penalty: nanos(penalty),
        poll: nanos(poll),
        rt_runtime: nanos(rt_runtime),
        rt_period: nanos(rt_period),
        rr_slice: nanos(rr_slice),
    };
    let line = format!("{options} {}", words.join(" "));
    // The kernel's own words for a mistake.
    let sched::Config { policy: chosen, tau, hysteresis, penalty, poll, rt_runtime, rt_period, rr_slice } =
        Options::parse(&line).map_err(|mistake| anyhow!("{mistake}"))?.sched;
    let nanos = |span: sched::Nanos| Nanos(span.0);
    Ok(Config {
        policy: PolicyKind::from_name(chosen.name()).unwrap_or(policy),
        tau: nanos(tau),
        hysteresis: nanos(hysteresis),
        penalty: nanos(penalty),
        poll: nanos(poll),
        rt_runtime: nanos(rt_runtime),
        rt_period: nanos(rt_period),
        rr_slice: nanos(rr_slice),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_is_the_runs() {
        let run = Config { tau: Nanos::from_millis(70), ..Config::default() };
        assert_eq!(changed(run, &[]).unwrap(), run);
        let words = ["policy=priority".to_owned(), "sched.hysteresis=1ms".to_owned()];
        let expected = Config { policy: PolicyKind::Priority, hysteresis: Nanos::from_millis(1), ..run };
        assert_eq!(changed(run, &words).unwrap(), expected);
    }

    #[test]
    fn mistakes_are_explained() {
        let said = |word: &str| changed(Config::default(), &[word.to_owned()]).unwrap_err().to_string();
        assert!(said("polcy=decay").contains("policy"), "{}", said("polcy=decay"));
        assert!(said("sched.tau=0s").contains("1ms to 10s"), "{}", said("sched.tau=0s"));
    }
}
