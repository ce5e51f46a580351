// Tiled matrix products in f32 through workgroup memory: out = left right.
//
// A kernel joins this file, `chunks_of_four.wgsl`, a shape (`tile_64.wgsl` and so on), a core (`core_4x4.wgsl` or
// `core_8x8.wgsl`), and supplies
//   LEFT_ALONG_K, RIGHT_ALONG_K      whether neighbours in memory are neighbours in k; else they are neighbouring rows
//                                    of left, or columns of right
//   left_chunk(row, k)               neighbours in memory from this element on, four or eight, as stored
//   right_chunk(k, column)           the same. Beyond the last k, one of the two is 0 and the other finite; beyond the
//                                    last row or column, both are anything
//   ACTIVATE_LEFT, ACTIVATE_RIGHT    whether the activation is applied to them
//   SUM_LEFT                         whether the sums of left over k are wanted as well
//   depth_range(slice)               the first k and one past the last
//   before_columns(column)           what `store` needs of four columns
//   before_store(row, column)        and of four results in a row
//   store(slice, row, column, sums, of_columns, before)
//   store_sums(slice, row, sums)     of four sums of left
//
// Nothing branches around a load, and a thread's loads for a tile are all made before the first is used, or even before
// the tile before it is multiplied: GPUs would wait for one after the other. Rows of a tile are padded by a vector, to
// avoid bank conflicts, unless it then took more than the 16 KiB that every device has.

const TILE_ROWS: u32 = 4u * ROW_QUADS;
const TILE_COLUMNS: u32 = 4u * COLUMN_QUADS;
const LEFT_PITCH: u32 = ROW_QUADS + PADDING;
const RIGHT_PITCH: u32 = COLUMN_QUADS + PADDING;

var<workgroup> left_tile: array<vec4<f32>, DEPTH * LEFT_PITCH>;   // (DEPTH, TILE_ROWS)
var<workgroup> right_tile: array<vec4<f32>, DEPTH * RIGHT_PITCH>; // (DEPTH, TILE_COLUMNS)
var<private> left_sum: vec4<f32>;

// A thread moves blocks of four by four. Where both tiles together have as many blocks as the group threads, half the
// threads move one of left and the others one of right; else each moves some of either.
const LEFT_BLOCKS: u32 = DEPTH * ROW_QUADS / 4u;
const RIGHT_BLOCKS: u32 = DEPTH * COLUMN_QUADS / 4u;
const IS_SPLIT: bool = LEFT_BLOCKS + RIGHT_BLOCKS == N_THREADS;
const LEFT_ROUNDS: u32 = (LEFT_BLOCKS + N_THREADS - 1u) / N_THREADS;
const RIGHT_ROUNDS: u32 = (RIGHT_BLOCKS + N_THREADS - 1u) / N_THREADS;
const_assert LEFT_ROUNDS <= 2u && RIGHT_ROUNDS <= 2u;

struct StoredBlock { v0: Chunk, v1: Chunk, v2: Chunk, v3: Chunk }

fn operand(found: Chunk, activate: bool) -> vec4<f32> {
    if activate {
        return activations(vec4<f32>(found));
    }
    return vec4<f32>(found);
}

fn operands(found: StoredBlock, activate: bool) -> Block {
    return Block(
        operand(found.v0, activate), operand(found.v1, activate),
        operand(found.v2, activate), operand(found.v3, activate),
    );
}

fn left_block(index: u32, row_base: u32, k_base: u32) -> StoredBlock {
    let b = min(index, LEFT_BLOCKS - 1u);
    if LEFT_ALONG_K {
        let row = row_base + 4u * (b / (DEPTH / 4u));
        let k = k_base + 4u * (b % (DEPTH / 4u));
        return StoredBlock(
            left_chunk(row, k), left_chunk(row + 1u, k), left_chunk(row + 2u, k), left_chunk(row + 3u, k),
        );
    }
    let row = row_base + 4u * (b % ROW_QUADS);
    let k = k_base + 4u * (b / ROW_QUADS);
    return StoredBlock(left_chunk(row, k), left_chunk(row, k + 1u), left_chunk(row, k + 2u), left_chunk(row, k + 3u));
}

fn right_block(index: u32, column_base: u32, k_base: u32) -> StoredBlock {
    let b = min(index, RIGHT_BLOCKS - 1u);
    if RIGHT_ALONG_K {
        let column = column_base + 4u * (b / (DEPTH / 4u));
        let k = k_base + 4u * (b % (DEPTH / 4u));
        return StoredBlock(
            right_chunk(k, column), right_chunk(k, column + 1u),
            right_chunk(k, column + 2u), right_chunk(k, column + 3u),
        );
    }
    let column = column_base + 4u * (b % COLUMN_QUADS);
    let k = k_base + 4u * (b / COLUMN_QUADS);
    return StoredBlock(
        right_chunk(k, column), right_chunk(k + 1u, column), right_chunk(k + 2u, column), right_chunk(k + 3u, column),
    );
}

// Writes four by four: of k on, of that quad of rows.
fn put_left(k: u32, quad: u32, block: Block) {
    let at = k * LEFT_PITCH + quad;
    left_tile[at] = block.v0;
    left_tile[at + LEFT_PITCH] = block.v1;
    left_tile[at + 2u * LEFT_PITCH] = block.v2;
    left_tile[at + 3u * LEFT_PITCH] = block.v3;
}

fn keep_left_block(index: u32, found: StoredBlock) {
    if LEFT_BLOCKS % N_THREADS != 0u && !IS_SPLIT && index >= LEFT_BLOCKS {
        return;
    }
    let block = operands(found, ACTIVATE_LEFT);
    if SUM_LEFT {
        left_sum += block.v0 + block.v1 + (block.v2 + block.v3);
    }
    if LEFT_ALONG_K {
        put_left(4u * (index % (DEPTH / 4u)), index / (DEPTH / 4u), transposed(block));
    } else {
        put_left(4u * (index / ROW_QUADS), index % ROW_QUADS, block);
    }
}

// Writes four by four: of k on, of that quad of columns.
fn put_right(k: u32, quad: u32, block: Block) {
    let at = k * RIGHT_PITCH + quad;
    right_tile[at] = block.v0;
    right_tile[at + RIGHT_PITCH] = block.v1;
    right_tile[at + 2u * RIGHT_PITCH] = block.v2;
    right_tile[at + 3u * RIGHT_PITCH] = block.v3;
}

fn keep_right_block(index: u32, found: StoredBlock) {
    if RIGHT_BLOCKS % N_THREADS != 0u && !IS_SPLIT && index >= RIGHT_BLOCKS {
        return;
    }
    let block = operands(found, ACTIVATE_RIGHT);
    if RIGHT_ALONG_K {
        put_right(4u * (index % (DEPTH / 4u)), index / (DEPTH / 4u), transposed(block));
    } else {
        put_right(4u * (index / COLUMN_QUADS), index % COLUMN_QUADS, block);
    }
}

// What a thread moves of a tile, on its way.
struct Moved {
    left0: StoredBlock, left1: StoredBlock,
    right0: StoredBlock, right1: StoredBlock,
}

fn fetch(thread: u32, tile: Tile, k_base: u32) -> Moved {
    var moved = Moved();
    if IS_SPLIT {
        if thread < LEFT_BLOCKS {
            moved.left0 = left_block(thread, tile.row, k_base);
        } else {
            moved.right0 = right_block(thread - LEFT_BLOCKS, tile.column, k_base);
        }
        return moved;
    }
    moved.left0 = left_block(thread, tile.row, k_base);
    if LEFT_ROUNDS > 1u { moved.left1 = left_block(thread + N_THREADS, tile.row, k_base); }
    moved.right0 = right_block(thread, tile.column, k_base);
    if RIGHT_ROUNDS > 1u { moved.right1 = right_block(thread + N_THREADS, tile.column, k_base); }
    return moved;
}

fn keep(thread: u32, moved: Moved) {
    if IS_SPLIT {
        if thread < LEFT_BLOCKS {
            keep_left_block(thread, moved.left0);
        } else {
            keep_right_block(thread - LEFT_BLOCKS, moved.right0);
        }
        return;
    }
    keep_left_block(thread, moved.left0);
    if LEFT_ROUNDS > 1u { keep_left_block(thread + N_THREADS, moved.left1); }
    keep_right_block(thread, moved.right0);
    if RIGHT_ROUNDS > 1u { keep_right_block(thread + N_THREADS, moved.right1); }
}

// The sums of left, each quad of rows from the threads that moved it, which are ROW_QUADS apart. Needs LEFT_ALONG_K
// = false, and ROW_QUADS to divide the number of threads.
fn finish_sums(thread: u32, slice: u32, row_base: u32) {
    // The tile is multiplied, so its memory is free.
    if thread < LEFT_BLOCKS {
        left_tile[thread] = left_sum;
    }
    workgroupBarrier();
    if thread < ROW_QUADS {
        var sum = vec4<f32>();
        for (var other = thread; other < min(LEFT_BLOCKS, N_THREADS); other += ROW_QUADS) {
            sum += left_tile[other];
        }
        store_sums(slice, row_base + 4u * thread, sum);
    }
}
