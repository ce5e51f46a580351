//! Kernels for several networks of one shape at once. The third dimension of a dispatch counts them, and every storage
//! binding consists of as many equal parts, one for each.
//!
//! Each kernel can become such a kernel by its text: all indices into its storage bindings are moved to the network's
//! part. So a network is computed as it is alone, to the bit.

use super::{Binding, Case, Source, wgsl};

/// What the moved indices use.
pub(super) const NETWORKS: Source = wgsl!("networks.wgsl");

/// How each entry point begins.
const MAIN: &str = "fn main(";

/// Words of a part are a multiple of this, since some kernels read vectors.
pub(crate) const PART_WORDS: usize = 4;

/// Copies of each test case.
const N_TESTED: usize = 3;

/// The text of a kernel with these storage bindings, for several networks.
pub(super) fn for_networks(wgsl: &str, bindings: &[Binding]) -> String {
    let (before, main) = wgsl.split_once(MAIN).expect("a kernel has an entry point");
    let (parameters, body) = main.split_once(") {").expect("it has a body");
    let moved = |text: &str| with_moved_indices(text, bindings);
    format!(
        "{}{MAIN}@builtin(num_workgroups) n_groups: vec3<u32>, {parameters}) {{\n    network = group.z;\n    \
         n_networks = n_groups.z;{}",
        moved(before),
        moved(body)
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
        moved.push_str(word);
        rest = after;
        let is_field = moved[..moved.len() - word.len()].ends_with('.');
        if !is_field && rest.starts_with('[') && bindings.iter().any(|binding| binding.name == word) {
            let (index, after) = bracketed(rest);
            moved.push_str(&format!(
                "[part_of(arrayLength(&{word})) + ({})]",
                with_moved_indices(index, bindings)
            ));
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
        assert_eq!(
            moved("x = weights[i << 2u];"),
            "x = weights[part_of(arrayLength(&weights)) + (i << 2u)];"
        );
        assert_eq!(
            moved("atomicAdd(&sums[weights[i] + tile[j]].low, 1u)"),
            "atomicAdd(&sums[part_of(arrayLength(&sums)) + (weights[part_of(arrayLength(&weights)) + (i)] + \
             tile[j])].low, 1u)"
        );
        for same in ["cell.weights[i]", "my_weights[i]", "weights: array<f32>; // sums[0", "weights"] {
            assert_eq!(moved(same), same);
        }
        let kernel = "fn f() -> f32 { return weights[0]; }\nfn main(@builtin(workgroup_id) group: vec3<u32>) {\n    f();\n}";
        let text = for_networks(kernel, &bindings);
        assert!(
            text.contains("main(@builtin(num_workgroups) n_groups: vec3<u32>, @builtin(workgroup_id)"),
            "{text}"
        );
        assert!(text.contains("{\n    network = group.z;\n    n_networks = n_groups.z;\n    f();"), "{text}");
    }
}
