//! What can be typed, and how it's understood.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use sched::policy::PolicyKind;
use sched::task::MAX_WEIGHT;

use crate::options::{Choice, Mistake, nearest};
use crate::os::NORMAL_WEIGHT;
use crate::suite::Selection;

/// An hour.
const LONGEST_WAIT: u32 = 3_600;

/// The commands: each with what it takes and what it does.
pub const HELP: &[(&str, &str)] = &[
    ("help", "this list"),
    ("top", "what each CPU and each thread did since the last `top`"),
    ("threads", "what each thread did since it began"),
    ("cpus", "what each CPU did since it started"),
    ("interrupts", "interrupts that each CPU took, by vector"),
    ("policy [NAME]", "which policy decides"),
    ("loop [WEIGHT]", "start a thread that wants a CPU for ever; 1024 is a normal weight"),
    ("weight ID WEIGHT", "change how much a thread counts"),
    ("pin ID CPU", "let a thread run on one CPU alone"),
    ("unpin ID", "let it run on all of them again"),
    ("stop ID", "end a loop"),
    ("suite ROWS", "run rows, as with the boot option: quick, full, groups or rows"),
    ("wait [SECONDS]", "take no command for so long, or until the suite has ended"),
    ("trace [on|off]", "whether the scheduler's decisions are kept"),
    ("quit", "power off, once a suite that runs has ended"),
];

/// What was typed, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "see `HELP`")]
pub enum Command {
    Nothing,
    Help,
    Top,
    Threads,
    Cpus,
    Interrupts,
    Policy(Option<PolicyKind>),
    Loop { weight: u32 },
    Weight { id: u32, weight: u32 },
    Pin { id: u32, cpu: u32 },
    Unpin { id: u32 },
    Stop { id: u32 },
    Suite(Selection),
    Wait(Option<u32>),
    Trace(Option<bool>),
    Quit,
}

impl Command {
    /// Reads a line.
    ///
    /// # Errors
    /// If it isn't understood; which names and CPUs there are isn't known here.
    pub fn parse(line: &str) -> Result<Self, Mistake> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((&name, rest)) = words.split_first() else { return Ok(Self::Nothing) };
        let Some((usage, _)) = HELP.iter().find(|(usage, _)| first(usage) == name) else {
            return Err(no_such_command(name));
        };
        let takes = usage.split_whitespace().skip(1);
        let required = takes.clone().filter(|word| !word.starts_with('[')).count();
        if rest.len() < required || rest.len() > takes.count() {
            let problem = if rest.len() < required { "something is missing" } else { "that is too much" };
            return Err(mistake(line, problem.into(), (*usage).into()));
        }
        Self::read(name, rest)
    }

    /// `rest` has as many words as the command takes.
    fn read(name: &str, rest: &[&str]) -> Result<Self, Mistake> {
        let word = |i: usize| rest.get(i).copied();
        let id = || number(name, "ID", rest[0], u32::MAX);
        let weight = |word| number(name, "WEIGHT", word, MAX_WEIGHT).and_then(not_zero(name));
        Ok(match name {
            "help" => Self::Help,
            "top" => Self::Top,
            "threads" => Self::Threads,
            "cpus" => Self::Cpus,
            "interrupts" => Self::Interrupts,
            "policy" => Self::Policy(word(0).map(|word| Choice::parse(name, word)).transpose()?),
            "loop" => Self::Loop { weight: word(0).map_or(Ok(NORMAL_WEIGHT), weight)? },
            "weight" => Self::Weight { id: id()?, weight: weight(rest[1])? },
            "pin" => Self::Pin { id: id()?, cpu: number(name, "CPU", rest[1], u32::MAX)? },
            "unpin" => Self::Unpin { id: id()? },
            "stop" => Self::Stop { id: id()? },
            "suite" => Self::Suite(Selection::parse(rest[0])?),
            "wait" => Self::Wait(word(0).map(|word| number(name, "number", word, LONGEST_WAIT)).transpose()?),
            "trace" => Self::Trace(word(0).map(|word| on_or_off(name, word)).transpose()?),
            _ => Self::Quit,
        })
    }
}

fn first(usage: &str) -> &str {
    usage.split_once(' ').map_or(usage, |(first, _)| first)
}

fn mistake(word: &str, problem: alloc::string::String, valid: alloc::string::String) -> Mistake {
    Mistake { word: word.trim().into(), problem, valid, nearest: None }
}

fn no_such_command(name: &str) -> Mistake {
    let names: Vec<&str> = HELP.iter().map(|(usage, _)| first(usage)).collect();
    let valid = names.join(", ");
    Mistake { nearest: nearest(name, &names), ..mistake(name, "there is no such command".into(), valid) }
}

fn number(name: &str, what: &str, word: &str, most: u32) -> Result<u32, Mistake> {
    let number = word.parse().ok().filter(|&number: &u32| number <= most);
    number.ok_or_else(|| {
        let valid = if most == u32::MAX { "a number".to_string() } else { format!("a number up to {most}") };
        mistake(&format!("{name} {word}"), format!("\"{word}\" is no {what}"), valid)
    })
}

fn not_zero(name: &str) -> impl Fn(u32) -> Result<u32, Mistake> {
    move |weight| {
        let zero =
            || mistake(&format!("{name} 0"), "a thread counts for something".into(), "1 or more".into());
        (weight > 0).then_some(weight).ok_or_else(zero)
    }
}

fn on_or_off(name: &str, word: &str) -> Result<bool, Mistake> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(mistake(&format!("{name} {word}"), format!("there is no \"{word}\""), "on, off".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;

    fn parse(line: &str) -> Command {
        Command::parse(line).unwrap()
    }

    fn complaint(line: &str) -> String {
        Command::parse(line).unwrap_err().to_string()
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(parse(" \t"), Command::Nothing);
        assert_eq!(parse("  top "), Command::Top);
        assert_eq!(parse("policy"), Command::Policy(None));
        assert_eq!(parse("policy stride"), Command::Policy(Some(PolicyKind::Stride)));
        assert_eq!(parse("loop"), Command::Loop { weight: NORMAL_WEIGHT });
        assert_eq!(parse("loop 2048"), Command::Loop { weight: 2048 });
        assert_eq!(parse("weight 7 512"), Command::Weight { id: 7, weight: 512 });
        assert_eq!(parse("pin 7 1"), Command::Pin { id: 7, cpu: 1 });
        assert_eq!(parse("unpin 7"), Command::Unpin { id: 7 });
        assert_eq!(parse("stop 7"), Command::Stop { id: 7 });
        assert_eq!(parse("suite yield,share"), Command::Suite(Selection::parse("yield,share").unwrap()));
        assert_eq!(parse("wait"), Command::Wait(None));
        assert_eq!(parse("wait 2"), Command::Wait(Some(2)));
        assert_eq!(parse("trace off"), Command::Trace(Some(false)));
        for (usage, _) in HELP.iter().filter(|(usage, _)| !usage.contains(' ')) {
            assert_ne!(parse(usage), Command::Nothing);
        }
        assert_eq!(parse("quit"), Command::Quit);
    }

    #[test]
    fn a_mistake_names_the_word_what_is_valid_and_what_was_meant() {
        assert!(complaint("tpo").starts_with("tpo: there is no such command. Valid: help, top, threads, "));
        assert!(complaint("thread").ends_with("Did you mean threads?"));
        assert_eq!(complaint("weight 7"), "weight 7: something is missing. Valid: weight ID WEIGHT.");
        assert_eq!(complaint("top 3"), "top 3: that is too much. Valid: top.");
        assert_eq!(complaint("stop all"), "stop all: \"all\" is no ID. Valid: a number.");
        assert_eq!(complaint("loop 0"), "loop 0: a thread counts for something. Valid: 1 or more.");
        assert_eq!(
            complaint("loop 4294967295"),
            format!("loop 4294967295: \"4294967295\" is no WEIGHT. Valid: a number up to {MAX_WEIGHT}.")
        );
        assert!(complaint("policy decoy").ends_with("Did you mean policy=decay?"));
        assert!(complaint("suite cots").ends_with("Did you mean suite=cost?"));
        assert_eq!(complaint("wait 3601"), "wait 3601: \"3601\" is no number. Valid: a number up to 3600.");
        assert_eq!(complaint("trace up"), "trace up: there is no \"up\". Valid: on, off.");
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_to_its_end(line in "[ -~]{0,120}") {
            let _ = Command::parse(&line);
        }

        #[test]
        fn so_is_whatever_follows_a_command(at in 0..HELP.len(), rest in "( [0-9a-z,/]{0,5}){0,3}") {
            let _ = Command::parse(&format!("{}{rest}", first(HELP[at].0)));
        }
    }
}
