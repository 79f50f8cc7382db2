//! How much memory the program takes, how much of a GPU's is taken, and how much a run may take: its budget.
//!
//! A process has one memory, so it has one budget, which the door sets before any work begins. Whoever can tell beforehand
//! what a piece of work takes asks for it with [`require`] or [`require_room`] and is refused in a sentence. Behind these,
//! the door watches the program's size (`cli/watch.rs`) and the allocator counts what is large (`allocator.rs`).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use candle_core::Device;

use crate::error::{Error, Result};

/// What the run may take, in bytes; zero where no door has set it.
static LIMIT: AtomicU64 = AtomicU64::new(0);
/// The program takes more than it may at present.
static OVER: AtomicBool = AtomicBool::new(false);
/// What raises the budget.
const RAISE: &str = "--memory SIZE, such as --memory 64GiB, raises what the run may take";

/// What makes the allocator give back at once what is free already, set by the program.
static RECLAIM: OnceLock<fn()> = OnceLock::new();

/// Sets what gives memory back that is free but still kept for later. The first one set stays.
pub fn set_reclaim(reclaim: fn()) {
    let _ = RECLAIM.set(reclaim);
}

/// Gives back what is free but still kept for later, so that only what is in use counts.
pub fn reclaim() {
    if let Some(reclaim) = RECLAIM.get() {
        reclaim();
    }
}

/// Sets the run's budget in bytes.
pub fn set_limit(bytes: u64) {
    LIMIT.store(bytes, Ordering::Relaxed);
}

/// The run's budget in bytes, where a door has set it.
pub fn limit() -> Option<u64> {
    Some(LIMIT.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
}

/// Four fifths of what the program has and can still get: the rest is left to others. `None` where the system does not tell.
pub fn usual_limit() -> Option<u64> {
    let all = available(&Device::Cpu)?.saturating_add(taken().unwrap_or(0));
    Some(all / 5 * 4)
}

/// Says whether the program takes more than it may at present.
pub fn set_over(over: bool) {
    OVER.store(over, Ordering::Relaxed);
}

/// Refuses to go on while the program takes more than it may. Long work asks it between its units.
pub fn check() -> Result<()> {
    if OVER.load(Ordering::Relaxed) {
        return Err(exceeded("this"));
    }
    Ok(())
}

/// The error of work that took more memory than the run may.
pub fn exceeded(doing: &str) -> Error {
    Error::failed_with_hint(
        match limit() {
            Some(limit) => format!("{doing} needs more than the run's {} of memory", shown(limit)),
            None => format!("{doing} needs more memory than there is"),
        },
        format!("work on less at a time; {RAISE}"),
    )
}

/// Bytes that the run can still take; `None` where nothing is known.
pub fn room() -> Option<u64> {
    let machine = available(&Device::Cpu);
    let Some(limit) = limit() else {
        return machine;
    };
    let left = limit.saturating_sub(taken().unwrap_or(0));
    Some(machine.map_or(left, |machine| machine.min(left)))
}

/// Refuses to begin what needs more of the machine's memory than the run may still take.
pub fn require_room(bytes: u64, doing: &str) -> Result<()> {
    require(bytes, &Device::Cpu, doing, "work on less at a time")
}

/// Bytes of memory that the program has at present; `None` where the system does not tell.
pub fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    in_status(&text, "VmRSS:")
}

/// Bytes that count for the budget: those that the program has, without the pages of files, which are given back when they
/// are needed.
pub fn taken() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let files = in_status(&text, "RssFile:").unwrap_or(0);
    in_status(&text, "VmRSS:").map(|all| all.saturating_sub(files))
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
    Some(left_to_group().map_or(machine, |group| group.min(machine)))
}

/// Bytes that the control group of a container or job leaves, in either version of such groups. Pages of files that were
/// read are given back when they are needed, so they do not count.
fn left_to_group() -> Option<u64> {
    let text = |name: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok();
    let versions = [
        ("memory.max", "memory.current", "memory.stat", "inactive_file "),
        (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
            "memory/memory.stat",
            "total_inactive_file ",
        ),
    ];
    versions.into_iter().find_map(|(most, taken, facts, files)| {
        let number = |text: String| text.trim().parse::<u64>().ok();
        let most = number(text(most)?)?;
        let taken = text(taken).and_then(number).unwrap_or(0);
        let facts = text(facts).unwrap_or_default();
        let files = facts.lines().find_map(|line| line.strip_prefix(files));
        let files = files.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
        Some(most.saturating_sub(taken.saturating_sub(files)))
    })
}

/// Refuses to begin what needs more memory than there is, or more than the run may take.
pub fn require(bytes: u64, device: &Device, doing: &str, hint: &str) -> Result<()> {
    let own = of_device(device).map(|(taken, total)| total.saturating_sub(taken));
    let left = match own {
        Some(left) => Some(left),
        None => match room() {
            Some(left) if bytes > left => {
                reclaim();
                room()
            }
            enough => enough,
        },
    };
    let Some(left) = left.filter(|left| bytes > *left) else {
        return Ok(());
    };
    let needs = format!("{doing} needs about {} of memory", shown(bytes));
    Err(match (own, limit()) {
        (None, Some(limit)) => Error::failed_with_hint(
            format!("{needs}, and {} of the run's {} are left", shown(left), shown(limit)),
            format!("{hint}; {RAISE}"),
        ),
        _ => Error::failed_with_hint(format!("{needs}, and {} are left", shown(left)), hint),
    })
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

/// Bytes of a size as people write it: "8GiB", "300 MiB", "2e9", "1.5G". Units go by 1024 with and without the "i".
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    // "2e9" ends in a digit, so that its "e" is not taken for a unit.
    let unit = text.get(digits.len()..)?.to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return None,
    };
    let number: f64 = digits.trim().parse().ok()?;
    let bytes = number * 1024f64.powi(power);
    (bytes.is_finite() && bytes >= 1.0 && bytes < u64::MAX as f64).then_some(bytes as u64)
}
