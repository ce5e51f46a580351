//! `afterimage collect`: a network for each of many pictures, in few files with an index.

use super::display::{Meter, Verbosity, count};
use super::signals;
use super::train::settings;
use afterimage::backend::DeviceOptions;
use afterimage::collect::{self, Channels, Collection, Crop, Histogram, Request, Row, Seeds, Shard, Watch};
use afterimage::compare::Share;
use afterimage::config::{
    Config, DeviceConfig, EncodingConfig, NetworkConfig, PictureConfig, Preset, TrainingConfig,
};
use anyhow::bail;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  afterimage collect cifar/ --out sirens --preset siren --layers 3 --hidden 64 --batch full --epochs 1000
  afterimage collect imagenet.tar --crop 256 --out sirens --preset siren --layers 4 --epochs 100
  afterimage collect list.txt --out sirens --shard 3/8        # the third of eight machines

Run again, it goes on where it was stopped or killed. docs/COLLECTIONS.md has the files, a loader for PyTorch, Slurm and
Ray.";

/// Help of `--threads`, which are divided among networks.
const THREADS: &str =
    "Networks trained at a time on the CPU, 0 for one a core; changes no result [default: 0]";

/// Help of `--backend`.
const BACKEND: &str = "Where to run: a network a core, or many at once on a GPU [default: cpu]";

#[derive(clap::Args)]
#[command(
    after_help = EXAMPLES,
    allow_negative_numbers = true,
    mut_arg("threads", |arg| arg.help(THREADS)),
    mut_arg("backend", |arg| arg.help(BACKEND))
)]
pub(crate) struct CollectArgs {
    /// A folder with pictures in it or in folders below it, a text with a path a line (and after a tab a label), or a tar
    /// archive
    #[arg(value_name = "FOLDER|LIST|ARCHIVE.tar")]
    pictures: PathBuf,
    /// Folder of the collection
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only every Nth picture, from the Ith on, in a folder of its own in --out: for N processes or machines
    #[arg(long, value_name = "I/N", default_value = "1/1", hide_default_value = true)]
    shard: Shard,
    /// Settings from a TOML file, or from tiny-cuda-nn's JSON; command-line options win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Settings that come with the program; command-line options win
    #[arg(long, conflicts_with = "config")]
    preset: Option<Preset>,
    #[command(flatten)]
    pub(super) verbosity: Verbosity,

    /// The largest centred part of each picture of this shape, resized to this size: WIDTHxHEIGHT, or one number for a
    /// square [default: the whole picture]
    #[arg(long, value_name = "WxH|SIDE", conflicts_with = "size", help_heading = "Collection")]
    crop: Option<Crop>,
    /// The networks' channels [default: rgb]
    #[arg(long, default_value_t, hide_default_value = true, help_heading = "Collection")]
    channels: Channels,
    /// Whether all networks begin with the same weights [default: same]
    #[arg(long, default_value_t, hide_default_value = true, help_heading = "Collection")]
    seeds: Seeds,
    /// Networks a file [default: as many as have 64 MiB, at most 4096]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Collection")]
    per_file: Option<u32>,
    #[command(flatten)]
    device: DeviceConfig,
    #[command(flatten)]
    picture: PictureConfig,
    #[command(flatten)]
    encoding: EncodingConfig,
    #[command(flatten)]
    network: NetworkConfig,
    #[command(flatten)]
    training: TrainingConfig,
}

impl CollectArgs {
    fn request(self) -> anyhow::Result<Request> {
        let typed = Config {
            picture: self.picture,
            encoding: self.encoding,
            network: self.network,
            training: self.training,
            device: self.device,
            ..Config::default()
        };
        let config = settings(typed, self.config.as_deref(), self.preset)?;
        let Self { pictures, out, crop, channels, seeds, shard, per_file, .. } = self;
        Ok(Request { pictures, out, config, crop, channels, seeds, shard, per_file })
    }
}

/// Trains the networks that are not done. Exit code 1 when a picture is left out, the signal's when it was stopped.
pub(super) fn run(args: CollectArgs) -> anyhow::Result<ExitCode> {
    let quiet = args.verbosity.quiet;
    signals::handle((!quiet).then_some("\nstopping; press Ctrl-C again to end at once"))?;
    let mut request = args.request()?;
    let options = DeviceOptions::from_env()?;
    let gpu = request.choose_device();
    let mut collection = Collection::open(request)?;
    let share = Share::on_this_machine(collection.n_pending(), None, &collection.config, gpu);
    let display = Display::new(&collection, (share, gpu), quiet);
    let complete = collect::run(&mut collection, share, &options, &display);
    display.close();
    let rows = collection.rows();
    if !complete? {
        let (done, all) = (rows.len(), collection.len());
        eprint_line!("stopped with {done} of {all} pictures done; run the same command to go on");
        return Ok(signals::exit_code());
    }
    summarise(&collection, &rows, quiet)
}

fn summarise(collection: &Collection, rows: &[Row], quiet: bool) -> anyhow::Result<ExitCode> {
    let left_out = rows.iter().filter(|row| row.error.is_some()).count();
    let n = rows.len() - left_out;
    if n == 0 && !rows.is_empty() {
        bail!("no network was trained");
    }
    let histogram = Histogram::of(rows);
    if !quiet {
        let failed = rows.iter().filter(|row| row.failure.is_some()).count();
        let failed = if failed > 0 { format!(", {failed} of them flat or poor") } else { String::new() };
        let mean = if histogram.bins.is_empty() {
            String::new()
        } else {
            format!(": {:.2} dB in the mean", histogram.mean)
        };
        print_line!("{}{failed}{mean}", count(n as u64, "network"));
        print_line!("{}", histogram.to_string().trim_end());
        let folder = collection.folder.display();
        print_line!(
            "  {folder}/index.jsonl  a line a picture: label, PSNR, file and row; config.toml has the settings"
        );
        print_line!("  {folder}/psnr.svg     how good they are");
    }
    if left_out > 0 {
        eprint_line!("{} left out: `error` in index.jsonl says why", count(left_out as u64, "picture"));
    }
    Ok(ExitCode::from(u8::from(left_out > 0)))
}

/// Interval between plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The display of a collection, whose networks report from several threads.
struct Display {
    meter: Mutex<(Meter, u64)>,
    done_before: u64,
    all: u64,
    start: Instant,
}

impl Display {
    fn new(collection: &Collection, (share, gpu): (Share, bool), quiet: bool) -> Self {
        let (all, pending) = (collection.len() as u64, collection.n_pending() as u64);
        if !quiet {
            let before =
                if pending < all { format!(", {} done before", all - pending) } else { String::new() };
            let place =
                if gpu { "on a GPU".to_owned() } else { format!("{} at a time on the CPU", share.jobs) };
            eprint_line!("{} to train{before}, {place}", count(pending, "network"));
        }
        let meter = Mutex::new((Meter::new(quiet || pending == 0, LINE_INTERVAL), 0));
        Self { meter, done_before: all - pending, all, start: Instant::now() }
    }

    fn close(&self) {
        self.meter.lock().expect("no worker panicked").0.close();
    }
}

impl Watch for Display {
    fn done(&self, row: &Row) {
        let (meter, n) = &mut *self.meter.lock().expect("no worker panicked");
        *n += 1;
        let done = self.done_before + *n;
        let per_second = *n as f64 / self.start.elapsed().as_secs_f64().max(1e-9);
        let speed = || format!("{per_second:.2} networks/s");
        if let Some(error) = &row.error {
            meter.say(true, &format!("{} is left out: {error}", row.picture));
        }
        meter.advance(done, self.all, || format!("{done}/{}  {}", self.all, speed()));
        meter.line(done == self.all, || {
            let left = (self.all - done) as f64 / per_second;
            format!("{done}/{}  {}  {left:.0} s left", self.all, speed())
        });
    }

    fn stop_requested(&self) -> bool {
        signals::stop_requested()
    }
}
