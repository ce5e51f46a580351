//! What the machine can do at all.

use crate::backend::cpu::product::Multiply;
use crate::backend::tuned::Storage;
use crate::backend::{BackendError, TunedConfig, cpu};
use crate::model::LayerShape;
use serde::Serialize;
use std::sync::Mutex;
use std::time::Instant;

/// Measured in the same run as the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ceilings {
    /// A large product of matrices, (65536, 512) by (512, 256) on the CPU, a quarter of the rows on a GPU, in f32.
    pub gflop_per_second: f64,
    /// The same with values stored in 16 bits, where the GPU may choose that.
    pub mixed_gflop_per_second: Option<f64>,
    /// A large copy, bytes read and bytes written.
    pub gigabytes_per_second: f64,
}

impl Ceilings {
    /// GFLOP/s that bound a job trained by `method`.
    pub fn of(&self, method: Option<&TunedConfig>) -> f64 {
        match (method.map(|method| method.config.storage), self.mixed_gflop_per_second) {
            (Some(Storage::F16), Some(mixed)) => mixed,
            _ => self.gflop_per_second,
        }
    }
}

/// Rows of the product, in all threads together.
const ROWS: usize = 65_536;
const SHAPE: LayerShape = LayerShape { input_width: 512, output_width: 256 };
/// Floats copied, in all threads together: beyond any cache.
const COPIED: usize = 1 << 26;

/// Of the CPU with `threads` threads, 0 for all cores: the best of what is seen in `seconds`.
///
/// The product is the better of the `gemm` crate's and of training's own, each thread with rows of its own.
///
/// # Errors
/// When the threads cannot be started.
pub fn cpu_ceilings(threads: usize, seconds: f64) -> Result<Ceilings, BackendError> {
    let pool = cpu::thread_pool(threads)?;
    let n_threads = pool.current_num_threads();
    let rows = (ROWS / n_threads).next_multiple_of(cpu::panels::PANEL);
    let flop = (2 * rows * n_threads * SHAPE.input_width * SHAPE.output_width) as f64;
    let operands = pool.broadcast(|_| {
        let x = vec![0.5_f32; rows * SHAPE.input_width];
        let w = vec![0.25_f32; SHAPE.input_width * SHAPE.output_width];
        Mutex::new((x, w, vec![0.0_f32; SHAPE.output_width], vec![0.0_f32; rows * SHAPE.output_width]))
    });
    let library = || {
        pool.broadcast(|thread| {
            let (x, w, b, z) = &mut *operands[thread.index()].lock().expect("a worker thread panicked");
            cpu::dense::forward(SHAPE, x, w, b, z);
        });
    };
    // The weights are all the same, and so in any order; x and z are panels of samples.
    let own = || {
        pool.broadcast(|thread| {
            let (x, w, b, z) = &mut *operands[thread.index()].lock().expect("a worker thread panicked");
            let layer =
                Multiply { weights: w, bias: Some(b), rows: SHAPE.output_width, depth: SHAPE.input_width };
            layer.run(x.as_chunks().0, z.as_chunks_mut().0, |_, _| {});
        });
    };
    let fastest_product = fastest(0.5 * seconds, library).min(fastest(0.5 * seconds, own));
    let gflop_per_second = 1e-9 * flop / fastest_product;
    drop(operands);
    let len = COPIED / n_threads;
    let memory = pool.broadcast(|_| Mutex::new((vec![1.0_f32; len], vec![0.0_f32; len])));
    let copy = || {
        pool.broadcast(|thread| {
            let (from, to) = &mut *memory[thread.index()].lock().expect("a worker thread panicked");
            to.copy_from_slice(from);
        });
    };
    let gigabytes_per_second = 1e-9 * (8 * len * n_threads) as f64 / fastest(0.5 * seconds, copy);
    Ok(Ceilings { gflop_per_second, mixed_gflop_per_second: None, gigabytes_per_second })
}

/// Seconds of the fastest of the calls that begin within `seconds`, at least three.
fn fastest(seconds: f64, work: impl Fn()) -> f64 {
    let (start, mut best, mut n) = (Instant::now(), f64::INFINITY, 0);
    while n < 3 || start.elapsed().as_secs_f64() < seconds {
        let call = Instant::now();
        work();
        best = best.min(call.elapsed().as_secs_f64());
        n += 1;
    }
    best
}
