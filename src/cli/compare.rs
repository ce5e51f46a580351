//! `afterimage compare`: a grid of runs, and their results side by side.

mod display;
mod rates;

use super::display::Verbosity;
use super::{signals, stdio};
use afterimage::backend::{BackendChoice, DeviceOptions, has_hardware_gpu};
use afterimage::block_on;
use afterimage::causes::with_causes;
use afterimage::compare::{
    self, Axes, Comparison, EncodingChoice, Ending, Headline, MAX_SEEDS, Method, Protocol, Request, Share,
    Size,
};
use afterimage::config::{
    Config, DeviceConfig, EncodingKind, OptimizerKind, OutputConfig, PictureConfig, Preset, TrainingConfig,
};
use afterimage::model::Holdout;
use afterimage::picture::{ColorHandling, Transparent};
use anyhow::bail;
use display::GridDisplay;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  afterimage compare photo.jpg                                     # six encodings side by side
  afterimage compare photo.jpg --protocol course --sizes 32,128    # a course's assignment, both optimisers
  afterimage compare photos/ --protocol paper --out runs/paper     # mean and deviation over a folder
  afterimage compare kodak/ --protocol kodak                       # whole photographs, beside published figures
  afterimage compare photo.jpg --presets fast,siren --encodings none+sine,gaussian:auto --holdout none
  afterimage compare photo.jpg --encodings gaussian:5,gaussian:10,gaussian:20 --seeds 3
  afterimage compare photos/ --rates 0.1,0.3,0.6,1.0               # small files beside JPEG, WebP and AVIF

Run again, it skips what is done and resumes what was stopped.";

/// Help of `--threads`, which are divided among runs.
const THREADS: &str =
    "Threads of all runs together on the CPU, 0 for all cores; they change no result [default: 0]";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES, mut_arg("threads", |arg| arg.help(THREADS)))]
pub(crate) struct CompareArgs {
    /// Pictures, or folders of pictures
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Folder for the reports and the runs [default: runs/compare-NAME, with the protocol]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace runs in the folder that were trained with other settings
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pub(super) verbosity: Verbosity,

    /// Longer sides in pixels, or `native` [default: 128, or the protocol's]
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', help_heading = "Grid")]
    sizes: Option<Vec<Size>>,
    /// Encodings, with a parameter after a colon and an activation after a plus: none, basic,
    /// positional:EXPONENT, gaussian:SIGMA, gaussian:auto, octaves:N, triangle-wave:N, one-blob:BINS,
    /// hash-grid, dense-grid, none+sine [default: none,basic,positional,gaussian:1,gaussian:10,gaussian:100,
    /// or the protocol's; none beside --presets]
    #[arg(long, value_name = "E,E,...", value_delimiter = ',', help_heading = "Grid")]
    encodings: Option<Vec<EncodingChoice>>,
    /// Presets with their own settings, in addition to the encodings
    #[arg(
        long,
        value_name = "P,P,...",
        value_delimiter = ',',
        conflicts_with = "protocol",
        help_heading = "Grid"
    )]
    presets: Option<Vec<Preset>>,
    /// Update rules [default: adam, or the protocol's]
    #[arg(long, value_name = "O,O,...", value_delimiter = ',', help_heading = "Grid")]
    optimizers: Option<Vec<OptimizerKind>>,
    /// Instead of a grid, files of at most so many bits a pixel, beside JPEG and, where cwebp and avifenc are installed,
    /// WebP and AVIF
    #[arg(long, value_name = "BITS,BITS,...", value_delimiter = ',', help_heading = "Small files",
        value_parser = super::compress::bits, allow_negative_numbers = true, conflicts_with_all = rates::NOT_WITH_RATES)]
    rates: Option<Vec<f64>>,
    /// Steps of training for each of these files [default: 1500]
    #[arg(long, value_name = "N", help_heading = "Small files", requires = "rates",
        value_parser = super::compress::steps_parser())]
    steps: Option<u32>,
    /// Train each cell with this many seeds, and report mean and deviation
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true, help_heading = "Grid",
        value_parser = clap::value_parser!(u64).range(1..=MAX_SEEDS))]
    seeds: u64,
    /// Use settings with published results
    #[arg(long, help_heading = "Settings")]
    protocol: Option<Protocol>,
    /// Settings from a TOML file, or from tiny-cuda-nn's JSON, for every cell; the grid's options win
    #[arg(long, value_name = "FILE", conflicts_with = "protocol", help_heading = "Settings")]
    config: Option<PathBuf>,
    /// Which picture of a file with several, counted from 1 [default: the largest or first]
    #[arg(long, value_name = "N", help_heading = "Settings")]
    page: Option<NonZeroU32>,
    /// Pixels held out from training and measured as the test split [default: the protocol's, or every-other]
    #[arg(long, help_heading = "Settings")]
    holdout: Option<Holdout>,
    /// Colours of other spaces than sRGB [default: srgb]
    #[arg(long, help_heading = "Settings")]
    color: Option<ColorHandling>,
    /// Colours where alpha is 0 [default: fill]
    #[arg(long, help_heading = "Settings")]
    transparent: Option<Transparent>,
    /// Passes over the training pixels [default: the protocol's or the preset's, or by size]
    #[arg(long, value_name = "N", help_heading = "Settings",
        value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    epochs: Option<u64>,
    /// The first seed [default: 0]
    #[arg(long, value_name = "N", help_heading = "Settings",
        value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64 - MAX_SEEDS))]
    seed: Option<u64>,
    #[command(flatten)]
    output: OutputConfig,
    /// Runs trained at a time [default: all cores on the CPU, 1 on a GPU and with the protocol kodak]
    #[arg(long, value_name = "N", help_heading = "Device",
        value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    #[command(flatten)]
    device: DeviceConfig,
}

/// The default comparison.
const SIZES: [Size; 1] = [Size::Pixels(128)];
const ENCODINGS: [EncodingChoice; 6] = [
    EncodingChoice::plain(EncodingKind::None),
    EncodingChoice::plain(EncodingKind::Basic),
    EncodingChoice::plain(EncodingKind::Positional),
    EncodingChoice::gaussian(1.0),
    EncodingChoice::gaussian(10.0),
    EncodingChoice::gaussian(100.0),
];

impl CompareArgs {
    fn axes(&self) -> Axes {
        let outline = self.protocol.map(Protocol::outline);
        let sizes = || match outline {
            Some(outline) => outline.sizes.to_vec(),
            None => SIZES.to_vec(),
        };
        let encodings =
            |encodings: &[EncodingChoice]| encodings.iter().copied().map(Method::Encoding).collect();
        let mut methods: Vec<Method> = match (&self.encodings, &self.presets, outline) {
            (Some(typed), ..) => encodings(typed),
            (None, Some(_), _) => Vec::new(),
            (None, None, Some(outline)) => outline.methods.to_vec(),
            (None, None, None) => encodings(&ENCODINGS),
        };
        methods.extend(self.presets.iter().flatten().copied().map(Method::Preset));
        let optimizers = || outline.map_or(vec![OptimizerKind::Adam], |o| o.optimizers.to_vec());
        Axes {
            sizes: self.sizes.clone().unwrap_or_else(sizes),
            methods,
            optimizers: self.optimizers.clone().unwrap_or_else(optimizers),
            seeds: self.seeds,
        }
    }

    fn request(&self) -> anyhow::Result<Request> {
        let mut base = self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        base.picture.page = self.page.or(base.picture.page);
        let typed = Config {
            picture: PictureConfig {
                holdout: self.holdout,
                color: self.color,
                transparent: self.transparent,
                ..PictureConfig::default()
            },
            training: TrainingConfig { epochs: self.epochs, seed: self.seed, ..TrainingConfig::default() },
            output: self.output.clone(),
            device: self.device.clone(),
            ..Config::default()
        };
        let axes = self.axes();
        axes.check()?;
        if self.images.iter().any(|path| stdio::is_dash(path)) {
            bail!(
                "compare takes files, since it reads them again when it is resumed; save the picture of {} first",
                stdio::INPUT
            );
        }
        let sources = compare::sources(&self.images)?;
        let out = self.out.clone().unwrap_or_else(|| self.default_folder(&sources));
        if out.join("config.toml").is_file() {
            bail!("{} holds a run; choose another --out", out.display());
        }
        Ok(Request { sources, axes, protocol: self.protocol, typed, base, out, force: self.force })
    }

    fn threads(&self) -> usize {
        self.device.threads.unwrap_or(0).into()
    }

    /// `runs/compare-photo` or `runs/compare-photo-course`.
    fn default_folder(&self, sources: &[compare::Source]) -> PathBuf {
        let first = match (self.images.as_slice(), sources) {
            ([folder], _) if folder.is_dir() => {
                folder.file_name().map(|name| name.to_string_lossy().into_owned())
            }
            (_, [first, ..]) => Some(first.name.clone()),
            _ => None,
        };
        let protocol = self.protocol.map(|p| format!("-{}", p)).unwrap_or_default();
        PathBuf::from("runs").join(format!("compare-{}{protocol}", first.as_deref().unwrap_or("pictures")))
    }
}

/// Trains the grid and writes the reports. Exit code 1 when a picture or a run failed, the signal's when it was stopped.
pub(super) fn run(args: CompareArgs) -> anyhow::Result<ExitCode> {
    signals::handle((!args.verbosity.quiet).then_some(signals::STOPPING))?;
    if let Some(bits) = &args.rates {
        return rates::run(&args, bits);
    }
    let mut request = args.request()?;
    let options = DeviceOptions::from_env()?;
    let gpu = choose_device(&mut request, &options);
    let settings = request.typed.clone().or(request.base.clone());
    let mut plan = Comparison::new(request)?;
    settings.warnings().iter().for_each(|warning| log::warn!("{warning}"));
    for failure in &plan.failures {
        eprint_line!("{} is left out: {}", failure.name, with_causes(&failure.error));
    }
    let jobs = args.jobs.map(usize::from).or(args.protocol.and_then(|protocol| protocol.outline().jobs));
    let share = Share::on_this_machine(plan.pending(), jobs, &settings, gpu);
    let display = GridDisplay::new(&plan, share, args.verbosity.quiet);
    let endings = compare::run(&mut plan, share, &options, &display);
    display.close();
    let failed = endings.iter().filter(|e| matches!(e, Ending::Failed(_))).count();
    let stopped = endings.iter().filter(|e| matches!(e, Ending::Stopped)).count();
    if stopped > 0 {
        let done = plan.cells.len() - plan.pending();
        eprint_line!("stopped with {done} of {} runs done; run the same command to resume", plan.cells.len());
        return Ok(signals::exit_code());
    }
    if failed == endings.len() {
        bail!("no run was completed");
    }
    let records = compare::report(&plan)?;
    if !args.verbosity.quiet {
        summarise(&plan, &Headline::of(&plan, &records));
    }
    Ok(ExitCode::from(u8::from(failed > 0 || !plan.failures.is_empty())))
}

/// Resolves `auto` once for all cells; true for a GPU.
fn choose_device(request: &mut Request, options: &DeviceOptions) -> bool {
    let device = request.typed.device.clone();
    let base = &request.base.device;
    let backend = device.backend.or(base.backend).unwrap_or_default();
    let named = device.adapter.is_some() || base.adapter.is_some();
    match backend {
        BackendChoice::Cpu => false,
        BackendChoice::Gpu => true,
        BackendChoice::Auto if named => true,
        BackendChoice::Auto => {
            let has_gpu = block_on(has_hardware_gpu(options));
            if !has_gpu {
                request.typed.device.backend = Some(BackendChoice::Cpu);
            }
            has_gpu
        }
    }
}

/// The main table for a terminal, and where the rest is.
fn summarise(plan: &Comparison, headline: &Headline) {
    let over = headline.over.as_ref().map(|over| format!(", {over}")).unwrap_or_default();
    print_line!("{}{over}", headline.measure);
    let header: Vec<String> =
        std::iter::once(String::new()).chain(headline.methods.iter().map(ToString::to_string)).collect();
    let row = |row: &compare::Row| -> Vec<String> {
        let cells = row.cells.iter().map(|c| c.map_or_else(|| "-".to_owned(), |spread| spread.to_string()));
        std::iter::once(row.name()).chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(headline.rows.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let cell = |(i, text): (usize, &String)| match i {
            0 => format!("  {text:<width$}", width = widths[0]),
            i => format!("  {text:>width$}", width = widths[i]),
        };
        print_line!("{}", row.iter().enumerate().map(cell).collect::<String>().trim_end());
    }
    headline.notes.iter().for_each(|sentence| print_line!("  {sentence}"));
    let out = plan.request.out.display();
    print_line!("  {out}/report.html   everything, with pictures");
    print_line!("  {out}/results.csv   the numbers");
}
