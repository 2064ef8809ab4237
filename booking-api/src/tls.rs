//! How this server speaks TLS to others.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// By ring, and by the authorities that the machine trusts; by Mozilla's where it has none.
pub(crate) fn client() -> Result<ClientConfig, rustls::Error> {
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
