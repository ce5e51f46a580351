// The subgroups of a workgroup: a square of results.
const SUBGROUP_ROWS: u32 = 2u;
const SUBGROUP_COLUMNS: u32 = 2u;
