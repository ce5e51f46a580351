use super::*;
use multiply::MultiplyPanels;
use pulp::WithSimd;

/// Numbers of both signs whose products are not exact.
fn values<T: Real>(n: usize, seed: usize) -> Vec<T> {
    (0..n).map(|i| T::of(((i * 7919 + seed * 104_729) % 2003) as f64 / 1001.5 - 1.0)).collect()
}

fn panels<T: Real>(n_panels: usize, seed: usize) -> Vec<[T; PANEL]> {
    values(n_panels * PANEL, seed).as_chunks().0.to_vec()
}

/// One chain of multiply-adds from `start`.
fn chain<T: SimdReal>(start: T, terms: impl Iterator<Item = (T, T)>) -> T {
    terms.fold(start, |sum, (a, b)| {
        let one = One { a, b, sum };
        pulp::Arch::new().dispatch(one)
    })
}

struct One<T> {
    a: T,
    b: T,
    sum: T,
}

impl<T: SimdReal> WithSimd for One<T> {
    type Output = T;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> T {
        let mut out = [T::zero(); PANEL];
        let [a, b, sum] = [self.a, self.b, self.sum].map(|value| T::splat(simd, value));
        T::vectors_mut::<S>(&mut out)[0] = T::multiply_add(simd, a, b, sum);
        out[0]
    }
}

const SIZES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (3, 64, 2),
    (5, 17, 3),
    (6, 16, 1),
    (13, 7, 2),
    (23, 33, 3),
    (35, 300, 1),
    (64, 32, 4),
    (300, 520, 3), // more than one block of weights
];

/// x and weights of a product, and its exact expected result.
struct Product<T> {
    weights: Vec<T>,
    bias: Vec<T>,
    x: Vec<[T; PANEL]>,
    expected: Vec<[T; PANEL]>,
}

fn product<T: SimdReal>((rows, depth, n_panels): (usize, usize, usize), with_bias: bool) -> Product<T> {
    let (weights, x) = (values::<T>(rows * depth, 1), panels::<T>(n_panels * depth, 2));
    let bias = if with_bias { values(rows, 3) } else { vec![T::zero(); rows] };
    let at = |panel: usize, row: usize, s: usize| {
        let terms = (0..depth).map(|k| (weights[row * depth + k], x[panel * depth + k][s]));
        chain(bias[row], terms)
    };
    let panel = |i: usize| std::array::from_fn(|s| at(i / rows, i % rows, s));
    let expected = (0..n_panels * rows).map(panel).collect();
    Product { weights, bias, x, expected }
}

fn multiplies<T: SimdReal>() {
    for size @ (rows, depth, n_panels) in SIZES {
        for with_bias in [true, false] {
            let Product { weights, bias, x, expected } = product::<T>(size, with_bias);
            let mut packed = vec![T::zero(); rows * depth];
            pack((rows, depth), tile_height::<T>(), |r, k| weights[r * depth + k], &mut packed);
            let bias = with_bias.then_some(bias.as_slice());
            let mut out = vec![[T::of(f64::NAN); PANEL]; n_panels * rows];
            let mut pieces = Vec::new();
            Multiply { weights: &packed, bias, rows, depth }
                .run(&x, &mut out, |start, piece| pieces.push((start, piece.to_vec())));
            assert_eq!(out, expected, "{rows} rows of depth {depth}, {n_panels} panels");
            pieces.sort_by_key(|(start, _)| *start);
            let pieces: Vec<_> = pieces.into_iter().flat_map(|(_, piece)| piece).collect();
            assert_eq!(pieces, expected, "pieces of {rows} rows, {n_panels} panels");
        }
    }
}

#[test]
fn each_result_is_one_chain_of_multiply_adds() {
    multiplies::<f32>();
    multiplies::<f64>();
}

/// The tile shapes of the widest vectors, run with the vectors of this processor.
struct Widest<W>(W);

impl<W: TileWork<Output = ()>> WithSimd for Widest<W> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.0.with::<S, 12, 2, 1>(simd),
            8 => self.0.with::<S, 12, 2, 2>(simd),
            4 => self.0.with::<S, 12, 2, 4>(simd),
            _ => self.0.with::<S, 12, 2, 16>(simd),
        }
    }
}

#[test]
fn the_shape_of_a_tile_changes_no_bit() {
    for size @ (rows, depth, n_panels) in SIZES {
        let Product { weights, bias, x, expected } = product::<f32>(size, true);
        let mut packed = vec![0.0; rows * depth];
        pack((rows, depth), 12, |r, k| weights[r * depth + k], &mut packed);
        let product = &Multiply { weights: &packed, bias: Some(&bias), rows, depth };
        let mut out = vec![[f32::NAN; PANEL]; n_panels * rows];
        let then = |_: usize, _: &mut [[f32; PANEL]]| {};
        pulp::Arch::new().dispatch(Widest(MultiplyPanels { product, x: &x, out: &mut out, then }));
        assert_eq!(out, expected, "{rows} rows of depth {depth}, {n_panels} panels");
    }
}

/// dl_dz: sample panels of o, x: feature panels of i; the gradient is added to `start`.
fn gradient<T: SimdReal>(
    (o, i, n): (usize, usize, usize),
    (dl_dz, x, start): (&[[T; PANEL]], &[[T; PANEL]], &[T]),
) -> Vec<T> {
    let of_dl_dz = |row: usize, s: usize| dl_dz[s / PANEL * o + row][s % PANEL];
    let of_x = |column: usize, s: usize| x[column / PANEL * n + s][column % PANEL];
    let at = |row: usize, column: usize| {
        start[row * i + column] + chain(T::zero(), (0..n).map(|s| (of_dl_dz(row, s), of_x(column, s))))
    };
    (0..o * i).map(|w| at(w / i, w % i)).collect()
}

fn gradients<T: SimdReal>(
    tiled: impl Fn(&[[T; PANEL]], &mut [[T; PANEL]], &mut [T]),
    add: impl Fn(WeightGradient<T>),
) {
    for (o, i, n_panels) in SIZES {
        let n = n_panels * PANEL;
        let (dl_dz, x) = (panels::<T>(n_panels * o, 4), panels::<T>(i.div_ceil(PANEL) * n, 5));
        let start = values::<T>(o * i, 6);
        let (mut tiles, mut dl_db) = (vec![[T::of(f64::NAN); PANEL]; dl_dz.len()], vec![T::one(); o]);
        tiled(&dl_dz, &mut tiles, &mut dl_db);
        let mut out = start.clone();
        add(WeightGradient { dl_dz: &tiles, x: &x, input_width: i, output_width: o, out: &mut out });
        assert_eq!(out, gradient((o, i, n), (&dl_dz, &x, &start)), "{o} by {i}, {n} samples");
        for (row, sum) in dl_db.iter().enumerate() {
            let exact: f64 = dl_dz.chunks(o).flat_map(|panel| panel[row]).map(T::as_f64).sum();
            assert!((sum.as_f64() - 1.0 - exact).abs() < 1e-6 * n as f64, "bias {row} of {o}: {sum:?}");
        }
    }
}

#[test]
fn each_gradient_is_one_chain_of_multiply_adds() {
    gradients::<f32>(tile_and_sum, |gradient: WeightGradient<'_, f32>| gradient.add());
    gradients::<f64>(tile_and_sum, |gradient: WeightGradient<'_, f64>| gradient.add());
}

#[test]
fn the_shape_of_a_tile_changes_no_bit_of_a_gradient() {
    let tiled = |dl_dz: &[[f32; PANEL]], tiled: &mut [[f32; PANEL]], dl_db: &mut [f32]| {
        gradient::tile_and_sum_by(12, dl_dz, tiled, dl_db);
    };
    gradients::<f32>(tiled, |gradient: WeightGradient<'_, f32>| pulp::Arch::new().dispatch(Widest(gradient)));
}
