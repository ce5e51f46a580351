//! What a trained network computes, in an order that every language can say: position, features, layers, colours.

use super::rounding::{Precision, Row};
use crate::model::{Activation, Coords, Encoding, HashGrid, Pointwise, Raster};
use crate::model_file::ModelFile;
use crate::picture::{Curve, Depth, Transfer};

/// A network with its numbers, independent of the language that it is written in.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Of the picture, for comments and titles.
    pub name: String,
    /// Width and height of the picture it was trained on.
    pub size: [u32; 2],
    /// How exactly weights are written.
    pub precision: Precision,
    /// Position in the plane: c = uv * scale + offset, with uv from (0, 0) at the top left to (1, 1).
    pub scale: [f32; 2],
    /// See `scale`.
    pub offset: [f32; 2],
    /// The encodings side by side, from left to right.
    pub features: Vec<Features>,
    /// The linear layers.
    pub layers: Vec<Layer>,
    /// How the last layer's values become colours.
    pub colors: Colors,
}

/// Features of a position c.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// c
    Position,
    /// [sin(2 pi B c), cos(2 pi B c)] with B, (m, 2).
    Fourier(Vec<[f32; 2]>),
    /// 1 - 4 d(B c), d the distance to the nearest whole number.
    Triangles(Vec<[f32; 2]>),
    /// Shares of a blob in this many bins along x, then y.
    Blobs(usize),
    /// Interpolated entries of each level.
    Grid {
        /// Its levels.
        grid: HashGrid,
        /// The entries of each level, (entries, features).
        levels: Vec<Row>,
    },
}

impl Features {
    /// How many there are.
    pub fn width(&self) -> usize {
        match self {
            Self::Position => 2,
            Self::Fourier(b) => 2 * b.len(),
            Self::Triangles(b) => b.len(),
            Self::Blobs(bins) => 2 * bins,
            Self::Grid { grid, .. } => grid.output_width(),
        }
    }
}

/// activation(x W^T + b)
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// W, a row for each unit.
    pub weight: Vec<Row>,
    /// b
    pub bias: Vec<f32>,
    /// After it.
    pub activation: Activation,
}

/// What the values of the last layer are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colors {
    /// 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
    pub channels: usize,
    /// Linear light of any range, colours times alpha, rather than sRGB-encoded from 0 to 1 beside alpha.
    pub is_linear: bool,
    /// From the network's values to those of linear light.
    pub transfer: Transfer,
    /// A factor for showing linear light on a screen.
    pub exposure: f32,
    /// Whether the model has a colour profile of its own.
    pub has_profile: bool,
}

impl Program {
    /// `model`, called `name`, with weights of `precision`.
    ///
    /// # Errors
    /// When a number cannot be written so, in a sentence.
    pub fn new(model: &ModelFile, name: &str, precision: Precision) -> Result<Self, String> {
        let model = model.clone().frozen();
        if let Some(value) = model.params.iter().find(|value| !value.is_finite()) {
            return Err(format!("it has a weight that is {value}; every weight must be finite"));
        }
        let layout = model.model.layout();
        let network = &model.model.network;
        let layer = |(n, range): (usize, &crate::model::network::LayerRange)| {
            let rows = model.params[range.weight.clone()].chunks_exact(range.shape.input_width);
            let activation = checked(network.activation_after(n))?;
            let weight = rows.map(|row| Row::new(row, precision, false)).collect::<Result<_, _>>()?;
            Ok::<_, String>(Layer { weight, bias: model.params[range.bias.clone()].to_vec(), activation })
        };
        let features = |part| features(part, &model.params[layout.encoding.clone()], precision);
        let (scale, offset) = position(&model);
        Ok(Self {
            name: plain_name(name),
            size: [model.width, model.height],
            precision,
            scale,
            offset,
            features: model.model.encoding.parts().iter().map(features).collect::<Result<_, _>>()?,
            layers: layout.layers.iter().enumerate().map(layer).collect::<Result<_, _>>()?,
            colors: Colors {
                channels: model.channels(),
                is_linear: model.depth == Depth::F32,
                transfer: model.transfer,
                exposure: model.exposure(),
                has_profile: model.profile().is_some(),
            },
        })
    }

    /// The parameters as they are after rounding, in the order of [`crate::model::Model::layout`] of the frozen model.
    pub fn rounded_params(&self) -> Vec<f32> {
        let grids = self.grid().into_iter().flat_map(|(_, levels)| levels).flat_map(Row::values);
        let of_layer = |layer: &Layer| {
            let weights: Vec<f32> = layer.weight.iter().flat_map(Row::values).collect();
            weights.into_iter().chain(layer.bias.clone())
        };
        grids.chain(self.layers.iter().flat_map(of_layer)).collect()
    }

    /// The grid among the features, if there is one, with its entries.
    pub fn grid(&self) -> Option<(&HashGrid, &[Row])> {
        self.features.iter().find_map(|part| match part {
            Features::Grid { grid, levels } => Some((grid, levels.as_slice())),
            _ => None,
        })
    }

    /// Multiply-adds of the layers for each colour.
    pub fn multiply_adds(&self) -> usize {
        self.layers.iter().map(|l| l.weight.len() * l.weight[0].codes.len()).sum()
    }

    /// Weights that are rounded, and those that are not: biases and frequencies.
    pub fn n_numbers(&self) -> usize {
        let table: usize = self.grid().map_or(0, |(grid, _)| grid.n_params());
        let frequencies = |part: &Features| match part {
            Features::Fourier(b) | Features::Triangles(b) => 2 * b.len(),
            _ => 0,
        };
        let layers: usize = self.layers.iter().map(|l| l.bias.len() * (l.weight[0].codes.len() + 1)).sum();
        table + self.features.iter().map(frequencies).sum::<usize>() + layers
    }

    /// What it is, in a line for a comment.
    pub fn title(&self) -> String {
        let [width, height] = self.size;
        let channels = ["grey", "grey with alpha", "RGB", "RGBA"][self.colors.channels - 1];
        let weights = self.n_numbers();
        format!("{}, {width}x{height} {channels}: a network of {weights} numbers by afterimage", self.name)
    }

    /// What its colours are, in a line for a comment.
    pub fn about_colors(&self) -> String {
        let space = match (self.colors.is_linear, self.colors.has_profile) {
            (true, _) => "linear light with sRGB's primaries".to_owned(),
            (false, false) => "sRGB-encoded, from 0 to 1".to_owned(),
            (false, true) => "from 0 to 1, in the colour space of the picture's ICC profile".to_owned(),
        };
        match (self.colors.channels.is_multiple_of(2), self.colors.is_linear) {
            (false, _) => space,
            (true, false) => format!("{space}, not multiplied by the alpha behind them"),
            (true, true) => format!("{space}, multiplied by the alpha behind them"),
        }
    }
}

/// `activation`, unless its parameters leave it without values.
fn checked(activation: Activation) -> Result<Activation, String> {
    match activation {
        Activation::Gaussian { scale: 0.0 } => {
            Err("its gaussian has scale 0 and therefore no values; a scale other than 0 is needed".to_owned())
        }
        other => Ok(other),
    }
}

/// From uv to the plane: pixel p, counted in pixels of the trained picture, is at uv = (p + 1/2) / size.
fn position(model: &ModelFile) -> ([f32; 2], [f32; 2]) {
    let (origin, step) = Raster::geometry(model.width, model.height, model.coords);
    let size = [f64::from(model.width), f64::from(model.height)];
    let scale = [step[0] * size[0], step[1] * size[1]];
    let offset = match model.coords {
        // Exactly, rather than to within a rounding.
        Coords::Center => [0.0; 2],
        Coords::Corner => [origin[0] - 0.5 * step[0], origin[1] - 0.5 * step[1]],
    };
    (scale.map(|v| v as f32), offset.map(|v| v as f32))
}

fn features(part: &Encoding, params: &[f32], precision: Precision) -> Result<Features, String> {
    Ok(match part {
        Encoding::Pointwise(Pointwise::Identity(_)) => Features::Position,
        Encoding::Pointwise(Pointwise::OneBlob(blob)) => Features::Blobs(blob.bins),
        Encoding::Pointwise(Pointwise::TriangleWave(wave)) => {
            // Half a period across the unit interval, and its octaves: along x, then y.
            let periods = (0..wave.octaves).map(|k| 0.5 * (1_u64 << k) as f32);
            let along_x = periods.clone().map(|f| [f, 0.0]);
            Features::Triangles(along_x.chain(periods.map(|f| [0.0, f])).collect())
        }
        Encoding::Fourier { frequencies } | Encoding::TrainedFourier { initial: frequencies } => {
            Features::Fourier(frequencies.clone())
        }
        Encoding::Grid(grid) => {
            let entries = |n| Row::new(&params[grid.params_of(n)], precision, true);
            Features::Grid {
                grid: grid.clone(),
                levels: (0..grid.levels.len()).map(entries).collect::<Result<_, _>>()?,
            }
        }
        Encoding::Composite(_) => unreachable!("`Encoding::parts` gives its parts"),
    })
}

impl Colors {
    /// Channels of colour, without alpha.
    pub fn n_colors(&self) -> usize {
        if self.channels > 2 { 3 } else { 1 }
    }

    /// Whether there is alpha.
    pub fn has_alpha(&self) -> bool {
        self.channels.is_multiple_of(2)
    }

    /// Whether linear light is behind a logarithm.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.transfer.curve == Curve::Log
    }
}

/// A name that may stand in a comment of any language.
pub(super) fn plain_name(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || "\"\\<>".contains(c) { '_' } else { c }).collect()
}
