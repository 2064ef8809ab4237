//! Generates the client from the document of a server: the file named by `BOOKING_OPENAPI`, or else the
//! golden copy.

use std::path::PathBuf;
use std::{env, fs};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    println!("cargo::rerun-if-env-changed=BOOKING_OPENAPI");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../booking-api/openapi.json");
    let path = env::var("BOOKING_OPENAPI").unwrap_or_else(|_| golden.to_owned());
    println!("cargo::rerun-if-changed={path}");

    // progenitor reads errors as JSON only when they are called so.
    let document =
        fs::read_to_string(path)?.replace("application/problem+json", "application/json");
    let document: openapiv3::OpenAPI = serde_json::from_str(&document)?;
    let mut settings = progenitor::GenerationSettings::default();
    settings.with_interface(progenitor::InterfaceStyle::Builder);
    let code = progenitor::Generator::new(&settings).generate_tokens(&document)?;
    let code = prettyplease::unparse(&syn::parse2(code)?);
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("client.rs"), code)?;
    Ok(())
}
