//! Tokens of the one user that a stack has here: a refresh token for all its organizations, access tokens for one each.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// How long an access token is valid, in seconds: a week.
pub const LIFETIME: u64 = 604_800;

/// Issued tokens.
#[derive(Clone)]
pub struct Tokens {
    refresh: String,
    is_revoked: bool,
    /// The access token of each organization where the test gives its text.
    fixed: Vec<Option<String>>,
    tenants: Vec<String>,
    issued: Vec<Issued>,
    lifetime: u64,
    count: u64,
}

#[derive(Clone)]
struct Issued {
    token: String,
    tenant: usize,
    expires: u64,
}

/// Why a refresh token is not exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The refresh token is wrong or revoked.
    Grant,
    /// The user has no such organization.
    Tenant,
}

impl Tokens {
    pub(crate) fn new(tenants: Vec<String>) -> Self {
        Tokens {
            refresh: "refresh-token".into(),
            is_revoked: false,
            fixed: vec![None; tenants.len()],
            tenants,
            issued: Vec::new(),
            lifetime: LIFETIME,
            count: 0,
        }
    }

    pub(crate) fn fix(&mut self, tenant: usize, token: &str) {
        if let Some(fixed) = self.fixed.get_mut(tenant) {
            *fixed = Some(token.into());
        }
    }

    pub(crate) fn set_refresh(&mut self, token: &str) {
        self.refresh = token.into();
    }

    pub(crate) fn set_lifetime(&mut self, seconds: u64) {
        self.lifetime = seconds;
    }

    pub(crate) fn refresh_token(&self) -> &str {
        &self.refresh
    }

    pub(crate) fn lifetime(&self) -> u64 {
        self.lifetime
    }

    /// Returns the newest access token of an organization.
    pub(crate) fn newest(&self, tenant: usize) -> Option<&str> {
        self.issued.iter().rev().find(|issued| issued.tenant == tenant).map(|issued| &*issued.token)
    }

    /// Issues an access token: the text that the test gave, or a JWT that nobody signed.
    pub(crate) fn issue(&mut self, tenant: usize) -> String {
        self.count += 1;
        let expires = now() + self.lifetime;
        let token = match self.fixed.get(tenant).cloned().flatten() {
            Some(fixed) => fixed,
            None => {
                let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
                let claims =
                    json!({"sub": "ada", "tenantId": self.tenants.get(tenant), "exp": expires, "jti": self.count});
                format!("{}.{}.", part(json!({"alg": "none", "typ": "JWT"})), part(claims))
            }
        };
        self.issued.retain(|issued| issued.token != token);
        self.issued.push(Issued { token: token.clone(), tenant, expires });
        token
    }

    /// Exchanges a refresh token. Without a tenant id the first organization is meant.
    pub(crate) fn exchange(&mut self, refresh: Option<&str>, tenant_id: Option<&str>) -> Result<String, Denied> {
        if self.is_revoked || refresh != Some(&self.refresh) {
            return Err(Denied::Grant);
        }
        let tenant = match tenant_id {
            None => 0,
            Some(id) => self.tenants.iter().position(|tenant| tenant == id).ok_or(Denied::Tenant)?,
        };
        Ok(self.issue(tenant))
    }

    /// Returns the organization of an access token that is valid.
    pub(crate) fn tenant_of(&self, token: &str) -> Option<usize> {
        let issued = self.issued.iter().find(|issued| issued.token == token)?;
        (now() < issued.expires).then_some(issued.tenant)
    }

    /// Lets every access token expire.
    pub(crate) fn expire(&mut self) {
        self.issued.iter_mut().for_each(|issued| issued.expires = 0);
    }

    /// Revokes the refresh token. Access tokens stay valid.
    pub(crate) fn revoke(&mut self, refresh: Option<&str>) {
        self.is_revoked |= refresh == Some(&self.refresh);
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
