//! One binding Secret against what is there: written only where nothing is, or where it is ours already.

use super::problem::Problem;
use super::seen::{BindingSecret, content};
use super::state::Binder;
use super::wanted::{How, Owner, Use, WantedBinding, fits, secret_type, with_kind};
use crate::api::*;
use crate::engine::code::Code;
use crate::secret::SecretBytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A binding Secret and its place.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// The Secret as it should be; `None` where it cannot be whole: what is there stays as it is.
    pub wanted: Option<WantedBinding>,
    /// The Secret that is there, ours.
    pub there: Option<BindingRef>,
    /// Why it cannot be written.
    pub problem: Option<Problem>,
}

impl Slot {
    /// Whether it is still to be written.
    pub fn is_pending(&self) -> bool {
        self.problem.is_none() && self.wanted.as_ref().is_some_and(WantedBinding::is_due)
    }
}

/// What is at a name.
enum There<'a> {
    Nothing,
    Ours(&'a BindingSecret),
    Somebodys,
}

impl Binder {
    /// The binding Secret of an object. `inputs`: what should be in it, where it can be whole.
    pub(super) fn slot(
        &self,
        of: Use,
        object: &str,
        component: &ComponentRef,
        owner: Option<Owner>,
        inputs: Option<BTreeMap<String, Arc<SecretBytes>>>,
    ) -> Slot {
        let (name, purpose) = (of.name_for(object), of.of(object));
        let component = names::of_component(&component.key, component.is_public());
        let problem = |code, text| Slot { problem: Some(Problem::new(code, text)), ..Slot::default() };
        let there = match self.at(&name, &purpose) {
            There::Somebodys => {
                let text = format!(
                    "Secret {name} is there and is not ours, and is never written over: move it to another name"
                );
                return problem(Code::BindingNameTaken, text);
            }
            There::Ours(there) if there.type_ != secret_type(&component) => {
                let text = format!(
                    "Secret {name} was made for another component, and the type of a Secret never changes: \
                     delete it, and it is made anew"
                );
                let there = Some(BindingRef { name });
                return Slot { there, ..problem(Code::BindingNameTaken, text) };
            }
            There::Ours(there) => Some(there),
            There::Nothing => None,
        };
        let named = there.map(|_| BindingRef { name: name.clone() });
        let Some(inputs) = inputs else { return Slot { there: named, ..Slot::default() } };
        let data = with_kind(&component, inputs);
        if !fits(&data) {
            let text = format!("Secret {name} would be larger than 1 MiB: make the values smaller");
            return Slot { there: named, ..problem(Code::BindingTooLarge, text) };
        }
        let content = content(
            &self.salt,
            &secret_type(&component),
            &purpose,
            owner.as_slice(),
            data.iter().map(|(key, value)| (key.as_str(), value.expose())),
        );
        let how = match there {
            None => How::Create,
            Some(there) if there.content == content => How::AsItIs,
            Some(there) => How::Update { uid: there.uid.clone(), resource_version: there.resource_version.clone() },
        };
        let refused = self.refused.get(&name).filter(|_| how != How::AsItIs);
        let problem = refused.map(|why| {
            Problem::new(Code::ServerRefuses, format!("the cluster does not let Secret {name} be written: {why}"))
        });
        let wanted = WantedBinding { name, how, component, of: purpose, owner, data, content };
        Slot { wanted: Some(wanted), there: named, problem }
    }

    fn at(&self, name: &str, purpose: &str) -> There<'_> {
        match self.bindings.get(name) {
            _ if self.sources.contains_key(name) => There::Somebodys,
            None => There::Nothing,
            Some(there) if there.ours.as_deref() == Some(purpose) => There::Ours(there),
            Some(_) => There::Somebodys,
        }
    }

    /// The owner of a binding Secret: none unless the connection may be deleted.
    pub(super) fn owner(&self, connection: &ConnectionSpec, kind: Kind, name: &str) -> Option<Owner> {
        let uid = self.uids.get(&crate::engine::item::ObjectId::new(kind, name))?;
        let owner = Owner { kind: kind.to_string(), name: name.to_string(), uid: uid.clone() };
        connection.may_be_deleted().then_some(owner)
    }
}
