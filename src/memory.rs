//! How much memory the program takes.

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
