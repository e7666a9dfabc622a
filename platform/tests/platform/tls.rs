use crate::client::{self, store};
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use stablekey_platform::{Platform, Server};
use std::io::BufReader;
use std::net::TcpStream;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

#[test]
fn a_server_speaks_tls_with_a_given_certificate() {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let leaf = CertificateParams::new(vec!["localhost".to_string()]).unwrap().signed_by(&key, &issuer).unwrap();
    let builder = Server::builder(Platform::new(store())).token("token");
    let server = builder.tls(&leaf.pem(), &key.serialize_pem()).start().unwrap();
    assert!(server.url().starts_with("https://127.0.0.1:"));

    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(server.url().strip_prefix("https://").unwrap()).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(session, stream));
    let body = r#"{"query": "{authenticatedUser {name}}"}"#;
    client::write(stream.get_mut(), "POST", "/api", &[("Authorization", "Bearer token")], body).unwrap();
    let reply = client::read(&mut stream).unwrap();
    assert_eq!((reply.status, &*reply.body), (200, r#"{"data":{"authenticatedUser":{"name":"Ada"}}}"#));
}

#[test]
fn a_wrong_certificate_is_an_error() {
    let start = |certificate: &str, key: &str| Server::builder(Platform::new(store())).tls(certificate, key).start();
    assert!(start("", "nope").is_err());
    assert!(start("-----BEGIN CERTIFICATE-----\nnope\n-----END CERTIFICATE-----\n", "").is_err());
}
