//! The API inside your own poem app, with your own way to tell who is asking.
//! `cargo run -p booking-examples --bin mount` and then
//! `curl -H 'Authorization: Bearer client:ann' http://127.0.0.1:3000/scheduling/api/booking/meetings`:
//! an empty list. `Bearer admin:root` may fill the directory; the README shows how.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use async_trait::async_trait;
use booking_api::{Api, AuthError, Session, Verifier};
use booking_core::{Actor, Booking, MemoryStore, RandomIds, SystemClock, UserId};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{Route, Server, get, handler};

/// Stands for your sessions, API keys or identity provider. This one believes everybody: never do
/// that outside an example.
struct TakeTheirWord;

#[async_trait]
impl Verifier for TakeTheirWord {
    async fn verify(&self, token: &str) -> Result<Session, AuthError> {
        let rejected = || AuthError::Rejected("not of the form role:id".to_owned());
        let (role, id) = token.split_once(':').ok_or_else(rejected)?;
        let role = role.parse().map_err(|_| rejected())?;
        Ok(Actor { id: UserId::new(id).map_err(|_| rejected())?, role }.into())
    }
}

#[handler]
fn home() -> &'static str {
    "The rest of your service. Bookings are under /scheduling.\n"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(MemoryStore::default());
    let booking =
        Booking::new(store.clone(), store.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    let api = Api::new(booking, Arc::new(TakeTheirWord)).with_directory(store);
    let app = Route::new().at("/", get(home)).nest("/scheduling", api.routes());

    let port = std::env::args().nth(1).unwrap_or_else(|| "3000".to_owned());
    let acceptor = TcpListener::bind(format!("127.0.0.1:{port}")).into_acceptor().await?;
    for address in acceptor.local_addr() {
        println!("listening on {address}");
    }
    Ok(Server::new_with_acceptor(acceptor).run(app).await?)
}
