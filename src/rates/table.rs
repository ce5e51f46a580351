//! Means over pictures, and the tables: `rates.csv` and `rates.md`.

use super::codec::Codec;
use super::plan::Rates;
use super::point::{Measured, Point};
use super::{RatesError, Result};
use crate::atomic_write::write_cached;
use crate::compare::quoted;
use crate::report::{Table, TableRow, plain};

/// Means over all pictures. Where a picture has no file, there is no mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Means {
    /// The codecs, in order.
    pub codecs: Vec<Codec>,
    /// A codec, a rate, and the means of bits a pixel and of PSNR in dB, by rate.
    all: Vec<(Codec, f64, [f64; 2])>,
}

impl Means {
    /// Of these points.
    pub fn of(points: &[Point]) -> Self {
        let mut codecs: Vec<Codec> = points.iter().map(|point| point.codec).collect();
        codecs.sort();
        codecs.dedup();
        let mut rates: Vec<f64> = points.iter().map(|point| point.rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let mut all = Vec::new();
        for (&codec, &rate) in codecs.iter().flat_map(|codec| rates.iter().map(move |rate| (codec, rate))) {
            let files = points.iter().filter(|p| p.rate == rate && p.codec == codec).map(|p| p.file);
            if let Some(files) = files.collect::<Option<Vec<_>>>().filter(|files| !files.is_empty()) {
                let mean = |of: fn(&Measured) -> f64| files.iter().map(of).sum::<f64>() / files.len() as f64;
                all.push((codec, rate, [mean(|file| file.bits_per_pixel), mean(|file| file.psnr)]));
            }
        }
        Self { codecs, all }
    }

    /// The mean PSNR in dB at a rate.
    pub fn psnr(&self, codec: Codec, rate: f64) -> Option<f64> {
        self.all.iter().find(|mean| (mean.0, mean.1) == (codec, rate)).map(|mean| mean.2[1])
    }

    /// (bits a pixel, dB) of a codec, by rate.
    pub(super) fn curve(&self, codec: Codec) -> Vec<(f64, f64)> {
        self.all.iter().filter(|mean| mean.0 == codec).map(|&(.., [bits, psnr])| (bits, psnr)).collect()
    }
}

/// Decibels with two decimals; a dash where there is no file.
pub(super) fn decibels(psnr: Option<f64>) -> String {
    psnr.map_or_else(|| "–".to_owned(), |psnr| format!("{psnr:.2}"))
}

/// "1 bit a pixel", "0.3 bits a pixel".
pub(super) fn bits(rate: f64) -> String {
    format!("{rate} {} a pixel", if rate == 1.0 { "bit" } else { "bits" })
}

pub(super) fn write(rates: &Rates, points: &[Point]) -> Result<()> {
    for (name, text) in [("rates.csv", csv(points)), ("rates.md", markdown(rates, points))] {
        let path = rates.request.out.join(name);
        write_cached(&path, text.as_bytes()).map_err(|e| RatesError::file(&path, e))?;
    }
    Ok(())
}

fn csv(points: &[Point]) -> String {
    let mut text = "picture,codec,rate,bytes,bits_per_pixel,psnr\n".to_owned();
    for Point { picture, codec, rate, file } in points {
        let rest = file.map_or_else(
            || ",,".to_owned(),
            |Measured { bytes, bits_per_pixel, psnr }| format!("{bytes},{bits_per_pixel},{psnr}"),
        );
        text.push_str(&format!("{},{},{rate},{rest}\n", quoted(picture), codec.name()));
    }
    text
}

/// The mean PSNR of each codec at each rate.
pub(super) fn table(rates: &[f64], points: &[Point]) -> Table {
    let means = Means::of(points);
    let row = |&rate: &f64| TableRow {
        name: rate.to_string(),
        cells: means.codecs.iter().map(|&codec| Some(decibels(means.psnr(codec, rate)))).collect(),
        best: None,
    };
    let columns = means.codecs.iter().map(|codec| codec.name().to_owned()).collect();
    Table { columns, rows: rates.iter().map(row).collect() }
}

fn markdown(rates: &Rates, points: &[Point]) -> String {
    let table = |points: &[Point]| table(&rates.request.rates, points).markdown("bits a pixel");
    let names = pictures(points);
    let mut text = format!("# Rate and distortion\n\n{}\n\n{}", about(rates, points), table(points));
    for name in names.iter().filter(|_| names.len() > 1) {
        let own: Vec<Point> = points.iter().filter(|point| point.picture == *name).cloned().collect();
        text.push_str(&format!("\n## {}\n\n{}", plain(name), table(&own)));
    }
    text.push_str("\n`rates.csv` has the sizes; the files are beside it, in a folder for each picture.\n");
    text
}

/// The names of the pictures, in order.
pub(super) fn pictures(points: &[Point]) -> Vec<&str> {
    let mut names: Vec<&str> = points.iter().map(|point| point.picture.as_str()).collect();
    names.dedup();
    names
}

/// What the main table is of.
pub(super) fn about(rates: &Rates, points: &[Point]) -> String {
    let what = match pictures(points).as_slice() {
        [only] => format!("PSNR in dB of {only}"),
        names => format!("Mean PSNR in dB of {} pictures", names.len()),
    };
    let steps = rates.request.effort.steps;
    format!(
        "{what} from files of at most so many bits a pixel, all bytes counted; ours were trained for {steps} steps."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_over_all_pictures_or_none() {
        let point = |picture: &str, codec, rate, psnr: Option<f64>| Point {
            picture: picture.to_owned(),
            codec,
            rate,
            file: psnr.map(|psnr| Measured { bytes: 100, bits_per_pixel: rate * 0.5, psnr }),
        };
        let points = [
            point("a", Codec::Afterimage, 0.5, Some(30.0)),
            point("a", Codec::Jpeg, 0.5, None),
            point("b", Codec::Afterimage, 0.5, Some(33.0)),
            point("b", Codec::Jpeg, 0.5, Some(28.0)),
        ];
        let means = Means::of(&points);
        assert_eq!(means.codecs, [Codec::Afterimage, Codec::Jpeg]);
        assert_eq!(means.curve(Codec::Afterimage), [(0.25, 31.5)]);
        assert_eq!((means.psnr(Codec::Afterimage, 0.5), means.psnr(Codec::Jpeg, 0.5)), (Some(31.5), None));
        assert!(csv(&points).contains("a,JPEG,0.5,,,\n"), "{}", csv(&points));
    }
}
