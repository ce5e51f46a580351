//! Curves, sheets with pictures side by side, and `report.html`.

use super::codec::Codec;
use super::plan::Rates;
use super::point::{Measured, Point};
use super::table::{Means, about, bits, decibels, pictures, table};
use super::{RatesError, Result};
use crate::atomic_write::write_cached;
use crate::compare::Source;
use crate::picture::Picture;
use crate::report::page::{inline_image, page, tile, truth_tile, wipe};
use crate::report::{RateCurve, Sheet, rate_svg, save_rate_curves};
use maud::{Markup, PreEscaped, html};

/// Maximum side of inlined pictures.
const PICTURE_SIDE: u32 = 768;

/// A picture's part of the page. Holds the page's text rather than pictures.
pub(super) struct Scene(Markup);

impl Scene {
    /// Draws `sheet.png` into the picture's folder, and the picture's part of the page.
    pub(super) fn new<'a>(
        rates: &Rates,
        source: &Source,
        truth: &Picture,
        files: &'a [(Point, Option<Picture>)],
    ) -> Result<Self> {
        let mut sheet = Sheet::default();
        let points: Vec<Point> = files.iter().map(|(point, _)| point.clone()).collect();
        let of_rate = |rate: f64| {
            let made = |(point, picture): &'a (Point, Option<Picture>)| {
                Some((point, point.file?, picture.as_ref()?))
            };
            files.iter().filter(move |(point, _)| point.rate == rate).filter_map(made)
        };
        for &rate in &rates.request.rates {
            sheet.start_row(&bits(rate));
            sheet.push(truth, "original");
            for (point, file, picture) in of_rate(rate) {
                sheet.push(picture, label(point, file));
            }
        }
        sheet.save(&rates.folder(source).join("sheet.png"))?;
        let scene = |rate: f64| {
            let best =
                of_rate(rate).max_by(|a, b| a.1.psnr.total_cmp(&b.1.psnr)).map(|(point, ..)| point.codec);
            html! {
                section.scene {
                    h2 { (source.name) ", " (bits(rate)) }
                    div.row {
                        @for (point, file, picture) in of_rate(rate) {
                            (tile(
                                picture, PICTURE_SIDE, &label(point, file), best == Some(point.codec),
                                &html! { (point.codec.name()) " " b { (decibels(Some(file.psnr))) " dB" } },
                            ))
                        }
                        (truth_tile(truth, PICTURE_SIDE))
                    }
                    (wipe())
                }
            }
        };
        Ok(Self(html! {
            h2 { (source.name) }
            (curves(&points))
            (table(&rates.request.rates, &points).html("bits a pixel", None))
            @for &rate in &rates.request.rates { (scene(rate)) }
            details { summary { "All side by side" } (inline_image(&sheet.draw(), 2200, "sheet")) }
        }))
    }
}

fn label(point: &Point, file: Measured) -> String {
    format!("{} {:.3}, {:.2} dB", point.codec.name(), file.bits_per_pixel, file.psnr)
}

/// A curve for each codec.
fn lines(points: &[Point]) -> Vec<RateCurve> {
    let means = Means::of(points);
    let line = |&codec: &Codec| RateCurve { name: codec.name().to_owned(), points: means.curve(codec) };
    means.codecs.iter().map(line).collect()
}

fn curves(points: &[Point]) -> Markup {
    html! { figure { (PreEscaped(rate_svg(&lines(points)))) } }
}

/// Writes `rates.svg`, `rates.png` and `report.html`.
pub(super) fn write(rates: &Rates, points: &[Point], scenes: &[Scene], notes: &[String]) -> Result<()> {
    save_rate_curves(&rates.request.out, &lines(points))?;
    let several = pictures(points).len() > 1;
    let body = html! {
        p.lead { (about(rates, points)) }
        @if several {
            (curves(points))
            (table(&rates.request.rates, points).html("bits a pixel", None))
        }
        @for note in notes { p.soft { (note) "." } }
        @for failure in &rates.failures { p.soft { "Left out: " (failure.name) ", " (failure.reason) "." } }
        @for scene in scenes { (scene.0) }
        p.soft { "rates.csv beside this page has all numbers; the files are in a folder for each picture." }
    };
    let path = rates.request.out.join("report.html");
    write_cached(&path, page("Rate and distortion", &body).as_bytes()).map_err(|e| RatesError::file(&path, e))
}
