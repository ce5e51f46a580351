//! `report.html`: a summary, then details.

use super::cell::Cell;
use super::grid::Size;
use super::pictures::Panel;
use super::records::decibels;
use super::table::Row;
use super::write::{capitalised, save, title};
use super::{Comparison, Headline, Record, Result};
use crate::names::Named;
use crate::picture::Picture;
use crate::report::page::{inline_image, page, tile, truth_tile, wipe};
use maud::{Markup, PreEscaped, html};

/// Maximum sides of inlined pictures: reconstructions, and sheets of several.
const PICTURE_SIDE: u32 = 512;
const SHEET_SIDE: u32 = 2200;

pub(super) fn write(plan: &Comparison, headline: &Headline, scenes: &[Markup]) -> Result<()> {
    let over = headline.over.as_ref().map(|over| format!(", {over}")).unwrap_or_default();
    let caption = format!("{}{over}", capitalised(headline.measure));
    let costs = |row: &Row| {
        let caption = format!("What each costs: {}", row.name());
        headline.costs(row).html("method", Some(&caption))
    };
    let body = html! {
        p.lead { (summary(headline)) }
        (headline.results(&headline.rows).html("run", Some(&caption)))
        @if !headline.by_picture.is_empty() {
            details {
                summary { "Each picture" }
                (headline.results(&headline.by_picture).html("run", Some("Each picture")))
            }
        }
        @for note in &headline.notes {
            p.soft { (note) }
        }
        @if let Some(legend) = headline.legend {
            p.soft { (legend) }
        }
        @if let [row] = headline.rows.as_slice() {
            (costs(row))
        } @else {
            details {
                summary { "What each costs" }
                @for row in &headline.rows { (costs(row)) }
            }
        }
        @for failure in &plan.failures {
            p.soft { "Left out: " (failure.error) "." }
        }
        @for scene in scenes { (scene) }
        @if let Some(protocol) = plan.request.protocol {
            h2 { "How it was trained" }
            p.soft { "Protocol " (protocol.name()) ". " (protocol.outline().about) }
            @if let Some(table) = protocol.published() { (table.html("method", Some("Published results"))) }
        }
        p.soft { "results.csv beside this page has all numbers; every run is a folder below it." }
    };
    save(plan, "report.html", &page(&title(plan), &body))
}

/// One sentence: the best method.
fn summary(headline: &Headline) -> String {
    let best = |row: &Row| {
        let i = row.best().or_else(|| row.cells.iter().position(Option::is_some))?;
        Some((row.cells[i]?, headline.methods[i]))
    };
    let all = headline.rows.iter().filter_map(|row| Some((row, best(row)?)));
    match all.max_by(|a, b| a.1.0.mean.total_cmp(&b.1.0.mean)) {
        Some((row, (spread, method))) => {
            format!("Best: {method} at {}, {spread} dB.", row.name())
        }
        None => "No run is done yet.".to_owned(),
    }
}

/// One picture at one size: reconstructions beside the original, the slider, curves, errors, strips.
pub(super) fn scene(plan: &Comparison, headline: &Headline, records: &[Record], panel: &Panel) -> Markup {
    let unit = if matches!(panel.size, Size::Pixels(_)) { " pixels" } else { "" };
    let optimizers = &plan.request.axes.optimizers;
    let psnr = |cell: usize| records.iter().find(|r| r.cell == cell).map_or(f64::NAN, Record::psnr);
    let cells = panel.reconstructions.iter().map(|(cell, _)| *cell);
    let best = cells.max_by(|a, b| psnr(*a).total_cmp(&psnr(*b)));
    html! {
        section.scene {
            h2 { (panel.picture) ", " (panel.size) (unit) }
            div.row {
                @for &optimizer in optimizers {
                    @if optimizers.len() > 1 { h3 { (optimizer.name()) } }
                    @for (cell, picture) in &panel.reconstructions {
                        @if plan.cells[*cell].optimizer == optimizer {
                            (cell_tile(&plan.cells[*cell], records, picture, best == Some(*cell)))
                        }
                    }
                }
                (truth_tile(&panel.truth, PICTURE_SIDE))
            }
            (wipe())
            @for (curves, over) in panel.curves.iter().zip(["the epochs", "the time of training"]) {
                figure {
                    (PreEscaped(curves))
                    figcaption.soft { "PSNR over " (over) "; the last values are the table's. " (note(headline)) }
                }
            }
            @for (name, sheet) in [("Where they are wrong", &panel.errors), ("Over the epochs", &panel.strips)] {
                details { summary { (name) } (inline_image(sheet, SHEET_SIDE, name)) }
            }
        }
    }
}

/// A cell's reconstruction.
fn cell_tile(cell: &Cell, records: &[Record], picture: &Picture, is_best: bool) -> Markup {
    let record = records.iter().find(|r| r.cell == cell.index);
    let quality = record.map_or_else(|| decibels(f64::NAN), Record::quality);
    let name = format!("{} {}, {quality}", cell.method, cell.optimizer.name());
    tile(picture, PICTURE_SIDE, &name, is_best, &html! { (cell.method) " " b { (quality) } })
}

fn note(headline: &Headline) -> &'static str {
    match headline.over {
        Some(_) => "Pictures and curves are of the first seed.",
        None => "Choose a reconstruction above to compare it with the original.",
    }
}
