//! Axes with round ticks.

/// Maps a range of values to a range of the sheet.
pub(super) struct Axis {
    low: f64,
    high: f64,
    step: f64,
    /// Positions of `low` and `high`.
    pub(super) pixels: [f64; 2],
}

impl Axis {
    /// From 0 to `last`, in steps of at least `smallest`.
    pub(super) fn from_zero(last: f64, smallest: f64, pixels: [f64; 2]) -> Self {
        let high = last.max(smallest);
        Self { low: 0.0, high, step: round_step(high / 8.0).max(smallest), pixels }
    }

    /// Covers the finite ones of `values` and ends at ticks.
    pub(super) fn decibels(values: impl Iterator<Item = f64>, pixels: [f64; 2]) -> Self {
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let finite = values.filter(|v| v.is_finite());
        let (mut low, mut high) = finite.fold(start, |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = (0.0, 50.0);
        }
        if high - low < 0.1 {
            (low, high) = (low - 1.0, high + 1.0);
        }
        let step = round_step((high - low) / 6.0);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step, pixels }
    }

    /// Position of `value`, clamped to the ends.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.pixels[0] + share * (self.pixels[1] - self.pixels[0])
    }

    /// Round values and their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step + 1e-9) as usize;
        let decimals = if self.step < 1.0 { (-self.step.log10()).ceil() as usize } else { 0 };
        let tick = |i| self.low + i as f64 * self.step;
        // "+ 0.0" writes a negative zero as 0.
        let name = |v: f64| format!("{:.decimals$}", v + 0.0).replace('-', "\u{2212}");
        (0..=count).map(|i| (tick(i), name(tick(i)))).collect()
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    // The tolerance keeps 2.0000000001 from becoming 5.
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (least, step) in [(0.9, 1.0), (1.0, 1.0), (1.1, 2.0), (2.5, 5.0), (7.0, 10.0), (0.03, 0.05)] {
            assert!((round_step(least) / step - 1.0).abs() < 1e-12, "{least}: {}", round_step(least));
        }
    }

    #[test]
    fn ticks_cover_the_values() {
        let axis = Axis::decibels([12.3, 31.9, f64::INFINITY].into_iter(), [100.0, 0.0]);
        let names: Vec<String> = axis.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["10", "15", "20", "25", "30", "35"]);
        assert_eq!((axis.place(10.0), axis.place(35.0), axis.place(f64::INFINITY)), (100.0, 0.0, 0.0));
        let flat = Axis::decibels([20.0, 20.0].into_iter(), [100.0, 0.0]);
        assert_eq!(flat.place(20.0), 50.0);
        assert_eq!(Axis::from_zero(0.0, 1.0, [0.0, 1.0]).ticks().len(), 2);
    }
}
