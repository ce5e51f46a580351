//! Several encodings side by side.

use super::Encoding;
use std::ops::Range;

impl Encoding {
    /// The encodings whose features are side by side, from left to right: `self` alone, unless it is a composite.
    pub fn parts(&self) -> &[Self] {
        match self {
            Self::Composite(parts) => parts,
            single => std::slice::from_ref(single),
        }
    }

    /// Each of [`Encoding::parts`] with its feature columns.
    pub fn placed(&self) -> impl Iterator<Item = (&Self, Range<usize>)> {
        self.parts().iter().scan(0, |column, part| {
            let first = *column;
            *column += part.output_width();
            Some((part, first..*column))
        })
    }

    /// The part that has weights, with its columns. At most one has.
    pub fn trained_part(&self) -> Option<(&Self, Range<usize>)> {
        self.placed().find(|(part, _)| part.n_params() > 0)
    }

    /// Joins encodings: at most one of each family (position, frequencies, axes, grid), and at most one with weights.
    ///
    /// # Panics
    /// When there are none, or two of a family.
    pub fn side_by_side(mut parts: Vec<Self>) -> Self {
        for (i, part) in parts.iter().enumerate() {
            assert!(
                parts[..i].iter().all(|other| other.family() != part.family()),
                "two of a family: {part:?}"
            );
        }
        assert!(parts.iter().filter(|part| part.n_params() > 0).count() <= 1, "two encodings with weights");
        match parts.len() {
            1 => parts.remove(0),
            _ => Self::Composite(parts),
        }
    }
}

/// Copies columns `from` of rows `from_width` wide to the columns from `to` on of rows `to_width` wide.
#[inline]
pub fn copy_columns<T: Copy>(
    (source, from_width, from): (&[T], usize, Range<usize>),
    (target, to_width, to): (&mut [T], usize, usize),
) {
    for (source, target) in source.chunks_exact(from_width).zip(target.chunks_exact_mut(to_width)) {
        target[to..to + from.len()].copy_from_slice(&source[from.clone()]);
    }
}
