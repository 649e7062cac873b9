//! `xtask run` against guests that pass, fail, panic, hang, die and say nothing: what the user is told,
//! and that no result already printed is lost.

mod lab;

use std::time::{Duration, Instant};

use lab::Lab;
use rustix::process::{Pid, Signal, kill_process};

const COUNT: &str = r#"record '"name":"tickless/idle","kind":"count","unit":"interrupts","per_cpu":[0]'"#;

fn guest(rest: &str) -> Lab {
    Lab::new(&format!("say 'Tacet 0.1.0'\n{COUNT}\n{rest}\n"))
}

#[test]
fn a_pass_shows_the_report_and_keeps_the_records() {
    let lab = guest("say 'a table for people'\nverdict yield true fine\nend 1 0\nexit 33");
    let ended = lab.run(&["--json", "results.json"]);
    ended.expect(0, &["Tacet 0.1.0", "a table for people", "passed", "1 of 1 passed", "log"]);
    assert!(!ended.text.contains("@tacet"), "records are for programs");
    let json: serde_json::Value = serde_json::from_str(&lab.read("results.json")).unwrap();
    let kinds: Vec<&str> = json.as_array().unwrap().iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["count", "verdict", "end"]);
    assert!(lab.read("log").contains("@tacet"), "the raw log is kept");
}

#[test]
fn a_failed_check_is_named() {
    let lab = guest("verdict share/equal false 'Jain 0.9 < 0.999'\nend 0 1\nexit 35");
    lab.run(&[]).expect(1, &["1 check failed", "share/equal", "Jain 0.9 < 0.999"]);
}

#[test]
fn a_pass_without_an_end_is_none() {
    guest("exit 33").run(&[]).expect(1, &["disagree", "no `end` record"]);
}

#[test]
fn panics_faults_and_bad_input_are_told_apart() {
    let panic = guest("say 'PANIC: why at kernel/src/main.rs:1'\nsay '  0: main'\nexit 37");
    panic.run(&[]).expect(3, &["the kernel panicked: why at kernel", "0: main"]);
    let fault = guest("say 'FAULT: stack overflow in thread main'\nexit 41");
    fault.run(&[]).expect(4, &["took a fault: stack overflow in thread main"]);
    let input = guest("say 'BAD INPUT: cpus=0: at least one'\nexit 39");
    input.run(&[]).expect(2, &["refused to start: cpus=0: at least one"]);
}

#[test]
fn a_hang_is_given_up_on_with_the_last_lines_and_all_results() {
    let lab = guest("say 'waiting for CPU 3'\nexec sleep 60");
    let started = Instant::now();
    let ended = lab.run(&["--silence", "1s", "--json", "results.json"]);
    ended.expect(5, &["hangs: nothing new for 1s", "| waiting for CPU 3"]);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(lab.read("results.json").contains("tickless/idle"));
}

#[test]
fn a_guest_that_goes_on_and_on_is_stopped() {
    let lab = guest("while :; do say again; sleep 0.1; done");
    lab.run(&["--timeout", "2s"]).expect(5, &["not done after 2s", "| again"]);
    let lab = guest("yes 'the same line again and again' | head -c 9000000 >> \"$log\"\nexec sleep 60");
    lab.run(&[]).expect(5, &["prints without end"]);
}

#[test]
fn a_guest_that_never_prints_is_said_to() {
    Lab::new("exec sleep 60").run(&["--silence", "1s"]).expect(6, &["never printed anything"]);
    Lab::new("exit 0").run(&[]).expect(6, &["never printed anything", "reset itself"]);
}

#[test]
fn a_triple_fault_and_a_killed_emulator_have_names() {
    guest("exit 0").run(&[]).expect(6, &["reset itself", "triple fault"]);
    let lab = guest("say 'in the middle'\nkill -9 $$");
    lab.run(&["--json", "r.json"]).expect(6, &["killed by signal 9", "| in the middle"]);
    assert!(lab.read("r.json").contains("tickless/idle"));
}

#[test]
fn what_the_emulator_complains_about_is_shown() {
    let lab = Lab::new("echo \"qemu: unable to find CPU model 'i9'\" >&2\nexit 1");
    lab.run(&["--cpu", "i9"])
        .expect(6, &["the emulator failed with status 1", "unable to find CPU model 'i9'"]);
}

#[test]
fn a_garbled_record_is_no_pass() {
    let lab = guest("say '@tacet {\"v\":1,\"na'\nend 1 0\nexit 33");
    lab.run(&[]).expect(1, &["garbled", "disagree"]);
}

#[test]
fn an_interrupt_stops_the_guest_and_keeps_the_results() {
    let lab = guest("echo $$ > pid\nexec sleep 60");
    let arguments = ["run", "--qemu", "./qemu", "--kernel", "kernel", "--log", "log", "--json", "r.json"];
    let mut child = lab.command(&arguments).spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    while !lab.path("pid").exists() {
        assert!(Instant::now() < limit, "the guest never started: {}", lab.read("output"));
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(lab.read("output").contains("interrupted"));
    assert!(lab.read("r.json").contains("tickless/idle"));
    let emulator = format!("/proc/{}", lab.read("pid").trim());
    assert!(!std::path::Path::new(&emulator).exists(), "QEMU lives on");
}

#[test]
fn boot_options_and_the_machine_reach_the_emulator() {
    let lab = guest("say \"$*\"\nend 1 0\nexit 33");
    let ended = lab.run(&["--smp", "2", "--memory", "1G", "--icount", "--", "suite=share", "cpus=2"]);
    ended.expect(0, &["-m 1024M -smp 2", "-icount shift=0,sleep=off", "-append suite=share cpus=2"]);
}

#[test]
fn what_is_piped_in_reaches_a_guest_that_asks_and_then_its_end_does() {
    let script = r#"sleep 0.3
printf 'tacet> ' >> "$log"
read first; read second; end=$(head -c 2 | od -An -tx1)
say "got $first, $second,$end"
record '"name":"console","kind":"end","passed":0,"failed":0'
exit 33"#;
    let lab = guest(script);
    std::fs::write(lab.path("typed"), "top\nquit\n").unwrap();
    let needed =
        ["run", "--qemu", "./qemu", "--kernel", "kernel", "--log", "log", "--accel", "tcg", "console=on"];
    let typed = std::fs::File::open(lab.path("typed")).unwrap();
    let status = lab.command(&needed).stdin(typed).status().unwrap();
    let output = lab.read("output");
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(output.contains("tacet> got top, quit, 0d 04"), "{output}");
}

#[test]
fn bad_surroundings_are_one_clear_message() {
    let lab = guest("exit 33");
    lab.run(&["--smp", "0"]).expect(2, &["at least one CPU"]);
    lab.run(&["--memory", "1M"]).expect(2, &["too small to boot"]);
    lab.run(&["--memory", "lots"]).expect(2, &["no memory size", "512M"]);
    lab.run(&["--accel", "kvm", "--icount"]).expect(2, &["cannot be used multiple times"]);
    lab.run(&["--boot", "limine", "--machine", "microvm"]).expect(2, &["no drive to boot from"]);
    lab.end(&["run", "--qemu", "./none", "--kernel", "kernel"]).expect(2, &["no QEMU at ./none"]);
    lab.end(&["run", "--qemu", "./qemu", "--kernel", "qemu"]).expect(2, &["is no ELF image"]);
    lab.end(&["run", "--qemu", "./qemu", "--kernel", "gone"]).expect(2, &["cannot read the kernel gone"]);
    let kvm = ["run", "--qemu", "./qemu", "--kernel", "kernel", "--accel", "kvm", "--icount"];
    lab.end(&kvm).expect(2, &["needs --accel tcg"]);
    Lab::with_version("4.2.1", "").run(&[]).expect(2, &["QEMU 4.2, which is too old", "6.2 or later"]);
    let strange = ["run", "--qemu", "/bin/true", "--kernel", "kernel"];
    lab.end(&strange).expect(2, &["does not answer `--version`"]);
}

#[test]
fn two_result_files_are_compared() {
    let row = |median: u64| {
        format!(
            r#"[{{"v":1,"name":"yield","kind":"latency","unit":"ns","n":9,"min":1,"q1":1,"median":{median},
            "mean":1.5,"q3":1,"p99":1,"p999":1,"max":1,"stddev":0.0,
            "per_op":{{"switches":1.0,"ipis":0.0,"timer_writes":0.0,"migrations":0.0}}}}]"#
        )
    };
    let lab = Lab::new("");
    std::fs::write(lab.path("a.json"), row(200)).unwrap();
    std::fs::write(lab.path("b.json"), row(210)).unwrap();
    lab.end(&["compare", "a.json", "b.json"]).expect(0, &["yield median", "+5.00%"]);
    lab.end(&["compare", "a.json", "b.json", "--within", "1"]).expect(1, &["changed by +5.00%"]);
    lab.end(&["compare", "a.json", "a.json", "--within", "1"]).expect(0, &["within 1%"]);
    lab.end(&["compare", "a.json", "none.json"]).expect(2, &["cannot read none.json"]);
}
