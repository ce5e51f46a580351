// 256 x 4 results a workgroup, 4 x 4 a thread: for layers of a few outputs.
const ROW_QUADS: u32 = 64u;    // of a tile's rows of results, in fours
const COLUMN_QUADS: u32 = 1u; // of its columns
const DEPTH: u32 = 8u;         // of a tile in k
const N_THREADS: u32 = 64u;
const PADDING: u32 = 1u;      // of a row, in fours
