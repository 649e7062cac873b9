//! Splits a command line into words, as a shell would: blanks separate, quotes join and vanish.

use alloc::string::String;
use alloc::vec::Vec;

use super::mistake::{self, Mistake};

/// The words of `line`, without their quotes.
///
/// # Errors
/// When a quote is never closed.
pub fn words(line: &str) -> Result<Vec<String>, Mistake> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, _) if letter.is_whitespace() || letter == '\0' => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(mistake::open_quote(&word.unwrap_or_default()));
    }
    words.extend(word);
    Ok(words)
}
