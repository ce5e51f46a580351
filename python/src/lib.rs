//! The Python package's extension module. `afterimage/__init__.py` has what users see of it.

mod arguments;
mod collect;
#[cfg(feature = "cli")]
mod command;
mod errors;
mod files;
mod fit;
mod logging;
mod measure;
mod model;
mod observer;
mod pictures;
mod settings;
mod values;

use pyo3::prelude::*;

#[pymodule]
mod _afterimage {
    #[pymodule_export]
    use crate::collect::{collect, count_pictures};
    #[cfg(feature = "cli")]
    #[pymodule_export]
    use crate::command::main;
    #[pymodule_export]
    use crate::files::{load, restore};
    #[pymodule_export]
    use crate::fit::fit;
    #[pymodule_export]
    use crate::model::Model;
    #[pymodule_export]
    use crate::observer::Epoch;
    #[pymodule_export]
    use crate::settings::{presets, settings};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
