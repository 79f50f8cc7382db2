//! Tells cargo that the embedded folders are inputs: what the program ships must not go stale.

fn main() {
    println!("cargo:rerun-if-changed=data");
    println!("cargo:rerun-if-changed=stdlib");
}
