// What workgroup memory keeps of activations and of their gradients.
alias Stored = f32;
