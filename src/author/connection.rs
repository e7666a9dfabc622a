//! A new connection. An [`Interview`] asks what the platform's own dialog asks, in its order, and nothing that was
//! answered already: by a person, by flags, or by the connection with the same key in another tenant.

use super::catalog::{Catalog, KnownComponent, is_oauth};
use super::draft::Draft;
use super::error::AuthorError;
use super::home::{Home, home, inventories, tenants};
use super::keys;
use super::project_secrets::ProjectSecrets;
use super::question::{Answer, Choice, Form, Question};
use super::secret_steps;
use super::values::{Values, secret_ref};
use crate::api::{
    ComponentRef, ComponentSpec, ConnectionSpec, ConnectionType, Credentials, Input, Kind, LocationSpec, OAuth2,
    Object, Resource, TestCredentials, TypeInput, names, rules, sensitive,
};
use crate::engine::feeds::feeding;
use crate::engine::model::inventory::Inventory;
use crate::manifest::{FileProblem, InputPlace, read_text, to_yaml};
use crate::near_miss::what_there_is;
use crate::project::Project;
use crate::tenant::directory::layout::FolderRole;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// The inputs of OAuth 2.0 that are an organization's own app, in the order in which people fill them in.
const OF_THE_APP: [&str; 8] =
    ["authorizeUrl", "tokenUrl", "refreshUrl", "revokeUrl", "audience", "scopes", "clientId", "clientSecret"];

/// The length of a line of help, which stands in brackets.
const HELP: usize = 78;

/// What is known of a connection so far.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// The tenant.
    pub tenant: Option<String>,
    /// The component: its key, with `.private` where a public component has the same key.
    pub component: Option<String>,
    /// Whose credentials they are, before it is known who supplies them.
    pub whose: Option<Whose>,
    /// Whose credentials they are, and who supplies them.
    pub credentials: Option<Credentials>,
    /// The connection type.
    pub type_: Option<String>,
    /// The stable key.
    pub key: Option<String>,
    /// The key of a connection of the tenant: what is not answered is suggested as it is there.
    pub like: Option<String>,
    /// Whether none of the keys of other tenants is wanted.
    pub has_own_key: bool,
    /// The inputs for which each customer has a value of their own; the others are global.
    pub per_customer: Option<BTreeSet<String>>,
    /// The values.
    pub values: Values,
    /// Whether there are test credentials that were not asked for yet.
    pub has_test: Option<bool>,
}

/// Whose credentials a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Each customer has an account.
    Customers,
    /// Each user of a customer has an account.
    Users,
    /// The organization has one account for all customers.
    Organization,
}

/// What a question asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The tenant.
    Tenant,
    /// The component.
    Component,
    /// Whose credentials they are.
    Whose,
    /// Who supplies the credentials of customers.
    WhoSupplies,
    /// The connection type.
    Type,
    /// Whether the connection is one that other tenants have.
    SameAs,
    /// The inputs that are each customer's own.
    PerCustomer,
    /// The global value of an input.
    Value(String),
    /// The Secret of an input.
    Secret(String),
    /// Whether there are test credentials.
    HasTest,
    /// The value of an input for tests.
    TestValue(String),
    /// The Secret of an input for tests.
    TestSecret(String),
    /// Whether it is used for embedded workflows.
    Embedded,
    /// The stable key.
    Key,
    /// The title.
    Title,
}

/// What follows the answers so far.
#[derive(Debug)]
pub enum Next {
    /// A question is open.
    Ask(Question<Asked>),
    /// Everything is known.
    Done(Box<NewConnection>),
}

/// A complete connection, before it is written.
#[derive(Clone, Debug)]
pub struct NewConnection {
    /// The tenant.
    pub tenant: String,
    /// The spec.
    pub spec: ConnectionSpec,
    /// What to know before it is written.
    pub warnings: Vec<String>,
    /// The Component that the tenant lacks and another tenant has.
    component: Option<Arc<Object<ComponentSpec>>>,
}

/// Asks for a new connection in a project.
pub struct Interview<'p> {
    project: &'p Project,
    catalogs: RefCell<BTreeMap<String, Rc<Catalog>>>,
    secrets: OnceCell<ProjectSecrets>,
}

/// Why the answers are no connection yet.
enum Open {
    Ask(Box<Question<Asked>>),
    Wrong(AuthorError),
}

impl Open {
    fn ask(question: Question<Asked>) -> Self {
        Open::Ask(Box::new(question))
    }
}

impl From<AuthorError> for Open {
    fn from(error: AuthorError) -> Self {
        Open::Wrong(error)
    }
}

/// Parses whose credentials a connection has, as manifests name them.
pub fn credentials(given: &str) -> Result<Credentials, AuthorError> {
    let found = Credentials::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(given.trim()));
    found.ok_or_else(|| {
        let message = format!("{:?} does not say whose credentials they are", crate::text::line(given));
        AuthorError::refused(message, what_there_is(given, Credentials::ALL.map(Credentials::as_str)))
    })
}

impl Answers {
    /// Takes the answer to a question. Whether it fits is decided by [`Interview::next`].
    pub fn take(&mut self, asked: &Asked, answer: &Answer) -> Result<(), AuthorError> {
        let text = || answer.text().trim().to_string();
        match asked {
            Asked::Tenant => self.tenant = Some(text()),
            Asked::Component => self.component = Some(text()),
            Asked::Whose => match text().as_str() {
                "Customer" => self.whose = Some(Whose::Customers),
                other => self.credentials = Some(credentials(other)?),
            },
            Asked::WhoSupplies => self.credentials = Some(credentials(&text())?),
            Asked::Type => self.type_ = Some(text()),
            Asked::SameAs if text().is_empty() => self.has_own_key = true,
            Asked::SameAs | Asked::Key => self.key = Some(text()),
            Asked::PerCustomer => self.per_customer = Some(answer.several().iter().cloned().collect()),
            Asked::Value(name) => drop(self.values.inputs.insert(name.clone(), value(answer))),
            Asked::TestValue(name) => drop(self.values.test.insert(name.clone(), value(answer))),
            Asked::Secret(name) => drop(self.values.inputs.insert(name.clone(), reference(name, answer)?)),
            Asked::TestSecret(name) => drop(self.values.test.insert(name.clone(), reference(name, answer)?)),
            Asked::HasTest => self.has_test = Some(answer.is_yes()),
            Asked::Embedded => self.values.embedded = Some(answer.is_yes()),
            Asked::Title => self.values.title = Some(Some(text()).filter(|title| !title.is_empty())),
        }
        Ok(())
    }
}

fn value(answer: &Answer) -> Option<Input> {
    Some(answer.text()).filter(|text| !text.trim().is_empty()).map(Input::value)
}

fn reference(name: &str, answer: &Answer) -> Result<Option<Input>, AuthorError> {
    if answer.text().trim().is_empty() {
        return Ok(None);
    }
    match secret_ref(answer.text()) {
        Some(reference) => Ok(Some(Input::SecretRef(reference))),
        None => Err(AuthorError::refused(
            format!("{name}: it is no reference to a Secret"),
            "name a Secret and its key, not the secret itself: NAME/KEY",
        )),
    }
}

impl<'p> Interview<'p> {
    /// Starts an interview.
    pub fn new(project: &'p Project) -> Self {
        Interview { project, catalogs: RefCell::default(), secrets: OnceCell::new() }
    }

    /// Returns the next open question, or the connection. Fails if an answer is wrong.
    pub fn next(&self, answers: &Answers) -> Result<Next, AuthorError> {
        match self.resolve(answers) {
            Ok(made) => Ok(Next::Done(Box::new(made))),
            Err(Open::Ask(question)) => Ok(Next::Ask(*question)),
            Err(Open::Wrong(error)) => Err(error),
        }
    }

    fn resolve(&self, answers: &Answers) -> Result<NewConnection, Open> {
        let home = self.home(answers)?;
        let catalog = self.catalog(home.tenant);
        if let Some(key) = &answers.key {
            keys::check(self.project, home.tenant, key)?;
        }
        let mut twins = match (&answers.like, &answers.key) {
            (Some(like), _) => vec![self.like(home.tenant, like)?],
            (None, Some(key)) => self.twins(home.tenant, key),
            (None, None) => Vec::new(),
        };
        let component = self.component(answers, &catalog, &twins, home.tenant)?;
        twins.retain(|twin| twin.component.is(&component.reference));
        let known_type = known_type(answers, component, &twins)?;
        let credentials = whose(answers, component, known_type.as_deref(), &twins)?;
        let type_ = type_of(component, known_type, credentials)?;
        let sketch = Sketch { interview: self, home, component, type_, credentials, answers };
        sketch.check_values()?;
        sketch.offer_keys()?;
        let model = twins.into_iter().find(|twin| twin.type_ == sketch.type_.key);
        let values = sketch.values(model)?;
        let key = sketch.key()?;
        let title = sketch.title(model)?;
        Ok(sketch.done(key, title, values, model)?)
    }

    fn home(&self, answers: &Answers) -> Result<Home<'p>, Open> {
        let names = tenants(self.project);
        match (&answers.tenant, names.as_slice()) {
            (Some(given), _) => Ok(home(self.project, given)?),
            (None, [one]) => Ok(home(self.project, one)?),
            (None, several) => {
                let choice = |name: &&str| {
                    let spec = self.project.tenants.get(*name).map(|tenant| &tenant.spec);
                    let about = [spec.and_then(|s| s.environment.clone()), spec.and_then(|s| s.region.clone())];
                    let about: Vec<String> = about.into_iter().flatten().collect();
                    let about = if about.is_empty() { String::new() } else { format!("  ({})", about.join(", ")) };
                    Choice { value: name.to_string(), text: format!("{name}{about}") }
                };
                Err(Open::ask(Question {
                    asked: Asked::Tenant,
                    text: "Tenant".to_string(),
                    help: "where the connection is made".to_string(),
                    form: Form::Choice { choices: several.iter().map(choice).collect(), suggested: None },
                    flag: "--tenant TENANT".to_string(),
                }))
            }
        }
    }

    fn catalog(&self, tenant: &str) -> Rc<Catalog> {
        let mut catalogs = self.catalogs.borrow_mut();
        let new = || Rc::new(Catalog::of(self.project, tenant));
        Rc::clone(catalogs.entry(tenant.to_string()).or_insert_with(new))
    }

    /// The connections of other tenants with a key: first those of tenants that a sync copies from.
    fn twins(&self, tenant: &str, key: &str) -> Vec<&'p ConnectionSpec> {
        let feeds =
            |from: &str| self.project.syncs.iter().any(|sync| sync.spec.from == from && sync.spec.goes_to(tenant));
        let mut twins = keys::twins(self.project, tenant, key);
        twins.sort_by_key(|(other, _)| !feeds(other));
        twins.into_iter().map(|(_, spec)| spec).collect()
    }

    /// The connection of the tenant with a key.
    fn like(&self, tenant: &str, key: &str) -> Result<&'p ConnectionSpec, AuthorError> {
        let specs = || {
            let read = inventories(self.project, tenant).into_iter();
            read.flat_map(|read| read.connections.values()).map(|connection| &connection.spec)
        };
        let unknown =
            || AuthorError::unknown(&format!("connection in {tenant}:"), key, specs().map(|spec| &*spec.stable_key));
        specs().find(|spec| spec.stable_key == key).ok_or_else(unknown)
    }

    fn component<'c>(
        &self,
        answers: &Answers,
        catalog: &'c Catalog,
        twins: &[&ConnectionSpec],
        tenant: &str,
    ) -> Result<&'c KnownComponent, Open> {
        if let Some(given) = &answers.component {
            return catalog.find(given).ok_or_else(|| catalog.unknown(given, self.project, tenant).into());
        }
        if let Some(known) =
            agreed(twins.iter().map(|twin| ComponentRef::new(&twin.component.key, twin.component.is_public())))
                .and_then(|component| catalog.get(&component))
        {
            return Ok(known);
        }
        if catalog.components.is_empty() {
            return Err(catalog.none(self.project, tenant).into());
        }
        Err(Open::ask(Question {
            asked: Asked::Component,
            text: "Component".to_string(),
            help: "what it connects to; type a part of its name, Tab completes".to_string(),
            form: Form::Search { names: catalog.names() },
            flag: "--component COMPONENT".to_string(),
        }))
    }
}

/// The value that all have; `None` if they differ, or there is none.
fn agreed<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// The connection type, if it is clear before it is asked for.
fn known_type(
    answers: &Answers,
    component: &KnownComponent,
    twins: &[&ConnectionSpec],
) -> Result<Option<String>, AuthorError> {
    if let Some(given) = &answers.type_ {
        let there = component.types.iter().map(|known| known.key.as_str());
        if given.is_empty() || component.lists_all_types() && component.type_(given).is_none() {
            let message =
                format!("component {} has no connection type {}", component.reference, crate::text::line(given));
            return Err(AuthorError::refused(message, what_there_is(given, there)));
        }
        return Ok(Some(given.clone()));
    }
    let only = component.types.first().filter(|_| component.lists_all_types() && component.types.len() == 1);
    Ok(agreed(twins.iter().map(|twin| twin.type_.clone())).or_else(|| only.map(|only| only.key.clone())))
}

/// Whose credentials they are, and who supplies them.
fn whose(
    answers: &Answers,
    component: &KnownComponent,
    type_: Option<&str>,
    twins: &[&ConnectionSpec],
) -> Result<Credentials, Open> {
    if let Some(known) = answers.credentials.or_else(|| agreed(twins.iter().map(|twin| twin.credentials))) {
        return Ok(known);
    }
    let choice = |credentials: Credentials, text: &str| Choice {
        value: credentials.as_str().to_string(),
        text: text.to_string(),
    };
    let flag = "--credentials WHOSE".to_string();
    let Some(whose) = answers.whose else {
        let choices = vec![
            choice(Credentials::Customer, "your customers': each customer has an account of their own"),
            choice(Credentials::User, "your users': each user of a customer signs in"),
            choice(Credentials::OrganizationGlobal, "your organization's: one account for all customers"),
        ];
        return Err(Open::ask(Question {
            asked: Asked::Whose,
            text: "Whose credentials".to_string(),
            help: "never changes afterwards".to_string(),
            form: Form::Choice { choices, suggested: None },
            flag,
        }));
    };
    // Only customers themselves can sign in.
    let all_sign_in = match type_.and_then(|type_| component.type_(type_)) {
        Some(type_) => is_oauth(type_),
        None => !component.types.is_empty() && component.types.iter().all(is_oauth),
    };
    match whose {
        Whose::Organization => Ok(Credentials::OrganizationGlobal),
        Whose::Users => Ok(Credentials::User),
        Whose::Customers if all_sign_in => Ok(Credentials::Customer),
        Whose::Customers => Err(Open::ask(Question {
            asked: Asked::WhoSupplies,
            text: "Who supplies them".to_string(),
            help: "never changes afterwards".to_string(),
            form: Form::Choice {
                choices: vec![
                    choice(Credentials::Customer, "each customer, for themselves"),
                    choice(Credentials::OrganizationCustomer, "your organization, a set for each customer"),
                ],
                suggested: None,
            },
            flag,
        })),
    }
}

/// The connection type.
fn type_of(
    component: &KnownComponent,
    known: Option<String>,
    credentials: Credentials,
) -> Result<ConnectionType, Open> {
    let fits = |type_: &&ConnectionType| credentials != Credentials::OrganizationCustomer || !is_oauth(type_);
    let fitting: Vec<&ConnectionType> = component.types.iter().filter(fits).collect();
    let fitting = if fitting.is_empty() { component.types.iter().collect() } else { fitting };
    let key = match (known, fitting.as_slice()) {
        (Some(known), _) => known,
        (None, [one]) if component.lists_all_types() => one.key.clone(),
        (None, several) => {
            let choice = |type_: &&ConnectionType| {
                let about = match type_.oauth2 {
                    Some(OAuth2::AuthorizationCode) => "  (OAuth 2.0, a person signs in)",
                    Some(OAuth2::ClientCredentials) => "  (OAuth 2.0, client credentials)",
                    None => "",
                };
                Choice { value: type_.key.clone(), text: format!("{}{about}", type_.key) }
            };
            let only = || several.first().filter(|_| several.len() == 1).map(|only| only.key.clone());
            let form = match component.lists_all_types() {
                true => Form::Choice { choices: several.iter().map(choice).collect(), suggested: None },
                false => Form::Text {
                    suggested: only(),
                    required: true,
                    completions: several.iter().map(|type_| type_.key.clone()).collect(),
                },
            };
            return Err(Open::ask(Question {
                asked: Asked::Type,
                text: "Connection type".to_string(),
                help: format!("how {} authenticates; never changes afterwards", component.reference),
                form,
                flag: "--type TYPE".to_string(),
            }));
        }
    };
    let empty = ConnectionType { key, oauth2: None, inputs: BTreeMap::new() };
    Ok(component.type_(&empty.key).cloned().unwrap_or(empty))
}

/// What is asked about an input.
struct InputQuestion<'a> {
    name: &'a str,
    is_secret: bool,
    is_required: bool,
    suggested: Option<String>,
    /// A name for its Secret, where none is suggested.
    usual: Option<String>,
}

/// A connection whose component, type and credentials are known.
struct Sketch<'s, 'p> {
    interview: &'s Interview<'p>,
    home: Home<'p>,
    component: &'s KnownComponent,
    type_: ConnectionType,
    credentials: Credentials,
    answers: &'s Answers,
}

/// The inputs of a connection.
struct KnownValues {
    inputs: BTreeMap<String, Input>,
    test: BTreeMap<String, Input>,
    embedded: bool,
}

impl<'p> Sketch<'_, 'p> {
    fn project(&self) -> &'p Project {
        self.interview.project
    }

    /// Fails if a value that was given is wrong. No value is quoted: it may be a secret.
    fn check_values(&self) -> Result<(), AuthorError> {
        let values = &self.answers.values;
        let spec = self.spec("key".to_string(), None);
        let describing: Vec<&Inventory> = self.describing();
        values.check(&spec, &describing)?;
        for (option, (name, input)) in values
            .inputs
            .iter()
            .map(|given| ("--secret", given))
            .chain(values.test.iter().map(|given| ("--test-secret", given)))
        {
            if self.credentials == Credentials::OrganizationGlobal && matches!(input, Some(Input::PerCustomer(_))) {
                return Err(AuthorError::refused(format!("{name} cannot be per customer"), rules::GLOBAL_PER_CUSTOMER));
            }
            let Some(Input::Value(text)) = input else { continue };
            let is_secret = sensitive::is_secret_itself(text) || sensitive::looks_like_token(text).is_some();
            if is_secret || self.is_secret(name) {
                let message = format!("SK0120: {name} is a secret, and is not written as a value");
                let help = format!("{}: {option} {name}=NAME/KEY", rules::SECRET_LITERAL);
                return Err(AuthorError::refused(message, help));
            }
        }
        Ok(())
    }

    /// What was read of the tenants that describe the component: this one, if it does.
    fn describing(&self) -> Vec<&'p Inventory> {
        let of = |tenant: &str| -> Vec<&'p Inventory> {
            let describes = |read: &&Inventory| read.component(&self.component.reference).is_some();
            inventories(self.project(), tenant).into_iter().filter(describes).collect()
        };
        let own = of(self.home.tenant);
        if own.is_empty() { self.project().tenants.keys().flat_map(|tenant| of(tenant)).collect() } else { own }
    }

    fn is_secret(&self, name: &str) -> bool {
        self.type_.inputs.get(name).is_some_and(TypeInput::is_secret) || sensitive::is_sensitive(name)
    }

    /// Offers the keys that other tenants have for such a connection.
    fn offer_keys(&self) -> Result<(), Open> {
        if self.answers.key.is_some() || self.answers.has_own_key || self.answers.like.is_some() {
            return Ok(());
        }
        let Sketch { component, type_, credentials, .. } = self;
        let offered = keys::offered(self.project(), self.home.tenant, &component.reference, &type_.key, *credentials);
        if offered.is_empty() {
            return Ok(());
        }
        let choice = |(key, tenants): (&&str, &BTreeSet<&str>)| {
            let tenants = tenants.iter().copied().collect::<Vec<_>>().join(", ");
            Choice { value: key.to_string(), text: format!("{key}  (as in {tenants})") }
        };
        let mut choices: Vec<Choice> = offered.iter().map(choice).collect();
        let suggested = Some(if choices.len() == 1 { 0 } else { choices.len() });
        choices.push(Choice { value: String::new(), text: "another one, with a key of its own".to_string() });
        Err(Open::ask(Question {
            asked: Asked::SameAs,
            text: "Is it one that another tenant has".to_string(),
            help: "the same key in every tenant: integrations find the connection by it".to_string(),
            form: Form::Choice { choices, suggested },
            flag: "--key KEY".to_string(),
        }))
    }

    /// The names of the inputs, in the order in which they are asked for.
    fn names(&self, model: Option<&ConnectionSpec>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let of_type = self.type_.inputs.keys().cloned();
        let of_oauth = OF_THE_APP.iter().filter(|name| {
            let is_usual = ["authorizeUrl", "tokenUrl", "scopes", "clientId", "clientSecret"].contains(name);
            let is_of_grant = **name != "authorizeUrl" || self.type_.oauth2 == Some(OAuth2::AuthorizationCode);
            self.type_.inputs.is_empty() && self.type_.oauth2.is_some() && is_usual && is_of_grant
        });
        let of_model = model.iter().flat_map(|model| model.inputs.keys()).filter(|_| self.type_.inputs.is_empty());
        let given = self.answers.values.inputs.keys().cloned();
        for name in of_type.chain(of_oauth.map(|name| name.to_string())).chain(of_model.cloned()).chain(given) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let order = |name: &String| OF_THE_APP.iter().position(|known| known == name).unwrap_or(OF_THE_APP.len());
        names.sort_by_key(|name| (order(name), name.clone()));
        names
    }

    /// The inputs, the test credentials and the toggle.
    fn values(&self, model: Option<&ConnectionSpec>) -> Result<KnownValues, Open> {
        let Sketch { answers, .. } = self;
        let names = self.names(model);
        let open: Vec<&String> = names.iter().filter(|name| !answers.values.inputs.contains_key(*name)).collect();
        let theirs = self.per_customer(&open, model)?;
        let mut inputs: BTreeMap<String, Input> = BTreeMap::new();
        for name in &names {
            match answers.values.inputs.get(name) {
                Some(given) => {
                    let given = given.clone().filter(|given| *given != Input::value(""));
                    if given.is_none() && self.is_required(name) {
                        return Err(self.lacks(name).into());
                    }
                    given.map(|given| inputs.insert(name.clone(), given));
                }
                None if theirs.contains(name) => drop(inputs.insert(name.clone(), Input::PER_CUSTOMER)),
                None => return Err(Open::ask(self.input(name, model))),
            }
        }
        let test = self.test(&names, &inputs)?;
        let embedded = match answers.values.embedded {
            Some(embedded) => embedded,
            None => {
                let suggested = model.and_then(|model| model.embedded_workflows).unwrap_or(false);
                return Err(Open::ask(Question {
                    asked: Asked::Embedded,
                    text: "Use for embedded workflows".to_string(),
                    help: "customers may use it in the embedded workflow builder".to_string(),
                    form: Form::YesNo { suggested },
                    flag: "--embedded on|off".to_string(),
                }));
            }
        };
        Ok(KnownValues { inputs, test, embedded })
    }

    /// The inputs for which each customer has a value of their own.
    fn per_customer(&self, open: &[&String], model: Option<&ConnectionSpec>) -> Result<BTreeSet<String>, Open> {
        if self.credentials == Credentials::OrganizationGlobal || open.is_empty() {
            return Ok(BTreeSet::new());
        }
        if let Some(theirs) = &self.answers.per_customer {
            return Ok(theirs.clone());
        }
        let is_theirs = |name: &String| match model.and_then(|model| model.inputs.get(name)) {
            Some(input) => input.is_per_customer(),
            None if is_oauth(&self.type_) => !OF_THE_APP.contains(&name.as_str()),
            None => true,
        };
        let suggested = open.iter().enumerate().filter(|(_, name)| is_theirs(name)).map(|(at, _)| at).collect();
        let whose = if self.credentials == Credentials::User { "user" } else { "customer" };
        Err(Open::ask(Question {
            asked: Asked::PerCustomer,
            text: format!("Inputs that are each {whose}'s own"),
            help: "Space selects; the others are global: set once, and all inherit them".to_string(),
            form: Form::Several { choices: open.iter().map(|name| name.to_string()).collect(), suggested },
            flag: "--per-customer INPUT".to_string(),
        }))
    }

    /// Whether a literal that another connection has may be shown as a suggestion.
    fn shows(&self, name: &str) -> bool {
        let secrets = self.interview.secrets.get_or_init(|| ProjectSecrets::of(self.project()));
        let component = Some(self.component.reference.clone());
        secrets.shows(&InputPlace { kind: Kind::Connection, component, input: name })
    }

    fn is_required(&self, name: &str) -> bool {
        self.type_.inputs.get(name).is_some_and(TypeInput::is_required)
    }

    fn lacks(&self, name: &str) -> AuthorError {
        let shape = if self.is_secret(name) { format!("--secret {name}=NAME/KEY") } else { format!("{name}=VALUE") };
        AuthorError::refused(format!("{} requires {name}", self.type_.key), format!("give {shape}"))
    }

    /// The question for the global value of an input.
    fn input(&self, name: &str, model: Option<&ConnectionSpec>) -> Question<Asked> {
        let model = model.and_then(|model| model.inputs.get(name));
        let is_secret = self.is_secret(name) || matches!(model, Some(Input::SecretRef(_)));
        let suggested = match model {
            Some(Input::Value(value)) if !is_secret && self.shows(name) => Some(value.clone()),
            Some(Input::SecretRef(reference)) if !reference.is_unknown() => {
                Some(format!("{}/{}", reference.name, reference.key))
            }
            _ if is_secret && self.is_required(name) => self.secret(name),
            _ => None,
        };
        let is_required = self.is_required(name);
        let usual = self.secret(name).filter(|_| suggested.is_none());
        InputQuestion { name, is_secret, is_required, suggested, usual }.of_connection()
    }

    /// A Secret for an input: named like the connection, by its key or by the one that will be suggested.
    fn secret(&self, input: &str) -> Option<String> {
        Some(format!("{}/{input}", names::of_stable_key(&self.likely_key()?)))
    }

    fn likely_key(&self) -> Option<String> {
        self.answers.key.clone().or_else(|| self.suggested_key())
    }

    fn test(&self, names: &[String], inputs: &BTreeMap<String, Input>) -> Result<BTreeMap<String, Input>, Open> {
        let Answers { values, has_test, .. } = self.answers;
        let given = || values.test.iter().filter_map(|(name, input)| Some((name.clone(), input.clone()?)));
        match has_test {
            // Flags give all of them.
            Some(false) => Ok(given().collect()),
            None if !values.test.is_empty() || names.is_empty() => Ok(given().collect()),
            None => Err(Open::ask(Question {
                asked: Asked::HasTest,
                text: "Give test credentials".to_string(),
                help: "used while an integration is being built, in place of the inputs".to_string(),
                form: Form::YesNo { suggested: false },
                flag: "--test INPUT=VALUE".to_string(),
            })),
            Some(true) => {
                let open = names.iter().find(|name| !values.test.contains_key(*name));
                let Some(name) = open else { return Ok(given().collect()) };
                let is_secret = self.is_secret(name) || matches!(inputs.get(name), Some(Input::SecretRef(_)));
                let usual = self.likely_key().map(|key| format!("{}-test/{name}", names::of_stable_key(&key)));
                let question = InputQuestion { name, is_secret, is_required: false, suggested: None, usual };
                Err(Open::ask(question.of_test()))
            }
        }
    }

    fn suggested_key(&self) -> Option<String> {
        keys::suggested(self.project(), self.home.tenant, &self.component.reference, &self.type_.key)
    }

    fn key(&self) -> Result<String, Open> {
        if let Some(key) = &self.answers.key {
            return Ok(key.clone());
        }
        let suggested = self.suggested_key();
        // A number is proposed to a person; without one, the same command twice would make two connections.
        let is_plain = suggested == names::usual_key(&self.component.reference.key, &self.type_.key);
        Err(Open::ask(Question {
            asked: Asked::Key,
            text: "Stable key".to_string(),
            help: "the same in every tenant; never changes".to_string(),
            form: match is_plain {
                true => Form::Text { suggested, required: true, completions: Vec::new() },
                false => Form::Proposal {
                    proposed: suggested.unwrap_or_default(),
                    why: format!("the usual key is taken in {}", self.home.tenant),
                },
            },
            flag: "--key KEY".to_string(),
        }))
    }

    fn title(&self, model: Option<&ConnectionSpec>) -> Result<Option<String>, Open> {
        if let Some(title) = &self.answers.values.title {
            return Ok(title.clone().filter(|title| !title.trim().is_empty()));
        }
        let capital = |key: &str| {
            let mut letters = key.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
        };
        let suggested = match model {
            Some(model) => model.title.clone(),
            None => capital(&self.component.reference.key),
        };
        Err(Open::ask(Question {
            asked: Asked::Title,
            text: "Title".to_string(),
            help: "what people see; empty for none".to_string(),
            form: Form::Text { suggested, required: false, completions: Vec::new() },
            flag: "--title TITLE".to_string(),
        }))
    }

    fn spec(&self, stable_key: String, title: Option<String>) -> ConnectionSpec {
        ConnectionSpec {
            stable_key,
            title,
            description: None,
            component: ComponentRef::new(&self.component.reference.key, self.component.reference.is_public()),
            type_: self.type_.key.clone(),
            credentials: self.credentials,
            embedded_workflows: None,
            inputs: BTreeMap::new(),
            test: None,
            replaces: Vec::new(),
            deletion_policy: None,
        }
    }

    fn done(
        &self,
        key: String,
        title: Option<String>,
        values: KnownValues,
        model: Option<&ConnectionSpec>,
    ) -> Result<NewConnection, AuthorError> {
        let KnownValues { inputs, test, embedded } = values;
        let description = match &self.answers.values.description {
            Some(given) => given.clone().filter(|text| !text.trim().is_empty()),
            None => model.and_then(|model| model.description.clone()),
        };
        let spec = ConnectionSpec {
            description,
            embedded_workflows: embedded.then_some(true),
            inputs,
            test: (!test.is_empty()).then_some(TestCredentials { inputs: test }),
            ..self.spec(key, title)
        };
        is_valid(&spec)?;
        let mut warnings = keys::warnings(self.project(), self.home.tenant, &spec);
        let component = self.missing_component();
        warnings.extend(component.iter().map(|component| {
            format!("{} has no {}: it is copied from another tenant", self.home.tenant, named(component))
        }));
        warnings.extend(self.fed(&spec));
        Ok(NewConnection { tenant: self.home.tenant.to_string(), spec, warnings, component })
    }

    /// The Component that the tenant lacks although it describes its components, where Components can be written.
    fn missing_component(&self) -> Option<Arc<Object<ComponentSpec>>> {
        let location = &self.project().tenants.get(self.home.tenant)?.spec.location;
        let own = inventories(self.project(), self.home.tenant);
        let describes_others = own.iter().any(|read| !read.components.is_empty());
        let lacks = own.iter().all(|read| read.component(&self.component.reference).is_none());
        let is_written = !matches!(location, Some(LocationSpec::Prismatic(_))) && self.component.is_declared();
        self.component.object.clone().filter(|_| describes_others && lacks && is_written)
    }

    /// What to know where a sync writes to the tenant.
    fn fed(&self, spec: &ConnectionSpec) -> Option<String> {
        let tenant = self.home.tenant;
        let world = self.project().world();
        let key = &spec.stable_key;
        if let Some(sync) = feeding(&world, tenant, &names::of_stable_key(key)).first() {
            let (writer, from) = (&sync.writer, &sync.spec.from);
            return Some(format!(
                "{writer} brings {key} from {from} to {tenant} by itself: what is written here is {tenant}'s own"
            ));
        }
        let mut syncs = self.project().syncs.iter().filter(|sync| sync.spec.goes_to(tenant));
        let sync = syncs.next().filter(|_| self.home.role == FolderRole::Location)?;
        let folder = self.home.folder.display();
        Some(format!(
            "{tenant} is fed by {}, and has no source: {key} is written into {folder} as its own",
            sync.writer
        ))
    }
}

impl InputQuestion<'_> {
    fn of_connection(self) -> Question<Asked> {
        let name = self.name.to_string();
        match self.is_secret {
            true => self.question(Asked::Secret(name.clone()), format!("--secret {name}=NAME/KEY"), name),
            false => self.question(Asked::Value(name.clone()), format!("{name}=VALUE"), name),
        }
    }

    fn of_test(self) -> Question<Asked> {
        let name = self.name.to_string();
        let text = format!("{name} for tests");
        match self.is_secret {
            true => self.question(Asked::TestSecret(name.clone()), format!("--test-secret {name}=NAME/KEY"), text),
            false => self.question(Asked::TestValue(name.clone()), format!("--test {name}=VALUE"), text),
        }
    }

    fn question(self, asked: Asked, flag: String, text: String) -> Question<Asked> {
        let optional = if self.is_required { "" } else { "; empty for none" };
        let is_test = matches!(asked, Asked::TestValue(_));
        // What does not fit one line of a terminal is not shown.
        let such_as = self.usual.as_ref().map(|usual| format!("NAME/KEY of a Secret, such as {usual}"));
        let such_as = such_as.filter(|such_as| such_as.len() + optional.len() <= HELP);
        let what = match (self.is_secret, is_test) {
            (true, _) => such_as.as_deref().unwrap_or("a reference NAME/KEY to a Secret, never the secret itself"),
            (false, true) => "in place of the input, while integrations are built",
            (false, false) => "the same for all customers",
        };
        let (suggested, required) = (self.suggested, self.is_required);
        let form = match self.is_secret {
            true => Form::Reference { suggested, required },
            false => Form::Text { suggested, required, completions: Vec::new() },
        };
        Question { asked, text, help: format!("{what}{optional}"), form, flag }
    }
}

/// Fails if the manifest of a connection would not be valid.
fn is_valid(spec: &ConnectionSpec) -> Result<(), AuthorError> {
    let resource = resource(spec);
    let id = format!("{}/{}", Kind::Connection, resource.metadata().name);
    let yaml =
        to_yaml(&resource).map_err(|error| AuthorError::Unreadable { what: id.clone(), why: error.to_string() })?;
    let read = read_text("new.yaml", yaml);
    let of_documents = read.invalid.iter().flat_map(|invalid| &invalid.problems);
    let problems = of_documents.chain(read.unparsed.iter().flat_map(|unparsed| &unparsed.problems));
    match problems.into_iter().next() {
        None => Ok(()),
        Some(FileProblem { message, help, .. }) => {
            Err(AuthorError::refused(format!("{id} would be invalid: {message}"), help.clone()))
        }
    }
}

fn resource(spec: &ConnectionSpec) -> Resource {
    Resource::from(Object::new(names::of_stable_key(&spec.stable_key), spec.clone()))
}

fn named(component: &Object<ComponentSpec>) -> String {
    format!("{}/{}", Kind::Component, component.name())
}

impl NewConnection {
    /// Fills a draft with the connection, and with what only a person can do for it.
    pub fn write(&self, draft: &mut Draft<'_>) -> Result<(), AuthorError> {
        let home = home(draft.project, &self.tenant)?;
        if let Some(component) = &self.component {
            let copy = Object::new(component.name(), component.spec.clone());
            draft.add(&home, &Resource::from(copy))?;
        }
        draft.add(&home, &resource(&self.spec))?;
        for step in secret_steps::steps(draft.project, &self.tenant, &self.spec) {
            draft.manual(step);
        }
        Ok(())
    }
}
