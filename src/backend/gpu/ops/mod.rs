//! One file per operation: its kernels, how a plan dispatches them, and their reference.

pub mod columns;
pub mod dense;
pub mod encode;
pub(crate) mod errors;
pub(crate) mod finish;
pub mod fourier;
pub mod fused;
pub mod grid;
pub mod layout;
pub mod loss;
pub mod muon;
pub(crate) mod networks;
pub mod optimizer;
pub mod pointwise;
pub mod predict;
pub mod record;
pub mod refine;
pub mod sample;
pub mod streamed;
pub mod table;
pub mod testing;

pub use layout::Layout;
pub use table::{definitions, is_kernel, kernels};
