//! Drawing surfaces for charts: SVG and RGB images.

use super::font::{CAP_HEIGHT, TextStyle, Weight, blend};
use image::{Rgb, RgbImage};
use std::fmt::Write;

/// Horizontal alignment of text to its point, which is at half the height of its capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// To the right of the point.
    Start,
    /// Centred on it.
    Middle,
    /// To the left of it.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stroke {
    /// sRGB.
    pub(crate) rgb: [u8; 3],
    /// Width in units of the drawing.
    pub(crate) width: f64,
    /// 1 is opaque.
    pub(crate) opacity: f64,
    /// Length of dashes and of the gaps between them; none for a solid line.
    pub(crate) dash: Option<f64>,
}

/// A drawing surface. x runs right, y down, in units of the drawing.
pub(crate) trait Canvas {
    /// Draws a line through `points`, or a dot at a single one.
    fn line(&mut self, points: &[[f64; 2]], stroke: Stroke);
    fn dot(&mut self, center: [f64; 2], radius: f64, rgb: [u8; 3]);
    fn text(&mut self, at: [f64; 2], anchor: Anchor, style: TextStyle, text: &str);
}

pub(crate) struct SvgCanvas {
    body: String,
}

impl SvgCanvas {
    /// A white sheet of `width` by `height` units.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let body = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" \
             font-family=\"Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        Self { body }
    }

    pub(crate) fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }

    /// A filled rectangle, by its upper left corner and its size.
    pub(crate) fn bar(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2], rgb: [u8; 3]) {
        let fill = hex(rgb);
        self.push(format_args!(
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\"/>"
        ));
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        self.body.write_fmt(element).expect("writing to a string");
        self.body.push('\n');
    }
}

impl Canvas for SvgCanvas {
    fn line(&mut self, points: &[[f64; 2]], stroke: Stroke) {
        let mut list = String::new();
        for [x, y] in points {
            let _ = write!(list, "{x:.2},{y:.2} ");
        }
        // A path of length 0 is drawn only if it has a second, equal point.
        if let [[x, y]] = points {
            let _ = write!(list, "{x:.2},{y:.2}");
        }
        let Stroke { rgb, width, opacity, dash } = stroke;
        let dash = dash.map_or(String::new(), |d| format!(" stroke-dasharray=\"{d} {d}\""));
        let (points, color) = (list.trim_end(), hex(rgb));
        self.push(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" \
             stroke-opacity=\"{opacity}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"{dash}/>"
        ));
    }

    fn dot(&mut self, [x, y]: [f64; 2], radius: f64, rgb: [u8; 3]) {
        let fill = hex(rgb);
        self.push(format_args!("<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" fill=\"{fill}\"/>"));
    }

    fn text(&mut self, [x, y]: [f64; 2], anchor: Anchor, style: TextStyle, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = match style.weight {
            Weight::Regular => 400,
            Weight::SemiBold => 600,
        };
        let baseline = y + f64::from(style.size * CAP_HEIGHT / 2.0);
        let (size, color, text) = (style.size, hex(style.rgb), escape(text));
        self.push(format_args!(
            "<text x=\"{x:.2}\" y=\"{baseline:.2}\" text-anchor=\"{anchor}\" font-size=\"{size}\" \
             font-weight=\"{weight}\" fill=\"{color}\">{text}</text>"
        ));
    }
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Escapes for XML 1.0, which does not allow control characters, not even escaped.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Draws an antialiased RGB image with `scale` pixels per unit.
pub(crate) struct ImageCanvas {
    image: RgbImage,
    scale: f64,
}

impl ImageCanvas {
    /// A white sheet of `width` by `height` units.
    pub(crate) fn new(width: u32, height: u32, scale: u32) -> Self {
        let image = RgbImage::from_pixel(width * scale, height * scale, Rgb([255; 3]));
        Self { image, scale: f64::from(scale) }
    }

    pub(crate) fn finish(self) -> RgbImage {
        self.image
    }

    /// Blends every pixel near `segments` by its coverage within `radius` pixels of the nearest
    /// segment, so that joints are not drawn twice.
    fn fill_near(&mut self, segments: &[[[f64; 2]; 2]], radius: f64, rgb: [u8; 3], opacity: f64) {
        let (width, height) = self.image.dimensions();
        let mut coverage = std::collections::BTreeMap::new();
        for [a, b] in segments {
            let span = |axis: usize, side: u32| {
                let low = (a[axis].min(b[axis]) - radius - 1.0).floor().clamp(0.0, f64::from(side));
                let high = (a[axis].max(b[axis]) + radius + 1.0).ceil().clamp(0.0, f64::from(side));
                low as u32..high as u32
            };
            for y in span(1, height) {
                for x in span(0, width) {
                    let near = radius + 0.5 - distance([f64::from(x) + 0.5, f64::from(y) + 0.5], *a, *b);
                    if near > 0.0 {
                        let most = coverage.entry((y, x)).or_insert(0.0f64);
                        *most = most.max(near.min(1.0));
                    }
                }
            }
        }
        for ((y, x), share) in coverage {
            blend(&mut self.image, i64::from(x), i64::from(y), rgb, (share * opacity) as f32);
        }
    }
}

/// Distance from `point` to the segment from `a` to `b`.
fn distance(point: [f64; 2], a: [f64; 2], b: [f64; 2]) -> f64 {
    let along = [b[0] - a[0], b[1] - a[1]];
    let from_a = [point[0] - a[0], point[1] - a[1]];
    let length_squared = along[0] * along[0] + along[1] * along[1];
    let t = if length_squared > 0.0 {
        ((from_a[0] * along[0] + from_a[1] * along[1]) / length_squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (from_a[0] - t * along[0]).hypot(from_a[1] - t * along[1])
}

impl Canvas for ImageCanvas {
    fn line(&mut self, points: &[[f64; 2]], stroke: Stroke) {
        let scaled: Vec<[f64; 2]> = points.iter().map(|p| p.map(|v| v * self.scale)).collect();
        let segments = match (scaled.as_slice(), stroke.dash) {
            ([], _) => return,
            ([point], _) => vec![[*point, *point]],
            (points, None) => points.windows(2).map(|pair| [pair[0], pair[1]]).collect(),
            (points, Some(dash)) => dashes(points, dash * self.scale),
        };
        self.fill_near(&segments, stroke.width * self.scale / 2.0, stroke.rgb, stroke.opacity);
    }

    fn dot(&mut self, center: [f64; 2], radius: f64, rgb: [u8; 3]) {
        let center = center.map(|v| v * self.scale);
        self.fill_near(&[[center, center]], radius * self.scale, rgb, 1.0);
    }

    fn text(&mut self, [x, y]: [f64; 2], anchor: Anchor, style: TextStyle, text: &str) {
        let style = TextStyle { size: style.size * self.scale as f32, ..style };
        let width = style.text_width(text);
        let shift = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        };
        let baseline = (y * self.scale) as f32 + style.size * CAP_HEIGHT / 2.0;
        style.draw(&mut self.image, (x * self.scale) as f32 - shift, baseline.round(), text);
    }
}

/// Cuts a line into dashes and gaps of length `dash`.
fn dashes(points: &[[f64; 2]], dash: f64) -> Vec<[[f64; 2]; 2]> {
    let mut out = Vec::new();
    let mut walked = 0.0;
    for pair in points.windows(2) {
        let [a, b] = [pair[0], pair[1]];
        let length = (b[0] - a[0]).hypot(b[1] - a[1]);
        let at = |d: f64| [0, 1].map(|i| a[i] + (b[i] - a[i]) * d / length);
        let mut from = 0.0;
        while from < length {
            let phase = (walked + from) % (2.0 * dash);
            let drawn = phase < dash;
            // Steps must not be so short that rounding makes them 0.
            let left = (if drawn { dash } else { 2.0 * dash } - phase).max(dash * 1e-3);
            let to = (from + left).min(length);
            if drawn {
                out.push([at(from), at(to)]);
            }
            from = to;
        }
        walked += length;
    }
    out
}
