//! The range of values in linear light.

use super::{ConfigError, bad, ensure};
use crate::config::Config;
use crate::picture::{Curve, OutOfRange, Picture, Transfer};

impl Config {
    /// How values of `picture` are trained on.
    pub(super) fn transfer(&self, picture: &Picture) -> Result<Transfer, ConfigError> {
        let (scale, curve) = (self.picture.hdr_scale, self.picture.hdr_curve);
        if !picture.is_hdr() {
            let (scale, curve) = (scale.filter(|v| *v != 1.0), curve.filter(|v| *v != Curve::Linear));
            let given =
                scale.map(|v| ("hdr-scale", v.to_string())).or(curve.map(|v| ("hdr-curve", v.to_string())));
            let refuse =
                |(field, value)| bad(field, value, "the picture is not in linear light; leave it out");
            return given.map_or(Ok(Transfer::IDENTITY), |given| Err(refuse(given)));
        }
        // With both given, as in runs of former versions, nothing has to be chosen.
        let is_open = scale.is_none() || curve.is_none();
        if let Some(OutOfRange { value, median, x, y }) = picture.out_of_range().filter(|_| is_open) {
            let allowed =
                format!("more than 10^13 times the median, {median:e}, is probably an error; replace it");
            return Err(bad("the picture", format_args!("{value:e} at pixel ({x}, {y})"), allowed));
        }
        self.hdr_scale()?;
        let auto = Transfer::for_picture(picture, curve);
        let transfer = Transfer { scale: scale.unwrap_or(auto.scale), ..auto };
        let peak = transfer.encode(picture.peak());
        // Networks learn values near 1. A factor of 1 is what former versions trained with.
        if scale.is_some_and(|scale| scale != 1.0) && !(1e-3..=1e6).contains(&peak) {
            let usual = auto.scale;
            let allowed = format!(
                "the picture's peak would be trained on as {peak:e}; give about {usual:e}, or leave it out"
            );
            return Err(bad("hdr-scale", format_args!("{:e}", transfer.scale), allowed));
        }
        Ok(transfer)
    }

    pub(super) fn hdr_scale(&self) -> Result<(), ConfigError> {
        let scale = self.picture.hdr_scale.unwrap_or(1.0);
        ensure(scale.is_normal() && scale > 0.0, "hdr-scale", scale, "give a number above 0")
    }
}
