//! The pictures of a comparison: rows of reconstructions, error maps, strips over epochs, curves.

use super::cell::Cell;
use super::grid::Size;
use super::{Comparison, Record, Result};
use crate::picture::{self, Picture};
use crate::report::curves::LineStyle;
use crate::report::{
    CurvePoint, ERROR_SCALE, Over, Series, Sheet, epoch_label, error_map, pick_frames, save_styled_curves,
    styled_svg,
};
use crate::run::RunFolder;
use maud::Markup;
use rayon::prelude::*;

/// Epochs shown in strips, if a run has them or similar ones.
const STRIP_EPOCHS: [u64; 4] = [0, 100, 400, 900];

/// What a page shows of one picture at one size.
pub(super) struct Panel {
    pub(super) picture: String,
    pub(super) size: Size,
    /// The picture as trained on.
    pub(super) truth: Picture,
    /// Each reconstruction of the first seed with its record's index.
    pub(super) reconstructions: Vec<(usize, Picture)>,
    /// The curves as SVG.
    pub(super) curves: [String; 2],
    pub(super) strips: Picture,
    pub(super) errors: Picture,
}

/// Writes `row.png`, `error.png`, `strips.png`, `psnr.svg`, `time.svg` and their PNGs for each picture at each size that has
/// results, and returns what `scene` makes of each, so that only a few pictures are in memory at a time.
pub(super) fn write(
    plan: &Comparison,
    records: &[Record],
    scene: impl Fn(&Panel) -> Markup + Sync,
) -> Result<Vec<Markup>> {
    let n_pictures = plan.request.sources.len();
    let sizes = &plan.request.axes.sizes;
    let pairs: Vec<(usize, Size)> =
        (0..n_pictures).flat_map(|p| sizes.iter().map(move |&s| (p, s))).collect();
    let scenes = pairs.into_par_iter().map(|(picture, size)| {
        let of_pair = |r: &&Record| {
            let cell = &plan.cells[r.cell];
            cell.picture == picture && cell.size == size && cell.seed == 0
        };
        let records: Vec<&Record> = records.iter().filter(of_pair).collect();
        match records.is_empty() {
            true => Ok(None),
            false => panel(plan, (picture, size), &records).map(|panel| Some(scene(&panel))),
        }
    });
    scenes.filter_map(Result::transpose).collect()
}

fn panel(plan: &Comparison, (picture, size): (usize, Size), records: &[&Record]) -> Result<Panel> {
    let folder = plan.folder(picture, size);
    let cell = |record: &Record| &plan.cells[record.cell];
    let first = cell(records[0]);
    let truth = picture::load(&first.prepared)?.shown(first.run.exposure).to_display();
    let reconstructions = records
        .iter()
        .map(|record| Ok((record.cell, picture::load(&cell(record).folder.join("final.png"))?.to_display())))
        .collect::<Result<Vec<_>>>()?;
    let mut rows = Sheet::default();
    let mut errors = Sheet::default();
    let mut strips = Sheet::default();
    for &optimizer in &plan.request.axes.optimizers {
        let of_row = |i: &usize| cell(records[*i]).optimizer == optimizer;
        let row: Vec<usize> = (0..records.len()).filter(of_row).collect();
        if row.is_empty() {
            continue;
        }
        let name = optimizer.to_string();
        rows.start_row(&name);
        errors.start_row(&name);
        for i in row {
            let (record, reconstruction) = (records[i], &reconstructions[i].1);
            let label = format!("{} · {}", cell(record).method, record.quality());
            rows.push(reconstruction, label.clone());
            errors.push(&error_map(reconstruction, &truth, cell(record).run.transparent()), label);
            strips.start_row(&run_name(plan, cell(record)));
            strip(&mut strips, cell(record), record)?;
            strips.push(&truth, "ground truth");
        }
        rows.push(&truth, "ground truth");
        errors.push(&truth, "ground truth");
    }
    let least =
        format!("absolute error, mean over channels: black 0, white {ERROR_SCALE} of the range and above");
    errors.note(least);
    let (series, styles) = curves(plan, records);
    let (strips, errors) = (strips.draw(), errors.draw());
    rows.save(&folder.join("row.png"))?;
    picture::save_png(&errors, &folder.join("error.png"))?;
    picture::save_png(&strips, &folder.join("strips.png"))?;
    for over in [Over::Epochs, Over::Seconds] {
        save_styled_curves(&folder, over, &series, &styles)?;
    }
    Ok(Panel {
        picture: plan.request.sources[picture].name.clone(),
        size,
        curves: [Over::Epochs, Over::Seconds].map(|over| styled_svg(over, &series, &styles)),
        truth,
        reconstructions,
        strips,
        errors,
    })
}

/// A run's name among those of one picture and size: with the optimiser only if there are several.
pub(super) fn run_name(plan: &Comparison, cell: &Cell) -> String {
    match plan.request.axes.optimizers.len() {
        1 => cell.method.to_string(),
        _ => format!("{} {}", cell.method, cell.optimizer),
    }
}

/// Methods have colours; optimisers after the first are dashed.
fn curves(plan: &Comparison, records: &[&Record]) -> (Vec<Series>, Vec<LineStyle>) {
    let axes = &plan.request.axes;
    let one = |record: &&Record| {
        let cell = &plan.cells[record.cell];
        let place = |found: Option<usize>| found.expect("a cell's settings are of the grid");
        let style = LineStyle {
            color: place(axes.methods.iter().position(|m| *m == cell.method)),
            dash: place(axes.optimizers.iter().position(|o| *o == cell.optimizer)),
        };
        let points = record.metrics.iter().filter_map(CurvePoint::measured).collect();
        (Series { name: run_name(plan, cell), points }, style)
    };
    records.iter().map(one).unzip()
}

/// Snapshots near [`STRIP_EPOCHS`] or, for a shorter run, spread over it.
fn strip(sheet: &mut Sheet, cell: &Cell, record: &Record) -> Result<()> {
    // Only reads, so that the folder of a finished run may be read-only.
    let folder = RunFolder::look(&cell.folder)?;
    for epoch in strip_epochs(&folder.snapshots()) {
        let panel = picture::load(&folder.snapshot(epoch))?;
        let row = record.metrics.iter().find(|row| row.epoch == epoch);
        let psnr = row.and_then(|row| row.psnr_test.or(row.psnr_train)).unwrap_or(f64::NAN);
        sheet.push(&panel, epoch_label(epoch, psnr, None));
    }
    Ok(())
}

fn strip_epochs(snapshots: &[u64]) -> Vec<u64> {
    let nearest = |wanted: u64| snapshots.iter().copied().min_by_key(|epoch| epoch.abs_diff(wanted));
    let mut epochs: Vec<u64> = STRIP_EPOCHS.iter().filter_map(|&wanted| nearest(wanted)).collect();
    epochs.dedup();
    if epochs.len() < STRIP_EPOCHS.len().min(snapshots.len()) {
        epochs = pick_frames(snapshots, STRIP_EPOCHS.len()).into_iter().map(|i| snapshots[i]).collect();
    }
    epochs
}

#[cfg(test)]
mod tests {
    use super::strip_epochs;

    #[test]
    fn strips_show_the_seeds_epochs_or_the_nearest() {
        let every = |step: usize, last: u64| (0..=last).step_by(step).collect::<Vec<_>>();
        assert_eq!(strip_epochs(&every(100, 1000)), [0, 100, 400, 900]);
        assert_eq!(strip_epochs(&every(25, 500)), [0, 100, 400, 500]);
        assert_eq!(strip_epochs(&every(1, 3)), [0, 1, 2, 3]);
        assert_eq!(strip_epochs(&every(1, 1)), [0, 1]);
        let short = strip_epochs(&every(1, 60));
        assert_eq!((short.len(), short[0], short[3]), (4, 0, 60));
        assert!(strip_epochs(&[]).is_empty());
    }
}
