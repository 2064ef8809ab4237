//! How the issuer's keys are kept, by a clock that the tests move.

use std::sync::Arc;
use std::time::{Duration, Instant};

use booking_api::{AuthError, JwtSetupError, JwtVerifier, Verifier};
use booking_core::{Clock, ManualClock, SystemClock};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::issuer::{Answers, Issuer, jwk, ok};
use crate::signing::{IssuerKey, unix_now};

const PATIENCE: Duration = Duration::from_secs(300);

struct World {
    issuer: Issuer,
    clock: Arc<ManualClock>,
    verifier: JwtVerifier,
}

impl World {
    async fn new(answers: Answers) -> Self {
        let issuer = Issuer::start(answers).await;
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let verifier = JwtVerifier::builder(&issuer.url).clock(clock.clone()).build();
        let verifier = verifier.expect("a loopback address is safe");
        Self { issuer, clock, verifier }
    }

    fn token(&self, kid: &str, key: &IssuerKey) -> String {
        let now = unix_now();
        let claims = json!({
            "iss": self.issuer.url, "sub": "user_1", "exp": now + 3_600, "nbf": now,
            "jti": fastrand::u64(..), "metadata": {"role": "client"},
        });
        key.sign_with_header(&json!({"alg": "RS256", "kid": kid}), &claims)
    }

    async fn verify(&self, token: &str) -> &'static str {
        match self.verifier.verify(token).await {
            Ok(session) => {
                assert_eq!(session.actor.id.as_str(), "user_1");
                "good"
            }
            Err(AuthError::Rejected(_)) => "rejected",
            Err(AuthError::Unavailable(_)) => "unavailable",
            Err(AuthError::NoRole) => "no role",
        }
    }

    /// Lets a fetch that nobody waits for come to its end: then this token is good.
    async fn settle(&self, fetches: usize, token: &str) {
        let began = Instant::now();
        while self.issuer.fetches() < fetches || self.verify(token).await != "good" {
            assert!(began.elapsed() < PATIENCE, "{}", self.issuer.fetches());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn one_key() -> Answers {
    Answers::Keys(json!([jwk("a", IssuerKey::ours())]))
}

fn other_key() -> Answers {
    Answers::Keys(json!([jwk("b", IssuerKey::foreign())]))
}

#[tokio::test]
async fn an_issuer_that_is_away_for_an_hour_is_not_missed() {
    let world = World::new(one_key()).await;
    let known = world.token("a", IssuerKey::ours());
    assert_eq!(world.verify(&known).await, "good");
    world.issuer.answer(Answers::HangsUp);
    for minute in 0..60 {
        world.clock.advance(TimeDelta::minutes(1));
        // Both who was here before and who signs in anew.
        assert_eq!(world.verify(&known).await, "good", "{minute}");
        let new = world.token("a", IssuerKey::ours());
        assert_eq!(world.verify(&new).await, "good", "{minute}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(world.verifier.ready().is_ok());
    // Asked for once a minute at most since the keys are five minutes old.
    assert!((2..=57).contains(&world.issuer.fetches()), "{}", world.issuer.fetches());
    // Whether there is such a key, only the issuer knows.
    let unknown = world.token("b", IssuerKey::foreign());
    assert_eq!(world.verify(&unknown).await, "unavailable");

    world.clock.advance(TimeDelta::hours(24));
    assert_eq!(world.verify(&known).await, "unavailable");
    assert!(world.verifier.ready().is_err());
    world.clock.advance(TimeDelta::seconds(11));
    world.issuer.answer(one_key());
    assert_eq!(world.verify(&known).await, "good");
    assert!(world.verifier.ready().is_ok());
}

#[tokio::test]
async fn a_key_that_was_taken_back_stops_within_ten_minutes() {
    for (busy, most) in [(true, 2), (false, 2)] {
        let world = World::new(one_key()).await;
        let known = world.token("a", IssuerKey::ours());
        assert_eq!(world.verify(&known).await, "good");
        world.issuer.answer(other_key());
        if busy {
            world.clock.advance(TimeDelta::minutes(4));
            assert_eq!(world.verify(&known).await, "good", "nobody asks yet");
            world.clock.advance(TimeDelta::minutes(1));
            // Nobody waits for the fetch that this begins.
            assert_eq!(world.verify(&known).await, "good");
            world.settle(most, &world.token("b", IssuerKey::foreign())).await;
        } else {
            world.clock.advance(TimeDelta::minutes(10));
        }
        assert_eq!(world.verify(&known).await, "rejected");
        assert_eq!(world.verify(&world.token("a", IssuerKey::ours())).await, "rejected");
        assert_eq!(world.verify(&world.token("b", IssuerKey::foreign())).await, "good");
        assert_eq!(world.issuer.fetches(), most);
    }
}

/// Another key under the name of one that was taken back.
#[tokio::test]
async fn a_key_is_more_than_its_name() {
    let world = World::new(one_key()).await;
    let known = world.token("a", IssuerKey::ours());
    assert_eq!(world.verify(&known).await, "good");
    world.issuer.answer(Answers::Keys(json!([jwk("a", IssuerKey::foreign())])));
    world.clock.advance(TimeDelta::minutes(10));
    assert_eq!(world.verify(&known).await, "rejected");
    assert_eq!(world.verify(&world.token("a", IssuerKey::foreign())).await, "good");
}

#[tokio::test]
async fn a_key_that_is_new_is_looked_for_once_in_ten_seconds() {
    let world = World::new(one_key()).await;
    assert_eq!(world.verify(&world.token("a", IssuerKey::ours())).await, "good");
    world.issuer.answer(other_key());
    let new = world.token("b", IssuerKey::foreign());
    for _ in 0..100 {
        assert_eq!(world.verify(&new).await, "rejected");
    }
    assert_eq!(world.issuer.fetches(), 1);
    world.clock.advance(TimeDelta::seconds(10));
    // All at once: one of them asks, and all of them know.
    let all = futures_util::future::join_all((0..100).map(|_| world.verify(&new))).await;
    assert!(all.iter().all(|outcome| *outcome == "good"), "{all:?}");
    assert_eq!(world.issuer.fetches(), 2);
}

/// Whatever the issuer answers, the keys that are there stay, and none of it is believed.
#[tokio::test]
async fn answers_that_are_no_key_set_change_nothing() {
    let huge = format!("{{\"keys\": [], \"filler\": \"{}\"}}", "x".repeat(200_000));
    let many = Value::from(vec![json!({"kty": "EC"}); 40]);
    let elsewhere = Issuer::start(other_key()).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}/.well-known/jwks.json\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url
    );
    for (what, answers) in [
        ("no answer", Answers::HangsUp),
        ("500", Answers::Raw("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_owned())),
        ("a redirect", Answers::Raw(redirect)),
        ("a page", Answers::Raw(ok("<html>"))),
        ("too much", Answers::Raw(ok(&huge))),
        ("too much, without a length", Answers::Raw(format!("HTTP/1.1 200 OK\r\n\r\n{huge}"))),
        ("an endless head", Answers::Raw(format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(900_000)))),
        ("no keys", Answers::Keys(json!([]))),
        ("too many", Answers::Keys(many)),
        (
            "two of one name",
            Answers::Keys(json!([jwk("b", IssuerKey::foreign()), jwk("b", IssuerKey::ours()),])),
        ),
    ] {
        let world = World::new(one_key()).await;
        let known = world.token("a", IssuerKey::ours());
        assert_eq!(world.verify(&known).await, "good", "{what}");
        world.issuer.answer(answers.clone());
        world.clock.advance(TimeDelta::seconds(10));
        let other = world.token("b", IssuerKey::foreign());
        assert_eq!(world.verify(&other).await, "unavailable", "{what}");
        assert_eq!(world.verify(&known).await, "good", "{what}");
        assert_eq!(world.issuer.fetches(), 2, "{what}");

        let world = World::new(answers).await;
        assert!(world.verifier.ready().is_err(), "{what}");
        assert_eq!(world.verify(&known).await, "unavailable", "{what}");
    }
    assert_eq!(elsewhere.fetches(), 0);
}

/// Whoever hangs up does not begin another fetch, and the one that was begun counts.
#[tokio::test]
async fn callers_that_hang_up_do_not_multiply_fetches() {
    let world = World::new(one_key()).await;
    let known = world.token("a", IssuerKey::ours());
    for _ in 0..50 {
        let hasty = tokio::time::timeout(Duration::from_micros(50), world.verify(&known));
        let _hung_up = hasty.await.is_err();
    }
    assert_eq!(world.verify(&known).await, "good");
    assert_eq!(world.issuer.fetches(), 1);
}

#[tokio::test]
async fn a_verifier_that_cannot_be_is_refused() {
    for url in ["http://clerk.example.com", "clerk.example.com", "ftp://127.0.0.1", ""] {
        let built = JwtVerifier::builder(url).build();
        assert!(matches!(built, Err(JwtSetupError::UnsafeUrl { .. })), "{url}");
    }
    let hours = JwtVerifier::builder("https://x").leeway(Duration::from_secs(301)).build();
    assert!(matches!(hours, Err(JwtSetupError::Leeway)));
    let weak = JwtVerifier::builder("https://x").public_key_pem(WEAK).build();
    let weak = weak.err().expect("a key of 1024 bits is refused").to_string();
    assert!(weak.contains("1024 bits"), "{weak}");
    assert!(JwtVerifier::builder("https://x").build().is_ok());
}

/// Of 1024 bits; nobody has the other half.
pub(crate) const WEAK: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDUuJG7dWj9LFO92dQAKJLuU0OU
EufGdQ1vbx8EKQF5YwusiXQ7eWQyMAMa0+MRoz6re0t3lxt5lf5GRUKMDIY18wKv
GcrtI6DUWviy9onUmmXqhEtBjccKXbW1s9ebhK01DGCXNNTk+5vRcMzx5WGi2B7d
8d0+KG6UkEKOK0bf5wIDAQAB
-----END PUBLIC KEY-----
";

/// What a token costs that was verified before, next to one that was not. Not a test of speed: an
/// RSA operation takes some twenty times as long as what is left.
#[tokio::test]
async fn a_token_is_verified_once() {
    let world = World::new(one_key()).await;
    let tokens: Vec<_> = (0..300).map(|_| world.token("a", IssuerKey::ours())).collect();
    assert_eq!(world.verify(&world.token("a", IssuerKey::ours())).await, "good");
    // The one in the middle: whatever else the machine does, it does not do it most of the time.
    let mut medians = [Duration::ZERO; 2];
    for median in &mut medians {
        let mut took = Vec::new();
        for token in &tokens {
            let began = Instant::now();
            assert_eq!(world.verify(token).await, "good");
            took.push(began.elapsed());
        }
        took.sort();
        *median = took[took.len() / 2];
    }
    let [anew, again] = medians;
    assert!(again * 2 < anew, "anew {anew:?}, again {again:?}");
}
