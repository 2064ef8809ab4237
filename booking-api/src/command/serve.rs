//! `booking-api serve`, `migrate` and `openapi`.

use std::fs;
use std::sync::Arc;

use booking_core::{Booking, MemoryStore, RandomIds, SystemClock};

use super::backend::Backend;
use super::cli::{MigrateArgs, OpenapiArgs, ServeArgs};
use super::{Failure, logs, server};
use crate::{Api, AuthError, JwtVerifier, Verifier};

/// How far the issuer's clock may be from ours.
const LEEWAY_SECONDS: u64 = 5;

pub(super) async fn run(args: ServeArgs) -> Result<(), Failure> {
    let settings = Settings::of(args)?;
    if settings.database_url == "memory:" {
        return Err("memory: forgets every booking; serve needs a database".into());
    }
    logs::start();
    let key = fs::read(&settings.issuer_key)
        .map_err(|error| format!("cannot read --issuer-key: {error}"))?;
    let verifier = JwtVerifier::new(&settings.issuer, &key, LEEWAY_SECONDS)?;
    let backend = Backend::open(&settings.database_url).await?;
    let booking = backend.booking(Arc::new(SystemClock));
    let api = Api::new(booking, Arc::new(verifier)).with_directory(backend.directory);

    let acceptor = server::listen(settings.listen).await?;
    tracing::info!(address = %settings.listen, "listening");
    server::serve(acceptor, api.routes()).await
}

pub(super) async fn migrate(args: MigrateArgs) -> Result<(), Failure> {
    let mut missing = Vec::new();
    let url = required(args.database_url, "--database-url (BOOKING_DATABASE_URL)", &mut missing);
    complete(&missing)?;
    Backend::open(&url).await?;
    println!("the tables are up to date");
    Ok(())
}

pub(super) fn print_openapi(args: &OpenapiArgs) {
    let store = Arc::new(MemoryStore::default());
    let booking =
        Booking::new(store.clone(), store.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    let api = Api::new(booking, Arc::new(Nobody)).with_directory(store);
    if args.yaml {
        print!("{}", api.openapi_yaml());
    } else {
        println!("{}", api.openapi_json());
    }
}

struct Settings {
    listen: std::net::SocketAddr,
    database_url: String,
    issuer: String,
    issuer_key: std::path::PathBuf,
}

impl Settings {
    /// All that is missing is said at once.
    fn of(args: ServeArgs) -> Result<Self, Failure> {
        let mut missing = Vec::new();
        let settings = Self {
            listen: args.listen,
            database_url: required(
                args.database_url,
                "--database-url (BOOKING_DATABASE_URL)",
                &mut missing,
            ),
            issuer: required(args.issuer, "--issuer (BOOKING_ISSUER)", &mut missing),
            issuer_key: required(
                args.issuer_key,
                "--issuer-key (BOOKING_ISSUER_KEY)",
                &mut missing,
            ),
        };
        complete(&missing)?;
        Ok(settings)
    }
}

/// Notes the setting's name where it has no value.
fn required<T: Default>(
    value: Option<T>,
    name: &'static str,
    missing: &mut Vec<&'static str>,
) -> T {
    value.unwrap_or_else(|| {
        missing.push(name);
        T::default()
    })
}

fn complete(missing: &[&str]) -> Result<(), Failure> {
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("missing settings: {}", missing.join(", ")).into())
    }
}

/// The document needs no users.
struct Nobody;

#[async_trait::async_trait]
impl Verifier for Nobody {
    async fn verify(&self, _: &str) -> Result<booking_core::Actor, AuthError> {
        Err(AuthError::Rejected("nobody is signed in here".to_owned()))
    }
}
