const SIZE: u32 = 8u; // rows and columns of a cooperative matrix
alias LeftMatrix = coop_mat8x8<Stored, A>;
alias RightMatrix = coop_mat8x8<Stored, B>;
alias SumMatrix = coop_mat8x8<f32, C>;
