//! The platform's answer to the query: pages, one after the other or in a list.

use super::list::{AnswerList, ListScope, Literal, OneOrMany};
use crate::platform::definition::to_utf8;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A failure to read the answer. No message shows a value of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// The input is empty.
    #[error("nothing came: the request failed")]
    Empty,
    /// The input is a web page.
    #[error("this is a web page, no answer of the API")]
    WebPage,
    /// The input is not JSON, or has another shape.
    #[error("line {line}, column {column}: {what}")]
    NotOurs {
        /// The line of the mistake.
        line: usize,
        /// The column of the mistake.
        column: usize,
        /// The problem.
        what: &'static str,
    },
    /// The platform rejected the query.
    #[error("the platform answered with an error: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// The answer has neither data nor errors.
    #[error("the answer has no data: the request failed")]
    NoData,
}

/// The message for JSON that ends too early.
const BREAKS_OFF: &str = "the answer is incomplete";
const NOT_JSON: &str = "this is not JSON";

impl PlatformError {
    /// The help for the failure.
    pub fn help(&self) -> &'static str {
        match self {
            PlatformError::Empty => {
                "log in again with `prism login`, then send the query again; curl says why it fails with --fail --show-error"
            }
            PlatformError::WebPage => {
                "send the query as POST to https://…/api of your stack; if the page asks to log in, `prism login` first"
            }
            PlatformError::NotOurs { what: BREAKS_OFF, .. } => "the connection broke: send the query again",
            PlatformError::NotOurs { what: NOT_JSON, .. } => {
                "if the request failed, log in again with `prism login`; else pipe the answer in as it came"
            }
            PlatformError::NotOurs { .. } => {
                "send the query of `stablekey import --print-query` as it is, and pipe its answer in unchanged"
            }
            PlatformError::Refused(_) => {
                "if it says that you are not authenticated, log in again with `prism login`; else send the query of \
                 `stablekey import --print-query` as it is"
            }
            PlatformError::NoData => "log in again with `prism login`, then send the query again",
        }
    }
}

/// A tenant as the platform has it. Values of inputs are treated as secrets unless it is known that they are not.
#[derive(Debug, Default)]
pub struct Answer {
    pub(crate) connections: Vec<ReusableConnection>,
    pub(crate) components: Vec<ComponentAnswer>,
    pub(crate) customers: Option<u64>,
    /// Incomplete lists, with the reason.
    pub(crate) incomplete: Vec<(&'static str, Gap)>,
}

/// The reason why a list is incomplete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The last page is missing; the cursor to continue from.
    After(String),
    /// A page in the middle is missing: fewer elements were read than the platform counts.
    Fewer {
        /// The number of elements that were read.
        read: u64,
        /// The total number of elements.
        total: u64,
    },
    /// The list is null or missing in the answer.
    NoList,
    /// This number of elements is null: the platform could not read them.
    Nulls(usize),
}

/// An answer as the API sends it, or as `prism graphql:query` prints it: without the level of `data`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerPage {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    errors: Option<Vec<GraphError>>,
    #[serde(default)]
    scoped_config_variables: Option<AnswerList<ReusableConnection>>,
    #[serde(default)]
    components: Option<AnswerList<ComponentAnswer>>,
    #[serde(default)]
    customers: Option<AnswerList<IgnoredAny>>,
}

impl AnswerPage {
    fn into_data(self) -> Option<Data> {
        let AnswerPage { data, scoped_config_variables, components, customers, .. } = self;
        data.or_else(|| {
            let is_bare = scoped_config_variables.is_some() || components.is_some() || customers.is_some();
            is_bare.then_some(Data { scoped_config_variables, components, customers })
        })
    }
}

#[derive(Deserialize)]
struct GraphError {
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(default)]
    scoped_config_variables: Option<AnswerList<ReusableConnection>>,
    #[serde(default)]
    components: Option<AnswerList<ComponentAnswer>>,
    #[serde(default)]
    customers: Option<AnswerList<IgnoredAny>>,
}

/// The platform's ScopedConfigVariable.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(crate) struct ReusableConnection {
    pub id: Option<String>,
    /// The display name.
    pub key: Option<String>,
    pub stable_key: Option<String>,
    pub description: Option<String>,
    pub managed_by: Option<String>,
    pub variable_scope: Option<String>,
    pub status: Option<String>,
    pub default_for_component: Option<bool>,
    /// The customer that it belongs to alone.
    pub customer: Option<CustomerName>,
    pub connection: Option<TypeOfConnection>,
    pub inputs: AnswerList<Expression>,
    /// The sets of credentials of customers, of which only the number is read.
    #[serde(alias = "sets")]
    pub customer_config_variables: AnswerList<IgnoredAny>,
    /// `ROOT`, or `LEAF` for the credentials of one person below a connection.
    pub tree_location: Option<String>,
    /// The page where its owner signs in.
    pub authorize_url: Option<String>,
    pub last_successful_refresh_at: Option<String>,
    pub customers: AnswerList<IgnoredAny>,
    pub instances: AnswerList<IgnoredAny>,
    /// The integrations of which a version uses it, however old.
    pub integrations: AnswerList<IgnoredAny>,
    pub created_at: Option<String>,
    /// Whether the user's role may change it, and remove it.
    pub allow_update: Option<bool>,
    pub allow_remove: Option<bool>,
    /// The credentials for tests.
    pub tests: AnswerList<TestSet>,
}

/// The credentials for tests of a connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TestSet {
    pub id: Option<String>,
    pub inputs: AnswerList<Expression>,
}

/// A customer, as other objects name it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CustomerName {
    pub id: Option<String>,
    pub name: Option<String>,
    pub external_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypeOfConnection {
    pub key: Option<String>,
    pub component: Option<ComponentName>,
    pub inputs: AnswerList<InputField>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ComponentName {
    pub key: Option<String>,
    pub public: Option<bool>,
}

/// An input of a connection.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Expression {
    pub name: Option<String>,
    pub value: Option<Literal>,
    pub has_value: Option<bool>,
    pub meta: Option<ListScope>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ComponentAnswer {
    pub id: Option<String>,
    pub key: Option<String>,
    pub public: Option<bool>,
    pub connections: AnswerList<TypeAnswer>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TypeAnswer {
    pub id: Option<String>,
    pub key: Option<String>,
    #[serde(rename = "oauth2Type")]
    pub oauth2_type: Option<String>,
    pub inputs: AnswerList<InputField>,
}

/// An input of a connection type.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InputField {
    pub key: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub required: Option<bool>,
}

impl Answer {
    /// The number of connections, including those that cannot be imported.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }
}

/// Reads one answer or several pages of it: JSON documents one after the other, or in a list.
pub fn read_answer(bytes: &[u8]) -> Result<Answer, PlatformError> {
    let text = to_utf8(bytes).map_err(|_| PlatformError::NotOurs { line: 1, column: 1, what: "this is no text" })?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(PlatformError::Empty);
    }
    if text.starts_with('<') {
        return Err(PlatformError::WebPage);
    }
    let mut pages = Vec::new();
    for page in serde_json::Deserializer::from_str(text).into_iter::<OneOrMany<AnswerPage>>() {
        pages.extend(page.map_err(|error| not_ours(&error))?.0);
    }
    let refused: Vec<String> =
        pages.iter().flat_map(|page| page.errors.iter().flatten()).map(message).take(5).collect();
    if !refused.is_empty() {
        return Err(PlatformError::Refused(refused));
    }
    let mut answer = Answer::default();
    let (mut connections, mut components) = (End::default(), End::default());
    let mut any = false;
    for data in pages.into_iter().filter_map(AnswerPage::into_data) {
        if let Some(list) = data.scoped_config_variables {
            any = true;
            connections.page(&list);
            list.items.into_iter().for_each(|item| answer.add_connection(item));
        }
        if let Some(list) = data.components {
            any = true;
            components.page(&list);
            list.items.into_iter().for_each(|item| answer.add_component(item));
        }
        answer.customers = answer.customers.max(data.customers.and_then(|list| list.total));
    }
    if !any {
        return Err(PlatformError::NoData);
    }
    answer.infer_leaves();
    let unread = answer.components.iter().filter(|component| !component.is_whole()).count();
    components.nulls += unread;
    let read = (answer.connections.len(), answer.components.len());
    answer.incomplete.extend(connections.gap(read.0).map(|gap| ("connections", gap)));
    answer.incomplete.extend(components.gap(read.1).map(|gap| ("components", gap)));
    Ok(answer)
}

impl Answer {
    /// Adds a connection once, since pages may overlap.
    fn add_connection(&mut self, new: ReusableConnection) {
        let same = |old: &ReusableConnection| match (&old.id, &new.id) {
            (Some(old), Some(new)) => old == new,
            _ => old.stable_key == new.stable_key && old.customer == new.customer,
        };
        if !self.connections.iter().any(same) {
            self.connections.push(new);
        }
    }

    /// Finds the credentials of single users on a stack that does not tell where a connection is in its tree: of user
    /// connections with one key the oldest is the connection, since the others are made below it. The list is in the
    /// order of creation.
    pub(crate) fn infer_leaves(&mut self) {
        let mut seen = std::collections::BTreeSet::new();
        for found in self.connections.iter_mut().filter(|found| found.tree_location.is_none()) {
            let is_of_user = found.variable_scope.as_deref().is_some_and(|scope| scope.eq_ignore_ascii_case("user"));
            if is_of_user && found.customer.is_none() && !seen.insert(found.stable_key.clone()) {
                found.tree_location = Some("LEAF".to_string());
            }
        }
    }

    fn add_component(&mut self, new: ComponentAnswer) {
        if !self.components.iter().any(|old| old.key == new.key && old.public == new.public) {
            self.components.push(new);
        }
    }
}

/// The progress and the end of a list.
#[derive(Default)]
struct End {
    pages: usize,
    reached: bool,
    cursor: Option<String>,
    total: Option<u64>,
    nulls: usize,
}

impl End {
    fn page<T>(&mut self, list: &AnswerList<T>) {
        self.pages += 1;
        self.nulls += list.nulls;
        self.total = self.total.max(list.total);
        let page = list.page.clone().unwrap_or_default();
        if page.has_next_page == Some(true) {
            self.cursor = page.end_cursor.or(self.cursor.take());
        } else {
            self.reached = true;
        }
    }

    /// The reason why the list is incomplete, given the number of different elements that were `read`.
    fn gap(self, read: usize) -> Option<Gap> {
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        match (self.pages, self.total, self.cursor) {
            (0, ..) => Some(Gap::NoList),
            (_, _, Some(cursor)) if !self.reached => Some(Gap::After(cursor)),
            _ if self.nulls > 0 => Some(Gap::Nulls(self.nulls)),
            (_, Some(total), _) if read < total => Some(Gap::Fewer { read, total }),
            _ => None,
        }
    }
}

fn not_ours(error: &serde_json::Error) -> PlatformError {
    use serde_json::error::Category;
    // The text of the error may quote a value.
    let what = match error.classify() {
        Category::Data => "this is not the answer to our query",
        Category::Eof => BREAKS_OFF,
        Category::Syntax | Category::Io => NOT_JSON,
    };
    PlatformError::NotOurs { line: error.line(), column: error.column(), what }
}

/// The platform's message, shortened and on one line.
fn message(error: &GraphError) -> String {
    let text = error.message.as_deref().unwrap_or("no message");
    text.chars().map(|c| if crate::text::is_dangerous(c) { ' ' } else { c }).take(300).collect()
}
