//! The overview of all tenants: nothing is in sync beside a difference, and unknown is never in sync.

use stablekey::api::{AllowedAction, Drift, Kind};
use stablekey::engine::model::item::ObjectId;
use stablekey::engine::model::plan::Scope;
use stablekey::engine::model::record::Writer;
use stablekey::report::overview::{Attention, AttentionLink, Overview, OverviewRow, OverviewState, StepGroup};
use stablekey::report::status::{Cell, StatusReport, todo};
use stablekey_testing::world::*;

fn overview(given: &Given) -> Overview {
    let planned = given.plan();
    Overview::of(&planned.world.world, &planned.plan)
}

fn row<'o>(rows: &'o [OverviewRow], key: &str) -> &'o OverviewRow {
    rows.iter().find(|row| &*row.key == key).unwrap_or_else(|| panic!("no row {key}"))
}

/// The states of a key, with the words beside them: `missing no such key`.
fn key(overview: &Overview, key: &str) -> Vec<String> {
    shown(row(&overview.connections, key))
}

fn integration(overview: &Overview, name: &str) -> Vec<String> {
    shown(row(&overview.integrations, name))
}

fn shown(row: &OverviewRow) -> Vec<String> {
    row.cells.iter().map(|cell| format!("{} {}", cell.state.word(), cell.say).trim().to_string()).collect()
}

fn attention<'o>(overview: &'o Overview, name: &str) -> &'o Attention {
    let found = overview.attention.iter().find(|entry| entry.name == name);
    found.unwrap_or_else(|| panic!("{name} needs no attention: {:?}", overview.attention))
}

/// dev and prod, of which prod gets what dev has.
fn mirrored() -> Given {
    world()
        .tenant("dev", |t| t.connection("crm", "a/b").input("host", "x").integration("lead").binds("CRM", "crm"))
        .tenant("prod", |t| t.accepts("dev"))
        .sync("up", "dev", "prod")
        .mirror()
}

#[test]
fn what_is_carried_out_is_in_sync_everywhere() {
    let before = overview(&mirrored());
    assert_eq!(key(&before, "crm"), ["in sync", "to create create"]);
    assert_eq!(integration(&before, "lead"), ["in sync", "to create create"]);
    assert_eq!(before.tenants[1].states.open(), 2);
    assert_eq!(before.tenants[1].words(), "2 open");
    assert_eq!(before.tenants[1].long_words(), "2 open: 1 connection and 1 integration");
    let after = overview(&mirrored().applied());
    assert_eq!(key(&after, "crm"), ["in sync", "in sync"]);
    assert_eq!(integration(&after, "lead"), ["in sync", "in sync"]);
    let row = row(&after.connections, "crm");
    assert_eq!((row.used_by, &*row.component, row.is_quiet()), (1, "a · b", true));
    assert_eq!((after.counts.keys.total, after.counts.keys.in_sync_everywhere), (1, 1));
    assert_eq!(after.counts.integrations.by_state.of(OverviewState::InSync), 1);
    assert!(after.attention.is_empty(), "{:?}", after.attention);
    assert_eq!(after.tenants[1].words(), "in sync");
    assert_eq!(after.tenants[1].long_words(), "in sync");
}

#[test]
fn rows_are_worst_first_and_what_is_in_sync_is_last() {
    let w = world()
        .tenant("dev", |t| {
            t.connection("a", "a/b").connection("b", "a/b").connection("c", "a/b").integration("i").binds("C", "gone")
        })
        .tenant("prod", |t| t.connection("a", "a/b").declares().connection("b", "a/b"));
    let overview = overview(&w);
    let keys: Vec<&str> = overview.connections.iter().map(|row| &*row.key).collect();
    assert_eq!(keys, ["gone", "b", "a", "c"]);
    assert_eq!(key(&overview, "gone"), ["missing no such key", "not in this tenant"]);
    assert_eq!(key(&overview, "c"), ["in sync", "not in this tenant"]);
    assert_eq!(integration(&overview, "i"), ["missing gone", "not in this tenant"]);
    assert_eq!(row(&overview.connections, "gone").used_by, 1);
    let counts = overview.counts.keys;
    assert_eq!((counts.total, counts.in_sync_everywhere, counts.by_state.of(OverviewState::Absent)), (4, 2, 2));
    let listed: Vec<_> = counts.listed().collect();
    assert_eq!(listed.last(), Some(&(OverviewState::InSync, 2)), "{listed:?}");
    assert!(listed.iter().all(|(state, _)| *state != OverviewState::Absent), "{listed:?}");
}

#[test]
fn a_key_that_a_sync_would_need_is_missing_in_its_target() {
    let w = world()
        .tenant("dev", |t| t.connection("crm", "a/b").integration("lead").binds("CRM", "crm"))
        .tenant("prod", |t| t.accepts("dev"))
        .tenant("test", |t| t.accepts("dev"))
        .sync("up", "dev", "prod")
        .to(&["prod", "test"]);
    let overview = overview(&w);
    assert_eq!(key(&overview, "crm"), ["in sync", "missing no such key", "missing no such key"]);
    assert_eq!(integration(&overview, "lead")[0], "in sync");
    let lead = attention(&overview, "lead");
    assert_eq!(
        (lead.state, lead.tenants.as_slice()),
        (OverviewState::Missing, &["prod".to_string(), "test".into()][..])
    );
    assert_eq!(lead.link, AttentionLink::Integration("lead".into()));
    assert!(lead.sentence.contains("needs stable key crm"), "{}", lead.sentence);
    assert_eq!(overview.attention.len(), 1);
}

#[test]
fn an_override_of_a_variable_needs_another_key() {
    let w = world()
        .tenant("dev", |t| t.connection("crm", "a/b").integration("lead").binds("CRM", "crm"))
        .tenant("prod", |t| t.accepts("dev"))
        .sync("up", "dev", "prod")
        .overriding_variable("prod", "lead", "CRM", "crm-eu");
    let overview = overview(&w);
    assert_eq!(key(&overview, "crm"), ["in sync", "not in this tenant"]);
    assert_eq!(key(&overview, "crm-eu"), ["not in this tenant", "missing no such key"]);
}

/// Somebody changes the host of `crm` in `prod`.
fn drift(w: &mut Given) {
    w.edit_live("prod", |inventory| {
        let crm = inventory.connections.get_mut("crm").unwrap();
        let inputs = &mut std::sync::Arc::make_mut(crm).spec.inputs;
        inputs.insert("host".into(), stablekey::api::Input::value("y"));
    });
}

#[test]
fn drift_and_what_the_tenant_keeps_is_never_in_sync() {
    let mut w = mirrored().applied();
    drift(&mut w);
    let drifted = overview(&w);
    assert_eq!(key(&drifted, "crm"), ["in sync", "drift host"]);
    let entry = attention(&drifted, "crm");
    assert_eq!(entry.sentence, "host changed outside Stablekey");
    assert_eq!(entry.details, ["Live: y. Desired: x"]);
    assert_eq!(entry.link, AttentionLink::Connection("crm".into()));
    let ignored = overview(&w.clone().tenant("prod", |t| t.drift(Drift::Ignore)));
    assert_eq!(key(&ignored, "crm"), ["in sync", "kept host, drift ignored"]);
    let corrected = overview(&w.clone().tenant("prod", |t| t.drift(Drift::Correct)));
    assert_eq!(key(&corrected, "crm")[0], "in sync");
    assert!(["to update host", "needs approval host"].contains(&key(&corrected, "crm")[1].as_str()));
    w.edit_live("prod", |inventory| inventory.records.clear());
    let kept = overview(&w);
    assert_eq!(key(&kept, "crm"), ["in sync", "kept host"]);
    assert_eq!(kept.counts.keys.in_sync_everywhere, 0);
}

#[test]
fn what_waits_is_never_in_sync() {
    let suspended = overview(&mirrored().suspended());
    assert_eq!(key(&suspended, "crm"), ["in sync", "waits sync suspended"]);
    assert_eq!(integration(&suspended, "lead"), ["in sync", "waits sync suspended"]);
    assert_eq!(attention(&suspended, "prod").sentence, "sync/up is suspended: 2 actions wait");
    // A sync that has nothing to do makes nothing wait.
    let idle = overview(&mirrored().applied().suspended());
    assert_eq!(key(&idle, "crm"), ["in sync"; 2]);
    assert_eq!(integration(&idle, "lead"), ["in sync"; 2]);
    assert_eq!(attention(&idle, "prod").sentence, "sync/up is suspended: nothing waits");
    let mut drifted = mirrored().applied().suspended();
    drift(&mut drifted);
    assert_eq!(key(&overview(&drifted), "crm"), ["in sync", "waits sync suspended"]);
    assert_eq!(integration(&overview(&drifted), "lead"), ["in sync"; 2]);
    let tenant = overview(&mirrored().tenant("prod", |t| t.suspended()));
    assert_eq!(key(&tenant, "crm"), ["in sync", "waits create"]);
    assert_eq!(attention(&tenant, "prod").sentence, "is suspended: 2 actions wait");
    assert_eq!(tenant.tenants[1].words(), "suspended");
    let staged = mirrored().tenant("last", |t| t.accepts("dev")).stages(&[&["prod"], &["last"]]);
    let staged = overview(&staged);
    assert_eq!(key(&staged, "crm"), ["in sync", "waits create", "to create create"]);
    assert_eq!(attention(&staged, "last").state, OverviewState::Waiting);
}

#[test]
fn what_is_not_read_whole_is_unknown() {
    let all = |given: Given| {
        let overview = overview(&given);
        assert_eq!(overview.tenants[1].words(), "unknown");
        (key(&overview, "crm"), integration(&overview, "lead"))
    };
    let unknown = || (vec!["in sync".to_string(), "unknown".into()], vec!["in sync".to_string(), "unknown".into()]);
    // A file of the tenant, and a writer that may write there.
    assert_eq!(all(mirrored().applied().tenant("prod", |t| t.unparsed("x.yaml"))), unknown());
    let mut stopped = mirrored().applied();
    let named = stablekey::engine::model::inventory::Targets::Named(["prod".to_string()].into());
    stopped.world.stopped.insert(Writer::Sync("broken".into()), named);
    assert_eq!(all(stopped), unknown());
    // The source of the sync, which is the other tenant.
    let source = overview(&mirrored().applied().tenant("dev", |t| t.unparsed("x.yaml")));
    assert_eq!(key(&source, "crm"), ["unknown", "unknown"]);
    let gone = overview(&mirrored().applied().tenant("dev", |t| t.unreachable()));
    assert_eq!(key(&gone, "crm"), ["unknown", "unknown"]);
    assert_eq!(gone.tenants[0].words(), "unreachable");
    assert_eq!(gone.attention[0].sentence, "cannot be read");
    // A file outside all tenants may hold a sync into any.
    let mut outside = mirrored().applied();
    outside.world.unread.insert("sync.yaml".into());
    assert_eq!(key(&overview(&outside), "crm"), ["unknown", "unknown"]);
    // A part of the plan says nothing of the rest.
    let applied = mirrored().applied();
    let scope = Scope { tenants: ["dev".to_string()].into(), ..Scope::default() };
    let part = applied.plan_of(&scope);
    assert_eq!(key(&Overview::of(&part.world.world, &part.plan), "crm"), ["in sync", "unknown"]);
}

#[test]
fn a_sync_that_is_not_accepted_leaves_its_objects_unknown() {
    let w = mirrored().applied().tenant("prod", |t| t.accepts_nobody());
    let overview = overview(&w);
    assert_eq!(key(&overview, "crm"), ["in sync", "unknown sync not carried out"]);
    let up = attention(&overview, "up");
    assert_eq!((up.state, &up.link), (OverviewState::Blocked, &AttentionLink::Sync("up".into())));
    assert_eq!(overview.tenants[1].worst, OverviewState::Blocked);
}

#[test]
fn what_is_blocked_or_in_conflict_is_not_in_sync() {
    let w = mirrored()
        .applied()
        .tenant("other", |t| t.connection("crm", "a/b").input("host", "z").integration("lead").binds("CRM", "crm"))
        .tenant("prod", |t| t.accepts("other"))
        .sync("too", "other", "prod")
        .mirror();
    let conflict = overview(&w);
    assert_eq!(key(&conflict, "crm")[2], "blocked conflict");
    assert_eq!(attention(&conflict, "crm").tenants, ["prod"]);
    let changed = mirrored().applied().tenant("dev", |t| t.edit("Connection/crm").input("host", "new"));
    let denied = overview(&changed.tenant("prod", |t| t.allows(&[AllowedAction::Create])));
    assert_eq!(key(&denied, "crm"), ["in sync", "blocked not allowed"]);
    let invalid = overview(&mirrored().applied().tenant("prod", |t| t.invalid("Connection/crm")));
    assert_eq!(key(&invalid, "crm")[1], "blocked invalid");
}

#[test]
fn another_kind_and_what_is_not_ready_are_told() {
    let w = world()
        .tenant("dev", |t| t.component("a/b").requires("host").connection("crm", "a/b").input("host", "x"))
        .tenant("prod", |t| t.connection("crm", "c/d"))
        .tenant("test", |t| {
            t.component("a/b")
                .requires("host")
                .connection("crm", "a/b")
                .title("Test CRM")
                .integration("i")
                .binds("C", "crm")
        });
    let overview = overview(&w);
    assert_eq!(key(&overview, "crm"), ["in sync", "another component or type c/d", "not ready host"]);
    assert_eq!(integration(&overview, "i")[2], "not ready crm");
    let crm = row(&overview.connections, "crm");
    assert!(crm.matches("test crm") && crm.matches("a · b") && !crm.matches("c/d"));
}

#[test]
fn credentials_that_expire_soon_are_told() {
    let expires = |w: Given, at: &str| {
        let at = at.to_string();
        w.tenant("dev", |t| t).tap(|w| {
            w.edit_live("dev", |inventory| {
                let crm = inventory.connections.get_mut("crm").unwrap();
                let annotations = &mut std::sync::Arc::make_mut(crm).metadata.annotations;
                annotations.insert("stablekey.dev/expires".into(), at);
            });
        })
    };
    let w = || world().at("2026-01-01T00:00:00Z").tenant("dev", |t| t.connection("crm", "a/b"));
    assert_eq!(key(&overview(&expires(w(), "2026-01-13")), "crm"), ["expires soon 12 days"]);
    assert_eq!(key(&overview(&expires(w(), "2025-12-31")), "crm"), ["not ready expired"]);
    assert_eq!(key(&overview(&expires(w(), "2026-03-01")), "crm"), ["in sync"]);
    let soon = overview(&expires(w(), "2026-01-13"));
    assert_eq!(attention(&soon, "crm").state, OverviewState::Expiring);
}

trait Tap: Sized {
    fn tap(self, change: impl FnOnce(&mut Self)) -> Self;
}

impl Tap for Given {
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

#[test]
fn what_needs_approval_is_told_without_secrets() {
    let of = |host: &str| {
        let host = host.to_string();
        move |t: GivenTenant| {
            t.declares()
                .connection("db", "pg/basic")
                .input("host", &host)
                .secret("password", "db")
                .integration("i")
                .binds("D", "db")
        }
    };
    let w = world().tenant("prod", of("db.example")).applied().tenant("prod", of("db-2.example"));
    let overview = overview(&w);
    assert_eq!(key(&overview, "db"), ["needs approval host"]);
    let entry = attention(&overview, "db");
    assert_eq!(entry.link, AttentionLink::Plan);
    assert!(entry.details.iter().any(|detail| detail.contains("db.example → db-2.example")), "{entry:?}");
}

#[test]
fn an_unknown_writer_in_a_cluster_leaves_its_objects_unknown() {
    let gone = overview(&mirrored().applied().without_sync("up"));
    assert_eq!(key(&gone, "crm"), ["in sync", "unknown sync/up"]);
}

#[test]
fn manual_steps_are_by_person() {
    let w = world().tenant("prod", |t| {
        t.declares()
            .connection("db", "pg/basic")
            .secret("password", "db")
            .connection("other", "pg/basic")
            .secret("x", "app")
    });
    let planned = w.plan();
    let steps = todo(&planned.world.world, &planned.plan);
    let all = StepGroup::all(&steps);
    assert_eq!((&*all[0].who, all[0].count), ("platform team", 2));
    let first = steps.iter().find(|step| step.who == all[0].who).unwrap();
    assert_eq!(first.objects, [ObjectId::new(Kind::Connection, "db")]);
}

#[test]
fn an_object_without_a_row_counts_for_its_tenant() {
    let w = world().tenant("prod", |t| t.connection("crm", "a/b").declares().component("a/b"));
    let overview = overview(&w);
    assert_eq!(key(&overview, "crm"), ["in sync"]);
    assert_eq!((overview.tenants[0].worst, overview.tenants[0].words()), (OverviewState::Create, "1 open".to_string()));
}

#[test]
fn credentials_of_a_customer_that_expire_are_seen_at_their_connection() {
    let mut w = world()
        .at("2026-01-01T00:00:00Z")
        .tenant("dev", |t| t.connection("crm", "a/b").per_customer("host").customer("ada", "crm").input("host", "x"));
    w.edit_live("dev", |inventory| {
        let credentials = inventory.customer_credentials.values_mut().next().unwrap();
        let annotations = &mut std::sync::Arc::make_mut(credentials).metadata.annotations;
        annotations.insert("stablekey.dev/expires".into(), "2026-01-02".into());
    });
    assert_eq!(key(&overview(&w), "crm"), ["expires soon 1 day"]);
}

/// One line for the file, and not one for each object that may be in it.
#[test]
fn a_broken_file_is_told_once() {
    let given = world().tenant("dev", |mut t| {
        for at in 0..12 {
            t = t.integration(&format!("i{at}")).binds("CRM", &format!("key-{at}"));
        }
        t.unparsed("dev/x.yaml")
    });
    let overview = overview(&given);
    assert_eq!(overview.attention.len(), 1, "{:?}", overview.attention);
    let entry = &overview.attention[0];
    assert!(entry.sentence.contains("dev/x.yaml cannot be read"), "{entry:?}");
    assert!(entry.details.iter().any(|detail| detail == "12 objects are unknown because of it"), "{entry:?}");
}

/// "nothing is written to it": what needs approval there waits, too.
#[test]
fn nothing_of_a_suspended_tenant_needs_approval() {
    let of = |host: &'static str| {
        move |t: GivenTenant| t.declares().connection("db", "pg/basic").input("host", host).secret("password", "db")
    };
    let moved = |suspended: bool| {
        let given = world().tenant("prod", of("db.example")).applied().tenant("prod", of("db-2.example"));
        overview(&if suspended { given.tenant("prod", |t| t.suspended()) } else { given })
    };
    let needs = |overview: &Overview| overview.attention.iter().any(|one| one.state == OverviewState::NeedsApproval);
    assert!(needs(&moved(false)), "{:?}", moved(false).attention);
    let suspended = moved(true);
    assert!(!needs(&suspended), "{:?}", suspended.attention);
    assert_eq!(attention(&suspended, "prod").sentence, "is suspended: 1 action waits");
}

/// A sync with an error there writes nothing there: whether what it would bring differs is unknown, until it is corrected.
#[test]
fn what_a_sync_with_an_error_brings_is_unknown() {
    let wrong = mirrored().applied().overriding_input("prod", "no-such-key", "host", "y");
    let wrong = overview(&wrong.tenant("dev", |t| t.edit("Connection/crm").title("Edited")));
    assert_eq!(key(&wrong, "crm"), ["in sync", "unknown sync not carried out"]);
    assert_eq!(integration(&wrong, "lead"), ["in sync", "unknown sync not carried out"]);
}

/// "what depends on them waits": of a suspended tenant.
#[test]
fn what_depends_on_a_suspended_tenant_waits() {
    let chain = mirrored()
        .tenant("eu", |t| t.accepts("prod"))
        .sync("on", "prod", "eu")
        .mirror()
        .tenant("prod", |t| t.suspended());
    let overview = overview(&chain);
    let states: Vec<OverviewState> = row(&overview.connections, "crm").cells.iter().map(|cell| cell.state).collect();
    assert_eq!(states, [OverviewState::InSync, OverviewState::Waiting, OverviewState::Waiting]);
    let held = chain.plan().plan.held().into_iter().map(str::to_string).collect::<Vec<_>>();
    assert_eq!(held, ["eu/Connection/crm", "eu/Integration/lead", "prod/Connection/crm", "prod/Integration/lead"]);
}

/// One variable is missing, and of the other that is unknown: each is what it is.
#[test]
fn of_two_missing_keys_one_may_be_unread() {
    let given = world()
        .tenant("us", |t| t.integration("i").binds("CRM", "crm").binds("Chat", "nope").invalid("Connection/crm"))
        .tenant("prod", |t| t.accepts("us"))
        .sync("s", "us", "prod")
        .create();
    let overview = overview(&given);
    let state = |name: &str| {
        let found = overview.connections.iter().find(|row| &*row.key == name);
        found.map(|row| row.cells[0].state)
    };
    assert_eq!(state("nope"), Some(OverviewState::Missing));
    assert_ne!(state("crm"), Some(OverviewState::Missing));
    let planned = given.plan();
    let matrix = StatusReport::of(&planned.world.world, &planned.plan).matrix;
    let cell = |name: &str| matrix.rows.iter().find(|row| row.stable_key == name).map(|row| row.cells[0]);
    assert_eq!((cell("nope"), cell("crm")), (Some(Cell::Missing), Some(Cell::Unknown)));
}
