//! Everything known before the first step: prepared pictures, resolved cells, earlier results.

use super::cell::{Cell, State, chosen};
use super::grid::{Axes, Size, Source};
use super::method::{EncodingChoice, Method};
use super::{CompareError, Protocol, Result};
use crate::config::{
    Config, EncodingConfig, NetworkConfig, OptimizerKind, PictureConfig, PictureSize, TrainingConfig,
};
use crate::model::Holdout;
use crate::picture::{self, Depth, IccProfile, Loaded, Packing, Picture, PictureBuilder, Reading};
use crate::run::FolderLock;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Pictures with unique names.
    pub sources: Vec<Source>,
    /// The grid for each of them.
    pub axes: Axes,
    /// The protocol, if any.
    pub protocol: Option<Protocol>,
    /// Settings that override the protocol's.
    pub typed: Config,
    /// Settings if there is no protocol.
    pub base: Config,
    /// Folder of the comparison.
    pub out: PathBuf,
    /// Whether cells trained with other settings may be replaced.
    pub force: bool,
}

/// A picture that cannot be compared on.
#[derive(Debug)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why.
    pub error: CompareError,
}

/// All cells of a comparison, in the order of the tables.
#[derive(Debug)]
pub struct Comparison {
    /// The request, without the pictures that failed.
    pub request: Request,
    /// The cells.
    pub cells: Vec<Cell>,
    /// Pictures left out.
    pub failures: Vec<LeftOut>,
    /// No other comparison writes to the folder.
    _lock: FolderLock,
}

/// A picture at one size, with its cells, before anything is written.
struct Prepared {
    path: PathBuf,
    picture: Picture,
    profile: Option<IccProfile>,
    cells: Vec<Cell>,
}

impl Comparison {
    /// Reads the pictures, resolves all cells, and writes each picture as trained on to `OUT/NAME/SIZE/picture.png`
    /// (`.exr` for HDR). Writes nothing if an error is returned for the first picture or for the grid.
    ///
    /// # Errors
    /// When the grid or its settings are invalid, all pictures fail, a cell's folder holds something else and
    /// `force` is not set, or another process writes to the folder.
    pub fn new(mut request: Request) -> Result<Self> {
        request.axes.check()?;
        request.typed.check()?;
        request.base.check()?;
        for (size, method, optimizer) in request.settings() {
            request.config(size, method, optimizer, 0)?;
        }
        request.out = std::path::absolute(&request.out).map_err(|e| CompareError::file(&request.out, e))?;
        let lock = FolderLock::acquire(&request.out)?;
        let mut plan = Self { cells: Vec::new(), failures: Vec::new(), request, _lock: lock };
        let mut good = Vec::new();
        for source in std::mem::take(&mut plan.request.sources) {
            match plan.prepare(&source, good.len()) {
                Ok(prepared) => {
                    for Prepared { path, picture, profile, cells } in prepared {
                        write_picture(&picture, profile.as_deref(), &path)?;
                        plan.cells.extend(cells);
                    }
                    good.push(source);
                }
                // A comparison that would replace the runs of another is refused as a whole.
                Err(error @ CompareError::OtherRun { .. }) => return Err(error),
                Err(error) => plan.failures.push(LeftOut { name: source.name, error }),
            }
        }
        plan.request.sources = good;
        match plan.failures.pop() {
            Some(failure) if plan.request.sources.is_empty() => Err(failure.error),
            last => {
                plan.failures.extend(last);
                Ok(plan)
            }
        }
    }

    /// The folder of one picture at one size, with its rows, curves, strips and error maps.
    pub(crate) fn folder(&self, picture: usize, size: Size) -> PathBuf {
        self.request.folder(&self.request.sources[picture], size)
    }

    /// Cells that still have work to do.
    pub fn pending(&self) -> usize {
        self.cells.iter().filter(|cell| cell.state != State::Done).count()
    }

    fn prepare(&self, source: &Source, index: usize) -> Result<Vec<Prepared>> {
        let request = &self.request;
        let settings = request.typed.clone().or(request.base.clone());
        let Loaded { picture: original, notes, profile } = picture::read(&source.path, settings.reading())?;
        let transparent = settings.picture.transparent.unwrap_or_default();
        notes.iter().for_each(|note| log::warn!("{note}"));
        let original = request.crop(original)?;
        // A protocol has none.
        let mask = request.base.read_mask()?.filter(|_| request.protocol.is_none());
        mask.iter().flat_map(|mask| &mask.notes).for_each(|note| log::warn!("{note}"));
        let mask = mask.map(|mask| mask.picture);
        let mut out = Vec::new();
        for &size in &request.axes.sizes {
            let mut picture = with_colour_if_hdr(request.resize(&original, size));
            let note = transparent.apply(&mut picture);
            note.filter(|_| out.is_empty()).inspect(|note| log::warn!("{}: {note} trained on", source.name));
            let folder = request.folder(source, size);
            let path = folder.join(if picture.is_hdr() { "picture.exr" } else { "picture.png" });
            if path.to_str().is_none() {
                let what = format!("the path {} is not UTF-8; rename it", path.display());
                return Err(CompareError::Grid(what));
            }
            let changed = path.exists() && !holds(&path, &picture, &settings);
            let earlier: usize = out.iter().map(|p: &Prepared| p.cells.len()).sum();
            let mut cells = Vec::new();
            for (of_size, method, optimizer) in request.settings() {
                for seed in (0..request.axes.seeds).filter(|_| of_size == size) {
                    let mut config = request.config(size, method, optimizer, seed)?;
                    config.picture.file = Some(path.clone());
                    let name = cell_name(method, optimizer, seed);
                    let folder = folder.join(&name);
                    let open = config.open_scale().map(|scale| (scale, config.clone()));
                    if let Some((scale, _)) = open {
                        scale.set(&mut config, chosen(scale, &folder));
                    }
                    let run = config.resolve(&picture, mask.as_ref())?.with_profile(profile.clone());
                    let note = run.range_note(&picture).filter(|_| cells.is_empty());
                    note.inspect(|note| log::warn!("{} {size}: {note}", source.name));
                    let cell = Cell {
                        index: self.cells.len() + earlier + cells.len(),
                        picture: index,
                        size,
                        method,
                        optimizer,
                        seed,
                        folder,
                        label: format!("{} {size} {name}", source.name),
                        prepared: path.clone(),
                        run,
                        open,
                        state: State::New,
                        replaces: false,
                    };
                    cells.push(cell.with_state(changed, request.force)?);
                }
            }
            out.push(Prepared { path, picture, profile: profile.clone(), cells });
        }
        Ok(out)
    }
}

/// Whether a prepared picture's file is of `picture`.
fn holds(path: &Path, picture: &Picture, settings: &Config) -> bool {
    // It has one page, whatever the source has.
    let reading = Reading { page: None, ..settings.reading() };
    picture::read(path, reading).is_ok_and(|loaded| loaded.picture == *picture)
}

impl Request {
    /// Each size with each optimiser with each method, in the order of the tables.
    fn settings(&self) -> Vec<(Size, Method, OptimizerKind)> {
        let Axes { sizes, methods, optimizers, .. } = &self.axes;
        let rows = sizes.iter().flat_map(|&s| optimizers.iter().map(move |&o| (s, o)));
        rows.flat_map(|(s, o)| methods.iter().map(move |&m| (s, m, o))).collect()
    }

    fn folder(&self, source: &Source, size: Size) -> PathBuf {
        self.out.join(&source.name).join(size.to_string())
    }

    fn crop(&self, picture: Picture) -> Result<Picture> {
        let Some(most) = self.protocol.and_then(|protocol| protocol.outline().square) else {
            return Ok(picture);
        };
        let side = picture.width.min(picture.height).min(most);
        Ok(picture::center_crop(&picture, side, side)?)
    }

    /// Resized to `size`: cropped pictures are square already, others keep their aspect ratio.
    fn resize(&self, picture: &Picture, size: Size) -> Picture {
        let size = match size {
            Size::Native => PictureSize::Native,
            Size::Pixels(longer) => NonZeroU32::new(longer).map_or(PictureSize::Native, PictureSize::Longer),
        };
        let (width, height) = size.of(picture.width, picture.height);
        if size == PictureSize::Native { picture.clone() } else { picture::resize(picture, width, height) }
    }

    /// The settings of one cell, without its picture.
    fn config(&self, size: Size, method: Method, optimizer: OptimizerKind, seed: u64) -> Result<Config> {
        let below = match (self.protocol, method) {
            (Some(protocol), _) => protocol.config(size, method, optimizer)?,
            (None, Method::Encoding(encoding)) => self.free(encoding, optimizer),
            (None, Method::Preset(preset)) => {
                Config { picture: self.free_picture(), device: self.base.device.clone(), ..preset.config() }
            }
        };
        let mut config = self.typed.clone().or(below);
        // Cells read the prepared picture.
        config.picture.size = Some(PictureSize::Native);
        config.picture.page = None;
        let first_seed = config.training.seed.unwrap_or(0);
        config.training.seed = Some(first_seed.saturating_add(seed));
        Ok(config)
    }

    /// Without a protocol: the base settings with this encoding and optimiser, and a test split.
    fn free(&self, encoding: EncodingChoice, optimizer: OptimizerKind) -> Config {
        let base = self.base.clone();
        let kept = match base.encoding.kind {
            Some(kind) if kind == encoding.kind => base.encoding,
            // Settings of grids apply to both kinds, others only to their own encoding.
            _ if encoding.kind.is_grid() => base.encoding.only_of(encoding.kind),
            _ => EncodingConfig::default(),
        };
        let same_activation = encoding.activation.is_none_or(|kind| base.network.activation == Some(kind));
        let network = match same_activation {
            true => base.network,
            false => NetworkConfig { activation: encoding.activation, ..base.network.without_activation() },
        };
        let same_rule = base.training.optimizer.unwrap_or(OptimizerKind::Adam) == optimizer;
        let training = if same_rule { base.training } else { base.training.without_rule() };
        // A learning rate does not suit another activation.
        let lr = training.lr.filter(|_| same_activation);
        Config {
            picture: self.free_picture(),
            encoding: encoding.config(self.base.encoding.features).or(kept),
            network,
            training: TrainingConfig { optimizer: Some(optimizer), lr, ..training },
            ..base
        }
    }

    /// Without a protocol: the base's, with a test split unless it sets one.
    fn free_picture(&self) -> PictureConfig {
        let base = &self.base.picture;
        PictureConfig { file: None, holdout: base.holdout.or(Some(Holdout::EveryOther)), ..base.clone() }
    }
}

/// A cell's folder: `gaussian-10-adam`, and `-seed1` for all seeds but the first.
fn cell_name(method: Method, optimizer: OptimizerKind, seed: u64) -> String {
    let seed = if seed == 0 { String::new() } else { format!("-seed{seed}") };
    let name = method.to_string().replace([':', '+'], "-");
    match method {
        Method::Encoding(_) => format!("{name}-{optimizer}{seed}"),
        Method::Preset(_) => format!("preset-{name}{seed}"),
    }
}

/// EXR files are RGB: a grey HDR picture gets three equal channels.
fn with_colour_if_hdr(picture: Picture) -> Picture {
    if !picture.is_hdr() || picture.channels > 2 {
        return picture;
    }
    let channels = if picture.has_alpha() { 4 } else { 3 };
    let mut builder = PictureBuilder::new(picture.width, picture.height, channels, Depth::F32);
    for pixel in 0..picture.n_pixels() as usize {
        let at = pixel * picture.channels;
        builder.push(&[picture.pixels.value(at); 3]);
        if picture.has_alpha() {
            builder.push(&[picture.pixels.value(at + 1)]);
        }
    }
    builder.finish()
}

fn write_picture(picture: &Picture, profile: Option<&[u8]>, path: &Path) -> Result<()> {
    let folder = path.parent().expect("a picture lies in its size's folder");
    std::fs::create_dir_all(folder).map_err(|e| CompareError::file(folder, e))?;
    if picture.is_hdr() {
        picture::save_exr(picture, path)?
    } else {
        picture::save_png_packed(picture, path, Packing::Small, profile)?
    }
    Ok(())
}
