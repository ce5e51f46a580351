// Features of a position from those of the four vertices around it. The file this is joined with supplies
//   two_features(at)   numbers `at` and at + 1 of the table (entries, F); only the first counts where F is 1
// with one load: F is even but for 1, so two features of an entry are a whole vector of two.

// Features `feature` and the one after it, of n_features a level.
fn interpolated(cell: Cell, n_features: u32, feature: u32) -> vec2<f32> {
    let at = cell.entries * n_features + feature;
    return cell.weights.x * two_features(at.x) + cell.weights.y * two_features(at.y)
        + cell.weights.z * two_features(at.z) + cell.weights.w * two_features(at.w);
}
