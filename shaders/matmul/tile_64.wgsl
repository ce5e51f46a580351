// The core of every matrix product: out = left right, in tiles of 64 x 64 results.
//
// A kernel joins this file and supplies
//   left(row, k), right(k, column)   elements, 0 outside the matrix
//   LEFT_ALONG_K, RIGHT_ALONG_K      whether neighbours in memory are neighbours in k, so that
//                                    neighbouring threads load neighbouring words
//   SUM_LEFT                         whether the sums of left over k are wanted as well
//   depth_range(slice)               the first k and one past the last
//   store(slice, row, column, quad)  of four results in a row
//   store_sums(slice, row, quad)     of four sums of left
//
// 64 threads compute 8 x 8 results each, as 2 x 2 blocks of 4 x 4, 32 apart: then the threads
// of a row read consecutive vectors of workgroup memory.

const TILE: u32 = 64u;   // rows and columns of results of a workgroup
const DEPTH: u32 = 16u;  // of a tile in k
const PITCH: u32 = 17u;  // vectors between tile rows; one more than a row, against bank conflicts

var<workgroup> left_tile: array<vec4<f32>, 272>;  // (DEPTH, TILE), PITCH vectors a row
var<workgroup> right_tile: array<vec4<f32>, 272>; // (DEPTH, TILE)
var<private> left_sum: vec4<f32>;

fn load_left(thread: u32, row_base: u32, k_base: u32) {
    for (var j = 0u; j < 4u; j++) {
        let fast = thread % 16u;
        let slow = thread / 16u + 4u * j;
        let k = select(slow, fast, LEFT_ALONG_K);
        let quad = select(fast, slow, LEFT_ALONG_K);
        let row = row_base + 4u * quad;
        let at = k_base + k;
        let v = vec4<f32>(left(row, at), left(row + 1u, at), left(row + 2u, at), left(row + 3u, at));
        left_tile[k * PITCH + quad] = v;
        if SUM_LEFT {
            left_sum += v;
        }
    }
}

fn load_right(thread: u32, column_base: u32, k_base: u32) {
    for (var j = 0u; j < 4u; j++) {
        let fast = thread % 16u;
        let slow = thread / 16u + 4u * j;
        let k = select(slow, fast, RIGHT_ALONG_K);
        let quad = select(fast, slow, RIGHT_ALONG_K);
        let column = column_base + 4u * quad;
        let at = k_base + k;
        right_tile[k * PITCH + quad] =
            vec4<f32>(right(at, column), right(at, column + 1u), right(at, column + 2u), right(at, column + 3u));
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = group_index(group, params.grid_width);
    if index >= params.n_groups {
        return;
    }
    let column_tile = index % params.n_column_tiles;
    let row_tile = (index / params.n_column_tiles) % params.n_row_tiles;
    let slice = index / (params.n_column_tiles * params.n_row_tiles);
    let tx = thread % 8u;
    let ty = thread / 8u;
    let zero = vec4<f32>();
    // c[row][half]: 8 rows of two vectors. Named, since an indexed array may leave the registers.
    var c00 = zero; var c01 = zero; var c10 = zero; var c11 = zero;
    var c20 = zero; var c21 = zero; var c30 = zero; var c31 = zero;
    var c40 = zero; var c41 = zero; var c50 = zero; var c51 = zero;
    var c60 = zero; var c61 = zero; var c70 = zero; var c71 = zero;
    left_sum = zero;

    let range = depth_range(slice);
    for (var k_base = range.x; k_base < range.y; k_base += DEPTH) {
        load_left(thread, row_tile * TILE, k_base);
        load_right(thread, column_tile * TILE, k_base);
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            let a0 = left_tile[k * PITCH + ty];
            let a1 = left_tile[k * PITCH + ty + 8u];
            let b0 = right_tile[k * PITCH + tx];
            let b1 = right_tile[k * PITCH + tx + 8u];
            c00 += a0.x * b0; c01 += a0.x * b1;
            c10 += a0.y * b0; c11 += a0.y * b1;
            c20 += a0.z * b0; c21 += a0.z * b1;
            c30 += a0.w * b0; c31 += a0.w * b1;
            c40 += a1.x * b0; c41 += a1.x * b1;
            c50 += a1.y * b0; c51 += a1.y * b1;
            c60 += a1.z * b0; c61 += a1.z * b1;
            c70 += a1.w * b0; c71 += a1.w * b1;
        }
        workgroupBarrier();
    }

    let row = row_tile * TILE + 4u * ty;
    let column = column_tile * TILE + 4u * tx;
    store(slice, row, column, c00); store(slice, row, column + 32u, c01);
    store(slice, row + 1u, column, c10); store(slice, row + 1u, column + 32u, c11);
    store(slice, row + 2u, column, c20); store(slice, row + 2u, column + 32u, c21);
    store(slice, row + 3u, column, c30); store(slice, row + 3u, column + 32u, c31);
    store(slice, row + 32u, column, c40); store(slice, row + 32u, column + 32u, c41);
    store(slice, row + 33u, column, c50); store(slice, row + 33u, column + 32u, c51);
    store(slice, row + 34u, column, c60); store(slice, row + 34u, column + 32u, c61);
    store(slice, row + 35u, column, c70); store(slice, row + 35u, column + 32u, c71);

    if SUM_LEFT && column_tile == 0u {
        // Four threads loaded each quad of rows, at different k. Needs LEFT_ALONG_K = false.
        left_tile[thread] = left_sum;
        workgroupBarrier();
        if thread < 16u {
            let sum = (left_tile[thread] + left_tile[thread + 16u])
                + (left_tile[thread + 32u] + left_tile[thread + 48u]);
            store_sums(slice, row_tile * TILE + 4u * thread, sum);
        }
    }
}
