//! The position itself.

use super::{Encoding, Formula};
use crate::model::Arithmetic;

/// [x, y]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity;

pub(super) fn encoding(_seed: u64) -> Encoding {
    Encoding::IDENTITY
}

impl Formula for Identity {
    fn with_units(_: usize) -> Self {
        Self
    }

    fn operations(&self) -> f64 {
        1.0
    }

    fn describe(&self) -> String {
        "the position itself".to_owned()
    }

    #[inline(always)]
    fn encode<T: Arithmetic>(&self, c: [T; 2], features: &mut [T]) {
        features.copy_from_slice(&c);
    }
}
