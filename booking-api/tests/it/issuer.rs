//! An issuer of tokens that publishes its keys: a server on 127.0.0.1.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::signing::IssuerKey;

/// How the issuer answers.
#[derive(Debug, Clone)]
pub(crate) enum Answers {
    /// With these keys.
    Keys(Value),
    /// With this head, to the empty line, and body.
    Raw(String),
    /// By closing the connection.
    HangsUp,
}

pub(crate) struct Issuer {
    /// Its `iss`.
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    answers: Mutex<Answers>,
    paths: Mutex<Vec<String>>,
    fetches: AtomicUsize,
}

impl Issuer {
    pub(crate) async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (paths, fetches) = (Mutex::default(), AtomicUsize::new(0));
        let state = Arc::new(State { answers: Mutex::new(answers), paths, fetches });
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = serving.clone();
                tokio::spawn(async move { state.serve(stream).await });
            }
        });
        Self { url, state }
    }

    pub(crate) fn answer(&self, answers: Answers) {
        *self.state.answers.lock().expect("nobody panics with it") = answers;
    }

    /// How often it was asked for anything.
    pub(crate) fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }

    /// What it was asked for.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.state.paths.lock().expect("nobody panics with it").clone()
    }
}

impl State {
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            if line.trim().is_empty() {
                break;
            }
            lines.push(line);
        }
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let path = lines.first()?.split(' ').nth(1)?.to_owned();
        self.paths.lock().expect("nobody panics with it").push(path);
        let answer = match self.answers.lock().expect("nobody panics with it").clone() {
            Answers::Keys(keys) => ok(&json!({"keys": keys}).to_string()),
            Answers::Raw(text) => text,
            Answers::HangsUp => return None,
        };
        stream.write_all(answer.as_bytes()).await.ok()
    }
}

/// A whole answer with this body.
pub(crate) fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// A key as an issuer publishes it.
pub(crate) fn jwk(kid: &str, key: &IssuerKey) -> Value {
    let (n, e) = key.components();
    json!({
        "use": "sig", "kty": "RSA", "kid": kid, "alg": "RS256",
        "n": BASE64_URL_SAFE_NO_PAD.encode(n), "e": BASE64_URL_SAFE_NO_PAD.encode(e),
    })
}
