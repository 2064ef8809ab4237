//! Somebody who reads a stream of server-sent events.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::caller::{Answer, Caller};

/// No message may take longer.
const PATIENCE: Duration = Duration::from_secs(300);
/// A stream may take as long as a test.
const STREAM_TIMEOUT: Duration = Duration::from_secs(600);

/// An open stream.
pub(crate) struct Stream {
    response: Response,
    /// What has come since the last whole block.
    rest: String,
    /// What the client would send as `Last-Event-ID`.
    pub(crate) last_id: Option<u64>,
    /// All that has come.
    pub(crate) read: String,
}

/// A message with data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: Option<u64>,
    pub(crate) event: String,
    pub(crate) text: String,
}

impl Message {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Caller {
    /// A stream that begins as it must.
    pub(crate) async fn stream(&self, path: &str) -> Stream {
        match self.try_stream(path).await {
            Ok(stream) => stream,
            Err(answer) => panic!("no stream: {} {}", answer.status, answer.text),
        }
    }

    /// A stream, or another answer.
    pub(crate) async fn try_stream(&self, path: &str) -> Result<Stream, Answer> {
        let request = self.request(Method::GET, path).timeout(STREAM_TIMEOUT);
        let response = request.send().await.expect("the server answers");
        if response.status() != 200 {
            return Err(Answer::read(response).await.expect("a whole answer"));
        }
        let mut stream =
            Stream { response, rest: String::new(), last_id: None, read: String::new() };
        let hello = stream.block().await.expect("a greeting");
        let retry = hello.lines().find_map(|line| line.strip_prefix("retry: "));
        let retry: u32 = retry.expect("when to come back").parse().expect("milliseconds");
        assert!((1_000..3_000).contains(&retry), "{retry}");
        Ok(stream)
    }

    /// The stream of one's events, from after a sequence.
    pub(crate) async fn events_after(&self, sequence: u64) -> Stream {
        self.with("last-event-id", sequence.to_string()).stream("/booking/events").await
    }
}

impl Stream {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.response.headers().get(name);
        value.map_or("", |value| value.to_str().expect("an ASCII header"))
    }

    /// The next message; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let lines = block.lines().filter_map(|line| line.strip_prefix(name));
                let values: Vec<&str> = lines.collect();
                assert!(values.len() <= 1, "one {name} in {block}");
                values.first().map(|value| (*value).to_owned())
            };
            if let Some(text) = field("data: ") {
                let event = field("event: ").expect("a type");
                return Some(Message { id: field("id: ").and(self.last_id), event, text });
            }
        }
    }

    /// The next so many messages.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        while messages.len() < count {
            messages.push(self.next().await.expect("one more message"));
        }
        messages
    }

    /// Nothing comes for a while, but comments.
    pub(crate) async fn expect_silence(&mut self, time: Duration) {
        let next = timeout(time, self.next()).await;
        assert!(next.is_err(), "{next:?}");
    }

    /// What stands before the next empty line; `None` at the end of the stream, and where it breaks
    /// off.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                if let Some(id) = block.lines().find_map(|line| line.strip_prefix("id: ")) {
                    self.last_id = Some(id.parse().expect("a number"));
                }
                return Some(block);
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("something comes, or the end").ok().flatten()?;
            let text = String::from_utf8(chunk.to_vec()).expect("whole characters");
            self.read += &text;
            self.rest += &text;
        }
    }

    /// Reads to the end, which must come.
    pub(crate) async fn expect_end(&mut self) {
        while self.block().await.is_some() {}
    }
}
