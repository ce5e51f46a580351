//! Resources used by the process so far, if the system reports them (Linux).

/// Peak memory of this process in bytes.
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
}

/// Processor time of all threads so far in seconds, in steps of a hundredth; barely affected by other processes.
pub(super) fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in brackets, may contain spaces; user and system time are the 12th and 13th fields after it.
    let mut ticks = stat.rsplit_once(')')?.1.split_whitespace().skip(11).map(str::parse::<u64>);
    Some((ticks.next()?.ok()? + ticks.next()?.ok()?) as f64 / 100.0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_peak_grows_with_what_is_used() {
        let before = super::peak_bytes().expect("Linux says it");
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = super::peak_bytes().expect("as before");
        assert!(after >= 64 << 20 && after >= before, "{after} after {before} with {} bytes", block.len());
    }

    #[test]
    fn processor_time_is_what_is_worked() {
        let (start, before) = (std::time::Instant::now(), super::cpu_seconds().expect("Linux says it"));
        let mut sum = 0.0_f64;
        while start.elapsed().as_secs_f64() < 0.2 {
            sum += std::hint::black_box(sum).sin();
        }
        let worked = super::cpu_seconds().expect("as before") - before;
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let most = n_cores * start.elapsed().as_secs_f64() + 0.05;
        assert!(worked > 0.0 && worked < most, "{worked} s");
    }
}
