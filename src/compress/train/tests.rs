use super::*;
use crate::compress::shape::N_LAYERS;
use crate::picture::Pixels;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Uniform};

/// Odd sides, several strips, and layers that are no multiples of a tile.
fn trainer(width: u32, height: u32, channels: usize) -> Trainer<f64> {
    let shape = Shape { width, height, channels, levels: 3, hidden: 6, features: 5 };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut draw = |n: usize, spread: f64| -> Vec<f64> {
        let uniform = Uniform::new(-spread, spread).expect("a range");
        (0..n).map(|_| uniform.sample(&mut rng)).collect()
    };
    let n_values = shape.n_pixels() * channels;
    let pixels = draw(n_values, 0.5).into_iter().map(|v| ((v + 0.5) * 255.0) as u8).collect();
    let picture = Picture { width, height, channels, pixels: Pixels::U8(pixels) };
    let weights = draw(shape.places()[N_LAYERS - 1].end, 0.5);
    let mut trainer = Trainer::new(shape, &picture, weights, 3);
    for level in 0..3 {
        let grid = &mut trainer.numbers[level];
        for y in 0..grid.height {
            let place = grid.place(0, 0, y as isize);
            let row = draw(grid.width, 2.0);
            grid.data[place..place + row.len()].copy_from_slice(&row);
        }
    }
    trainer
}

const LAMBDA: f64 = 0.37;

fn cost(trainer: &mut Trainer<f64>) -> f64 {
    trainer.round(Rounding::Soft { temperature: 0.4 });
    LAMBDA * trainer.bits(0.0) + trainer.error()
}

/// Central differences with a step of 1e-6, so small that hardly any relu changes its side within it: they err by 1e-12
/// times a third derivative of up to a thousand, and by the rounding of a cost of 1e3, 1e-13, divided by the step.
fn assert_derivative(found: f64, mut at: impl FnMut(f64) -> f64, what: &str) {
    let expected = (at(1e-6) - at(-1e-6)) / 2e-6;
    assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{what}: {found}, not {expected}");
}

#[test]
fn gradients_are_those_of_the_cost() {
    // The last is coded in two bands, of which the second does not see the first.
    for (width, height, channels) in [(71, 21, 3), (6, 37, 1), (1, 1, 3), (3, 131, 1)] {
        let mut trainer = trainer(width, height, channels);
        trainer.round(Rounding::Soft { temperature: 0.4 });
        trainer.gradients(LAMBDA);
        let (d_weights, weights) = (trainer.d_weights.clone(), trainer.weights.clone());
        for (n, place) in trainer.shape.places().into_iter().enumerate() {
            for i in place.clone().step_by(7).chain([place.end - 1]) {
                let at = |h: f64| {
                    trainer.weights[i] = weights[i] + h;
                    let cost = cost(&mut trainer);
                    trainer.weights[i] = weights[i];
                    cost
                };
                assert_derivative(
                    d_weights[i],
                    at,
                    &format!("{width}x{height}: weight {} of layer {n}", i - place.start),
                );
            }
        }
        for level in 0..3 {
            let grid = trainer.numbers[level].clone();
            trainer.round(Rounding::Soft { temperature: 0.4 });
            trainer.gradients(LAMBDA);
            let slopes = trainer.slopes[level].clone();
            let gradients = trainer.d_rounded[level].clone();
            for n in (0..grid.width * grid.height).step_by(11) {
                let place = grid.place(0, (n % grid.width) as isize, (n / grid.width) as isize);
                let found = gradients.data[place] * slopes.data[place];
                let at = |h: f64| {
                    trainer.numbers[level].data[place] = grid.data[place] + h;
                    let cost = cost(&mut trainer);
                    trainer.numbers[level].data[place] = grid.data[place];
                    cost
                };
                assert_derivative(found, at, &format!("number {n} of level {level}"));
            }
        }
    }
}

#[test]
fn single_precision_computes_the_same() {
    let double = &mut trainer(71, 21, 3);
    let picture = Picture { width: 71, height: 21, channels: 3, pixels: Pixels::U8(vec![90; 71 * 21 * 3]) };
    let weights: Vec<f32> = double.weights.iter().map(|&w| w as f32).collect();
    let mut single = Trainer::new(double.shape, &picture, weights, 3);
    let targets = std::iter::once((&mut single.target, &double.target));
    for (single, double) in targets.chain(single.numbers.iter_mut().zip(&double.numbers)) {
        single.data.iter_mut().zip(&double.data).for_each(|(single, &double)| *single = double as f32);
    }
    single.round(Rounding::Hard);
    double.round(Rounding::Hard);
    let costs = (single.gradients(LAMBDA), double.gradients(LAMBDA));
    // Integers are exact; each of some thousand sums of some dozen products rounds by 6e-8 of values around 1.
    assert!((costs.0.bits / costs.1.bits - 1.0).abs() < 1e-5, "{costs:?}");
    assert!((costs.0.error / costs.1.error - 1.0).abs() < 1e-5, "{costs:?}");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let mut trainer = trainer(71, 90, 3);
            for _ in 0..3 {
                trainer.round(Rounding::Soft { temperature: 0.3 });
                trainer.gradients(LAMBDA);
                trainer.update((0.1, 0.01));
            }
            trainer.weights.iter().map(|w| w.to_bits()).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(3));
}
