//! How much memory the program takes, and how much of a GPU's is taken.

use candle_core::Device;

/// Bytes of memory that the program has at present; `None` where the system does not tell.
pub fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    in_status(&text, "VmRSS:")
}

/// The most bytes of memory that the program has had so far.
pub fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    in_status(&text, "VmHWM:")
}

/// Bytes of the device's own memory: taken by anybody, and in all. `None` for the CPU.
pub fn of_device(device: &Device) -> Option<(u64, u64)> {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        use candle_core::cuda_backend::cudarc::driver::result::mem_get_info;
        let (free, total) = mem_get_info().ok()?;
        return Some((total.saturating_sub(free) as u64, total as u64));
    }
    let _ = device;
    None
}

/// A line of Linux's /proc/self/status, such as "VmRSS:     1234 kB".
fn in_status(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// "1.2 GiB" or "340 MiB".
pub fn shown(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    match mebibytes >= 1024.0 {
        true => format!("{:.1} GiB", mebibytes / 1024.0),
        false => format!("{mebibytes:.0} MiB"),
    }
}
