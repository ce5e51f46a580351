// Features of a position from those of the four vertices around it, of a table (entries, F) at the beginning of the
// flat parameters `weights`, bound as vectors of two. F is even, unless it is 1.

// Numbers `at` and at + 1 of the table; where F is 1, only the first.
fn two_features(at: u32) -> vec2<f32> {
    let two = weights[at / 2u];
    return select(two, two.yy, at % 2u == 1u);
}

// Features `feature` and the one after it, of n_features a level.
fn interpolated(cell: Cell, n_features: u32, feature: u32) -> vec2<f32> {
    let at = cell.entries * n_features + feature;
    return cell.weights.x * two_features(at.x) + cell.weights.y * two_features(at.y)
        + cell.weights.z * two_features(at.z) + cell.weights.w * two_features(at.w);
}
