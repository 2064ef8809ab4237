//! The migrations are embedded and the statements checked against `.sqlx`: new ones have to be
//! noticed.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=.sqlx");
    println!("cargo:rerun-if-env-changed=BOOKING_STORE_SQLX_URL");
}
