//! Integers to bits and back, by the range coder of `constriction`.

use super::tables::{Density, Even};
use constriction::backends::Cursor;
use constriction::stream::queue::{RangeDecoder, RangeEncoder};
use constriction::stream::{Decode, Encode};

/// Most that an integer may be away from 0.
pub(super) const MAX_INTEGER: i32 = 2047;

/// Writes integers.
#[derive(Default)]
pub(super) struct Writer(RangeEncoder<u16, u64>);

impl Writer {
    /// Writes an integer of at most [`MAX_INTEGER`].
    pub(super) fn put(&mut self, density: Density, integer: i32) {
        match density.symbol(integer) {
            Some(symbol) => self.0.encode_symbol(symbol, density).expect("memory does not fail"),
            None => {
                self.0.encode_symbol(Density::ESCAPE, density).expect("memory does not fail");
                self.far(density, integer);
            }
        }
    }

    /// Its side, and an exponential Golomb code of how far it is beyond what has a symbol.
    fn far(&mut self, density: Density, integer: i32) {
        let (above, beyond) = density.beyond(integer);
        let value = beyond + (1 << density.spread);
        let length = 31 - value.leading_zeros();
        let ones = length - density.spread;
        let mut bit = |bit: u32| self.0.encode_symbol(bit, Even).expect("memory does not fail");
        bit(u32::from(above));
        (0..ones).for_each(|_| bit(1));
        bit(0);
        (0..length).rev().for_each(|n| bit(value >> n & 1));
    }

    /// The bytes of all.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let words = self.0.into_compressed().expect("memory does not fail");
        words.into_iter().flat_map(u16::to_le_bytes).collect()
    }
}

/// Reads integers.
pub(super) struct Reader(RangeDecoder<u16, u64, Cursor<u16, Vec<u16>>>);

/// The bits are of no integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl Reader {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let words: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|&word| u16::from_le_bytes(word)).collect();
        Self(RangeDecoder::from_compressed(words).expect("memory does not fail"))
    }

    /// Reads an integer.
    #[inline]
    pub(super) fn get(&mut self, density: Density) -> Result<i32, Damaged> {
        let symbol = self.0.decode_symbol(density).map_err(|_| Damaged)?;
        match density.integer(symbol) {
            Some(integer) => Ok(integer),
            None => self.far(density),
        }
    }

    #[cold]
    fn far(&mut self, density: Density) -> Result<i32, Damaged> {
        let mut bit = || self.0.decode_symbol(Even).map_err(|_| Damaged);
        let above = bit()? == 1;
        let mut length = density.spread;
        while bit()? == 1 {
            length += 1;
            if length > 16 {
                return Err(Damaged);
            }
        }
        let mut value = 1;
        for _ in 0..length {
            value = value << 1 | bit()?;
        }
        let integer = density.integer_beyond(above, value - (1 << density.spread));
        if integer.abs() <= MAX_INTEGER { Ok(integer) } else { Err(Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            integers in proptest::collection::vec((-2047..=2047, -40_000..40_000, -60..60), 0..300)
        ) {
            let mut writer = Writer::default();
            for &(integer, mean, scale) in &integers {
                writer.put(Density::new(mean, scale), integer);
            }
            let mut reader = Reader::new(&writer.into_bytes());
            for &(integer, mean, scale) in &integers {
                prop_assert_eq!(reader.get(Density::new(mean, scale)), Ok(integer));
            }
        }

        #[test]
        fn anything_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..99), scale in -60..60) {
            let mut reader = Reader::new(&bytes);
            for mean in 0..200 {
                if let Ok(integer) = reader.get(Density::new(mean, scale)) {
                    prop_assert!(integer.abs() <= MAX_INTEGER + 24 + mean);
                }
            }
        }
    }

    #[test]
    fn rare_integers_cost_what_their_probability_says() {
        // 10,000 zeros under a narrow density, of at most 2^-11 bits each, and the coder's last word or two.
        let mut writer = Writer::default();
        (0..10_000).for_each(|_| writer.put(Density::new(0, -32), 0));
        assert!(writer.into_bytes().len() <= 6);
    }
}
