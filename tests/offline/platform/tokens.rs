//! Tokens and hosts under attack: each case is one clear error with what to do, and no token is sent.

use super::{Workplace, every_kind, started};
use stablekey_platform::{Answer, Fault, Platform, Region, Server, seed};

fn tenant(url: &str, token: &str) -> String {
    format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: us-prod}}\nspec:\n  location:\n    prismatic:\n      url: \
         \"{url}\"\n{token}"
    )
}

fn planned(ours: &Workplace, server: &Server, token: &str) -> super::Ran {
    ours.write("tenants.yaml", &tenant(&server.url(), token));
    ours.plan(&[])
}

const PROFILE: &str = "      tokenFrom: {profile: us}\n";

/// A pull request changes the url: the token of the profile belongs to another stack.
#[test]
fn a_changed_url_gets_no_token() {
    let (us, evil) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = Workplace::with_profiles(&[("us", &us)]);
    let url = evil.url();
    let plan = planned(&ours, &evil, PROFILE).exits(1).prints("prism's profile us belongs to");
    plan.prints(&format!("and the Tenant's url is {url}: the token is not sent there"));
    let ours = Workplace::new().variable("PRISM_REFRESH_TOKEN", "CANARY-refresh").variable("PRISMATIC_URL", &us.url());
    planned(&ours, &evil, "").exits(1).prints("PRISM_REFRESH_TOKEN belongs to");
    let ours = Workplace::new().variable("STABLEKEY_TOKEN_US", "CANARY-refresh");
    let plan = planned(&ours, &evil, "      tokenFrom: {env: STABLEKEY_TOKEN_US}\n").exits(1);
    plan.prints("STABLEKEY_TOKEN_US belongs to the platform's public stacks (STABLEKEY_HOSTS is not set)");
    assert_eq!((evil.counts().requests, evil.take_token_requests().len()), (0, 0), "nothing was sent");
    // Whoever holds the token may allow the host.
    let host = evil.url().replace("http://", "");
    let ours = Workplace::new().variable("STABLEKEY_TOKEN_EU", "CANARY-refresh").variable("STABLEKEY_HOSTS", &host);
    planned(&ours, &evil, "      tokenFrom: {env: STABLEKEY_TOKEN_EU}\n").exits(0);
}

#[test]
fn not_every_variable_is_a_token() {
    let us = every_kind(Region::Us);
    let ours = Workplace::new().variable("AWS_SECRET_ACCESS_KEY", "CANARY");
    let plan = planned(&ours, &us, "      tokenFrom: {env: AWS_SECRET_ACCESS_KEY}\n").exits(1);
    plan.prints("spec.location.prismatic.tokenFrom.env");
    assert_eq!(us.take_token_requests().len(), 0);
}

#[test]
fn what_is_no_api_is_named() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.write("tenants.yaml", &tenant(&us.url(), PROFILE));
    let login = Answer { body: "<html><title>Log in</title>CANARY</html>".into(), ..Answer::html(200) };
    let proxy = Answer { body: "<html>Blocked by the proxy CANARY</html>".into(), ..Answer::html(200) };
    for (fault, why) in [
        (Answer::html(200), "it answers with a web page"),
        (login, "it answers with a web page, not as the platform's API does: a page to log in"),
        (proxy, "it seems to be that of a proxy"),
        (Answer::redirect("http://127.0.0.1:9/"), "it redirects elsewhere, which is never followed"),
        (Answer::json(200, "CANARY"), "the answer is not JSON"),
        (Answer::json(200, ""), "the answer is empty"),
        (Answer::json(200, "{\"data\": {\"authenti"), "the answer is incomplete"),
        (Answer::json(200, "[\"CANARY\"]"), "a part of the answer has another type than expected"),
        (Answer::json(200, "{}"), "there is neither data nor an error"),
        (Answer::json(404, "{}"), "HTTP 404"),
        (Answer::json(403, "{}"), "the user of prism's profile us may not do this"),
        (
            Answer::json(200, "{\"errors\": [{\"message\": \"Signature has expired\"}]}"),
            "prism's profile us is not accepted",
        ),
    ] {
        us.clear_faults();
        for _ in 0..6 {
            us.fault_on("StablekeyIdentity", 0, Fault::Answer(fault.clone()));
        }
        ours.plan(&[]).exits(1).prints(why).prints("us-prod 1 unreachable");
    }
    us.clear_faults();
    for (fault, why) in [
        (Answer::html(200), "it answers with a web page"),
        (Answer::json(401, "{\"error\":\"invalid_grant\"}"), "the token from prism's profile us is not accepted"),
        (Answer::redirect("http://127.0.0.1:9/"), "it redirects elsewhere"),
    ] {
        us.clear_faults();
        for _ in 0..12 {
            us.fault_on("/auth/refresh", 0, Fault::Answer(fault.clone()));
        }
        ours.plan(&[]).exits(1).prints(why);
    }
}

/// An access token that the platform no longer accepts is exchanged; without a refresh token it is an error.
#[test]
fn a_token_that_expired_says_what_to_do() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.write("tenants.yaml", &tenant(&us.url(), PROFILE));
    ours.plan(&[]).exits(0);
    let ours = Workplace::new().variable("PRISM_ACCESS_TOKEN", "CANARY-other").variable("PRISMATIC_URL", &us.url());
    let plan = planned(&ours, &us, "").exits(1).prints("the token from PRISM_ACCESS_TOKEN is not accepted");
    plan.prints("prism login");
}

/// "the wrong one of several tenants".
#[test]
fn of_several_organizations_the_named_one_is_read() {
    let stores = [Region::Us, Region::Eu].map(|region| seed::every_kind(region).unwrap());
    let [us, eu] = stores;
    let (us_id, eu_id) = (us.tenant_id.clone(), eu.tenant_id.clone());
    let server = started(Platform::new(us).and(eu));
    let ours = Workplace::with_profiles(&[("us", &server)]);
    let of = |id: &str| format!("{PROFILE}      tenantId: {id}\n");
    planned(&ours, &server, &of(&eu_id)).exits(0);
    let wrong = planned(&ours, &server, &of("6f0c1a52-0000-4c1d-8a55-000000000000")).exits(1);
    wrong.prints("has no access to the organization with the tenantId 6f0c1a52-0000");
    // An access token is for one of them.
    let token = server.token_of(&us_id).unwrap();
    let ours = Workplace::new().variable("PRISM_ACCESS_TOKEN", &token).variable("PRISMATIC_URL", &server.url());
    ours.write("tenants.yaml", &tenant(&server.url(), &format!("      tenantId: {eu_id}\n")));
    let output = ours.command(&["plan", "--allow-loopback"]).output().unwrap();
    let wrong = super::Ran::of(&["plan"], &output).exits(1);
    wrong.prints("the token is for organization Acme Corp (US)");
}
