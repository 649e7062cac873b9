//! The report as its readers see it.

use super::*;
use crate::fairness::Claim;
use crate::os::{Counters, Usage};
use crate::record::Env;
use crate::suite::Group;
use crate::workload::{ThreadWindow, Timed, Window};

const MS: u64 = 1_000_000;

fn printed(print: impl FnOnce(&mut Report<'_>)) -> String {
    let mut text = String::new();
    print(&mut Report::new(&mut text));
    text
}

/// A window of one second in which the threads got so many ms.
fn window(received_ms: &[u64], cpus: usize) -> Window {
    let thread = |(i, ms): (usize, &u64)| ThreadWindow {
        name: format!("loop {i}"),
        usage: Usage { cpu_ns: ms * MS, switches: 100, preemptions: 99, wakeups: 0, migrations: 3 },
        rounds: Some(*ms),
    };
    Window {
        ns: 1_000 * MS,
        blur_ns: 1_200,
        threads: received_ms.iter().enumerate().map(thread).collect(),
        cpus: vec![Counters { switches: 200, timer_interrupts: 100, ..Counters::default() }; cpus],
    }
}

fn timed() -> Timed {
    Timed {
        samples: (100..=140).collect(),
        spent: Counters { switches: 41, ..Counters::default() },
        operations: 41,
    }
}

#[test]
fn a_latency_row_has_its_numbers_its_counts_and_its_verdict() {
    let text = printed(|report| {
        report.section(Group::Cost, &Env::default());
        report.begin("yield");
        let judgement = Judgement::new().at_most("median", 120.0, 200.0, " ns");
        report.latency(timed(), &judgement).unwrap();
    });
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("  yield")).collect();
    assert_eq!(
        lines[0],
        "  yield                   100    110    120   120.0    130    140    140    140    12.0     41  ok"
    );
    assert_eq!(lines[1..3], ["      an operation: 1.00 switches", "      median 120 ≤ 200 ns"]);
    assert!(lines[3].starts_with(r#"@tacet {"v":1,"name":"yield","kind":"latency","unit":"ns","n":41,"#));
    assert!(lines[4].contains(r#""kind":"verdict","pass":true"#));
}

#[test]
fn a_latency_row_among_shares_names_its_columns() {
    let text = printed(|report| {
        report.section(Group::Cost, &Env::default());
        report.section(Group::Share, &Env::default());
        report.begin("timeslice");
        report.latency(timed(), &Judgement::without_limit("a figure of the machine")).unwrap();
    });
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("  timeslice")).collect();
    assert_eq!(
        lines[..2],
        [
            "  timeslice               min     q1 median    mean     q3    p99  p99.9    max       σ      n",
            "    ns each               100    110    120   120.0    130    140    140    140    12.0     41  info"
        ]
    );
    assert_eq!(lines[3], "      informs, a figure of the machine");
}

#[test]
fn a_long_judgement_takes_more_lines_and_loses_nothing() {
    let checks =
        (0..4).fold(Judgement::new(), |so_far, i| so_far.check(true, format!("{i}: {}", "x".repeat(40))));
    let text = printed(|report| {
        report.begin("yield");
        report.latency(timed(), &checks).unwrap();
    });
    let told: Vec<&str> = text.lines().skip(3).take(2).map(str::trim).collect();
    assert_eq!(told.join(" "), checks.why());
}

#[test]
fn a_name_is_there_before_its_result() {
    let mut text = String::new();
    let mut report = Report::new(&mut text);
    report.begin("yield");
    report.begin("yield");
    assert_eq!(text, "  yield                ");
}

#[test]
fn trouble_ends_the_line_and_counts() {
    let mut text = String::new();
    let mut report = Report::new(&mut text);
    report.begin("ipi");
    report.trouble(Trouble::Skipped("needs 2 CPUs".into()));
    report.begin("spawn");
    report.trouble(Trouble::Failed("no memory".into()));
    let outcome = report.end("quick");
    assert_eq!((outcome.failed, outcome.skipped, outcome.is_success()), (1, 1, false));
    assert!(text.starts_with(
        "  ipi                  skip  needs 2 CPUs\n  spawn                FAIL  no memory\n@tacet "
    ));
    assert!(text.contains(
        "\n  FAIL  spawn: no memory\n  FAILED  0 passed, 1 failed, 0 for information, 1 skipped\n"
    ));
    assert!(text.ends_with("\"kind\":\"end\",\"passed\":0,\"failed\":1}\n"));
}

#[test]
fn a_biased_share_is_seen_in_every_figure() {
    let window = window(&[1_000, 500, 500], 2);
    let shared = Shared::new(&window, &[Claim::endless(1.0); 3], 2, 10 * MS);
    assert!((shared.served - 100.0).abs() < 1e-9);
    let judgement = Judgement::new().at_least("Jain", shared.division.jain, 0.999, "").served(&shared);
    let text = printed(|report| {
        report.begin("share/equal");
        report.share(&shared, &judgement);
    });
    assert!(text.contains("share/equal          3 threads on 2 CPUs, 1.00 s ± 1.20 µs  FAIL"), "{text}");
    assert!(text.contains("loop 0       50.00%    33.33%  +50.00% -333.33 ms  -33.33   50.00%"), "{text}");
    assert!(text.contains("Jain 0.88889, min/max 0.5000, largest lag 333 ms (33.33 slices)"), "{text}");
    assert!(text.contains("\n      Jain 0.88889 < 0.999\n"), "{text}");
    assert!(text.contains(r#""threads":3,"cpus":2,"window_ms":1000.0,"jain":0.888889"#), "{text}");
}

#[test]
fn a_cpu_thrown_away_fails_though_shares_are_equal() {
    let mut window = window(&[500, 500], 2);
    window.cpus[1].idle_ns = 1_000 * MS;
    let shared = Shared::new(&window, &[Claim::endless(1.0); 2], 2, 10 * MS);
    assert_eq!((shared.division.jain, shared.wasted_ns), (1.0, 1_000 * MS));
    assert_eq!(Judgement::new().served(&shared).why(), "served 50 < 98%");
}

#[test]
fn one_excused_interrupt_excuses_one() {
    let spent =
        Counters { timer_interrupts: 2, interrupts_total: 3, halted_ns: 990 * MS, ..Counters::default() };
    let quiet = Quiet { ns: 1_000 * MS, spent, excused: 1, ..Quiet::default() };
    assert_eq!((quiet.interrupts(), quiet.halted()), (2, 99.0));
    let text = printed(|report| {
        report.begin("tickless/idle");
        report.interrupts(&[quiet], &Judgement::new());
    });
    assert!(text.contains(r#""kind":"count","unit":"interrupts","per_cpu":[2]"#), "{text}");
}

#[test]
fn people_need_no_more_than_a_hundred_columns() {
    let huge = u64::MAX / 4;
    let mut window = window(&[999, 1], 1);
    window.threads[0].usage.switches = huge;
    window.cpus[0] = Counters { switches: 123_456_789, interrupts_total: 123_456_789, ..Counters::default() };
    let shared = Shared::new(&window, &[Claim::endless(1.0); 2], 1, 10 * MS);
    let env = Env {
        accel: "tcg".into(),
        clock: "tsc (CPUID 0x15)".into(),
        cpus: 512,
        icount: true,
        ..Env::default()
    };
    let text = printed(|report| {
        report.environment(&env, &crate::options::Options::default());
        report.section(Group::Cost, &env);
        report.begin("handover/colocated");
        let samples = [1_000_000_000, 999_999, 123_456_789_012].to_vec();
        report.latency(Timed { samples, ..timed() }, &Judgement::new()).unwrap();
        report.begin("balance/weighted3on2");
        report.ratio(&window, &[1.0, 2.0], &Judgement::new());
        report.begin("share/equal");
        report.share(&shared, &Judgement::new());
        report.end("full");
    });
    println!("{text}");
    for line in text.lines().filter(|line| !line.starts_with(record::PREFIX)) {
        assert!(line.chars().count() <= WIDTH, "{} columns: {line}", line.chars().count());
    }
}
