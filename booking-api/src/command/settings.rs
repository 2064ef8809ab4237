//! What `serve` goes by, once nothing about it is missing, contradictory or unsafe.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::Failure;
use super::cli::{EventsArgs, ServeArgs};
use super::exposure::{LimitsArgs, ReachArgs, StopArgs, TraceArgs};
use super::mistakes::Mistakes;
use crate::auth::is_safe_issuer;
use crate::clerk::read_secret;
use crate::webhooks::Secret;
use crate::{InvalidKey, JwtSetupError, JwtVerifier, JwtVerifierBuilder, Tls};

pub(super) const DATABASE_URL: &str = "--database-url (BOOKING_DATABASE_URL)";
const ISSUER: &str = "--issuer (BOOKING_ISSUER)";
const ISSUER_KEY: &str = "--issuer-key (BOOKING_ISSUER_KEY)";
const JWKS_URL: &str = "--jwks-url (BOOKING_JWKS_URL)";
const PARTIES: &str = "--authorized-party (BOOKING_AUTHORIZED_PARTIES)";
const WEBHOOK_SECRET: &str = "--clerk-webhook-secret (BOOKING_CLERK_WEBHOOK_SECRET)";
const NATS_CREDENTIALS: &str = "--nats-credentials (BOOKING_NATS_CREDENTIALS)";
const NATS_ROOTS: &str = "--nats-root-certificates (BOOKING_NATS_ROOT_CERTIFICATES)";

/// Stands for every party, where somebody means that.
const ANY_PARTY: &str = "*";

pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) database_url: String,
    /// With everything but the directory.
    pub(super) verifier: JwtVerifierBuilder,
    pub(super) clerk_webhook_secret: Option<Secret>,
    pub(super) events: EventsArgs,
    pub(super) reach: ReachArgs,
    pub(super) tls: Option<Tls>,
    pub(super) limits: LimitsArgs,
    pub(super) stop: StopArgs,
    pub(super) traces: TraceArgs,
}

impl Settings {
    /// All that is wrong is said at once: `mistakes` has what is known already.
    pub(super) fn of(args: ServeArgs, mut mistakes: Mistakes) -> Result<Self, Failure> {
        let database_url = database_url(args.database_url, &mut mistakes);
        if database_url == "memory:" {
            mistakes.note(DATABASE_URL, "memory: forgets every booking; serve needs a database");
        }
        check_issuer(args.issuer.as_deref(), &mut mistakes);
        let mut verifier = JwtVerifier::builder(args.issuer.unwrap_or_default())
            .role_claims(args.role_claim)
            .authorized_parties(parties(&args.authorized_party, &args.listen, &mut mistakes));
        if args.issuer_key.is_some() && args.jwks_url.is_some() {
            mistakes.note(JWKS_URL, "is given beside --issuer-key: which of them is it?");
        }
        if let Some(url) = args.jwks_url {
            verifier = verifier.jwks_url(url);
        }
        match &args.issuer_key {
            None => check_verifier(&verifier, &mut mistakes),
            Some(file) => {
                if let Some(pem) = read(ISSUER_KEY, file, &mut mistakes) {
                    verifier = verifier.public_key_pem(pem);
                    check_verifier(&verifier, &mut mistakes);
                }
            }
        }
        let clerk_webhook_secret = args.clerk_webhook_secret.and_then(|text| {
            read_secret(&text).map_err(|why| mistakes.note(WEBHOOK_SECRET, why)).ok()
        });
        check_events(&args.events, &mut mistakes);
        let tls = args.reach.tls(&mut mistakes);
        mistakes.none()?;
        let ServeArgs { listen, events, reach, limits, stop, traces, .. } = args;
        Ok(Self {
            listen,
            database_url,
            verifier,
            clerk_webhook_secret,
            events,
            reach,
            tls,
            limits,
            stop,
            traces,
        })
    }
}

/// Must be there, and of a kind that there is.
pub(super) fn database_url(url: Option<String>, mistakes: &mut Mistakes) -> String {
    let url = url.unwrap_or_default();
    let kinds = ["postgres:", "postgresql:", "sqlite:", "memory:"];
    if url.is_empty() {
        missing(DATABASE_URL, mistakes);
    } else if !kinds.iter().any(|kind| url.starts_with(kind)) {
        // What it is instead may be a password.
        mistakes.note(DATABASE_URL, "must begin with postgres: or sqlite:");
    }
    url
}

fn missing(setting: &str, mistakes: &mut Mistakes) {
    if !mistakes.has(setting) {
        mistakes.note(setting, "is missing");
    }
}

fn check_issuer(issuer: Option<&str>, mistakes: &mut Mistakes) {
    match issuer.unwrap_or_default() {
        "" => missing(ISSUER, mistakes),
        issuer if !is_safe_issuer(issuer) => mistakes.note(
            ISSUER,
            "is an http URL that leads to another machine: anybody on the way could be the issuer",
        ),
        _ => {}
    }
}

/// Others than this machine can reach the server: then it is said whose tokens are accepted, be it
/// anybody's.
fn parties(named: &[String], listen: &SocketAddr, mistakes: &mut Mistakes) -> Vec<String> {
    let any = named.iter().any(|party| party == ANY_PARTY);
    if any && named.len() > 1 {
        mistakes.note(PARTIES, "has * beside others: * alone is anybody");
    }
    if named.iter().any(String::is_empty) {
        mistakes.note(PARTIES, "has an empty party");
    }
    if named.is_empty() && !listen.ip().is_loopback() {
        mistakes.note(
            PARTIES,
            "is missing, and others than this machine can reach the server: name the origins of \
             your applications, such as https://app.example.com, or * for tokens that the issuer \
             made out for anybody",
        );
    }
    if any { Vec::new() } else { named.to_vec() }
}

/// Made and dropped: the real one needs the directory, and so the database.
fn check_verifier(verifier: &JwtVerifierBuilder, mistakes: &mut Mistakes) {
    match verifier.clone().build() {
        Err(JwtSetupError::Key(key)) => match key {
            InvalidKey::Unreadable(_) => mistakes.note(ISSUER_KEY, "is not an RSA key in PEM"),
            key => mistakes.note(ISSUER_KEY, key),
        },
        Err(error @ JwtSetupError::UnsafeUrl { .. }) if !mistakes.has(ISSUER) => {
            mistakes.note(JWKS_URL, format_args!("or {ISSUER}: {error}"));
        }
        Err(JwtSetupError::UnsafeUrl { .. }) | Ok(_) => {}
        Err(error) => mistakes.note(JWKS_URL, error),
    }
}

fn check_events(events: &EventsArgs, mistakes: &mut Mistakes) {
    let files = [
        (NATS_CREDENTIALS, events.nats_credentials.as_deref()),
        (NATS_ROOTS, events.nats_root_certificates.as_deref()),
    ];
    for (setting, file) in files {
        let Some(file) = file else { continue };
        if events.nats_url.is_none() {
            mistakes.note(setting, "is given without --nats-url (BOOKING_NATS_URL)");
        }
        read(setting, file, mistakes);
    }
    events.calendars.check(mistakes);
}

fn read(setting: &str, file: impl AsRef<Path>, mistakes: &mut Mistakes) -> Option<Vec<u8>> {
    let file = file.as_ref();
    let unreadable = |error| mistakes.note(setting, format_args!("{}: {error}", file.display()));
    fs::read(file).map_err(unreadable).ok()
}
