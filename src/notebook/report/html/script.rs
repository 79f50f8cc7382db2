//! The page's one script, and the policy that lets it and nothing else run: the page names the script's hash.

use sha2::{Digest, Sha256};

/// Sorts and pages tables. It must not hold `</script`.
pub const SCRIPT: &str = include_str!("page.js");

/// The Content-Security-Policy: nothing is loaded, and only the script with this very text runs.
pub fn policy() -> String {
    let hash = base64(&Sha256::digest(SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{hash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
         form-action 'none'"
    )
}

/// Base64 (RFC 4648, section 4), as policies write a hash.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place) & 63) as usize);
            let known = place <= three.len();
            out.push(if known { digit.map_or('=', |digit| char::from(*digit)) } else { '=' });
        }
    }
    out
}
