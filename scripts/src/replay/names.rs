//! The names of places: `tasks[7].virtual_time` rather than a number.
//!
//! They are read off the `Debug` text of the scheduler's shared memory, in which each atomic shows its place:
//! so a field that is added has its name at once.

use taped::Shared;

/// The name of the place `at`.
pub fn name(shared: &Shared, at: u32) -> String {
    find(&format!("{shared:?}"), at).unwrap_or_else(|| format!("place {at}"))
}

/// What surrounds a place: a struct, at the field of this name; a list, at this element; or a tuple.
enum Within<'a> {
    Field(&'a str),
    Element(usize),
    Tuple,
}

fn find(text: &str, at: u32) -> Option<String> {
    let wanted = format!("@{at}");
    let mut around: Vec<Within<'_>> = Vec::new();
    let mut word = 0;
    for (index, letter) in text.char_indices() {
        let last = &text[word..index];
        match letter {
            '{' => around.push(Within::Field("")),
            '[' => around.push(Within::Element(0)),
            '(' => around.push(Within::Tuple),
            ':' => around.pop().into_iter().for_each(|_| around.push(Within::Field(last))),
            ',' | '}' | ']' | ')' | ' ' if last == wanted => return Some(path(&around)),
            '}' | ']' | ')' => drop(around.pop()),
            ',' => {
                if let Some(Within::Element(number)) = around.last_mut() {
                    *number += 1;
                }
            }
            _ if letter.is_alphanumeric() || "_@".contains(letter) => continue,
            _ => {}
        }
        word = index + letter.len_utf8();
    }
    None
}

/// As Rust would write it, without the wrappers that every field has.
fn path(around: &[Within<'_>]) -> String {
    let mut path = String::new();
    for within in around {
        match within {
            Within::Field("value") | Within::Tuple => {}
            Within::Field(name) if path.is_empty() => path.push_str(name),
            Within::Field(name) => path.extend([".", name]),
            Within::Element(number) => path.extend(["[", &number.to_string(), "]"]),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::witness::numbered;
    use super::*;
    use taped::Config;

    #[test]
    fn places_are_called_as_the_source_calls_them() {
        let (shared, places) = numbered(|| Shared::new(2, 3, Config::default()));
        let names: Vec<String> = (0..places).map(|at| name(&shared, at)).collect();
        for expected in ["tasks[0].state", "tasks[4].virtual_time", "mailboxes[1].load.weight", "idle.top"] {
            assert_eq!(names.iter().filter(|name| *name == expected).count(), 1, "{expected} in {names:?}");
        }
        assert!(names.contains(&"mailboxes[1].inboxes[0]".into()), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("place")), "{names:?}");
        assert_eq!(name(&shared, places), format!("place {places}"));
    }
}
