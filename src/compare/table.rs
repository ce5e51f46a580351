//! What came out, as numbers: one record a cell, means and deviations, `results.csv`, `results.md`.

use super::cell::{Cell, State};
use super::grid::{EncodingChoice, Size, name_of};
use super::{CompareError, Plan};
use crate::atomic_write::{Durability, atomic_write};
use crate::config::{OptimizerKind, Sigma};
use crate::picture::{self, ssim};
use crate::run::read_metrics;
use crate::trainer::EpochSummary;
use rayon::prelude::*;
use std::io::Write;

/// The result of one cell.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place among all cells.
    pub cell: usize,
    /// The picture's name.
    pub picture: String,
    /// One row an epoch measured.
    pub metrics: Vec<EpochSummary>,
    /// The row of the weights the run ended with.
    pub result: EpochSummary,
    /// Structural similarity of the whole reconstruction, as written to `final.png`.
    pub ssim: f64,
    /// Weights and biases.
    pub n_params: usize,
    /// The sigma it was trained with, where its encoding has one.
    pub sigma: Option<Sigma>,
}

impl Record {
    /// What it is judged by: PSNR in dB of the test pixels, or of the training pixels where there
    /// is no test split.
    pub fn psnr(&self) -> f64 {
        self.result.psnr_test.or(self.result.psnr_train).unwrap_or(f64::NAN)
    }
}

/// The results of all cells that are done.
pub(super) fn records(plan: &Plan) -> Result<Vec<Record>, CompareError> {
    let done: Vec<&Cell> = plan.cells.iter().filter(|cell| cell.state == State::Done).collect();
    done.into_par_iter().map(|cell| record(plan, cell)).collect()
}

fn record(plan: &Plan, cell: &Cell) -> Result<Record, CompareError> {
    let truth = picture::load(&cell.prepared)?.to_display();
    let path = cell.folder.join("final.png");
    let reconstruction = picture::load(&path)?.to_display();
    let shape = |p: &picture::Picture| (p.width, p.height, p.channels);
    if shape(&truth) != shape(&reconstruction) {
        return Err(CompareError::OtherRun { path: cell.folder.clone(), what: "a picture of another shape" });
    }
    let metrics = read_metrics(&cell.folder.join("metrics.csv"), cell.run.epochs);
    let kept = cell.kept_epoch();
    let result = metrics.iter().rev().find(|row| row.epoch == kept.unwrap_or(cell.run.epochs));
    let Some(result) = result.cloned() else {
        return Err(CompareError::OtherRun { path: cell.folder.clone(), what: "metrics that end early" });
    };
    Ok(Record {
        cell: cell.index,
        picture: plan.request.sources[cell.picture].name.clone(),
        metrics,
        result,
        ssim: ssim(&reconstruction, &truth),
        n_params: cell.run.model.layout().n_params(),
        sigma: cell.sigma(),
    })
}

/// Mean and sample standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// Of n - 1 degrees of freedom; none of a single value.
    pub deviation: Option<f64>,
    /// Number of values.
    pub n: usize,
}

impl Spread {
    /// Of `values`; none without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        (n > 0).then_some(Self { mean, deviation, n })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.mean.is_infinite() {
            return f.write_str("exact");
        }
        write!(f, "{:.2}", self.mean)?;
        self.deviation.map_or(Ok(()), |deviation| write!(f, " ± {deviation:.2}"))
    }
}

/// One row of the headline: results of each encoding at one size with one optimiser.
#[derive(Clone, Debug)]
pub struct Row {
    /// The picture, where the row is of one.
    pub picture: Option<String>,
    /// The size.
    pub size: Size,
    /// The optimiser.
    pub optimizer: OptimizerKind,
    /// PSNR of each encoding, over pictures and seeds.
    pub cells: Vec<Option<Spread>>,
}

impl Row {
    /// "astronaut, 32 pixels, sgd".
    pub fn name(&self) -> String {
        let picture = self.picture.as_ref().map(|p| format!("{p}, ")).unwrap_or_default();
        let unit = if matches!(self.size, Size::Pixels(_)) { " pixels" } else { "" };
        format!("{picture}{}{unit}, {}", self.size, name_of(&self.optimizer))
    }

    /// The place of the highest mean, where there are several.
    pub fn best(&self) -> Option<usize> {
        let means = self.cells.iter().enumerate().filter_map(|(i, c)| Some((i, c.as_ref()?.mean)));
        let best = means.max_by(|a, b| a.1.total_cmp(&b.1));
        best.filter(|_| self.cells.iter().flatten().count() > 1).map(|(i, _)| i)
    }
}

/// The tables that a person looks at first.
#[derive(Clone, Debug)]
pub struct Headline {
    /// What the numbers are: "test PSNR in dB".
    pub measure: &'static str,
    /// Names of the columns.
    pub encodings: Vec<EncodingChoice>,
    /// Over all pictures and seeds: one row a size and optimiser.
    pub rows: Vec<Row>,
    /// The same for each picture, where there are several.
    pub by_picture: Vec<Row>,
    /// "mean ± standard deviation over 16 pictures", where there is more than one value.
    pub over: Option<String>,
}

impl Headline {
    /// From the results of `plan`'s cells.
    pub fn of(plan: &Plan, records: &[Record]) -> Self {
        let axes = &plan.request.axes;
        let n_pictures = plan.request.sources.len();
        let row = |picture: Option<usize>, size: Size, optimizer: OptimizerKind| {
            let belongs = |cell: &Cell| {
                cell.size == size && cell.optimizer == optimizer && picture.is_none_or(|p| cell.picture == p)
            };
            let of = |encoding: &EncodingChoice| {
                let of_cell = |r: &&Record| {
                    let cell = &plan.cells[r.cell];
                    belongs(cell) && cell.encoding == *encoding
                };
                Spread::of(&records.iter().filter(of_cell).map(Record::psnr).collect::<Vec<_>>())
            };
            Row {
                picture: picture.map(|p| plan.request.sources[p].name.clone()),
                size,
                optimizer,
                cells: axes.encodings.iter().map(of).collect(),
            }
        };
        let rows = |picture: Option<usize>| -> Vec<Row> {
            let pairs = axes.sizes.iter().flat_map(|&s| axes.optimizers.iter().map(move |&o| (s, o)));
            pairs.map(|(size, optimizer)| row(picture, size, optimizer)).collect()
        };
        let has_test = records.iter().any(|r| r.result.psnr_test.is_some());
        let count = |n: usize, thing: &str| format!("{n} {thing}{}", if n == 1 { "" } else { "s" });
        let over = match (n_pictures, axes.seeds) {
            (1, 1) => None,
            (n, 1) => Some(count(n, "picture")),
            (1, n) => Some(count(n as usize, "seed")),
            (p, s) => Some(format!("{} and {}", count(p, "picture"), count(s as usize, "seed"))),
        };
        Self {
            measure: if has_test { "test PSNR in dB" } else { "PSNR in dB of the training pixels" },
            encodings: axes.encodings.clone(),
            rows: rows(None),
            by_picture: match n_pictures {
                1 => Vec::new(),
                n => (0..n).flat_map(|p| rows(Some(p))).collect(),
            },
            over: over.map(|over| format!("mean ± standard deviation over {over}")),
        }
    }
}

/// Writes `results.csv` and `results.md`.
pub(super) fn write(plan: &Plan, records: &[Record], headline: &Headline) -> Result<(), CompareError> {
    save(plan, "results.csv", &csv(plan, records))?;
    save(plan, "results.md", &markdown(plan, headline))
}

/// Writes a text into the comparison's folder.
pub(super) fn save(plan: &Plan, name: &str, text: &str) -> Result<(), CompareError> {
    let path = plan.request.out.join(name);
    atomic_write(&path, Durability::Cached, |out| out.write_all(text.as_bytes()))
        .map_err(|e| CompareError::file(&path, e))
}

const CSV_HEADER: &str = "picture,width,height,size,encoding,sigma,optimizer,seed,psnr_train,psnr_test,ssim,epochs,steps,\
                          seconds,weights,lr,run\n";

fn csv(plan: &Plan, records: &[Record]) -> String {
    let mut text = CSV_HEADER.to_owned();
    for record in records {
        let cell = &plan.cells[record.cell];
        let result = &record.result;
        let optional = |psnr: Option<f64>| psnr.map(|p| p.to_string()).unwrap_or_default();
        let folder = cell.folder.strip_prefix(&plan.request.out).unwrap_or(&cell.folder);
        let fields = [
            record.picture.clone(),
            cell.run.samples.width.to_string(),
            cell.run.samples.height.to_string(),
            cell.size.to_string(),
            cell.encoding.to_string(),
            record.sigma.map(|sigma| sigma.to_string()).unwrap_or_default(),
            name_of(&cell.optimizer),
            cell.run.seed.to_string(),
            optional(result.psnr_train),
            optional(result.psnr_test),
            record.ssim.to_string(),
            result.epoch.to_string(),
            result.step.to_string(),
            format!("{:.3}", result.seconds),
            record.n_params.to_string(),
            format!("{:e}", cell.run.lr),
            folder.to_string_lossy().replace('\\', "/"),
        ];
        text.push_str(&fields.map(|f| quoted(&f)).join(","));
        text.push('\n');
    }
    text
}

/// A CSV field, in quotes where it needs them (RFC 4180).
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

fn markdown(plan: &Plan, headline: &Headline) -> String {
    let mut text = format!("# {}\n\n", title(plan));
    let over = headline.over.as_ref().map(|over| format!(", {over}")).unwrap_or_default();
    text.push_str(&format!("{}{over}.\n\n", capitalised(headline.measure)));
    text.push_str(&markdown_table(headline, &headline.rows));
    if !headline.by_picture.is_empty() {
        text.push_str("\n## Each picture\n\n");
        text.push_str(&markdown_table(headline, &headline.by_picture));
    }
    if let Some(protocol) = plan.request.protocol {
        text.push_str(&format!("\nProtocol `{}`. {}\n", name_of(&protocol), protocol.outline().about));
    }
    for failure in &plan.failures {
        text.push_str(&format!("\nLeft out: {}.\n", plain(&failure.error.to_string())));
    }
    text.push_str("\nEach run is below this folder; `results.csv` names them.\n");
    text
}

/// A text that Markdown leaves alone.
fn plain(text: &str) -> String {
    let special = |c: char| "\\`*_{}[]<>#|".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn markdown_table(headline: &Headline, rows: &[Row]) -> String {
    let names = headline.encodings.iter().map(|e| format!(" {e} |")).collect::<String>();
    let rule = "---:|".repeat(headline.encodings.len());
    let mut text = format!("| run |{names}\n|---|{rule}\n");
    for row in rows {
        let best = row.best();
        let cells = row.cells.iter().enumerate().map(|(i, cell)| match cell {
            None => " - |".to_owned(),
            Some(spread) if best == Some(i) => format!(" **{spread}** |"),
            Some(spread) => format!(" {spread} |"),
        });
        text.push_str(&format!("| {} |{}\n", plain(&row.name()), cells.collect::<String>()));
    }
    text
}

/// "5 encodings on astronaut".
pub(super) fn title(plan: &Plan) -> String {
    let n = plan.request.axes.encodings.len();
    let what = if n == 1 { "1 encoding".to_owned() } else { format!("{n} encodings") };
    match plan.request.sources.as_slice() {
        [only] => format!("{what} on {}", only.name),
        several => format!("{what} on {} pictures", several.len()),
    }
}

pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_of_a_sample() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[24.0]).unwrap().to_string(), "24.00");
        let spread = Spread::of(&[20.0, 22.0, 24.0, 30.0]).unwrap();
        assert_eq!((spread.mean, spread.n), (24.0, 4));
        // (16 + 4 + 0 + 36) / 3
        assert!((spread.deviation.unwrap() - (56.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(spread.to_string(), "24.00 ± 4.32");
        assert_eq!(Spread::of(&[f64::INFINITY, 3.0]).unwrap().to_string(), "exact");
    }

    #[test]
    fn names_do_not_break_tables() {
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(plain("a|b"), "a\\|b");
    }

    #[test]
    fn the_best_is_the_highest_of_several() {
        let spread = |mean| Spread::of(&[mean]);
        let row =
            |cells| Row { picture: None, size: Size::Pixels(32), optimizer: OptimizerKind::Adam, cells };
        assert_eq!(row(vec![spread(1.0), None, spread(3.0), spread(2.0)]).best(), Some(2));
        assert_eq!(row(vec![spread(1.0), None]).best(), None);
    }
}
