//! Metadata and tensors of an untrusted file, by name.

use super::blocks::{SCALE, block_length};
use crate::names::Named;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The metadata in the header.
pub(super) struct Metadata<'a>(pub(super) &'a BTreeMap<String, String>);

impl Metadata<'_> {
    pub(super) fn get(&self, key: &str) -> Result<&str, String> {
        let value = self.0.get(key).map(String::as_str);
        value.ok_or_else(|| format!("its metadata has no {key:?}, which every afterimage model has"))
    }

    pub(super) fn number<T: FromStr>(&self, key: &str, wanted: &str) -> Result<T, String> {
        let value = self.get(key)?;
        value.parse().map_err(|_| format!("its metadata has {key} = {value:?}; {wanted} is needed"))
    }

    pub(super) fn side(&self, key: &str) -> Result<u32, String> {
        let side: u32 = self.number(key, "a number of pixels")?;
        if side == 0 { Err(format!("its metadata has {key} = 0; at least 1 is needed")) } else { Ok(side) }
    }

    /// One of the values that have names.
    pub(super) fn named<T: Named>(&self, key: &str) -> Result<T, String> {
        let table: Vec<_> = T::ALL.iter().map(|&value| (value, value.name())).collect();
        self.one_of(key, &table)
    }

    pub(super) fn one_of<T: Copy>(&self, key: &str, table: &[(T, &str)]) -> Result<T, String> {
        let value = self.get(key)?;
        let found = table.iter().find(|(_, name)| *name == value).map(|(v, _)| *v);
        found.ok_or_else(|| {
            let names: Vec<&str> = table.iter().map(|(_, name)| *name).collect();
            format!("its metadata has {key} = {value:?}; one of {} is needed", names.join(", "))
        })
    }
}

/// The header's tensors and their bytes. Offsets have been checked against the file's length by
/// [`safetensors::SafeTensors::read_metadata`].
pub(super) struct Tensors<'a> {
    pub(super) infos: BTreeMap<String, &'a TensorInfo>,
    pub(super) values: &'a [u8],
    /// Scales of tensors with codes of 8 bits, by the tensor's name.
    pub(super) scales: BTreeMap<String, &'a TensorInfo>,
}

impl<'a> Tensors<'a> {
    pub(super) fn new(all: impl IntoIterator<Item = (String, &'a TensorInfo)>, values: &'a [u8]) -> Self {
        let (mut infos, mut scales): (BTreeMap<_, _>, _) = (all.into_iter().collect(), BTreeMap::new());
        let coded = infos.iter().filter(|(_, info)| info.dtype == Dtype::I8).map(|(name, _)| name.clone());
        for name in coded.collect::<Vec<_>>() {
            if let Some(info) = infos.remove(&format!("{name}{SCALE}")) {
                scales.insert(name, info);
            }
        }
        Self { infos, values, scales }
    }

    /// Whether some tensors hold codes of 8 bits.
    pub(super) fn is_rounded(&self) -> bool {
        !self.scales.is_empty()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.infos.contains_key(name)
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, String> {
        self.infos.get(name).copied().ok_or_else(|| format!("it has no tensor {name:?}"))
    }

    pub(super) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N], String> {
        let shape = &self.info(name)?.shape;
        let found = shape.as_slice().try_into();
        found.map_err(|_| format!("{name} has shape {shape:?}; {N} dimensions are needed"))
    }

    pub(super) fn floats(&self, name: &str) -> Result<Vec<f32>, String> {
        let info = self.info(name)?;
        let bytes = self.bytes(name, info)?;
        let values: Vec<f32> = match info.dtype {
            Dtype::I8 => self.decoded(name, bytes)?,
            Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            // Halved to save room, by another program: every such value is also an f32.
            Dtype::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            other => return Err(format!("{name} is stored as {other:?}; F32, F16, BF16 or I8 is needed")),
        };
        match values.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(format!("value {i} of {name} is {}; every value must be finite", values[i])),
            None => Ok(values),
        }
    }

    fn bytes(&self, name: &str, info: &TensorInfo) -> Result<&'a [u8], String> {
        let (start, end) = info.data_offsets;
        self.values.get(start..end).ok_or_else(|| format!("{name} reaches beyond the file"))
    }

    /// Codes of 8 bits times the scales of their blocks.
    fn decoded(&self, name: &str, codes: &[u8]) -> Result<Vec<f32>, String> {
        let info = self.scales.get(name).filter(|info| info.dtype == Dtype::F32).ok_or_else(|| {
            format!("{name} is stored as I8, which needs a tensor {name}{SCALE} of F32 beside it")
        })?;
        let scales = self.bytes(name, info)?.as_chunks().0;
        let block = block_length(codes.len(), scales.len()).ok_or_else(|| {
            format!("{name} has {} codes, which {} scales do not fit", codes.len(), scales.len())
        })?;
        let blocks =
            codes.chunks(block).zip(scales).map(|(codes, scale)| (codes, f32::from_le_bytes(*scale)));
        Ok(blocks
            .flat_map(|(codes, scale)| codes.iter().map(move |&code| f32::from(code as i8) * scale))
            .collect())
    }
}
