//! 16-bit values, two to a word, low half first: how the host sees values stored as f16.

use half::f16;

/// A quiet NaN that no kernel computes: the contents of outputs before a dispatch.
pub(crate) const POISON: u32 = 0x7fc0_dead;

/// The same for halves.
const HALF_POISON: u16 = 0x7ead;

pub(crate) fn get(words: &[u32], index: usize) -> f32 {
    f16::from_bits(bits(words, index)).to_f32()
}

/// The bits of half `index`.
pub(crate) fn bits(words: &[u32], index: usize) -> u16 {
    (words[index / 2] >> (16 * (index % 2))) as u16
}

/// Converts floats to halves; poison stays poison and pads the last word.
pub(crate) fn pack(floats: &[u32]) -> Vec<u32> {
    let half = |&word: &u32| {
        let value = f16::from_f32(f32::from_bits(word));
        u32::from(if word == POISON { HALF_POISON } else { value.to_bits() })
    };
    let word = |pair: &[u32]| half(&pair[0]) | pair.get(1).map_or(u32::from(HALF_POISON), half) << 16;
    floats.chunks(2).map(word).collect()
}
