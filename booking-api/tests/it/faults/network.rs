//! Between a process and the database: a wire that can be cut, stalled, or lose all answers.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the wire is.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Connections of an earlier one are cut.
    generation: u64,
    /// Nothing gets through, either way.
    is_stalled: bool,
    /// What the database answers is dropped.
    is_mute: bool,
    /// Commits get there and are done, and the connection ends instead of saying so.
    loses_commits: bool,
}

/// Each knows whether a commit has gone there whose answer must not come back.
#[derive(Debug)]
enum Way {
    ToDatabase(Arc<AtomicBool>),
    Back(Arc<AtomicBool>),
}

/// Forwards connections to a port of this machine.
pub(crate) struct Network {
    port: u16,
    state: watch::Sender<State>,
}

impl Network {
    pub(crate) async fn to(far: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (state, watched) = watch::channel(State::default());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(forward(near, far, watched.clone()));
            }
        });
        Self { port, state }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Every connection ends, in the midst of whatever it carries.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Nothing gets through for a while; then everything does.
    pub(crate) async fn stall(&self, pause: Duration) {
        self.state.send_modify(|state| state.is_stalled = true);
        tokio::time::sleep(pause).await;
        self.state.send_modify(|state| state.is_stalled = false);
    }

    /// For a while, whoever commits never hears that it was done.
    pub(crate) async fn lose_commits(&self, pause: Duration) {
        self.state.send_modify(|state| state.loses_commits = true);
        tokio::time::sleep(pause).await;
        self.state.send_modify(|state| state.loses_commits = false);
    }

    /// Answers are lost for a while; then every connection ends.
    pub(crate) async fn lose_answers(&self, pause: Duration) {
        self.state.send_modify(|state| state.is_mute = true);
        tokio::time::sleep(pause).await;
        self.state.send_modify(|state| {
            state.is_mute = false;
            state.generation += 1;
        });
    }
}

/// How the store says it, to the end: it also says `READ COMMITTED`.
const COMMIT: &[u8] = b"COMMIT\0";

async fn forward(near: TcpStream, far: u16, state: watch::Receiver<State>) {
    // Nobody there: the near end finds its connection closed.
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, far)).await else { return };
    for end in [&near, &far] {
        let _closed_already = end.set_nodelay(true).is_err();
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let is_doomed = Arc::new(AtomicBool::new(false));
    let there = Way::ToDatabase(is_doomed.clone());
    tokio::spawn(carry(near_read, far_write, there, state.clone()));
    carry(far_read, near_write, Way::Back(is_doomed), state).await;
}

/// Until one end closes, or the wire is cut.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut state: watch::Receiver<State>,
) {
    let ours = state.borrow().generation;
    let mut buffer = vec![0; 65_536];
    let mut cut = state.clone();
    let carrying = async {
        loop {
            let read = from.read(&mut buffer).await.unwrap_or(0);
            let Ok(now) = state.wait_for(|state| !state.is_stalled).await.map(|state| *state)
            else {
                return;
            };
            match &way {
                Way::ToDatabase(is_doomed) => {
                    let is_commit = || buffer[..read].windows(COMMIT.len()).any(|w| w == COMMIT);
                    if now.loses_commits && is_commit() {
                        is_doomed.store(true, Ordering::SeqCst);
                    }
                }
                Way::Back(is_doomed) if is_doomed.load(Ordering::SeqCst) => return,
                Way::Back(_) if now.is_mute && read > 0 => continue,
                Way::Back(_) => {}
            }
            if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = carrying => {}
        _ = cut.wait_for(|state| state.generation != ours) => {}
    }
}
