//! What the operator keeps of approvals: ConfigMaps beside the target.

use super::list::{self, Approvals as Read};
use super::server::Ask;
use super::trouble::{Doing, of_place};
use super::{ClusterPlace, body, config_maps};
use crate::tenant::PlaceError;
use crate::tenant::approvals::{Approvals, Kept};
use http::StatusCode;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The approvals of one tenant, as its ConfigMaps hold them: digests, of approvals and of actions.
pub struct ConfigMapApprovals<'a> {
    place: &'a ClusterPlace,
    /// Whose actions void them.
    of: BTreeSet<String>,
    read: Mutex<Option<Read>>,
}

impl<'a> ConfigMapApprovals<'a> {
    /// Beside a tenant; new actions of these writers void what is kept.
    pub fn of(place: &'a ClusterPlace, of: BTreeSet<String>) -> Self {
        ConfigMapApprovals { place, of, read: Mutex::default() }
    }

    fn read(&self) -> Result<Read, PlaceError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = &*read {
            return Ok(read.clone());
        }
        let place = self.place;
        Ok(read.insert(place.server.wait(list::approvals(&place.server, &place.paths))?).clone())
    }

    fn as_kept(&self, digests: BTreeSet<String>) -> Vec<Kept> {
        let kept = Kept { given: digests.clone(), of: self.of.clone(), covers: digests };
        if kept.covers.is_empty() { Vec::new() } else { vec![kept] }
    }

    fn change(&self, change: &mut dyn FnMut(&mut Vec<Kept>)) -> Result<(), PlaceError> {
        let Read { config_maps: there, digests } = self.read()?;
        let mut kept = self.as_kept(digests);
        change(&mut kept);
        let digests: BTreeSet<String> =
            kept.into_iter().flat_map(|kept| kept.given.into_iter().chain(kept.covers)).collect();
        let wanted = config_maps::of_approvals(&self.place.tenant, &digests);
        let doing = Doing { verb: "create", resource: "configmaps", object: None };
        for (name, map) in wanted.iter().filter(|(name, _)| !there.contains(*name)) {
            self.ask(&Ask::apply(self.place.paths.config_map(name), body::to_bytes(map)), &doing)?;
        }
        // The new ones are there before the old ones go: a crash between the two forgets nothing.
        let doing = Doing { verb: "delete", resource: "configmaps", object: None };
        for name in there.iter().filter(|name| !wanted.contains_key(*name)) {
            self.ask(&Ask::delete(self.place.paths.config_map(name), Vec::new()), &doing)?;
        }
        let now = Read { config_maps: wanted.into_keys().collect(), digests };
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }

    /// What is to be deleted may be gone.
    fn ask(&self, ask: &Ask, doing: &Doing<'_>) -> Result<(), PlaceError> {
        let place = self.place;
        match place.server.wait(place.server.ask(ask)) {
            Ok(_) => Ok(()),
            Err(trouble) if doing.verb == "delete" && trouble.code() == Some(StatusCode::NOT_FOUND) => Ok(()),
            Err(trouble) => Err(of_place(trouble, &place.server, &place.paths, doing)),
        }
    }
}

impl Approvals for ConfigMapApprovals<'_> {
    fn kept(&self, _: &str) -> Result<Vec<Kept>, PlaceError> {
        Ok(self.as_kept(self.read()?.digests))
    }

    fn keep(&self, _: &str, new: &[Kept]) -> Result<(), PlaceError> {
        self.change(&mut |kept| kept.extend(new.iter().cloned()))
    }

    fn consume(&self, _: &str, left: &mut dyn FnMut(&mut Kept) -> bool) -> Result<(), PlaceError> {
        self.change(&mut |kept| kept.retain_mut(&mut *left))
    }
}
