//! Users and groups by name or number.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use nix::unistd::{Group, User};

use super::WriteError;
use crate::config::Ownership;

/// Numbers of an owner; none keeps what is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

impl Ids {
    pub fn differs_from(self, meta: &Metadata) -> bool {
        self.uid.is_some_and(|uid| uid != meta.uid()) || self.gid.is_some_and(|gid| gid != meta.gid())
    }
}

/// Names win over numbers; a name may be a number.
pub fn resolve(owner: &Ownership) -> Result<Ids, WriteError> {
    let uid = match &owner.user {
        Some(name) => Some(lookup("user", name, |name| {
            User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
        })?),
        None => owner.uid,
    };
    let gid = match &owner.group {
        Some(name) => Some(lookup("group", name, |name| {
            Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
        })?),
        None => owner.gid,
    };
    Ok(Ids { uid, gid })
}

fn lookup(kind: &'static str, name: &str, by_name: impl Fn(&str) -> Option<u32>) -> Result<u32, WriteError> {
    by_name(name)
        .or_else(|| name.parse().ok())
        .ok_or_else(|| WriteError::Unknown { kind, name: name.to_owned() })
}
