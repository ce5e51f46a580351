//! A web page that needs nothing else: the network is computed in the browser, with WebGPU or WebGL2.

use super::program::Program;
use super::rounding::Precision;
use super::shader::{Dialect, Places, TABLE_WIDTH, shader};
use crate::picture::Picture;
use crate::report::page::{LOSSLESS_SIDE, data_uri};
use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::{Compression, write::DeflateEncoder};
use image::{Rgb, RgbImage};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::io::Write;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
const MAIN_GLSL: &str = include_str!("page/main.glsl");
const MAIN_WGSL: &str = include_str!("page/main.wgsl");

/// What a page shows besides the network.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// A few words on its quality, such as `46.0 dB`.
    pub quality: Option<String>,
    /// The original, to slide over the network's picture.
    pub original: Option<Picture>,
}

/// The page.
pub(super) fn page(program: &Program, extras: &Extras) -> Result<String, String> {
    if program.colors.has_profile {
        return Err(
            "its colours are those of an ICC profile, and the page shows sRGB; train without --color keep"
                .to_owned(),
        );
    }
    let places = Places { layers_in_table: true, grids_in_table: true };
    let glsl = shader(program, Dialect::Glsl, places, true);
    let wgsl = shader(program, Dialect::Wgsl, places, true);
    let [width, height] = program.size;
    let rows = glsl.table.len() / 16 / TABLE_WIDTH;
    let bytes = bytes_of(program.precision);
    let original = extras.original.as_ref().map(|picture| address(&picture.exposed(program.colors.exposure)));
    let weights =
        format!("{} numbers, {} multiply-adds a pixel", program.n_numbers(), program.multiply_adds());
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (program.name) " — afterimage" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main #view tabindex="0" aria-label={ (program.name) ", drawn by a neural network: drag to move, turn the wheel to zoom" }
                    data-width=(width) data-height=(height) data-rows=(rows) data-row=(TABLE_WIDTH) data-planes=(bytes) {
                    canvas #picture {}
                    @if let Some(original) = original {
                        canvas #original {}
                        img #source src=(original) alt="" hidden;
                        div #divider role="slider" tabindex="0" aria-label="share of the original" aria-valuemin="0" aria-valuemax="100" { span {} }
                        p.side.left { "original" }
                        p.side.right { "network" }
                    }
                    p #message role="status" { "Unpacking the network …" }
                }
                header {
                    h1 { (program.name) }
                    p { (width) "×" (height) " · " (weights) }
                }
                @if let Some(quality) = &extras.quality {
                    p #quality title="PSNR against the original" { (quality) }
                }
                (controls())
                script #table type="text/plain" { (PreEscaped(packed(&glsl.table, bytes))) }
                script #glsl type="text/plain" { (PreEscaped(MAIN_GLSL.replace("//PROGRAM//\n", &glsl.text))) }
                script #wgsl type="text/plain" { (PreEscaped(MAIN_WGSL.replace("//PROGRAM//\n", &wgsl.text))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(document.into_string())
}

fn controls() -> Markup {
    html! {
        nav {
            button #out title="Smaller (-)" { "−" }
            output #zoom title="Screen pixels for a pixel of the original" {}
            button #in title="Larger (+)" { "+" }
            button #fit title="The whole picture (0)" { "Whole" }
            button #one title="A screen pixel for each of its pixels (1)" { "1:1" }
            span #renderer {}
        }
    }
}

/// The original as it is in the page, over white.
fn address(picture: &Picture) -> String {
    let value = |x: u32, y: u32, channel: usize| {
        let color = channel % picture.color_channels();
        let pixel = y as usize * picture.width as usize + x as usize;
        (255.0 * picture.display_over(pixel, color, 1.0)).round() as u8
    };
    let image =
        RgbImage::from_fn(picture.width, picture.height, |x, y| Rgb([0, 1, 2].map(|c| value(x, y, c))));
    data_uri(&image, picture.width.max(picture.height) <= LOSSLESS_SIDE)
}

/// Bytes of a number.
fn bytes_of(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 4,
        Precision::F16 => 2,
        Precision::U8 => 1,
    }
}

/// The first bytes of all numbers, then the second and so on, deflated and in base64: high bytes are alike, and pack well
/// when they are together.
fn packed(table: &[u8], bytes: usize) -> String {
    let planes: Vec<u8> =
        (0..bytes).flat_map(|plane| table.iter().skip(plane).step_by(bytes).copied()).collect();
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&planes).expect("memory does not fail");
    BASE64_STANDARD.encode(encoder.finish().expect("memory does not fail"))
}
