//! What a user types, and what he is told.

use super::*;
use proptest::prelude::*;

fn parse(line: &str) -> Options {
    Options::parse(line).unwrap()
}

fn complaint(line: &str) -> String {
    Options::parse(line).unwrap_err().to_string()
}

#[test]
fn an_empty_line_is_the_default() {
    assert_eq!(parse(" \t "), Options::default());
    assert_eq!(parse("").suite.to_string(), "quick");
}

#[test]
fn every_key_is_understood() {
    let options = parse(
        "suite=yield,share cpus=2 policy=round-robin seed=0xff sched.tau=0.5s sched.hysteresis=2500us \
         sched.penalty=0ns sched.poll=1us sched.rt-period=2s sched.rt-runtime=1.5s \
         sched.rr-slice=20ms timer=oneshot apic=xapic idle=mwait console=on legacy=show plant=overflow watchdog=1.5s",
    );
    assert_eq!((options.cpus, options.seed), (Some(2), 255));
    let sched = Config {
        policy: PolicyKind::RoundRobin,
        tau: Nanos(500_000_000),
        hysteresis: Nanos(2_500_000),
        penalty: Nanos(0),
        poll: Nanos(1_000),
        rt_runtime: Nanos(1_500_000_000),
        rt_period: Nanos(2_000_000_000),
        rr_slice: Nanos(20_000_000),
    };
    assert_eq!(options.sched, sched);
    assert_eq!(
        (options.timer, options.apic, options.console, options.legacy, options.plant),
        (TimerMode::Oneshot, ApicMode::Xapic, Switch::On, Legacy::Show, Plant::Overflow)
    );
    assert_eq!((options.watchdog, parse("soak=2s").soak), (Some(1_500_000_000), Some(2_000_000_000)));
    assert!(complaint("console=on soak=2s").contains("a soak takes no commands"));
    assert_eq!(parse("watchdog=1s watchdog=off").watchdog, None);
    assert!(complaint("watchdog=1ms").contains("out of range"));
}

#[test]
fn with_a_console_only_a_suite_that_is_named_runs() {
    assert!(parse("console=on").suite.is_empty());
    assert_eq!(parse("console=on suite=quick").suite, Selection::quick());
    assert_eq!(parse("console=on console=off").suite, Selection::quick());
}

#[test]
fn the_list_of_keys_is_the_keys() {
    for (key, _) in KEYS {
        let told = complaint(&format!("{key}=\u{1}"));
        assert!(!told.contains("no option"), "{told}");
    }
}

#[test]
fn quotes_join_and_the_later_word_counts() {
    assert_eq!(parse("seed=1 'seed=2'").seed, 2);
    assert_eq!(parse(r#"suite="yield,clock" "#).suite.to_string(), "yield,clock");
    assert!(complaint("suite='yield").contains("never closed"));
    assert!(complaint("suite='yield, clock'").contains("\" clock\""));
}

#[test]
fn a_mistake_names_the_word_what_is_valid_and_what_was_meant() {
    assert_eq!(
        complaint("polcy=decay"),
        "polcy=decay: there is no option \"polcy\". Valid: suite, cpus, policy, seed, sched.tau, sched.hysteresis, \
         sched.penalty, sched.poll, sched.rt-runtime, sched.rt-period, sched.rr-slice, timer, apic, idle, soak, \
         watchdog, console, legacy, plant. Did you mean policy=decay?"
    );
    assert_eq!(
        complaint("policy=decoy"),
        format!(
            "policy=decoy: there is no policy \"decoy\". Valid: {}. Did you mean policy=decay?",
            PolicyKind::LIST
        )
    );
    assert_eq!(complaint("cpus=0"), "cpus=0: out of range. Valid: cpus: 1 to 512.");
    assert_eq!(complaint("cpus=many"), "cpus=many: not a whole number. Valid: cpus: 1 to 512.");
    assert!(complaint("suite=cots").ends_with("Did you mean suite=cost?"));
    assert!(complaint("suite=").contains("no suite"));
    assert!(complaint("verbose").starts_with("verbose: an option has the form key=value."));
    assert!(complaint("timer=hpet").contains("Valid: auto, deadline, oneshot."));
}

#[test]
fn durations_need_a_unit_and_fit() {
    for (line, ns) in
        [("1.5ms", 1_500_000), ("200ms", 200_000_000), ("10s", 10_000_000_000), ("1000.9us", 1_000_900)]
    {
        assert_eq!(parse(&format!("sched.tau={line}")).sched.tau.0, ns);
    }
    assert!(complaint("sched.tau=200").contains("needs a unit"));
    assert!(complaint("sched.tau=99999999999999999999s").contains("not a duration"));
    assert!(complaint("sched.tau=18446744073709551615s").contains("not a duration"));
    for bad in ["1.ms", ".5s", "1.2.3s", "-1s", "ms", "1h"] {
        assert!(complaint(&format!("sched.tau={bad}")).contains("not a duration"), "{bad}");
    }
    assert_eq!(
        complaint("sched.tau=1us"),
        "sched.tau=1us: out of range. Valid: sched.tau must be from 1ms to 10s."
    );
}

proptest! {
    #[test]
    fn no_line_panics(line in "\\PC{0,80}") {
        if let Err(mistake) = Options::parse(&line) {
            prop_assert!(!mistake.to_string().is_empty());
        }
    }

    #[test]
    fn no_word_panics(key in 0..KEYS.len(), value in "[0-9a-z.,/'\"x]{0,12}|\\PC{0,8}") {
        let _ = Options::parse(&format!("{}={value}", KEYS[key].0));
    }

    #[test]
    fn what_is_shown_reads_back(
        seed: u64,
        cpus in prop::option::of(1_usize..=512),
        tau in 1_000_000_u64..=10_000_000_000,
    ) {
        let sched = Config { tau: Nanos(tau), policy: PolicyKind::Priority, ..Config::default() };
        let options = Options { cpus, seed, sched, watchdog: Some(tau + 10_000_000), ..Options::default() };
        prop_assert_eq!(parse(&options.to_string()), options);
        let session = format!("console=on seed={seed}");
        prop_assert_eq!(parse(&parse(&session).to_string()), parse(&session));
    }
}
