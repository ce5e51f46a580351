//! Initial weights, drawn on the host so that every backend starts from the same values.

use super::{Encoding, Model};
use crate::names::named;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

named! {
    /// How weights and biases are drawn.
    pub enum Init {
        /// W ~ N(0, 1 / fan_in), b = 0. Used by the course.
        LecunNormal "lecun-normal",
        /// W ~ N(0, 2 / (fan_in + fan_out)), b ~ N(0, 0.01^2). Glorot and Bengio 2010, equation 12 as
        /// a normal; the biases as in Tancik et al. 2020.
        GlorotNormal "glorot-normal",
        /// W ~ N(0, 2 / fan_in), b = 0. He et al. 2015, equation 10.
        HeNormal "he-normal",
        /// W and b ~ U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)), as in `torch.nn.Linear`.
        Torch "torch",
        /// W ~ U(-sqrt(6 / fan_in) / w0, sqrt(6 / fan_in) / w0), or U(-1 / fan_in, 1 / fan_in) in a
        /// first layer whose inputs are positions; b as `Torch`. Sitzmann et al. 2020, section 3.2.
        Siren "siren",
    }
}

impl Init {
    /// Draws all parameters of `model`: the flat buffer of [`Model::layout`].
    ///
    /// Layer n draws from stream n of a ChaCha generator, W row by row and then b, so its weights do
    /// not depend on the widths of earlier layers. An encoding's weights have their own stream and
    /// the distribution of its paper, whatever `self` is.
    pub fn draw(self, model: &Model, seed: u64) -> Vec<f32> {
        let layout = model.layout();
        let mut params = vec![0.0; layout.n_params()];
        model.encoding.draw_params(seed, &mut params[layout.encoding.clone()]);
        for (n, layer) in layout.layers.iter().enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(n as u64);
            let (weight, bias) = self.distributions(model, n);
            params[layer.weight.clone()].fill_with(|| weight.draw(&mut rng));
            params[layer.bias.clone()].fill_with(|| bias.draw(&mut rng));
        }
        params
    }

    fn distributions(self, model: &Model, layer: usize) -> (Spread, Spread) {
        let shape = model.network.layer(layer);
        let (fan_in, fan_out) = (shape.input_width as f64, shape.output_width as f64);
        match self {
            Self::LecunNormal => (Spread::Normal(fan_in.recip().sqrt()), Spread::Zero),
            Self::GlorotNormal => (Spread::Normal((2.0 / (fan_in + fan_out)).sqrt()), Spread::Normal(0.01)),
            Self::HeNormal => (Spread::Normal((2.0 / fan_in).sqrt()), Spread::Zero),
            Self::Torch => {
                let bound = Spread::Uniform(fan_in.recip().sqrt());
                (bound, bound)
            }
            Self::Siren => {
                let w0 = model.network.activation.param("w0").map_or(1.0, f64::from);
                // Features are spread as a sine layer's output is, so the layer they enter is no first one.
                let sees_positions = layer == 0 && model.encoding == Encoding::IDENTITY;
                let bound = if sees_positions { fan_in.recip() } else { (6.0 / fan_in).sqrt() / w0 };
                (Spread::Uniform(bound), Spread::Uniform(fan_in.recip().sqrt()))
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Spread {
    Zero,
    /// Standard deviation, mean 0.
    Normal(f64),
    /// Half-width, mean 0.
    Uniform(f64),
}

impl Spread {
    fn draw(self, rng: &mut ChaCha8Rng) -> f32 {
        match self {
            Self::Zero => 0.0,
            Self::Normal(deviation) => {
                // In its tail, one draw in 3,000, the crate takes the C library's logarithm. The last bit of an f64
                // changes the f32 once in 2^29 such draws.
                let z: f64 = StandardNormal.sample(rng);
                (z * deviation) as f32
            }
            Self::Uniform(bound) => (rng.random_range(-1.0..1.0) * bound) as f32,
        }
    }
}
