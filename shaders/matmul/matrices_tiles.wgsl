// The tiles that cooperative matrices are loaded from. They keep the order of memory, neighbours in k or neighbouring rows
// or columns: a matrix is loaded from either.

// Numbers in a line of memory. Lines of tiles are padded by eight, against bank conflicts.
const LEFT_LINE: u32 = select(TILE_ROWS, DEPTH, LEFT_ALONG_K);
const RIGHT_LINE: u32 = select(TILE_COLUMNS, DEPTH, RIGHT_ALONG_K);
const LEFT_PITCH: u32 = LEFT_LINE + 8u;
const RIGHT_PITCH: u32 = RIGHT_LINE + 8u;
const LEFT_EIGHTS: u32 = TILE_ROWS * DEPTH / 8u;
const RIGHT_EIGHTS: u32 = TILE_COLUMNS * DEPTH / 8u;
override left_rounds: u32 = LEFT_EIGHTS / n_threads;
override right_rounds: u32 = RIGHT_EIGHTS / n_threads;

var<workgroup> left_tile: array<OperandCell, LEFT_EIGHTS * 8u / LEFT_LINE * LEFT_PITCH / CELL>;
var<workgroup> right_tile: array<OperandCell, RIGHT_EIGHTS * 8u / RIGHT_LINE * RIGHT_PITCH / CELL>;
var<private> left_sum0: vec4<f32>;
var<private> left_sum1: vec4<f32>;

// Eight neighbours in memory.
struct LeftEight { v0: LeftFour, v1: LeftFour }
struct RightEight { v0: RightFour, v1: RightFour }

fn left_eight(index: u32, row_base: u32, k_base: u32) -> LeftEight {
    let line = index / (LEFT_LINE / 8u);
    let at = 8u * (index % (LEFT_LINE / 8u));
    if LEFT_ALONG_K {
        return LeftEight(left_four(row_base + line, k_base + at), left_four(row_base + line, k_base + at + 4u));
    }
    return LeftEight(left_four(row_base + at, k_base + line), left_four(row_base + at + 4u, k_base + line));
}

fn right_eight(index: u32, column_base: u32, k_base: u32) -> RightEight {
    let line = index / (RIGHT_LINE / 8u);
    let at = 8u * (index % (RIGHT_LINE / 8u));
    if RIGHT_ALONG_K {
        return RightEight(
            right_four(k_base + at, column_base + line), right_four(k_base + at + 4u, column_base + line),
        );
    }
    return RightEight(
        right_four(k_base + line, column_base + at), right_four(k_base + line, column_base + at + 4u),
    );
}

fn keep_left_eight(index: u32, eight: LeftEight) {
    let v0 = left_stored(eight.v0);
    let v1 = left_stored(eight.v1);
    let at = index / (LEFT_LINE / 8u) * LEFT_PITCH + 8u * (index % (LEFT_LINE / 8u));
    put_left(at, v0);
    put_left(at + 4u, v1);
    if SUM_LEFT {
        left_sum0 += vec4<f32>(v0);
        left_sum1 += vec4<f32>(v1);
    }
}

fn keep_right_eight(index: u32, eight: RightEight) {
    let at = index / (RIGHT_LINE / 8u) * RIGHT_PITCH + 8u * (index % (RIGHT_LINE / 8u));
    put_right(at, right_stored(eight.v0));
    put_right(at + 4u, right_stored(eight.v1));
}

// What a thread moves of a tile, on its way.
struct Moved {
    left0: LeftEight, left1: LeftEight, left2: LeftEight, left3: LeftEight,
    left4: LeftEight, left5: LeftEight, left6: LeftEight, left7: LeftEight,
    right0: RightEight, right1: RightEight, right2: RightEight, right3: RightEight,
    right4: RightEight, right5: RightEight, right6: RightEight, right7: RightEight,
}

fn fetch(thread: u32, tile: Tile, k_base: u32) -> Moved {
    var moved = Moved();
    moved.left0 = left_eight(thread, tile.row, k_base);
    if left_rounds > 1u { moved.left1 = left_eight(thread + n_threads, tile.row, k_base); }
    if left_rounds > 2u { moved.left2 = left_eight(thread + 2u * n_threads, tile.row, k_base); }
    if left_rounds > 3u { moved.left3 = left_eight(thread + 3u * n_threads, tile.row, k_base); }
    if left_rounds > 4u { moved.left4 = left_eight(thread + 4u * n_threads, tile.row, k_base); }
    if left_rounds > 5u { moved.left5 = left_eight(thread + 5u * n_threads, tile.row, k_base); }
    if left_rounds > 6u { moved.left6 = left_eight(thread + 6u * n_threads, tile.row, k_base); }
    if left_rounds > 7u { moved.left7 = left_eight(thread + 7u * n_threads, tile.row, k_base); }
    moved.right0 = right_eight(thread, tile.column, k_base);
    if right_rounds > 1u { moved.right1 = right_eight(thread + n_threads, tile.column, k_base); }
    if right_rounds > 2u { moved.right2 = right_eight(thread + 2u * n_threads, tile.column, k_base); }
    if right_rounds > 3u { moved.right3 = right_eight(thread + 3u * n_threads, tile.column, k_base); }
    if right_rounds > 4u { moved.right4 = right_eight(thread + 4u * n_threads, tile.column, k_base); }
    if right_rounds > 5u { moved.right5 = right_eight(thread + 5u * n_threads, tile.column, k_base); }
    if right_rounds > 6u { moved.right6 = right_eight(thread + 6u * n_threads, tile.column, k_base); }
    if right_rounds > 7u { moved.right7 = right_eight(thread + 7u * n_threads, tile.column, k_base); }
    return moved;
}

fn keep(thread: u32, moved: Moved) {
    keep_left_eight(thread, moved.left0);
    if left_rounds > 1u { keep_left_eight(thread + n_threads, moved.left1); }
    if left_rounds > 2u { keep_left_eight(thread + 2u * n_threads, moved.left2); }
    if left_rounds > 3u { keep_left_eight(thread + 3u * n_threads, moved.left3); }
    if left_rounds > 4u { keep_left_eight(thread + 4u * n_threads, moved.left4); }
    if left_rounds > 5u { keep_left_eight(thread + 5u * n_threads, moved.left5); }
    if left_rounds > 6u { keep_left_eight(thread + 6u * n_threads, moved.left6); }
    if left_rounds > 7u { keep_left_eight(thread + 7u * n_threads, moved.left7); }
    keep_right_eight(thread, moved.right0);
    if right_rounds > 1u { keep_right_eight(thread + n_threads, moved.right1); }
    if right_rounds > 2u { keep_right_eight(thread + 2u * n_threads, moved.right2); }
    if right_rounds > 3u { keep_right_eight(thread + 3u * n_threads, moved.right3); }
    if right_rounds > 4u { keep_right_eight(thread + 4u * n_threads, moved.right4); }
    if right_rounds > 5u { keep_right_eight(thread + 5u * n_threads, moved.right5); }
    if right_rounds > 6u { keep_right_eight(thread + 6u * n_threads, moved.right6); }
    if right_rounds > 7u { keep_right_eight(thread + 7u * n_threads, moved.right7); }
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
