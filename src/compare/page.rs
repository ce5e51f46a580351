//! `report.html`: what came out, for a person with ten seconds, and then for one with more.

use super::grid::Size;
use super::pictures::Panel;
use super::records::decibels;
use super::table::Row;
use super::write::{capitalised, save, title};
use super::{CompareError, Headline, Plan, Record};
use crate::names::Named;
use crate::report::page::{Page, escape, inline_image};
use std::fmt::Write;

/// Sides of what is inlined: reconstructions, and sheets of several.
const PICTURE_SIDE: u32 = 512;
const SHEET_SIDE: u32 = 2200;

/// Writes `report.html`.
pub(super) fn write(plan: &Plan, headline: &Headline, scenes: &[String]) -> Result<(), CompareError> {
    let mut page = Page::new(&title(plan));
    page.paragraph("lead", &summary(headline));
    let over = headline.over.as_ref().map(|over| format!(", {over}")).unwrap_or_default();
    let caption = format!("{}{over}", capitalised(headline.measure));
    page.push(&table_html(headline, &headline.rows, &caption));
    if !headline.by_picture.is_empty() {
        let each = table_html(headline, &headline.by_picture, "Each picture");
        page.push(&format!("<details><summary>Each picture</summary>{each}</details>"));
    }
    if let Some(legend) = headline.legend {
        page.paragraph("soft", legend);
    }
    let costs: String = headline.rows.iter().map(|row| costs_html(headline, row)).collect();
    match headline.rows.as_slice() {
        [_] => page.push(&costs),
        _ => page.push(&format!("<details><summary>What each costs</summary>{costs}</details>")),
    }
    for failure in &plan.failures {
        page.paragraph("soft", &format!("Left out: {}.", failure.error));
    }
    for scene in scenes {
        page.push(scene);
    }
    if let Some(protocol) = plan.request.protocol {
        page.push("<h2>How it was trained</h2>");
        page.paragraph("soft", &format!("Protocol {}. {}", protocol.name(), protocol.outline().about));
    }
    page.paragraph("soft", "results.csv beside this page has all numbers; every run is a folder below it.");
    save(plan, "report.html", &page.finish())
}

/// One sentence: what is best.
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

fn table_html(headline: &Headline, rows: &[Row], caption: &str) -> String {
    let mut html =
        format!("<div class=\"wide\"><table><caption>{}</caption><thead><tr><th>run</th>", escape(caption));
    for method in &headline.methods {
        let _ = write!(html, "<th scope=\"col\">{method}</th>");
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in rows {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(&row.name()));
        for (i, cell) in row.cells.iter().enumerate() {
            let class = if row.best() == Some(i) { " class=\"best\"" } else { "" };
            let value = cell.map_or_else(|| "–".to_owned(), |spread| spread.to_string());
            let _ = write!(html, "<td{class}>{value}</td>");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>");
    html
}

fn costs_html(headline: &Headline, row: &Row) -> String {
    let mut html = format!(
        "<div class=\"wide\"><table><caption>What each costs: {}</caption><thead><tr><th>method</th>",
        escape(&row.name())
    );
    for name in [headline.measure, "SSIM", "weights", "seconds"] {
        let _ = write!(html, "<th scope=\"col\">{name}</th>");
    }
    html.push_str("</tr></thead><tbody>\n");
    for ((method, psnr), cost) in headline.methods.iter().zip(&row.cells).zip(&row.costs) {
        if let (Some(psnr), Some(cost)) = (psnr, cost) {
            let [ssim, weights, seconds] = cost.texts();
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\">{method}</th><td>{psnr}</td><td>{ssim}</td><td>{weights}</td>\
                 <td>{seconds}</td></tr>"
            );
        }
    }
    html.push_str("</tbody></table></div>");
    html
}

/// One picture at one size: reconstructions beside the truth, the wipe, curves, errors, strips.
pub(super) fn scene(plan: &Plan, headline: &Headline, records: &[Record], panel: &Panel) -> String {
    let unit = if matches!(panel.size, Size::Pixels(_)) { " pixels" } else { "" };
    let title = format!("{}, {}{unit}", panel.picture, panel.size);
    let psnr = |cell: usize| records.iter().find(|r| r.cell == cell).map_or(f64::NAN, Record::psnr);
    let best =
        panel.reconstructions.iter().map(|(cell, _)| *cell).max_by(|a, b| psnr(*a).total_cmp(&psnr(*b)));
    let mut html = format!("<section class=\"scene\">\n<h2>{}</h2>\n", escape(&title));
    html.push_str("<div class=\"row\">\n");
    for &optimizer in &plan.request.axes.optimizers {
        if plan.request.axes.optimizers.len() > 1 {
            let _ = writeln!(html, "<h3>{}</h3>", optimizer.name());
        }
        for (cell, picture) in &panel.reconstructions {
            let of = &plan.cells[*cell];
            if of.optimizer != optimizer {
                continue;
            }
            let record = records.iter().find(|r| r.cell == *cell);
            let quality = record.map_or_else(|| decibels(f64::NAN), Record::quality);
            let name = format!("{} {}, {quality}", of.method, optimizer.name());
            let is_best = if best == Some(*cell) { "yes" } else { "no" };
            let _ = writeln!(
                html,
                "<button type=\"button\" class=\"tile\" aria-pressed=\"false\" data-best=\"{is_best}\" \
                 data-name=\"{}\">{}<span>{} <b>{quality}</b></span></button>",
                escape(&name),
                inline_image(picture, PICTURE_SIDE, &format!("reconstruction with {name}")),
                of.method,
            );
        }
    }
    let _ = writeln!(
        html,
        "<div class=\"tile truth\">{}<span>ground truth</span></div>\n</div>",
        inline_image(&panel.truth, PICTURE_SIDE, "ground truth")
    );
    html.push_str(WIPE);
    let _ = writeln!(
        html,
        "<figure>{}<figcaption class=\"soft\">{}</figcaption></figure>",
        panel.curves,
        escape(&format!("PSNR over the epochs; the last values are the table's. {}", note(headline)))
    );
    for (name, sheet) in [("Where they are wrong", &panel.errors), ("Over the epochs", &panel.strips)] {
        let image = inline_image(sheet, SHEET_SIDE, name);
        let _ = writeln!(html, "<details><summary>{name}</summary>{image}</details>");
    }
    html.push_str("</section>");
    html
}

const WIPE: &str = "<div class=\"wipe\" hidden>\n<div class=\"stage\"><img class=\"under\" alt=\"\" draggable=\"false\">\
    <img class=\"over\" alt=\"\" draggable=\"false\"><div class=\"edge\"></div></div>\n\
    <input type=\"range\" min=\"0\" max=\"100\" step=\"0.1\" value=\"50\" \
    aria-label=\"Wipe: how much of the reconstruction is shown over the truth\">\n\
    <div class=\"names\"><span class=\"name\"></span><span>ground truth \u{25b6}</span></div>\n</div>\n";

fn note(headline: &Headline) -> &'static str {
    match headline.over {
        Some(_) => "Pictures and curves are of the first seed.",
        None => "Choose a reconstruction above to wipe between it and the truth.",
    }
}
