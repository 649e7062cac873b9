//! Faults that needn't be listed: every memory ordering stronger than Relaxed, weakened, and every fence, removed.
//!
//! They are found in the source, so that nobody adds an ordering without its fault. The list only says which checks watch each
//! file, and which weakenings no check can see:
//!
//! ```toml
//! roots = ["sched/src/lib.rs"]
//! quick = ["attention/read/no-fence"]
//!
//! [checks]
//! "sched/src/state.rs" = ["loom:state", "loom"]
//!
//! [survivors]
//! "state/claim/acqrel-to-acquire" = "the reason"
//! ```
//!
//! A name is the file without its root, the function, and the change; a number follows where that says too little.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use proc_macro2::{TokenStream, TokenTree};
use serde::Deserialize;
use syn::visit::{self, Visit};

use super::check::Check;
use super::mutant::{Edit, Mutant};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Crate roots: their modules are looked through, tests excepted.
    roots: Vec<PathBuf>,
    quick: HashSet<String>,
    checks: HashMap<PathBuf, Vec<Check>>,
    survivors: BTreeMap<String, String>,
}

/// Reads the list's file about orderings and finds the faults.
///
/// # Errors
/// A file can't be read or isn't Rust, or the list names what isn't there.
pub fn read(text: &str, root: &Path) -> Result<Vec<Result<Mutant>>> {
    let mut list: File = toml::from_str(text)?;
    let mut found = Vec::new();
    for crate_root in std::mem::take(&mut list.roots) {
        let home = crate_root.parent().context("a root is a file")?;
        let mut names = HashMap::new();
        for file in sources(root, &crate_root)? {
            let source = fs::read_to_string(root.join(&file))?;
            let area = file.strip_prefix(home)?.with_extension("");
            let area = area.to_string_lossy().trim_end_matches("/mod").to_owned();
            let faults = weakenings(&source).with_context(|| format!("cannot read {}", file.display()))?;
            found.extend(faults.into_iter().map(|fault| list.mutant(&file, &area, &fault, &mut names)));
        }
    }
    let unknown = list.survivors.into_keys().chain(list.quick);
    found.extend(unknown.map(|name| Err(anyhow!("{name}: there is no such ordering any more"))));
    Ok(found)
}

impl File {
    /// The fault with what the list says about it, which is then used up.
    fn mutant(
        &mut self,
        file: &Path,
        area: &str,
        fault: &Weakening,
        names: &mut HashMap<String, usize>,
    ) -> Result<Mutant> {
        let mut name = format!("{area}/{}/{}", fault.function, fault.change.name());
        let count = names.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            name = format!("{name}-{count}");
        }
        let checks = self.checks.get(file).cloned().with_context(|| {
            format!(
                "{name}: {} has memory orderings, and `checks` doesn't say what watches them",
                file.display()
            )
        })?;
        Ok(Mutant {
            why: fault.change.why(),
            survives: self.survivors.remove(&name),
            quick: self.quick.remove(&name),
            name,
            file: file.to_owned(),
            edit: Edit { range: fault.range.clone(), text: fault.change.text() },
            checks,
        })
    }
}

/// What is done to an ordering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// The fence goes.
    NoFence,
    /// One ordering becomes a weaker one.
    Weaker(&'static str, &'static str),
}

impl Change {
    fn name(self) -> String {
        match self {
            Self::NoFence => "no-fence".to_owned(),
            Self::Weaker(from, to) => format!("{from}-to-{to}").to_lowercase(),
        }
    }

    fn why(self) -> String {
        match self {
            Self::NoFence => "the fence is removed".to_owned(),
            Self::Weaker(from, to) => format!("{from} is weakened to {to}"),
        }
    }

    fn text(self) -> String {
        match self {
            Self::NoFence => "()".to_owned(),
            Self::Weaker(_, to) => to.to_owned(),
        }
    }
}

/// One fault in a file.
#[derive(Debug, PartialEq, Eq)]
struct Weakening {
    function: String,
    range: Range<usize>,
    change: Change,
}

/// Whether this is the name of an ordering stronger than Relaxed.
fn is_strong(word: &str) -> bool {
    ["Acquire", "Release", "AcqRel", "SeqCst"].contains(&word)
}

/// What an ordering can be weakened to, given the call whose argument it is.
fn weaker(ordering: &str, call: &str) -> &'static [(&'static str, &'static str)] {
    match (ordering, call) {
        // There's no relaxed fence; that it's missing is another fault.
        ("Acquire" | "Release", "fence") => &[],
        ("Acquire", _) => &[("Acquire", "Relaxed")],
        ("Release", _) => &[("Release", "Relaxed")],
        ("AcqRel", _) => &[("AcqRel", "Acquire"), ("AcqRel", "Release")],
        ("SeqCst", "load") => &[("SeqCst", "Acquire")],
        ("SeqCst", "store") => &[("SeqCst", "Release")],
        ("SeqCst", _) => &[("SeqCst", "AcqRel")],
        _ => &[],
    }
}

/// The faults of a file, in its order.
fn weakenings(source: &str) -> Result<Vec<Weakening>> {
    let file = syn::parse_file(source)?;
    let mut finder = Finder { source, ..Finder::default() };
    finder.visit_file(&file);
    let missed = strong_words(source) - finder.seen - finder.skipped;
    ensure!(missed == 0, "{missed} orderings are where they aren't looked for: in a macro?");
    Ok(finder.found)
}

#[derive(Default)]
struct Finder<'s> {
    source: &'s str,
    function: String,
    /// The name of the call that is looked at.
    call: String,
    found: Vec<Weakening>,
    /// How many strong orderings were found, and how many were left out with test code.
    seen: usize,
    skipped: usize,
}

impl Finder<'_> {
    fn add(&mut self, range: Range<usize>, change: Change) {
        self.found.push(Weakening { function: self.function.clone(), range, change });
    }

    fn in_function(&mut self, name: &syn::Ident, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.function, name.to_string());
        visit(self);
        self.function = outer;
    }

    fn in_call(&mut self, name: &syn::Ident, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.call, name.to_string());
        visit(self);
        self.call = outer;
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        match &module.content {
            Some((braces, _)) if is_test(&module.attrs) => {
                let inside = braces.span.open().byte_range().end..braces.span.close().byte_range().start;
                self.skipped += strong_words(&self.source[inside]);
            }
            _ => visit::visit_item_mod(self, module),
        }
    }

    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.in_function(&function.sig.ident, |this| visit::visit_item_fn(this, function));
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.in_function(&function.sig.ident, |this| visit::visit_impl_item_fn(this, function));
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        self.in_call(&call.method, |this| visit::visit_expr_method_call(this, call));
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        let syn::Expr::Path(callee) = &*call.func else { return visit::visit_expr_call(self, call) };
        let segments = &callee.path.segments;
        let (Some(first), Some(name)) = (segments.first(), segments.last()) else { return };
        if name.ident == "fence" {
            let end = call.paren_token.span.close().byte_range().end;
            self.add(first.ident.span().byte_range().start..end, Change::NoFence);
        }
        self.in_call(&name.ident, |this| visit::visit_expr_call(this, call));
    }

    fn visit_expr_path(&mut self, path: &'a syn::ExprPath) {
        let Some(last) = path.path.segments.last() else { return };
        let ordering = last.ident.to_string();
        self.seen += usize::from(is_strong(&ordering));
        for &(from, to) in weaker(&ordering, &self.call) {
            self.add(last.ident.span().byte_range(), Change::Weaker(from, to));
        }
    }
}

/// How many strong orderings there are, macros' included.
fn strong_words(source: &str) -> usize {
    // It was parsed before.
    source.parse().map_or(0, count_strong)
}

fn count_strong(tokens: TokenStream) -> usize {
    let count = |token| match token {
        TokenTree::Group(group) => count_strong(group.stream()),
        TokenTree::Ident(word) => usize::from(is_strong(&word.to_string())),
        _ => 0,
    };
    tokens.into_iter().map(count).sum()
}

/// Whether the item is only there in tests.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            list.tokens.to_string().split(|letter: char| !letter.is_alphanumeric()).any(|word| word == "test")
        }
        _ => false,
    })
}

/// The files of a crate's modules, tests excepted, from the root on.
fn sources(root: &Path, file: &Path) -> Result<Vec<PathBuf>> {
    let text =
        fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {}", file.display()))?;
    let parsed = syn::parse_file(&text).with_context(|| format!("cannot read {}", file.display()))?;
    let is_root = ["lib.rs", "main.rs", "mod.rs"].iter().any(|name| file.ends_with(name));
    let below = if is_root { file.parent().unwrap_or(file).to_owned() } else { file.with_extension("") };
    let mut files = vec![file.to_owned()];
    for item in parsed.items {
        if let syn::Item::Mod(module) = item
            && module.content.is_none()
            && !is_test(&module.attrs)
        {
            let plain = below.join(format!("{}.rs", module.ident));
            let nested = below.join(module.ident.to_string()).join("mod.rs");
            files.extend(sources(root, if root.join(&plain).exists() { &plain } else { &nested })?);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
        impl Word {
            fn take(&self) -> u64 {
                fence(Ordering::SeqCst);
                fence(Ordering::Release);
                match self.0.compare_exchange(1, 2, AcqRel, Ordering::Relaxed) {
                    Ok(_) => self.0.load(Ordering::SeqCst),
                    Err(_) => self.0.load(atomic::Ordering::Acquire),
                }
            }
        }
        #[cfg(all(test, not(loom)))]
        mod tests {
            fn untouched() { X.store(1, Ordering::Release) }
        }
    ";

    #[test]
    fn every_ordering_outside_of_tests_is_weakened_in_every_way() {
        let found = weakenings(SOURCE).unwrap();
        let names: Vec<String> = found.iter().map(|fault| fault.change.name()).collect();
        let expected = [
            "no-fence",
            "seqcst-to-acqrel",
            "no-fence",
            "acqrel-to-acquire",
            "acqrel-to-release",
            "seqcst-to-acquire",
            "acquire-to-relaxed",
        ];
        assert_eq!(names, expected);
        assert!(found.iter().all(|fault| fault.function == "take"));
        let replaced: Vec<&str> = found.iter().map(|fault| &SOURCE[fault.range.clone()]).collect();
        assert_eq!(replaced[..2], ["fence(Ordering::SeqCst)", "SeqCst"]);
        assert_eq!(replaced[2..], ["fence(Ordering::Release)", "AcqRel", "AcqRel", "SeqCst", "Acquire"]);
    }

    #[test]
    fn an_ordering_in_a_macro_is_an_error() {
        assert!(weakenings("fn f() { assert!(X.load(Ordering::Acquire)); }").is_err());
        assert!(weakenings("fn f() { assert!(X.load(Ordering::Relaxed)); }").is_ok());
    }

    #[test]
    fn every_ordering_of_the_scheduler_has_its_faults() {
        let root = crate::place::root();
        let files = sources(root, Path::new("sched/src/lib.rs")).unwrap();
        assert!(
            files.contains(&"sched/src/cpu/idle.rs".into())
                && !files.contains(&"sched/src/models/mod.rs".into())
        );
        let text = fs::read_to_string(root.join("scripts/mutants/orderings.toml")).unwrap();
        for found in read(&text, root).unwrap() {
            found.unwrap();
        }
    }
}
