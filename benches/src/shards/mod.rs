//! Bookings over shards that know nothing of each other's transactions, simulated: what a claim on the
//! client's time costs, and that nothing is lost or taken twice whoever dies in between. No shard of
//! this kind exists; `DESIGN.md`, "How far does one database carry?", says what it is about.
//!
//! Each person lives in one shard, where a time of theirs is taken at most once. A booking of two who
//! live apart goes
//!
//! 1. to the client's shard, which notes a **claim**: the time is the client's no more;
//! 2. to the therapist's shard, where the meeting is **pending**: it takes the therapist's time;
//! 3. back to the client's shard, which **decides** that the claim stands. From here on the meeting is
//!    booked, and the caller may be told so.
//!
//! Whether a claim stands is said in the client's shard alone, once and for ever. A shard that has had
//! a pending meeting for too long asks there, and asking gives up a claim that does not stand yet: who
//! decides later finds it given up. So nobody's clock has to agree with anybody's.

mod shard;
mod world;

pub use world::{Counts, Plan, Rules, simulate};
