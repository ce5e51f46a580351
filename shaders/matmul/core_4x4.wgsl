// A thread computes 4 x 4 results.

@compute @workgroup_size(N_THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = group_index(group, params.grid_width);
    if index >= params.n_groups {
        return;
    }
    let tile = tile_of(index, vec2<u32>(TILE_ROWS, TILE_COLUMNS));
    let tx = thread % COLUMN_QUADS;
    let ty = thread / COLUMN_QUADS;
    // Rows of results. Named variables, since an indexed array may leave the registers.
    var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
    left_sum = vec4<f32>();

    let range = depth_range(tile.slice);
    var moved = fetch(thread, tile, range.x);
    for (var k_base = range.x; k_base < range.y; k_base += DEPTH) {
        keep(thread, moved);
        workgroupBarrier();
        moved = fetch(thread, tile, next_depth(k_base, range.y));
        // Unrolled by hand, four at a time: naga has no unroll hint.
        for (var k = 0u; k < DEPTH; k += 4u) {
            let a0 = left_tile[k * LEFT_PITCH + ty];
            let b0 = right_tile[k * RIGHT_PITCH + tx];
            c0 += a0.x * b0; c1 += a0.y * b0; c2 += a0.z * b0; c3 += a0.w * b0;
            let a1 = left_tile[(k + 1u) * LEFT_PITCH + ty];
            let b1 = right_tile[(k + 1u) * RIGHT_PITCH + tx];
            c0 += a1.x * b1; c1 += a1.y * b1; c2 += a1.z * b1; c3 += a1.w * b1;
            let a2 = left_tile[(k + 2u) * LEFT_PITCH + ty];
            let b2 = right_tile[(k + 2u) * RIGHT_PITCH + tx];
            c0 += a2.x * b2; c1 += a2.y * b2; c2 += a2.z * b2; c3 += a2.w * b2;
            let a3 = left_tile[(k + 3u) * LEFT_PITCH + ty];
            let b3 = right_tile[(k + 3u) * RIGHT_PITCH + tx];
            c0 += a3.x * b3; c1 += a3.y * b3; c2 += a3.z * b3; c3 += a3.w * b3;
        }
        workgroupBarrier();
    }

    let row = tile.row + 4u * ty;
    let column = tile.column + 4u * tx;
    let of_columns = before_columns(column);
    let before0 = before_store(row, column);
    let before1 = before_store(row + 1u, column);
    let before2 = before_store(row + 2u, column);
    let before3 = before_store(row + 3u, column);
    store(tile.slice, row, column, c0, of_columns, before0);
    store(tile.slice, row + 1u, column, c1, of_columns, before1);
    store(tile.slice, row + 2u, column, c2, of_columns, before2);
    store(tile.slice, row + 3u, column, c3, of_columns, before3);

    if SUM_LEFT && tile.column == 0u {
        finish_sums(thread, tile.slice, tile.row);
    }
}
