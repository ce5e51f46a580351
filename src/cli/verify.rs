//! `afterimage verify`: every kernel and a few whole steps compared with the CPU in f64.

use super::display;
use afterimage::backend::gpu::kernel::Kernel;
use afterimage::backend::gpu::ops::kernels;
use afterimage::backend::gpu::prove::run_case;
use afterimage::backend::gpu::{
    AdapterChoice, Budget, DeviceOptions, Gpu, GpuBackend, KernelConfig, Override, Precision,
};
use afterimage::backend::{BackendError, Job, JobOptions};
use afterimage::block_on;
use afterimage::model::{
    Activation, Encoding, EncodingSpec, Init, Mlp, Model, Optimizer, Refinements, Steps, TrainingState,
};
use afterimage::picture::{Picture, Pixels};
use anyhow::bail;
use serde::Serialize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// Compare every GPU kernel, and whole training steps, with the CPU in double precision.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Examples:\n  afterimage verify\n  afterimage verify --adapter nvidia --steps 60\n  afterimage verify --json > report.json   # exit code 1 when a kernel fails"
)]
pub(super) struct VerifyArgs {
    /// Adapter by index or by a part of its name; the best one by default.
    #[arg(long, value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
    /// Training steps compared dispatch by dispatch.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub steps: u64,
    /// Only kernels whose names contain this, and no training steps.
    #[arg(long, value_name = "TEXT")]
    pub kernels: Option<String>,
    /// Compile the kernels with bounds checks, which training omits.
    #[arg(long)]
    pub checked: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct VerifyReport {
    pub device: String,
    pub driver: String,
    pub api: String,
    pub passed: bool,
    pub kernels: Vec<Row>,
    /// One row per kernel of the steps run dispatch by dispatch.
    pub lockstep: Vec<Row>,
}

/// All comparisons of one kernel.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Row {
    pub kernel: String,
    /// Shapes tested, or dispatches compared.
    pub n_compared: usize,
    /// Largest error as a share of its tolerance; null when infinite.
    pub worst_share: f64,
    pub worst_place: String,
    pub passed: bool,
    /// Time taken, most of it by the CPU.
    pub seconds: f64,
    /// Why it could not be run, if it failed.
    pub error: Option<String>,
    /// What the device lacks for it, if anything: then nothing was compared.
    pub lacks: Option<String>,
}

impl Row {
    fn new(kernel: String) -> Self {
        Self { kernel, passed: true, ..Self::default() }
    }

    fn add(&mut self, share: f64, place: String) {
        self.n_compared += 1;
        self.passed &= share <= 1.0;
        if share > self.worst_share {
            (self.worst_share, self.worst_place) = (share, place);
        }
    }
}

/// Verifies the chosen adapter and prints the results. Exit code 1 when anything failed.
pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let choice = args.adapter.clone().map_or(AdapterChoice::Any, AdapterChoice::Named);
    let options = DeviceOptions { checked_shaders: args.checked, cache: None, ..DeviceOptions::from_env()? };
    let gpu = block_on(Gpu::open(&choice, options))?;
    if !args.json {
        print_line!("{} ({}, {})", gpu.info.name, gpu.info.backend, gpu.driver());
    }
    let mut chosen = kernels();
    chosen.retain(|kernel| args.kernels.as_ref().is_none_or(|text| kernel.name().contains(text.as_str())));
    if chosen.is_empty() {
        let text = args.kernels.as_deref().unwrap_or("");
        bail!("no kernel's name contains `{text}`; `afterimage verify` lists them");
    }
    let n_steps = if args.kernels.is_some() { 0 } else { args.steps };
    let report = verify(&gpu, chosen, n_steps, |row| {
        if !args.json {
            print_row(row);
        }
    });
    display::report(args.json, &report, |report| print_line!("{}", verdict(report)))?;
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Verifies `kernels` and `n_steps` steps; `progress` receives each completed row.
pub(super) fn verify(
    gpu: &Arc<Gpu>,
    kernels: Vec<Kernel>,
    n_steps: u64,
    mut progress: impl FnMut(&Row),
) -> VerifyReport {
    let rows = kernels.into_iter().map(|kernel| {
        let row = verify_kernel(gpu, &kernel);
        progress(&row);
        row
    });
    let kernels: Vec<Row> = rows.collect();
    let mut steps = Vec::new();
    for how in ways(gpu).into_iter().take(if n_steps == 0 { 0 } else { usize::MAX }) {
        if let Err(error) = lockstep(gpu, how, n_steps, &mut steps) {
            let row = Row::new("lockstep".to_owned());
            steps.push(Row { passed: false, error: Some(error.to_string()), ..row });
        }
    }
    steps.iter().for_each(progress);
    VerifyReport {
        device: gpu.info.name.clone(),
        driver: gpu.driver(),
        api: gpu.info.backend.to_string(),
        passed: kernels.iter().chain(&steps).all(|row| row.passed),
        kernels,
        lockstep: steps,
    }
}

fn verify_kernel(gpu: &Arc<Gpu>, kernel: &Kernel) -> Row {
    let start = Instant::now();
    let mut row = Row::new(kernel.name());
    row.lacks = kernel.lacks_on(gpu);
    if row.lacks.is_some() {
        return row;
    }
    for case in kernel.cases() {
        match block_on(run_case(gpu, kernel, &case)) {
            Ok(worst) => row.add(worst.share, format!("{}: {}", case.label, worst.place)),
            Err(error) => {
                (row.passed, row.error) = (false, Some(format!("{}: {error}", case.label)));
                break;
            }
        }
    }
    Row { seconds: start.elapsed().as_secs_f64(), ..row }
}

/// The kinds of steps on `gpu`: fused, layer by layer, and with 16 bits between the layers or fused with cooperative
/// matrices if supported.
fn ways(gpu: &Gpu) -> Vec<(Budget, KernelConfig)> {
    let budget = |fused| Budget { fused, ..gpu.budget() };
    let in_f32 = [Override::Always, Override::Never].map(|fused| (budget(fused), KernelConfig::default()));
    let mixed = KernelConfig::choose(gpu, Precision::Mixed).ok();
    let matrices = mixed.clone().filter(|mixed| mixed.tiling.matrix_size().is_some());
    let fused_with = |mixed: KernelConfig| KernelConfig { fused_tiling: Some(mixed.tiling), ..mixed };
    let with_matrices = matrices.map(|mixed| (budget(Override::Always), fused_with(mixed)));
    let by_layers = mixed.map(|mixed| (budget(Override::Never), mixed));
    in_f32.into_iter().chain(by_layers).chain(with_matrices).collect()
}

/// Trains a small network dispatch by dispatch; one row per kernel used.
fn lockstep(
    gpu: &Arc<Gpu>,
    how: (Budget, KernelConfig),
    n_steps: u64,
    rows: &mut Vec<Row>,
) -> Result<(), BackendError> {
    let (job, state) = small_job(how.1.fused_tiling.is_some());
    let mut backend = block_on(GpuBackend::with(Arc::clone(gpu), job.clone(), &state, how))?;
    for step in Steps::new(job.samples.len(), job.batch_size, 1, 1e-3).take(n_steps as usize) {
        let start = Instant::now();
        let entries = block_on(backend.lockstep(&[step]))?;
        let seconds = start.elapsed().as_secs_f64() / entries.len() as f64;
        for entry in entries {
            let name = format!("step: {}", entry.kernel);
            let index = rows.iter().position(|row| row.kernel == name).unwrap_or_else(|| {
                rows.push(Row::new(name));
                rows.len() - 1
            });
            rows[index].add(entry.worst.share, format!("step {}: {}", entry.step, entry.worst.place));
            rows[index].seconds += seconds;
        }
    }
    Ok(())
}

/// Fourier features and three sine layers, Adam, on a picture of odd size; two layers if the whole network is `in_f16`,
/// where a steep sine or a sigmoid after it would leave no bound of the errors.
fn small_job(in_f16: bool) -> (Job, TrainingState) {
    let (width, height, channels) = (37, 23, 3);
    let value = |i: usize| (127.0 + 100.0 * (i as f32 * 0.11).sin()) as u8;
    let pixels = Pixels::U8((0..width as usize * height as usize * channels).map(value).collect());
    let picture = Picture { width, height, channels, pixels };
    let encoding = Encoding::new(EncodingSpec::Gaussian { features: 65, sigma: 6.0 }, 1);
    let (n_layers, activations) = match in_f16 {
        true => (2, [Activation::Relu, Activation::Identity]),
        false => (3, [Activation::Sine { w0: 30.0 }, Activation::Sigmoid]),
    };
    let network = Mlp::new([encoding.output_width(), 96, channels], n_layers, activations);
    let model = Model { encoding, network };
    let optimizer = Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
    let refinements =
        Refinements { l2: 1e-4, clip_norm: Some(1.0), ema: Some(0.9), ..Refinements::default() };
    let options = JobOptions { refinements, ..JobOptions::default() };
    let state = TrainingState::new(Init::Siren.draw(&model, 1), optimizer, &refinements);
    (Job { batch_size: 300, options, ..Job::new(model, picture, optimizer) }, state)
}

fn print_row(row: &Row) {
    if let Some(lacks) = &row.lacks {
        print_line!("{:<36} not supported: the device lacks {lacks}", row.kernel);
        return;
    }
    let verdict = if row.passed { "ok" } else { "FAILED" };
    let share = row.worst_share;
    let share = if share < 1e3 { format!("{share:.3}") } else { format!("{share:.0e}") };
    let Row { kernel, n_compared, seconds, .. } = row;
    print_line!(
        "{kernel:<36} {n_compared:>4} compared, worst {share:>6} of tolerance, {seconds:>7.2} s  {verdict}"
    );
    match &row.error {
        Some(error) => print_line!("    {error}"),
        None if !row.passed => print_line!("    {}", row.worst_place),
        None => {}
    }
}

/// What came of all comparisons.
fn verdict(report: &VerifyReport) -> String {
    let failed: Vec<_> = report.kernels.iter().chain(&report.lockstep).filter(|row| !row.passed).collect();
    if !failed.is_empty() {
        let names: Vec<_> = failed.iter().map(|row| row.kernel.as_str()).collect();
        return format!("{} of the comparisons failed: {}", failed.len(), names.join(", "));
    }
    let n_compared = report.kernels.iter().filter(|row| row.lacks.is_none()).count();
    let left_out = match report.kernels.len() - n_compared {
        0 => String::new(),
        n => format!("; {n} are not supported by this device"),
    };
    match (n_compared, report.lockstep.is_empty()) {
        (0, true) => format!("nothing was compared{left_out}"),
        (n, true) => format!("all {n} kernels agree with f64{left_out}"),
        (n, false) => format!("all {n} kernels and every step agree with f64{left_out}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_claims_only_what_was_compared() {
        let row = |lacks: Option<&str>| Row {
            passed: true,
            lacks: lacks.map(str::to_owned),
            ..Row::new("dense_forward".to_owned())
        };
        let report = |kernels: Vec<Row>, lockstep: Vec<Row>| VerifyReport {
            device: String::new(),
            driver: String::new(),
            api: String::new(),
            passed: true,
            kernels,
            lockstep,
        };
        let none = report(vec![row(Some("matrices"))], vec![]);
        assert_eq!(verdict(&none), "nothing was compared; 1 are not supported by this device");
        assert_eq!(verdict(&report(vec![row(None)], vec![])), "all 1 kernels agree with f64");
        let all = report(vec![row(None), row(None)], vec![row(None)]);
        assert_eq!(verdict(&all), "all 2 kernels and every step agree with f64");
        let wrong = Row { passed: false, ..row(None) };
        let failed = report(vec![wrong], vec![]);
        assert_eq!(verdict(&failed), "1 of the comparisons failed: dense_forward");
    }
}
