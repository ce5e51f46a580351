//! The tables as files: `results.csv` and `results.md`.

use super::method::Method;
use super::table::{Cost, Headline};
use super::{CompareError, Comparison, Record, Result};
use crate::atomic_write::write_cached;
use crate::report::plain;

pub(super) fn write(plan: &Comparison, records: &[Record], headline: &Headline) -> Result<()> {
    save(plan, "results.csv", &csv(plan, records))?;
    save(plan, "results.md", &markdown(plan, headline))
}

/// Writes a text into the comparison's folder.
pub(super) fn save(plan: &Comparison, name: &str, text: &str) -> Result<()> {
    let path = plan.request.out.join(name);
    write_cached(&path, text.as_bytes()).map_err(|e| CompareError::file(&path, e))
}

const CSV_HEADER: &str = "picture,width,height,size,method,sigma,w0,optimizer,seed,psnr_train,psnr_test,ssim,epochs,steps,\
                          seconds,weights,lr,failure,run\n";

fn csv(plan: &Comparison, records: &[Record]) -> String {
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
            cell.method.to_string(),
            record.sigma.map(|sigma| sigma.to_string()).unwrap_or_default(),
            record.w0.map(|w0| w0.to_string()).unwrap_or_default(),
            cell.run.config.training.optimizer.as_ref().map_or_else(String::new, ToString::to_string),
            cell.run.seed.to_string(),
            optional(result.psnr_train),
            optional(result.psnr_test),
            record.ssim.to_string(),
            result.epoch.to_string(),
            result.step.to_string(),
            format!("{:.3}", result.seconds),
            record.n_params.to_string(),
            format!("{:e}", cell.run.lr),
            record.failure.map(|failure| failure.to_string()).unwrap_or_default(),
            folder.to_string_lossy().replace('\\', "/"),
        ];
        text.push_str(&fields.map(|f| quoted(&f)).join(","));
        text.push('\n');
    }
    text
}

/// A CSV field, in quotes where it needs them (RFC 4180).
pub(crate) fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

fn markdown(plan: &Comparison, headline: &Headline) -> String {
    let mut text = format!("# {}\n\n", title(plan));
    let over = headline.over.as_ref().map(|over| format!(", {over}")).unwrap_or_default();
    text.push_str(&format!("{}{over}.\n\n", capitalised(headline.measure)));
    text.push_str(&headline.results(&headline.rows).markdown("run"));
    if !headline.by_picture.is_empty() {
        text.push_str("\n## Each picture\n\n");
        text.push_str(&headline.results(&headline.by_picture).markdown("run"));
    }
    for sentence in headline.legend.into_iter().chain(headline.notes.iter().map(String::as_str)) {
        text.push_str(&format!("\n{sentence}\n"));
    }
    text.push_str("\n## What each costs\n");
    for row in &headline.rows {
        text.push_str(&format!("\n{}", headline.costs(row).markdown(&row.name())));
    }
    if let Some(protocol) = plan.request.protocol {
        text.push_str(&format!("\nProtocol `{protocol}`. {}\n", protocol.outline().about));
        if let Some(table) = protocol.published() {
            text.push_str(&format!("\n{}", table.markdown("published")));
        }
    }
    for failure in &plan.failures {
        text.push_str(&format!("\nLeft out: {}.\n", plain(&failure.error.to_string())));
    }
    text.push_str("\nEach run is below this folder; `results.csv` names them.\n");
    text
}

impl Cost {
    /// SSIM, weights, seconds and bytes, formatted.
    pub(super) fn texts(&self) -> [String; 4] {
        let whole = |number: f64| thousands(number.round() as u64);
        [format!("{:.4}", self.ssim), whole(self.weights), format!("{:.1}", self.seconds), whole(self.bytes)]
    }
}

/// 1234567 as "1,234,567".
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "5 encodings on astronaut".
pub(super) fn title(plan: &Comparison) -> String {
    let methods = &plan.request.axes.methods;
    let n = methods.len();
    let encodings = methods.iter().all(|m| matches!(m, Method::Encoding(_)));
    let what = if encodings { "encoding" } else { "method" };
    let what = if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
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
    fn large_numbers_have_commas() {
        let texts = [7, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(texts, ["7", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn names_do_not_break_tables() {
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("plain"), "plain");
    }
}
