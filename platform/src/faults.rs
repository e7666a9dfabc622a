//! Faults of requests: what goes wrong with one, before or after the API does its work.

use crate::store::Store;
use std::fmt;
use std::time::Duration;

/// An answer that is not the API's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
    /// More headers: names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub fn json(status: u16, body: &str) -> Self {
        Answer { status, content_type: "application/json", body: body.into(), headers: Vec::new() }
    }

    /// A page of a proxy or a login, with any status.
    pub fn html(status: u16) -> Self {
        let body = format!("<!doctype html><title>{status}</title><p>This is not the API.");
        Answer { status, content_type: "text/html; charset=utf-8", body, headers: Vec::new() }
    }

    /// An answer to a client that asks too often. `retry_after`: the value of the header, if there is one.
    pub fn too_many(retry_after: Option<&str>) -> Self {
        let headers = retry_after.map(|value| ("retry-after", value.to_string())).into_iter().collect();
        Answer { headers, ..Answer::json(429, r#"{"error":"Too Many Requests"}"#) }
    }

    /// A redirect to another address, for clients that must not follow one.
    pub fn redirect(to: &str) -> Self {
        Answer { headers: vec![("location", to.to_string())], ..Answer::html(302) }
    }
}

/// What goes wrong with one request.
pub enum Fault {
    /// This answer instead of the API's, which does nothing.
    Answer(Answer),
    /// This answer after the API did its work.
    AnswerAfter(Answer),
    /// The connection is closed without an answer. The API does nothing.
    CutBefore,
    /// The connection is closed without an answer after the API did its work.
    CutAfter,
    /// The connection is closed after so many bytes of the answer.
    Cut(usize),
    /// The answer comes after this time.
    Slow(Duration),
    /// The answer comes byte by byte, with this pause before each.
    Dripping(Duration),
    /// The answer has data, and this error beside it.
    Errors(String),
    /// The first node of the first list is null.
    NullNode,
    /// The first node of the first list within the first node is null.
    NullNested,
    /// The total of the first list is null.
    NoTotal,
    /// This is changed in the answer.
    Edited(Box<dyn FnOnce(&mut serde_json::Value) + Send>),
    /// Somebody else changes the organization just before.
    Between(Box<dyn FnOnce(&mut Store) + Send>),
}

impl Fault {
    /// A change of somebody else, just before the request: so that pages shift, or what was read is old.
    pub fn between(change: impl FnOnce(&mut Store) + Send + 'static) -> Self {
        Fault::Between(Box::new(change))
    }

    /// A change of the answer.
    pub fn edited(change: impl FnOnce(&mut serde_json::Value) + Send + 'static) -> Self {
        Fault::Edited(Box::new(change))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Fault::Answer(answer) => return write!(f, "Answer({})", answer.status),
            Fault::AnswerAfter(answer) => return write!(f, "AnswerAfter({})", answer.status),
            Fault::CutBefore => "CutBefore",
            Fault::CutAfter => "CutAfter",
            Fault::Cut(_) => "Cut",
            Fault::Slow(_) => "Slow",
            Fault::Dripping(_) => "Dripping",
            Fault::Errors(_) => "Errors",
            Fault::NullNode => "NullNode",
            Fault::NullNested => "NullNested",
            Fault::NoTotal => "NoTotal",
            Fault::Edited(_) => "Edited",
            Fault::Between(_) => "Between",
        };
        f.write_str(name)
    }
}

/// Faults that wait for their requests.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Which requests count: those with this text. Without one, every request to the API.
    text: Option<String>,
    /// How many of them pass first.
    skip: usize,
    fault: Fault,
}

impl Faults {
    /// After `requests` more requests to the API, this happens to the next one.
    pub fn after(&mut self, requests: usize, fault: Fault) {
        self.waiting.push(Waiting { text: None, skip: requests, fault });
    }

    /// After `requests` more requests whose document has this text, this happens to the next such one. A request for a
    /// token has its path as text.
    pub fn on(&mut self, text: &str, requests: usize, fault: Fault) {
        self.waiting.push(Waiting { text: Some(text.into()), skip: requests, fault });
    }

    /// Takes back every fault that did not happen, and returns how many there were.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.waiting).len()
    }

    /// Takes the fault of a request. Others that wait for it are counted down, or wait for the next.
    pub(crate) fn next(&mut self, text: &str, is_api: bool) -> Option<Fault> {
        let mut due = None;
        for (at, waiting) in self.waiting.iter_mut().enumerate() {
            let counts = waiting.text.as_deref().map_or(is_api, |wanted| text.contains(wanted));
            match (counts, waiting.skip) {
                (false, _) => {}
                (true, 0) => due = due.or(Some(at)),
                (true, _) => waiting.skip -= 1,
            }
        }
        due.map(|at| self.waiting.remove(at).fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_happen_in_their_turn() {
        let mut faults = Faults::default();
        faults.after(1, Fault::NoTotal);
        faults.on("mutation", 1, Fault::CutAfter);
        faults.on("/auth/refresh", 0, Fault::Answer(Answer::html(502)));
        let mut next = |text: &str, is_api| faults.next(text, is_api).map(|fault| format!("{fault:?}"));
        assert_eq!(next("mutation {a}", true), None);
        assert_eq!(next("{b}", true).as_deref(), Some("NoTotal"));
        assert_eq!(next("/auth/refresh", false).as_deref(), Some("Answer(502)"));
        assert_eq!(next("{b}", true), None);
        assert_eq!(next("mutation {a}", true).as_deref(), Some("CutAfter"));
        assert_eq!(next("mutation {a}", true), None);
    }

    #[test]
    fn two_faults_of_one_request_happen_one_after_the_other() {
        let mut faults = Faults::default();
        faults.after(0, Fault::NullNode);
        faults.after(0, Fault::NoTotal);
        assert_eq!(format!("{:?} {:?}", faults.next("", true), faults.next("", true)), "Some(NullNode) Some(NoTotal)");
        faults.after(5, Fault::CutBefore);
        assert_eq!(faults.clear(), 1);
    }
}
