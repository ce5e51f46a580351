// Tiled matrix products in f32 through workgroup memory: out = left right.
//
// A kernel joins this file, a shape (`tile_64.wgsl` and so on), a core (`core_4x4.wgsl` or `core_8x8.wgsl`), and
// supplies
//   LEFT_ALONG_K, RIGHT_ALONG_K      whether neighbours in memory are neighbours in k; else they are neighbouring rows
//                                    of left, or columns of right
//   left_four(row, k)                four neighbours in memory from this element on, 0 outside the matrix
//   right_four(k, column)            the same; the number that neighbours differ in is always a multiple of four
//   SUM_LEFT                         whether the sums of left over k are wanted as well
//   depth_range(slice)               the first k and one past the last
//   before_columns(column)           what `store` needs of four columns
//   before_store(row, column)        and of four results in a row
//   store(slice, row, column, sums, of_columns, before)
//   store_sums(slice, row, sums)     of four sums of left
//
// Nothing branches around a load, and a thread's loads for a tile are all made before the first value is used: GPUs
// would wait for one after the other. Rows of a tile are padded by a vector, to avoid bank conflicts.

const TILE_ROWS: u32 = 4u * ROW_QUADS;
const TILE_COLUMNS: u32 = 4u * COLUMN_QUADS;
const LEFT_PITCH: u32 = ROW_QUADS + 1u;
const RIGHT_PITCH: u32 = COLUMN_QUADS + 1u;

var<workgroup> left_tile: array<vec4<f32>, DEPTH * LEFT_PITCH>;   // (DEPTH, TILE_ROWS)
var<workgroup> right_tile: array<vec4<f32>, DEPTH * RIGHT_PITCH>; // (DEPTH, TILE_COLUMNS)
var<workgroup> left_sums: array<vec4<f32>, N_THREADS>;
var<private> left_sum: vec4<f32>;

// Of a tile. Surplus threads load what the last one loads, and keep nothing.
const LEFT_VECTORS: u32 = DEPTH * ROW_QUADS;
const RIGHT_VECTORS: u32 = DEPTH * COLUMN_QUADS;
const LEFT_BLOCKS: u32 = LEFT_VECTORS / 4u;
const RIGHT_BLOCKS: u32 = RIGHT_VECTORS / 4u;
// Blocks that a thread moves of the larger tile.
const ROUNDS: u32 = (max(LEFT_BLOCKS, RIGHT_BLOCKS) + N_THREADS - 1u) / N_THREADS;

fn left_vector(index: u32, row_base: u32, k_base: u32) -> vec4<f32> {
    let e = min(index, LEFT_VECTORS - 1u);
    return left_four(row_base + 4u * (e % ROW_QUADS), k_base + e / ROW_QUADS);
}

fn load_left(thread: u32, round: u32, row_base: u32, k_base: u32) -> Block {
    if LEFT_ALONG_K {
        let index = min(round * N_THREADS + thread, LEFT_BLOCKS - 1u);
        let row = row_base + 4u * (index / (DEPTH / 4u));
        let k = k_base + 4u * (index % (DEPTH / 4u));
        return transposed(
            Block(left_four(row, k), left_four(row + 1u, k), left_four(row + 2u, k), left_four(row + 3u, k)),
        );
    }
    let first = 4u * round * N_THREADS + thread;
    var block = Block();
    block.v0 = left_vector(first, row_base, k_base);
    if N_THREADS < LEFT_VECTORS { block.v1 = left_vector(first + N_THREADS, row_base, k_base); }
    if 2u * N_THREADS < LEFT_VECTORS { block.v2 = left_vector(first + 2u * N_THREADS, row_base, k_base); }
    if 3u * N_THREADS < LEFT_VECTORS { block.v3 = left_vector(first + 3u * N_THREADS, row_base, k_base); }
    return block;
}

fn keep_left_vector(e: u32, v: vec4<f32>) {
    if e < LEFT_VECTORS {
        left_tile[e / ROW_QUADS * LEFT_PITCH + e % ROW_QUADS] = v;
        if SUM_LEFT {
            left_sum += v;
        }
    }
}

fn keep_left(thread: u32, round: u32, block: Block) {
    if LEFT_ALONG_K {
        let index = round * N_THREADS + thread;
        if index < LEFT_BLOCKS {
            let at = 4u * (index % (DEPTH / 4u)) * LEFT_PITCH + index / (DEPTH / 4u);
            left_tile[at] = block.v0;
            left_tile[at + LEFT_PITCH] = block.v1;
            left_tile[at + 2u * LEFT_PITCH] = block.v2;
            left_tile[at + 3u * LEFT_PITCH] = block.v3;
        }
        return;
    }
    let first = 4u * round * N_THREADS + thread;
    keep_left_vector(first, block.v0);
    if N_THREADS < LEFT_VECTORS { keep_left_vector(first + N_THREADS, block.v1); }
    if 2u * N_THREADS < LEFT_VECTORS { keep_left_vector(first + 2u * N_THREADS, block.v2); }
    if 3u * N_THREADS < LEFT_VECTORS { keep_left_vector(first + 3u * N_THREADS, block.v3); }
}

fn right_vector(index: u32, column_base: u32, k_base: u32) -> vec4<f32> {
    let e = min(index, RIGHT_VECTORS - 1u);
    return right_four(k_base + e / COLUMN_QUADS, column_base + 4u * (e % COLUMN_QUADS));
}

fn load_right(thread: u32, round: u32, column_base: u32, k_base: u32) -> Block {
    if RIGHT_ALONG_K {
        let index = min(round * N_THREADS + thread, RIGHT_BLOCKS - 1u);
        let column = column_base + 4u * (index / (DEPTH / 4u));
        let k = k_base + 4u * (index % (DEPTH / 4u));
        return transposed(
            Block(
                right_four(k, column), right_four(k, column + 1u),
                right_four(k, column + 2u), right_four(k, column + 3u),
            ),
        );
    }
    let first = 4u * round * N_THREADS + thread;
    var block = Block();
    block.v0 = right_vector(first, column_base, k_base);
    if N_THREADS < RIGHT_VECTORS { block.v1 = right_vector(first + N_THREADS, column_base, k_base); }
    if 2u * N_THREADS < RIGHT_VECTORS { block.v2 = right_vector(first + 2u * N_THREADS, column_base, k_base); }
    if 3u * N_THREADS < RIGHT_VECTORS { block.v3 = right_vector(first + 3u * N_THREADS, column_base, k_base); }
    return block;
}

fn keep_right_vector(e: u32, v: vec4<f32>) {
    if e < RIGHT_VECTORS {
        right_tile[e / COLUMN_QUADS * RIGHT_PITCH + e % COLUMN_QUADS] = v;
    }
}

fn keep_right(thread: u32, round: u32, block: Block) {
    if RIGHT_ALONG_K {
        let index = round * N_THREADS + thread;
        if index < RIGHT_BLOCKS {
            let at = 4u * (index % (DEPTH / 4u)) * RIGHT_PITCH + index / (DEPTH / 4u);
            right_tile[at] = block.v0;
            right_tile[at + RIGHT_PITCH] = block.v1;
            right_tile[at + 2u * RIGHT_PITCH] = block.v2;
            right_tile[at + 3u * RIGHT_PITCH] = block.v3;
        }
        return;
    }
    let first = 4u * round * N_THREADS + thread;
    keep_right_vector(first, block.v0);
    if N_THREADS < RIGHT_VECTORS { keep_right_vector(first + N_THREADS, block.v1); }
    if 2u * N_THREADS < RIGHT_VECTORS { keep_right_vector(first + 2u * N_THREADS, block.v2); }
    if 3u * N_THREADS < RIGHT_VECTORS { keep_right_vector(first + 3u * N_THREADS, block.v3); }
}

fn load_tiles(thread: u32, tile: Tile, k_base: u32) {
    for (var round = 0u; round < ROUNDS; round++) {
        let left = load_left(thread, round, tile.row, k_base);
        let right = load_right(thread, round, tile.column, k_base);
        keep_left(thread, round, left);
        keep_right(thread, round, right);
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
