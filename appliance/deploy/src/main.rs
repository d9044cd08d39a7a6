//! Runs on the computer booted from the media.
fn main() {}
