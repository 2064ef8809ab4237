//! An answer, until the other side has taken the last byte of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Buf, Frame, SizeHint};

use super::pulse::Busy;

/// A body that is a part of its request's time.
pub(super) struct Answer<B> {
    body: B,
    busy: Arc<Busy>,
}

impl<B> Answer<B> {
    pub(super) fn new(body: B, busy: Busy) -> Self {
        Self { body, busy: Arc::new(busy) }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = Part<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let part = |data| Part { data, number: self.busy.offer(), busy: self.busy.clone() };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A part of a body, wherever hyper and h2 keep it until it can be sent: the body itself is done as
/// soon as they have its last part.
pub(super) struct Part<D> {
    data: D,
    number: Option<u64>,
    busy: Arc<Busy>,
}

impl<D: Buf> Buf for Part<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        if let Some(number) = self.number.filter(|_| count > 0) {
            self.busy.moved(number);
        }
    }
}

impl<D> Drop for Part<D> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.busy.gone(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::stream;
    use h2::RecvStream;
    use h2::client::{Builder, SendRequest};
    use hyper::body::Bytes;
    use poem::endpoint::make_sync;
    use poem::http::Request;
    use poem::http::uri::Scheme;
    use poem::web::{LocalAddr, RemoteAddr};
    use poem::{Addr, Body};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep, timeout};

    use crate::Stopping;
    use crate::server::ConnectionCounts;
    use crate::server::connection::Connection;

    /// What is not taken for so long ends the connection.
    const NOT_TAKEN: Duration = Duration::from_secs(30);
    /// As long, and a moment to say goodbye.
    const OVER: Duration = Duration::from_secs(35);

    /// A client of a server of its own, and what ends when the server has hung up. An answer has as
    /// many bytes as its path says, after as many seconds.
    async fn client(window: u32) -> (SendRequest<Bytes>, JoinHandle<Duration>) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let endpoint = make_sync(|request: poem::Request| {
            let path = request.uri().path().trim_start_matches('/');
            let mut numbers = path.split('/').map(str::parse::<u64>);
            let mut number = || numbers.next().expect("a number").expect("a number");
            let (bytes, seconds) = (number(), number());
            poem::Response::from(Body::from_bytes_stream(stream::once(async move {
                sleep(Duration::from_secs(seconds)).await;
                Ok::<_, std::io::Error>(vec![b'x'; usize::try_from(bytes).expect("few")])
            })))
        });
        let connection = Connection {
            endpoint: Arc::new(endpoint),
            stopping: Stopping::default(),
            counts: ConnectionCounts::default(),
            #[cfg(feature = "tls")]
            tls: None,
        };
        let ends = (LocalAddr(Addr::default()), RemoteAddr(Addr::default()));
        tokio::spawn(async move { connection.serve_io(theirs, Scheme::HTTP, ends).await });
        let mut builder = Builder::new();
        let shaken = builder.initial_window_size(window).handshake(ours).await;
        let (client, connection) = shaken.expect("HTTP/2");
        let begun = Instant::now();
        let ended = tokio::spawn(async move {
            let _reset = connection.await.is_err();
            begun.elapsed()
        });
        (client, ended)
    }

    async fn ask(client: &mut SendRequest<Bytes>, path: &str) -> RecvStream {
        let request = Request::get(format!("http://x{path}")).body(()).expect("a request");
        let (answer, _) = client.send_request(request, true).expect("it is sent");
        answer.await.expect("an answer begins").into_body()
    }

    async fn ends_for_not_taking(ended: JoinHandle<Duration>) {
        let ended = timeout(Duration::from_secs(300), ended).await.expect("it ends");
        let ended = ended.expect("nobody panics");
        assert!(ended >= NOT_TAKEN && ended <= OVER, "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_get_no_window_end_with_their_connection() {
        for window in [0, 1] {
            let (mut client, ended) = client(window).await;
            let mut answers = Vec::new();
            for _ in 0..20 {
                answers.push(ask(&mut client, "/10000/0").await);
            }
            ends_for_not_taking(ended).await;
        }
    }

    /// Neither another answer that is taken nor new requests keep it.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_taken_keeps_no_other() {
        let (mut client, ended) = client(64).await;
        let _stuck = ask(&mut client, "/10000/0").await;
        let mut moving = ask(&mut client, "/10000/0").await;
        tokio::spawn(async move {
            while let Some(Ok(data)) = moving.data().await {
                sleep(Duration::from_secs(1)).await;
                let _over = moving.flow_control().release_capacity(data.len()).is_err();
                let _new = timeout(Duration::from_secs(1), ask(&mut client, "/1/0")).await.is_ok();
            }
        });
        ends_for_not_taking(ended).await;
    }

    /// It is the other side's slowness that ends a connection, not that of who answers.
    #[tokio::test(start_paused = true)]
    async fn slow_answers_that_are_taken_are_let_be() {
        let (mut client, _ended) = client(64).await;
        let slow = ask(&mut client, "/10/200").await;
        let taken = ask(&mut client, "/6400/0").await;
        let read = async |mut answer: RecvStream| {
            let mut bytes = 0;
            while let Some(data) = answer.data().await {
                let data = data.expect("it goes on");
                sleep(Duration::from_secs(1)).await;
                bytes += data.len();
                answer.flow_control().release_capacity(data.len()).expect("it was taken");
            }
            bytes
        };
        assert_eq!((read(taken).await, read(slow).await), (6_400, 10));
    }
}
