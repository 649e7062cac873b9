//! Whether a MADT can be walked safely.

/// Bytes before the first entry (ACPI 6.5, table 5.19).
const FIXED_BYTES: usize = 44;

/// Whether every entry of the table lies within it and has the size that its type calls for.
///
/// The `acpi` crate steps by the entries' own lengths: one of 0 would hold it for ever, and one that is
/// too long would lead it out of the table.
pub(super) fn is_sound(table: &[u8]) -> bool {
    let Some(mut entries) = table.get(FIXED_BYTES..) else {
        return false;
    };
    while let [kind, length, ..] = *entries {
        match entries.split_at_checked(usize::from(length)) {
            Some((_, rest)) if length >= least_bytes(kind) => entries = rest,
            _ => return false,
        }
    }
    entries.is_empty()
}

/// The size of each entry that `Acpi` reads, and of a header for the others.
const fn least_bytes(kind: u8) -> u8 {
    match kind {
        0 => 8,
        1 | 5 => 12,
        2 => 10,
        9 => 16,
        _ => 2,
    }
}
