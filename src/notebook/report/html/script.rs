//! The page's one script, and the policy that lets it and nothing else run: the page names the script's hash.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Sorts and pages tables. It must not hold `</script`.
pub const SCRIPT: &str = include_str!("page.js");

/// The Content-Security-Policy: nothing is loaded, and only the script with this very text runs.
pub fn policy(script: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(script.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{hash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
         form-action 'none'"
    )
}
