//! The end of a server, step by step.

use tokio_util::sync::CancellationToken;

/// How far a server is with stopping. Each step is taken when its token is cancelled; none of them
/// is taken back. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Stopping {
    /// Everything is served as before, and answers say that their connection ends with them. Give it
    /// to [`Api::draining_with`](crate::Api::draining_with) too: load balancers are told then to go
    /// elsewhere.
    pub draining: CancellationToken,
    /// Nobody is let in any more; what is under way is finished. Give it to
    /// [`Api::closing_with`](crate::Api::closing_with) too: streams would else go on.
    pub closing: CancellationToken,
    /// Everything is broken off.
    pub at_once: CancellationToken,
}

impl Stopping {
    pub(super) fn has_begun(&self) -> bool {
        self.draining.is_cancelled() || self.closing.is_cancelled()
    }
}
