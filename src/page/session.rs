//! Who may see the page: the person who saw the address in the terminal. A one-time code in it is exchanged for a cookie.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A session ends after this time without a request.
const IDLE: Duration = Duration::from_secs(8 * 3600);

/// The most sessions: of those beyond, the one that was idle longest ends.
const MOST: usize = 16;

/// The codes and the sessions of one server. They end with the process.
pub(super) struct VisitorSessions {
    port: u16,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The code of the last address that was printed, until it is used.
    code: Option<String>,
    sessions: Vec<VisitorSession>,
}

struct VisitorSession {
    /// The value of the cookie.
    cookie: String,
    /// The value that each form of this session carries.
    token: String,
    used: Instant,
}

impl VisitorSessions {
    pub(super) fn new(port: u16) -> Self {
        VisitorSessions { port, inner: Mutex::default() }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new code. The one before is void.
    pub(super) fn new_code(&self) -> Option<String> {
        let code = random_text();
        self.inner().code.clone_from(&code);
        code
    }

    /// Exchanges a code for a session, once. Returns the header `Set-Cookie`.
    pub(super) fn exchange(&self, code: &str, now: Instant) -> Option<String> {
        let mut inner = self.inner();
        if !inner.code.as_deref().is_some_and(|right| are_equal(right, code)) {
            return None;
        }
        inner.code = None;
        let session = VisitorSession { cookie: random_text()?, token: random_text()?, used: now };
        // Browsers ignore ports in cookies: the name has it, and without Max-Age it ends with the browser.
        let cookie = format!("{}={}; HttpOnly; SameSite=Strict; Path=/", self.cookie_name(), session.cookie);
        inner.sessions.push(session);
        inner.sessions.sort_by_key(|session| session.used);
        let excess = inner.sessions.len().saturating_sub(MOST);
        inner.sessions.drain(..excess);
        Some(cookie)
    }

    fn cookie_name(&self) -> String {
        format!("stablekey-{}", self.port)
    }

    /// The token of the session that a `Cookie` header names, if there is one. `uses` prolongs it.
    pub(super) fn token(&self, cookies: &str, now: Instant, uses: bool) -> Option<String> {
        let name = self.cookie_name();
        let given = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let given: Vec<&str> = given.filter(|(key, _)| *key == name).map(|(_, value)| value).collect();
        let mut inner = self.inner();
        inner.sessions.retain(|session| now.saturating_duration_since(session.used) < IDLE);
        let is_given = |session: &&mut VisitorSession| given.iter().any(|value| are_equal(&session.cookie, value));
        let session = inner.sessions.iter_mut().find(is_given)?;
        if uses {
            session.used = now;
        }
        Some(session.token.clone())
    }
}

/// 192 random bits as text. `None` without a source of randomness: then there is no session.
fn random_text() -> Option<String> {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Compares two texts in a time that does not depend on where they differ.
pub(super) fn are_equal(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(set: &str) -> String {
        set.split(';').next().unwrap().to_string()
    }

    #[test]
    fn a_code_is_used_once_and_a_new_one_voids_it() {
        let sessions = VisitorSessions::new(7000);
        let now = Instant::now();
        let first = sessions.new_code().unwrap();
        let second = sessions.new_code().unwrap();
        assert_eq!(sessions.exchange(&first, now), None);
        let set = sessions.exchange(&second, now).unwrap();
        assert_eq!(sessions.exchange(&second, now), None);
        assert!(set.starts_with("stablekey-7000=") && set.contains("HttpOnly; SameSite=Strict"), "{set}");
        assert!(!set.contains("Max-Age") && !set.contains("Expires"), "{set}");
        assert!(sessions.token(&cookie(&set), now, true).is_some());
        assert_eq!(sessions.token("stablekey-7000=other", now, true), None);
        assert_eq!(sessions.token(&cookie(&set).replace("7000", "7001"), now, true), None);
    }

    #[test]
    fn a_session_ends_after_eight_idle_hours_and_streams_do_not_prolong_it() {
        let sessions = VisitorSessions::new(1);
        let begin = Instant::now();
        let code = sessions.new_code().unwrap();
        let cookie = cookie(&sessions.exchange(&code, begin).unwrap());
        let after = |hours: u64| begin + Duration::from_secs(hours * 3600);
        assert!(sessions.token(&cookie, after(7), true).is_some());
        assert!(sessions.token(&cookie, after(14), false).is_some());
        assert!(sessions.token(&cookie, after(15), true).is_none());
    }

    #[test]
    fn sessions_are_bounded() {
        let sessions = VisitorSessions::new(1);
        let begin = Instant::now();
        let open = |at: u64| {
            let code = sessions.new_code().unwrap();
            cookie(&sessions.exchange(&code, begin + Duration::from_secs(at)).unwrap())
        };
        let first = open(0);
        let last = (1..=MOST as u64).map(open).last().unwrap();
        let now = begin + Duration::from_secs(60);
        assert!(sessions.token(&first, now, false).is_none());
        assert!(sessions.token(&last, now, false).is_some());
    }
}
