//! A compressed picture from a stranger, as it is and with its checksum made right: refused with a sentence, or rows of
//! as many values as it says.
#![no_main]

use afterimage::compress::CompressedPicture;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    if let Some((content, _)) = bytes.split_last_chunk::<4>() {
        check(&[content, &crc32fast::hash(content).to_le_bytes()].concat());
    }
});

fn check(bytes: &[u8]) {
    let Ok(picture) = CompressedPicture::parse(bytes) else { return };
    let shape = *picture.shape();
    let rows = 0..shape.height.min(3);
    if let Ok(values) = picture.rows(rows.clone()) {
        assert_eq!(values.len(), rows.len() * shape.width as usize * shape.channels);
    }
    let last = shape.height - 1..shape.height;
    _ = picture.rows(last);
}
