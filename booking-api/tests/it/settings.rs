//! The settings of `serve`: the example file, `--help`, and everything that is wrong at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::caller::Caller;
use crate::commands::{Ran, TIMEOUT, command, run, sqlite_in};
use crate::key_sets::WEAK;
use crate::port::Port;
use crate::server::DataDir;

const EXAMPLE: &str = include_str!("../../../examples/deploy/booking-api.env.example");
/// Where the issuer of these tests would be; nobody listens there.
const ISSUER: &str = "http://127.0.0.1:9";

/// By name; a setting without a default has an empty one.
type Defaults = BTreeMap<String, String>;

fn of_example() -> Defaults {
    let lines = EXAMPLE.lines().map(|line| line.trim_start_matches('#'));
    let settings = lines.filter(|line| line.starts_with("BOOKING_"));
    let parts = settings.map(|line| line.split_once('=').expect("a name and a value"));
    parts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn of_help(help: &str) -> Defaults {
    let (_, options) = help.split_once("Options:").expect("there are options");
    let mut settings = Defaults::new();
    let (_, options) = options.split_once("\n      --").expect("the first one");
    for option in options.split("\n      --") {
        let option = option.split_whitespace().collect::<Vec<_>>().join(" ");
        let between = |start: &str| {
            let (_, rest) = option.split_once(start)?;
            rest.split_once(']').map(|(value, _)| value.split_whitespace().collect::<String>())
        };
        let name = between("[env: ").unwrap_or_else(|| panic!("a variable for --{option}"));
        let name = name.trim_end_matches('=').to_owned();
        settings.insert(name, between("[default: ").unwrap_or_default());
    }
    settings
}

#[tokio::test]
async fn the_example_file_has_what_help_has() {
    let help = run(&["serve", "--help"]).await;
    assert!(help.ok, "{}", help.stderr);
    let help = of_help(&help.stdout);
    assert!(help.len() > 10, "{help:?}");
    assert_eq!(of_example(), help);
}

/// As a shell, systemd and docker compose read it: a name, `=`, and a plain value.
#[test]
fn the_example_file_is_plain() {
    for line in EXAMPLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, value) = line.split_once('=').expect("a name and a value");
        assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{line}");
        assert_eq!(value, "", "what is set is what is required: {line}");
    }
    let values = of_example().into_values();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:,".contains(&b);
    assert!(values.into_iter().all(|value| value.bytes().all(plain)));
}

/// By the shell, with nothing but what is required filled in; every default switched on too.
#[tokio::test]
async fn the_example_file_starts_a_server() {
    for defaults_too in [false, true] {
        let data = DataDir::new();
        let port = Port::free();
        let address = port.address().to_string();
        let mut file = EXAMPLE
            .replace(
                "\nBOOKING_DATABASE_URL=",
                &format!("\nBOOKING_DATABASE_URL={}", sqlite_in(data.path())),
            )
            .replace("\nBOOKING_ISSUER=", &format!("\nBOOKING_ISSUER={ISSUER}"));
        if defaults_too {
            file = file.replace("\n#BOOKING_", "\nBOOKING_");
        }
        let path = data.path().join("booking-api.env");
        std::fs::write(&path, file).expect("a file");
        let script = r#"set -a; . "$1"; set +a; exec "$2" serve --listen "$3""#;
        let mut shell = tokio::process::Command::new("sh");
        let mut running = shell
            .args(["-euc", script, "sh"])
            .arg(&path)
            .args([env!("CARGO_BIN_EXE_booking-api"), &address])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("there is a shell");
        let listens = async {
            while tokio::net::TcpStream::connect(&address).await.is_err() {
                assert!(running.try_wait().expect("its status").is_none(), "it ended");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(TIMEOUT, listens).await.expect("it listens");
        Caller::anonymous(&format!("http://{address}")).get("/healthz").await.expect(200);
    }
}

async fn serve(settings: &[(&str, &str)], args: &[&str]) -> Ran {
    let output = command(&[&["serve"], args].concat())
        .envs(settings.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(TIMEOUT, output).await.expect("it ends");
    let output = output.expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { ok: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[tokio::test]
async fn all_mistakes_are_said_at_once() {
    let dir = DataDir::new();
    let weak = dir.path().join("weak.pem");
    std::fs::write(&weak, WEAK).expect("a file");
    let settings = [
        ("BOOKING_LISTEN", "everywhere"),
        ("BOOKING_DATABASE_URL", "memory:"),
        ("BOOKING_ISSUER", "http://clerk.example.com"),
        ("BOOKING_ISSUER_KEY", weak.to_str().expect("UTF-8")),
        ("BOOKING_JWKS_URL", "https://clerk.example.com/keys"),
        ("BOOKING_AUTHORIZED_PARTIES", "*,https://app.example.com"),
        ("BOOKING_CLERK_WEBHOOK_SECRET", "whsec_dG9vIHNob3J0"),
        ("BOOKING_KEEP_EVENTS", "1h"),
        ("BOOKING_WEBHOOK_ALLOW_NETWORKS", "10.1.0.0/16,inside"),
        ("BOOKING_MAX_STREAMS", "-1"),
        // An empty variable is none.
        ("BOOKING_MAX_STREAMS_PER_USER", ""),
        ("BOOKING_MAX_REQUESTS", "many"),
        ("BOOKING_OTLP_ENDPOINT", "ftp://collector.example.com"),
    ];
    let args = ["--nats-credentials", "/nowhere/nats.creds", "--nats-root-certificates=/nowhere"];
    let ran = serve(&settings, &args).await;
    assert!(!ran.ok && ran.stdout.is_empty());
    let names = settings.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| *name);
    for name in names.chain(["BOOKING_NATS_CREDENTIALS", "BOOKING_NATS_ROOT_CERTIFICATES"]) {
        let line = ran.stderr.lines().find(|line| line.contains(&format!("({name})")));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", ran.stderr));
        assert!(line.trim().starts_with("--"), "{line}");
    }
    assert!(!ran.stderr.contains("PER_USER"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("collector.example.com"), "{}", ran.stderr);
    for said in ["everywhere", "1024 bits", "at least 7d", "inside", "forgets every booking"] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
}

/// A limit of none would let nobody in, ever; of rates, 0 is any number.
#[tokio::test]
async fn limits_of_none_are_refused() {
    let settings = [
        ("BOOKING_MAX_REQUESTS", "0"),
        ("BOOKING_MAX_REQUESTS_PER_USER", "0"),
        ("BOOKING_MAX_CONNECTIONS", "0"),
        ("BOOKING_MAX_CONNECTIONS_PER_ADDRESS", "0"),
        ("BOOKING_MAX_STREAMS", "0"),
        ("BOOKING_MAX_STREAMS_PER_USER", "0"),
    ];
    let rates = [("BOOKING_RATE_PER_USER", "0"), ("BOOKING_RATE_PER_ADDRESS", "0")];
    let ran = serve(&[&settings[..], &rates].concat(), &[]).await;
    assert!(!ran.ok);
    for (name, _) in settings {
        let wrong = format!("({name}) is \"0\": not a number from 1 on");
        assert!(ran.stderr.contains(&wrong), "{name}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("RATE_PER"), "{}", ran.stderr);
}

#[tokio::test]
async fn what_is_unsafe_is_refused() {
    let dir = DataDir::new();
    let database = sqlite_in(dir.path());
    let private = dir.path().join("dev-issuer.pem");
    let private = private.to_str().expect("UTF-8");
    for (settings, expected) in [
        (&[("BOOKING_LISTEN", "0.0.0.0:0")][..], "--authorized-party"),
        (&[("BOOKING_LISTEN", "[::]:0")], "--authorized-party"),
        (&[("BOOKING_ISSUER", "http://clerk.example.com")], "--issuer"),
        (&[("BOOKING_ISSUER", "HTTP://10.0.0.1")], "--issuer"),
        (&[("BOOKING_ISSUER", "clerk.example.com")], "--issuer"),
        (&[("BOOKING_JWKS_URL", "http://clerk.example.com/keys")], "--jwks-url"),
        (&[("BOOKING_ISSUER_KEY", private)], "this is a private key"),
        (&[("BOOKING_ISSUER_KEY", "/nowhere")], "--issuer-key"),
        (&[("BOOKING_DATABASE_URL", "memory:")], "--database-url"),
        (&[("BOOKING_DATABASE_URL", "mysql://x/y")], "--database-url"),
        (&[("BOOKING_CLERK_WEBHOOK_SECRET", "not one")], "--clerk-webhook-secret"),
        (&[("BOOKING_AUTHORIZED_PARTIES", "https://a.example.com,,")], "--authorized-party"),
    ] {
        let good = [("BOOKING_ISSUER", ISSUER), ("BOOKING_DATABASE_URL", database.as_str())];
        let ran = serve(&[&good, settings].concat(), &[]).await;
        assert!(!ran.ok && ran.stderr.contains(expected), "{settings:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("booking-api: "), "{}", ran.stderr);
    }
    assert!(!Path::new(database.trim_start_matches("sqlite:")).exists(), "nothing was opened");
}

/// Whatever goes wrong, and in help: what is secret is not shown.
#[tokio::test]
async fn secrets_are_never_printed() {
    // None of these is a whole setting: each has something that must not be seen.
    const HIDDEN: &str = "aGlkZGVuLXdvcmQ";
    let urls = [
        format!("postgres://booking:{HIDDEN}@127.0.0.1:1/booking"),
        format!("postgres://booking:{HIDDEN}@127.0.0.1:notaport/booking"),
        format!("postgres://127.0.0.1:1/booking?password={HIDDEN}"),
        format!("postgres:{HIDDEN}"),
        HIDDEN.to_owned(),
    ];
    for url in &urls {
        let nats = format!("nats://user:{HIDDEN}@127.0.0.1:1");
        // Those of the first pair are wrong.
        for (secret, scheme) in [
            ("whsec_aGlkZGVuLXdvcmQ", "ftp"),
            ("whsec_aGlkZGVuLXdvcmQtYW5kLW1vcmUtb2YtaXQ=", "http"),
        ] {
            let collector = format!("{scheme}://user:{HIDDEN}@127.0.0.1:1");
            let settings = [
                ("RUST_LOG", "trace"),
                ("BOOKING_ISSUER", ISSUER),
                ("BOOKING_DATABASE_URL", url),
                ("BOOKING_NATS_URL", &nats),
                ("BOOKING_OTLP_ENDPOINT", &collector),
                ("BOOKING_CLERK_WEBHOOK_SECRET", secret),
            ];
            for args in [&["--listen", "127.0.0.1:0"][..], &["--listen", "x"], &["--help"]] {
                let ran = serve(&settings, args).await;
                let printed = ran.stdout + &ran.stderr;
                assert!(!printed.is_empty());
                assert!(!printed.contains(HIDDEN), "{url} {args:?}: {printed}");
            }
        }
    }
}
