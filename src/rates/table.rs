//! Means over pictures, and the tables: `rates.csv` and `rates.md`.

use super::RatesError;
use super::codec::Codec;
use super::plan::Rates;
use super::point::Point;
use crate::atomic_write::write_cached;
use crate::compare::{plain, quoted};

/// The mean of one codec at one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// What made the files.
    pub codec: Codec,
    /// Bits a pixel that there may be at most.
    pub rate: f64,
    /// The mean of the files' bits a pixel.
    pub bits_per_pixel: f64,
    /// The mean of their PSNR in dB.
    pub psnr: f64,
}

/// The means over all pictures, in the order of rates and codecs. Where a picture has no file, there is no mean.
pub fn means(points: &[Point]) -> Vec<Mean> {
    let mut keys: Vec<(f64, Codec)> = points.iter().map(|point| (point.rate, point.codec)).collect();
    keys.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    keys.dedup();
    let mean = |(rate, codec)| {
        let these: Vec<&Point> = points.iter().filter(|p| p.rate == rate && p.codec == codec).collect();
        let over = |of: fn(&Point) -> f64| these.iter().map(|p| of(p)).sum::<f64>() / these.len() as f64;
        Mean { codec, rate, bits_per_pixel: over(|p| p.bits_per_pixel), psnr: over(|p| p.psnr) }
    };
    keys.into_iter().map(mean).filter(|mean| !mean.psnr.is_nan()).collect()
}

/// Decibels with two decimals; a dash where there is no file.
pub(super) fn decibels(psnr: Option<f64>) -> String {
    psnr.filter(|psnr| !psnr.is_nan()).map_or_else(|| "–".to_owned(), |psnr| format!("{psnr:.2}"))
}

/// "1 bit a pixel", "0.3 bits a pixel".
pub(super) fn bits(rate: f64) -> String {
    format!("{rate} {} a pixel", if rate == 1.0 { "bit" } else { "bits" })
}

/// The codecs of the points, in order.
pub(super) fn codecs(points: &[Point]) -> Vec<Codec> {
    let mut codecs: Vec<Codec> = points.iter().map(|point| point.codec).collect();
    codecs.sort();
    codecs.dedup();
    codecs
}

pub(super) fn write(rates: &Rates, points: &[Point]) -> Result<(), RatesError> {
    for (name, text) in [("rates.csv", csv(points)), ("rates.md", markdown(rates, points))] {
        let path = rates.request.out.join(name);
        write_cached(&path, text.as_bytes()).map_err(|e| RatesError::file(&path, e))?;
    }
    Ok(())
}

fn csv(points: &[Point]) -> String {
    let mut text = "picture,codec,rate,bytes,bits_per_pixel,psnr\n".to_owned();
    for Point { picture, codec, rate, bytes, bits_per_pixel, psnr } in points {
        let rest = bytes.map_or_else(|| ",,".to_owned(), |bytes| format!("{bytes},{bits_per_pixel},{psnr}"));
        text.push_str(&format!("{},{},{rate},{rest}\n", quoted(picture), codec.name()));
    }
    text
}

fn markdown(rates: &Rates, points: &[Point]) -> String {
    let codecs = codecs(points);
    let names: String = codecs.iter().map(|codec| format!(" {} |", codec.name())).collect();
    let header = format!("| bits a pixel |{names}\n|---|{}\n", "---:|".repeat(codecs.len()));
    let table = |psnr: &dyn Fn(Codec, f64) -> Option<f64>| {
        let row = |&rate: &f64| {
            let cells: String =
                codecs.iter().map(|&codec| format!(" {} |", decibels(psnr(codec, rate)))).collect();
            format!("| {rate} |{cells}\n")
        };
        format!("{header}{}", rates.request.rates.iter().map(row).collect::<String>())
    };
    let means = means(points);
    let mean = |codec, rate| means.iter().find(|m| m.codec == codec && m.rate == rate).map(|m| m.psnr);
    let names = pictures(points);
    let mut text = format!("# Rate and distortion\n\n{}\n\n{}", about(rates, points), table(&mean));
    for name in names.iter().filter(|_| names.len() > 1) {
        let own = |codec, rate| {
            points.iter().find(|p| p.picture == *name && p.codec == codec && p.rate == rate).map(|p| p.psnr)
        };
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
        let point = |picture: &str, codec, rate, psnr: f64| Point {
            picture: picture.to_owned(),
            codec,
            rate,
            bytes: (!psnr.is_nan()).then_some(100),
            bits_per_pixel: rate * 0.9,
            psnr,
        };
        let points = [
            point("a", Codec::Afterimage, 0.3, 30.0),
            point("a", Codec::Jpeg, 0.3, f64::NAN),
            point("b", Codec::Afterimage, 0.3, 33.0),
            point("b", Codec::Jpeg, 0.3, 28.0),
        ];
        let mean = Mean { codec: Codec::Afterimage, rate: 0.3, bits_per_pixel: 0.27, psnr: 31.5 };
        assert_eq!(means(&points), [mean]);
        assert!(csv(&points).contains("a,JPEG,0.3,,,\n"), "{}", csv(&points));
    }
}
