//! Simple pictures, made by code from a seed: pages, drawings, logos, icons, star fields, nearly black and
//! nearly white photographs, gradients, checkerboards, noise, one colour, one bit.
//!
//! People try these first, and networks that are meant for photographs fail on them: most of their
//! pixels have one colour, and it is often the end of the range.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{DynamicImage, Rgba, RgbaImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

/// A picture and what it shows.
pub(crate) struct Simple {
    /// For file names and tables.
    pub(crate) name: &'static str,
    /// With an alpha channel that matters only where some pixel is not opaque.
    pub(crate) image: RgbaImage,
}

type Draw = fn(&mut Canvas);

const WHITE: [u8; 4] = [255; 4];
const BLACK: [u8; 4] = [0, 0, 0, 255];

impl Simple {
    /// Writes it as RGB, or as RGBA where some pixel is not opaque.
    pub(crate) fn save(&self, path: &Path) {
        let opaque = self.image.pixels().all(|pixel| pixel.0[3] == 255);
        let saved = match opaque {
            true => DynamicImage::from(self.image.clone()).to_rgb8().save(path),
            false => self.image.save(path),
        };
        saved.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

/// All kinds, `side` x `side` pixels.
pub(crate) fn all(side: u32, seed: u64) -> Vec<Simple> {
    let kinds: [(&'static str, Draw); 24] = [
        ("page", page),
        ("coloured-words", coloured_words),
        ("words-on-black", words_on_black),
        ("lines", lines),
        ("drawing", drawing),
        ("logo", logo),
        ("icon", icon),
        ("icon-black", icon_black),
        ("stars", stars),
        ("one-star", one_star),
        ("dark-photo", |c| c.photograph(|v| 0.04 * v)),
        ("bright-photo", |c| c.photograph(|v| 1.0 - 0.04 * (1.0 - v))),
        ("gradient", gradient),
        ("faint-gradient", |c| c.each(|_, x, y| grey(0.5 + 0.01 * (x - y)))),
        ("checks-1", |c| checks(c, 1)),
        ("checks-2", |c| checks(c, 2)),
        ("checks-8", |c| checks(c, 8)),
        ("noise", |c| c.each(|rng, _, _| [rng.random(), rng.random(), rng.random(), 255])),
        ("grey-noise", |c| c.each(|rng, _, _| grey(rng.random()))),
        ("white", |c| _ = c.fill(WHITE)),
        ("black", |c| _ = c.fill(BLACK)),
        ("one-colour", |c| _ = c.fill([203, 67, 12, 255])),
        ("one-bit", one_bit),
        ("one-bit-page", |c| {
            page(c);
            c.threshold();
        }),
    ];
    kinds
        .map(|(name, draw)| {
            let mut canvas =
                Canvas { image: RgbaImage::new(side, side), rng: ChaCha8Rng::seed_from_u64(seed) };
            draw(&mut canvas);
            Simple { name, image: canvas.image }
        })
        .into()
}

fn grey(value: f32) -> [u8; 4] {
    let value = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    [value, value, value, 255]
}

struct Canvas {
    image: RgbaImage,
    rng: ChaCha8Rng,
}

impl Canvas {
    fn side(&self) -> u32 {
        self.image.width()
    }

    fn fill(&mut self, colour: [u8; 4]) -> &mut Self {
        self.image.pixels_mut().for_each(|pixel| *pixel = Rgba(colour));
        self
    }

    /// Each pixel from its position in [0, 1).
    fn each(&mut self, mut colour: impl FnMut(&mut ChaCha8Rng, f32, f32) -> [u8; 4]) {
        let side = self.side() as f32;
        for (x, y, pixel) in self.image.enumerate_pixels_mut() {
            *pixel = Rgba(colour(&mut self.rng, x as f32 / side, y as f32 / side));
        }
    }

    /// The portrait, each value changed by `tone`.
    fn photograph(&mut self, tone: impl Fn(f32) -> f32) {
        let portrait = image::open(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/astronaut.png"));
        let side = self.side();
        let resized = portrait.expect("the portrait is there").thumbnail_exact(side, side).to_rgba8();
        self.image = resized;
        for pixel in self.image.pixels_mut() {
            for value in &mut pixel.0[..3] {
                *value = (tone(f32::from(*value) / 255.0) * 255.0).round() as u8;
            }
        }
    }

    fn threshold(&mut self) {
        for pixel in self.image.pixels_mut() {
            *pixel = Rgba(if pixel.0[0] >= 128 { WHITE } else { BLACK });
        }
    }

    fn blend(&mut self, x: i32, y: i32, colour: [u8; 4], coverage: f32) {
        let side = self.side() as i32;
        if (0..side).contains(&x) && (0..side).contains(&y) && coverage > 0.0 {
            let pixel = self.image.get_pixel_mut(x as u32, y as u32);
            for (under, over) in pixel.0.iter_mut().zip(colour) {
                let mixed = f32::from(*under) + (f32::from(over) - f32::from(*under)) * coverage.min(1.0);
                *under = mixed.round() as u8;
            }
        }
    }

    /// A disc with a soft rim, all in pixels.
    fn disc(&mut self, x: f32, y: f32, radius: f32, colour: [u8; 4]) {
        let reach = radius as i32 + 2;
        for row in y as i32 - reach..=y as i32 + reach {
            for column in x as i32 - reach..=x as i32 + reach {
                let distance = (column as f32 - x).hypot(row as f32 - y);
                self.blend(column, row, colour, (radius + 0.5 - distance).clamp(0.0, 1.0));
            }
        }
    }

    /// A line from one point to another, all in pixels.
    fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: [u8; 4]) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let steps = (length * 2.0).ceil().max(1.0) as u32;
        for step in 0..=steps {
            let t = step as f32 / steps as f32;
            self.disc(from.0 + (to.0 - from.0) * t, from.1 + (to.1 - from.1) * t, width / 2.0, colour);
        }
    }

    /// A line of text, its left end and baseline at (x, y).
    fn text(&mut self, text: &str, (x, y): (f32, f32), size: f32, colour: [u8; 4]) {
        let bytes = include_bytes!("../../assets/fonts/Inter-SemiBold.ttf");
        let font = FontRef::try_from_slice(bytes).expect("the font is valid");
        let scaled = font.as_scaled(PxScale::from(size));
        let mut pen = x;
        for letter in text.chars() {
            let glyph = font.glyph_id(letter).with_scale_and_position(PxScale::from(size), point(pen, y));
            pen += scaled.h_advance(font.glyph_id(letter));
            if let Some(outline) = font.outline_glyph(glyph) {
                let bounds = outline.px_bounds();
                outline.draw(|dx, dy, coverage| {
                    let at = (bounds.min.x as i32 + dx as i32, bounds.min.y as i32 + dy as i32);
                    self.blend(at.0, at.1, colour, coverage);
                });
            }
        }
    }

    fn anywhere(&mut self) -> (f32, f32) {
        let side = self.side() as f32;
        (self.rng.random_range(0.05..0.8) * side, self.rng.random_range(0.1..0.95) * side)
    }
}

const WORDS: [&str; 10] =
    ["river", "stone", "Light", "map", "ember", "Quartz", "fold", "sky", "Name", "under"];

fn page(canvas: &mut Canvas) {
    canvas.fill(WHITE);
    let side = canvas.side() as f32;
    let size = (side / 16.0).max(9.0);
    let mut y = 1.5 * size;
    while y < side - size / 2.0 {
        let first = canvas.rng.random_range(0..WORDS.len());
        let line: Vec<&str> = (0..8).map(|i| WORDS[(first + 3 * i) % WORDS.len()]).collect();
        canvas.text(&line.join(" "), (size / 2.0, y), size, BLACK);
        y += 1.3 * size;
    }
}

fn words(canvas: &mut Canvas, colour: impl Fn(&mut ChaCha8Rng) -> [u8; 4], n: usize) {
    let size = canvas.side() as f32 / 9.0;
    for word in WORDS.iter().take(n) {
        let at = canvas.anywhere();
        let colour = colour(&mut canvas.rng);
        canvas.text(word, at, size, colour);
    }
}

fn coloured_words(canvas: &mut Canvas) {
    words(canvas.fill(WHITE), |rng| [rng.random(), rng.random(), rng.random(), 255], 10);
}

fn words_on_black(canvas: &mut Canvas) {
    words(canvas.fill(BLACK), |_| WHITE, 8);
}

fn lines(canvas: &mut Canvas) {
    canvas.fill(WHITE);
    for _ in 0..12 {
        let (from, to) = (canvas.anywhere(), canvas.anywhere());
        canvas.line(from, to, 1.5, BLACK);
    }
}

fn drawing(canvas: &mut Canvas) {
    canvas.fill(WHITE);
    let side = canvas.side() as f32;
    for _ in 0..5 {
        let (x, y) = canvas.anywhere();
        let (rx, ry) = (canvas.rng.random_range(0.05..0.3) * side, canvas.rng.random_range(0.05..0.3) * side);
        let at = |t: f32| (x + rx * t.cos(), y + ry * t.sin());
        for i in 0..64 {
            let t = i as f32 / 64.0 * std::f32::consts::TAU;
            canvas.line(at(t), at(t + std::f32::consts::TAU / 64.0), 1.2, BLACK);
        }
    }
}

fn logo(canvas: &mut Canvas) {
    canvas.fill(WHITE);
    let side = canvas.side() as f32;
    canvas.disc(0.35 * side, 0.4 * side, 0.22 * side, [227, 38, 54, 255]);
    canvas.disc(0.6 * side, 0.45 * side, 0.18 * side, [24, 90, 188, 255]);
    canvas.disc(0.6 * side, 0.45 * side, 0.09 * side, WHITE);
    canvas.text("Acme", (0.2 * side, 0.9 * side), side / 5.0, BLACK);
}

fn icon(canvas: &mut Canvas) {
    canvas.fill([0; 4]);
    let side = canvas.side() as f32;
    canvas.disc(0.5 * side, 0.5 * side, 0.4 * side, [255, 179, 0, 255]);
    canvas.text("A", (0.33 * side, 0.68 * side), side / 2.0, WHITE);
}

fn icon_black(canvas: &mut Canvas) {
    canvas.fill([0; 4]);
    let side = canvas.side() as f32;
    for i in 0..3 {
        let y = (0.3 + 0.2 * i as f32) * side;
        canvas.line((0.2 * side, y), (0.8 * side, y), side / 12.0, BLACK);
    }
}

fn stars(canvas: &mut Canvas) {
    canvas.fill(BLACK);
    let side = canvas.side() as f32;
    for _ in 0..60 {
        let (x, y) = (canvas.rng.random_range(0.0..side), canvas.rng.random_range(0.0..side));
        let radius = canvas.rng.random_range(0.2..1.6);
        canvas.disc(x, y, radius, WHITE);
    }
}

fn one_star(canvas: &mut Canvas) {
    let (x, y) = (canvas.side() / 3, canvas.side() * 3 / 5);
    canvas.fill(BLACK).image.put_pixel(x, y, Rgba(WHITE));
}

fn gradient(canvas: &mut Canvas) {
    canvas.each(|_, x, y| [(255.0 * x) as u8, (255.0 * y) as u8, (255.0 * (1.0 - x)) as u8, 255]);
}

fn checks(canvas: &mut Canvas, cell: u32) {
    for (x, y, pixel) in canvas.image.enumerate_pixels_mut() {
        *pixel = Rgba(if (x / cell + y / cell).is_multiple_of(2) { WHITE } else { BLACK });
    }
}

/// The portrait in black and white dots, each by its own chance.
fn one_bit(canvas: &mut Canvas) {
    canvas.photograph(|v| v);
    for pixel in canvas.image.pixels_mut() {
        let bright = f32::from(pixel.0[1]) / 255.0 > canvas.rng.random();
        *pixel = Rgba(if bright { WHITE } else { BLACK });
    }
}
