//! Runs loops with the widest vectors of this processor.

use crate::model::Real;
use pulp::{Simd, WithSimd};
use std::marker::PhantomData;

/// Samples or features side by side.
pub const PANEL: usize = 16;

/// Evaluates an expression compiled for the best instruction set found at run time.
///
/// Everything it calls must be `#[inline(always)]` like itself, or it stays compiled for the baseline.
macro_rules! vectorised {
    ($work:expr) => {
        $crate::backend::cpu::simd::with_widest_vectors(
            #[inline(always)]
            || $work,
        )
    };
}
pub(crate) use vectorised;

/// Calls `work` compiled for the best instruction set. Its bound tells the compiler that the closure is called once:
/// one that could be called twice is reached through a function that is compiled for the baseline.
#[inline(always)]
pub(crate) fn with_widest_vectors<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// The vector instructions that [`vectorised!`] loops use on this machine, by their compiler names.
pub(super) fn instruction_set() -> String {
    let chosen = format!("{:?}", pulp::Arch::new());
    match chosen.split('(').next().unwrap_or_default() {
        "V4" => "x86-64-v4 (AVX-512)".into(),
        "V3" => "x86-64-v3 (AVX2, FMA)".into(),
        other => other.to_lowercase(),
    }
}

/// Prefetches `value` into the L1 cache, where Rust has an intrinsic for it.
#[inline(always)]
pub(super) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and it has no side effects.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// A number type whose matrix products are written with vectors of any width.
pub trait SimdReal: Real {
    /// A vector of `S`.
    type Vector<S: Simd>: Copy;

    /// `value` in each lane.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    /// a b + c, rounded once everywhere but on x86 without FMA.
    fn multiply_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// The same numbers as vectors.
    fn vectors<S: Simd>(values: &[Self; PANEL]) -> &[Self::Vector<S>];
    /// The same, mutable.
    fn vectors_mut<S: Simd>(values: &mut [Self; PANEL]) -> &mut [Self::Vector<S>];
    /// Writes the transpose of a 16 by 16 block.
    #[inline(always)]
    fn transpose(rows: [&[Self; PANEL]; PANEL], transposed: &mut [[Self; PANEL]; PANEL]) {
        transpose_plainly(rows, transposed);
    }
    /// Calls `work` with the tile shape that fits the registers of `S`.
    fn with_tile<S: Simd, W: TileWork>(simd: S, work: W) -> W::Output;
}

/// Work on tiles of `ROWS` by `PANELS` panels of 16, each panel of `VECTORS` vectors.
///
/// A tile's sums stay in registers, and each number read from memory is used many times: `ROWS` broadcast numbers
/// times `PANELS` by `VECTORS` vectors. Two multiply-adds issue per cycle with a latency of four, so fewer than eight
/// sums would stall.
pub trait TileWork {
    type Output;
    fn with<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(
        self,
        simd: S,
    ) -> Self::Output;
}

/// Runs `work` with the tile shape that fits the registers of this processor.
pub(super) fn in_tiles<T: SimdReal, W: TileWork>(work: W) -> W::Output {
    struct Tiles<T, W>(PhantomData<T>, W);
    impl<T: SimdReal, W: TileWork> WithSimd for Tiles<T, W> {
        type Output = W::Output;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> W::Output {
            T::with_tile(simd, self.1)
        }
    }
    pulp::Arch::new().dispatch(Tiles(PhantomData::<T>, work))
}

#[inline(always)]
fn transpose_plainly<T: Copy>(rows: [&[T; PANEL]; PANEL], transposed: &mut [[T; PANEL]; PANEL]) {
    for (r, row) in rows.iter().enumerate() {
        for c in 0..PANEL {
            transposed[c][r] = row[c];
        }
    }
}

/// Four blocks of 8 by 8, each in three rounds that swap numbers, pairs of numbers, and halves of registers. Plain
/// loops take twice as long, since compilers find no shuffles in them.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transpose_avx(simd: pulp::x86::V3, rows: [&[f32; PANEL]; PANEL], transposed: &mut [[f32; PANEL]; PANEL]) {
    use std::arch::x86_64::__m256;
    let avx = simd.avx;
    for (row, column) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
        let mut a: [__m256; 8] = [pulp::cast([0.0_f32; 8]); 8];
        for (r, a) in a.iter_mut().enumerate() {
            *a = pulp::cast(*rows[row + r][column..].first_chunk::<8>().expect("8 of 16"));
        }
        let mut b = a;
        for r in [0, 2, 4, 6] {
            b[r] = avx._mm256_unpacklo_ps(a[r], a[r + 1]);
            b[r + 1] = avx._mm256_unpackhi_ps(a[r], a[r + 1]);
        }
        for r in [0, 4] {
            a[r] = avx._mm256_shuffle_ps::<0b01_00_01_00>(b[r], b[r + 2]);
            a[r + 1] = avx._mm256_shuffle_ps::<0b11_10_11_10>(b[r], b[r + 2]);
            a[r + 2] = avx._mm256_shuffle_ps::<0b01_00_01_00>(b[r + 1], b[r + 3]);
            a[r + 3] = avx._mm256_shuffle_ps::<0b11_10_11_10>(b[r + 1], b[r + 3]);
        }
        for r in 0..4 {
            let low = avx._mm256_permute2f128_ps::<0x20>(a[r], a[r + 4]);
            let high = avx._mm256_permute2f128_ps::<0x31>(a[r], a[r + 4]);
            transposed[column + r][row..row + 8].copy_from_slice(&pulp::cast::<_, [f32; 8]>(low));
            transposed[column + r + 4][row..row + 8].copy_from_slice(&pulp::cast::<_, [f32; 8]>(high));
        }
    }
}

impl SimdReal for f32 {
    type Vector<S: Simd> = S::f32s;

    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f32s {
        simd.splat_f32s(value)
    }
    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(a, b, c)
    }
    #[inline(always)]
    fn vectors<S: Simd>(values: &[Self; PANEL]) -> &[S::f32s] {
        S::as_simd_f32s(values).0
    }
    #[inline(always)]
    fn vectors_mut<S: Simd>(values: &mut [Self; PANEL]) -> &mut [S::f32s] {
        S::as_mut_simd_f32s(values).0
    }
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn transpose(rows: [&[Self; PANEL]; PANEL], transposed: &mut [[Self; PANEL]; PANEL]) {
        match pulp::x86::V3::try_new() {
            Some(simd) => transpose_avx(simd, rows, transposed),
            None => transpose_plainly(rows, transposed),
        }
    }
    #[inline(always)]
    fn with_tile<S: Simd, W: TileWork>(simd: S, work: W) -> W::Output {
        match S::F32_LANES {
            16 => work.with::<S, 12, 2, 1>(simd), // 24 of 32 registers hold sums
            8 => work.with::<S, 6, 1, 2>(simd),   // 12 of 16
            4 => work.with::<S, 6, 1, 4>(simd),   // 24 of 32
            _ => work.with::<S, 2, 1, 16>(simd),
        }
    }
}

impl SimdReal for f64 {
    type Vector<S: Simd> = S::f64s;

    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f64s {
        simd.splat_f64s(value)
    }
    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
        simd.mul_add_e_f64s(a, b, c)
    }
    #[inline(always)]
    fn vectors<S: Simd>(values: &[Self; PANEL]) -> &[S::f64s] {
        S::as_simd_f64s(values).0
    }
    #[inline(always)]
    fn vectors_mut<S: Simd>(values: &mut [Self; PANEL]) -> &mut [S::f64s] {
        S::as_mut_simd_f64s(values).0
    }
    #[inline(always)]
    fn with_tile<S: Simd, W: TileWork>(simd: S, work: W) -> W::Output {
        match S::F64_LANES {
            8 => work.with::<S, 12, 1, 2>(simd),
            4 => work.with::<S, 3, 1, 4>(simd),
            2 => work.with::<S, 3, 1, 8>(simd),
            _ => work.with::<S, 1, 1, 16>(simd),
        }
    }
}
