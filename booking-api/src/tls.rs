//! How this server speaks TLS to others.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// By ring, and by the authorities that the machine trusts; by Mozilla's where it has none. They are
/// read once, and shared by all who ask.
pub(crate) fn client() -> Result<ClientConfig, rustls::Error> {
    static SHARED: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(shared) = SHARED.get() {
        return Ok(shared.clone());
    }
    let made = make()?;
    Ok(SHARED.get_or_init(|| made).clone())
}

fn make() -> Result<ClientConfig, rustls::Error> {
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?;
    let mozilla = || RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = match builder.clone().with_platform_verifier() {
        Ok(verified) => verified,
        Err(_) => builder.with_root_certificates(mozilla()),
    };
    Ok(builder.with_no_client_auth())
}
