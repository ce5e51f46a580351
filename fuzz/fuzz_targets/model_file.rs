//! A model file from a stranger: refused with a sentence, or a network whose parts fit together.
#![no_main]

use afterimage::model_file::ModelFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = ModelFile::parse(bytes) {
        assert_eq!(file.params.len(), file.model.layout().n_params());
        assert_eq!(file.model.encoding.output_width(), file.model.network.input_width);
        assert!(file.params.iter().all(|w| w.is_finite()));
        assert!(4 * file.params.len() < bytes.len());
    }
});
