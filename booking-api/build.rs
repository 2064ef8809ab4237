//! Optimized builds carry the pages of `examples/web`: one has to be made anew when they have been.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if is_release && env::var_os("CARGO_FEATURE_WEB").is_some() {
        println!("cargo::rerun-if-changed=../examples/web/dist");
    }
}
