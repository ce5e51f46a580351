//! One HTML file that needs nothing else: styles and script in it, pictures as data URIs.

use super::panel::panel;
use crate::picture::Picture;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use std::fmt::Write;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Pictures with no side longer than this are inlined without loss.
const LOSSLESS_SIDE: u32 = 256;
const JPEG_QUALITY: u8 = 92;

/// A page in the making. What is pushed is HTML; texts go through [`escape`].
pub struct Page {
    html: String,
}

impl Page {
    /// A page with a title, in `<title>` and above everything.
    pub fn new(title: &str) -> Self {
        let title = escape(title);
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        );
        Self { html }
    }

    /// Appends HTML.
    pub fn push(&mut self, html: &str) {
        self.html.push_str(html);
        self.html.push('\n');
    }

    /// Appends a paragraph of plain text.
    pub fn paragraph(&mut self, class: &str, text: &str) {
        let _ = writeln!(self.html, "<p class=\"{class}\">{}</p>", escape(text));
    }

    /// The whole document.
    pub fn finish(mut self) -> String {
        let _ = write!(self.html, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
        self.html
    }
}

/// Text as HTML, also within quotes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// An `<img>` with `picture` in it, fitted into a square of `max_side`.
pub fn inline_image(picture: &Picture, max_side: u32, alt: &str) -> String {
    let image = panel(picture, max_side, max_side);
    let (width, height) = image.dimensions();
    let tiny = if width > picture.width { " class=\"tiny\"" } else { "" };
    format!(
        "<img{tiny} src=\"{}\" width=\"{width}\" height=\"{height}\" alt=\"{}\">",
        data_uri(&image, picture.width.max(picture.height) <= LOSSLESS_SIDE),
        escape(alt)
    )
}

fn data_uri(image: &RgbImage, lossless: bool) -> String {
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    let (kind, encoded) = match lossless {
        true => {
            let encoder = PngEncoder::new(&mut bytes);
            ("png", encoder.write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8))
        }
        false => {
            let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
            ("jpeg", encoder.write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8))
        }
    };
    encoded.expect("an RGB image of these sides is encoded in memory");
    format!("data:image/{kind};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        let mut page = Page::new("<script>alert(1)</script>");
        page.paragraph("note", "a & b \"c\"");
        let html = page.finish();
        assert!(!html.contains("<script>alert"));
        assert!(html.contains("a &amp; b &quot;c&quot;"));
    }
}
