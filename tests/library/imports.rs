//! Which module imports which: nothing in a circle, and nothing from above.
//!
//! The sources are read as text: `use` declarations and paths that begin with `crate`, `self`, `super` or `afterimage`,
//! outside of comments, strings and `#[cfg(test)]`. A name that a module passes on counts as an import of where it is from.
//!
//! The rule: the children of every module, each with all that is below it, can be put in an order in which each imports
//! only from those before it. So no two files import each other, by however many steps, and no two folders, by whichever
//! of their files. What a module and those below it take from one another does not count: it declares them and passes on
//! their names, and they use its types. [`ORDERS`] has the orders that are meant, from the bottom up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const ORDERS: &[(&str, &str)] = &[
    (
        "crate",
        "atomic_write read_file causes clock names model picture job config model_file backend trainer tune environment report run render compress export compare rates collect bench \
         output cli main",
    ),
    ("crate::backend", "tuned memory cpu gpu on_gpu no_gpu select open_predictor networks"),
    ("crate::backend::gpu", "device kernel plan ops execute prove tune fallback"),
];

/// Names from `crate` on.
pub(crate) type Module = Vec<String>;

/// Modules with their text.
pub(crate) type Sources = BTreeMap<Module, String>;

pub(crate) fn module(path: &str) -> Module {
    path.split("::").map(str::to_owned).collect()
}

/// Every file below `folder`, which is `module`.
pub(crate) fn read(folder: &Path, module: &Module, sources: &mut Sources) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8").to_owned();
        let own = || module.iter().cloned().chain([stem.clone()]).collect();
        if path.is_dir() {
            read(&path, &own(), sources);
        } else if stem != "tests" && path.extension() == Some("rs".as_ref()) {
            let module = if ["lib", "mod"].contains(&stem.as_str()) { module.clone() } else { own() };
            sources.insert(module, code(&std::fs::read_to_string(&path).expect("a source")));
        }
    }
}

/// `text` without comments, strings and tests.
pub(crate) fn code(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let escaped = |quote| {
            let mut is_escaped = false;
            let is_end = |(_, c): &(usize, char)| {
                let is_end = *c == quote && !is_escaped;
                is_escaped = *c == '\\' && !is_escaped;
                is_end
            };
            rest.char_indices().skip(1).find(is_end).map_or(rest.len(), |(end, _)| end + 1)
        };
        let raw =
            rest.strip_prefix('r').map(|raw| raw.trim_start_matches('#')).filter(|raw| raw.starts_with('"'));
        let length = match (first, raw) {
            (_, Some(raw)) if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                let n_hashes = rest.len() - raw.len() - 1;
                let end = format!("\"{}", "#".repeat(n_hashes));
                let begin = n_hashes + 2;
                rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
            }
            ('/', _) if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            ('"', _) => escaped('"'),
            // Not a lifetime.
            ('\'', _) if rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'') => escaped('\''),
            _ => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        code.push(' ');
        rest = &rest[length..];
    }
    while let Some(begin) = code.find("#[cfg(test)]") {
        let (mut depth, mut end) = (0, code.len());
        for (at, c) in code[begin..].char_indices() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if depth == 0 && (c == '}' || c == ';') {
                end = begin + at + 1;
                break;
            }
        }
        code.replace_range(begin..end, "");
    }
    code
}

/// The paths of the tree that `text` begins with, and what they are called.
fn tree(text: &str) -> Vec<(Module, String)> {
    let (mut leaves, mut rest) = (Vec::new(), text);
    branch(&mut rest, &Vec::new(), &mut leaves);
    leaves
}

fn word<'a>(rest: &mut &'a str) -> &'a str {
    *rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    *rest = behind.trim_start();
    word
}

fn branch(rest: &mut &str, before: &Module, leaves: &mut Vec<(Module, String)>) {
    let mut path = before.clone();
    loop {
        if let Some(list) = rest.trim_start().strip_prefix('{') {
            *rest = list;
            while !rest.trim_start().is_empty() && !rest.trim_start().starts_with('}') {
                let length = rest.len();
                branch(rest, &path, leaves);
                *rest = rest.trim_start().trim_start_matches(',');
                assert!(rest.len() < length, "a list that is none: {rest}");
            }
            *rest = rest.trim_start().strip_prefix('}').unwrap_or(rest);
            return;
        }
        match word(rest) {
            "" => *rest = rest.strip_prefix('*').unwrap_or(rest),
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        match rest.strip_prefix("::") {
            Some(behind) => *rest = behind,
            None => break,
        }
    }
    let mut name = path.last().cloned().unwrap_or_default();
    if let Some(alias) = rest.strip_prefix("as ") {
        *rest = alias;
        name = word(rest).to_owned();
    }
    leaves.push((path, name));
}

/// What each module's `use` declarations call what.
fn names(sources: &Sources) -> BTreeMap<(Module, String), Module> {
    let mut names = BTreeMap::new();
    for (module, text) in sources {
        for (at, _) in text.match_indices("use ") {
            if !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                for (path, name) in tree(&text[at + 4..]) {
                    names.insert((module.clone(), name), path);
                }
            }
        }
    }
    names
}

/// Which module has what is called `path` in `module`; none where it is another crate's.
fn origin(
    sources: &Sources,
    names: &BTreeMap<(Module, String), Module>,
    (module, path): (&Module, &[String]),
    depth: usize,
) -> Option<Module> {
    let mut found = match path.first()?.as_str() {
        "crate" | "afterimage" => vec!["crate".to_owned()],
        "self" => module.clone(),
        "super" => module[..module.len() - 1].to_vec(),
        child => {
            let own: Module = module.iter().cloned().chain([child.to_owned()]).collect();
            sources.contains_key(&own).then_some(own)?
        }
    };
    for (at, name) in path.iter().enumerate().skip(1) {
        if name == "super" {
            found.pop();
            continue;
        }
        let child: Module = found.iter().cloned().chain([name.clone()]).collect();
        if sources.contains_key(&child) {
            found = child;
            continue;
        }
        let Some(target) = names.get(&(found.clone(), name.clone())).filter(|_| depth < 8) else { break };
        let whole: Module = target.iter().cloned().chain(path[at + 1..].iter().cloned()).collect();
        return origin(sources, names, (&found, &whole), depth + 1).or(Some(found));
    }
    Some(found)
}

/// Pairs of modules of which the first imports from the second.
fn imports(sources: &Sources) -> BTreeSet<(Module, Module)> {
    let names = names(sources);
    let mut imports = BTreeSet::new();
    for (module, text) in sources {
        for root in ["crate::", "afterimage::", "super::", "self::"] {
            for (at, _) in text.match_indices(root) {
                if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                for (path, _) in tree(&text[at..]) {
                    if let Some(from) = origin(sources, &names, (module, &path), 0) {
                        imports.insert((module.clone(), from));
                    }
                }
            }
        }
    }
    imports
}

/// What is wrong, in a sentence each.
fn faults(sources: &Sources, orders: &[(&str, &str)]) -> Vec<String> {
    // For each module, which of its children imports from which, with an example.
    let mut siblings: BTreeMap<Module, BTreeMap<(String, String), String>> = BTreeMap::new();
    for (to, from) in imports(sources) {
        let n_common = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
        if let (Some(a), Some(b)) = (to.get(n_common), from.get(n_common)) {
            let example = format!("{} imports from {}", to.join("::"), from.join("::"));
            siblings.entry(to[..n_common].to_vec()).or_default().insert((a.clone(), b.clone()), example);
        }
    }
    let mut faults = Vec::new();
    for (parent, edges) in &siblings {
        // Without those that nothing leads on from, or to, again and again: what is left goes round.
        let mut left = edges.clone();
        loop {
            let (from, to): (BTreeSet<_>, BTreeSet<_>) = left.keys().cloned().unzip();
            let before = left.len();
            left.retain(|(a, b), _| from.contains(b) && to.contains(a));
            if left.len() == before {
                break;
            }
        }
        if !left.is_empty() {
            let examples: Vec<_> = left.values().map(String::as_str).collect();
            faults.push(format!("a circle in {}: {}", parent.join("::"), examples.join(", ")));
        }
    }
    for (parent, order) in orders {
        let parent = module(parent);
        let children = sources.keys().filter(|m| m.len() == parent.len() + 1 && m.starts_with(&parent));
        let place = |name: &str| order.split(' ').position(|known| known == name);
        for child in children.filter(|child| place(&child[parent.len()]).is_none()) {
            faults.push(format!("{} has no place in the order", child.join("::")));
        }
        for ((a, b), example) in siblings.get(&parent).into_iter().flatten() {
            if place(a) < place(b) {
                faults.push(format!("upward: {example}"));
            }
        }
    }
    faults
}

#[test]
fn modules_import_only_from_below_and_never_in_a_circle() {
    let mut sources = Sources::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &module("crate"), &mut sources);
    assert!(imports(&sources).len() > 500, "the sources are read");
    let faults = faults(&sources, ORDERS);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn upward_imports_and_circles_are_found() {
    let faults_of = |files: &[(&str, &str)]| {
        let sources = files.iter().map(|(name, text)| (module(name), code(text))).collect();
        faults(&sources, &[("crate", "low high")])
    };
    let low = ("crate::low", "pub struct Low;");
    let high = ("crate::high", "mod part; pub use part::High; use crate::low::Low;");
    let part = ("crate::high::part", "use super::Low; pub struct High;");
    assert_eq!(faults_of(&[low, high, part]), Vec::<String>::new());
    for text in [
        "use crate::{x, high::{High, y}};",
        "fn f() -> crate::high::High {}",
        "const A: char = '\"'; use super::high; // crate",
    ] {
        assert!(
            faults_of(&[("crate::low", text), high, part])[0].starts_with("a circle in crate: "),
            "{text}"
        );
        let upward = faults_of(&[("crate::low", text), ("crate::high", "")]);
        assert_eq!(upward, ["upward: crate::low imports from crate::high"], "{text}");
    }
    for text in [
        "// use crate::high::High;\nconst A: &str = \"crate::high\";",
        "#[cfg(test)]\nmod tests { use crate::high::High; }",
        "const A: &str = r#\"\" crate::high\"#;",
    ] {
        assert_eq!(faults_of(&[("crate::low", text), high, part]), Vec::<String>::new(), "{text}");
    }
    // Folders of which neither file imports back.
    let files = [
        ("crate::low", "mod a; mod b;"),
        ("crate::low::a", ""),
        ("crate::low::a::x", "use crate::low::b::y;"),
        ("crate::low::a::z", ""),
        ("crate::low::b", "pub use z::Z;"),
        ("crate::low::b::y", ""),
        ("crate::low::b::z", "use super::super::a::z;"),
    ];
    assert!(faults_of(&files)[0].starts_with("a circle in crate::low: "), "{:?}", faults_of(&files));
}
