//! What became of a guest, from how the emulator ended and what the log says.
//!
//! The two must agree. A status that says "passed" over a log without a closing record, or with a
//! failed verdict in it, is a failure: one of them lies. Bochs has no status to say it with, and there the log is asked alone.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::End;
use crate::interrupt;
use crate::log::{Stop, Transcript};

/// `isa-debug-exit` turns what the guest writes, 0x10 and up, into twice that plus one.
mod status {
    pub const PASSED: i32 = 33;
    pub const FAILED: i32 = 35;
    pub const PANICKED: i32 = 37;
    pub const BAD_INPUT: i32 = 39;
    pub const FAULT: i32 = 41;
}

/// What became of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every check passed.
    Passed,
    /// The suite ran to its end, and this many checks failed.
    Failed(u64),
    /// Log and status disagree; the text says how.
    Contradicted(String),
    /// The kernel panicked.
    Panicked(String),
    /// The kernel took an exception that it cannot handle.
    Faulted(String),
    /// The kernel refused its options or its machine.
    BadInput(String),
    /// It stopped printing.
    Hung(Duration),
    /// It did not finish in time.
    TimedOut(Duration),
    /// It printed without end.
    Flooded,
    /// It never printed anything; the text says how it ended.
    NeverPrinted(String),
    /// The machine reset itself, as after a triple fault.
    Reset,
    /// The emulator was killed by this signal.
    Killed(i32),
    /// The emulator refused to start or failed; its status.
    EmulatorFailed(i32),
    /// The user interrupted it.
    Interrupted,
}

impl Outcome {
    /// One word, as `#! outcome` in a boot test names it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Contradicted(_) => "contradicted",
            Self::Panicked(_) => "panic",
            Self::Faulted(_) => "fault",
            Self::BadInput(_) => "bad-input",
            Self::Hung(_) => "hung",
            Self::TimedOut(_) => "timed-out",
            Self::Flooded => "flooded",
            Self::NeverPrinted(_) => "never-printed",
            Self::Reset => "reset",
            Self::Killed(_) => "killed",
            Self::EmulatorFailed(_) => "emulator-failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// Exit status of `run` for it.
    pub fn status(&self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed(_) | Self::Contradicted(_) => 1,
            Self::BadInput(_) => 2,
            Self::Panicked(_) => 3,
            Self::Faulted(_) => 4,
            Self::Hung(_) | Self::TimedOut(_) | Self::Flooded => 5,
            Self::NeverPrinted(_) | Self::Reset | Self::Killed(_) | Self::EmulatorFailed(_) => 6,
            Self::Interrupted => interrupt::STATUS,
        }
    }

    /// One sentence that tells the user what happened.
    pub fn sentence(&self) -> String {
        match self {
            Self::Passed => "every check passed".into(),
            Self::Failed(1) => "1 check failed".into(),
            Self::Failed(count) => format!("{count} checks failed"),
            Self::Contradicted(how) => format!("the log and the exit status disagree: {how}"),
            Self::Panicked(line) => format!("the kernel panicked: {line}"),
            Self::Faulted(line) => format!("the kernel took a fault: {line}"),
            Self::BadInput(line) => format!("the kernel refused to start: {line}"),
            Self::Hung(limit) => format!("the guest hangs: nothing new for {}", seconds(*limit)),
            Self::TimedOut(limit) => format!("the guest was not done after {}", seconds(*limit)),
            Self::Flooded => "the guest prints without end".into(),
            Self::NeverPrinted(how) => format!("the guest never printed anything: {how}"),
            Self::Reset => "the machine reset itself, as after a triple fault".into(),
            Self::Killed(signal) => format!("the emulator was killed by signal {signal}"),
            Self::EmulatorFailed(status) => format!("the emulator failed with status {status}"),
            Self::Interrupted => "interrupted".into(),
        }
    }
}

fn seconds(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// Puts the two sources together.
pub fn judge(end: End, transcript: &Transcript, emulator_said: &str) -> Outcome {
    if end == End::Interrupted {
        return Outcome::Interrupted;
    }
    if let Some((stop, line)) = &transcript.stop {
        return gave_up(*stop, line);
    }
    let outcome = by_end(end, transcript);
    let refused = matches!(outcome, Outcome::EmulatorFailed(_)) && !emulator_said.is_empty();
    if transcript.is_blank() && !refused {
        return Outcome::NeverPrinted(outcome.sentence());
    }
    outcome
}

fn gave_up(stop: Stop, line: &str) -> Outcome {
    let message = line.split_once(": ").map_or(line, |(_, message)| message).to_owned();
    match stop {
        Stop::Panic => Outcome::Panicked(message),
        Stop::Fault => Outcome::Faulted(message),
        Stop::BadInput => Outcome::BadInput(message),
    }
}

fn by_end(end: End, transcript: &Transcript) -> Outcome {
    match end {
        End::Exited(status) => by_status(status, transcript),
        End::PoweredOff => by_log(transcript),
        End::Silent(limit) => Outcome::Hung(limit),
        End::TimedOut(limit) => Outcome::TimedOut(limit),
        End::Lingered => Outcome::Contradicted("the suite ended, but the machine runs on".into()),
        End::Flooded => Outcome::Flooded,
        End::Interrupted => Outcome::Interrupted,
    }
}

fn by_status(status: ExitStatus, transcript: &Transcript) -> Outcome {
    let silent = |what: &str| format!("{what}, but the log has no such line");
    match status.code() {
        Some(status::PASSED) => confirm_pass(transcript),
        Some(status::FAILED) => confirm_fail(transcript),
        Some(status::PANICKED) => Outcome::Contradicted(silent("the status says panic")),
        Some(status::FAULT) => Outcome::Contradicted(silent("the status says fault")),
        Some(status::BAD_INPUT) => Outcome::Contradicted(silent("the status says bad input")),
        Some(0) => Outcome::Reset,
        Some(other) => Outcome::EmulatorFailed(other),
        None => Outcome::Killed(status.signal().unwrap_or_default()),
    }
}

fn by_log(transcript: &Transcript) -> Outcome {
    match failures(transcript) {
        0 => confirm_pass(transcript),
        count => Outcome::Failed(count),
    }
}

fn confirm_pass(transcript: &Transcript) -> Outcome {
    let Some(end) = transcript.end() else {
        return Outcome::Contradicted("it ended as after a pass, but no `end` record came".into());
    };
    let failed = failures(transcript);
    if failed > 0 {
        let how = format!("the status says passed, but {failed} failed");
        return Outcome::Contradicted(how);
    }
    if end.passed == 0 && transcript.results() == 0 && !transcript.is_session {
        return Outcome::Contradicted("the status says passed, but nothing was measured".into());
    }
    match transcript.garbled.first() {
        Some((line, why)) => Outcome::Contradicted(format!("a record is garbled ({why}): {line}")),
        None => Outcome::Passed,
    }
}

fn confirm_fail(transcript: &Transcript) -> Outcome {
    match failures(transcript) {
        0 => Outcome::Contradicted("the status says failed, but the log names no failure".into()),
        count => Outcome::Failed(count),
    }
}

fn failures(transcript: &Transcript) -> u64 {
    let counted = transcript.end().map_or(0, |end| end.failed);
    let seen = transcript.verdicts().filter(|(_, verdict)| !verdict.pass).count();
    u64::from(counted).max(seen as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"Tacet 0.1.0
@tacet {"v":1,"name":"quick","kind":"end","passed":3,"failed":0}
"#;
    const POOR: &str = r#"Tacet 0.1.0
@tacet {"v":1,"name":"quick","kind":"end","passed":3,"failed":2}
"#;

    fn exit(code: i32) -> End {
        End::Exited(ExitStatus::from_raw(code << 8))
    }

    fn judged(end: End, log: &str) -> Outcome {
        let mut transcript = Transcript::default();
        transcript.feed(log.as_bytes());
        judge(end, &transcript, "")
    }

    #[test]
    fn log_and_status_that_agree_are_believed() {
        assert_eq!(judged(exit(33), GOOD), Outcome::Passed);
        assert_eq!(judged(exit(35), POOR), Outcome::Failed(2));
        assert_eq!(judged(exit(37), "PANIC: why\n"), Outcome::Panicked("why".into()));
        assert_eq!(judged(exit(39), "BAD INPUT: cpus=0\n"), Outcome::BadInput("cpus=0".into()));
        assert_eq!(judged(exit(41), "x\nFAULT: stack overflow\n"), Outcome::Faulted("stack overflow".into()));
    }

    #[test]
    fn a_pass_needs_more_than_the_status() {
        let empty = GOOD.replace('3', "0");
        let hidden = r#"@tacet {"v":1,"name":"x","kind":"verdict","pass":false,"why":""}"#;
        let garbled = format!("@tacet {{\"v\":1,\"ki\n{GOOD}");
        for log in ["Tacet\n", POOR, &empty, &format!("{hidden}\n{GOOD}"), &garbled] {
            assert_eq!(judged(exit(33), log).word(), "contradicted", "{log}");
        }
        for (code, log) in [(35, GOOD), (37, GOOD), (39, "Tacet\n"), (41, "Tacet\n")] {
            assert_eq!(judged(exit(code), log).word(), "contradicted", "{code}");
        }
    }

    #[test]
    fn a_session_may_run_nothing_but_ends_by_its_own_record() {
        let judged = |log: &str| {
            let mut transcript = Transcript::new(true);
            transcript.feed(log.as_bytes());
            judge(exit(33), &transcript, "")
        };
        let left = GOOD.replace("quick", "console").replace('3', "0");
        assert_eq!(judged(&left), Outcome::Passed);
        assert_eq!(judged(GOOD).word(), "contradicted");
    }

    #[test]
    fn rows_that_only_inform_pass() {
        let row = r#"@tacet {"v":1,"name":"x","kind":"count","unit":"interrupts","per_cpu":[0]}"#;
        assert_eq!(judged(exit(33), &format!("{row}\n{}", GOOD.replace('3', "0"))), Outcome::Passed);
    }

    #[test]
    fn what_the_guest_said_outranks_how_it_ended() {
        for end in [End::Lingered, End::Silent(Duration::from_secs(1)), exit(33), exit(0)] {
            assert_eq!(judged(end, "PANIC: why\n").word(), "panic");
        }
        assert_eq!(judged(End::Interrupted, "PANIC: why\n"), Outcome::Interrupted);
    }

    #[test]
    fn silence_death_and_resets_have_names() {
        let minute = Duration::from_mins(1);
        assert_eq!(judged(End::Silent(minute), "Tacet\n"), Outcome::Hung(minute));
        assert_eq!(judged(End::TimedOut(minute), "Tacet\n"), Outcome::TimedOut(minute));
        assert_eq!(judged(End::Exited(ExitStatus::from_raw(9)), "Tacet\n"), Outcome::Killed(9));
        assert_eq!(judged(exit(0), "Tacet\n"), Outcome::Reset);
        assert_eq!(judged(exit(1), "Tacet\n"), Outcome::EmulatorFailed(1));
        assert_eq!(judged(End::Lingered, GOOD).word(), "contradicted");
    }

    #[test]
    fn without_a_status_the_log_decides() {
        assert_eq!(judged(End::PoweredOff, GOOD), Outcome::Passed);
        assert_eq!(judged(End::PoweredOff, POOR), Outcome::Failed(2));
        assert_eq!(judged(End::PoweredOff, "PANIC: why\n"), Outcome::Panicked("why".into()));
        assert_eq!(judged(End::PoweredOff, "Tacet\n").word(), "contradicted");
    }

    #[test]
    fn a_blank_log_is_said_to_be_blank_unless_the_emulator_explains() {
        assert_eq!(judged(exit(0), "").word(), "never-printed");
        assert_eq!(judged(exit(1), "\r\n").word(), "never-printed");
        let refused = judge(exit(1), &Transcript::default(), "qemu: no such CPU");
        assert_eq!(refused, Outcome::EmulatorFailed(1));
    }

    #[test]
    fn only_a_pass_exits_with_zero() {
        let hung = Outcome::Hung(Duration::ZERO);
        for outcome in [Outcome::Failed(1), hung, Outcome::Reset, Outcome::Interrupted] {
            assert_ne!(outcome.status(), 0);
        }
        assert_eq!(Outcome::Passed.status(), 0);
    }
}
