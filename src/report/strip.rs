//! `strip.png`: labelled snapshots side by side, with the ground truth at the right.

use super::ReportError;
use super::font::{TextStyle, Weight};
use super::panel::{panel, picture_of};
use super::sheet::{GAP, draw_line};
use crate::picture::{Picture, save_png};
use image::{Rgb, RgbImage};
use std::path::Path;

/// Largest panel, in pixels.
const MAX_WIDTH: u32 = 512;
const MAX_HEIGHT: u32 = 640;
/// A strip under construction. Pictures are scaled when added, so only panels are held in memory.
#[derive(Default)]
pub struct Strip {
    panels: Vec<(RgbImage, String)>,
}

impl Strip {
    /// A panel: `picture` fitted into 512x640 pixels; tiny pictures are enlarged.
    pub(crate) fn fitted(picture: &Picture) -> RgbImage {
        panel(picture, MAX_WIDTH, MAX_HEIGHT)
    }

    /// Adds a panel at the right, fitted into 512x640 pixels; tiny pictures are enlarged.
    pub fn push(&mut self, picture: &Picture, label: impl Into<String>) {
        self.push_fitted(Self::fitted(picture), label);
    }

    pub(crate) fn push_fitted(&mut self, panel: RgbImage, label: impl Into<String>) {
        self.panels.push((panel, label.into()));
    }

    /// The strip as an RGB picture on white, blank if there are no panels.
    pub(crate) fn draw(&self) -> Picture {
        let widest = self.panels.iter().map(|(p, _)| p.width()).max().unwrap_or(1);
        let tallest = self.panels.iter().map(|(p, _)| p.height()).max().unwrap_or(1);
        let size = (widest as f32 * 0.05).clamp(14.0, 24.0);
        let style = TextStyle { size, weight: Weight::Regular, rgb: [0x22; 3] };
        let column = |(p, label): &(RgbImage, String)| p.width().max(style.text_width(label).ceil() as u32);
        let columns: Vec<u32> = self.panels.iter().map(column).collect();
        let width = GAP + columns.iter().map(|column| column + GAP).sum::<u32>();
        let bottom = GAP + tallest;
        let height = bottom + (size * 1.9) as u32 + GAP / 2;
        let mut sheet = RgbImage::from_pixel(width, height, Rgb([255; 3]));
        let baseline = (bottom as f32 + size * 1.35).round();
        draw_line(&mut sheet, (&self.panels, &columns), [GAP, bottom], (style, baseline));
        picture_of(sheet)
    }

    /// Writes the strip as a PNG, atomically.
    pub fn save(&self, path: &Path) -> Result<(), ReportError> {
        Ok(save_png(&self.draw(), path)?)
    }
}

/// "epoch 12 · 27.3 dB", with the PSNR of the test split if there is one; without either if it is NaN.
pub fn epoch_label(epoch: u64, psnr_train: f64, psnr_test: Option<f64>) -> String {
    match quality_label(psnr_train, psnr_test) {
        Some(quality) => format!("epoch {epoch} · {quality}"),
        None => format!("epoch {epoch}"),
    }
}

/// "27.3 dB", "27.3 dB, test 25.1 dB" or "exact"; none for NaN.
pub(crate) fn quality_label(psnr_train: f64, psnr_test: Option<f64>) -> Option<String> {
    let one = |db: f64| match db {
        f64::INFINITY => Some("exact".to_owned()),
        db => db.is_finite().then(|| format!("{db:.1} dB")),
    };
    match psnr_test.and_then(one) {
        Some(test) => Some(format!("{}, test {test}", one(psnr_train)?)),
        None => one(psnr_train),
    }
}
