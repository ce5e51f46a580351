//! A configuration from a stranger: refused with a sentence, or one that is written and read back
//! as it was, also after every default is filled in.
#![no_main]

use afterimage::config::Config;
use afterimage::picture::{Picture, Pixels};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(mut config) = Config::parse(text) else { return };
    if config.check().is_err() {
        return;
    }
    assert_eq!(Config::parse(&config.to_toml()).as_ref(), Ok(&config));
    // Frequencies are drawn when a configuration is resolved: many only take time.
    if config.encoding.features.is_some_and(|m| m > 1 << 10) {
        return;
    }
    // A mask is another picture, which whoever resolves has to load.
    config.picture.mask = None;
    for pixels in [Pixels::U8(vec![7; 5 * 3 * 3]), Pixels::F32(vec![0.5; 5 * 3 * 3])] {
        let picture = Picture { width: 5, height: 3, channels: 3, pixels };
        // Settings of linear light are refused for other pictures, or by its peak.
        let range = &config.picture;
        let is_bound = range.hdr_scale.is_some() || range.hdr_curve.is_some();
        let run = match config.resolve(&picture, None) {
            Err(_) if is_bound => continue,
            run => run.expect("what was checked can be resolved"),
        };
        assert_eq!(Config::parse(&run.config.to_toml()).as_ref(), Ok(&run.config));
        let again = run.config.resolve(&picture, None).map(|again| again.config);
        assert_eq!(again.as_ref().ok(), Some(&run.config));
    }
});
