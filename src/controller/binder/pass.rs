//! A pass over one object: its binding Secrets are written first, then its status, once, and only where it
//! says something else. Many objects are in hand at a time, each once.

use super::agenda::Task;
use super::definitions::{ConfigMap, Step};
use super::desk::{Event, NamespaceWorker};
use super::doubts::Doubt;
use super::report::{self, Turn};
use super::state::InventoryChange;
use super::write::{Deleted, There, Wrote, is_race, reason};
use crate::api::Kind;
use crate::controller::metrics::Outcome;
use crate::controller::role::Role;
use crate::engine::model::item::ObjectId;
use crate::kubernetes::client::RequestFailure;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{Instrument as _, Span, debug, info, warn};

/// How many objects are written at a time.
const HANDS: usize = 32;
/// How many objects are looked at before what came meanwhile is taken in.
const LOOKS: usize = 64;
/// How often binding Secrets are written in one pass, where others change them just then.
const ROUNDS: u8 = 3;
/// Time is looked at again after this: clocks are set.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// A pass over one object.
#[derive(Debug)]
pub(super) struct Pass {
    span: Span,
    began: Instant,
    rounds: u8,
    wrote: bool,
    failed: bool,
    turn: Turn,
    look_again: Option<Timestamp>,
}

impl NamespaceWorker {
    /// Whether another object can be written.
    pub fn has_a_hand_free(&self) -> bool {
        self.in_flight < HANDS
    }

    /// Begins what is due.
    pub fn dispatch(&mut self) {
        let now = Instant::now();
        for _ in 0..LOOKS {
            if !self.has_a_hand_free() || !self.context.leadership.holds() {
                return;
            }
            let Some((task, waited)) = self.agenda.take(now) else { return };
            self.context.metrics.waited(Role::Binder, waited);
            match task {
                Task::Object(id) => self.begin_pass(id, now),
                Task::Definition(map) => self.see_to_owners(map, now),
                Task::Leftover(secret) => self.look_at_leftover(secret, now),
                Task::Obstacle(secret) => self.look_at_obstacle(secret, now),
            }
        }
    }

    fn begin_pass(&mut self, id: ObjectId, now: Instant) {
        if id.kind == Kind::Integration {
            // What it is told of a connection must be what will be found of it: else Ready would flap.
            let is_open =
                |name: &String| self.agenda.is_open(&Task::Object(ObjectId::new(Kind::Connection, name.clone())));
            if let Some(connection) = self.binder.stale_connections(&id.name).find(is_open) {
                debug!(object = %id, connection, "waits until the connection was evaluated");
                self.agenda.park(&id.name, &connection);
                return;
            }
        }
        let what = format!("{}/{id}", self.paths.namespace());
        let pass = Pass {
            span: self.context.passes.span(Role::Binder, &what),
            began: now,
            rounds: 0,
            wrote: false,
            failed: false,
            turn: Turn::default(),
            look_again: None,
        };
        self.passes.insert(id.clone(), pass);
        self.proceed(id, now);
    }

    /// Does what is next for an object.
    fn proceed(&mut self, id: ObjectId, now: Instant) {
        let Some(mut pass) = self.passes.remove(&id) else { return };
        // Whatever was told until now is seen.
        self.agenda.seen(&Task::Object(id.clone()));
        let writes = !pass.failed && pass.rounds < ROUNDS;
        let Some(look) = self.look(&id, writes, now) else { return self.finish(&id, pass, now) };
        pass.look_again = look.look_again;
        pass.turn = look.turn;
        let (writer, tell, span) = (self.writer.clone(), self.tell.clone(), pass.span.clone());
        if writes && !look.bindings.is_empty() {
            pass.rounds += 1;
            let id_told = id.clone();
            self.spawn(
                async move {
                    let mut wrote = Vec::new();
                    for wanted in &look.bindings {
                        wrote.push(writer.binding(wanted).await);
                    }
                    drop(tell.send(Event::Bindings(id_told, wrote)));
                }
                .instrument(span),
            );
        } else {
            pass.failed |= !look.bindings.is_empty();
            let Some(body) = look.status else { return self.finish(&id, pass, now) };
            let id_told = id.clone();
            self.spawn(
                async move {
                    let answer = writer.status(&id_told, &body).await;
                    drop(tell.send(Event::Status(id_told, answer)));
                }
                .instrument(span),
            );
        }
        self.passes.insert(id, pass);
    }

    pub fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.in_flight += 1;
        self.tasks.spawn(work);
    }

    pub fn bindings_written(&mut self, id: &ObjectId, wrote: Vec<Wrote>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let now = Instant::now();
        let span = self.passes.get(id).map(|pass| pass.span.clone()).unwrap_or_else(Span::none);
        let entered = span.entered();
        let (mut any, mut failed) = (false, false);
        for Wrote { name, there, changed, deleted } in wrote {
            any |= changed;
            if let (Some(Deleted { because, .. }), Some(known)) = (&deleted, self.known.get(id)) {
                report::deleted(&self.context, &self.paths, (id, &known.uid), &name, because);
            }
            match there {
                There::Seen(seen) => {
                    if changed {
                        info!(object = %id, secret = name, "wrote a binding Secret");
                    }
                    self.secret(seen, now);
                }
                There::Nothing => self.change_secret(InventoryChange::SecretGone(name), now),
                There::Refused { why, reason } => {
                    failed = true;
                    warn!(object = %id, secret = name, why, "the cluster does not let a binding Secret be written");
                    report::failed(&self.context, reason);
                    self.change_secret(InventoryChange::Refused { binding: name, why }, now);
                }
                There::Unknown { why, reason } => {
                    failed = true;
                    warn!(object = %id, secret = name, why, "a binding Secret cannot be written");
                    report::failed(&self.context, reason);
                }
            }
        }
        drop(entered);
        if let Some(pass) = self.passes.get_mut(id) {
            pass.wrote |= any;
            pass.failed |= failed;
        }
        self.proceed(id.clone(), now);
    }

    pub fn status_written(&mut self, id: &ObjectId, answer: Result<Option<Vec<u8>>, RequestFailure>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let now = Instant::now();
        let pass = self.passes.remove(id);
        let span = pass.as_ref().map(|pass| pass.span.clone()).unwrap_or_else(Span::none);
        let entered = span.entered();
        let mut wrote = false;
        match &answer {
            Ok(Some(answer)) => {
                wrote = true;
                info!(object = %id, "wrote its status");
                self.answered(id.kind, answer, now);
            }
            Ok(None) => debug!(object = %id, "is gone"),
            Err(trouble) => {
                warn!(object = %id, why = %trouble, "its status cannot be written");
                report::failed(&self.context, reason(trouble));
            }
        }
        drop(entered);
        let Some(mut pass) = pass else { return };
        pass.wrote |= wrote;
        pass.failed |= answer.is_err();
        if let Some(known) = self.known.get(id).filter(|_| wrote) {
            pass.turn.tell_of_left(&self.context, &self.paths, id, &known.uid);
            match pass.turn.doubtful() {
                Some(reason) => self.doubts.wait(id, reason, now),
                None => pass.turn.tell(&self.context, &self.paths, id, &known.uid),
            }
        }
        self.finish(id, pass, now);
    }

    fn finish(&mut self, id: &ObjectId, pass: Pass, now: Instant) {
        let task = Task::Object(id.clone());
        let outcome = if pass.failed {
            Outcome::Failed
        } else if pass.wrote {
            Outcome::Written
        } else if pass.turn.is_ready() {
            Outcome::Unchanged
        } else {
            Outcome::HeldBack
        };
        self.context.metrics.reconciled(Role::Binder, id.kind, outcome, pass.began.elapsed());
        pass.span.in_scope(|| report::decided(id, outcome, &pass.turn, pass.look_again));
        if pass.failed {
            self.agenda.failed(&task, now);
        } else {
            self.agenda.done(&task, now);
        }
        match (self.doubts.look(id, pass.turn.reason(), now), self.known.get(id)) {
            (Doubt::Until(then), _) => self.agenda.at(task.clone(), then),
            (Doubt::Gone, Some(known)) => pass.turn.tell_again(&self.context, &self.paths, id, &known.uid),
            (Doubt::Gone | Doubt::None, _) => {}
        }
        if let Some(then) = pass.look_again {
            let wait = Duration::try_from(then.duration_since(Timestamp::now())).unwrap_or_default();
            self.agenda.at(task, now + wait.min(LONGEST_WAIT));
        }
    }

    /// Sees to it that a definition's ConfigMap is owned by those that name it.
    fn see_to_owners(&mut self, map: String, now: Instant) {
        let task = Task::Definition(map.clone());
        // What cannot be read could name it.
        let sure = !self.binder.inventory().invalid.keys().any(|id| id.kind == Kind::Integration);
        match self.definitions.step(&map, &self.paths, sure, self.context.resync, now) {
            Step::Nothing => self.agenda.done(&task, now),
            Step::Wait(then) => {
                self.agenda.done(&task, now);
                self.agenda.at(task, then);
            }
            Step::Write(ask) => {
                let (writer, tell) = (self.writer.clone(), self.tell.clone());
                let span =
                    self.context.passes.span(Role::Binder, &format!("{}/ConfigMap/{map}", self.paths.namespace()));
                self.spawn(
                    async move {
                        let answer = writer.owners(&ask).await;
                        if matches!(answer, Ok(Some(_))) {
                            info!(config_map = map, "wrote its owners");
                        }
                        drop(tell.send(Event::Owners(map, answer)));
                    }
                    .instrument(span),
                );
            }
        }
    }

    pub fn owners_written(&mut self, map: &str, answer: Result<Option<Vec<u8>>, RequestFailure>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let now = Instant::now();
        let task = Task::Definition(map.to_string());
        match answer {
            Ok(Some(answer)) => {
                if let Some(map) = ConfigMap::parse(&String::from_utf8_lossy(&answer)) {
                    self.definition(map, now);
                }
                self.agenda.done(&task, now);
            }
            Ok(None) => self.agenda.done(&task, now),
            Err(trouble) => {
                // A watch tells of what somebody else wrote; a server also says so where nobody did.
                if !is_race(&trouble) {
                    warn!(config_map = map, why = %trouble, "its owners cannot be written");
                    report::failed(&self.context, reason(&trouble));
                }
                self.agenda.failed(&task, now);
            }
        }
    }

    /// Asks for a Secret that is in the way.
    fn look_at_obstacle(&mut self, secret: String, now: Instant) {
        let is_of_interest = self.binder.is_in_the_way(&secret) && self.binder.wants(&secret);
        if !is_of_interest {
            if self.binder.is_in_the_way(&secret) {
                self.change_secret(InventoryChange::SecretGone(secret.clone()), now);
            }
            let task = Task::Obstacle(secret);
            self.agenda.done(&task, now);
            return;
        }
        let (writer, tell) = (self.writer.clone(), self.tell.clone());
        self.spawn(async move {
            let there = writer.look(&secret).await;
            drop(tell.send(Event::Obstacle(Wrote { there, ..Wrote::nothing(&secret) })));
        });
    }

    pub fn obstacle_seen(&mut self, Wrote { name, there, .. }: Wrote) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let now = Instant::now();
        let task = Task::Obstacle(name.clone());
        match there {
            There::Seen(seen) => self.secret(seen, now),
            There::Nothing => self.change_secret(InventoryChange::SecretGone(name.clone()), now),
            There::Refused { .. } | There::Unknown { .. } => {}
        }
        // As long as it is there it is asked for again, less and less often.
        if self.binder.is_in_the_way(&name) {
            self.agenda.failed(&task, now);
        } else {
            self.agenda.done(&task, now);
        }
    }
}
