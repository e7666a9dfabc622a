//! Explains why a server's certificate is not accepted, and what to do about it.

use k8s_openapi::jiff::Timestamp;

/// The text that precedes the reason.
const BEFORE: &str = "invalid peer certificate: ";

/// Returns what is wrong with a server's certificate, from the text of an error; `None` if the error is another one.
pub(super) fn why_not_accepted(error: &str) -> Option<String> {
    let (_, reason) = error.split_once(BEFORE)?;
    let is = |words: &str| reason.contains(words);
    Some(if is("UnknownIssuer") || is("BadSignature") {
        "the API server's certificate is signed by no authority that is trusted here: certificate-authority-data of the \
         kubeconfig must be the certificate of the CA that signed it"
            .to_string()
    } else if is("CaUsedAsEndEntity") {
        "the API server's certificate is that of a CA (self-signed), which is not accepted as that of a server: give the \
         API server a certificate that the CA signed and that is none of a CA itself (CA:FALSE), and put the CA's into \
         certificate-authority-data of the kubeconfig"
            .to_string()
    } else if is("certificate expired") || is("Expired") {
        let when = date_after(reason, "not valid after ").map_or(String::new(), |date| format!(" on {date}"));
        format!("the API server's certificate expired{when}: renew it there, and see that the clock here is right")
    } else if is("not valid yet") || is("NotValidYet") {
        let when = date_after(reason, "not valid before ").map_or(String::new(), |date| format!(" before {date}"));
        format!("the API server's certificate is not valid{when} yet: see that the clocks here and there are right")
    } else if is("not valid for name") || is("NotValidForName") {
        format!(
            "the API server's certificate is for another name ({reason}): write a server that it is valid for into the \
             kubeconfig, or that name as tls-server-name, or add the address to the certificate"
        )
    } else if is("extended key usage") || is("InvalidPurpose") {
        "the API server's certificate is not meant for servers: give it one with the extended key usage serverAuth"
            .to_string()
    } else if is("UnsupportedCertVersion") {
        "the API server's certificate is of an old version of X.509: give it one of version 3, with a subjectAltName"
            .to_string()
    } else {
        format!(
            "the API server's certificate is not accepted ({reason}): see that it is valid, and signed by the CA of the kubeconfig"
        )
    })
}

/// Parses the seconds since 1970 that follow these words, and returns their date.
fn date_after(text: &str, words: &str) -> Option<String> {
    let (_, after) = text.split_once(words)?;
    let seconds = after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(Timestamp::from_second(seconds).ok()?.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::client::WebPkiServerVerifier;
    use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};

    struct Authority {
        certificate: CertificateDer<'static>,
        issuer: Issuer<'static, KeyPair>,
    }

    fn authority() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { certificate: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for `eu.example`, valid in 2030 and 2031.
    fn serving() -> CertificateParams {
        let mut params = CertificateParams::new(["eu.example".to_string()]).unwrap();
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2031, 12, 31);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params
    }

    /// The error of a client that trusts `root`, in that year.
    fn said_to(root: &CertificateDer<'static>, certificate: &CertificateDer<'_>, name: &str, year: u64) -> String {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600 + 86_400));
        let name = name.to_string().try_into().unwrap();
        let error = verifier.verify_server_cert(certificate, &[], &name, &[], now).unwrap_err();
        why_not_accepted(&format!("error trying to connect: {error}")).unwrap()
    }

    fn signed(by: &Authority, params: CertificateParams) -> CertificateDer<'static> {
        params.signed_by(&KeyPair::generate().unwrap(), &by.issuer).unwrap().der().clone()
    }

    #[test]
    fn certificate_errors_are_explained() {
        let (ours, other) = (authority(), authority());
        let certificate = signed(&ours, serving());
        let said = |name: &str, year: u64| said_to(&ours.certificate, &certificate, name, year);
        let unknown = said_to(&other.certificate, &certificate, "eu.example", 2030);
        assert!(unknown.contains("must be the certificate of the CA that signed it"), "{unknown}");
        let itself = said_to(&ours.certificate, &ours.certificate, "eu.example", 2030);
        assert!(itself.contains("is that of a CA (self-signed)") && !itself.contains("Other"), "{itself}");
        let expired = said("eu.example", 2033);
        assert!(expired.contains("certificate expired on 2031-12-31: renew it"), "{expired}");
        let early = said("eu.example", 2029);
        assert!(early.contains("not valid before 2030-01-01 yet"), "{early}");
        let elsewhere = said("us.example", 2030);
        assert!(elsewhere.contains("for another name") && elsewhere.contains("eu.example"), "{elsewhere}");
    }

    #[test]
    fn a_client_certificate_is_not_a_server_certificate() {
        let ours = authority();
        let mut params = serving();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let said = said_to(&ours.certificate, &signed(&ours, params), "eu.example", 2030);
        assert!(said.contains("extended key usage serverAuth"), "{said}");
    }

    #[test]
    fn other_errors_are_not_certificate_errors() {
        assert_eq!(why_not_accepted("tcp connect error: Connection refused"), None);
        let rare = why_not_accepted("invalid peer certificate: Revoked").unwrap();
        assert!(rare.contains("not accepted (Revoked)"), "{rare}");
    }
}
