//! Where the tables are, and what a store shows of how it got there.

use booking_core::testing::Harness;
use booking_store::PostgresStore;

use super::server::{Database, sql};
use crate::old;

/// Somebody else's tables of the same names, and their list of migrations, are left alone.
#[tokio::test]
async fn a_schema_of_its_own_is_enough() {
    let database = Database::blank();
    let theirs = "
        CREATE TABLE meeting (what text);
        CREATE TABLE _sqlx_migrations (
            version bigint PRIMARY KEY, description text NOT NULL,
            installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL,
            checksum bytea NOT NULL, execution_time bigint NOT NULL
        );
        INSERT INTO _sqlx_migrations VALUES (20240101000000, 'theirs', now(), TRUE, 'x', 1);
        CREATE SCHEMA booking";
    sql(&database.url, theirs);
    let separator = if database.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}options[search_path]=booking,public", database.url);
    let store = PostgresStore::open(&url).await.unwrap();
    old::check_empty(Harness::new(store.into(), ())).await;
    PostgresStore::open(&url).await.expect("its own list of migrations");
    let untouched = "DO $$ BEGIN
        ASSERT (SELECT count(*) FROM public._sqlx_migrations) = 1;
        ASSERT (SELECT count(*) FROM public.meeting) = 0;
        ASSERT to_regclass('public.calendar') IS NULL;
    END $$";
    sql(&database.url, untouched);
}

#[tokio::test]
async fn a_store_does_not_show_its_password() {
    let database = Database::new();
    let separator = if database.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}password=open-sesame", database.url);
    let store = PostgresStore::open(&url).await.unwrap();
    let shown = format!("{store:?}");
    assert!(shown.contains("readers") && !shown.contains("sesame"), "{shown}");
}
