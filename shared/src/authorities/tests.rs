use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// As it stands in a bundle.
fn pem(authority: &Authority) -> String {
    let der = BASE64_STANDARD.encode(authority.as_ref().der());
    format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n")
}

/// Something on this machine that has a certificate of an authority and gives everybody the same secret.
async fn secrets_manager(authority: &Authority) -> String {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, authority).expect("a certificate").der().clone();
    let tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.serialize_der().try_into().expect("a key"));
    let (acceptor, listener) = (
        TlsAcceptor::from(Arc::new(tls.expect("a key of the certificate"))),
        TcpListener::bind("localhost:0").await.expect("a port"),
    );
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A caller who does not believe the certificate hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let answer =
                "HTTP/1.1 200 OK\r\ncontent-length: 20\r\nconnection: close\r\n\r\n{\"SecretString\":\"s\"}";
            stream.write_all(answer.as_bytes()).await.expect("a caller");
            let _ = stream.shutdown().await;
        }
    });
    format!("https://localhost:{port}")
}

/// What AWS answers to a client that believes these.
async fn secret_of(endpoint: &str, authorities: &Authorities) -> Option<String> {
    let credentials = Credentials::from_keys("key", "secret", None);
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .http_client(authorities.aws())
        .region(Region::new("us-east-1"))
        .retry_config(RetryConfig::disabled())
        .build();
    let call = aws_sdk_secretsmanager::Client::new(&sdk).get_secret_value().secret_id("s");
    call.send().await.ok()?.secret_string
}

#[tokio::test]
async fn aws_is_believed_by_the_authorities_of_the_bundle_and_by_no_others() {
    let (ours, other) = (authority(), authority());
    let endpoint = secrets_manager(&ours).await;
    let bundle = |authorities: &[&Authority]| {
        let pems: String = authorities.iter().map(|authority| pem(authority)).collect();
        Authorities::of_bundle(pems.into_bytes()).expect("authorities")
    };
    assert_eq!(secret_of(&endpoint, &bundle(&[&ours])).await.as_deref(), Some("s"));
    assert_eq!(secret_of(&endpoint, &bundle(&[&other, &ours])).await.as_deref(), Some("s"));
    assert_eq!(secret_of(&endpoint, &bundle(&[&other])).await, None);
    assert_eq!(secret_of(&endpoint, &Authorities::of_system()).await, None);
}

#[test]
fn a_bundle_with_one_bad_certificate_is_left_to_who_reads_around_it() {
    let good = pem(&authority());
    let of = |pem: &str| Authorities::of_bundle(pem.as_bytes().to_vec()).map(|found| found.roots.len());
    assert_eq!(of(&good), Some(1));
    assert_eq!(of(&format!("# a comment\n{good}{good}")), Some(2));
    assert_eq!(of(""), None);
    assert_eq!(of("no certificate"), None);
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(of(&format!("{good}{bad}")), None);
}

#[test]
fn the_system_has_authorities() {
    assert!(!Authorities::of_system().is_empty());
    assert!(!Authorities::wherever().is_empty());
}
