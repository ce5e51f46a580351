//! How large the process has been.

/// The most memory that this process has had in use at once, in bytes, where the system says (Linux).
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peak_grows_with_what_is_used() {
        let Some(before) = super::peak_bytes() else { return };
        let block = vec![1_u8; 64 << 20];
        let after = super::peak_bytes().expect("as before");
        assert!(after >= 64 << 20 && after >= before, "{after} after {before} with {} bytes", block.len());
    }
}
