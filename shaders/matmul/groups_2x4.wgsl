// The subgroups of a workgroup: twice as many columns of results as rows.
const SUBGROUP_ROWS: u32 = 2u;
const SUBGROUP_COLUMNS: u32 = 4u;
