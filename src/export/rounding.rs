//! Weights rounded so that they take less room.

use crate::names::named;
use half::f16;

named! {
    /// How exactly weights are written. Frequencies and biases are always floats of 32 bits.
    pub enum Precision {
        /// Floats of 32 bits: as they were trained
        F32 "f32",
        /// Floats of 16 bits
        F16 "f16",
        /// 8 bits, with a scale for each unit and each level of a grid
        U8 "u8",
    }
}

/// Largest magnitude of a code of 8 bits: they are symmetric around 0.
const MAX_CODE: f32 = 127.0;

/// Numbers as they are written, in rows with one scale and one offset each: value = code * scale + offset.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// f32, f16, or whole numbers from -127 to 127.
    pub codes: Vec<f32>,
    /// 1 unless codes are of 8 bits.
    pub scale: f32,
    /// 0 unless codes are of 8 bits and their range is not around 0.
    pub offset: f32,
}

impl Row {
    /// `values` rounded, with an offset if they are `around` the middle of their range rather than around 0.
    pub(super) fn new(values: &[f32], precision: Precision, has_offset: bool) -> Result<Self, String> {
        let (low, high) = values.iter().fold((0.0_f32, 0.0_f32), |(l, h), &v| (l.min(v), h.max(v)));
        let exact = |codes: Vec<f32>| Ok(Self { codes, scale: 1.0, offset: 0.0 });
        match precision {
            Precision::F32 => exact(values.to_vec()),
            Precision::F16 => match values.iter().find(|v| !f16::from_f32(**v).is_finite()) {
                Some(value) => Err(format!(
                    "a weight of {value} is beyond the range of f16, 65504; give --precision f32"
                )),
                None => exact(values.iter().map(|&v| f16::from_f32(v).to_f32()).collect()),
            },
            Precision::U8 => {
                let offset = if has_offset { 0.5 * (low + high) } else { 0.0 };
                let reach = (high - offset).max(offset - low);
                let scale = if reach > 0.0 { reach / MAX_CODE } else { 1.0 };
                let code = |v: &f32| ((v - offset) / scale).round().clamp(-MAX_CODE, MAX_CODE);
                Ok(Self { codes: values.iter().map(code).collect(), scale, offset })
            }
        }
    }

    /// What the codes stand for.
    pub fn values(&self) -> impl Iterator<Item = f32> {
        self.codes.iter().map(|code| code * self.scale + self.offset)
    }
}

/// `value` in as few digits as name it among the numbers of `precision`, without a zero before the point.
pub(super) fn shortest(value: f32, precision: Precision) -> String {
    let is_named = |text: &str| match text.parse::<f32>() {
        Ok(read) if precision == Precision::F16 => f16::from_f32(read) == f16::from_f32(value),
        Ok(read) => read == value,
        Err(_) => false,
    };
    let scientific =
        (0..9).map(|digits| format!("{value:.digits$e}")).find(|text| is_named(text)).unwrap_or_default();
    // Back from `-1.25e-2` to `-.0125`, which is how it is read.
    let plain = scientific.parse::<f64>().unwrap_or(0.0).to_string();
    let plain = match plain.strip_prefix("0.").map(|rest| format!(".{rest}")) {
        Some(short) => short,
        None => plain.replace("-0.", "-."),
    };
    if plain.len() <= scientific.len() { plain } else { scientific }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_their_precision_allows() {
        let f32s = [(0.0, "0"), (1.0, "1"), (-0.5, "-.5"), (0.1, ".1"), (-12.25, "-12.25"), (1e-7, "1e-7")];
        for (value, text) in f32s {
            assert_eq!(shortest(value, Precision::F32), text);
        }
        assert_eq!(shortest(std::f32::consts::PI, Precision::F32), "3.1415927");
        assert_eq!(shortest(f16::from_f32(0.1).to_f32(), Precision::F16), ".1");
        for i in 0..2000 {
            let value = (i as f32 - 1000.0) * 1.37e-3;
            assert_eq!(shortest(value, Precision::F32).parse(), Ok(value));
            let half = f16::from_f32(value);
            let read: f32 = shortest(half.to_f32(), Precision::F16).parse().expect("a number");
            assert_eq!(f16::from_f32(read), half, "{value}");
        }
    }

    #[test]
    fn codes_are_at_most_half_a_step_off() {
        let values: Vec<f32> = (0..500).map(|i| 0.3 + 0.002 * i as f32).collect();
        for has_offset in [false, true] {
            let row = Row::new(&values, Precision::U8, has_offset).expect("rounded");
            assert!(row.codes.iter().all(|code| code.fract() == 0.0 && code.abs() <= 127.0));
            let worst = row.values().zip(&values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= 0.5001 * row.scale, "{worst} of {}", row.scale);
        }
        assert!(Row::new(&[1e5], Precision::F16, false).unwrap_err().contains("--precision f32"));
        assert_eq!(Row::new(&[0.0; 3], Precision::U8, true).expect("rounded").values().sum::<f32>(), 0.0);
    }
}
