//! The results as tables: means and deviations over pictures and seeds.

use super::cell::Cell;
use super::grid::Size;
use super::method::Method;
use super::records::{FAILURE_LEGEND, FAILURE_MARK};
use super::{Comparison, Record};
use crate::config::OptimizerKind;
use crate::report::{Table, TableRow};

/// Mean and sample standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub(crate) mean: f64,
    /// With n - 1 degrees of freedom; `None` for a single value.
    pub(crate) deviation: Option<f64>,
    pub(crate) n: usize,
    pub(crate) n_failed: usize,
}

impl Spread {
    /// Of `values`; `None` if empty.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        (n > 0).then_some(Self { mean, deviation, n, n_failed: 0 })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.mean.is_infinite() {
            return f.write_str("exact");
        }
        write!(f, "{:.2}", self.mean)?;
        self.deviation.map_or(Ok(()), |deviation| write!(f, " ± {deviation:.2}"))?;
        f.write_str(if self.n_failed > 0 { FAILURE_MARK } else { "" })
    }
}

/// One row of the main table: results of each method at one size with one optimiser.
#[derive(Clone, Debug)]
pub struct Row {
    /// The picture, if the row is for one.
    pub(crate) picture: Option<String>,
    pub(crate) size: Size,
    pub(crate) optimizer: OptimizerKind,
    /// PSNR of each method, over pictures and seeds.
    pub cells: Vec<Option<Spread>>,
    /// Other figures of each method.
    pub(crate) costs: Vec<Option<Cost>>,
}

/// A method's other figures, over the same runs.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Mean structural similarity of the whole picture.
    pub(crate) ssim: f64,
    /// Mean number of weights and biases: some encodings have more for larger pictures.
    pub(crate) weights: f64,
    /// Mean seconds from the first step to the last, pictures included.
    pub(crate) seconds: f64,
    /// Mean size of the model file in bytes.
    pub(crate) bytes: f64,
}

impl Cost {
    fn of(records: &[&Record]) -> Option<Self> {
        let mean = |of: fn(&Record) -> f64| records.iter().map(|r| of(r)).sum::<f64>() / records.len() as f64;
        (!records.is_empty()).then(|| Self {
            ssim: mean(|r| r.ssim),
            weights: mean(|r| r.n_params as f64),
            seconds: mean(|r| r.result.seconds),
            bytes: mean(|r| r.n_bytes as f64),
        })
    }
}

impl Row {
    /// "astronaut, 32 pixels, sgd".
    pub fn name(&self) -> String {
        let picture = self.picture.as_ref().map(|p| format!("{p}, ")).unwrap_or_default();
        let unit = if matches!(self.size, Size::Pixels(_)) { " pixels" } else { "" };
        format!("{picture}{}{unit}, {}", self.size, self.optimizer)
    }

    /// The index of the highest mean, if there are several.
    pub(crate) fn best(&self) -> Option<usize> {
        let means = self.cells.iter().enumerate().filter_map(|(i, c)| Some((i, c.as_ref()?.mean)));
        let best = means.max_by(|a, b| a.1.total_cmp(&b.1));
        best.filter(|_| self.cells.iter().flatten().count() > 1).map(|(i, _)| i)
    }
}

/// The main tables.
#[derive(Clone, Debug)]
pub struct Headline {
    /// The quantity shown: "test PSNR in dB".
    pub measure: &'static str,
    /// Names of the columns.
    pub methods: Vec<Method>,
    /// Over all pictures and seeds: one row per size and optimiser.
    pub rows: Vec<Row>,
    /// The same for each picture, if there are several.
    pub(crate) by_picture: Vec<Row>,
    /// The legend of the mark of failed runs, if there are any.
    pub(crate) legend: Option<&'static str>,
    /// "mean ± standard deviation over 16 pictures", if there is more than one value.
    pub over: Option<String>,
    /// Sentences on what the means of seeds reach, and what interpolation does, which networks must be better than.
    pub notes: Vec<String>,
}

impl Headline {
    /// From the results of `plan`'s cells.
    pub fn of(plan: &Comparison, records: &[Record]) -> Self {
        let axes = &plan.request.axes;
        let n_pictures = plan.request.sources.len();
        let row = |picture: Option<usize>, size: Size, optimizer: OptimizerKind| {
            let belongs = |cell: &Cell| {
                cell.size == size && cell.optimizer == optimizer && picture.is_none_or(|p| cell.picture == p)
            };
            let of = |method: &Method| {
                let of_cell = |r: &&Record| {
                    let cell = &plan.cells[r.cell];
                    belongs(cell) && cell.method == *method
                };
                records.iter().filter(of_cell).collect::<Vec<_>>()
            };
            let psnr = |records: &Vec<&Record>| {
                let n_failed = records.iter().filter(|r| r.failure.is_some()).count();
                let spread = Spread::of(&records.iter().map(|r| r.psnr()).collect::<Vec<_>>())?;
                Some(Spread { n_failed, ..spread })
            };
            let of_methods: Vec<_> = axes.methods.iter().map(of).collect();
            Row {
                picture: picture.map(|p| plan.request.sources[p].name.clone()),
                size,
                optimizer,
                cells: of_methods.iter().map(psnr).collect(),
                costs: of_methods.iter().map(|records| Cost::of(records)).collect(),
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
            methods: axes.methods.clone(),
            legend: records.iter().any(|r| r.failure.is_some()).then_some(FAILURE_LEGEND),
            rows: rows(None),
            by_picture: match n_pictures {
                1 => Vec::new(),
                n => (0..n).flat_map(|p| rows(Some(p))).collect(),
            },
            notes: means(plan, records).into_iter().chain(spline(plan, records)).collect(),
            over: over.map(|over| format!("mean ± standard deviation over {over}")),
        }
    }
}

impl Headline {
    /// PSNR of each method, of some of the rows.
    pub(super) fn results(&self, rows: &[Row]) -> Table {
        let row = |row: &Row| TableRow {
            name: row.name(),
            cells: row.cells.iter().map(|spread| spread.map(|spread| spread.to_string())).collect(),
            best: row.best(),
        };
        let columns = self.methods.iter().map(ToString::to_string).collect();
        Table { columns, rows: rows.iter().map(row).collect() }
    }

    /// What each method costs at the size and with the optimiser of `row`.
    pub(super) fn costs(&self, row: &Row) -> Table {
        let methods = self.methods.iter().zip(&row.cells).zip(&row.costs);
        let rows = methods.filter_map(|((method, psnr), cost)| {
            let cells = [(*psnr)?.to_string()].into_iter().chain((*cost)?.texts()).map(Some).collect();
            Some(TableRow { name: method.to_string(), cells, best: None })
        });
        let columns = [self.measure, "SSIM", "weights", "seconds", "bytes"].map(str::to_owned).into();
        Table { columns, rows: rows.collect() }
    }
}

/// What a cubic spline reaches at each size.
fn spline(plan: &Comparison, records: &[Record]) -> Option<String> {
    let sizes = &plan.request.axes.sizes;
    let at = |size: &Size| {
        let of_size = records.iter().filter(|r| plan.cells[r.cell].size == *size);
        let spread = Spread::of(&of_size.filter_map(|r| r.spline).collect::<Vec<_>>())?;
        Some(if sizes.len() == 1 { spread.to_string() } else { format!("{spread} at {size}") })
    };
    let reached: Vec<String> = sizes.iter().filter_map(at).collect();
    let what = "A cubic spline through the training pixels, in dB of the test pixels";
    (!reached.is_empty()).then(|| format!("{what}: {}.", reached.join(", ")))
}

/// What the mean of each method's seeds reaches at each size.
fn means(plan: &Comparison, records: &[Record]) -> Option<String> {
    let axes = &plan.request.axes;
    let of = |method: &Method, size: &Size| {
        let is_one = |r: &&Record| plan.cells[r.cell].method == *method && plan.cells[r.cell].size == *size;
        let means: Vec<f64> = records.iter().filter(is_one).filter_map(|r| r.mean_of_seeds).collect();
        let spread = Spread::of(&means)?;
        let at = if axes.sizes.len() == 1 { String::new() } else { format!(" at {size}") };
        Some(format!("{method} {spread}{at}"))
    };
    let pairs = axes.methods.iter().flat_map(|method| axes.sizes.iter().map(move |size| (method, size)));
    let reached: Vec<String> = pairs.filter_map(|(method, size)| of(method, size)).collect();
    let sentence = || format!("The mean of {} seeds' pictures, in dB: {}.", axes.seeds, reached.join(", "));
    (!reached.is_empty()).then(sentence)
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
    fn the_best_is_the_highest_of_several() {
        let spread = |mean| Spread::of(&[mean]);
        let row = |cells| Row {
            picture: None,
            size: Size::Pixels(32),
            optimizer: OptimizerKind::Adam,
            costs: vec![None; 4],
            cells,
        };
        assert_eq!(row(vec![spread(1.0), None, spread(3.0), spread(2.0)]).best(), Some(2));
        assert_eq!(row(vec![spread(1.0), None]).best(), None);
    }
}
