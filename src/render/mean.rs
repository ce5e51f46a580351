//! The mean of several networks of one picture.

use crate::backend::{BackendError, Predict};
use crate::model::Raster;
use async_trait::async_trait;

/// Networks that were trained on one picture, with other seeds: each errs in its own way between the pixels, and their mean
/// errs less. There is at least one.
pub struct Mean(pub Vec<Box<dyn Predict>>);

#[async_trait(?Send)]
impl Predict for Mean {
    async fn predict(&mut self, raster: &Raster, first: u64, out: &mut [f32]) -> Result<(), BackendError> {
        let (one, others) = self.0.split_first_mut().expect("at least one network");
        one.predict(raster, first, out).await?;
        let mut values = vec![0.0; if others.is_empty() { 0 } else { out.len() }];
        for other in others.iter_mut() {
            other.predict(raster, first, &mut values).await?;
            out.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value);
        }
        if !others.is_empty() {
            let share = 1.0 / (1 + others.len()) as f32;
            out.iter_mut().for_each(|sum| *sum *= share);
        }
        Ok(())
    }
}
