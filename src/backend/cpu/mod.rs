//! The CPU backend, and with f64 the reference of everything the GPU computes.
//!
//! The operations are plain functions over slices, generic over [`crate::model::Real`].

pub mod dense;
pub mod encode;
pub mod loss;
pub mod optimizer;
pub mod sample;
