// A thread computes 8 x 8 results, as 2 x 2 blocks of 4 x 4, half a tile apart, so that the threads of a row read
// consecutive vectors of workgroup memory.

// cRH: row R of eight, half H. Named, since an indexed array may leave the registers.
struct Sums {
    c00: vec4<f32>, c01: vec4<f32>,
    c10: vec4<f32>, c11: vec4<f32>,
    c20: vec4<f32>, c21: vec4<f32>,
    c30: vec4<f32>, c31: vec4<f32>,
    c40: vec4<f32>, c41: vec4<f32>,
    c50: vec4<f32>, c51: vec4<f32>,
    c60: vec4<f32>, c61: vec4<f32>,
    c70: vec4<f32>, c71: vec4<f32>,
}

// Adds what this k contributes: left and right are the thread's vectors in the tiles.
fn plus_products(before: Sums, left: u32, right: u32) -> Sums {
    var s = before;
    let a0 = left_tile[left];
    let a1 = left_tile[left + ROW_QUADS / 2u];
    let b0 = right_tile[right];
    let b1 = right_tile[right + COLUMN_QUADS / 2u];
    s.c00 += a0.x * b0; s.c01 += a0.x * b1;
    s.c10 += a0.y * b0; s.c11 += a0.y * b1;
    s.c20 += a0.z * b0; s.c21 += a0.z * b1;
    s.c30 += a0.w * b0; s.c31 += a0.w * b1;
    s.c40 += a1.x * b0; s.c41 += a1.x * b1;
    s.c50 += a1.y * b0; s.c51 += a1.y * b1;
    s.c60 += a1.z * b0; s.c61 += a1.z * b1;
    s.c70 += a1.w * b0; s.c71 += a1.w * b1;
    return s;
}

@compute @workgroup_size(N_THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = group_index(group, params.grid_width);
    if index >= params.n_groups {
        return;
    }
    let tile = tile_of(index, vec2<u32>(TILE_ROWS, TILE_COLUMNS));
    // 32 threads compute 4 x 8 blocks, in squares of two by two: neighbours in a square read the same vector of one
    // tile, which memory then reads once.
    let square = thread % 32u / 4u;
    let part = thread / 32u;
    let tx = 8u * (part % (COLUMN_QUADS / 16u)) + 2u * (square % 4u) + thread % 2u;
    let ty = 4u * (part / (COLUMN_QUADS / 16u)) + 2u * (square / 4u) + thread / 2u % 2u;
    var sums = Sums();
    left_sum = vec4<f32>();

    let range = depth_range(tile.slice);
    var moved = Moved();
    if AHEAD {
        moved = fetch(thread, tile, range.x);
    }
    for (var k_base = range.x; k_base < range.y; k_base += DEPTH) {
        if !AHEAD {
            moved = fetch(thread, tile, k_base);
        }
        keep(thread, moved);
        workgroupBarrier();
        if AHEAD {
            moved = fetch(thread, tile, next_depth(k_base, range.y));
        }
        // Written out two or eight at a time: naga has no unroll hint. More take more registers.
        for (var k = 0u; k < DEPTH; k += select(2u, 8u, AHEAD)) {
            let left = k * LEFT_PITCH + ty;
            let right = k * RIGHT_PITCH + tx;
            sums = plus_products(sums, left, right);
            sums = plus_products(sums, left + LEFT_PITCH, right + RIGHT_PITCH);
            if AHEAD {
                sums = plus_products(sums, left + 2u * LEFT_PITCH, right + 2u * RIGHT_PITCH);
                sums = plus_products(sums, left + 3u * LEFT_PITCH, right + 3u * RIGHT_PITCH);
                sums = plus_products(sums, left + 4u * LEFT_PITCH, right + 4u * RIGHT_PITCH);
                sums = plus_products(sums, left + 5u * LEFT_PITCH, right + 5u * RIGHT_PITCH);
                sums = plus_products(sums, left + 6u * LEFT_PITCH, right + 6u * RIGHT_PITCH);
                sums = plus_products(sums, left + 7u * LEFT_PITCH, right + 7u * RIGHT_PITCH);
            }
        }
        workgroupBarrier();
    }

    let row = tile.row + 4u * ty;
    let column = tile.column + 4u * tx;
    let other_column = column + TILE_COLUMNS / 2u;
    let of_columns0 = before_columns(column);
    let of_columns1 = before_columns(other_column);
    // In a loop, since drivers inline every call.
    for (var r = row; r < row + 4u; r++) {
        let other_row = r + TILE_ROWS / 2u;
        let before00 = before_store(r, column);
        let before01 = before_store(r, other_column);
        let before10 = before_store(other_row, column);
        let before11 = before_store(other_row, other_column);
        store(tile.slice, r, column, sums.c00, of_columns0, before00);
        store(tile.slice, r, other_column, sums.c01, of_columns1, before01);
        store(tile.slice, other_row, column, sums.c40, of_columns0, before10);
        store(tile.slice, other_row, other_column, sums.c41, of_columns1, before11);
        sums.c00 = sums.c10; sums.c10 = sums.c20; sums.c20 = sums.c30;
        sums.c01 = sums.c11; sums.c11 = sums.c21; sums.c21 = sums.c31;
        sums.c40 = sums.c50; sums.c50 = sums.c60; sums.c60 = sums.c70;
        sums.c41 = sums.c51; sums.c51 = sums.c61; sums.c61 = sums.c71;
    }

    if SUM_LEFT && tile.column == 0u {
        finish_sums(thread, tile.slice, tile.row);
    }
}
