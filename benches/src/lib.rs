//! The benchmarks are in `slots.rs`: `cargo bench -p booking-benches`.
