//! The machine's peak speed.

use crate::backend::tuned::Storage;
use crate::backend::{BackendError, TunedConfig, cpu};
use pulp::{Simd, WithSimd};
use serde::Serialize;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::Instant;

/// Measured in the same run as the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ceilings {
    /// Multiply-adds in registers on the CPU; a large matrix product, (16384, 512) by (512, 256), on a GPU; in f32.
    pub gflop_per_second: f64,
    /// The same with values stored in 16 bits, if the GPU may choose that.
    pub mixed_gflop_per_second: Option<f64>,
    /// A large copy, bytes read and bytes written.
    pub gigabytes_per_second: f64,
}

impl Ceilings {
    /// The GFLOP/s ceiling of a job trained with `method`.
    pub fn of(&self, method: Option<&TunedConfig>) -> f64 {
        match (method.map(|method| method.config.storage), self.mixed_gflop_per_second) {
            (Some(Storage::F16), Some(mixed)) => mixed,
            _ => self.gflop_per_second,
        }
    }
}

/// Chains of multiply-adds in registers: enough of them to hide the latency.
const CHAINS: usize = 12;
/// Per chain and measurement.
const LENGTH: usize = 1_000_000;
/// Floats copied by all threads together: more than any cache holds.
const COPIED: usize = 1 << 26;

/// The CPU with `threads` threads, 0 for all cores: the best seen in `seconds`.
///
/// GFLOP/s are of multiply-adds in registers, which no matrix product can exceed.
///
/// # Errors
/// When the threads cannot be started.
pub fn cpu_ceilings(threads: usize, seconds: f64) -> Result<Ceilings, BackendError> {
    let pool = cpu::thread_pool(threads)?;
    let n_threads = pool.current_num_threads();
    let multiply_adds = || pool.broadcast(|_| pulp::Arch::new().dispatch(Chains(black_box(LENGTH))));
    let flop: usize = multiply_adds().iter().map(|n| 2 * n).sum();
    let gflop_per_second = 1e-9 * flop as f64 / fastest(0.5 * seconds, || _ = multiply_adds());
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

struct Chains(usize);

impl WithSimd for Chains {
    /// Multiply-adds done.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let (factor, term) = (simd.splat_f32s(0.999_999), simd.splat_f32s(1e-7));
        let mut sums = [simd.splat_f32s(1.0); CHAINS];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, term);
            }
        }
        black_box(sums.map(|sum| simd.reduce_sum_f32s(sum)));
        CHAINS * self.0 * S::F32_LANES
    }
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
