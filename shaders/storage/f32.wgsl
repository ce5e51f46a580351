// How values between layers are stored: features, pre-activations and their gradients.
alias Stored = f32;

fn stored(value: f32) -> Stored {
    return value;
}
