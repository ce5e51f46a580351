// Tiled matrix products in f32 through workgroup memory: out = left right.
//
// A kernel joins this file, a shape (`tile_64.wgsl` and so on), a core (`core_4x4.wgsl` or `core_8x8.wgsl`), and supplies
//   left(row, k), right(k, column)   elements, 0 outside the matrix
//   LEFT_ALONG_K, RIGHT_ALONG_K      whether neighbours in memory are neighbours in k, so that
//                                    neighbouring threads load neighbouring words
//   SUM_LEFT                         whether the sums of left over k are wanted as well
//   depth_range(slice)               the first k and one past the last
//   store(slice, row, column, quad)  of four results in a row
//   store_sums(slice, row, quad)     of four sums of left
//
// Rows of a tile are padded by a vector, to avoid bank conflicts.

const TILE_ROWS: u32 = 4u * ROW_QUADS;
const TILE_COLUMNS: u32 = 4u * COLUMN_QUADS;

var<workgroup> left_tile: array<vec4<f32>, DEPTH * (ROW_QUADS + 1u)>;     // (DEPTH, TILE_ROWS)
var<workgroup> right_tile: array<vec4<f32>, DEPTH * (COLUMN_QUADS + 1u)>; // (DEPTH, TILE_COLUMNS)
var<workgroup> left_sums: array<vec4<f32>, N_THREADS>;
var<private> left_sum: vec4<f32>;

fn load_left(thread: u32, row_base: u32, k_base: u32) {
    for (var e = thread; e < DEPTH * ROW_QUADS; e += N_THREADS) {
        let k = select(e / ROW_QUADS, e % DEPTH, LEFT_ALONG_K);
        let quad = select(e % ROW_QUADS, e / DEPTH, LEFT_ALONG_K);
        let row = row_base + 4u * quad;
        let at = k_base + k;
        let v = vec4<f32>(left(row, at), left(row + 1u, at), left(row + 2u, at), left(row + 3u, at));
        left_tile[k * (ROW_QUADS + 1u) + quad] = v;
        if SUM_LEFT {
            left_sum += v;
        }
    }
}

fn load_right(thread: u32, column_base: u32, k_base: u32) {
    for (var e = thread; e < DEPTH * COLUMN_QUADS; e += N_THREADS) {
        let k = select(e / COLUMN_QUADS, e % DEPTH, RIGHT_ALONG_K);
        let quad = select(e % COLUMN_QUADS, e / DEPTH, RIGHT_ALONG_K);
        let column = column_base + 4u * quad;
        let at = k_base + k;
        right_tile[k * (COLUMN_QUADS + 1u) + quad] =
            vec4<f32>(right(at, column), right(at, column + 1u), right(at, column + 2u), right(at, column + 3u));
    }
}

// The sums of left, each quad of rows from the threads that loaded it, which are ROW_QUADS apart. Needs LEFT_ALONG_K
// = false, and ROW_QUADS to divide the number of threads.
fn finish_sums(thread: u32, slice: u32, row_base: u32) {
    left_sums[thread] = left_sum;
    workgroupBarrier();
    if thread < ROW_QUADS {
        var sum = vec4<f32>();
        for (var other = thread; other < N_THREADS; other += ROW_QUADS) {
            sum += left_sums[other];
        }
        store_sums(slice, row_base + 4u * thread, sum);
    }
}
