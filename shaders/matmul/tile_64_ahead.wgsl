// 64 x 64 results a workgroup, 8 x 8 a thread, for devices with many registers.
const ROW_QUADS: u32 = 16u;    // of a tile's rows of results, in fours
const COLUMN_QUADS: u32 = 16u; // of its columns
const DEPTH: u32 = 16u;        // of a tile in k
const N_THREADS: u32 = 64u;
const AHEAD: bool = true;      // whether a tile is loaded while the one before is multiplied
const PADDING: u32 = 1u;      // of a row, in fours
