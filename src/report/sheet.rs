//! Rows of labelled pictures: reconstructions beside the truth, error maps, strips of several runs.

use super::ReportError;
use super::font::{TextStyle, Weight};
use super::panel::{panel, picture_of};
use crate::picture::{Picture, save_png};
use image::{Rgb, RgbImage, imageops};
use std::path::Path;

/// Largest panel, in pixels.
const MAX_SIDE: u32 = 400;
/// Between panels, and around them.
pub(super) const GAP: u32 = 16;
/// Most panels per line; a longer row is wrapped, so that labels stay readable.
const MAX_COLUMNS: usize = 6;
const LABEL_HEIGHT: u32 = 34;
const LABEL: TextStyle = TextStyle { size: 18.0, weight: Weight::Regular, rgb: [0x22; 3] };
const TITLE: TextStyle = TextStyle { size: 18.0, weight: Weight::SemiBold, rgb: [0x22; 3] };
const NOTE: TextStyle = TextStyle { size: 16.0, weight: Weight::Regular, rgb: [0x66; 3] };

/// A sheet under construction. Pictures are scaled when added, so only panels are held in memory.
#[derive(Default)]
pub(crate) struct Sheet {
    rows: Vec<Row>,
    note: Option<String>,
}

struct Row {
    title: String,
    panels: Vec<(RgbImage, String)>,
}

impl Sheet {
    /// Starts a row. Its title is drawn at the left if there are several rows.
    pub(crate) fn start_row(&mut self, title: &str) {
        self.rows.push(Row { title: title.to_owned(), panels: Vec::new() });
    }

    /// Adds a panel to the last row, fitted into 400x400 pixels; tiny pictures are enlarged.
    pub(crate) fn push(&mut self, picture: &Picture, label: impl Into<String>) {
        if self.rows.is_empty() {
            self.start_row("");
        }
        let row = self.rows.last_mut().expect("a row was started");
        row.panels.push((panel(picture, MAX_SIDE, MAX_SIDE), label.into()));
    }

    /// Adds a line of text at the bottom.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.note = Some(text.into());
    }

    /// The panels, line by line: one line per row, or a single long row in lines of similar length.
    fn lines(&self) -> Vec<&[(RgbImage, String)]> {
        match self.rows.as_slice() {
            [row] if row.panels.len() > MAX_COLUMNS => {
                let n_lines = row.panels.len().div_ceil(MAX_COLUMNS);
                row.panels.chunks(row.panels.len().div_ceil(n_lines)).collect()
            }
            rows => rows.iter().map(|row| row.panels.as_slice()).collect(),
        }
    }

    /// The sheet as an RGB picture on white, blank if there are no panels.
    pub(crate) fn draw(&self) -> Picture {
        let ceil = |width: f32| width.ceil() as u32;
        let lines = self.lines();
        let n_columns = lines.iter().map(|panels| panels.len()).max().unwrap_or(0);
        let widest = |column: usize| {
            let panels = lines.iter().filter_map(|panels| panels.get(column));
            panels.map(|(p, label)| p.width().max(ceil(LABEL.text_width(label)))).max().unwrap_or(1)
        };
        let columns: Vec<u32> = (0..n_columns).map(widest).collect();
        let title_width = match self.rows.len() {
            0 | 1 => 0,
            _ => self.rows.iter().map(|row| ceil(TITLE.text_width(&row.title)) + GAP).max().unwrap_or(0),
        };
        let height_of =
            |panels: &[(RgbImage, String)]| panels.iter().map(|(p, _)| p.height()).max().unwrap_or(1);
        let note_width = self.note.as_ref().map_or(0, |note| ceil(NOTE.text_width(note)) + GAP);
        let width = (GAP + title_width + columns.iter().map(|c| c + GAP).sum::<u32>()).max(GAP + note_width);
        let rows_height: u32 = lines.iter().map(|panels| height_of(panels) + LABEL_HEIGHT + GAP / 2).sum();
        let height = GAP + rows_height + if self.note.is_some() { LABEL_HEIGHT } else { 0 };
        let mut sheet = RgbImage::from_pixel(width, height, Rgb([255; 3]));
        let mut top = GAP;
        for (line, panels) in lines.iter().enumerate() {
            let tallest = height_of(panels);
            if let Some(row) = self.rows.get(line).filter(|_| title_width > 0) {
                let baseline = (top + tallest / 2) as f32;
                TITLE.draw(&mut sheet, GAP as f32, baseline, &row.title);
            }
            let baseline = (top + tallest + 23) as f32;
            draw_line(&mut sheet, (panels, &columns), [GAP + title_width, top + tallest], (LABEL, baseline));
            top += tallest + LABEL_HEIGHT + GAP / 2;
        }
        if let Some(note) = &self.note {
            NOTE.draw(&mut sheet, GAP as f32, (top + 14) as f32, note);
        }
        picture_of(sheet)
    }

    /// Writes the sheet as a PNG, atomically.
    pub(crate) fn save(&self, path: &Path) -> Result<(), ReportError> {
        Ok(save_png(&self.draw(), path)?)
    }
}

/// Draws panels with labels from `left` on, all with the same `bottom`.
pub(super) fn draw_line(
    sheet: &mut RgbImage,
    (panels, columns): (&[(RgbImage, String)], &[u32]),
    [mut left, bottom]: [u32; 2],
    (style, baseline): (TextStyle, f32),
) {
    for ((panel, label), column) in panels.iter().zip(columns) {
        let x = left + (column - panel.width()) / 2;
        imageops::replace(sheet, panel, i64::from(x), i64::from(bottom - panel.height()));
        let text_x = left as f32 + (*column as f32 - style.text_width(label)) / 2.0;
        style.draw(sheet, text_x, baseline, label);
        left += column + GAP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Pixels;

    fn sheet(n_panels: usize) -> Picture {
        let grey = Picture { width: 256, height: 256, channels: 1, pixels: Pixels::U8(vec![9; 256 * 256]) };
        let mut sheet = Sheet::default();
        (0..n_panels).for_each(|i| sheet.push(&grey, format!("{i}")));
        sheet.draw()
    }

    #[test]
    fn a_long_row_goes_on_in_the_next_line() {
        let line = 256 + LABEL_HEIGHT + GAP / 2;
        let size = |n| (sheet(n).width, sheet(n).height);
        assert_eq!(size(6), (GAP + 6 * (256 + GAP), GAP + line));
        // 9 as 5 and 4, 13 as 5, 5 and 3.
        assert_eq!(size(9), (GAP + 5 * (256 + GAP), GAP + 2 * line));
        assert_eq!(size(13), (GAP + 5 * (256 + GAP), GAP + 3 * line));
    }
}
