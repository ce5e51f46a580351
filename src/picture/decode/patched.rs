//! A file in which a few bytes are read as others.

use std::io::{self, Read, Seek, SeekFrom};

/// Reads the file, with other bytes at the places of `patches`.
pub(super) struct Patched<R> {
    inner: R,
    at: u64,
    /// Where they begin, and the bytes.
    patches: Vec<(u64, Vec<u8>)>,
}

impl<R: Seek> Patched<R> {
    pub(super) fn new(mut inner: R, patches: Vec<(u64, Vec<u8>)>) -> io::Result<Self> {
        inner.rewind()?;
        Ok(Self { inner, at: 0, patches })
    }
}

impl<R: Read> Read for Patched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        let (start, end) = (self.at, self.at + n as u64);
        for (place, bytes) in &self.patches {
            let (from, to) = ((*place).max(start), (place + bytes.len() as u64).min(end));
            if from < to {
                let bytes = &bytes[(from - place) as usize..(to - place) as usize];
                out[(from - start) as usize..(to - start) as usize].copy_from_slice(bytes);
            }
        }
        self.at = end;
        Ok(n)
    }
}

impl<R: Seek> Seek for Patched<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.inner.seek(to)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn patches_are_read_however_the_reads_are_cut() {
        let file: Vec<u8> = (0..20).collect();
        for size in 1..=20 {
            let patches = vec![(3, vec![100, 101, 102]), (10, vec![200])];
            let mut patched = Patched::new(Cursor::new(&file), patches).expect("it rewinds");
            let mut found = Vec::new();
            let mut part = vec![0; size];
            while let n @ 1.. = patched.read(&mut part).expect("from memory") {
                found.extend_from_slice(&part[..n]);
            }
            let expected = [0, 1, 2, 100, 101, 102, 6, 7, 8, 9, 200, 11, 12, 13, 14, 15, 16, 17, 18, 19];
            assert_eq!(found, expected, "{size} bytes at a time");
        }
    }
}
