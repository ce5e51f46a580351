//! The errors of a picture that the device sums itself.

use crate::device::open;
use crate::job::{Setup, refined, steps};

use afterimage::backend::gpu::{GpuBackend, KernelConfig};
use afterimage::backend::{Backend, ChannelErrors, Predict};
use afterimage::model::{Activation, Holdout};
use pollster::FutureExt as _;
use std::sync::Arc;

/// Where tiles are smaller than the picture, and pixels are trained on, tested, or neither.
#[test]
fn errors_are_those_of_the_predicted_picture() {
    let Some(gpu) = open(false) else { return };
    let small = Setup { output_activation: Activation::Identity, ..Setup::small() };
    let setups = [
        (usize::MAX, small.clone()),
        (100, Setup { channels: 1, bits: 16, holdout: Holdout::EveryOther, ..small.clone() }),
        (64, Setup { channels: 4, holdout: Holdout::EveryOtherAll, options: refined(), ..small }),
    ];
    for (tile_pixels, setup) in setups {
        let (job, budget) = (setup.job(), gpu.budget());
        let budget = afterimage::backend::gpu::device::Budget { tile_pixels, ..budget };
        let how = (budget, KernelConfig::default());
        let mut backend = GpuBackend::with(Arc::clone(&gpu), job.clone(), &setup.state(&job), how)
            .block_on()
            .expect("fits");
        backend.enqueue(&steps(&job, 0..3, 1e-3)).block_on().expect("the device works");
        backend.finish().block_on().expect("the device works");
        let about = [0.25, 0.5, 0.75, 0.125];
        let found = backend.errors(about).block_on().expect("the device works");
        let channels = job.picture.channels;
        let mut colours = vec![0.0; job.picture.n_pixels() as usize * channels];
        backend.predict(&job.raster, 0, &mut colours).block_on().expect("the device works");
        let mut expected = vec![ChannelErrors::default(); channels];
        for (i, &colour) in colours.iter().enumerate() {
            let pixel = (i / channels) as u32;
            let place = (pixel % job.picture.width, pixel / job.picture.width);
            let value = f64::from(colour.clamp(0.0, 1.0));
            let error = (value - f64::from(job.picture.pixels.value(i))).powi(2);
            let (sums, value) = (&mut expected[i % channels], value - f64::from(about[i % channels]));
            if job.samples.in_training_split(place.0, place.1) {
                sums.train += error;
                sums.values += value;
                sums.squares += value * value;
            }
            if job.samples.in_test_split(place.0, place.1) {
                sums.test += error;
            }
        }
        assert_eq!(found.len(), channels);
        assert!(expected[0].train > 0.1 && (expected[0].test > 0.1) == (setup.holdout != Holdout::None));
        let of = |errors: &ChannelErrors| [errors.train, errors.test, errors.values, errors.squares];
        for (found, expected) in found.iter().zip(&expected) {
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * (1.0 + b.abs());
            assert!(of(found).iter().zip(&of(expected)).all(close), "{found:?} {expected:?} {setup:?}");
        }
    }
    // Nothing of a picture in linear light or under a mask.
    for setup in [Setup { bits: 32, ..Setup::small() }, Setup { masked: true, ..Setup::small() }] {
        let job = setup.job();
        let backend = GpuBackend::new(Arc::clone(&gpu), job.clone(), &setup.state(&job)).block_on();
        assert!(!backend.expect("fits").sums_errors(), "{setup:?}");
    }
}
