//! TLS, with a certificate that may be replaced while the server runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// TLS 1.2 and 1.3 with a certificate from two files. Clones are the same.
#[derive(Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

/// Why there is no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCertificate {
    /// A file cannot be read, or has nothing of that kind in PEM.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: pem::Error,
    },
    /// The two do not belong together, or are not fit for a server.
    #[error("certificate and key do not serve")]
    Unusable(#[source] rustls::Error),
}

impl Tls {
    /// Reads the certificate, with those between it and its authority, and its private key.
    ///
    /// # Errors
    /// [`InvalidCertificate`] when a file cannot be read, or the two do not belong together.
    pub fn open(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, InvalidCertificate> {
        let (certificate, key) = (certificate.into(), key.into());
        let config = Arc::new(RwLock::new(read(&certificate, &key)?));
        Ok(Self { certificate, key, config })
    }

    /// Reads both files again: connections from now on get the new certificate.
    ///
    /// # Errors
    /// [`InvalidCertificate`]; everything stays as it was then.
    pub fn reload(&self) -> Result<(), InvalidCertificate> {
        let config = read(&self.certificate, &self.key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner).clone();
        TlsAcceptor::from(config).accept(stream).await
    }
}

/// Where the files are is enough said.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, key, config: _ } = self;
        let mut tls = f.debug_struct("Tls");
        tls.field("certificate", certificate).field("key", key).finish_non_exhaustive()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, InvalidCertificate> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |cause| InvalidCertificate::Unreadable { path, cause }
    };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(unreadable(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(InvalidCertificate::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key);
    let mut config = config.map_err(InvalidCertificate::Unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
