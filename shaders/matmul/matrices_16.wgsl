const SIZE: u32 = 16u; // rows and columns of a cooperative matrix
alias LeftMatrix = coop_mat16x16<Stored, A>;
alias RightMatrix = coop_mat16x16<Stored, B>;
alias SumMatrix = coop_mat16x16<f32, C>;
