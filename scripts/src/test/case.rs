//! A boot test is a file: how to boot, what must become of it, and what the log must look like.
//!
//! It opens with comment lines. Those that start with `#!` are read:
//!
//! ```text
//! #! run --smp 4 --cpu max,-x2apic -- suite=yield     arguments of `cargo xtask run`
//! #! outcome passed                                   as `Outcome::word` has them
//! #! needs x2apic                                     skipped where there is none
//! #! repeats 1                                        a second run's medians within 1 per cent
//! #! qmp after 'planted': inject-nmi; hold 1 1s       done from outside when a line has that text, see `guest::outside`
//! #! input top                                        what is typed when the guest asks for a command; a line each
//! #! replays 1000                                     what `--record` kept plays back, so many decisions at least
//! ```
//!
//! The rest is a pattern for the log.

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;

use super::need::Need;
use crate::guest::Cue;
use crate::run::Run;

/// Boot tests emulate, wherever they run, and never for long.
const DEFAULTS: &str = "run --accel tcg --timeout 150s --silence 60s";

/// One boot test.
#[derive(Debug)]
pub struct Case {
    /// How to boot.
    pub run: Run,
    /// What must become of it.
    pub outcome: String,
    /// What the host must have.
    pub needs: Vec<Need>,
    /// By how many per cent a second run's medians may differ; `None`: there is no second run.
    pub repeats: Option<f64>,
    /// How many decisions must be the same in a replay; `None`: there is none.
    pub replays: Option<u64>,
    /// What the log must look like.
    pub pattern: String,
}

#[derive(Parser)]
#[command(args_override_self = true)]
struct Line {
    #[command(flatten)]
    run: Run,
}

impl Case {
    /// Reads a test file.
    ///
    /// # Errors
    /// A directive is unknown, wrong or missing, or there is no pattern.
    pub fn parse(text: &str) -> Result<Self> {
        let body = text.lines().take_while(|line| line.starts_with('#')).count();
        let mut lines = text.lines();
        let mut directives = Directives::default();
        for line in lines.by_ref().take(body) {
            if let Some(directive) = line.strip_prefix("#!") {
                directives.read(directive.trim())?;
            }
        }
        let pattern = lines.collect::<Vec<_>>().join("\n");
        ensure!(!pattern.trim().is_empty(), "there is no pattern");
        let mut run = directives.run.context("no `#! run` line")?;
        run.cues = directives.cues;
        run.script = directives.script;
        ensure!(run.script.is_some() == run.has_console(), "`#! input` belongs to a run with console=on");
        ensure!(directives.replays.is_none() || run.records(), "`#! replays` needs a run with `--record`");
        Ok(Self {
            run,
            outcome: directives.outcome.context("no `#! outcome` line")?,
            needs: directives.needs,
            repeats: directives.repeats,
            replays: directives.replays,
            pattern,
        })
    }
}

#[derive(Default)]
struct Directives {
    run: Option<Run>,
    outcome: Option<String>,
    needs: Vec<Need>,
    repeats: Option<f64>,
    replays: Option<u64>,
    cues: Vec<Cue>,
    script: Option<Vec<String>>,
}

impl Directives {
    fn read(&mut self, line: &str) -> Result<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "run" => self.run = Some(arguments(rest)?),
            "outcome" => self.outcome = Some(rest.to_owned()),
            "needs" => self.needs.push(Need::parse(rest)?),
            "repeats" => self.repeats = Some(rest.parse().context("`#! repeats` takes per cent")?),
            "input" => self.script.get_or_insert_default().push(rest.to_owned()),
            "replays" => self.replays = Some(rest.parse().context("`#! replays` takes a number")?),
            "qmp" => self.cues.push(Cue::parse(rest)?),
            _ => bail!("unknown directive `#! {word}`"),
        }
        Ok(())
    }
}

/// Reads the arguments of a run, beside what holds for every boot test.
///
/// # Errors
/// They are none.
pub fn arguments(line: &str) -> Result<Run> {
    let words = shlex::split(line).context("unbalanced quotes")?;
    let defaults = DEFAULTS.split_whitespace().map(str::to_owned);
    Ok(Line::try_parse_from(defaults.chain(words))?.run)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
# A comment.
#! run --smp 2 --cpu max,-x2apic -- suite=yield plant='a b'
#! outcome passed
#! needs x2apic
#! repeats 1.5
#! qmp after 'planted': stop; wait 1s; cont
Tacet [..]
# not a comment any more
...
";

    #[test]
    fn a_file_is_a_run_an_outcome_and_a_pattern() {
        let case = Case::parse(GOOD).unwrap();
        assert_eq!((case.run.machine.smp, &*case.run.machine.cpu), (2, "max,-x2apic"));
        assert_eq!(case.run.options, ["suite=yield", "plant=a b"]);
        assert_eq!((&*case.outcome, case.needs, case.repeats), ("passed", vec![Need::X2apic], Some(1.5)));
        assert_eq!((case.run.cues.len(), case.run.cues[0].acts.len()), (1, 3));
        assert_eq!(case.pattern, "Tacet [..]\n# not a comment any more\n...");
    }

    #[test]
    fn defaults_may_be_overridden() {
        assert!(Case::parse(&GOOD.replace("--smp 2", "--timeout 5s --accel auto")).is_ok());
    }

    #[test]
    fn what_is_replayed_is_recorded() {
        let case =
            Case::parse(&GOOD.replace("--smp 2", "--record").replace("repeats 1.5", "replays 9")).unwrap();
        assert_eq!((case.run.records(), case.replays), (true, Some(9)));
    }

    #[test]
    fn what_is_typed_goes_to_a_console() {
        let typed = GOOD.replace("#! repeats 1.5", "#! input help\n#! input  top");
        let case = Case::parse(&typed.replace("suite=yield plant='a b'", "console=on")).unwrap();
        assert_eq!(case.run.script.as_deref(), Some(&["help".to_owned(), " top".to_owned()][..]));
        assert!(Case::parse(&typed).is_err());
        assert!(Case::parse(&GOOD.replace("suite=yield plant='a b'", "console=on")).is_err());
    }

    #[test]
    fn mistakes_are_errors() {
        for (from, to) in [
            ("#! outcome passed\n", ""),
            ("#! run", "#! walk"),
            ("--smp 2", "--smp 0"),
            ("needs x2apic", "needs luck"),
            ("repeats 1.5", "repeats often"),
            ("after 'planted'", "whenever"),
            ("repeats 1.5", "replays 1"),
            ("Tacet [..]\n# not a comment any more\n...\n", ""),
        ] {
            assert!(Case::parse(&GOOD.replace(from, to)).is_err(), "{to}");
        }
    }
}
