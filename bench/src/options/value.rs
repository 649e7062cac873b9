//! The values of the command line: names, numbers, durations.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::KEYS;
use super::mistake::{self, Mistake};

/// A value that is one of a few names.
pub trait Choice: Copy + PartialEq + 'static {
    /// The names, and what they stand for.
    const NAMES: &'static [(&'static str, Self)];

    /// The choice named `value`, the value of `key`.
    ///
    /// # Errors
    /// When there is none.
    fn parse(key: &str, value: &str) -> Result<Self, Mistake> {
        let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
        let name = one_of(key, value, &names)?;
        let chosen = Self::NAMES.iter().find(|(known, _)| *known == name);
        Ok(chosen.unwrap_or(&Self::NAMES[0]).1)
    }

    /// The name of this choice.
    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, choice)| *choice == self).map_or("", |(name, _)| name)
    }
}

/// `value`, if it is one of `names`.
pub fn one_of<'a>(key: &str, value: &str, names: &[&'a str]) -> Result<&'a str, Mistake> {
    let found = names.iter().find(|name| **name == value);
    found
        .copied()
        .ok_or_else(|| mistake::no_such_name(key, value, &format!("there is no {key} \"{value}\""), names))
}

/// A whole number in `range`, decimal or with `0x`.
pub fn integer(key: &str, value: &str, range: RangeInclusive<u64>) -> Result<u64, Mistake> {
    let number = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.parse(),
    };
    match number {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) => Err(mistake::bad_value(key, value, "out of range", valid_values(key))),
        Err(_) => Err(mistake::bad_value(key, value, "not a whole number", valid_values(key))),
    }
}

/// A duration in ns, of the form `1.5ms`.
pub fn duration(key: &str, value: &str) -> Result<u64, Mistake> {
    let bad = |problem| Err(mistake::bad_value(key, value, problem, valid_values(key)));
    let split = value.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(value.len());
    let (digits, unit) = value.split_at(split);
    let scale: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "" => return bad("a duration needs a unit: ns, us, ms or s"),
        _ => return bad("not a duration: a number and ns, us, ms or s"),
    };
    match decimal(digits, scale) {
        Some(ns) => Ok(ns),
        None => bad("not a duration: a number and ns, us, ms or s"),
    }
}

/// `digits` times `scale`, a power of ten; `None` when `digits` is no decimal number, or too large. What is smaller
/// than 1 is cut off.
fn decimal(digits: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let mut total = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut place = scale;
    if fraction.is_empty() {
        return None;
    }
    for digit in fraction.chars() {
        place /= 10;
        total = total.checked_add(u64::from(digit.to_digit(10)?) * place)?;
    }
    Some(total)
}

fn valid_values(key: &str) -> String {
    let found = KEYS.iter().find(|(name, _)| *name == key);
    found.map_or_else(String::new, |(_, valid)| format!("{key}: {valid}"))
}
