//! `afterimage bench`: how fast this machine trains.

#[cfg_attr(not(feature = "gpu"), path = "bench/no_gpu.rs")]
#[cfg_attr(feature = "gpu", path = "bench/gpu.rs")]
mod gpu;

use afterimage::backend::tuned::KernelTime;
use afterimage::backend::{BackendChoice, BackendError, DeviceOptions, DeviceRequest};
use afterimage::bench::{BenchJob, Ceilings, Figures, cpu_ceilings, jobs, measure, peak_bytes, scale_jobs};
use afterimage::config::DeviceConfig;
use anyhow::bail;
use gpu::Device;
use serde::Serialize;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  afterimage bench                                # the best hardware GPU, or the CPU
  afterimage bench --backend cpu --threads 1
  afterimage bench --jobs seed --size 256         # jobs whose names have `seed`, pictures up to 256x256
  afterimage bench --scale                        # how time and memory grow with pixels and width
  afterimage bench --json > bench.json

benches/torch_baseline.py measures PyTorch on the same jobs; docs/BENCHMARKS.md has figures.";

/// Measure milliseconds per step on named jobs, compared with the machine's own ceilings.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct BenchArgs {
    /// Only jobs whose names contain this
    #[arg(long, value_name = "TEXT")]
    jobs: Option<String>,
    /// Only jobs with pictures of at most this many pixels per side [default: 512, with --scale 4096]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(64..))]
    size: Option<u32>,
    /// Other jobs: pictures from 64x64 to 4096x4096 and networks from 32 to 1024 units wide
    #[arg(long)]
    scale: bool,
    /// Seconds per job, and per ceiling
    #[arg(long, value_name = "S", default_value_t = 3.0, allow_negative_numbers = true)]
    seconds: f64,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceConfig,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    device: String,
    driver: String,
    threads: usize,
    ceilings: Ceilings,
    jobs: Vec<JobReport>,
    /// Peak memory of the process, drivers included.
    peak_bytes: Option<u64>,
}

#[derive(Serialize)]
struct JobReport {
    #[serde(flatten)]
    figures: Option<Figures>,
    /// Why there are none.
    error: Option<String>,
    /// Time of each kernel, on a GPU with timestamps.
    kernels: Option<Vec<KernelTime>>,
}

/// Measures everything. Exit code 1 when a job fails.
pub(super) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    if !(args.seconds > 0.0 && args.seconds <= 600.0) {
        bail!("seconds is {}: give a number above 0, up to 600", args.seconds);
    }
    let mut chosen =
        if args.scale { scale_jobs(args.size.unwrap_or(4096)) } else { jobs(args.size.unwrap_or(512)) };
    let all: Vec<String> = chosen.iter().map(|job| job.name.clone()).collect();
    chosen.retain(|job| args.jobs.as_ref().is_none_or(|text| job.name.contains(text.as_str())));
    if chosen.is_empty() {
        let (text, all) = (args.jobs.as_deref().unwrap_or(""), all.join(", "));
        bail!("no job's name contains `{text}`; there are: {all}");
    }
    let options = DeviceOptions::from_env()?;
    let asked = args.device.request();
    let gpu = Device::open(asked.backend, asked.adapter.as_deref(), &options)?;
    let request = DeviceRequest {
        backend: if gpu.is_some() { BackendChoice::Gpu } else { BackendChoice::Cpu },
        adapter: asked.adapter.filter(|_| gpu.is_some()),
        options,
        ..asked
    };
    let ceilings = match &gpu {
        Some(gpu) => gpu.ceilings(request.precision, args.seconds)?,
        None => cpu_ceilings(request.threads, args.seconds)?,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        device: gpu.as_ref().map_or_else(|| "CPU".to_owned(), Device::name),
        driver: gpu.as_ref().map_or_else(String::new, Device::driver),
        threads: if request.threads == 0 { cores } else { request.threads },
        ceilings,
        jobs: Vec::new(),
        peak_bytes: None,
    };
    Ok(finish(args, report, &chosen, &request, gpu.as_ref())?)
}

fn finish(
    args: &BenchArgs,
    mut report: Report,
    jobs: &[BenchJob],
    request: &DeviceRequest,
    gpu: Option<&Device>,
) -> Result<ExitCode, BackendError> {
    if !args.json {
        print_header(&report, gpu.is_some());
    }
    for job in jobs {
        let done = run_job(job, request, args.seconds, &report.ceilings, gpu)?;
        if !args.json {
            done.print(&job.name);
        }
        report.jobs.push(done);
    }
    report.peak_bytes = peak_bytes();
    if let (Some(bytes), false) = (report.peak_bytes, args.json) {
        print_line!("\npeak memory of the process: {:.0} MiB", bytes as f64 / f64::from(1 << 20));
    }
    if args.json {
        print_line!("{}", serde_json::to_string_pretty(&report).expect("figures are plain data"));
    }
    Ok(ExitCode::from(u8::from(report.jobs.iter().any(|job| job.error.is_some()))))
}

fn print_header(report: &Report, is_gpu: bool) {
    let Ceilings { gflop_per_second, mixed_gflop_per_second, gigabytes_per_second } = report.ceilings;
    let mixed = mixed_gflop_per_second.map_or_else(String::new, |mixed| format!(", {mixed:.0} mixed"));
    if is_gpu {
        print_line!("{}{}", report.device, report.driver);
        print_line!("a large matrix product: {gflop_per_second:.0} GFLOP/s{mixed}");
    } else {
        print_line!("{}, {} threads", report.device, report.threads);
        print_line!("multiply-adds in registers: {gflop_per_second:.0} GFLOP/s");
    }
    print_line!("a copy: {gigabytes_per_second:.1} GB/s, read and written");
    print_line!("");
    print_line!(
        "job                                   ms fastest..slowest    CPU ms   samples/s  GFLOP/s ceiling    memory   start compiling"
    );
}

fn run_job(
    job: &BenchJob,
    request: &DeviceRequest,
    seconds: f64,
    ceilings: &Ceilings,
    gpu: Option<&Device>,
) -> Result<JobReport, BackendError> {
    Ok(match measure(job, request, seconds, ceilings) {
        Ok(figures) => {
            let kernels = match (gpu, &figures.method) {
                (Some(gpu), Some(method)) => gpu.kernel_times(job, method)?,
                _ => None,
            };
            JobReport { figures: Some(figures), error: None, kernels }
        }
        Err(error) => JobReport { figures: None, error: Some(error.to_string()), kernels: None },
    })
}

impl JobReport {
    fn print(&self, name: &str) {
        match (&self.figures, &self.error) {
            (Some(figures), _) => print_line!("{}", line(figures)),
            (None, error) => print_line!("{name:<30} {}", error.as_deref().unwrap_or_default()),
        }
        for time in self.kernels.iter().flatten().take(8) {
            let ms = time.ms / time.dispatches as f64;
            print_line!("    {:<44} {:>4} x {ms:>9.3} ms", time.kernel, time.dispatches);
        }
    }
}

fn line(f: &Figures) -> String {
    let spread = format!("{:.2}..{:.2}", f.ms_fastest, f.ms_slowest);
    let cpu = f.cpu_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2}"));
    let memory = format!("{:.1} MiB", f.bytes as f64 / f64::from(1 << 20));
    let method = f.method.as_ref().map_or_else(String::new, |method| method.config.name());
    let (percent, start, compiling) = (100.0 * f.share_of_ceiling, f.seconds_to_start, f.seconds_compiling);
    let Figures { job, ms, samples_per_second: samples, gflop_per_second: gflop, .. } = f;
    format!(
        "{job:<30} {ms:>9.3} {spread:>16} {cpu:>9} {samples:>11.3e} {gflop:>8.1} {percent:>6.0}% {memory:>9} \
         {start:>6.2}s {compiling:>8.2}s  {method}"
    )
}
