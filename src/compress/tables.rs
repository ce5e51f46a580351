//! Probabilities of integers in integer arithmetic, so that they are the same on every machine.

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};
use std::borrow::Borrow;
use std::num::NonZeroU16;
use std::sync::OnceLock;

/// Bits of a probability.
pub(super) const PRECISION: usize = 16;

/// Steps of a scale's logarithm to base 2.
pub(super) const SCALE_STEPS: i32 = 8;
/// Logarithms of scales, in these steps.
const SCALE_RANGE: std::ops::RangeInclusive<i32> = -4 * SCALE_STEPS..=6 * SCALE_STEPS;
/// Different scales.
pub(super) const N_SCALES: usize = 10 * SCALE_STEPS as usize + 1;
/// Steps of a mean.
pub(super) const MEAN_STEPS: i32 = 16;
/// Integers on each side of the mean's nearest that have a probability of their own; all others share one.
const REACH: i32 = 24;
/// The symbol of all others, and the number of symbols.
const ESCAPE: usize = 2 * REACH as usize + 1;
const N_SYMBOLS: usize = ESCAPE + 1;

/// Upper ends of the intervals of symbols, but for the last, which ends at 2^16.
type Table = [u16; N_SYMBOLS];

/// One table for each scale and each fraction of the mean, from -1/2 on.
struct Tables(Vec<Table>);

static TABLES: OnceLock<Tables> = OnceLock::new();

/// 2^-x for x in 65536ths, in units of 2^-32.
fn exp2_of_negative(x: u64) -> u64 {
    // Products of 2^-(2^-1), 2^-(2^-2) and so on: each the square root of the one before, rounded down.
    static ROOTS: OnceLock<[u64; 16]> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut root = 1_u64 << 31;
        std::array::from_fn(|_| {
            root = (u128::from(root) << 32).isqrt() as u64;
            root
        })
    });
    let whole = x >> 16;
    if whole >= 32 {
        return 0;
    }
    let mut power = 1_u64 << 32;
    for (bit, root) in roots.iter().enumerate() {
        if x >> (15 - bit) & 1 == 1 {
            power = (power * root) >> 32;
        }
    }
    power >> whole
}

/// The Laplace distribution with mean 0 and the scale of this index at `x` in units of 1 / (2 MEAN_STEPS): the part of
/// it below, in units of 2^-32.
fn below(scale: usize, x: i32) -> u64 {
    /// 65536 / ln 2, rounded.
    const LOG2_E: u64 = 94_548;
    let octaves = scale as i32 + SCALE_RANGE.start();
    // |x| / b in powers of two: |x| log2(e) 2^-(octaves / SCALE_STEPS), with 2^12 to keep bits.
    let (whole, eighths) = (octaves.div_euclid(SCALE_STEPS), octaves.rem_euclid(SCALE_STEPS) as u64);
    let inverse = exp2_of_negative((eighths << 16) / SCALE_STEPS as u64) >> 8;
    let distance = u64::from(x.unsigned_abs()) * LOG2_E * inverse / (2 * MEAN_STEPS as u64);
    let shift = 24 + whole;
    let tail = exp2_of_negative(distance >> shift) / 2;
    if x < 0 { tail } else { (1 << 32) - tail }
}

impl Tables {
    fn get() -> &'static Self {
        TABLES.get_or_init(|| {
            let table = |n: usize| {
                Self::table(n / MEAN_STEPS as usize, (n % MEAN_STEPS as usize) as i32 - MEAN_STEPS / 2)
            };
            Self((0..N_SCALES * MEAN_STEPS as usize).map(table).collect())
        })
    }

    /// Every symbol has at least 1 of 65536.
    fn table(scale: usize, fraction: i32) -> Table {
        let free = (1_u64 << PRECISION) - N_SYMBOLS as u64;
        // The share of all that lie beyond is the last symbol's.
        let at = |edge: i32| below(scale, (2 * edge - 1) * MEAN_STEPS - 2 * fraction);
        let first = at(-REACH);
        std::array::from_fn(|symbol| {
            let share = if symbol == ESCAPE { 1 << 32 } else { at(symbol as i32 + 1 - REACH) - first };
            // 2^16 of the last becomes 0.
            (((share * free) >> 32) + symbol as u64 + 1) as u16
        })
    }
}

/// A distribution of integers.
#[derive(Clone, Copy)]
pub(super) struct Density {
    table: &'static Table,
    /// The integer nearest to the mean.
    pub(super) centre: i32,
    /// How many bits an integer far away has before its length is counted.
    pub(super) spread: u32,
}

impl Density {
    /// With a mean in units of 1 / MEAN_STEPS and the logarithm of the scale in units of 1 / SCALE_STEPS.
    pub(super) fn new(mean: i32, scale: i32) -> Self {
        let scale = scale.clamp(*SCALE_RANGE.start(), *SCALE_RANGE.end());
        let centre = (mean + MEAN_STEPS / 2).div_euclid(MEAN_STEPS);
        let fraction = mean + MEAN_STEPS / 2 - centre * MEAN_STEPS;
        let index = (scale - SCALE_RANGE.start()) * MEAN_STEPS + fraction;
        let spread = (scale.div_euclid(SCALE_STEPS)).max(0) as u32;
        Self { table: &Tables::get().0[index as usize], centre, spread }
    }

    /// The symbol of an integer, none if it shares one.
    pub(super) fn symbol(&self, integer: i32) -> Option<usize> {
        let symbol = integer - self.centre + REACH;
        (0..ESCAPE as i32).contains(&symbol).then_some(symbol as usize)
    }

    /// The integer of a symbol.
    pub(super) fn integer(&self, symbol: usize) -> Option<i32> {
        (symbol != ESCAPE).then(|| self.centre + symbol as i32 - REACH)
    }

    /// Whether an integer without a symbol is above those with one, and how many lie between.
    pub(super) fn beyond(&self, integer: i32) -> (bool, u32) {
        (integer > self.centre, integer.abs_diff(self.centre) - REACH as u32 - 1)
    }

    /// The integer that is `beyond` the others.
    pub(super) fn integer_beyond(&self, above: bool, beyond: u32) -> i32 {
        let distance = beyond as i32 + REACH + 1;
        if above { self.centre + distance } else { self.centre - distance }
    }

    /// The symbol of an integer that has none of its own.
    pub(super) const ESCAPE: usize = ESCAPE;

    /// The bits that an integer takes.
    pub(super) fn bits(&self, integer: i32) -> f64 {
        let bits = |symbol: usize| PRECISION as f64 - libm::log2(f64::from(self.interval(symbol).1.get()));
        match self.symbol(integer) {
            Some(symbol) => bits(symbol),
            None => {
                let value = self.beyond(integer).1 + (1 << self.spread);
                let length = value.ilog2();
                bits(ESCAPE) + f64::from(2 + length + length - self.spread)
            }
        }
    }

    fn interval(&self, symbol: usize) -> (u16, NonZeroU16) {
        let begin = if symbol == 0 { 0 } else { self.table[symbol - 1] };
        let length = self.table[symbol].wrapping_sub(begin);
        (begin, NonZeroU16::new(length).expect("every symbol has a share"))
    }
}

impl EntropyModel<PRECISION> for Density {
    type Symbol = usize;
    type Probability = u16;
}

impl EncoderModel<PRECISION> for Density {
    fn left_cumulative_and_probability(&self, symbol: impl Borrow<usize>) -> Option<(u16, NonZeroU16)> {
        let symbol = *symbol.borrow();
        (symbol < N_SYMBOLS).then(|| self.interval(symbol))
    }
}

impl DecoderModel<PRECISION> for Density {
    fn quantile_function(&self, quantile: u16) -> (usize, u16, NonZeroU16) {
        // From the mean outwards, where most are.
        let mut symbol = REACH as usize;
        while symbol > 0 && self.table[symbol - 1] > quantile {
            symbol -= 1;
        }
        while symbol < ESCAPE && self.table[symbol] <= quantile {
            symbol += 1;
        }
        let (begin, length) = self.interval(symbol);
        (symbol, begin, length)
    }
}

/// Zero and one, equally probable.
#[derive(Clone, Copy)]
pub(super) struct Even;

impl EntropyModel<PRECISION> for Even {
    type Symbol = u32;
    type Probability = u16;
}

const HALF: u16 = 1 << (PRECISION - 1);

impl EncoderModel<PRECISION> for Even {
    fn left_cumulative_and_probability(&self, bit: impl Borrow<u32>) -> Option<(u16, NonZeroU16)> {
        let begin = [0, HALF].get(*bit.borrow() as usize)?;
        Some((*begin, NonZeroU16::new(HALF)?))
    }
}

impl DecoderModel<PRECISION> for Even {
    fn quantile_function(&self, quantile: u16) -> (u32, u16, NonZeroU16) {
        let bit = u32::from(quantile >= HALF);
        (bit, bit as u16 * HALF, NonZeroU16::new(HALF).expect("not 0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_those_of_two() {
        for x in (0..40 << 16).step_by(977) {
            let exact = libm::exp2(-(x as f64) / 65536.0) * 4_294_967_296.0;
            // Sixteen products, each rounded down twice.
            assert!((exp2_of_negative(x) as f64 - exact).abs() < 33.0, "2^-{x}");
        }
    }

    #[test]
    fn every_symbol_has_its_share_of_the_laplace_distribution() {
        for (mean, scale) in [(0, -32), (5, -9), (-7, 0), (3, 17), (-8, 48), (1000, 20)] {
            let density = Density::new(mean, scale);
            let b = libm::exp2(f64::from(scale) / 8.0);
            let cdf = |x: f64| if x < 0.0 { 0.5 * libm::exp(x / b) } else { 1.0 - 0.5 * libm::exp(-x / b) };
            let mut end = 0_u32;
            for symbol in 0..N_SYMBOLS {
                let (begin, length) = density.interval(symbol);
                assert_eq!(u32::from(begin), end, "no gap before {symbol}");
                end += u32::from(length.get());
                assert_eq!(density.quantile_function(begin).0, symbol);
                assert_eq!(density.quantile_function(begin + length.get() - 1).0, symbol);
                let Some(integer) = density.integer(symbol) else { continue };
                assert_eq!(density.symbol(integer), Some(symbol));
                let x = f64::from(integer) - f64::from(mean) / 16.0;
                let exact = (cdf(x + 0.5) - cdf(x - 0.5)) * 65536.0;
                // One for each of the symbols, taken from all in proportion, and rounding down.
                assert!(
                    (f64::from(length.get()) - exact).abs() < 2.0 + exact * 51.0 / 65536.0,
                    "{scale} {symbol}: {length} {exact}"
                );
            }
            assert_eq!(end, 1 << 16);
        }
    }
}
