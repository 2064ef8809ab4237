//! What is compared against: a poem-openapi server with nothing in it but the endpoints themselves,
//! in a process of its own. No limits, no metrics, no request ids, no problems.

use std::net::SocketAddr;
use std::sync::Arc;

use booking_api::{JwtVerifier, Verifier};
use bytes::Bytes;
use poem::http::{StatusCode, header};
use poem::listener::TcpListener;
use poem::{Request, Route, Server};
use poem_openapi::payload::{Binary, Response};
use poem_openapi::{OpenApi, OpenApiService};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::Fallible;
use crate::issuer::ISSUER;

/// The first word of the command line for such a server.
pub(crate) const WORD: &str = "bare-server";

/// As many as `booking-api serve` has for reading.
const CONNECTIONS: u32 = 8;

struct Endpoints {
    body: Bytes,
    verifier: Arc<JwtVerifier>,
    connections: PgPool,
}

type Answer = poem::Result<Response<Binary<Bytes>>>;

#[OpenApi]
impl Endpoints {
    /// The body, for anybody.
    #[oai(path = "/open", method = "get")]
    async fn open(&self) -> Answer {
        self.answer()
    }

    /// The body, for a good token.
    #[oai(path = "/signed-in", method = "get")]
    async fn signed_in(&self, request: &Request) -> Answer {
        self.verify(request).await?;
        self.answer()
    }

    /// The body, for a good token, after one round trip to Postgres.
    #[oai(path = "/select-1", method = "get")]
    async fn select(&self, request: &Request) -> Answer {
        self.verify(request).await?;
        let one: i32 = sqlx::query_scalar("SELECT 1")
            .fetch_one(&self.connections)
            .await
            .map_err(poem::error::InternalServerError)?;
        if one == 1 { self.answer() } else { Err(StatusCode::INTERNAL_SERVER_ERROR.into()) }
    }
}

impl Endpoints {
    fn answer(&self) -> Answer {
        Ok(Response::new(Binary(self.body.clone())).header("content-type", "application/json"))
    }

    /// By the verifier of `booking-api`, which remembers tokens.
    async fn verify(&self, request: &Request) -> poem::Result<()> {
        let header = request.header(header::AUTHORIZATION).unwrap_or_default();
        let token = header.strip_prefix("Bearer ").ok_or(StatusCode::UNAUTHORIZED)?;
        let session = self.verifier.verify(token).await;
        session.map(drop).map_err(|_| StatusCode::UNAUTHORIZED.into())
    }
}

/// Serves until it is killed. The arguments: where to listen, the database, a file with the body,
/// and one with the issuer's key.
pub(crate) async fn run(arguments: &[String]) -> Fallible<()> {
    let [address, database_url, body, key] = arguments else {
        return Err("for the load tool's own use".into());
    };
    let address: SocketAddr = address.parse()?;
    let verifier = JwtVerifier::builder(ISSUER).public_key_pem(std::fs::read(key)?).build()?;
    let connections = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .test_before_acquire(false)
        .connect_lazy(database_url)?;
    let body = Bytes::from(std::fs::read(body)?);
    let endpoints = Endpoints { body, verifier: Arc::new(verifier), connections };
    let service = OpenApiService::new(endpoints, "bare", "1");
    Ok(Server::new(TcpListener::bind(address)).run(Route::new().nest("/", service)).await?)
}
