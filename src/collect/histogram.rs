//! How good the networks of a collection are.

use super::{Result, Row};
use crate::atomic_write::write_cached;
use crate::report::{ReportError, histogram_svg};
use std::fmt;
use std::path::Path;

/// Widths of bins in dB, of which the smallest with few bins is taken.
const WIDTHS: [f64; 6] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0];
const MAX_BINS: f64 = 16.0;

/// Characters of the longest bar.
const BAR: usize = 40;

/// Networks by their PSNR.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Mean of those that are no exact copies; NaN if there are none.
    pub mean: f64,
    /// Networks that are exact copies of their pictures.
    pub n_exact: usize,
    /// From the lowest, each with its lower end in dB, and how many networks are in it.
    pub bins: Vec<(f64, usize)>,
    /// In dB.
    pub width: f64,
}

impl Histogram {
    /// Of all rows that have a network.
    pub fn of(rows: &[Row]) -> Self {
        let psnr: Vec<f64> = rows.iter().filter_map(|row| row.psnr).map(|psnr| psnr.value()).collect();
        let finite: Vec<f64> = psnr.iter().copied().filter(|psnr| psnr.is_finite()).collect();
        let ends = finite.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
        let span = ends.1 - ends.0;
        let width = WIDTHS.into_iter().find(|width| span / width < MAX_BINS).unwrap_or(span / MAX_BINS);
        let number = |psnr: f64| (psnr / width).floor();
        let first = number(ends.0);
        let n_bins = if finite.is_empty() { 0 } else { (number(ends.1) - first) as usize + 1 };
        let mut bins: Vec<_> = (0..n_bins).map(|bin| (width * (first + bin as f64), 0)).collect();
        finite.iter().for_each(|&psnr| bins[(number(psnr) - first) as usize].1 += 1);
        let mean = finite.iter().sum::<f64>() / finite.len() as f64;
        Self { mean, n_exact: psnr.len() - finite.len(), bins, width }
    }

    /// Writes it as a picture.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let svg = histogram_svg(&self.bins, self.width, self.mean);
        let failed = |source| ReportError::Write { path: path.to_owned(), source };
        Ok(write_cached(path, svg.as_bytes()).map_err(failed)?)
    }
}

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.bins.iter().map(|&(_, n)| n).max().unwrap_or(0);
        let decimals = usize::from(self.width < 1.0);
        for &(low, n) in &self.bins {
            let bar = "#".repeat((BAR * n).div_ceil(most));
            let high = low + self.width;
            let line = format!("{low:>5.decimals$} to {high:>5.decimals$} dB {n:>8}  {bar}");
            writeln!(f, "  {}", line.trim_end())?;
        }
        if self.n_exact > 0 {
            writeln!(f, "  exact copies      {:>8}", self.n_exact)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Decibels;

    #[test]
    fn every_network_is_counted_once() {
        let rows: Vec<Row> = [30.0, 31.9, 32.0, 39.99, f64::INFINITY]
            .map(|psnr| Row { psnr: Decibels::of(psnr), ..Row::default() })
            .into_iter()
            .chain([Row::default()])
            .collect();
        let histogram = Histogram::of(&rows);
        assert_eq!((histogram.width, histogram.n_exact, histogram.bins.len()), (1.0, 1, 10));
        let counted: Vec<_> = histogram.bins.iter().copied().filter(|&(_, n)| n > 0).collect();
        assert_eq!(counted, [(30.0, 1), (31.0, 1), (32.0, 1), (39.0, 1)]);
        assert!((histogram.mean - 33.4725).abs() < 1e-9);
        assert_eq!(Histogram::of(&[]).to_string(), "");
        assert_eq!(Histogram::of(&rows[..1]).bins, [(30.0, 1)]);
    }
}
