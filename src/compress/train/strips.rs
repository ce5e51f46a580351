//! Dense layers over strips of pixels side by side: forward, backward, and the gradient of the weights.

use crate::backend::cpu::simd::{PANEL, SimdReal};
use pulp::Simd;

/// Panels of a strip.
const PANELS: usize = 4;
/// Pixels of a strip: long enough that sums of weight gradients stay in registers for a while, short enough that all
/// features of a strip stay in the L1 cache.
pub(super) const STRIP: usize = PANEL * PANELS;

/// A feature of each pixel of a strip.
pub(super) type Strip<T> = [[T; PANEL]; PANELS];

/// A layer's weights in both orders.
pub(super) struct Dense<T> {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// (inputs, outputs)
    weights: Vec<T>,
    /// (outputs, inputs)
    transposed: Vec<T>,
    pub(super) biases: Vec<T>,
}

impl<T: SimdReal> Dense<T> {
    /// From (inputs, outputs) weights and the biases behind them.
    pub(super) fn new(inputs: usize, outputs: usize, values: &[T]) -> Self {
        let (weights, biases) = values.split_at(inputs * outputs);
        let transposed = (0..outputs * inputs).map(|n| weights[n % inputs * outputs + n / inputs]).collect();
        Self { inputs, outputs, weights: weights.to_vec(), transposed, biases: biases.to_vec() }
    }

    /// y = W x + b
    #[inline(always)]
    pub(super) fn forward<S: Simd>(&self, simd: S, biases: &[T], x: &[Strip<T>], y: &mut [Strip<T>]) {
        multiply(
            simd,
            (&self.weights, self.outputs),
            Some(biases),
            &x[..self.inputs],
            &mut y[..self.outputs],
        );
    }

    /// dx = W^T dy
    #[inline(always)]
    pub(super) fn backward<S: Simd>(&self, simd: S, dy: &[Strip<T>], dx: &mut [Strip<T>]) {
        multiply(simd, (&self.transposed, self.inputs), None, &dy[..self.outputs], &mut dx[..self.inputs]);
    }
}

/// Sums of a layer's gradients, for each place in a panel apart.
pub(super) struct DenseGradient<T> {
    outputs: usize,
    weights: Vec<[T; PANEL]>,
    biases: Vec<[T; PANEL]>,
}

impl<T: SimdReal> DenseGradient<T> {
    pub(super) fn new(inputs: usize, outputs: usize) -> Self {
        let zeros = |n| vec![[T::zero(); PANEL]; n];
        Self { outputs, weights: zeros(inputs * outputs), biases: zeros(outputs) }
    }

    /// Adds the outer products of the inputs and of the outputs' gradients.
    #[inline(always)]
    pub(super) fn add<S: Simd>(&mut self, simd: S, x: &[Strip<T>], dy: &[Strip<T>]) {
        let (x, dy) = (&x[..self.weights.len() / self.outputs], &dy[..self.outputs]);
        let one = T::splat(simd, T::one());
        for (bias, dy) in self.biases.iter_mut().zip(dy) {
            let bias = T::vectors_mut::<S>(bias);
            for v in 0..bias.len() {
                let mut sum = bias[v];
                for p in 0..PANELS {
                    sum = T::multiply_add(simd, T::vectors::<S>(&dy[p])[v], one, sum);
                }
                bias[v] = sum;
            }
        }
        let whole = (x.len() / 4 * 4, dy.len() / 4 * 4);
        for i in (0..whole.0).step_by(4) {
            for o in (0..whole.1).step_by(4) {
                self.tile::<S, 4, 4>(simd, (i, o), x, dy);
            }
            for o in whole.1..dy.len() {
                self.tile::<S, 4, 1>(simd, (i, o), x, dy);
            }
        }
        for i in whole.0..x.len() {
            for o in (0..whole.1).step_by(4) {
                self.tile::<S, 1, 4>(simd, (i, o), x, dy);
            }
            for o in whole.1..dy.len() {
                self.tile::<S, 1, 1>(simd, (i, o), x, dy);
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const I: usize, const O: usize>(
        &mut self,
        simd: S,
        (i, o): (usize, usize),
        x: &[Strip<T>],
        dy: &[Strip<T>],
    ) {
        let (x, dy) = (&x[i..i + I], &dy[o..o + O]);
        let n_vectors = T::vectors::<S>(&x[0][0]).len();
        for v in 0..n_vectors {
            let mut sums = [[T::splat(simd, T::zero()); O]; I];
            for p in 0..PANELS {
                let mut right = [T::splat(simd, T::zero()); O];
                for o in 0..O {
                    right[o] = T::vectors::<S>(&dy[o][p])[v];
                }
                for i in 0..I {
                    let left = T::vectors::<S>(&x[i][p])[v];
                    for o in 0..O {
                        sums[i][o] = T::multiply_add(simd, left, right[o], sums[i][o]);
                    }
                }
            }
            let one = T::splat(simd, T::one());
            for r in 0..I {
                let place = (i + r) * self.outputs + o;
                let totals = &mut self.weights[place..place + O];
                for c in 0..O {
                    let total = &mut T::vectors_mut::<S>(&mut totals[c])[v];
                    *total = T::multiply_add(simd, sums[r][c], one, *total);
                }
            }
        }
    }

    /// Adds the sums to weights, and biases from `first_bias` on behind them.
    pub(super) fn add_to(&self, out: &mut [T], first_bias: usize) {
        let total = |lanes: &[T; PANEL]| lanes.iter().fold(T::zero(), |sum, &lane| sum + lane);
        let (weights, biases) = out.split_at_mut(self.weights.len());
        for (out, lanes) in weights.iter_mut().zip(&self.weights) {
            *out += total(lanes);
        }
        for (out, lanes) in biases[first_bias..].iter_mut().zip(&self.biases) {
            *out += total(lanes);
        }
    }
}

/// y = W x + b, weights: (inputs, outputs)
#[inline(always)]
fn multiply<T: SimdReal, S: Simd>(
    simd: S,
    (weights, stride): (&[T], usize),
    biases: Option<&[T]>,
    x: &[Strip<T>],
    y: &mut [Strip<T>],
) {
    let mut first = 0;
    macro_rules! tiles {
        ($height:literal) => {
            while y.len() - first >= $height {
                let biases = biases.map(|b| &b[first..first + $height]);
                multiply_tile::<T, S, $height>(simd, (&weights[first..], stride), biases, x, &mut y[first..]);
                first += $height;
            }
        };
    }
    tiles!(8);
    tiles!(4);
    tiles!(3);
    tiles!(1);
}

#[inline(always)]
fn multiply_tile<T: SimdReal, S: Simd, const H: usize>(
    simd: S,
    (weights, stride): (&[T], usize),
    biases: Option<&[T]>,
    x: &[Strip<T>],
    y: &mut [Strip<T>],
) {
    let y = y.first_chunk_mut::<H>().expect("outputs of a tile");
    let mut start = [T::zero(); H];
    if let Some(biases) = biases {
        start.copy_from_slice(&biases[..H]);
    }
    assert!(weights.len() >= (x.len() - 1) * stride + H, "weights of a tile");
    let n_vectors = T::vectors::<S>(&x[0][0]).len();
    for p in 0..PANELS {
        for v in 0..n_vectors {
            let mut sums = [T::splat(simd, T::zero()); H];
            for r in 0..H {
                sums[r] = T::splat(simd, start[r]);
            }
            for (i, x) in x.iter().enumerate() {
                let x = T::vectors::<S>(&x[p])[v];
                let w = &weights[i * stride..i * stride + H];
                for r in 0..H {
                    sums[r] = T::multiply_add(simd, T::splat(simd, w[r]), x, sums[r]);
                }
            }
            for r in 0..H {
                T::vectors_mut::<S>(&mut y[r][p])[v] = sums[r];
            }
        }
    }
}

/// max(x, 0) in place.
#[inline(always)]
pub(super) fn relu<T: SimdReal>(strips: &mut [Strip<T>]) {
    for x in strips.as_flattened_mut().as_flattened_mut() {
        *x = x.relu();
    }
}

/// Sets gradients to 0 where the activation is.
#[inline(always)]
pub(super) fn relu_backward<T: SimdReal>(dy: &mut [Strip<T>], y: &[Strip<T>]) {
    for (dy, &y) in dy.as_flattened_mut().as_flattened_mut().iter_mut().zip(y.as_flattened().as_flattened()) {
        *dy = y.if_positive(*dy, T::zero());
    }
}
