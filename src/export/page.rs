//! A web page that needs nothing else: the network is computed in the browser, with WebGPU or WebGL2.

use super::program::Program;
use super::rounding::Precision;
use super::shader::{Dialect, Places, TABLE_WIDTH, shader};
use crate::picture::Picture;
use crate::report::page::{self, LOSSLESS_SIDE, data_uri};
use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::{Compression, write::DeflateEncoder};
use image::{Rgb, RgbImage};
use maud::{Markup, PreEscaped, html};
use std::borrow::Cow;
use std::io::Write;

const STYLE: &str = include_str!("page/page.css");
const VIEW: &str = include_str!("page/view.js");
const SHADERS: &str = include_str!("page/shaders.js");
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

/// What is drawn, and by which script.
pub(super) struct Drawn<'a> {
    pub(super) name: &'a str,
    /// Columns and rows.
    pub(super) size: [u32; 2],
    /// A few words on what the picture is made of.
    pub(super) about: String,
    /// What is said until it is drawn.
    pub(super) wait: &'a str,
    /// The word at the other side of the slider than the original.
    pub(super) side: &'a str,
    pub(super) original: Option<Cow<'a, Picture>>,
    pub(super) quality: Option<&'a str>,
    /// The rows of a table in a texture, and the bytes of a number in it.
    pub(super) table: Option<(usize, usize)>,
    /// Elements that the script reads, by their identifiers.
    pub(super) data: Vec<(&'a str, String)>,
    /// Has `load` and `renderers`.
    pub(super) script: String,
}

/// The page of a network.
pub(super) fn page(program: &Program, extras: &Extras) -> Result<String, String> {
    if program.colors.has_profile {
        let why =
            "its colours are those of an ICC profile, and the page shows sRGB; train without --color keep";
        return Err(why.to_owned());
    }
    let places = Places { layers_in_table: true, grids_in_table: true };
    let glsl = shader(program, Dialect::Glsl, places, true);
    let wgsl = shader(program, Dialect::Wgsl, places, true);
    let bytes = bytes_of(program.precision);
    let drawn = Drawn {
        name: &program.name,
        size: program.size,
        about: format!("{} numbers, {} multiply-adds a pixel", program.n_numbers(), program.multiply_adds()),
        wait: "Unpacking the network …",
        side: "network",
        original: extras.original.as_ref().map(|picture| picture.exposed(program.colors.exposure)),
        quality: extras.quality.as_deref(),
        table: Some((glsl.table.len() / 16 / TABLE_WIDTH, bytes)),
        data: vec![
            ("table", packed(&glsl.table, bytes)),
            ("glsl", MAIN_GLSL.replace("//PROGRAM//\n", &glsl.text)),
            ("wgsl", MAIN_WGSL.replace("//PROGRAM//\n", &wgsl.text)),
        ],
        script: SHADERS.to_owned(),
    };
    Ok(document(&drawn))
}

/// A page that shows what is drawn.
pub(super) fn document(drawn: &Drawn) -> String {
    let Drawn { name, size: [width, height], .. } = drawn;
    let (rows, planes) = drawn.table.unzip();
    let body = html! {
        main #view tabindex="0" aria-label={ (name) ", drawn by a neural network: drag to move, turn the wheel to zoom" }
            data-width=(width) data-height=(height) data-rows=[rows] data-row=[rows.map(|_| TABLE_WIDTH)] data-planes=[planes] {
            canvas #picture {}
            @if let Some(original) = &drawn.original {
                canvas #original {}
                img #source src=(address(original)) alt="" hidden;
                div #divider role="slider" tabindex="0" aria-label="share of the original" aria-valuemin="0" aria-valuemax="100" { span {} }
                p.side.left { "original" }
                p.side.right { (drawn.side) }
            }
            p #message role="status" { (drawn.wait) }
        }
        header {
            h1 { (name) }
            p { (width) "×" (height) " · " (drawn.about) }
        }
        @if let Some(quality) = drawn.quality {
            p #quality title="PSNR against the original" { (quality) }
        }
        (controls())
        @for (id, content) in &drawn.data {
            script id=(id) type="text/plain" { (PreEscaped(content)) }
        }
        script { (PreEscaped(&drawn.script)) (PreEscaped(VIEW)) }
    };
    page::document(&format!("{name} — afterimage"), STYLE, &body)
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
