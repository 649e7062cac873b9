//! Finding a piece of source text, whatever its indentation and line breaks are by now.

use std::ops::Range;

/// Every place where the words of `wanted` stand in `source`, in order and with any white space between them.
pub fn find(source: &str, wanted: &str) -> Vec<Range<usize>> {
    let words: Vec<&str> = wanted.split_whitespace().collect();
    let Some((first, rest)) = words.split_first() else { return Vec::new() };
    let starts = source.match_indices(first).map(|(start, _)| start);
    starts.filter_map(|start| Some(start..end(source, start + first.len(), rest)?)).collect()
}

/// Where the last of `words` ends, if they follow one another from `at` on.
fn end(source: &str, mut at: usize, words: &[&str]) -> Option<usize> {
    for word in words {
        let rest = &source[at..];
        let trimmed = rest.trim_start();
        if trimmed.len() == rest.len() || !trimmed.starts_with(word) {
            return None;
        }
        at = source.len() - trimmed.len() + word.len();
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_may_differ_but_must_be_there() {
        let source = "if a {\n        go();\n    }\nif a { go(); }";
        assert_eq!(find(source, "if a { go(); }"), [0..26, 27..41]);
        assert!(find(source, "if a {go(); }").is_empty());
        assert!(find(source, "ifa").is_empty());
        assert!(find(source, " ").is_empty());
    }
}
