//! How much memory the program takes, and how much of a GPU's is taken.

use candle_core::Device;

use crate::error::{Error, Result};

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

/// Bytes that can still be taken: of the device's memory, or of the machine's within the limit set for the program.
pub fn available(device: &Device) -> Option<u64> {
    if let Some((taken, total)) = of_device(device) {
        return Some(total.saturating_sub(taken));
    }
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let machine = in_status(&text, "MemAvailable:")?;
    let number = |name: &str| -> Option<u64> {
        let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
        text.trim().parse().ok()
    };
    let limit =
        number("memory.max").map(|most| most.saturating_sub(number("memory.current").unwrap_or(0)));
    Some(limit.map_or(machine, |limit| limit.min(machine)))
}

/// Refuses to begin what needs more memory than there is, where the system tells.
pub fn require(bytes: u64, device: &Device, doing: &str, hint: &str) -> Result<()> {
    match available(device) {
        Some(left) if bytes > left => Err(Error::failed_with_hint(
            format!(
                "{doing} needs about {} of memory, and {} are left",
                shown(bytes),
                shown(left)
            ),
            hint,
        )),
        _ => Ok(()),
    }
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
    match mebibytes {
        few if few < 1024.0 => format!("{few:.0} MiB"),
        more if more < 1024.0 * 1024.0 => format!("{:.1} GiB", more / 1024.0),
        many => format!("{:.1} TiB", many / 1024.0 / 1024.0),
    }
}
