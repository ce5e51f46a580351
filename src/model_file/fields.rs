//! Metadata and tensors of an untrusted file, by name.

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
}

impl Tensors<'_> {
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
        let (start, end) = info.data_offsets;
        let bytes = self.values.get(start..end).ok_or_else(|| format!("{name} reaches beyond the file"))?;
        let values: Vec<f32> = match info.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            // Halved to save room, by another program: every such value is also an f32.
            Dtype::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            other => return Err(format!("{name} is stored as {other:?}; F32, F16 or BF16 is needed")),
        };
        match values.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(format!("value {i} of {name} is {}; every value must be finite", values[i])),
            None => Ok(values),
        }
    }
}
