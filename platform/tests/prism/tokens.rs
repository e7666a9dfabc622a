//! Who asks: access tokens and refresh tokens.

use crate::prism::{Prism, store, us};
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use stablekey_platform::{Platform, Region, Server, ServerBuilder, seed};
use std::net::{IpAddr, Ipv4Addr};

const NOT_AUTHENTICATED: &str = "ClientError: Not authenticated. Run 'prism login' or select another profile.";

#[test]
fn me_is_the_user_of_the_access_token() {
    let server = us();
    let text = Prism::of(&server).run(&["me"]).text();
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    assert_eq!((line("Name"), line("Email")), (Some("Ada"), Some("ada@example.invalid")), "{text}");
    assert_eq!((line("Organization"), line("Tenant ID")), (Some("Acme Corp (US)"), Some(Region::Us.tenant_id())));
    let requests = server.take_requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((request.client.as_deref(), request.authorization.as_deref()), (Some("prism"), Some("Bearer token")));
    // An access token is used as it is.
    assert_eq!(server.take_token_requests(), []);
}

#[test]
fn me_token_asks_nothing() {
    let server = us();
    assert_eq!(Prism::of(&server).run(&["me:token"]).text(), "token\n");
    assert_eq!((server.counts().requests, server.take_token_requests()), (0, vec![]));
}

#[test]
fn an_expired_token_is_an_error() {
    let server = us();
    server.expire_tokens();
    let prism = Prism::of(&server);
    assert_eq!(prism.run(&["me"]).failure(), (1, NOT_AUTHENTICATED));
    let error = "Error: GraphQL query failed: GraphQL Error (Code: 401)";
    assert_eq!(prism.run(&["graphql:query", "{authenticatedUser {name}}"]).failure(), (2, error));
}

/// A server with TLS, since prism exchanges refresh tokens over https only, and the certificate of its authority.
fn with_tls(server: ServerBuilder) -> (Server, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    // With one name for both, the server's certificate would count as self-signed.
    authority.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = vec![rcgen::SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
    let leaf = leaf.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    (server.tls(&leaf.pem(), &key.serialize_pem()).start().unwrap(), root.pem())
}

/// prism with the refresh token of a server.
fn refreshing(server: &Server, authority: &str) -> Prism {
    let prism = Prism::without_token(server).with("PRISM_REFRESH_TOKEN", &server.refresh_token());
    let file = prism.file("authority.pem", authority);
    prism.with("NODE_EXTRA_CA_CERTS", &file)
}

/// The requests for tokens: the path, the organization, and the status.
fn exchanges(server: &Server) -> Vec<(String, Option<String>, u16)> {
    server.take_token_requests().into_iter().map(|request| (request.path, request.tenant_id, request.status)).collect()
}

#[test]
fn a_refresh_token_is_exchanged_for_an_access_token() {
    let platform = Platform::new(store()).and(seed::every_kind(Region::Eu).unwrap());
    let (server, authority) = with_tls(Server::builder(platform));
    let exchange = |tenant: Option<&str>, status| {
        let meta = ("/auth/meta".to_string(), None, 200);
        vec![meta, ("/oauth/token".to_string(), tenant.map(str::to_string), status)]
    };
    let prism = refreshing(&server, &authority);
    let text = prism.run(&["me"]).text();
    assert!(text.contains("Organization: Acme Corp (US)"), "{text}");
    // Without a tenant prism sends none.
    assert_eq!(exchanges(&server), exchange(None, 200));

    let prism = prism.with("PRISMATIC_TENANT_ID", Region::Eu.tenant_id());
    let text = prism.run(&["me"]).text();
    assert!(text.contains("Organization: Acme Corp (EU)"), "{text}");
    assert_eq!(exchanges(&server), exchange(Some(Region::Eu.tenant_id()), 200));

    let prism = prism.with("PRISMATIC_TENANT_ID", "nope");
    let error = "Error: Access denied for tenant ID 'nope'. You do not have access to the specified tenant.";
    assert_eq!(prism.run(&["me"]).failure(), (1, error));
    assert_eq!(exchanges(&server), exchange(Some("nope"), 403));
}

#[test]
fn a_revoked_refresh_token_is_an_error() {
    let (server, authority) = with_tls(Server::builder(Platform::new(store())));
    let prism = refreshing(&server, &authority);
    let revoked = prism.run(&["me:token:revoke", "--no-confirm"]);
    assert_eq!((revoked.code, &*revoked.output), (Some(0), "All refresh tokens for your user have been revoked.\n"));
    assert!(exchanges(&server).contains(&("/auth/revoke".to_string(), None, 200)));
    server.take_requests();
    assert_eq!(prism.run(&["me"]).failure(), (1, NOT_AUTHENTICATED));
    assert_eq!(exchanges(&server).last().unwrap(), &("/oauth/token".to_string(), None, 403));
    // It goes on without a token.
    assert_eq!(server.take_requests()[0].authorization.as_deref(), Some("Bearer undefined"));
}

#[test]
fn an_access_token_that_ends_soon_is_refreshed() {
    let (server, authority) = with_tls(Server::builder(Platform::new(store())).token_lifetime(60));
    let old = server.token();
    let prism = refreshing(&server, &authority).with("PRISM_ACCESS_TOKEN", &old);
    let new = prism.run(&["me:token"]).text();
    assert!(new.trim_end() == server.token() && new.trim_end() != old);
}
