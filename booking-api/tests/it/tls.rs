//! TLS by the server itself, and pages of other origins: what `serve` alone has.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::commands::{run, serve_with, sqlite_in};
use crate::server::DataDir;

const ONE: (&[u8], &[u8]) =
    (include_bytes!("certificates/one.crt"), include_bytes!("certificates/one.key"));
const TWO: (&[u8], &[u8]) =
    (include_bytes!("certificates/two.crt"), include_bytes!("certificates/two.key"));

const PATIENCE: Duration = Duration::from_secs(300);
/// Ten seconds for the handshake; a connection that says nothing after it has 75.
const HUNG_UP_WITHIN: Duration = Duration::from_secs(45);

/// Trusts this certificate and no other, and says what it speaks.
fn client(certificate: &[u8], protocol: &[u8]) -> Client {
    let mut trusted = rustls::RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_slice(certificate).expect("PEM")).expect("a certificate");
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_root_certificates(trusted)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let client = Client::builder().tls_backend_preconfigured(config).no_proxy();
    client.timeout(PATIENCE).build().expect("a client")
}

#[tokio::test]
async fn the_server_speaks_tls_and_takes_a_new_certificate() {
    let data = DataDir::new();
    let files = [data.path().join("tls.crt"), data.path().join("tls.key")];
    let install = |(certificate, key): (&[u8], &[u8])| {
        fs::write(&files[0], certificate).expect("a file");
        fs::write(&files[1], key).expect("a file");
    };
    install(ONE);
    let [certificate, key] = files.each_ref().map(|path| path.to_str().expect("UTF-8"));
    let settings = [("BOOKING_TLS_CERTIFICATE", certificate), ("BOOKING_TLS_KEY", key)];
    let (running, plain) = serve_with(&data, &sqlite_in(data.path()), &settings).await;
    let url = plain.request(Method::GET, "/healthz").build().expect("a request").url().to_string();
    let address = url.trim_start_matches("http://").trim_end_matches("/healthz").to_owned();
    let url = url.replacen("http:", "https:", 1);
    for (protocol, version) in
        [(&b"h2"[..], reqwest::Version::HTTP_2), (b"http/1.1", reqwest::Version::HTTP_11)]
    {
        let answer = client(ONE.0, protocol).get(&url).send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    }
    assert!(client(TWO.0, b"h2").get(&url).send().await.is_err(), "another certificate");
    assert!(plain.try_send(Method::GET, "/healthz", None).await.is_err(), "no TLS, no answer");
    let health = ["health", "--listen", &address, "--tls-certificate", certificate];
    assert!(run(&health).await.ok);

    // Halves of two do not go together: everything stays as it was.
    let hangup = || {
        let process = running.process.id().expect("it runs").to_string();
        let told = std::process::Command::new("sh").args(["-c", "kill -HUP $0", &process]).status();
        assert!(told.expect("there is a shell").success());
    };
    fs::write(&files[0], TWO.0).expect("a file");
    hangup();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(client(ONE.0, b"h2").get(&url).send().await.is_ok());
    install(TWO);
    hangup();
    let taken = async {
        while client(TWO.0, b"h2").get(&url).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.expect("the new certificate");
    assert!(client(ONE.0, b"h2").get(&url).send().await.is_err(), "the old one is gone");

    // Whoever shakes no hands is hung up on.
    let mut silent = TcpStream::connect(&address).await.expect("the server listens");
    let mut byte = [0];
    let end = tokio::time::timeout(HUNG_UP_WITHIN, silent.read(&mut byte)).await;
    assert!(matches!(end.expect("an end"), Ok(0) | Err(_)));
}

#[tokio::test]
async fn serve_says_what_is_wrong_with_tls_and_origins() {
    let data = DataDir::new();
    let path = |name: &str| data.path().join(name).to_str().expect("UTF-8").to_owned();
    for (name, bytes) in [("1.crt", ONE.0), ("1.key", ONE.1), ("2.key", TWO.1)] {
        fs::write(path(name), bytes).expect("a file");
    }
    fs::write(path("key.pem"), crate::signing::IssuerKey::ours().public_pem()).expect("a file");
    let (database, key) = (sqlite_in(data.path()), path("key.pem"));
    let (one, own, other, none) = (path("1.crt"), path("1.key"), path("2.key"), path("none"));
    for (more, expected) in [
        (vec!["--tls-certificate", &one], "--tls-key (BOOKING_TLS_KEY) is missing"),
        (vec!["--tls-certificate", &one, "--tls-key", &other], "certificate and key"),
        (vec!["--tls-certificate", &none, "--tls-key", &own], "cannot read"),
        (vec!["--tls-certificate", &own, "--tls-key", &own], "certificate and key"),
        (vec!["--allow-origin", "app.example.com"], "--allow-origin"),
        (vec!["--allow-origin", "https://app.example.com/"], "write https://app.example.com"),
        (vec!["--allow-origin", "*"], "--allow-origin"),
        (vec!["--allow-origin", "ftp://app.example.com"], "neither http nor https"),
    ] {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", &database];
        let issuer = ["--issuer", "https://issuer.example.com", "--issuer-key", &key];
        let ran = run(&[&serve[..], &issuer, &more].concat()).await;
        assert!(!ran.ok && ran.stderr.contains(expected), "{more:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn allowed_origins_may_call_and_others_are_not_in_the_way() {
    let data = DataDir::new();
    let origins = "https://app.example.com,http://localhost:5173";
    let settings = [("BOOKING_ALLOW_ORIGINS", origins)];
    let (_running, anonymous) = serve_with(&data, &sqlite_in(data.path()), &settings).await;
    for (origin, allowed) in [
        ("https://app.example.com", true),
        ("http://localhost:5173", true),
        ("http://localhost:5174", false),
        ("http://app.example.com", false),
        ("https://app.example.com.evil.test", false),
        ("null", false),
    ] {
        let answer = anonymous.with("origin", origin).get("/healthz").await.expect(200);
        let expected = if allowed { origin } else { "" };
        assert_eq!(answer.header("access-control-allow-origin"), expected);
        let exposed = answer.header("access-control-expose-headers");
        assert_eq!(exposed.contains("ratelimit-policy"), allowed, "{exposed}");
    }
}

#[tokio::test]
async fn health_says_whether_a_server_is_ready() {
    let data = DataDir::new();
    let (mut running, plain) = serve_with(&data, &sqlite_in(data.path()), &[]).await;
    plain.get("/readyz").await.expect(200);
    let url = plain.request(Method::GET, "").build().expect("a request").url().to_string();
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let ready = run(&["health", "--listen", &address]).await;
    assert!(ready.ok && ready.stdout.is_empty(), "{}", ready.stderr);
    running.process.kill().await.expect("it runs");
    let gone = run(&["health", "--listen", &address]).await;
    assert!(!gone.ok && gone.stderr.contains(&address), "{}", gone.stderr);
}
