/// How a store's connections of one kind are used, at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// What they are for: `readers`, `writers` or `relays`.
    pub name: &'static str,
    /// How many there may be.
    pub most: u32,
    /// How many are open.
    pub open: u32,
    /// How many of them nobody uses.
    pub idle: u32,
    /// How many calls wait for one, where that is known.
    pub waiting: Option<u32>,
}
