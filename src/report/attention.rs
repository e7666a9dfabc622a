//! What needs a person, worst first.

use super::object_state::{Grounds, ObjectStates, of_finding};
use super::overview_state::OverviewState;
use super::ranked::suspensions;
use super::shown_value::SecretInputs;
use crate::api::Kind;
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::command::EditCommand;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::finding::{At, Finding};
use crate::engine::model::inventory::{View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, FieldChange, Note, Plan, State, Target};
use crate::text::{and, count, shorten};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Something that needs a person. The same in several tenants is one.
#[derive(Clone, Debug)]
pub struct Attention {
    pub state: OverviewState,
    /// The tenants; none for what belongs to no tenant.
    pub tenants: Vec<String>,
    /// The object; `None` for a tenant or a file.
    pub object: Option<ObjectId>,
    /// The name before the sentence: a stable key, or the name of an integration, a sync or a tenant.
    pub name: String,
    /// What is wrong.
    pub sentence: String,
    /// The values, or how to fix it; the different ones of several tenants.
    pub details: Vec<String>,
    /// The commands that make the edit; one of them is enough.
    pub commands: Vec<EditCommand>,
    /// The position in a file.
    pub at: Option<At>,
    /// Where the person can do something about it.
    pub link: AttentionLink,
}

/// The page where a person can do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttentionLink {
    Plan,
    /// By stable key.
    Connection(String),
    /// By name.
    Integration(String),
    Tenant(String),
    Sync(String),
    /// The manual steps.
    Steps,
    /// A file has to be mended.
    Nowhere,
}

/// The sentence of a tenant that cannot be read.
const UNREACHABLE: &str = "cannot be read";

/// The most details that are kept for one entry.
const DETAILS: usize = 3;
/// The most characters of one value.
const VALUE: usize = 60;

/// Gathered by what they say, without the names of tenants.
#[derive(Default)]
struct Gathered {
    all: Vec<Attention>,
    by_content: HashMap<(OverviewState, String, String), usize>,
}

impl Gathered {
    fn add(&mut self, tenant: Option<&str>, entry: Attention) {
        let without = |text: &str| match tenant {
            Some(tenant) => text.replace(tenant, "\u{0}"),
            None => text.to_string(),
        };
        let name = entry.object.as_ref().map_or_else(|| without(&entry.name), ToString::to_string);
        let content = (entry.state, name, without(&entry.sentence));
        match self.by_content.get(&content).and_then(|at| self.all.get_mut(*at)) {
            Some(known) => {
                for tenant in
                    entry.tenants.into_iter().filter(|tenant| !known.tenants.contains(tenant)).collect::<Vec<_>>()
                {
                    known.tenants.push(tenant);
                }
                for detail in entry.details {
                    if known.details.len() < DETAILS && !known.details.contains(&detail) {
                        known.details.push(detail);
                    }
                }
            }
            None => {
                self.by_content.insert(content, self.all.len());
                self.all.push(entry);
            }
        }
    }
}

impl Attention {
    /// Something of a tenant that no page is for.
    pub fn new(state: OverviewState, tenant: &str, name: &str, sentence: &str) -> Self {
        Attention {
            state,
            tenants: vec![tenant.to_string()],
            object: None,
            name: name.to_string(),
            sentence: sentence.to_string(),
            details: Vec::new(),
            commands: Vec::new(),
            at: None,
            link: AttentionLink::Nowhere,
        }
    }

    /// The word for the mark: that of the state, but for a tenant that cannot be read, which lacks nothing.
    pub fn word(&self) -> &'static str {
        let is_unreachable = self.object.is_none() && self.sentence == UNREACHABLE;
        if is_unreachable { "unreachable" } else { self.state.word() }
    }

    /// All that needs a person.
    pub fn all(world: &World, plan: &Plan, grounds: &Grounds<'_>, tenants: &[ObjectStates<'_>]) -> Vec<Self> {
        let mut entries = Gathered::default();
        let broken = BrokenFiles::of(world, plan);
        for states in tenants {
            of_tenant(world, grounds, states, &broken, &mut entries);
        }
        let is_of_tenant =
            |finding: &&Finding| finding.tenant.as_ref().is_some_and(|tenant| world.tenants.contains_key(tenant));
        for finding in plan.findings.iter().filter(|finding| !is_of_tenant(finding)) {
            let state = match finding.severity {
                Severity::Warning if finding.code == Code::KeyDiffers => OverviewState::Differs,
                Severity::Warning => continue,
                _ => OverviewState::Blocked,
            };
            let tenant = finding.tenant.as_deref();
            entries.add(tenant, entry_of_finding(finding, state, finding_name(finding, None)));
        }
        let mut all = entries.all;
        // What stops a whole tenant, file or sync comes before objects in the same state.
        let is_of_object = |entry: &Attention| {
            entry.object.as_ref().is_some_and(|o| !matches!(o.kind, Kind::Tenant | Kind::TenantSync))
        };
        all.sort_by(|a, b| {
            let rank = |entry: &Attention| (entry.state, is_of_object(entry));
            rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name))
        });
        all
    }
}

/// Files that cannot be read, each with the objects that are unknown because of it: these are listed once, with the file.
struct BrokenFiles<'a> {
    by_file: BTreeMap<&'a str, BTreeSet<(&'a str, &'a ObjectId)>>,
}

impl<'a> BrokenFiles<'a> {
    fn of(world: &'a World, plan: &'a Plan) -> Self {
        let views = world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]).flatten();
        let files = views.filter_map(View::inventory).flat_map(|inventory| &inventory.unparsed);
        let mut broken = BrokenFiles { by_file: files.map(|file| (file.as_str(), BTreeSet::new())).collect() };
        if broken.by_file.is_empty() {
            return broken;
        }
        let blocked = plan.targets.iter().flat_map(|target| {
            target.notes.iter().filter_map(|note| match note {
                Note::Blocked { object, code, text, .. } => {
                    Some((target.tenant.as_str(), object, *code, text.as_str()))
                }
                _ => None,
            })
        });
        let found = plan.findings.iter().filter_map(|finding| {
            Some((finding.tenant.as_deref()?, finding.object.as_ref()?, finding.code, finding.text.as_str()))
        });
        for (tenant, object, code, text) in blocked.chain(found) {
            if let Some(objects) = broken.cause(code, text).and_then(|file| broken.by_file.get_mut(file)) {
                objects.insert((tenant, object));
            }
        }
        broken
    }

    /// The file because of which something is unknown.
    fn cause(&self, code: Code, text: &str) -> Option<&'a str> {
        let may_be = matches!(code, Code::FileBroken | Code::BindingUnknown);
        let names = |file: &str| {
            let at = text.find(&format!("{file} cannot be read"));
            // The end of another path is another file.
            at.and_then(|at| text.get(..at))
                .is_some_and(|before| before.is_empty() || before.ends_with(char::is_whitespace))
        };
        self.by_file.keys().copied().find(|file| may_be && names(file))
    }

    /// What is unknown because of the file of a finding, in words.
    fn consequence(&self, finding: &Finding) -> Option<String> {
        let file = self.cause(finding.code, &finding.text).filter(|_| finding.object.is_none())?;
        let objects = self.by_file.get(file).filter(|objects| !objects.is_empty())?;
        Some(count(objects.len(), "object is unknown because of it", "objects are unknown because of it"))
    }
}

fn of_tenant(
    world: &World,
    grounds: &Grounds<'_>,
    states: &ObjectStates<'_>,
    broken: &BrokenFiles<'_>,
    entries: &mut Gathered,
) {
    let tenant = states.tenant;
    let whole = |state: OverviewState, sentence: &str| Attention {
        link: AttentionLink::Tenant(tenant.to_string()),
        ..Attention::new(state, tenant, tenant, sentence)
    };
    let findings = grounds.findings(tenant);
    if let Some(why) = states.view.live.unreachable() {
        let told = findings.iter().find(|finding| finding.code == Code::TenantUnreachable);
        let mut entry = whole(OverviewState::Missing, UNREACHABLE);
        entry.details.push(why.to_string());
        entry.details.extend(told.map(|finding| finding.fix.clone()));
        entry.at = told.and_then(|finding| finding.at.clone());
        entries.add(Some(tenant), entry);
    } else if let Some(why) = &states.unknown
        && !findings.iter().any(|finding| finding.severity == Severity::Error)
    {
        let mut entry = whole(OverviewState::Unknown, "not all that is declared for it is known");
        entry.details.push(why.clone());
        entries.add(Some(tenant), entry);
    }
    let mut blocked: BTreeSet<(&ObjectId, Code)> = BTreeSet::new();
    if let Some(target) = states.target.filter(|target| target.state == State::Read) {
        of_target(world, states, target, broken, &mut blocked, entries);
        for sentence in waits_of(target) {
            entries.add(Some(tenant), whole(OverviewState::Waiting, &sentence));
        }
    }
    for finding in findings {
        let is_told = finding.object.as_ref().is_some_and(|object| blocked.contains(&(object, finding.code)))
            || finding.code == Code::TenantUnreachable && states.view.live.unreachable().is_some();
        let of_object = finding.object.as_ref().filter(|o| !matches!(o.kind, Kind::Tenant | Kind::TenantSync));
        let is_told = is_told || of_object.is_some() && broken.cause(finding.code, &finding.text).is_some();
        let state = match of_object {
            _ if is_told => None,
            Some(_) if finding.code == Code::KeyDiffers => Some(OverviewState::Differs),
            Some(_) => of_finding(finding, world, states.inventory).map(|cell| cell.state),
            // What is suspended waits, and is not approved.
            None if finding.code.is_of_whole_target() && states.view.spec.is_suspended() => None,
            None if finding.code.is_of_whole_target() => Some(OverviewState::NeedsApproval),
            None if finding.severity == Severity::Warning => Some(OverviewState::Unknown),
            None => Some(OverviewState::Blocked),
        };
        if let Some(state) = state {
            let mut entry = entry_of_finding(finding, state, finding_name(finding, Some(states)));
            entry.details.extend(broken.consequence(finding));
            entries.add(Some(tenant), entry);
        }
    }
}

/// What waits because of a suspension or a stage.
fn waits_of(target: &Target) -> Vec<String> {
    let stages = target.stages.iter().map(|(writer, wait)| format!("{writer} {wait}"));
    suspensions(target, "is suspended", ": ").into_iter().chain(stages).collect()
}

fn of_target<'a>(
    world: &World,
    states: &ObjectStates<'a>,
    target: &'a Target,
    broken: &BrokenFiles<'_>,
    blocked: &mut BTreeSet<(&'a ObjectId, Code)>,
    entries: &mut Gathered,
) {
    let tenant = states.tenant;
    let entry = |state: OverviewState, object: &ObjectId, sentence: String, details: Vec<String>| {
        let name = states.name_of(object);
        Attention {
            object: Some(object.clone()),
            details,
            link: link_of(object, &name),
            ..Attention::new(state, tenant, &name, &sentence)
        }
    };
    // What is suspended waits, and is not approved.
    for action in target.actions.iter().filter(|action| !target.suspended && !action.needs_approval.is_empty()) {
        let object = &action.change.object;
        let why: Vec<&str> = action.needs_approval.iter().map(|approval| approval.why.as_str()).collect();
        let made = entry(OverviewState::NeedsApproval, object, why.join("; "), changes(world, states, action));
        entries.add(Some(tenant), Attention { link: AttentionLink::Plan, at: action.at.clone(), ..made });
    }
    let acted: BTreeSet<&ObjectId> = target.actions.iter().map(|action| &action.change.object).collect();
    let mut drifted: Vec<(&ObjectId, Vec<String>, Vec<String>)> = Vec::new();
    let values = |object: &ObjectId, path: &[String], from, to| {
        let field = Field::parse(&path.join(".")).unwrap_or_else(|| Field::of(FieldKind::Title));
        let secrets = secrets_of(world, states, object);
        let words = |json| shorten(&secrets.shown_json(&field, json).words(), VALUE).into_owned();
        format!("Live: {}. Desired: {}", words(from), words(to))
    };
    for note in &target.notes {
        match note {
            Note::Blocked { object, code, text, fix, commands } => {
                blocked.insert((object, *code));
                if broken.cause(*code, text).is_some() {
                    continue;
                }
                let state = if *code == Code::BindingMissing { OverviewState::Missing } else { OverviewState::Blocked };
                let made = entry(state, object, text.clone(), vec![fix.clone()]);
                entries.add(Some(tenant), Attention { commands: commands.clone(), ..made });
            }
            Note::Drift { object, path, left: true, ignored: false, from, to, .. } => {
                let field = path.last().cloned().unwrap_or_default();
                let detail = values(object, path, from.as_ref(), to.as_ref());
                match drifted.last_mut().filter(|(last, ..)| *last == object) {
                    Some((_, fields, details)) => {
                        fields.push(field);
                        details.push(detail);
                    }
                    None => drifted.push((object, vec![field], vec![detail])),
                }
            }
            Note::Kept { object, path, by, from, to, .. } if note.is_kept_variable() => {
                let variable = path.last().map(String::as_str).unwrap_or_default();
                let sentence = format!("{variable} is bound otherwise than declared, and kept by {by}");
                let detail = values(object, path, from.as_ref(), to.as_ref());
                entries.add(Some(tenant), entry(OverviewState::Kept, object, sentence, vec![detail]));
            }
            Note::Manual { object, text, .. } if !acted.contains(object) => {
                let made = entry(OverviewState::NotReady, object, text.clone(), Vec::new());
                entries.add(Some(tenant), Attention { link: AttentionLink::Steps, ..made });
            }
            _ => {}
        }
    }
    for (object, fields, details) in drifted {
        let sentence = format!("{} changed outside Stablekey", and(&fields));
        let details = details.into_iter().take(DETAILS).collect();
        entries.add(Some(tenant), entry(OverviewState::Drift, object, sentence, details));
    }
}

/// The values that an action changes: `host: a → b`.
fn changes(world: &World, states: &ObjectStates<'_>, action: &Action) -> Vec<String> {
    let is_shown = |change: &&FieldChange| change.from.is_some() && change.to.is_some();
    if !action.fields.iter().any(|change| is_shown(&change)) {
        return Vec::new();
    }
    let secrets = secrets_of(world, states, &action.change.object);
    let change = |change: &FieldChange| {
        let words = |json| shorten(&secrets.shown_json(&change.field, json).words(), VALUE).into_owned();
        format!("{}: {} → {}", change.field, words(change.from.as_ref()), words(change.to.as_ref()))
    };
    action.fields.iter().filter(is_shown).take(DETAILS).map(change).collect()
}

fn secrets_of(world: &World, states: &ObjectStates<'_>, object: &ObjectId) -> SecretInputs {
    match object.kind {
        Kind::Connection => SecretInputs::of(world, &states.name_of(object)),
        Kind::CustomerCredentials => {
            let credentials = states.inventory.and_then(|i| i.customer_credentials.get(&object.name));
            credentials.map(|c| SecretInputs::of(world, &c.spec.connection)).unwrap_or_default()
        }
        _ => SecretInputs::default(),
    }
}

fn finding_name(finding: &Finding, states: Option<&ObjectStates<'_>>) -> String {
    match (&finding.object, states) {
        (Some(object), Some(states)) => states.name_of(object),
        (Some(object), None) => object.name.clone(),
        (None, _) => finding.tenant.clone().unwrap_or_default(),
    }
}

fn entry_of_finding(finding: &Finding, state: OverviewState, name: String) -> Attention {
    let link = match &finding.object {
        Some(object) => link_of(object, &name),
        None => match &finding.tenant {
            Some(tenant) if finding.code != Code::FileBroken => AttentionLink::Tenant(tenant.clone()),
            _ => AttentionLink::Nowhere,
        },
    };
    Attention {
        state,
        tenants: finding.tenant.iter().cloned().collect(),
        object: finding.object.clone(),
        name,
        sentence: finding.text.clone(),
        details: vec![finding.fix.clone()],
        commands: finding.commands.clone(),
        at: finding.at.clone(),
        link,
    }
}

fn link_of(object: &ObjectId, name: &str) -> AttentionLink {
    match object.kind {
        Kind::Connection => AttentionLink::Connection(name.to_string()),
        Kind::Integration => AttentionLink::Integration(object.name.clone()),
        Kind::Tenant => AttentionLink::Tenant(object.name.clone()),
        Kind::TenantSync => AttentionLink::Sync(object.name.clone()),
        Kind::Component | Kind::CustomerCredentials => AttentionLink::Plan,
    }
}
