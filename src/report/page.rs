//! One HTML file that needs nothing else: styles and script in it, pictures as data URIs.

use super::panel::panel;
use crate::picture::Picture;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Pictures with no side longer than this are inlined without loss.
pub(crate) const LOSSLESS_SIDE: u32 = 256;
const JPEG_QUALITY: u8 = 92;

/// The whole document, with its title in `<title>` and above everything.
pub(crate) fn page(title: &str, body: &Markup) -> String {
    let body = html! {
        main { h1 { (title) } (body) }
        script { (PreEscaped(SCRIPT)) }
    };
    document(title, STYLE, &body)
}

/// A document with a title and a style.
pub(crate) fn document(title: &str, style: &str, body: &Markup) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(style)) }
            }
            body { (body) }
        }
    };
    document.into_string()
}

/// An `<img>` with `picture` in it, fitted into a square of `max_side`.
pub(crate) fn inline_image(picture: &Picture, max_side: u32, alt: &str) -> Markup {
    let image = panel(picture, max_side, max_side);
    let (width, height) = image.dimensions();
    let class = (width > picture.width).then_some("tiny");
    let data = data_uri(&image, picture.width.max(picture.height) <= LOSSLESS_SIDE);
    html! { img class=[class] src=(data) width=(width) height=(height) alt=(alt); }
}

/// A picture that a click shows in the slider of its `section.scene`, with `caption` below it. `name` is what the slider
/// calls it.
pub(crate) fn tile(picture: &Picture, max_side: u32, name: &str, is_best: bool, caption: &Markup) -> Markup {
    let alt = format!("reconstruction with {name}");
    html! {
        button.tile type="button" aria-pressed="false" data-best=(if is_best { "yes" } else { "no" }) data-name=(name) {
            (inline_image(picture, max_side, &alt))
            span { (caption) }
        }
    }
}

/// What the tiles of a scene are compared with.
pub(crate) fn truth_tile(picture: &Picture, max_side: u32) -> Markup {
    html! {
        div class="tile truth" {
            (inline_image(picture, max_side, "ground truth"))
            span { "ground truth" }
        }
    }
}

/// Where a script shows a reconstruction and the original, one on each side of the slider.
pub(crate) fn wipe() -> Markup {
    html! {
        div.wipe hidden {
            div.stage {
                img.under alt="" draggable="false";
                img.over alt="" draggable="false";
                div.edge {}
            }
            input type="range" min="0" max="100" step="0.1" value="50"
                aria-label="Slider: how much of the reconstruction is shown over the original";
            div.names { span.name {} span { "ground truth \u{25b6}" } }
        }
    }
}

/// `image` in the address of an `<img>`: a PNG if `lossless`, else a JPEG.
pub(crate) fn data_uri(image: &RgbImage, lossless: bool) -> String {
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    let (pixels, color) = (image.as_raw(), ExtendedColorType::Rgb8);
    let encoded = match lossless {
        true => PngEncoder::new(&mut bytes).write_image(pixels, width, height, color),
        false => {
            JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).write_image(pixels, width, height, color)
        }
    };
    encoded.expect("an RGB image of these sides is encoded in memory");
    let kind = if lossless { "png" } else { "jpeg" };
    format!("data:image/{kind};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        let html = page("<script>alert(1)</script>", &html! { p title="\"c\"" { "a & b" } });
        assert!(!html.contains("<script>alert"));
        assert!(html.contains("<p title=\"&quot;c&quot;\">a &amp; b</p>"));
    }
}
