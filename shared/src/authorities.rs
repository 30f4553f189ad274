//! Whom to believe certificates from: the authorities that the system knows, of one file for AWS and for receivers.
//!
//! Left to themselves, the SDK's client and the sender's read every file of the system's folder of certificates, and
//! the sender does so for each of its clients: most of what a function did until it asked for its first event.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
    runtime_components::RuntimeComponents,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Where Amazon Linux, and Debian, keep all authorities in one file.
const BUNDLES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// What says that others are meant than the system's.
const CHOSEN_BY: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Authorities that are believed. Clones are the same.
#[derive(Debug, Clone)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
    /// The file that they all come from, as it is; without, the SDK looks for them itself.
    bundle: Option<Arc<[u8]>>,
}

/// A certificate that is none.
#[derive(Debug, thiserror::Error)]
#[error("an authority's certificate cannot be read")]
pub struct NotACertificate(#[source] rustls::Error);

impl Authorities {
    /// Those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, and otherwise those that the system knows. Reads files.
    pub fn of_system() -> Self {
        let chosen = CHOSEN_BY.iter().any(|name| std::env::var_os(name).is_some());
        let bundle = || BUNDLES.iter().find_map(|path| Self::of_bundle(fs::read(path).ok()?));
        if chosen { None } else { bundle() }.unwrap_or_else(Self::wherever)
    }

    /// Those of a file of certificates; `None` if there is one among them that the SDK would not take.
    fn of_bundle(pem: Vec<u8>) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.ok()?).ok()?;
        }
        (!roots.is_empty()).then(|| Self { roots: Arc::new(roots), bundle: Some(pem.into()) })
    }

    /// Those that are found in all the places where systems have them.
    fn wherever() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self { roots: Arc::new(roots), bundle: None }
    }

    /// Whether nobody is believed.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// These and one more, for receivers.
    ///
    /// # Errors
    ///
    /// If this is no certificate.
    pub fn and(mut self, certificate: &[u8]) -> Result<Self, NotACertificate> {
        let certificate = CertificateDer::from(certificate.to_vec());
        Arc::make_mut(&mut self.roots).add(certificate).map_err(NotACertificate)?;
        Ok(self)
    }

    /// The TLS of a client that believes them and speaks HTTP/1.1.
    ///
    /// # Errors
    ///
    /// None that is known: the provider is asked for the versions that it has.
    pub(crate) fn tls(&self) -> Result<ClientConfig, rustls::Error> {
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let tls = tls.with_safe_default_protocol_versions()?;
        let mut tls = tls.with_root_certificates(Arc::clone(&self.roots)).with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(tls)
    }

    /// The SDK's HTTP client, which believes them.
    pub fn aws(&self) -> SharedHttpClient {
        let trusted = match &self.bundle {
            Some(pem) => TrustStore::empty().with_pem_certificate(pem.to_vec()),
            None => TrustStore::default(),
        };
        SharedHttpClient::new(Aws { trusted, connectors: Mutex::default() })
    }
}

/// The SDK's client as it is by default, but for whom it believes; and it does so when it first connects. By default it reads
/// certificates for each service when its client is made, and throws them away.
#[derive(Debug)]
struct Aws {
    trusted: TrustStore,
    /// One for each pair of timeouts, for connecting and for reading.
    connectors: Mutex<HashMap<[Option<Duration>; 2], SharedHttpConnector>>,
}

impl HttpClient for Aws {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = connectors.entry([settings.connect_timeout(), settings.read_timeout()]);
        let connect = || SharedHttpConnector::new(self.connector(settings, components));
        connector.or_insert_with(connect).clone()
    }
}

impl Aws {
    fn connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> Connector {
        let mut connector =
            Connector::builder().connector_settings(settings.clone()).proxy_config(ProxyConfig::from_env());
        connector.set_sleep_impl(components.sleep_impl());
        let connector = connector.tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        match TlsContext::builder().with_trust_store(self.trusted.clone()).build() {
            Ok(trusting) => connector.tls_context(trusting).build(),
            // Not known to happen; those of the system, then.
            Err(_) => connector.build(),
        }
    }
}
