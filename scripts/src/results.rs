//! Result files: the records of a run, in order, in one JSON array with one record a line.

use std::path::Path;

use anyhow::{Context, Result};
use bench::record::Record;

/// Writes `records` to `path`.
pub fn write(path: &Path, records: &[Record]) -> Result<()> {
    let lines: Vec<String> = records.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    std::fs::write(path, format!("[\n{}\n]\n", lines.join(",\n")))
        .with_context(|| format!("cannot write the results to {}", path.display()))
}

/// Reads what [`write`] wrote.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{name} is no result file: an array of records is expected"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench::record::{Body, End, Env};

    #[test]
    fn what_is_written_is_read_again_in_order() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let records = [
            Record::new("quick", Body::Env(Env { cpus: 4, ..Env::default() })),
            Record::new("quick", Body::End(End { passed: 1, failed: 0 })),
        ];
        for records in [&records[..], &[]] {
            write(file.path(), records).unwrap();
            assert_eq!(read(file.path()).unwrap(), records);
        }
    }

    #[test]
    fn other_files_are_named_in_the_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{}").unwrap();
        assert!(read(file.path()).unwrap_err().to_string().contains("is no result file"));
    }
}
