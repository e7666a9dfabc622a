//! Certificates, and the kubeconfigs that contain them.
//!
//! Each cluster has its own certificate authority. Clients verify the server with its certificate, and the server its
//! users.

use crate::Error;
use crate::flags::file;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The group with all permissions.
const ADMINISTRATORS: &str = "system:masters";

/// The credentials of a user.
pub(crate) enum Proof {
    /// A certificate and its key, as PEM.
    Certificate(String, String),
    /// A bearer token.
    Token(String),
}

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Creates an authority, the server's certificate and the tokens' key in `folder`.
    pub(crate) fn found(folder: &Path) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let certificate = authority().self_signed(&key)?;
        write(&folder.join(file::AUTHORITY), &certificate.pem())?;
        write(&folder.join(file::AUTHORITY_KEY), &key.serialize_pem())?;

        let authority = Self { issuer: Issuer::new(self::authority(), key) };
        let mut serving = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        serving.distinguished_name = named("kube-apiserver", None);
        serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (certificate, key) = authority.sign(serving)?;
        write(&folder.join(file::SERVING), &certificate)?;
        write(&folder.join(file::SERVING_KEY), &key)?;
        let tokens = KeyPair::generate()?;
        write(&folder.join(file::TOKENS), &tokens.public_key_pem())?;
        write(&folder.join(file::TOKENS_KEY), &tokens.serialize_pem())?;
        Ok(authority)
    }

    /// Loads the authority of `folder`.
    pub(crate) fn of(folder: &Path) -> Result<Self, Error> {
        let key = KeyPair::from_pem(&read(&folder.join(file::AUTHORITY_KEY))?)?;
        Ok(Self { issuer: Issuer::new(authority(), key) })
    }

    /// Returns credentials of the user `name`, member of `group`.
    pub(crate) fn user(&self, name: &str, group: Option<&str>) -> Result<Proof, Error> {
        let mut user = CertificateParams::default();
        user.distinguished_name = named(name, group);
        user.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (certificate, key) = self.sign(user)?;
        Ok(Proof::Certificate(certificate, key))
    }

    /// Returns credentials of the administrator.
    pub(crate) fn administrator(&self) -> Result<Proof, Error> {
        self.user("admin", Some(ADMINISTRATORS))
    }

    fn sign(&self, mut params: CertificateParams) -> Result<(String, String), Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("stablekey-clusters", None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Kubernetes takes the common name as the user, and the organization as its group.
fn named(name: &str, group: Option<&str>) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    if let Some(group) = group {
        named.push(DnType::OrganizationName, group);
    }
    named
}

/// Writes the kubeconfig of one user of the cluster `name` at `server`, whose authority is in `folder`.
///
/// Cluster, context and user are called `name`, so that several kubeconfigs can be merged.
pub(crate) fn write_kubeconfig(path: &Path, name: &str, server: &str, folder: &Path, user: Proof) -> Result<(), Error> {
    let encoded = |pem: &str| Value::String(BASE64_STANDARD.encode(pem));
    let authority = read(&folder.join(file::AUTHORITY))?;
    let user = match user {
        Proof::Certificate(certificate, key) => {
            json!({"client-certificate-data": encoded(&certificate), "client-key-data": encoded(&key)})
        }
        Proof::Token(token) => json!({"token": token}),
    };
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": encoded(&authority)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    });
    write(path, &format!("{kubeconfig:#}\n"))
}

/// Writes a file that only its owner may read.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let what = || Error::io(path.display().to_string());
    let mut file =
        std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(path).map_err(what())?;
    file.write_all(text.as_bytes()).map_err(what())
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(Error::io(path.display().to_string()))
}
