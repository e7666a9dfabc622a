//! The engine's world, built with the words of [`objects`], and assertions on its plan.

use crate::objects;
use stablekey::api::*;
use stablekey::engine::model::canonical;
use stablekey::engine::model::code::Code;
use stablekey::engine::model::field::Field;
use stablekey::engine::model::finding::Finding;
use stablekey::engine::model::inventory::{Capabilities, Inventory, Ready, Sync, TenantView, View, World};
use stablekey::engine::model::item::{Item, ObjectId};
use stablekey::engine::model::plan::{Action, ActionKind, FieldChange, Note, Op, Plan, Scope, Target};
use stablekey::engine::model::record::{Record, Writer, Wrote};
use stablekey::engine::narrowing::plan_narrowed;
use stablekey::engine::plan;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A world under construction. Methods on a sync apply to the last one.
#[derive(Clone, Default)]
pub struct Given {
    pub world: World,
}

/// Creates an empty world.
pub fn world() -> Given {
    Given::default()
}

/// The empty namespace of a tenant without a location.
fn namespace() -> Inventory {
    let can = Capabilities { knows_readiness: false, ..Capabilities::CLUSTER };
    Inventory { can, ..Inventory::default() }
}

impl Given {
    /// Sets the time of the plan.
    pub fn at(mut self, time: &str) -> Self {
        self.world.now = Some(time.parse().unwrap());
        self
    }

    /// Adds or changes a tenant.
    pub fn tenant(mut self, name: &str, describe: impl FnOnce(GivenTenant) -> GivenTenant) -> Self {
        let view = self.world.tenants.remove(name).unwrap_or_else(|| TenantView {
            resend: Default::default(),
            spec: TenantSpec::default(),
            live: View::Read(Arc::new(namespace())),
            source: None,
            recent: 0,
            before: None,
        });
        let told = describe(GivenTenant { name: name.to_string(), view, declares: false, object: None });
        self.world.tenants.insert(name.to_string(), told.view);
        self
    }

    pub fn without_tenant(mut self, name: &str) -> Self {
        self.world.tenants.remove(name);
        self
    }

    /// Adds a sync of all integrations that writes no connection.
    pub fn sync(self, name: &str, from: &str, to: &str) -> Self {
        self.writer(Writer::Sync(name.to_string()), from, to)
    }

    /// Adds an ad-hoc sync.
    pub fn promotion(self, from: &str, to: &str) -> Self {
        self.writer(Writer::Promote(from.to_string()), from, to)
    }

    fn writer(mut self, writer: Writer, from: &str, to: &str) -> Self {
        let spec = objects::Sync::new("", from, to).object.spec;
        self.world.syncs.push(Sync { writer, spec: Arc::new(spec) });
        self
    }

    /// Selects an earlier sync for the methods on a sync.
    pub fn of_sync(mut self, name: &str) -> Self {
        let at = self.world.syncs.iter().position(|s| s.writer == Writer::Sync(name.to_string())).unwrap();
        let sync = self.world.syncs.remove(at);
        self.world.syncs.push(sync);
        self
    }

    pub fn without_sync(mut self, name: &str) -> Self {
        self.world.syncs.retain(|s| s.writer != Writer::Sync(name.to_string()));
        self
    }

    fn last(mut self, change: impl FnOnce(objects::Sync) -> objects::Sync) -> Self {
        let spec = &mut self.world.syncs.last_mut().unwrap().spec;
        let sync = objects::Sync { object: Object::new("", (**spec).clone()) };
        *spec = Arc::new(change(sync).object.spec);
        self
    }

    pub fn mirror(self) -> Self {
        self.last(|sync| sync.mirror())
    }

    pub fn create(self) -> Self {
        self.last(|sync| sync.create())
    }

    pub fn prune(self) -> Self {
        self.last(|sync| sync.prune())
    }

    pub fn of_integrations(self, patterns: &[&str]) -> Self {
        self.last(|sync| sync.of_integrations(patterns))
    }

    pub fn overriding(self, tenant: &str, change: impl FnOnce(&mut Override)) -> Self {
        self.last(|sync| sync.overriding(tenant, change))
    }

    pub fn overriding_input(self, tenant: &str, key: &str, input: &str, value: &str) -> Self {
        self.last(|sync| sync.overriding_input(tenant, key, input, value))
    }

    pub fn overriding_secret(self, tenant: &str, key: &str, input: &str, secret: &str) -> Self {
        self.last(|sync| sync.overriding_secret(tenant, key, input, secret))
    }

    pub fn overriding_field(self, tenant: &str, key: &str, field: &str, value: &str) -> Self {
        self.last(|sync| sync.overriding_field(tenant, key, field, value))
    }

    pub fn overriding_variable(self, tenant: &str, integration: &str, variable: &str, key: &str) -> Self {
        self.last(|sync| sync.overriding_variable(tenant, integration, variable, key))
    }

    /// Adds an override that keeps a field of an object in a tenant.
    pub fn keeping(self, tenant: &str, object: &str, field: &str) -> Self {
        self.last(|sync| sync.keeping(tenant, object, field))
    }

    /// Gives the sync stages instead of `to`.
    pub fn to(self, to: &[&str]) -> Self {
        self.last(|sync| sync.to(to))
    }

    pub fn stages(self, stages: &[&[&str]]) -> Self {
        self.last(|sync| sync.stages(stages))
    }

    pub fn suspended(self) -> Self {
        self.last(|sync| sync.suspended())
    }

    pub fn resumed(self) -> Self {
        self.last(|sync| sync.resumed())
    }

    pub fn deletes_connections(self) -> Self {
        self.last(|sync| sync.deletes_connections())
    }

    /// Returns the plan of the world.
    pub fn plan(&self) -> Planned {
        self.plan_of(&Scope::default())
    }

    /// Returns a narrowed plan.
    pub fn plan_of(&self, scope: &Scope) -> Planned {
        Planned { world: self.clone(), plan: plan_narrowed(&self.world, scope) }
    }

    /// Returns the world after the plan was applied.
    pub fn applied(&self) -> Given {
        self.plan().done()
    }

    /// Edits live objects directly, for what no method does.
    pub fn edit_live(&mut self, tenant: &str, edit: impl FnOnce(&mut Inventory)) {
        let View::Read(inventory) = &mut self.world.tenants.get_mut(tenant).unwrap().live else {
            panic!("{tenant} is unreachable")
        };
        edit(Arc::make_mut(inventory));
    }

    pub fn live(&self, tenant: &str) -> &Inventory {
        self.world.tenants[tenant].live.inventory().unwrap()
    }

    pub fn record(&self, object: &str) -> Option<&Record> {
        let (tenant, id) = split(object);
        self.live(tenant).record(tenant, &id).map(AsRef::as_ref)
    }

    pub fn has(&self, object: &str) -> bool {
        let (tenant, id) = split(object);
        self.live(tenant).get(&id).is_some()
    }

    /// Returns the live value of a field, as JSON.
    pub fn value(&self, object: &str, field: &str) -> Option<serde_json::Value> {
        let (tenant, id) = split(object);
        let item = self.live(tenant).get(&id).unwrap();
        item.written(&path(field)).map(|v| v.to_json().value())
    }

    /// Returns the writers of a field.
    pub fn writers(&self, object: &str, field: &str) -> Vec<String> {
        let wrote = self.record(object).and_then(|r| r.fields.get(&path(field)));
        wrote.into_iter().flat_map(|w| w.writers.iter()).map(ToString::to_string).collect()
    }
}

/// Splits `tenant/Kind/name`.
pub fn split(object: &str) -> (&str, ObjectId) {
    let (tenant, id) = object.split_once('/').unwrap();
    (tenant, ObjectId::parse(id).unwrap())
}

/// Parses the path of a field: `inputs.scopes`, `connections.CRM`.
pub fn path(text: &str) -> Field<'static> {
    Field::decode(&text.replace(' ', "%20")).unwrap_or_else(|| panic!("{text} is no field"))
}

/// A tenant under construction. Objects are added to its location, or after [`GivenTenant::declares`] to its source;
/// methods on an object apply to the last one.
pub struct GivenTenant {
    name: String,
    view: TenantView,
    declares: bool,
    object: Option<ObjectId>,
}

impl GivenTenant {
    /// Adds the following objects to its source.
    pub fn declares(mut self) -> Self {
        self.declares = true;
        self.view.source.get_or_insert_with(|| View::Read(Arc::default()));
        self
    }

    /// Adds the following objects to its location.
    pub fn location(mut self) -> Self {
        self.declares = false;
        self
    }

    /// Replaces all objects of its location.
    pub fn with_live(mut self, inventory: Arc<Inventory>) -> Self {
        self.view.live = View::Read(inventory);
        self
    }

    pub fn without_source(mut self) -> Self {
        self.view.source = None;
        self
    }

    /// Its source prunes, whether it exists already or not.
    pub fn source_prunes(self) -> Self {
        self.tenant(|tenant| tenant.source_prunes())
    }

    pub fn suspended(self) -> Self {
        self.tenant(|tenant| tenant.suspended())
    }

    pub fn resumed(self) -> Self {
        self.tenant(|tenant| tenant.resumed())
    }

    /// Gives it an empty source.
    pub fn declares_nothing(mut self) -> Self {
        self.view.source = Some(View::Read(Arc::default()));
        self
    }

    pub fn accepts(self, from: &str) -> Self {
        self.tenant(|tenant| tenant.accepts(from))
    }

    pub fn environment(mut self, environment: &str) -> Self {
        self.view.spec.environment = Some(environment.to_string());
        self
    }

    /// Makes its location a folder, not a namespace.
    pub fn in_folder(mut self) -> Self {
        if let View::Read(live) = &mut self.view.live {
            Arc::make_mut(live).can = Capabilities::FILES;
        }
        self.tenant(|tenant| tenant.in_folder("folder"))
    }

    pub fn accepts_nobody(self) -> Self {
        self.tenant(|tenant| tenant.accepts_nobody())
    }

    fn tenant(mut self, change: impl FnOnce(objects::Tenant) -> objects::Tenant) -> Self {
        let tenant = objects::Tenant::from(Object::new(&self.name, self.view.spec.clone()));
        self.view.spec = change(tenant).object.spec;
        self
    }

    pub fn allows(self, actions: &[AllowedAction]) -> Self {
        self.tenant(|tenant| tenant.allows(actions))
    }

    pub fn allows_delete(self) -> Self {
        self.tenant(|tenant| tenant.allows_delete())
    }

    pub fn drift(self, drift: Drift) -> Self {
        self.tenant(|tenant| tenant.drift(drift))
    }

    pub fn approval(self, percent: i32, from: i32) -> Self {
        self.tenant(|tenant| tenant.approval(percent, from))
    }

    pub fn unreachable(mut self) -> Self {
        let view = View::Unreachable("no route to host".to_string());
        match self.declares {
            true => self.view.source = Some(view),
            false => self.view.live = view,
        }
        self
    }

    fn inventory(&mut self) -> &mut Inventory {
        let view = match self.declares {
            true => self.view.source.as_mut().unwrap(),
            false => &mut self.view.live,
        };
        match view {
            View::Read(inventory) => Arc::make_mut(inventory),
            View::Unreachable(_) => panic!("{} is unreachable", self.name),
        }
    }

    /// Makes its location report the readiness of an integration.
    pub fn reports(mut self, integration: &str, ready: Ready) -> Self {
        self.inventory().ready_integrations.insert(integration.to_string(), ready);
        self
    }

    pub fn unparsed(mut self, file: &str) -> Self {
        self.inventory().unparsed.insert(file.to_string());
        self
    }

    pub fn fixed(mut self) -> Self {
        self.inventory().unparsed.clear();
        self.inventory().invalid.clear();
        self
    }

    /// Adds an invalid document that names this object.
    pub fn invalid(mut self, object: &str) -> Self {
        let id = ObjectId::parse(object).unwrap();
        self.inventory().remove(&id);
        self.inventory().invalid.insert(id, "a rule is broken".to_string());
        self
    }

    /// Removes an object like a concurrent writer: its record is kept.
    pub fn without(mut self, object: &str) -> Self {
        self.inventory().remove(&ObjectId::parse(object).unwrap());
        self
    }

    /// Selects an existing object for the methods on an object.
    pub fn edit(mut self, object: &str) -> Self {
        let id = ObjectId::parse(object).unwrap();
        assert!(self.inventory().get(&id).is_some(), "{} has no {object}", self.name);
        self.object = Some(id);
        self
    }

    fn put(mut self, item: Item) -> Self {
        self.object = Some(item.id());
        self.inventory().insert(item);
        self
    }

    fn id(&self) -> ObjectId {
        self.object.clone().unwrap()
    }

    /// Adds a connection for customers whose credentials the organization supplies; `kind` is `component/type`.
    pub fn connection(self, key: &str, kind: &str) -> Self {
        self.put(objects::Connection::new(key, kind).into())
    }

    fn on_connection(mut self, change: impl FnOnce(objects::Connection) -> objects::Connection) -> Self {
        let name = self.id().name;
        let object = self.inventory().connections.get_mut(&name).unwrap();
        *object = Arc::new(change((**object).clone().into()).object);
        self
    }

    fn on_component(mut self, change: impl FnOnce(objects::Component) -> objects::Component) -> Self {
        let name = self.id().name;
        let object = self.inventory().components.get_mut(&name).unwrap();
        *object = Arc::new(change((**object).clone().into()).object);
        self
    }

    fn on_integration(mut self, change: impl FnOnce(objects::Integration) -> objects::Integration) -> Self {
        let name = self.id().name;
        let object = self.inventory().integrations.get_mut(&name).unwrap();
        *object = Arc::new(change((**object).clone().into()).object);
        self
    }

    fn on_customer(
        mut self,
        change: impl FnOnce(objects::CustomerCredentials) -> objects::CustomerCredentials,
    ) -> Self {
        let name = self.id().name;
        let object = self.inventory().customer_credentials.get_mut(&name).unwrap();
        *object = Arc::new(change((**object).clone().into()).object);
        self
    }

    fn with_input(self, name: &str, input: Input) -> Self {
        match self.id().kind {
            Kind::CustomerCredentials => self.on_customer(|customer| customer.with_input(name, input)),
            _ => self.on_connection(|connection| connection.with_input(name, input)),
        }
    }

    pub fn input(self, name: &str, value: &str) -> Self {
        self.with_input(name, Input::value(value))
    }

    pub fn secret(self, name: &str, secret: &str) -> Self {
        self.with_input(name, Input::secret(secret, name))
    }

    /// References a key of a Secret whose name is not the input's.
    pub fn secret_key(self, name: &str, secret: &str, key: &str) -> Self {
        self.with_input(name, Input::secret(secret, key))
    }

    pub fn per_customer(self, name: &str) -> Self {
        self.with_input(name, Input::PER_CUSTOMER)
    }

    pub fn without_input(self, name: &str) -> Self {
        self.on_connection(|connection| connection.without_input(name))
    }

    pub fn test_input(self, name: &str, value: &str) -> Self {
        self.on_connection(|connection| connection.test_input(name, value))
    }

    pub fn test_secret(self, name: &str, secret: &str) -> Self {
        self.on_connection(|connection| connection.test_secret(name, secret))
    }

    pub fn title(self, title: &str) -> Self {
        match self.id().kind {
            Kind::Integration => self.on_integration(|integration| integration.title(title)),
            _ => self.on_connection(|connection| connection.title(title)),
        }
    }

    pub fn without_title(self) -> Self {
        self.on_connection(objects::Connection::without_title)
    }

    pub fn embedded(self, embedded: bool) -> Self {
        self.on_connection(|connection| connection.embedded(embedded))
    }

    pub fn credentials(self, credentials: Credentials) -> Self {
        self.on_connection(|connection| connection.credentials(credentials))
    }

    pub fn of_kind(self, kind: &str) -> Self {
        self.on_connection(|connection| connection.of_kind(kind))
    }

    pub fn replaces(self, older: &str) -> Self {
        self.on_connection(|connection| connection.replaces(older))
    }

    pub fn deletion(self, policy: DeletionPolicy) -> Self {
        self.on_connection(|connection| connection.deletion(policy))
    }

    pub fn without_deletion(self) -> Self {
        self.on_connection(objects::Connection::without_deletion)
    }

    /// Adds a label, and an annotation with the same value.
    pub fn label(self, name: &str, value: &str) -> Self {
        match self.id().kind {
            Kind::Connection => self.on_connection(|connection| connection.label(name, value).annotation(name, value)),
            _ => self.on_integration(|integration| integration.label(name, value).annotation(name, value)),
        }
    }

    /// Adds a component with one type, whose inputs follow.
    pub fn component(self, kind: &str) -> Self {
        self.put(objects::Component::new(kind).into())
    }

    /// Makes its type OAuth 2.0 with an authorization code.
    pub fn authorization_code(self) -> Self {
        self.on_component(objects::Component::authorization_code)
    }

    pub fn requires(self, name: &str) -> Self {
        self.on_component(|component| component.requires(name))
    }

    pub fn has_secret(self, name: &str) -> Self {
        self.on_component(|component| component.has_secret(name))
    }

    pub fn has_endpoint(self, name: &str) -> Self {
        self.on_component(|component| component.has_endpoint(name))
    }

    pub fn has_input(self, name: &str) -> Self {
        self.on_component(|component| component.has_input(name))
    }

    pub fn integration(self, name: &str) -> Self {
        self.put(objects::Integration::new(name).into())
    }

    pub fn binds(self, variable: &str, key: &str) -> Self {
        self.on_integration(|integration| integration.binds(variable, key))
    }

    pub fn owns(self, variable: &str, kind: &str) -> Self {
        self.on_integration(|integration| integration.owns(variable, kind))
    }

    pub fn without_variable(self, variable: &str) -> Self {
        self.on_integration(|integration| integration.without_variable(variable))
    }

    /// Gives it a definition with this digest.
    pub fn defined(self, digest: &str) -> Self {
        let name = self.id().name;
        let mut defined = self.on_integration(|integration| integration.definition_file(&format!("{name}.definition")));
        let uses = Uses { digest: digest.to_string(), ..Uses::default() };
        defined.inventory().uses.insert(name, Arc::new(uses));
        defined
    }

    /// Gives it a definition that was not delivered to the cluster.
    pub fn undelivered(self) -> Self {
        let name = self.id().name;
        let mut defined = self.on_integration(|integration| integration.definition_file(&format!("{name}.definition")));
        defined.inventory().uses.remove(&name);
        defined
    }

    /// Gives it a definition in a ConfigMap that does not exist or cannot be read.
    pub fn defined_out_of_reach(self, map: &str) -> Self {
        let name = self.id().name;
        let mut defined = self.on_integration(|integration| integration.definition_map(map));
        defined.inventory().uses.remove(&name);
        defined
    }

    /// Adds credentials of one customer, supplied by the organization; the name is made of the customer and the key.
    pub fn customer(self, customer: &str, key: &str) -> Self {
        self.put(objects::CustomerCredentials::new(customer, key).into())
    }

    /// Adds one of several sets of a customer, as an object of this name.
    pub fn customer_set(self, object: &str, customer: &str, key: &str, set: Option<&str>) -> Self {
        self.put(objects::CustomerCredentials::new(customer, key).named(object).set(set).into())
    }

    pub fn origin(self, origin: Origin) -> Self {
        self.on_customer(|customer| customer.origin(origin))
    }

    pub fn for_connection(self, key: &str) -> Self {
        self.on_customer(|customer| customer.for_connection(key))
    }

    pub fn of_customer(self, name: &str) -> Self {
        self.on_customer(|customer| customer.of_customer(name))
    }

    /// Records the current object as written by this writer; `made`: Stablekey created it, too.
    pub fn written_by(mut self, writer: &str, made: bool) -> Self {
        let writer = Writer::parse(writer).unwrap();
        let id = self.id();
        let tenant = self.name.clone();
        let item = self.inventory().get(&id).unwrap();
        let mut record = Record { made, ..Record::of(&tenant) };
        for (field, value) in item.fields(writer == Writer::Source) {
            let wrote = Wrote { hash: value.hash(), writers: BTreeSet::from([writer.clone()]).into() };
            record.fields.insert(field.into_owned(), wrote);
        }
        self.inventory().records.insert(id, record.into());
        self
    }

    /// Makes the object's record name another tenant, as if it was copied.
    pub fn record_names(mut self, tenant: &str) -> Self {
        let id = self.id();
        Arc::make_mut(self.inventory().records.get_mut(&id).unwrap()).tenant = tenant.to_string();
        self
    }

    /// Makes another manager the owner of a field of the object.
    pub fn holds(mut self, field: &str, manager: &str) -> Self {
        let id = self.id();
        let kept = self.inventory().holders.entry(id).or_default();
        Arc::make_mut(kept).insert(path(field), manager.into());
        self
    }
}

/// A plan, and the world that it was made from.
#[derive(Clone)]
pub struct Planned {
    pub world: Given,
    pub plan: Plan,
}

impl Planned {
    /// Returns the world after the plan was applied.
    pub fn done(&self) -> Given {
        Given { world: plan::simulate(&self.world.world, &self.plan) }
    }

    pub fn json(&self) -> String {
        canonical::to_string(&self.plan).unwrap()
    }

    pub fn target(&self, tenant: &str) -> &Target {
        self.plan.targets.iter().find(|t| t.tenant == tenant).unwrap_or_else(|| panic!("no target {tenant}\n{self}"))
    }

    pub fn ids(&self) -> Vec<&str> {
        self.plan.actions().map(|(_, a)| a.id.as_str()).collect()
    }

    #[track_caller]
    pub fn action(&self, id: &str) -> PlannedAction<'_> {
        match self.plan.actions().find(|(_, a)| a.id == id) {
            Some((_, action)) => PlannedAction { action, seen: self },
            None => panic!("there is no action {id}\n{self}"),
        }
    }

    /// Asserts that an action waits for an earlier stage, and returns what its syncs wait for.
    #[track_caller]
    pub fn waits(&self, id: &str) -> String {
        let (target, action) = self.plan.waiting().find(|(_, action)| action.id == id).unwrap_or_else(|| {
            panic!("{id} should wait\n{self}");
        });
        assert!(!self.ids().contains(&id), "{id} waits, and is done\n{self}");
        let waits = target.stages.iter().filter(|(writer, _)| action.writers.contains(writer));
        waits.map(|(_, wait)| wait.text()).collect::<Vec<_>>().join("\n")
    }

    /// Asserts that nothing waits for an earlier stage.
    #[track_caller]
    pub fn waits_for_no_stage(&self) -> &Self {
        assert_eq!(self.plan.waiting().count(), 0, "{self}");
        self
    }

    #[track_caller]
    pub fn leaves_alone(&self, id: &str) -> &Self {
        assert!(!self.ids().contains(&id), "{id} should be left alone\n{self}");
        self
    }

    #[track_caller]
    pub fn is_empty(&self) -> &Self {
        assert!(self.plan.is_empty(), "nothing should be left to do\n{self}");
        self
    }

    /// Asserts that only ownership records change, and that nothing is in the way.
    #[track_caller]
    pub fn only_records(&self) -> &Self {
        let mut kinds = self.plan.actions().map(|(_, action)| action.action);
        assert!(kinds.all(|kind| kind == ActionKind::Adopt), "only records should change\n{self}");
        assert!(matches!(self.plan.exit, 0 | 2), "nothing should be in the way\n{self}");
        self
    }

    #[track_caller]
    pub fn exits(&self, code: u8) -> &Self {
        assert_eq!(self.plan.exit, code, "{self}");
        self
    }

    fn notes(&self, object: &str) -> impl Iterator<Item = &Note> + use<'_> {
        let (tenant, id) = split(object);
        self.target(tenant).notes.iter().filter(move |n| *n.object() == id)
    }

    /// Asserts that an object is blocked, and returns the message.
    #[track_caller]
    pub fn blocks(&self, object: &str, because: Code) -> &str {
        let found = self.notes(object).find_map(|n| match n {
            Note::Blocked { code, text, .. } if *code == because => Some(text.as_str()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{object} should be blocked by {because}\n{self}"))
    }

    #[track_caller]
    pub fn blocks_nothing(&self) -> &Self {
        assert_eq!(self.plan.counts.blocked, 0, "{self}");
        self
    }

    /// Asserts that a field is kept, and returns its owner; with an empty field, why the whole object is kept.
    #[track_caller]
    pub fn holds(&self, object: &str, field: &str) -> &str {
        let wanted = if field.is_empty() { Vec::new() } else { path(field).path() };
        let found = self.notes(object).find_map(|n| match n {
            Note::Kept { path, by, text, .. } if *path == wanted => Some(text.as_ref().unwrap_or(by).as_str()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{field} of {object} should be held\n{self}"))
    }

    /// Returns the syncs whose value of a field the target's own source overrides, with both values.
    #[track_caller]
    pub fn overridden(&self, object: &str, field: &str) -> Vec<(String, String, String)> {
        let wanted = path(field).path();
        let found: Vec<_> = self
            .notes(object)
            .filter_map(|n| match n {
                Note::Overridden { path, by, writer, from, to, .. } if *path == wanted => {
                    assert_eq!(by.to_string(), "source");
                    Some((writer.to_string(), from.value().to_string(), to.value().to_string()))
                }
                _ => None,
            })
            .collect();
        assert!(!found.is_empty(), "{field} of {object} should be overridden\n{self}");
        found
    }

    #[track_caller]
    pub fn overrides_nothing(&self) -> &Self {
        let notes = self.plan.targets.iter().flat_map(|t| &t.notes);
        assert_eq!(notes.filter(|n| matches!(n, Note::Overridden { .. })).count(), 0, "{self}");
        self
    }

    #[track_caller]
    pub fn holds_nothing(&self) -> &Self {
        assert_eq!(self.plan.counts.kept, 0, "{self}");
        self
    }

    /// Whether a field drifted and is kept.
    #[track_caller]
    pub fn drifted(&self, object: &str, field: &str) -> bool {
        let wanted = path(field).path();
        let found = self.notes(object).find_map(|n| match n {
            Note::Drift { path, left, .. } if *path == wanted => Some(*left),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{field} of {object} should have drifted\n{self}"))
    }

    #[track_caller]
    pub fn has_no_drift(&self) -> &Self {
        assert_eq!(self.plan.counts.drift, 0, "{self}");
        self
    }

    /// Returns the manual steps for an object: who, how many, what.
    pub fn manual(&self, object: &str) -> Vec<(&str, usize, &str)> {
        let notes = self.notes(object).filter_map(|n| match n {
            Note::Manual { who, count, text, .. } => Some((*who, *count, text.as_str())),
            _ => None,
        });
        notes.collect()
    }

    pub fn findings(&self, code: Code) -> Vec<&Finding> {
        self.plan.findings.iter().filter(|f| f.code == code).collect()
    }

    #[track_caller]
    pub fn finding(&self, code: Code) -> &Finding {
        self.findings(code).first().copied().unwrap_or_else(|| panic!("{code} should be found\n{self}"))
    }

    #[track_caller]
    pub fn finds_no(&self, code: Code) -> &Self {
        assert!(self.findings(code).is_empty(), "{code} should not be found\n{self}");
        self
    }
}

impl std::fmt::Display for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string_pretty(&self.plan).unwrap())
    }
}

/// An action with assertions.
#[derive(Clone, Copy)]
pub struct PlannedAction<'a> {
    pub action: &'a Action,
    seen: &'a Planned,
}

impl PlannedAction<'_> {
    #[track_caller]
    fn is(self, kind: ActionKind) -> Self {
        assert_eq!(self.action.action, kind, "{}", self.seen);
        self
    }

    #[track_caller]
    pub fn is_create(self) -> Self {
        self.is(ActionKind::Create)
    }

    #[track_caller]
    pub fn is_update(self) -> Self {
        self.is(ActionKind::Update)
    }

    #[track_caller]
    pub fn is_adopt(self) -> Self {
        self.is(ActionKind::Adopt)
    }

    #[track_caller]
    pub fn is_delete(self) -> Self {
        self.is(ActionKind::Delete)
    }

    pub fn change(&self, field: &str) -> Option<&FieldChange> {
        self.action.fields.iter().find(|c| c.field == path(field))
    }

    #[track_caller]
    fn does(self, op: Op, field: &str) -> Self {
        assert_eq!(self.change(field).map(|c| c.op), Some(op), "{field}\n{}", self.seen);
        self
    }

    #[track_caller]
    pub fn sets(self, field: &str) -> Self {
        self.does(Op::Set, field)
    }

    #[track_caller]
    pub fn removes(self, field: &str) -> Self {
        self.does(Op::Remove, field)
    }

    #[track_caller]
    pub fn only_records(self, field: &str) -> Self {
        self.does(Op::Record, field)
    }

    #[track_caller]
    pub fn forgets(self, field: &str) -> Self {
        self.does(Op::Forget, field)
    }

    #[track_caller]
    pub fn releases(self, field: &str) -> Self {
        self.does(Op::Release, field)
    }

    #[track_caller]
    pub fn does_not_touch(self, field: &str) -> Self {
        assert!(self.change(field).is_none(), "{field} should not be touched\n{}", self.seen);
        self
    }

    #[track_caller]
    pub fn waits_for(self, id: &str) -> Self {
        assert!(self.action.after.contains(id), "it should wait for {id}\n{}", self.seen);
        self
    }

    #[track_caller]
    pub fn needs_approval(self, code: Code) -> Self {
        assert!(self.action.needs_approval.iter().any(|a| a.code == code), "{code}\n{}", self.seen);
        self
    }

    #[track_caller]
    pub fn needs_no_approval(self) -> Self {
        assert!(self.action.needs_approval.is_empty(), "{}", self.seen);
        self
    }

    pub fn writers(&self) -> Vec<String> {
        self.action.writers.iter().map(ToString::to_string).collect()
    }

    pub fn digest(&self) -> String {
        self.action.digest.to_string()
    }
}
