//! Kernels for several networks of one shape at once. The third dimension of a dispatch counts them, and every storage
//! binding consists of as many equal parts, one for each.
//!
//! Each kernel can become such a kernel by its text: all indices into its storage bindings are moved to the network's
//! part. So a network is computed as it is alone, to the bit.

use super::{Binding, Case};

/// How each entry point begins.
const MAIN: &str = "fn main(";

/// Words of a part are a multiple of this, since some kernels read vectors.
pub(crate) const PART_WORDS: usize = 4;

/// Copies of each test case.
const N_TESTED: usize = 3;

/// The text of a kernel with these storage bindings, for several networks. Where their parts begin is computed once, at
/// the beginning: it contains a division.
pub(super) fn for_networks(wgsl: &str, bindings: &[Binding]) -> String {
    let (before, main) = wgsl.split_once(MAIN).expect("a kernel has an entry point");
    let (parameters, body) = main.split_once(") {").expect("it has a body");
    let [before, body] = [before, body].map(|text| with_moved_indices(text, bindings));
    let names = || bindings.iter().map(|binding| binding.name);
    let variables: String = names().map(|name| format!("var<private> first_of_{name}: u32;\n")).collect();
    let first = |name| format!("\n    first_of_{name} = group.z * (arrayLength(&{name}) / n_groups.z);");
    let firsts: String = names().map(first).collect();
    format!(
        "{before}{MAIN}@builtin(num_workgroups) n_groups: vec3<u32>, {parameters}) {{{firsts}{body}\n{variables}"
    )
}

/// `text` with each index of a binding moved to the part of the network.
fn with_moved_indices(text: &str, bindings: &[Binding]) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut moved = String::with_capacity(2 * text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if rest.starts_with("//") {
            let (comment, after) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
            moved.push_str(comment);
            rest = after;
            continue;
        }
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length.max(1));
        let is_field = moved.ends_with('.');
        moved.push_str(word);
        rest = after;
        if !is_field && rest.starts_with('[') && bindings.iter().any(|binding| binding.name == word) {
            let (index, after) = bracketed(rest);
            moved.push_str(&format!("[first_of_{word} + ({})]", with_moved_indices(index, bindings)));
            rest = after;
        }
    }
    moved
}

/// What is between the bracket that `text` begins with and the one that closes it, and what follows.
fn bracketed(text: &str) -> (&str, &str) {
    let mut depth = 0;
    let is_end = |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        depth == 0
    };
    let end = text.find(is_end).expect("brackets are closed");
    (&text[1..end], &text[end + 1..])
}

/// The same case for each of a few networks.
pub(super) fn repeated(case: Case) -> Case {
    let repeat = |mut words: Vec<u32>| {
        words.resize(words.len().next_multiple_of(PART_WORDS), 0);
        words.repeat(N_TESTED)
    };
    Case { buffers: case.buffers.into_iter().map(repeat).collect(), networks: N_TESTED as u32, ..case }
}

#[cfg(test)]
mod tests {
    use super::super::{read, write};
    use super::*;

    #[test]
    fn indices_of_bindings_are_moved() {
        let bindings = [read("weights"), write("sums")];
        let moved = |text: &str| with_moved_indices(text, &bindings);
        assert_eq!(moved("x = weights[i << 2u];"), "x = weights[first_of_weights + (i << 2u)];");
        assert_eq!(
            moved("atomicAdd(&sums[weights[i] + tile[j]].low, 1u)"),
            "atomicAdd(&sums[first_of_sums + (weights[first_of_weights + (i)] + tile[j])].low, 1u)"
        );
        for same in ["cell.weights[i]", "my_weights[i]", "weights: array<f32>; // sums[0", "weights"] {
            assert_eq!(moved(same), same);
        }
        let kernel = "fn f() -> f32 { return weights[0]; }\n@compute @workgroup_size(4)\n\
                      fn main(@builtin(workgroup_id) group: vec3<u32>) {\n    f();\n}";
        let text = for_networks(kernel, &bindings);
        for part in [
            "main(@builtin(num_workgroups) n_groups: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {\n",
            "var<private> first_of_sums: u32;\n",
            "    first_of_sums = group.z * (arrayLength(&sums) / n_groups.z);\n    f();",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
