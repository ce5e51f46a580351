// The tiles that cooperative matrices are loaded from. They keep the order of memory, neighbours in k or neighbouring rows
// or columns: a matrix is loaded from either.

// Numbers in a line of memory. Lines of tiles are padded by eight, against bank conflicts.
const LEFT_LINE: u32 = select(TILE_ROWS, DEPTH, LEFT_ALONG_K);
const RIGHT_LINE: u32 = select(TILE_COLUMNS, DEPTH, RIGHT_ALONG_K);
const LEFT_PITCH: u32 = LEFT_LINE + 8u;
const RIGHT_PITCH: u32 = RIGHT_LINE + 8u;
const LEFT_CHUNKS: u32 = TILE_ROWS * DEPTH / CHUNK;
const RIGHT_CHUNKS: u32 = TILE_COLUMNS * DEPTH / CHUNK;
override left_rounds: u32 = LEFT_CHUNKS / n_threads;
override right_rounds: u32 = RIGHT_CHUNKS / n_threads;

var<workgroup> left_tile: array<OperandCell, LEFT_CHUNKS * CHUNK / LEFT_LINE * LEFT_PITCH / CELL>;
var<workgroup> right_tile: array<OperandCell, RIGHT_CHUNKS * CHUNK / RIGHT_LINE * RIGHT_PITCH / CELL>;
var<private> left_sum_low: vec4<f32>;
var<private> left_sum_high: vec4<f32>;

// Chunk `index` of a tile.
fn left_of(index: u32, row_base: u32, k_base: u32) -> Chunk {
    let line = index / (LEFT_LINE / CHUNK);
    let at = CHUNK * (index % (LEFT_LINE / CHUNK));
    if LEFT_ALONG_K {
        return left_chunk(row_base + line, k_base + at);
    }
    return left_chunk(row_base + at, k_base + line);
}

fn right_of(index: u32, column_base: u32, k_base: u32) -> Chunk {
    let line = index / (RIGHT_LINE / CHUNK);
    let at = CHUNK * (index % (RIGHT_LINE / CHUNK));
    if RIGHT_ALONG_K {
        return right_chunk(k_base + at, column_base + line);
    }
    return right_chunk(k_base + line, column_base + at);
}

fn operand(four: vec4<Stored>, activate: bool) -> vec4<Stored> {
    if !activate {
        return four;
    }
    if ACTIVATION_IS_MAX {
        return max(four, vec4<Stored>());
    }
    return vec4<Stored>(activations(vec4<f32>(four)));
}

fn keep_left(index: u32, found: Chunk) {
    let low = operand(low_four(found), ACTIVATE_LEFT);
    let high = operand(high_four(found), ACTIVATE_LEFT);
    let at = index / (LEFT_LINE / CHUNK) * LEFT_PITCH + CHUNK * (index % (LEFT_LINE / CHUNK));
    put_left(at, low);
    put_left(at + 4u, high);
    if SUM_LEFT {
        left_sum_low += vec4<f32>(low);
        left_sum_high += vec4<f32>(high);
    }
}

fn keep_right(index: u32, found: Chunk) {
    let at = index / (RIGHT_LINE / CHUNK) * RIGHT_PITCH + CHUNK * (index % (RIGHT_LINE / CHUNK));
    put_right(at, operand(low_four(found), ACTIVATE_RIGHT));
    put_right(at + 4u, operand(high_four(found), ACTIVATE_RIGHT));
}

// What a thread moves of a tile, on its way.
struct Moved {
    left0: Chunk, left1: Chunk, left2: Chunk, left3: Chunk,
    left4: Chunk, left5: Chunk, left6: Chunk, left7: Chunk,
    right0: Chunk, right1: Chunk, right2: Chunk, right3: Chunk,
    right4: Chunk, right5: Chunk, right6: Chunk, right7: Chunk,
}

fn fetch(thread: u32, tile: Tile, k_base: u32) -> Moved {
    var moved = Moved();
    moved.left0 = left_of(thread, tile.row, k_base);
    if left_rounds > 1u { moved.left1 = left_of(thread + n_threads, tile.row, k_base); }
    if left_rounds > 2u { moved.left2 = left_of(thread + 2u * n_threads, tile.row, k_base); }
    if left_rounds > 3u { moved.left3 = left_of(thread + 3u * n_threads, tile.row, k_base); }
    if left_rounds > 4u { moved.left4 = left_of(thread + 4u * n_threads, tile.row, k_base); }
    if left_rounds > 5u { moved.left5 = left_of(thread + 5u * n_threads, tile.row, k_base); }
    if left_rounds > 6u { moved.left6 = left_of(thread + 6u * n_threads, tile.row, k_base); }
    if left_rounds > 7u { moved.left7 = left_of(thread + 7u * n_threads, tile.row, k_base); }
    moved.right0 = right_of(thread, tile.column, k_base);
    if right_rounds > 1u { moved.right1 = right_of(thread + n_threads, tile.column, k_base); }
    if right_rounds > 2u { moved.right2 = right_of(thread + 2u * n_threads, tile.column, k_base); }
    if right_rounds > 3u { moved.right3 = right_of(thread + 3u * n_threads, tile.column, k_base); }
    if right_rounds > 4u { moved.right4 = right_of(thread + 4u * n_threads, tile.column, k_base); }
    if right_rounds > 5u { moved.right5 = right_of(thread + 5u * n_threads, tile.column, k_base); }
    if right_rounds > 6u { moved.right6 = right_of(thread + 6u * n_threads, tile.column, k_base); }
    if right_rounds > 7u { moved.right7 = right_of(thread + 7u * n_threads, tile.column, k_base); }
    return moved;
}

fn keep(thread: u32, moved: Moved) {
    keep_left(thread, moved.left0);
    if left_rounds > 1u { keep_left(thread + n_threads, moved.left1); }
    if left_rounds > 2u { keep_left(thread + 2u * n_threads, moved.left2); }
    if left_rounds > 3u { keep_left(thread + 3u * n_threads, moved.left3); }
    if left_rounds > 4u { keep_left(thread + 4u * n_threads, moved.left4); }
    if left_rounds > 5u { keep_left(thread + 5u * n_threads, moved.left5); }
    if left_rounds > 6u { keep_left(thread + 6u * n_threads, moved.left6); }
    if left_rounds > 7u { keep_left(thread + 7u * n_threads, moved.left7); }
    keep_right(thread, moved.right0);
    if right_rounds > 1u { keep_right(thread + n_threads, moved.right1); }
    if right_rounds > 2u { keep_right(thread + 2u * n_threads, moved.right2); }
    if right_rounds > 3u { keep_right(thread + 3u * n_threads, moved.right3); }
    if right_rounds > 4u { keep_right(thread + 4u * n_threads, moved.right4); }
    if right_rounds > 5u { keep_right(thread + 5u * n_threads, moved.right5); }
    if right_rounds > 6u { keep_right(thread + 6u * n_threads, moved.right6); }
    if right_rounds > 7u { keep_right(thread + 7u * n_threads, moved.right7); }
}

fn load_left(row: u32, k: u32) -> LeftMatrix {
    if LEFT_ALONG_K {
        return coopLoadT<LeftMatrix>(&left_tile[(row * LEFT_PITCH + k) / CELL], LEFT_PITCH / CELL);
    }
    return coopLoad<LeftMatrix>(&left_tile[(k * LEFT_PITCH + row) / CELL], LEFT_PITCH / CELL);
}

fn load_right(k: u32, column: u32) -> RightMatrix {
    if RIGHT_ALONG_K {
        return coopLoad<RightMatrix>(&right_tile[(column * RIGHT_PITCH + k) / CELL], RIGHT_PITCH / CELL);
    }
    return coopLoadT<RightMatrix>(&right_tile[(k * RIGHT_PITCH + column) / CELL], RIGHT_PITCH / CELL);
}
