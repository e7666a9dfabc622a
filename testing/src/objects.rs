//! Builders for the custom resources. A builder begins with what its kind requires, and each method adds to it:
//!
//! ```
//! use stablekey_testing::objects::{Connection, Integration, Sync, Tenant};
//!
//! Tenant::new("eu").in_folder("eu").accepts("us").allows_delete();
//! Connection::new("crm", "salesforce/oauth2").input("scopes", "api").secret("clientSecret", "app");
//! Integration::new("lead-router").binds("CRM", "crm");
//! Sync::new("us-to-eu", "us", "eu").mirror().prune();
//! ```
//!
//! Each builds a file (`yaml`), kubectl's input (`json`), and the engine's type (`object`). For what no method sets,
//! use [`with`] on the JSON document.

use crate::yaml;
use serde::Serialize;
use serde_json::{Value, json};
use stablekey::api::{self, *};
use stablekey::engine::model::item::Item;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A document of any kind.
pub trait Document {
    /// Returns the input of kubectl.
    fn json(&self) -> Value;
    /// Returns the text of a file, as a person writes it.
    fn yaml(&self) -> String;
}

/// Splits `component/type`.
fn component_and_type(kind: &str) -> (ComponentRef, String) {
    let (component, type_) = kind.split_once('/').unwrap();
    (ComponentRef::new(component, true), type_.to_string())
}

macro_rules! builder {
    ($(#[$about:meta])* $name:ident of $spec:ty) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        pub struct $name {
            pub object: Object<$spec>,
        }

        impl $name {
            fn of(name: impl Into<String>, spec: $spec) -> Self {
                $name { object: Object::new(name, spec) }
            }

            fn spec(mut self, change: impl FnOnce(&mut $spec)) -> Self {
                change(&mut self.object.spec);
                self
            }

            /// Sets another name.
            pub fn named(mut self, name: &str) -> Self {
                self.object.metadata.name = name.to_string();
                self
            }

            pub fn label(mut self, name: &str, value: &str) -> Self {
                self.object.metadata.labels.insert(name.to_string(), value.to_string());
                self
            }

            pub fn annotation(mut self, name: &str, value: &str) -> Self {
                self.object.metadata.annotations.insert(name.to_string(), value.to_string());
                self
            }
        }

        impl From<Object<$spec>> for $name {
            fn from(object: Object<$spec>) -> Self {
                $name { object }
            }
        }

        impl From<$name> for Resource {
            fn from(built: $name) -> Self {
                Resource::from(built.object)
            }
        }

        document!($name, $name);
    };
}

macro_rules! document {
    ($name:ident, $kind:ident) => {
        impl Document for $name {
            fn json(&self) -> Value {
                Resource::from(self.object.clone()).to_json().unwrap()
            }

            fn yaml(&self) -> String {
                yaml::document(Kind::$kind, &self.object)
            }
        }

        impl From<$name> for Value {
            fn from(built: $name) -> Self {
                built.json()
            }
        }
    };
}

builder! {
    /// A tenant, for the engine, a folder or a namespace.
    Tenant of TenantSpec
}

impl Tenant {
    pub fn new(name: &str) -> Self {
        Tenant::of(name, TenantSpec::default())
    }

    /// Its location is a folder. Without a location it is in its own namespace.
    pub fn in_folder(self, path: &str) -> Self {
        let folder = DirectoryLocation { path: path.to_string() };
        self.spec(|s| s.location = Some(LocationSpec::Directory(folder)))
    }

    /// Its location is a namespace of the cluster of a kubeconfig's context.
    pub fn in_namespace(self, namespace: &str, context: &str) -> Self {
        self.located(namespace, Kubeconfig::Context(context.to_string()))
    }

    pub fn in_namespace_of_the_current_context(self, namespace: &str) -> Self {
        let location = KubernetesLocation { namespace: namespace.to_string(), kubeconfig: None };
        self.spec(|s| s.location = Some(LocationSpec::Kubernetes(location)))
    }

    /// Its location is a namespace of the cluster of a kubeconfig in a Secret.
    pub fn in_namespace_by_secret(self, namespace: &str, secret: &str, key: &str) -> Self {
        let secret = SecretKeyRef { name: secret.to_string(), key: key.to_string() };
        self.located(namespace, Kubeconfig::SecretRef(secret))
    }

    fn located(self, namespace: &str, kubeconfig: Kubeconfig) -> Self {
        let location = KubernetesLocation { namespace: namespace.to_string(), kubeconfig: Some(kubeconfig) };
        self.spec(|s| s.location = Some(LocationSpec::Kubernetes(location)))
    }

    pub fn region(self, region: &str, environment: &str) -> Self {
        self.spec(|s| (s.region, s.environment) = (Some(region.to_string()), Some(environment.to_string())))
    }

    pub fn accepts(self, from: &str) -> Self {
        self.spec(|s| s.accept_from.push(from.to_string()))
    }

    pub fn accepts_nobody(self) -> Self {
        self.spec(|s| s.accept_from.clear())
    }

    /// Its source is a folder, which does not prune.
    pub fn source(self, path: &str) -> Self {
        self.spec(|s| s.source = Some(Source::of_path(path)))
    }

    /// Its source prunes, whether it exists already or not.
    pub fn source_prunes(self) -> Self {
        self.spec(|s| s.source = Some(Source { prune: Some(true), ..Source::of_path("declared") }))
    }

    pub fn suspended(self) -> Self {
        self.spec(|s| s.suspend = Some(true))
    }

    pub fn resumed(self) -> Self {
        self.spec(|s| s.suspend = None)
    }

    fn policy(self, change: impl FnOnce(&mut Policy)) -> Self {
        self.spec(|s| change(s.policy.get_or_insert_with(Policy::default)))
    }

    pub fn allows(self, actions: &[AllowedAction]) -> Self {
        self.policy(|p| p.actions = Some(actions.to_vec()))
    }

    pub fn allows_delete(self) -> Self {
        self.allows(&[AllowedAction::Create, AllowedAction::Update, AllowedAction::Delete])
    }

    pub fn drift(self, drift: Drift) -> Self {
        self.policy(|p| p.drift = Some(drift))
    }

    pub fn approval(self, percent: i32, from: i32) -> Self {
        self.policy(|p| p.approval = Some(ApprovalShare { percent: Some(percent), from: Some(from) }))
    }
}

/// A sync of all integrations that writes no connection by default.
#[derive(Clone, Debug)]
pub struct Sync {
    pub object: Object<TenantSyncSpec>,
}

document!(Sync, TenantSync);

impl Sync {
    /// `to`: one or several tenants, separated by spaces.
    pub fn new(name: &str, from: &str, to: &str) -> Self {
        let spec = TenantSyncSpec {
            from: from.to_string(),
            to: to.split(' ').map(str::to_string).collect(),
            integrations: vec!["*".to_string()],
            ..TenantSyncSpec::default()
        };
        Sync { object: Object::new(name, spec) }
    }

    fn spec(mut self, change: impl FnOnce(&mut TenantSyncSpec)) -> Self {
        change(&mut self.object.spec);
        self
    }

    /// Gives it these targets, instead of stages.
    pub fn to(self, to: &[&str]) -> Self {
        self.spec(|s| (s.to, s.stages) = (to.iter().map(ToString::to_string).collect(), Vec::new()))
    }

    /// Gives it stages instead of `to`.
    pub fn stages(self, stages: &[&[&str]]) -> Self {
        let stage = |to: &&[&str]| Stage { to: to.iter().map(ToString::to_string).collect() };
        self.spec(|s| (s.to, s.stages) = (Vec::new(), stages.iter().map(stage).collect()))
    }

    pub fn mirror(self) -> Self {
        self.spec(|s| s.connections = Some(ConnectionMode::Mirror))
    }

    pub fn create(self) -> Self {
        self.spec(|s| s.connections = Some(ConnectionMode::Create))
    }

    pub fn prune(self) -> Self {
        self.spec(|s| s.prune = Some(true))
    }

    pub fn mode(self, mode: SyncMode) -> Self {
        self.spec(|s| s.mode = Some(mode))
    }

    pub fn of_integrations(self, patterns: &[&str]) -> Self {
        self.spec(|s| s.integrations = patterns.iter().map(ToString::to_string).collect())
    }

    pub fn suspended(self) -> Self {
        self.spec(|s| s.suspend = Some(true))
    }

    pub fn resumed(self) -> Self {
        self.spec(|s| s.suspend = None)
    }

    pub fn deletes_connections(self) -> Self {
        self.spec(|s| s.connection_deletion = Some(DeletionPolicy::Delete))
    }

    pub fn overriding(self, tenant: &str, change: impl FnOnce(&mut Override)) -> Self {
        let mut o = Override { tenant: tenant.into(), reason: "a test".into(), ..Override::default() };
        change(&mut o);
        self.spec(|s| s.overrides.push(o))
    }

    pub fn overriding_input(self, tenant: &str, key: &str, input: &str, value: &str) -> Self {
        self.overriding(tenant, |o| {
            o.stable_key = Some(key.into());
            o.input = Some(input.into());
            o.value = Some(value.into());
        })
    }

    pub fn overriding_secret(self, tenant: &str, key: &str, input: &str, secret: &str) -> Self {
        self.overriding(tenant, |o| {
            o.stable_key = Some(key.into());
            o.input = Some(input.into());
            o.secret_ref = Some(SecretRef { name: secret.into(), key: input.into(), version: None });
        })
    }

    pub fn overriding_field(self, tenant: &str, key: &str, field: &str, value: &str) -> Self {
        self.overriding(tenant, |o| {
            o.stable_key = Some(key.into());
            o.field = Some(field.into());
            o.value = Some(value.into());
        })
    }

    pub fn overriding_variable(self, tenant: &str, integration: &str, variable: &str, key: &str) -> Self {
        self.overriding(tenant, |o| {
            o.stable_key = Some(key.into());
            o.integration = Some(integration.into());
            o.variable = Some(variable.into());
        })
    }

    /// Adds an override that keeps a field of an object in a tenant.
    pub fn keeping(self, tenant: &str, object: &str, field: &str) -> Self {
        self.overriding(tenant, |o| {
            o.object = Some(object.into());
            o.field = Some(field.into());
            o.keep = Some(True);
        })
    }
}

builder! {
    /// A component. Methods on a type apply to the last one.
    Component of ComponentSpec
}

impl Component {
    /// Creates one with one type: `component/type`.
    pub fn new(kind: &str) -> Self {
        let (component, type_) = component_and_type(kind);
        let spec = ComponentSpec { key: component.key.clone(), public: None, types: Vec::new() };
        Component::of(names::of_component(&component.key, true), spec).type_(&type_)
    }

    /// Adds a type.
    pub fn type_(self, key: &str) -> Self {
        let type_ = ConnectionType { key: key.to_string(), oauth2: None, inputs: BTreeMap::new() };
        self.spec(|s| s.types.push(type_))
    }

    /// Makes the type OAuth 2.0 with an authorization code.
    pub fn authorization_code(self) -> Self {
        self.spec(|s| s.types.last_mut().unwrap().oauth2 = Some(OAuth2::AuthorizationCode))
    }

    fn type_input(self, name: &str, change: impl FnOnce(&mut TypeInput)) -> Self {
        self.spec(|s| change(s.types.last_mut().unwrap().inputs.entry(name.to_string()).or_default()))
    }

    pub fn has_input(self, name: &str) -> Self {
        self.type_input(name, |_| {})
    }

    pub fn requires(self, name: &str) -> Self {
        self.type_input(name, |input| input.required = Some(true))
    }

    pub fn has_secret(self, name: &str) -> Self {
        self.type_input(name, |input| input.secret = Some(true))
    }

    pub fn has_endpoint(self, name: &str) -> Self {
        self.type_input(name, |input| input.endpoint = Some(true))
    }
}

builder! {
    /// A connection, named after its key.
    Connection of ConnectionSpec
}

impl Connection {
    /// Creates a connection for customers whose credentials the organization supplies; `kind` is `component/type`.
    pub fn new(key: &str, kind: &str) -> Self {
        let (component, type_) = component_and_type(kind);
        let spec = ConnectionSpec {
            stable_key: key.to_string(),
            title: None,
            description: None,
            component,
            type_,
            credentials: Credentials::OrganizationCustomer,
            embedded_workflows: None,
            inputs: BTreeMap::new(),
            test: None,
            replaces: Vec::new(),
            deletion_policy: None,
        };
        Connection::of(names::of_stable_key(key), spec)
    }

    pub fn with_input(self, name: &str, input: Input) -> Self {
        self.spec(|s| drop(s.inputs.insert(name.to_string(), input)))
    }

    pub fn input(self, name: &str, value: &str) -> Self {
        self.with_input(name, Input::value(value))
    }

    /// References the key of the input's own name in a Secret.
    pub fn secret(self, name: &str, secret: &str) -> Self {
        self.secret_key(name, secret, name)
    }

    /// References a key of a Secret.
    pub fn secret_key(self, name: &str, secret: &str, key: &str) -> Self {
        self.with_input(name, Input::secret(secret, key))
    }

    pub fn per_customer(self, name: &str) -> Self {
        self.with_input(name, Input::PER_CUSTOMER)
    }

    pub fn without_input(self, name: &str) -> Self {
        self.spec(|s| drop(s.inputs.remove(name)))
    }

    pub fn test_input(self, name: &str, value: &str) -> Self {
        self.with_test_input(name, Input::value(value))
    }

    pub fn test_secret(self, name: &str, secret: &str) -> Self {
        self.with_test_input(name, Input::secret(secret, name))
    }

    fn with_test_input(self, name: &str, input: Input) -> Self {
        self.spec(|s| drop(s.test.get_or_insert_with(Default::default).inputs.insert(name.to_string(), input)))
    }

    pub fn title(self, title: &str) -> Self {
        self.spec(|s| s.title = Some(title.to_string()))
    }

    pub fn without_title(self) -> Self {
        self.spec(|s| s.title = None)
    }

    pub fn embedded(self, embedded: bool) -> Self {
        self.spec(|s| s.embedded_workflows = Some(embedded))
    }

    pub fn credentials(self, credentials: Credentials) -> Self {
        self.spec(|s| s.credentials = credentials)
    }

    pub fn of_kind(self, kind: &str) -> Self {
        let (component, type_) = component_and_type(kind);
        self.spec(|s| (s.component, s.type_) = (component, type_))
    }

    pub fn replaces(self, older: &str) -> Self {
        self.spec(|s| s.replaces.push(older.to_string()))
    }

    pub fn deletion(self, policy: DeletionPolicy) -> Self {
        self.spec(|s| s.deletion_policy = Some(policy))
    }

    pub fn without_deletion(self) -> Self {
        self.spec(|s| s.deletion_policy = None)
    }
}

builder! {
    /// An integration.
    Integration of IntegrationSpec
}

impl Integration {
    pub fn new(name: &str) -> Self {
        Integration::of(name, IntegrationSpec { title: None, connections: Vec::new(), definition: None })
    }

    pub fn title(self, title: &str) -> Self {
        self.spec(|s| s.title = Some(title.to_string()))
    }

    fn variable(self, variable: Variable) -> Self {
        self.spec(|s| match s.connections.iter_mut().find(|known| known.name == variable.name) {
            Some(known) => *known = variable,
            None => s.connections.push(variable),
        })
    }

    pub fn binds(self, variable: &str, key: &str) -> Self {
        self.variable(Variable::bound(variable, key))
    }

    /// Binds the variable `Use of KEY` to each of these keys.
    pub fn uses(self, keys: &[&str]) -> Self {
        keys.iter().fold(self, |integration, key| integration.binds(&format!("Use of {key}"), key))
    }

    /// Adds a connection of its own; `kind` is `component/type`.
    pub fn owns(self, variable: &str, kind: &str) -> Self {
        let (component, type_) = component_and_type(kind);
        self.variable(Variable::own(variable, component, type_))
    }

    pub fn without_variable(self, variable: &str) -> Self {
        self.spec(|s| s.connections.retain(|known| known.name != variable))
    }

    pub fn definition_file(self, file: &str) -> Self {
        self.spec(|s| s.definition = Some(Definition::File(file.to_string())))
    }

    pub fn definition_map(self, map: &str) -> Self {
        self.spec(|s| s.definition = Some(Definition::ConfigMap(ConfigMapRef { name: map.to_string() })))
    }
}

builder! {
    /// Credentials of one customer, supplied by the organization.
    CustomerCredentials of CustomerCredentialsSpec
}

impl CustomerCredentials {
    /// The name is made of the customer and the key.
    pub fn new(customer: &str, key: &str) -> Self {
        let name = format!("{}-{}", customer.to_lowercase(), names::of_stable_key(key));
        let spec = CustomerCredentialsSpec {
            customer: customer.to_string(),
            connection: key.to_string(),
            name: None,
            origin: None,
            inputs: BTreeMap::new(),
        };
        CustomerCredentials::of(name, spec)
    }

    /// Makes it a set of this name; the default one without a name.
    pub fn set(self, name: Option<&str>) -> Self {
        self.spec(|s| s.name = name.map(str::to_string))
    }

    pub fn with_input(self, name: &str, input: Input) -> Self {
        self.spec(|s| drop(s.inputs.insert(name.to_string(), input)))
    }

    pub fn input(self, name: &str, value: &str) -> Self {
        self.with_input(name, Input::value(value))
    }

    pub fn secret(self, name: &str, secret: &str) -> Self {
        self.with_input(name, Input::secret(secret, name))
    }

    pub fn origin(self, origin: Origin) -> Self {
        self.spec(|s| s.origin = Some(origin))
    }

    pub fn for_connection(self, key: &str) -> Self {
        self.spec(|s| s.connection = key.to_string())
    }

    pub fn of_customer(self, customer: &str) -> Self {
        self.spec(|s| s.customer = customer.to_string())
    }
}

impl From<Component> for Item {
    fn from(built: Component) -> Self {
        Item::Component(Arc::new(built.object))
    }
}

impl From<Connection> for Item {
    fn from(built: Connection) -> Self {
        Item::Connection(Arc::new(built.object))
    }
}

/// Drops the definition.
impl From<Integration> for Item {
    fn from(built: Integration) -> Self {
        Item::Integration(Arc::new(built.object), None)
    }
}

impl From<CustomerCredentials> for Item {
    fn from(built: CustomerCredentials) -> Self {
        Item::CustomerCredentials(Arc::new(built.object))
    }
}

/// Returns a Secret of an application.
pub fn secret(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
}

/// Returns several documents as one List for kubectl.
pub fn list(documents: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": documents})
}

/// Returns a document with any spec, even one that no builder makes and no API server accepts.
pub fn document(kind: Kind, name: &str, spec: impl Serialize) -> Value {
    let spec = serde_json::to_value(spec).unwrap();
    json!({"apiVersion": api::API_VERSION, "kind": kind.as_str(), "metadata": {"name": name}, "spec": spec})
}

/// Replaces the value at a JSON pointer of a document.
pub fn with(mut document: Value, pointer: &str, value: impl Into<Value>) -> Value {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[last] = value.into();
    document
}
