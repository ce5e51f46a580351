// A thread computes 8 x 8 results, as 2 x 2 blocks of 4 x 4, half a tile apart, so that the threads of a row read
// consecutive vectors of workgroup memory.

@compute @workgroup_size(N_THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = group_index(group, params.grid_width);
    if index >= params.n_groups {
        return;
    }
    let tile = tile_of(index, vec2<u32>(TILE_ROWS, TILE_COLUMNS));
    let tx = thread % (COLUMN_QUADS / 2u);
    let ty = thread / (COLUMN_QUADS / 2u);
    let zero = vec4<f32>();
    // c[row][half]: 8 rows of two vectors. Named variables, since an indexed array may leave the registers.
    var c00 = zero; var c01 = zero; var c10 = zero; var c11 = zero;
    var c20 = zero; var c21 = zero; var c30 = zero; var c31 = zero;
    var c40 = zero; var c41 = zero; var c50 = zero; var c51 = zero;
    var c60 = zero; var c61 = zero; var c70 = zero; var c71 = zero;
    left_sum = zero;

    let range = depth_range(tile.slice);
    for (var k_base = range.x; k_base < range.y; k_base += DEPTH) {
        load_tiles(thread, tile, k_base);
        workgroupBarrier();
        // Unrolled by hand, two at a time: naga has no unroll hint.
        for (var k = 0u; k < DEPTH; k += 2u) {
            let a00 = left_tile[k * (ROW_QUADS + 1u) + ty];
            let a01 = left_tile[k * (ROW_QUADS + 1u) + ty + ROW_QUADS / 2u];
            let b00 = right_tile[k * (COLUMN_QUADS + 1u) + tx];
            let b01 = right_tile[k * (COLUMN_QUADS + 1u) + tx + COLUMN_QUADS / 2u];
            c00 += a00.x * b00; c01 += a00.x * b01;
            c10 += a00.y * b00; c11 += a00.y * b01;
            c20 += a00.z * b00; c21 += a00.z * b01;
            c30 += a00.w * b00; c31 += a00.w * b01;
            c40 += a01.x * b00; c41 += a01.x * b01;
            c50 += a01.y * b00; c51 += a01.y * b01;
            c60 += a01.z * b00; c61 += a01.z * b01;
            c70 += a01.w * b00; c71 += a01.w * b01;
            let a10 = left_tile[(k + 1u) * (ROW_QUADS + 1u) + ty];
            let a11 = left_tile[(k + 1u) * (ROW_QUADS + 1u) + ty + ROW_QUADS / 2u];
            let b10 = right_tile[(k + 1u) * (COLUMN_QUADS + 1u) + tx];
            let b11 = right_tile[(k + 1u) * (COLUMN_QUADS + 1u) + tx + COLUMN_QUADS / 2u];
            c00 += a10.x * b10; c01 += a10.x * b11;
            c10 += a10.y * b10; c11 += a10.y * b11;
            c20 += a10.z * b10; c21 += a10.z * b11;
            c30 += a10.w * b10; c31 += a10.w * b11;
            c40 += a11.x * b10; c41 += a11.x * b11;
            c50 += a11.y * b10; c51 += a11.y * b11;
            c60 += a11.z * b10; c61 += a11.z * b11;
            c70 += a11.w * b10; c71 += a11.w * b11;
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
        store(tile.slice, r, column, c00, of_columns0, before00);
        store(tile.slice, r, other_column, c01, of_columns1, before01);
        store(tile.slice, other_row, column, c40, of_columns0, before10);
        store(tile.slice, other_row, other_column, c41, of_columns1, before11);
        c00 = c10; c10 = c20; c20 = c30; c40 = c50; c50 = c60; c60 = c70;
        c01 = c11; c11 = c21; c21 = c31; c41 = c51; c51 = c61; c61 = c71;
    }

    if SUM_LEFT && tile.column == 0u {
        finish_sums(thread, tile.slice, tile.row);
    }
}
