//! From a picture to a file: training towards a size or a quality, and what is left to reach it.

use super::decode::CompressedPicture;
use super::defaults;
use super::fixed::{MAX_WEIGHT_POINT, Rows};
use super::format;
use super::quantise::quantise;
use super::shape::Shape;
use super::train::{Cost, Rounding, Trainer};
use crate::picture::{Picture, Pixels, SquaredError};
use std::borrow::Cow;
use std::f64::consts::PI;

/// What a file should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// At most this many bits a pixel, all bytes of the file counted.
    BitsPerPixel(f64),
    /// At least this PSNR in dB.
    Psnr(f64),
}

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Steps of training.
    pub steps: u32,
    /// Of the noise.
    pub seed: u64,
}

/// How far compressing is.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Steps done, and of how many.
    pub step: u32,
    /// All steps.
    pub steps: u32,
    /// Bits a pixel, estimated.
    pub bits_per_pixel: f64,
    /// PSNR in dB, estimated.
    pub psnr: f64,
}

/// A compressed picture.
#[derive(Clone, Debug)]
pub struct Compressed {
    /// The file's bytes.
    pub file: Vec<u8>,
    /// PSNR of what it decodes to, in dB.
    pub psnr: f64,
    /// Bits a pixel.
    pub bits_per_pixel: f64,
}

/// Why there is no file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CompressError {
    /// The picture has values that such a file does not hold.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The wish was not reached.
    #[error("{0}")]
    Unreachable(String),
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
}

/// Steps that a file is trained for where nothing else is asked for.
pub const DEFAULT_STEPS: u32 = 1500;

/// Memory that compressing takes: for each pixel and value, numbers of all layers and grids with gradients and moments.
pub const BYTES_PER_PIXEL: u64 = 256;

/// The part of the steps after which integers stay as they are, and only the networks are trained.
const SOFT_PART: f64 = 0.96;
/// The part of the steps before which lambda stays as it is.
const WAITS: f64 = 0.08;
/// The temperature of soft rounding at first and at last.
const FIRST_TEMPERATURE: f64 = 0.5;
const LAST_TEMPERATURE: f64 = 0.04;
/// Most files that are written to come close to the wish, after training.
const ATTEMPTS: u32 = 10;
/// How far below the wish a file may stay, as the logarithm of bits or error.
const CLOSE: f64 = 0.01;

/// Fewest bits behind the point that weights are limited to where sums do not fit.
const LEAST_MAX_POINT: u32 = 6;

struct Encoder<'a> {
    picture: &'a Picture,
    wish: Wish,
    trainer: Trainer<f32>,
    lambda: f64,
    /// Bits of all but the grids.
    other_bits: f64,
    /// Bits and error of rounded grids, in those of softly rounded ones.
    hardened: Cost,
    /// The best file that is as wished, and the one that came closest.
    best: Option<Compressed>,
    least: Option<(f64, Compressed)>,
}

/// Compresses a picture of 8 bits. `watch` is told of each step and returns whether to go on.
///
/// # Errors
/// When the picture has other values, the wish cannot be reached, or `watch` says so.
pub fn compress(
    picture: &Picture,
    wish: Wish,
    effort: Effort,
    watch: &mut dyn FnMut(Stage) -> bool,
) -> Result<Compressed, CompressError> {
    let picture = &eight_bits(picture)?;
    let shape = Shape::of(picture.width, picture.height, picture.channels);
    let unit = 1.0 / (1 << MAX_WEIGHT_POINT) as f32;
    let weights = defaults::weights(&shape).into_iter().map(|weight| weight as f32 * unit).collect();
    let trainer = Trainer::new(shape, picture, weights, effort.seed);
    let lambda = match wish {
        Wish::BitsPerPixel(bits) => 4e-4 * libm::pow(bits.clamp(0.02, 8.0), -1.2),
        Wish::Psnr(db) => 0.7 * libm::exp10(-db / 10.0),
    };
    let mut encoder = Encoder {
        picture,
        wish,
        trainer,
        lambda,
        other_bits: 5000.0,
        hardened: Cost { bits: 1.0, error: 1.0 },
        best: None,
        least: None,
    };
    encoder.train(effort, watch)?;
    encoder.settle(effort, watch)?;
    let Encoder { best, least, .. } = encoder;
    best.ok_or_else(|| {
        let (_, Compressed { psnr, bits_per_pixel, file }) = least.expect("one attempt");
        CompressError::Unreachable(match wish {
            Wish::BitsPerPixel(_) => format!(
                "the smallest file has {bits_per_pixel:.4} bits a pixel ({} bytes); wish for more, or give more --steps",
                file.len()
            ),
            Wish::Psnr(_) => format!("the best file has {psnr:.2} dB; wish for less, or give more --steps"),
        })
    })
}

/// What compressing leaves out of a picture that it takes, a sentence without a full stop.
pub fn loss(picture: &Picture) -> Option<&'static str> {
    matches!(picture.pixels, Pixels::U16(_)).then_some("its values of 16 bits are rounded to 8")
}

/// The picture with 8 bits a value, as it is compressed.
///
/// # Errors
/// When it has transparency or is HDR.
pub fn eight_bits(picture: &Picture) -> Result<Cow<'_, Picture>, CompressError> {
    if picture.channels.is_multiple_of(2) {
        return Err(CompressError::Unsupported("compressed pictures have no transparency; flatten it first"));
    }
    let pixels = match &picture.pixels {
        Pixels::U8(_) => return Ok(Cow::Borrowed(picture)),
        Pixels::U16(values) => {
            values.iter().map(|&value| ((u32::from(value) * 255 + 32767) / 65535) as u8).collect()
        }
        Pixels::F32(_) => {
            return Err(CompressError::Unsupported(
                "compressed pictures have 8 bits a value, and this one is HDR",
            ));
        }
    };
    Ok(Cow::Owned(Picture { pixels: Pixels::U8(pixels), ..*picture }))
}

impl Encoder<'_> {
    fn n_pixels(&self) -> f64 {
        self.trainer.shape.n_pixels() as f64
    }

    /// How far a cost is from the wish: the logarithm of bits, or of error, beyond it. Positive when `lambda` must grow.
    fn excess(&self, cost: Cost) -> f64 {
        match self.wish {
            Wish::BitsPerPixel(_) => libm::log(cost.bits / self.wanted_bits()),
            Wish::Psnr(db) => -libm::log(self.error_of_pixel(cost) / libm::exp10(-db / 10.0)),
        }
    }

    /// Bits of the grids that the wish leaves.
    fn wanted_bits(&self) -> f64 {
        let Wish::BitsPerPixel(bits) = self.wish else { return f64::INFINITY };
        let all = bits * self.n_pixels();
        (all - self.other_bits).max(0.05 * all)
    }

    fn error_of_pixel(&self, cost: Cost) -> f64 {
        (cost.error / self.n_pixels()).max(1e-9)
    }

    fn train(&mut self, effort: Effort, watch: &mut dyn FnMut(Stage) -> bool) -> Result<(), CompressError> {
        let n = f64::from(effort.steps);
        let (mut trend, mut is_guessed): (Option<[f64; 2]>, bool) = (None, false);
        for step in 0..effort.steps {
            let part = f64::from(step) / f64::from(effort.steps);
            let (rounding, rates) = schedule(part);
            if step % 20 == 10 {
                self.harden(rounding);
            }
            let Cost { bits, error } = self.step(rounding, rates);
            let cost = match rounding {
                Rounding::Soft { .. } => {
                    Cost { bits: bits * self.hardened.bits, error: error * self.hardened.error }
                }
                Rounding::Hard => Cost { bits, error },
            };
            let excess = self.excess(cost);
            let [fast, slow] = trend.get_or_insert([excess; 2]);
            (*fast, *slow) = (*fast + (excess - *fast) / 20.0, *slow + (excess - *slow) / 60.0);
            // Bits and error fall for long, whatever lambda is: what counts is where they will be after so many steps.
            let horizon = (n / 6.0).min(200.0).min(n * (SOFT_PART - part).max(0.0));
            // The means lag behind by 20 and 60 steps.
            let expected = *fast + (*fast - *slow) / 40.0 * horizon;
            if part > WAITS && !is_guessed {
                is_guessed = true;
                self.guess(cost);
            }
            if part > WAITS {
                // Late, bits follow lambda less and less.
                let gain = (6.0 + 24.0 * part * part) / n;
                self.lambda *= libm::exp(gain * expected.clamp(-1.0, 1.0));
            }
            self.tell(step, effort.steps, cost, watch)?;
        }
        Ok(())
    }

    /// Sets lambda to what goes with a wished size. Error falls with about the 1.2th power of bits, which makes lambda, its
    /// slope, 1.2 times error over bits; of that, half, since so early the error of a picture is still far too large.
    fn guess(&mut self, cost: Cost) {
        if let Wish::BitsPerPixel(_) = self.wish {
            let wanted = self.wanted_bits();
            let error = cost.error * libm::pow(cost.bits / wanted, 1.2);
            self.lambda = (0.5 * error / wanted).clamp(0.125 * self.lambda, 8.0 * self.lambda);
        }
    }

    /// Measures what rounding changes, since the wish is about rounded grids.
    fn harden(&mut self, soft: Rounding) {
        let mut cost = |rounding| {
            self.trainer.round(rounding);
            Cost { bits: self.trainer.bits(0.0), error: self.trainer.error() }
        };
        let (soft, hard) = (cost(soft), cost(Rounding::Hard));
        let (bits, error) = (hard.bits / soft.bits, hard.error / soft.error);
        // Half of what was measured before, against noise; within what is plausible for numbers that are all 0.
        let mean =
            |old: f64, new: f64| if new.is_finite() { (0.5 * (old + new)).clamp(0.3, 3.0) } else { old };
        self.hardened =
            Cost { bits: mean(self.hardened.bits, bits), error: mean(self.hardened.error, error) };
    }

    fn step(&mut self, rounding: Rounding, rates: (f64, f64)) -> Cost {
        self.trainer.round(rounding);
        let cost = self.trainer.gradients(self.lambda);
        self.trainer.update(rates);
        cost
    }

    fn tell(
        &self,
        step: u32,
        steps: u32,
        cost: Cost,
        watch: &mut dyn FnMut(Stage) -> bool,
    ) -> Result<(), CompressError> {
        let n = self.n_pixels();
        let (bits_per_pixel, psnr) = ((cost.bits + self.other_bits) / n, -10.0 * libm::log10(cost.error / n));
        let goes_on = watch(Stage { step, steps, bits_per_pixel, psnr });
        if goes_on { Ok(()) } else { Err(CompressError::Stopped) }
    }

    /// Writes files until one is as wished and close to it, between which training goes on for a little with more or less
    /// weight on bits.
    fn settle(&mut self, effort: Effort, watch: &mut dyn FnMut(Stage) -> bool) -> Result<(), CompressError> {
        // By how much the logarithm of what is wished falls with that of lambda, or of its inverse.
        let mut slope = 0.3;
        let mut last: Option<(f64, f64)> = None;
        for attempt in 0..ATTEMPTS {
            let exact = self.trainer.weights.clone();
            let (compressed, beyond) = self.write();
            self.keep(compressed, beyond);
            if (-CLOSE..=0.0).contains(&beyond) || attempt + 1 == ATTEMPTS {
                break;
            }
            self.trainer.weights = exact;
            let place = self.sign() * libm::log(self.lambda);
            if let Some((before, beyond_before)) = last.replace((place, beyond)) {
                slope = ((beyond_before - beyond) / (place - before)).clamp(0.1, 0.6);
            }
            let change = ((beyond + 0.5 * CLOSE) / slope).clamp(-1.0, 1.0);
            self.lambda *= libm::exp(self.sign() * change);
            let (soft, hard) = ((effort.steps / 25).max(20) as usize, (effort.steps / 50).max(10) as usize);
            // What is far away takes larger steps, which a file that is close would be the worse for.
            let rates = ((0.1 * beyond.abs()).max(0.005), 5e-4);
            let soft =
                std::iter::repeat_n((Rounding::Soft { temperature: 2.0 * LAST_TEMPERATURE }, rates), soft);
            let hard = std::iter::repeat_n((Rounding::Hard, (0.0, 5e-4)), hard);
            for (rounding, rates) in soft.chain(hard) {
                let cost = self.step(rounding, rates);
                self.tell(effort.steps + attempt, effort.steps + ATTEMPTS, cost, watch)?;
            }
        }
        Ok(())
    }

    /// Whether lambda must grow (1) or fall (-1) where a file is beyond the wish.
    fn sign(&self) -> f64 {
        match self.wish {
            Wish::BitsPerPixel(_) => 1.0,
            Wish::Psnr(_) => -1.0,
        }
    }

    fn keep(&mut self, compressed: Compressed, beyond: f64) {
        if self.least.as_ref().is_none_or(|(least, _)| beyond < *least) {
            self.least = Some((beyond, compressed.clone()));
        }
        let better = |best: &Compressed| match self.wish {
            Wish::BitsPerPixel(_) => compressed.psnr > best.psnr,
            Wish::Psnr(_) => compressed.file.len() < best.file.len(),
        };
        if beyond <= 0.0 && self.best.as_ref().is_none_or(better) {
            self.best = Some(compressed);
        }
    }

    /// The file as it is now, and the logarithm of how far it is beyond the wish.
    fn write(&mut self) -> (Compressed, f64) {
        self.trainer.round(Rounding::Hard);
        let exact = self.trainer.weights.clone();
        let (shape, n) = (self.trainer.shape, self.n_pixels());
        let grids: Vec<Rows> = self.trainer.integers();
        let mut max_point = MAX_WEIGHT_POINT;
        let (file, psnr) = loop {
            let layers = quantise(&mut self.trainer, self.lambda, max_point);
            let file = format::write(&shape, &layers, &grids);
            let read = CompressedPicture::parse(&file).expect("what was written can be read");
            let decoded = read.decode().expect("what was written can be read");
            let psnr = SquaredError::between(&decoded, self.picture).psnr();
            // Sums of fine weights and large integers may not fit into 32 bits, which the decoder is left with.
            let expected = -10.0 * libm::log10(self.trainer.error() / n);
            let grid_bits = 8.0 * (file.len() - read.network_bytes()) as f64;
            let fits = psnr > expected - 0.1 && grid_bits < 1.04 * self.trainer.bits(0.0) + 2000.0;
            if fits || max_point <= LEAST_MAX_POINT {
                break (file, psnr);
            }
            self.trainer.weights.clone_from(&exact);
            max_point -= 1;
        };
        self.other_bits = 8.0 * file.len() as f64 - self.trainer.bits(0.0);
        let bits_per_pixel = 8.0 * file.len() as f64 / n;
        let beyond = match self.wish {
            Wish::BitsPerPixel(wanted) => libm::log(bits_per_pixel / wanted),
            // Three decibels are half the error.
            Wish::Psnr(wanted) => (psnr - wanted) * -0.23,
        };
        (Compressed { file, psnr, bits_per_pixel }, beyond)
    }
}

/// How integers are rounded, and the learning rates of grids and weights, after a part of the steps.
fn schedule(part: f64) -> (Rounding, (f64, f64)) {
    if part < SOFT_PART {
        let part = part / SOFT_PART;
        let fall = 0.5 * (1.0 + libm::cos(PI * part));
        let temperature = FIRST_TEMPERATURE + (LAST_TEMPERATURE - FIRST_TEMPERATURE) * part;
        (Rounding::Soft { temperature }, (0.15 * fall + 0.002, 1e-2 * fall + 2e-4))
    } else {
        let left = (1.0 - part) / (1.0 - SOFT_PART);
        (Rounding::Hard, (0.0, 3e-3 * left + 1e-5))
    }
}
