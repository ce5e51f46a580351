//! Sizes every buffer, and the number of samples computed at a time, before anything is allocated.

use super::fused::{self, Blocking};
use super::{dense, encode, errors, fourier, loss, muon, refine};
use crate::backend::gpu::device::Budget;
use crate::backend::gpu::device::budget::MIB;
use crate::backend::gpu::kernel::{KernelConfig, Storage};
use crate::backend::gpu::plan::picture::words_per_pixel;
use crate::backend::gpu::plan::{
    BufferDecl, BufferId, ForwardBuffers, PICTURE_PARTS, PicturePlace, RING_SLOTS, StagingRing,
    TrainingBuffers,
};
use crate::backend::{BackendError, Job, Result};
use crate::model::{Encoding, GridGradients, Importance, Model, Sampling};

/// Larger pictures stay on the host: with the batch, they would take more memory than a small GPU has.
const MAX_PICTURE_BYTES: u64 = 1024 * MIB;

/// Pixels predicted at a time, if memory allows: layer by layer, and fused, with no values between layers in memory.
const TILE_PIXELS: [usize; 2] = [1 << 14, 1 << 16];

/// Maximum operations of one dispatch: half a second on a device of 80 GFLOP/s, far below the two seconds after which
/// Windows resets a GPU.
pub(super) const MAX_DISPATCH_FLOP: f64 = 4e10;

/// Every buffer of a backend.
#[derive(Clone, Debug)]
pub struct Layout {
    /// In the order of [`BufferId`].
    pub buffers: Vec<BufferDecl>,
    pub forward: ForwardBuffers,
    /// Samples computed at a time in training.
    pub chunk: usize,
    /// Pixels predicted at a time.
    pub tile: usize,
    pub(crate) budget: Budget,
    /// The kernels of training.
    pub(crate) config: KernelConfig,
    /// Sizes of the fused training step, if it is fused.
    pub fused_step: Option<Blocking>,
    /// Whether it fetches its samples itself.
    pub fetches_samples: bool,
    /// The same sizes for predictions.
    pub(crate) fused_prediction: Option<Blocking>,
}

/// Whether fused kernels support `job`: they sum grid gradients exactly.
fn may_be_fused(job: &Job) -> bool {
    job.options.grid_gradients == GridGradients::Exact || !has_grid(job)
}

/// Sizes of the fused step of `job`, if it is fused.
pub(crate) fn fused_step(job: &Job, budget: Budget, config: &KernelConfig) -> Option<Blocking> {
    let of_step = || fused::of_step(&job.model, job.batch_size as usize, &budget, config);
    may_be_fused(job).then(of_step).flatten()
}

/// Whether a step of `job` is fused and fetches its samples itself: from all training pixels of a picture on the device.
pub(crate) fn fetches_samples(job: &Job, budget: Budget, config: &KernelConfig) -> bool {
    let n_words = job.picture.n_pixels() as usize * words_per_pixel(&job.picture);
    let has_parts = |words_per_part| n_words.div_ceil(words_per_part) <= fused::PARTS;
    let is_there = sample_index(job).is_none() && words_per_part(job, budget).is_some_and(has_parts);
    is_there && !config.separate_samples && fused_step(job, budget, config).is_some()
}

pub(crate) fn has_grid(job: &Job) -> bool {
    matches!(job.model.encoding.trained_part(), Some((Encoding::Grid(_), _)))
}

impl Layout {
    /// Bytes of all buffers.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.buffers.iter().map(BufferDecl::size_bytes).sum()
    }

    pub(crate) fn prediction(model: &Model, budget: Budget) -> Result<Self> {
        Self::with_chunk(model, budget, KernelConfig::default(), None)
    }

    /// The buffers for training `job`.
    ///
    /// # Errors
    /// When the job exceeds the budget.
    pub fn training(job: &Job, budget: Budget, config: KernelConfig) -> Result<(Self, TrainingBuffers)> {
        let n_encoding = job.model.encoding.n_params();
        let has_sums = has_grid(job) && job.options.grid_gradients == GridGradients::Exact;
        if has_sums {
            check_binding("the gradients of the encoding's", n_encoding, 8, budget)?;
        }
        let mut layout = Self::with_chunk(&job.model, budget, config, Some(job))?;
        let (rows, channels) = (layout.chunk, job.model.network.output_width);
        let n_params = job.model.layout().n_params();
        let refinements = &job.options.refinements;
        let fetched_rows = if layout.fetches_samples { 1 } else { rows };
        let picture = layout.place_picture(job);
        let [n_partials, n_loss_partials] = layout.partial_sums(job, rows);
        let n_compared = layout.n_compared(job, &picture);
        let mut add = |name: &str, shape: &[usize]| layout.add(name, shape);
        let mut training = TrainingBuffers {
            picture,
            sample_weights: add("sample_weights", &[fetched_rows]),
            targets: add("targets", &[fetched_rows, channels]),
            grads: add("grads", &[n_params]),
            grid_sums: has_sums.then(|| add("grid_sums", &[n_encoding, 2])),
            moments: (0..job.optimizer.n_moments())
                .map(|m| add(&format!("moment_{m}"), &[n_params]))
                .collect(),
            muon: None,
            average: refinements.ema.map(|_| add("average", &[n_params])),
            squares: refinements.clip_norm.map(|_| add("squares", &[refine::n_shares(n_params)])),
            partials: add("partials", &[n_partials]),
            loss_partials: add("loss_partials", &[n_loss_partials]),
            progress: add("progress", &[2]),
            ring: add("ring", &[RING_SLOTS, 2]),
            errors: n_compared.map(|n| add("errors", &[n, errors::SUMS])),
        };
        layout.forward.predicting = training.average.unwrap_or(layout.forward.params);
        let matrices = job.model.layout();
        training.muon = muon::buffers(job.whole_matrices(&matrices), &budget, |name, n, parts| {
            let id = layout.add(name, &[n]);
            layout.buffers[id.0].networks = parts;
            id
        });
        Ok((layout, training))
    }

    /// On the device if it fits there.
    fn place_picture(&mut self, job: &Job) -> PicturePlace {
        let Some(words_per_part) = words_per_part(job, self.budget) else {
            let max_bytes = self.budget.stream_bytes.min(self.budget.max_binding_bytes);
            let mut ring = StagingRing::new(job, self.chunk, max_bytes);
            ring.buffer = self.add("gathered", &ring.shape());
            return PicturePlace::Host(ring);
        };
        let n_words = job.picture.n_pixels() as usize * words_per_pixel(&job.picture);
        let mut add = |name: &str, len: usize| self.add(name, &[len]);
        let parts: Vec<BufferId> = (0..n_words.div_ceil(words_per_part))
            .map(|part| add(&format!("picture_{part}"), words_per_part.min(n_words - part * words_per_part)))
            .collect();
        PicturePlace::Device {
            parts: std::array::from_fn(|part| *parts.get(part).unwrap_or(&parts[0])),
            n_parts: parts.len(),
            words_per_part,
            sample_index: sample_index(job).map(|n| add("sample_index", n)),
        }
    }

    /// Workgroups that compare predictions with the picture, if there are any, and the device can: with integers, all of
    /// them.
    fn n_compared(&self, job: &Job, picture: &PicturePlace) -> Option<usize> {
        let is_there = self.budget.tile_pixels > 1 && matches!(picture, PicturePlace::Device { .. });
        let n = errors::n_groups_of_tiles(job.picture.n_pixels() as usize, self.tile);
        let fits = (4 * errors::SUMS * n) as u64 <= self.budget.max_binding_bytes;
        (is_there && fits && !job.picture.is_hdr() && job.options.mask.is_none()).then_some(n)
    }

    /// Maximum partial sums of gradients, and of losses, of `rows` samples.
    fn partial_sums(&self, job: &Job, rows: usize) -> [usize; 2] {
        let (model, network, budget) = (&job.model, &job.model.network, &self.budget);
        if let Some(blocking) = &self.fused_step {
            let n_groups = fused::Groups::most(model, blocking, rows, budget);
            return [n_groups * network.n_params(), n_groups];
        }
        let of_layers = network
            .layers()
            .map(|shape| dense::max_slices(shape, rows, budget.partials_bytes()) * shape.n_params());
        // Trained frequencies have partial gradients too.
        let of_encoding = match model.encoding.trained_part() {
            Some((part @ Encoding::TrainedFourier { .. }, _)) => {
                fourier::slices(rows, budget.max_groups).count * part.n_params()
            }
            _ => 0,
        };
        let most = of_layers.chain([of_encoding]).max().unwrap_or(1);
        [most, loss::n_partials(rows * network.output_width)]
    }

    pub(super) fn add(&mut self, name: &str, shape: &[usize]) -> BufferId {
        self.buffers.push(BufferDecl::new(name, shape));
        BufferId(self.buffers.len() - 1)
    }

    /// Lays out the forward pass for the steps of `job` and their parts, or for predictions alone.
    fn with_chunk(model: &Model, budget: Budget, config: KernelConfig, job: Option<&Job>) -> Result<Self> {
        let fused_step = job.and_then(|job| fused_step(job, budget, &config));
        let fetches_samples = job.is_some_and(|job| fetches_samples(job, budget, &config));
        let fused_prediction = fused::of_prediction(model, &budget);
        let is_fused = fused_prediction.is_some() && (fused_step.is_some() || job.is_none());
        let batch_size = job.map_or(1, |job| job.batch_size as usize);
        let max_rows = max_rows(model, budget, (config.storage, is_fused))?;
        let n_chunks = batch_size.div_ceil(max_rows);
        let chunk = batch_size.div_ceil(n_chunks).next_multiple_of(64).min(max_rows).min(batch_size);
        // Predictions are in f32, so a tile takes the space of at least as many training rows.
        let per_row = 4 / config.storage.size_bytes();
        let most = TILE_PIXELS[usize::from(is_fused)].min(budget.tile_pixels);
        let tile = most.min((max_rows / per_row).max(1));
        let rows = if fetches_samples { tile } else { chunk.max(tile) };
        // Of values between layers, counted in f32.
        let stored_rows = chunk.div_ceil(per_row).max(tile);
        let mut layout = Self {
            buffers: Vec::new(),
            forward: ForwardBuffers::default(),
            chunk,
            tile,
            budget,
            config,
            fused_step,
            fetches_samples,
            fused_prediction,
        };
        let parts = model.encoding.parts();
        let constants = parts
            .iter()
            .map(encode::constants)
            .map(|constants| constants.map(|constants| layout.add(constants.name, &constants.shape)));
        let constants = constants.collect();
        let widest = parts.iter().map(Encoding::output_width).max().unwrap_or(0);
        let part = (parts.len() > 1).then(|| layout.add("part", &[stored_rows, widest]));
        let n_params = model.layout().n_params();
        let params = layout.add("params", &[n_params]);
        let is_copied = job.is_some() && layout.fused_step.is_none() && layout.config.storage == Storage::F16;
        let weights =
            if is_copied { layout.add("stored_weights", &[n_params.div_ceil(per_row)]) } else { params };
        let features = if is_fused { [1, 1] } else { [stored_rows, model.network.input_width] };
        layout.forward = ForwardBuffers {
            constants,
            part,
            coords: layout.add("coords", &[rows, 2]),
            features: layout.add("features", &features),
            z: (0..if is_fused { 0 } else { model.network.n_layers })
                .map(|l| {
                    let width = model.network.layer(l).output_width;
                    layout.add(&format!("z_{l}"), &[stored_rows, width])
                })
                .collect(),
            params,
            weights,
            predicting: params,
            colours: layout.add("colours", &[tile, model.network.output_width]),
        };
        Ok(layout)
    }
}

/// Words of the sample index, if there is one.
fn sample_index(job: &Job) -> Option<usize> {
    match (&job.options.mask, job.options.sampling) {
        (Some(mask), _) => Some(mask.pixels().len()),
        (None, Sampling::Error) => Some(Importance::n_blocks(job.samples) + 1),
        (None, Sampling::Uniform) => None,
    }
}

/// Refuses `n_params` parameters of `whose`, `size_bytes` each, that do not fit into one binding.
fn check_binding(whose: &str, n_params: usize, size_bytes: u64, budget: Budget) -> Result<()> {
    let total_bytes = size_bytes.saturating_mul(n_params as u64);
    if total_bytes > budget.max_binding_bytes {
        let (needed, most) = (total_bytes.div_ceil(MIB), budget.max_binding_bytes / MIB);
        return Err(BackendError::DoesNotFit(format!(
            "{whose} {n_params} parameters take {needed} MiB and this GPU binds at most {most} MiB at once; choose \
             fewer layers, a smaller width or smaller tables, or --backend cpu"
        )));
    }
    Ok(())
}

fn max_rows(model: &Model, budget: Budget, (storage, is_fused): (Storage, bool)) -> Result<usize> {
    check_binding("the network's", model.layout().n_params(), 4, budget)?;
    let network = &model.network;
    let between = || [network.input_width].into_iter().chain(network.layers().map(|l| l.output_width));
    let between = || if is_fused { vec![network.output_width] } else { between().collect() };
    let widths = || [2].into_iter().chain(between());
    let widest = widths().max().unwrap_or(1) as u64;
    // Positions, features and every layer, targets, weights and colours.
    // A part of a composite encoding has a copy of its features.
    let parts = model.encoding.parts();
    let part = if parts.len() > 1 { parts.iter().map(Encoding::output_width).max().unwrap_or(0) } else { 0 };
    let values = widths().sum::<usize>() - 2 + part;
    let row_bytes = (storage.size_bytes() * values + 4 * (2 + 2 * network.output_width + 1)) as u64;
    let largest_product = network.layers().map(|l| 2.0 * (l.input_width * l.output_width) as f64);
    let flop = if is_fused { network.training_flop(1) } else { largest_product.fold(1.0, f64::max) };
    let by_time = MAX_DISPATCH_FLOP / flop;
    // Whole words of the narrowest values.
    let per_word = 4 / storage.size_bytes() as u64;
    // Positions, targets and colours are in f32.
    let widest_f32 = 4 * network.output_width.max(2) as u64;
    let by_binding = budget.max_binding_bytes / (storage.size_bytes() as u64 * widest).max(widest_f32);
    let by_size = by_binding.min(budget.batch_bytes / row_bytes) / per_word * per_word;
    let rows = by_size.min(by_time as u64);
    if rows == 0 {
        let (needed, most) =
            (row_bytes.div_ceil(1024), budget.batch_bytes.min(budget.max_binding_bytes) / MIB);
        return Err(BackendError::DoesNotFit(format!(
            "one sample of this network takes {needed} KiB, more than the GPU offers for a batch ({most} MiB); choose a \
             smaller width or --backend cpu"
        )));
    }
    Ok(rows as usize)
}

/// Words of each of the picture's bindings; `None` if it does not fit.
fn words_per_part(job: &Job, budget: Budget) -> Option<usize> {
    let n_words = u128::from(job.picture.n_pixels()) * words_per_pixel(&job.picture) as u128;
    let words_per_part = budget.picture_part_bytes / 4;
    let capacity = (words_per_part * PICTURE_PARTS as u64).min(MAX_PICTURE_BYTES / 4);
    // The sample index has its own binding.
    let sample_index_fits = sample_index(job).is_none_or(|n| 4 * n as u64 <= budget.max_binding_bytes);
    (n_words <= u128::from(capacity) && sample_index_fits)
        .then(|| words_per_part.min(n_words as u64) as usize)
}
