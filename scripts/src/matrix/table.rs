//! The matrix as Markdown.

use std::fmt::Write;
use std::time::SystemTime;

use super::{Came, Tried};
use crate::bochs::Bochs;
use crate::place;

const HEAD: &str = "# Every machine

What `cargo xtask matrix` found: each row is a machine, and how long the kernel took to boot on it and pass a short suite. A machine that
it can't run on, or an option that the machine can't fulfil, must be refused with a clear message. `scripts/matrix.toml` is the list.";

/// All groups, under a line that tells when and what was tried.
pub fn markdown(groups: &[Tried]) -> String {
    let mut text = format!("{HEAD}\n\n{}\n", provenance(groups));
    for group in groups {
        let _ = write!(text, "\n## {}\n\n{}", group.title, rows(group));
    }
    text
}

fn provenance(groups: &[Tried]) -> String {
    let today = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let commit = place::commit().unwrap_or_else(|| "unknown".into());
    let all = || groups.iter().flat_map(|group| group.rows.iter().flat_map(|(_, came)| came));
    let (tried, wrong) =
        (all().filter(|came| !matches!(came, Came::Skipped(_))).count(), groups.iter().map(Tried::wrong));
    format!(
        "Tried on {}, commit {commit}, under emulation on a host of {} CPUs: {tried} boots, {} not as they should be.",
        &today[..10],
        std::thread::available_parallelism().map_or(1, usize::from),
        wrong.sum::<usize>(),
    )
}

fn rows(group: &Tried) -> String {
    let emulators: Vec<String> = group.emulators.iter().map(|name| versioned(name)).collect();
    let mut text = format!("| machine | `cargo xtask run` | {} |\n", emulators.join(" | "));
    let _ = writeln!(text, "| --- | --- |{}", " --- |".repeat(emulators.len()));
    for (cell, came) in &group.rows {
        let came: Vec<String> = came.iter().map(|came| came.text(&cell.outcome)).collect();
        let _ = writeln!(text, "| {} | `{}` | {} |", cell.what, cell.run, came.join(" | "));
    }
    text
}

/// Bochs is asked for its version only where it was used.
fn versioned(name: &str) -> String {
    match (name, Bochs::find()) {
        ("Bochs", Ok(bochs)) => format!("Bochs {}", bochs.version),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell;
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_row_has_a_result_for_each_emulator() {
        let cell = cell::read().unwrap()[0].cell[0].clone();
        let came = vec![Came::Fine(Duration::from_millis(2_140)), Came::Wrong("a panic".into())];
        let group = Tried {
            title: "CPUs".into(),
            emulators: vec!["QEMU 7.2".into(), "QEMU 10.0".into()],
            rows: vec![(cell, came)],
        };
        let text = markdown(&[group]);
        assert!(text.contains("2 boots, 1 not as they should be"), "{text}");
        assert!(
            text.contains("\n## CPUs\n\n| machine | `cargo xtask run` | QEMU 7.2 | QEMU 10.0 |\n"),
            "{text}"
        );
        assert!(text.contains("| passes, 2.1 s | **WRONG**: a panic |\n"), "{text}");
    }
}
