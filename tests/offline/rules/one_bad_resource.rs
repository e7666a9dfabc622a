//! One invalid resource blocks only itself and what needs it.

use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, world};

const X: &str = "prod/Connection/crm";
const I: &str = "prod/Integration/i";

fn declared() -> Given {
    world().tenant("prod", |t| {
        t.declares()
            .connection("crm", "http/basic")
            .connection("chat", "http/basic")
            .integration("i")
            .binds("CRM", "crm")
            .integration("j")
            .binds("Chat", "chat")
    })
}

/// An invalid document in the source blocks its object.
///
/// "A document that parses but is invalid holds back the object that it names".
#[test]
fn an_invalid_document_blocks_its_object_and_what_needs_it() {
    let w = declared().tenant("prod", |t| t.declares().invalid("Connection/crm"));
    let plan = w.plan();
    assert_eq!(plan.ids(), ["prod/Connection/chat", "prod/Integration/j"]);
    plan.blocks(I, Code::BindingUnknown);
    plan.exits(1).finding(Code::ObjectInvalid);
}

/// An invalid document in the location is not overwritten.
#[test]
fn an_invalid_document_in_the_location_is_not_overwritten() {
    let w = declared().tenant("prod", |t| t.location().invalid("Connection/crm"));
    let plan = w.plan();
    plan.blocks(X, Code::ObjectInvalid);
    plan.blocks(I, Code::BindingUnknown);
    plan.leaves_alone(X).exits(1).action("prod/Integration/j").is_create();
}

/// An object that is invalid in the source and live is used as it is.
#[test]
fn an_invalid_object_that_is_live_can_be_used() {
    let w = declared()
        .applied()
        .tenant("prod", |t| t.declares().invalid("Connection/crm").edit("Integration/i").title("New"));
    w.plan().leaves_alone(X).blocks_nothing().action(I).is_update();
}

/// An invalid document does not drop its object.
#[test]
fn an_invalid_document_drops_nothing() {
    let carried = world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic").integration("i").binds("CRM", "crm").integration("j").title("x")
        })
        .tenant("prod", |t| t.accepts("us").allows_delete())
        .sync("s", "us", "prod")
        .mirror()
        .prune()
        .applied();
    let w = carried.tenant("us", |t| t.invalid("Integration/i"));
    w.plan().is_empty().exits(1);
}

/// A file that cannot be parsed could contain anything: until it is fixed nothing is created in that tenant.
#[test]
fn while_a_file_cannot_be_parsed_nothing_is_created() {
    for w in [
        declared().tenant("prod", |t| t.location().unparsed("prod/x.yaml")),
        declared().tenant("prod", |t| t.declares().unparsed("declared/x.yaml")),
    ] {
        let plan = w.plan();
        plan.blocks(X, Code::FileBroken);
        plan.is_empty().exits(1).finding(Code::FileBroken);
    }
}

/// By no writer.
#[test]
fn while_a_file_cannot_be_parsed_no_sync_creates_anything() {
    let w = world()
        .tenant("us", |t| t.integration("i").title("x"))
        .tenant("prod", |t| t.accepts("us").unparsed("prod/x.yaml"))
        .sync("s", "us", "prod");
    w.plan().blocks(I, Code::FileBroken);
    w.plan().is_empty();
}

/// "… or removed".
#[test]
fn while_a_file_cannot_be_parsed_nothing_is_removed() {
    let w = world()
        .tenant("us", |t| t.integration("i").title("x").integration("j").title("x"))
        .tenant("prod", |t| t.accepts("us").allows_delete())
        .sync("s", "us", "prod")
        .prune()
        .applied()
        .tenant("us", |t| t.without("Integration/i"));
    w.plan().action(I).is_delete();
    let broken = w.tenant("prod", |t| t.unparsed("prod/x.yaml"));
    assert!(broken.plan().holds(I, "").contains("prod/x.yaml"));
    broken.plan().is_empty().exits(1);
}

/// "nothing that it feeds is pruned".
#[test]
fn nothing_that_a_broken_file_feeds_is_pruned() {
    let w = world()
        .tenant("us", |t| t.integration("i").title("x").integration("j").title("x"))
        .tenant("prod", |t| t.accepts("us").allows_delete())
        .sync("s", "us", "prod")
        .prune()
        .applied()
        .tenant("us", |t| t.without("Integration/i").unparsed("us/x.yaml"));
    w.plan().is_empty().exits(1);
}

/// "and its missing bindings are unknown".
#[test]
fn while_a_file_cannot_be_parsed_missing_bindings_are_unknown() {
    for declares in [false, true] {
        let w = world().tenant("prod", |t| {
            let t = t.integration("i").binds("CRM", "crm");
            let t = if declares { t.declares() } else { t };
            if declares {
                t.connection("x", "http/basic").without("Connection/x").unparsed("f.yaml")
            } else {
                t.unparsed("f.yaml")
            }
        });
        let plan = w.plan();
        plan.finds_no(Code::BindingMissing).finding(Code::BindingUnknown);
        plan.exits(1);
    }
}

/// Updates are applied.
///
/// "all else goes on".
#[test]
fn while_a_file_cannot_be_parsed_updates_are_applied() {
    let w = declared()
        .applied()
        .tenant("prod", |t| t.location().unparsed("prod/x.yaml").declares().edit("Connection/crm").title("New"));
    w.plan().action(X).is_update().sets("title");
    w.plan().exits(1);
}

/// A source that cannot be read could contain anything: a sync creates nothing in its place.
#[test]
fn while_the_source_cannot_be_read_a_sync_creates_nothing() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"))
        .tenant("prod", |t| t.accepts("us").declares().unreachable())
        .sync("s", "us", "prod")
        .create();
    w.plan().blocks(X, Code::FileBroken);
    w.plan().is_empty().exits(1);
}

#[test]
fn one_unreachable_tenant_does_not_block_the_others() {
    let w = declared().tenant("us", |t| t.unreachable());
    w.plan().exits(1).action(X).is_create();
}

/// What a sync would bring from a tenant that was not read whole is unknown, not missing. A sync that brings no
/// connections leaves it missing.
#[test]
fn what_a_sync_would_bring_from_an_unread_file_is_unknown() {
    for is_named in [false, true] {
        let w = world()
            .tenant("us", |t| {
                let t = t.integration("i").binds("CRM", "crm");
                if is_named { t.invalid("Connection/crm") } else { t.unparsed("us/x.yaml") }
            })
            .tenant("prod", |t| t.accepts("us"))
            .sync("s", "us", "prod");
        w.clone().create().plan().blocks(I, Code::BindingUnknown);
        w.plan().blocks(I, Code::BindingMissing);
    }
}
