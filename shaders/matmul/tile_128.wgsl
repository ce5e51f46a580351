// 128 x 128 results a workgroup, 8 x 8 a thread: the least traffic, for large products.
const ROW_QUADS: u32 = 32u;    // of a tile's rows of results, in fours
const COLUMN_QUADS: u32 = 32u; // of its columns
const DEPTH: u32 = 16u;        // of a tile in k
const N_THREADS: u32 = 256u;
const AHEAD: bool = false;     // whether a tile is loaded while the one before is multiplied
const PADDING: u32 = 0u;      // of a row, in fours
