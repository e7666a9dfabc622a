//! Explains the pending changes of one object in a hub.

use super::kept::{KeptAction, KeptPlan, Selector, stable_key};
use super::{HubPart, SyncerSign, worst};
use crate::api::{Kind, names};
use crate::near_miss::near_misses;
use crate::render::markdown::escape as md;
use crate::render::page::{Span, TextPage, faint, heading, plain};
use crate::render::style::{Style, Tone};
use crate::report::value;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The schema of the JSON.
const SCHEMA: &str = "stablekey.dev/hub-explanation/v1";

/// The pending changes of an object in a hub, and its status.
#[derive(Debug)]
pub struct HubExplanation {
    /// The name as it was typed.
    name: String,
    meant: Selector,
    targets: Vec<Concerned>,
    /// The tenants that have the object, if a person's own contexts were used.
    pub there: Vec<String>,
    /// The state of the hub's syncer.
    pub syncer: Option<SyncerSign>,
}

#[derive(Debug)]
struct Concerned {
    part: HubPart,
    actions: Vec<KeptAction>,
    notes: Vec<Value>,
    /// The status of the object, if no plan is stored.
    status: Vec<String>,
    /// Whether the sync names the object.
    is_named: bool,
}

impl HubExplanation {
    /// Explains what a person typed: `Connection/KEY`, `Integration/NAME`, or a name that both may have.
    pub fn of(typed: &str, parts: Vec<HubPart>) -> Result<Self, serde_json::Error> {
        let meant = Selector::of(typed);
        let mut targets = Vec::new();
        for mut part in parts {
            let plan = part.waiting.as_ref().map(|waiting| KeptPlan::read(waiting.plan.get())).transpose()?;
            let plan = plan.unwrap_or_default();
            let actions = plan.actions().filter(|action| action.concerns(&meant)).cloned().collect();
            let notes = plan.notes().chain(&plan.findings).filter(|note| concerns(note, &meant)).cloned().collect();
            let status = if part.waiting.is_some() { Vec::new() } else { status_lines(&part) };
            let status = status.into_iter().filter(|text| meant.is_in(text)).collect();
            part.compared = part.compared.map(|compared| compared.concerning(&meant));
            let is_named = part.facts.named.iter().any(|object| meant.is(object));
            targets.push(Concerned { part, actions, notes, status, is_named });
        }
        Ok(HubExplanation { name: typed.to_string(), meant, targets, there: Vec::new(), syncer: None })
    }

    /// Whether anything in the hub names the object.
    pub fn is_known(&self) -> bool {
        self.targets.iter().any(|target| target.is_concerned() || target.is_named)
    }

    /// The message for an unknown object, with suggestions.
    pub fn unknown(&self) -> String {
        let mut known: BTreeSet<String> = BTreeSet::new();
        for target in &self.targets {
            let waiting = target.part.waiting.as_ref().and_then(|waiting| KeptPlan::read(waiting.plan.get()).ok());
            let plan = waiting.unwrap_or_default();
            known.extend(plan.actions().map(|action| action.object().to_string()));
            let objects = plan.notes().chain(&plan.findings).filter_map(|note| note.get("object")?.as_str());
            known.extend(objects.map(str::to_string));
            known.extend(target.part.facts.named.iter().cloned());
            let of_status = status_lines(&target.part).into_iter();
            known.extend(of_status.filter_map(|text| text.split([' ', ':']).next().map(str::to_string)));
        }
        let name = self.name.split_once('/').map_or(self.name.as_str(), |(_, name)| name);
        let names = known.iter().filter_map(|object| object.split_once('/')).map(|(_, name)| name);
        let near = near_misses(name, names.collect::<BTreeSet<_>>());
        let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        let is_cut = self.targets.iter().any(|target| target.is_cut());
        let cut = if is_cut { " (of what waits or stays, the hub names only the first)" } else { "" };
        format!("nothing that waits, is kept, drifted or blocked in the hub concerns {}{cut}{hint}", self.name)
    }

    /// The worst exit code of what concerns the object. A target in which nothing concerns it counts only if it is
    /// unknown.
    pub fn exit(&self) -> u8 {
        let of = |target: &Concerned| match target.part.exit() {
            1 => 1,
            exit if target.is_concerned() => exit,
            _ => 0,
        };
        let unread = self.targets.iter().filter_map(|target| target.part.compared.as_ref()?.unread.as_ref());
        let dead = self.syncer.iter().filter(|syncer| syncer.is_dead());
        let differ = self.targets.iter().filter(|target| target.part.differs_from_own() && target.is_concerned());
        worst(self.targets.iter().map(of).chain(unread.map(|_| 1)).chain(dead.map(|_| 1)).chain(differ.map(|_| 2)))
    }

    /// The explanation as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        if let Some(syncer) = &self.syncer {
            syncer.warn(&mut page);
        }
        if !self.there.is_empty() {
            page.wrap(0, 2, &[plain(format!("{}: {}", self.name, self.there.join("; ")))]);
        }
        let mut of_sync = None;
        for target in &self.targets {
            let part = &target.part;
            page.gap();
            if of_sync.replace(&part.hub.sync) != Some(&part.hub.sync) {
                part.show_conditions(&mut page, 0);
            }
            target.head(&mut page);
            if !target.is_concerned() {
                page.wrap(2, 4, &[plain(target.nothing(&self.name))]);
            }
            for action in &target.actions {
                page.wrap(2, 6, &[plain(action.title())]);
                action.changes().iter().for_each(|change| page.wrap(6, 8, &[plain(change)]));
                action.reasons().iter().for_each(|why| page.wrap(6, 8, &[faint(why)]));
            }
            target.notes.iter().for_each(|note| page.wrap(2, 6, &[plain(words(note))]));
            if part.waiting.is_none() {
                target.planned().for_each(|action| part.status_text(&mut page, 2, &[], action));
                part.show_sections(&mut page, 2, |entry| self.meant.is_in(entry));
            }
            if let Some(cut) = part.cut() {
                page.wrap(2, 2, &[faint(cut)]);
            }
            if let Some(compared) = &part.compared {
                compared.show(&mut page);
            }
        }
        page.finish()
    }

    /// The explanation as Markdown for a comment.
    pub fn markdown(&self) -> String {
        let mut out = format!("## {}\n\n", md(&self.name));
        self.there.iter().for_each(|there| out.push_str(&format!("- {}\n", md(there))));
        for target in &self.targets {
            let waits = target.part.awaits().map(|why| format!(": {}", md(why))).unwrap_or_default();
            let state = md(&target.part.target.state);
            out.push_str(&format!("- **{}**: {state}{waits}\n", md(&target.part.title())));
            let of = |action: &KeptAction| [action.title()].into_iter().chain(action.changes()).chain(action.reasons());
            let actions = target.actions.iter().flat_map(of);
            let nothing = (!target.is_concerned()).then(|| target.nothing(&self.name));
            let compared = target.part.compared.iter().flat_map(super::Comparison::lines);
            let status = target.status.iter().cloned();
            for line in
                nothing.into_iter().chain(actions).chain(target.notes.iter().map(words)).chain(status).chain(compared)
            {
                out.push_str(&format!("  - {}\n", md(line.replace('\n', " ").trim())));
            }
        }
        out
    }

    /// The explanation as JSON.
    pub fn json(&self) -> Value {
        let target = |target: &Concerned| {
            let part = &target.part;
            let mut json = json!({
                "sync": part.hub.sync, "tenant": part.hub.tenant, "state": part.target.state,
                "actions": target.actions.iter().map(|action| action.whole.clone()).collect::<Vec<_>>(),
                "notes": target.notes, "status": target.status, "concerned": target.is_concerned(),
            });
            if let Some(waits) = part.awaits() {
                json["waits"] = json!(waits);
            }
            if let Some(compared) = &part.compared {
                json["compared"] = compared.json();
            }
            json
        };
        let targets = self.targets.iter().map(target).collect::<Vec<_>>();
        json!({"schema": SCHEMA, "name": self.name, "exit": self.exit(), "there": self.there, "targets": targets})
    }
}

impl Concerned {
    /// Whether something in the target concerns the object.
    fn is_concerned(&self) -> bool {
        let differs = self.part.compared.as_ref().is_some_and(|compared| compared.has_differences());
        !self.actions.is_empty() || !self.notes.is_empty() || !self.status.is_empty() || differs
    }

    /// Whether only a part of the pending or kept changes is listed.
    fn is_cut(&self) -> bool {
        let counts = self.part.target.counts.clone().unwrap_or_default();
        let target = &self.part.target;
        let lists = [(&target.kept, counts.kept), (&target.drifted, counts.drift), (&target.blocked, counts.blocked)];
        let is_longer =
            |(list, count): &(&Vec<String>, i64)| usize::try_from(*count).is_ok_and(|count| count > list.len());
        self.part.cut().is_some() || (self.part.waiting.is_none() && lists.iter().any(is_longer))
    }

    /// Adds the heading to the page. A target that is in sync otherwise is not called in sync for this object.
    fn head(&self, page: &mut TextPage) {
        let part = &self.part;
        if part.target.state != "InSync" {
            return part.head(page);
        }
        let tone = if part.differs() { Tone::Careful } else { Tone::Good };
        page.wrap(0, 2, &[heading(part.title()), plain("  "), Span::new(tone, &part.target.state)]);
        part.unobserved().iter().for_each(|line| page.wrap(2, 2, &[plain(line)]));
    }

    /// The message if nothing in the target concerns the object.
    fn nothing(&self, name: &str) -> String {
        let cut = if self.is_cut() { "; the hub names only the first of what is there" } else { "" };
        format!("nothing that waits, is kept, drifted or blocked there concerns {name}{cut}")
    }

    /// The actions in a status, if no plan is stored.
    fn planned(&self) -> impl Iterator<Item = &String> {
        self.status.iter().filter(|text| self.part.target.actions.contains(text))
    }
}

/// The complete status of a target, as lines.
fn status_lines(part: &HubPart) -> Vec<String> {
    let lists = part.sections().into_iter().flat_map(|section| section.entries);
    part.target.actions.iter().cloned().chain(lists).collect()
}

/// Whether a note or a finding is about one of these objects, about a variable that resolves to one, or mentions one.
fn concerns(note: &Value, meant: &Selector) -> bool {
    let text = |name: &str| note.get(name).and_then(Value::as_str);
    let keys = ["from", "to"].into_iter().filter_map(|side| stable_key(note.get(side)?));
    let mut connections = keys.map(|key| format!("{}/{}", Kind::Connection, names::of_stable_key(key)));
    text("object").is_some_and(|object| meant.is(object))
        || connections.any(|connection| meant.is(&connection))
        || [text("text"), text("fix")].into_iter().flatten().any(|text| meant.is_in(text))
}

/// A note or a finding in one line.
fn words(note: &Value) -> String {
    let text = |name: &str| note.get(name).and_then(Value::as_str);
    let path: Vec<&str> =
        note.get("path").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let head = [text("note").or_else(|| text("severity")), text("object"), text("code")];
    let mut words: Vec<String> = head.into_iter().flatten().map(str::to_string).collect();
    words.extend((!path.is_empty()).then(|| path.join(".")));
    words.extend(text("by").map(|by| format!("by {by}")));
    let value = |side: &str| note.get(side).map(value::words);
    words.extend(match (value("from"), value("to")) {
        (Some(there), Some(desired)) => Some(format!(": {there} (desired: {desired})")),
        (None, Some(desired)) => Some(format!(": taken away (desired: {desired})")),
        (Some(there), None) => Some(format!(": {there}")),
        (None, None) => None,
    });
    words.extend(text("text").map(|text| format!(": {text}")));
    words.extend(text("fix").map(|fix| format!("→ {fix}")));
    words.join(" ").replace(" : ", ": ")
}

#[cfg(test)]
mod tests {
    use super::super::HubFacts;
    use super::*;
    use crate::api::TargetStatus;
    use crate::render::Hub;

    #[test]
    fn a_name_is_typed_as_explain_takes_it() {
        for (typed, objects) in [
            ("Connection/Sales_Force", ["Connection/sales-force"].as_slice()),
            ("conn/crm", &["Connection/crm"]),
            ("Integration/lead", &["Integration/lead"]),
            ("crm", &["Connection/crm", "Integration/crm"]),
        ] {
            let meant = Selector::of(typed);
            assert!(objects.iter().all(|object| meant.is(object)), "{typed}");
        }
        assert!(!Selector::of("conn/crm").is("Integration/crm"));
    }

    fn part(state: &str, change: impl FnOnce(&mut HubPart)) -> HubPart {
        let hub = Hub { context: None, namespace: "hub".into(), sync: "s".into(), tenant: "eu".into() };
        let target = TargetStatus { tenant: "eu".into(), state: state.into(), ..TargetStatus::default() };
        let mut part =
            HubPart { hub, target, is_observed: true, waiting: None, compared: None, facts: HubFacts::default() };
        change(&mut part);
        part
    }

    /// "Never 'in sync' beside a difference", nor of what is not known at all.
    #[test]
    fn what_nothing_names_is_not_called_in_sync() {
        let nothing = HubExplanation::of("nosuch", vec![part("InSync", |_| {})]).unwrap();
        assert!(!nothing.is_known() && nothing.unknown().ends_with("concerns nosuch"), "{}", nothing.unknown());
        let text = nothing.text(Style::default());
        assert!(!text.contains("in sync"), "{text}");
        assert!(text.contains("nothing that waits, is kept, drifted or blocked there concerns nosuch"), "{text}");
        let named = || part("InSync", |part| part.facts.named = ["Integration/lead-router".to_string()].into());
        let near = HubExplanation::of("Integration/lead-ruoter", vec![named()]).unwrap();
        assert!(!near.is_known() && near.unknown().ends_with("; did you mean lead-router?"), "{}", near.unknown());
        let known = HubExplanation::of("lead-router", vec![named()]).unwrap();
        assert!(known.is_known());
        assert_eq!(known.exit(), 0);
    }

    #[test]
    fn what_a_status_names_is_explained_where_no_plan_is_kept() {
        let kept = |part: &mut HubPart| {
            part.target.kept =
                vec!["Connection/crm title: kept by kubectl".into(), "Connection/erp title: kept by kubectl".into()];
        };
        let explained = HubExplanation::of("crm", vec![part("InSync", kept)]).unwrap();
        let text = explained.text(Style::default());
        assert!(explained.is_known() && text.contains("\n    Connection/crm title: kept by kubectl\n"), "{text}");
        assert!(!text.contains("Connection/erp") && text.contains("keep: true"), "{text}");
        assert_eq!(explained.exit(), 0);
    }

    #[test]
    fn what_waits_for_a_stage_says_for_which() {
        let why = "1 action waits: it waits for stage 1: dev-2 is not Ready";
        let waits = |part: &mut HubPart| {
            part.target.message = Some(why.to_string());
            part.target.actions = vec!["update Integration/lead: us changed title".into()];
        };
        let explained = HubExplanation::of("lead", vec![part("AwaitingStage", waits)]).unwrap();
        assert!(explained.text(Style::default()).contains(why) && explained.markdown().contains(why));
        assert_eq!((explained.json()["targets"][0]["waits"].as_str(), explained.exit()), (Some(why), 2));
    }

    /// The exit code is that of what concerns the object; an unknown object is an error.
    #[test]
    fn the_exit_code_is_of_what_concerns_it() {
        let exit = |state: &str, name: &str| {
            let drifted =
                |part: &mut HubPart| part.target.drifted = vec!["Connection/crm inputs.scopes: changed".into()];
            HubExplanation::of(name, vec![part(state, drifted)]).unwrap().exit()
        };
        assert_eq!((exit("Drifted", "crm"), exit("Drifted", "other")), (3, 0));
        assert_eq!((exit("AwaitingApproval", "crm"), exit("Unreachable", "other")), (2, 1));
    }

    #[test]
    fn a_note_is_one_line() {
        let blocked = json!({"note": "blocked", "object": "Integration/lead", "code": "SK0101", "text": "crm is missing", "fix": "make it"});
        assert_eq!(words(&blocked), "blocked Integration/lead SK0101: crm is missing → make it");
        let kept = json!({"note": "kept", "object": "Integration/lead", "path": ["connections", "CRM"], "by": "eu", "from": {"stableKey": "mine"}});
        assert_eq!(words(&kept), "kept Integration/lead connections.CRM by eu: mine");
        let meant = Selector::of;
        assert!(concerns(&kept, &meant("Connection/mine")) && !concerns(&kept, &meant("Connection/other")));
        let step = json!({"note": "manual", "object": "Connection/pg", "text": "supply Secret pg for \"Warehouse\" of order-export"});
        assert!(concerns(&step, &meant("order-export")) && !concerns(&step, &meant("order")));
    }
}
