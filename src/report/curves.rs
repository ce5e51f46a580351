//! `psnr.svg` and `time.svg`, and as PNG: train and test PSNR over epochs or time, of one or several runs. `rates.svg`:
//! PSNR over bits a pixel.

use super::ReportError;
use super::canvas::{Anchor, Canvas, ImageCanvas, Stroke, SvgCanvas};
use super::font::{TextStyle, Weight};
use super::panel::picture_of;
use crate::atomic_write::write_cached;
use crate::picture::{Picture, save_png};
use std::path::Path;

mod axis;
mod labels;

use axis::Axis;
use labels::Label;

/// One row of a run's metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Passes over the training pixels.
    pub epoch: u64,
    /// Time of training until then.
    pub seconds: f64,
    /// On the training pixels, in dB; infinite for a perfect fit.
    pub psnr_train: f64,
    /// On the held-out pixels, if there are any.
    pub psnr_test: Option<f64>,
}

/// The metrics of one run, in order of epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Shown if there are several series.
    pub name: String,
    /// The rows.
    pub points: Vec<CurvePoint>,
}

/// What runs along the horizontal axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Epochs,
    Seconds,
}

impl Over {
    fn of(self, point: &CurvePoint) -> f64 {
        match self {
            Self::Epochs => point.epoch as f64,
            Self::Seconds => point.seconds,
        }
    }

    /// The axis' title, and its smallest step.
    fn axis(self) -> (&'static str, f64) {
        match self {
            Self::Epochs => ("epoch", 1.0),
            Self::Seconds => ("seconds of training", 1e-3),
        }
    }

    fn file_stem(self) -> &'static str {
        match self {
            Self::Epochs => "psnr",
            Self::Seconds => "time",
        }
    }
}

/// Colour and dashes of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineStyle {
    /// Index of the colour; after seven colours, lines are dashed.
    pub color: usize,
    /// 0 for a solid line, then increasingly long dashes.
    pub dash: usize,
}

impl LineStyle {
    fn one_after_another(n: usize) -> Vec<Self> {
        (0..n).map(|color| Self { color, dash: 0 }).collect()
    }

    fn rgb(self) -> [u8; 3] {
        PALETTE[self.color % PALETTE.len()]
    }

    fn dash(self) -> Option<f64> {
        let dash = self.dash + self.color / PALETTE.len();
        (dash > 0).then_some(3.0 + 3.0 * dash as f64)
    }
}

const WIDTH: u32 = 960;
const HEIGHT: u32 = 600;
/// Pixels per unit of the PNG, for sharp text on high-density screens.
const PNG_SCALE: u32 = 2;
/// More points than this are indistinguishable at this size.
const MAX_POINTS: usize = 1200;

/// Okabe and Ito's colour-blind-safe palette, without its yellow, which is illegible on white.
const PALETTE: [[u8; 3]; 7] = [
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xe6, 0x9f, 0x00],
    [0x56, 0xb4, 0xe9],
    [0x00, 0x00, 0x00],
];
const TEXT: [u8; 3] = [0x22; 3];
const GRID: [u8; 3] = [0xe4; 3];
const TICK_STYLE: TextStyle = TextStyle { size: 14.0, weight: Weight::Regular, rgb: [0x55; 3] };
const TITLE_STYLE: TextStyle = TextStyle { size: 15.0, weight: Weight::SemiBold, rgb: TEXT };
const LABEL_STYLE: TextStyle = TextStyle { size: 15.0, weight: Weight::Regular, rgb: TEXT };

/// Writes `psnr.svg` and `psnr.png` (at double resolution) into `folder`.
///
/// A single run has a line each for train and test PSNR. Of several runs, each has a colour: its
/// test PSNR, or else its train PSNR, is labelled with the run's name, and next to a test PSNR a
/// thin pale line shows the train PSNR. Perfect fits are drawn at the top edge; NaN is left out.
pub fn save_psnr_curves(folder: &Path, series: &[Series]) -> Result<(), ReportError> {
    save_styled_curves(folder, Over::Epochs, series, &LineStyle::one_after_another(series.len()))
}

/// [`save_psnr_curves`] with a style for each series, or `time.svg` and `time.png`.
pub(crate) fn save_styled_curves(
    folder: &Path,
    over: Over,
    series: &[Series],
    styles: &[LineStyle],
) -> Result<(), ReportError> {
    chart(over, series, styles).save(folder, over.file_stem())
}

/// The curves as an SVG document of 960x600 units.
pub fn psnr_svg(series: &[Series]) -> String {
    styled_svg(Over::Epochs, series, &LineStyle::one_after_another(series.len()))
}

/// [`psnr_svg`] with a style for each series.
pub(crate) fn styled_svg(over: Over, series: &[Series], styles: &[LineStyle]) -> String {
    chart(over, series, styles).svg()
}

fn chart(over: Over, series: &[Series], styles: &[LineStyle]) -> Chart {
    Chart { axis: over.axis(), lines: lines(over, series, styles) }
}

/// PSNR over bits a pixel of one codec.
pub(crate) struct RateCurve {
    pub(crate) name: String,
    /// (bits a pixel, dB)
    pub(crate) points: Vec<(f64, f64)>,
}

/// What runs along the axis of rates, and its smallest step.
const RATE_AXIS: (&str, f64) = ("bits a pixel", 1e-3);

/// Writes `rates.svg` and `rates.png` (at double resolution) into `folder`: for each name, PSNR in dB over bits a pixel.
pub(crate) fn save_rate_curves(folder: &Path, curves: &[RateCurve]) -> Result<(), ReportError> {
    rate_chart(curves).save(folder, "rates")
}

/// The curves of [`save_rate_curves`] as an SVG document of 960x600 units.
pub(crate) fn rate_svg(curves: &[RateCurve]) -> String {
    rate_chart(curves).svg()
}

fn rate_chart(curves: &[RateCurve]) -> Chart {
    let line = |(curve, style): (&RateCurve, LineStyle)| Line {
        points: curve.points.clone(),
        rgb: style.rgb(),
        dash: None,
        label: Some(short(&curve.name)),
        has_dots: true,
    };
    let styles = LineStyle::one_after_another(curves.len());
    let lines = curves.iter().zip(styles).map(line).filter(|line| !line.points.is_empty());
    Chart { axis: RATE_AXIS, lines: lines.collect() }
}

/// The curves as an RGB picture of 1920x1200 pixels.
pub fn psnr_picture(series: &[Series]) -> Picture {
    chart(Over::Epochs, series, &LineStyle::one_after_another(series.len())).picture()
}

/// Lines over a horizontal axis.
struct Chart {
    /// The axis' title, and its smallest step.
    axis: (&'static str, f64),
    lines: Vec<Line>,
}

impl Chart {
    fn svg(&self) -> String {
        let mut canvas = SvgCanvas::new(WIDTH, HEIGHT);
        draw(&mut canvas, self.axis, &self.lines);
        canvas.finish()
    }

    fn picture(&self) -> Picture {
        let mut canvas = ImageCanvas::new(WIDTH, HEIGHT, PNG_SCALE);
        draw(&mut canvas, self.axis, &self.lines);
        picture_of(canvas.finish())
    }

    /// Writes it as SVG, and as PNG at double resolution.
    fn save(&self, folder: &Path, name: &str) -> Result<(), ReportError> {
        let path = folder.join(name).with_extension("svg");
        write_cached(&path, self.svg().as_bytes()).map_err(|source| ReportError::Write { path, source })?;
        Ok(save_png(&self.picture(), &folder.join(name).with_extension("png"))?)
    }
}

/// One line of the plot, decimated and without NaN.
struct Line {
    /// (what runs along the axis, dB)
    points: Vec<(f64, f64)>,
    rgb: [u8; 3],
    dash: Option<f64>,
    /// None for the thin line of train PSNR next to a labelled one.
    label: Option<String>,
    /// Whether each point has a dot, not only the last.
    has_dots: bool,
}

fn draw(canvas: &mut dyn Canvas, (title, smallest_step): (&'static str, f64), lines: &[Line]) {
    let labels: Vec<String> = lines.iter().filter_map(label_text).collect();
    let widest = labels.iter().map(|l| LABEL_STYLE.text_width(l)).fold(0.0, f32::max);
    let right = f64::from(WIDTH) - f64::from(widest) - labels::OFFSET - 24.0;
    let all = || lines.iter().flat_map(|line| line.points.iter().copied());
    let last = all().map(|(x, _)| x).fold(0.0, f64::max);
    let frame = Frame {
        title,
        x: Axis::from_zero(last, smallest_step, [64.0, right]),
        y: Axis::decibels(all().map(|(_, db)| db), [f64::from(HEIGHT) - 64.0, 64.0]),
    };
    frame.draw(canvas);
    if lines.iter().any(|line| line.label.is_none()) {
        let note = "strong: test pixels, pale: training pixels";
        canvas.text([right, 28.0], Anchor::End, TICK_STYLE, note);
    }
    for line in lines {
        frame.draw_line(canvas, line);
    }
    let ends: Vec<Label> = lines.iter().filter_map(|line| frame.label(line)).collect();
    labels::draw(canvas, ends, frame.y.pixels, LABEL_STYLE);
}

fn lines(over: Over, series: &[Series], styles: &[LineStyle]) -> Vec<Line> {
    let train = |s: &Series| decimate(s.points.iter().map(|p| (over.of(p), Some(p.psnr_train))));
    let test = |s: &Series| decimate(s.points.iter().map(|p| (over.of(p), p.psnr_test)));
    let line = |points, rgb, dash, label| Line { points, rgb, dash, label, has_dots: false };
    let mut out = Vec::new();
    if let [only] = series {
        out.push(line(train(only), PALETTE[0], None, Some("train".to_owned())));
        out.push(line(test(only), PALETTE[1], None, Some("test".to_owned())));
    } else {
        for (s, style) in series.iter().zip(styles) {
            let (rgb, dash, test) = (style.rgb(), style.dash(), test(s));
            let label = Some(short(&s.name));
            // Beside a test PSNR the other is thin and without a name.
            out.push(line(train(s), rgb, dash, label.clone().filter(|_| test.is_empty())));
            out.push(line(test, rgb, dash, label));
        }
    }
    out.retain(|line| !line.points.is_empty());
    out
}

/// Drops NaN, then decimates to about [`MAX_POINTS`], keeping the last point.
fn decimate(points: impl Iterator<Item = (f64, Option<f64>)>) -> Vec<(f64, f64)> {
    let usable = |db: f64| db.is_finite() || db == f64::INFINITY;
    let points: Vec<(f64, f64)> =
        points.filter_map(|(x, db)| Some((x, db.filter(|&db| usable(db))?))).collect();
    let stride = points.len().div_ceil(MAX_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points.into_iter().enumerate().filter(|(i, _)| i % stride == 0 || *i == last).map(|(_, p)| p).collect()
}

/// A name truncated to fit beside the plot.
fn short(name: &str) -> String {
    const LONGEST: usize = 28;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn label_text(line: &Line) -> Option<String> {
    let (_, db) = *line.points.last()?;
    let name = line.label.as_ref()?;
    Some(if db.is_finite() { format!("{name} {db:.1} dB") } else { format!("{name} exact") })
}

struct Frame {
    /// Of the horizontal axis.
    title: &'static str,
    x: Axis,
    y: Axis,
}

impl Frame {
    fn draw(&self, canvas: &mut dyn Canvas) {
        let ([left, right], [bottom, top]) = (self.x.pixels, self.y.pixels);
        let grid = Stroke { rgb: GRID, width: 1.0, opacity: 1.0, dash: None };
        for (value, name) in self.y.ticks() {
            let y = self.y.place(value);
            canvas.line(&[[left, y], [right, y]], grid);
            canvas.text([left - 10.0, y], Anchor::End, TICK_STYLE, &name);
        }
        for (value, name) in self.x.ticks() {
            let x = self.x.place(value);
            canvas.line(&[[x, bottom], [x, top]], grid);
            canvas.text([x, bottom + 18.0], Anchor::Middle, TICK_STYLE, &name);
        }
        canvas.line(&[[left, bottom], [right, bottom]], Stroke { rgb: [0x99; 3], ..grid });
        canvas.text([20.0, 28.0], Anchor::Start, TITLE_STYLE, "PSNR (dB)");
        canvas.text([(left + right) / 2.0, bottom + 44.0], Anchor::Middle, TITLE_STYLE, self.title);
    }

    fn place(&self, (x, db): (f64, f64)) -> [f64; 2] {
        [self.x.place(x), self.y.place(db)]
    }

    fn draw_line(&self, canvas: &mut dyn Canvas, line: &Line) {
        let points: Vec<[f64; 2]> = line.points.iter().map(|&p| self.place(p)).collect();
        let (width, opacity) = if line.label.is_some() { (2.5, 1.0) } else { (1.25, 0.5) };
        canvas.line(&points, Stroke { rgb: line.rgb, width, opacity, dash: line.dash });
        if line.label.is_some() {
            let first = if line.has_dots { 0 } else { points.len().saturating_sub(1) };
            points[first..].iter().for_each(|&point| canvas.dot(point, 4.0, line.rgb));
        }
    }

    fn label(&self, line: &Line) -> Option<Label> {
        let end = self.place(*line.points.last()?);
        Some(Label { text: label_text(line)?, rgb: line.rgb, end, column: self.x.pixels[1] })
    }
}
