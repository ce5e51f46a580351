//! Sizes, crops and the points to sample for them.

use super::RenderError;
use crate::model::{Coords, Footprint, Raster};
use std::str::FromStr;

/// Longest side of the whole picture. Beyond it, 32-bit floats give neighbouring pixels the same
/// position.
pub const MAX_SIDE: u32 = 1 << 24;

/// Longest side of the rendered part.
pub const MAX_RENDERED_SIDE: u32 = 1 << 17;

/// Width and height in pixels, each at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once(['x', 'X']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        match sides {
            Some((width, height)) if width > 0 && height > 0 => Ok(Self { width, height }),
            _ => Err(format!(
                "a size is WIDTHxHEIGHT in pixels, each at least 1, such as 1024x768, not `{text}`"
            )),
        }
    }
}

impl Size {
    /// This size times `scale`, each side rounded to the nearest pixel and at least 1.
    ///
    /// # Errors
    /// When `scale` is not a positive number or the result is beyond [`MAX_SIDE`].
    pub fn scaled(self, scale: f64) -> Result<Self, RenderError> {
        let side = |side: u32| (f64::from(side) * scale).round().max(1.0);
        let (width, height) = (side(self.width), side(self.height));
        if !(scale.is_finite() && scale > 0.0) || width.max(height) > f64::from(MAX_SIDE) {
            return Err(RenderError::View(format!(
                "{self} cannot be scaled by {scale}; give a number above 0 that leaves at most {MAX_SIDE} pixels a side"
            )));
        }
        Ok(Self { width: width as u32, height: height as u32 })
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Width and height.
    pub size: Size,
}

impl FromStr for Crop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[x, y, width, height]) if width > 0 && height > 0 => {
                Ok(Self { x, y, size: Size { width, height } })
            }
            _ => Err(format!(
                "a crop is X,Y,WIDTH,HEIGHT in pixels, width and height at least 1, such as 100,50,320,240, not `{text}`"
            )),
        }
    }
}

/// Points per pixel along each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Samples {
    /// Enough for one point per trained pixel, at most [`Samples::MAX_AUTO`].
    #[default]
    Auto,
    /// This many, at least 1.
    PerSide(u32),
}

impl Samples {
    /// Most points a side with `Auto`. It makes a thumbnail much cheaper than the whole of a large
    /// picture; finer detail is attenuated.
    pub const MAX_AUTO: u32 = 16;
    /// Most points a side.
    pub const MAX: u32 = 64;

    fn along(self, trained: u32, whole: u32) -> u32 {
        match self {
            Self::Auto => trained.div_ceil(whole).clamp(1, Self::MAX_AUTO),
            Self::PerSide(n) => n,
        }
    }
}

impl FromStr for Samples {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(n) if (1..=Self::MAX).contains(&n) => Ok(Self::PerSide(n)),
            _ => {
                Err(format!("give `auto` or a number of points a side from 1 to {}, not `{text}`", Self::MAX))
            }
        }
    }
}

/// The points at which a picture is computed, `samples` per pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// All points, row by row.
    pub points: Raster,
    /// Points per pixel in x and y.
    pub samples: [u32; 2],
}

impl Grid {
    /// Width and height in pixels.
    pub fn size(&self) -> Size {
        Size { width: self.points.width / self.samples[0], height: self.points.height / self.samples[1] }
    }
}

/// A picture of a given size, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    whole: Size,
    crop: Crop,
    samples: Samples,
}

impl View {
    /// The pixels of `crop`, or all, of a picture of size `whole`.
    ///
    /// # Errors
    /// When the crop extends beyond the picture or a side is too long.
    pub fn new(whole: Size, crop: Option<Crop>, samples: Samples) -> Result<Self, RenderError> {
        let fits = |size: Size, most: u32| match size.width.max(size.height) {
            side if side <= most => Ok(()),
            _ => Err(RenderError::View(format!(
                "{size} is too large; at most {most} pixels a side are possible"
            ))),
        };
        fits(whole, MAX_SIDE)?;
        let crop = crop.unwrap_or(Crop { x: 0, y: 0, size: whole });
        let inside =
            |first: u32, length: u32, side: u32| first.checked_add(length).is_some_and(|end| end <= side);
        if !inside(crop.x, crop.size.width, whole.width) || !inside(crop.y, crop.size.height, whole.height) {
            return Err(RenderError::View(format!(
                "the crop {},{},{},{} extends beyond the picture of {whole}; in pixels of the rendered size, X + WIDTH \
                 can be at most {} and Y + HEIGHT at most {}",
                crop.x, crop.y, crop.size.width, crop.size.height, whole.width, whole.height
            )));
        }
        fits(crop.size, MAX_RENDERED_SIDE)?;
        Ok(Self { whole, crop, samples })
    }

    /// Size of the rendered part.
    pub fn size(&self) -> Size {
        self.crop.size
    }

    fn samples(&self, trained: Size) -> [u32; 2] {
        [
            self.samples.along(trained.width, self.whole.width),
            self.samples.along(trained.height, self.whole.height),
        ]
    }

    /// The points of its pixels in the plane of a picture of size `trained`.
    ///
    /// Point i of n along an axis covers the same part of the scene as the trained pixels around
    /// p = (i + 1/2) W / n - 1/2, so it has the position of "pixel p". The picture is thus in the same
    /// place at every size, whether the convention places centres or corners. At the trained size
    /// the positions are exactly the trained ones.
    pub fn grid(&self, trained: Size, coords: Coords) -> Grid {
        let (origin, step) = Raster::geometry(trained.width, trained.height, coords);
        let samples @ [nx, ny] = self.samples(trained);
        let along = |axis: usize, trained: u32, whole: u32| {
            let ratio = f64::from(trained) / (f64::from(whole) * f64::from(samples[axis]));
            (origin[axis] + step[axis] * (0.5 * ratio - 0.5), step[axis] * ratio)
        };
        let (x, step_x) = along(0, trained.width, self.whole.width);
        let (y, step_y) = along(1, trained.height, self.whole.height);
        let points = Raster {
            width: self.crop.size.width * nx,
            height: self.crop.size.height * ny,
            first: [self.crop.x * nx, self.crop.y * ny],
            origin: [x as f32, y as f32],
            step: [step_x as f32, step_y as f32],
        };
        Grid { points, samples }
    }

    /// The extent of a trained pixel and of a point of this view.
    pub fn footprint(&self, trained: Size, coords: Coords) -> Footprint {
        let (_, step) = Raster::geometry(trained.width, trained.height, coords);
        let [nx, ny] = self.samples(trained).map(f64::from);
        let ratio = [
            f64::from(trained.width) / (f64::from(self.whole.width) * nx),
            f64::from(trained.height) / (f64::from(self.whole.height) * ny),
        ];
        Footprint { trained: step, rendered: [step[0] * ratio[0], step[1] * ratio[1]] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(whole: &str, crop: Option<&str>) -> View {
        let crop = crop.map(|c| c.parse().expect("a crop"));
        View::new(whole.parse().expect("a size"), crop, Samples::PerSide(1)).expect("a view")
    }

    #[test]
    fn the_trained_size_has_the_trained_positions() {
        let trained = Size { width: 341, height: 127 };
        for coords in [Coords::Center, Coords::Corner] {
            assert_eq!(view("341x127", None).grid(trained, coords).points, Raster::new(341, 127, coords));
        }
    }

    #[test]
    fn a_pixel_of_twice_the_size_lies_between_the_four_it_covers() {
        let trained = Size { width: 8, height: 4 };
        for coords in [Coords::Center, Coords::Corner] {
            let (large, small) = (Raster::new(8, 4, coords), view("4x2", None).grid(trained, coords).points);
            let (a, b) = (large.position(2, 2), large.position(3, 3));
            assert_eq!(small.position(1, 1), [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0]);
        }
    }

    #[test]
    fn a_crop_has_the_positions_of_the_whole() {
        let trained = Size { width: 37, height: 53 };
        let whole = view("1000x777", None).grid(trained, Coords::Center).points;
        let part = view("1000x777", Some("313,501,100,200")).grid(trained, Coords::Center).points;
        for (x, y) in [(0, 0), (99, 199), (50, 3)] {
            assert_eq!(part.position(x, y), whole.position(313 + x, 501 + y));
        }
    }

    #[test]
    fn points_of_a_pixel_stand_for_trained_pixels() {
        let trained = Size { width: 12, height: 7 };
        let whole = Size { width: 4, height: 3 };
        let view = View::new(whole, Some("1,1,2,2".parse().expect("a crop")), Samples::Auto).expect("a view");
        let grid = view.grid(trained, Coords::Center);
        assert_eq!((grid.samples, grid.size()), ([3, 3], Size { width: 2, height: 2 }));
        // Along x the points are the trained pixels themselves.
        assert_eq!(grid.points.position(0, 0)[0], Raster::new(12, 7, Coords::Center).position(3, 0)[0]);
        let footprint = view.footprint(trained, Coords::Center);
        assert_eq!(footprint.rendered[0], footprint.trained[0]);
        assert!(footprint.rendered[1] < footprint.trained[1]);
        let thumbnail = View::new(Size { width: 1, height: 1 }, None, Samples::Auto).expect("a view");
        let footprint = thumbnail.footprint(Size { width: 64, height: 3 }, Coords::Corner);
        assert_eq!(footprint.rendered[0], 4.0 * footprint.trained[0], "16 points of 64");
        assert!("0".parse::<Samples>().is_err() && "65".parse::<Samples>().is_err());
    }

    #[test]
    fn what_lies_outside_is_refused() {
        let new = |whole: &str, crop: &str| {
            let crop = Some(crop.parse().expect("a crop"));
            View::new(whole.parse().expect("a size"), crop, Samples::Auto).map_err(|e| e.to_string())
        };
        assert!(new("10x10", "0,0,10,10").is_ok());
        assert!(new("10x10", "1,0,10,10").unwrap_err().contains("extends beyond"));
        assert!(new("10x10", "4294967295,0,2,1").unwrap_err().contains("extends beyond"));
        assert!("10x0".parse::<Size>().is_err() && "0,0,0,4".parse::<Crop>().is_err());
        assert!(View::new(Size { width: MAX_SIDE + 1, height: 1 }, None, Samples::Auto).is_err());
        assert!(Size { width: 3, height: 3 }.scaled(f64::NAN).is_err());
        assert_eq!(Size { width: 3, height: 300 }.scaled(0.01).expect("small"), Size { width: 1, height: 3 });
    }
}
