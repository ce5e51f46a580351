// features = [sin(2 pi B c), cos(2 pi B c)], Tancik et al. 2020, equation 5 with all a_j = 1.

struct EncodeParams {
    grid_width: u32,
    n_rows: u32,
    n_frequencies: u32, // m
}
