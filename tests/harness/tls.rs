//! Certificates, good and bad, and the servers that present them.

use std::{
    io::{self, Write},
    ops::Range,
    sync::Arc,
};

use knockback::authorities::Authorities;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, Stream,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use crate::socket::{Socket, read_request};

/// The years in which a certificate is valid today.
pub const NOW: Range<i32> = 2020..2100;

/// An authority that signs certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as a server presents it.
#[derive(Debug, Clone)]
pub struct Identity(Arc<ServerConfig>);

impl Authority {
    /// A new one with this name.
    ///
    /// # Panics
    ///
    /// If no certificate can be made.
    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"),
        )
    }

    /// It and those of the system.
    ///
    /// # Panics
    ///
    /// If its own certificate cannot be read again.
    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    pub fn trusted(&self) -> Authorities {
        Authorities::of_system().and(self.0.as_ref().der()).expect("a certificate")
    }

    /// A certificate for a host, valid from the begin of the first year to the begin of the last.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    pub fn identity(&self, host: &str, years: &Range<i32>) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(host, years).signed_by(&key, &self.0).expect("a certificate");
        Identity::new(certificate.der().clone(), &key)
    }
}

impl Identity {
    /// One that nobody but itself has signed.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    pub fn self_signed(host: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(host, &NOW).self_signed(&key).expect("a certificate");
        Self::new(certificate.der().clone(), &key)
    }

    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        Self(Arc::new(config.expect("a key of the certificate")))
    }

    /// The same on a server that speaks these protocols only, such as `h2`.
    #[must_use]
    pub fn speaking(&self, protocols: &[&str]) -> Self {
        let mut config = (*self.0).clone();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }

    /// Reads one request and answers it with this, over TLS.
    ///
    /// # Errors
    ///
    /// If the other side does not like the certificate, or has closed.
    pub fn answer(&self, socket: &mut Socket, answer: &[u8]) -> io::Result<()> {
        let mut connection = ServerConnection::new(Arc::clone(&self.0)).map_err(io::Error::other)?;
        let mut stream = Stream::new(&mut connection, socket);
        let read = read_request(&mut stream);
        if read.is_ok() {
            stream.write_all(answer)?;
        }
        // What is left: the answer, or the alert that says why there is none.
        while connection.wants_write() {
            connection.write_tls(socket)?;
        }
        read
    }
}

#[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
fn params(host: &str, years: &Range<i32>) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    params
}
