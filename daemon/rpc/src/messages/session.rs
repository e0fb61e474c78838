//! `Session.*`.

use serde::{Deserialize, Serialize};

/// `Session.Apply`: `create` answers with the new id, `destroy` with an empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SessionRequest<S> {
    pub datacenter: String,
    pub op: String,
    pub session: S,
}

/// `Session.Get`, `Session.List` and `Session.Renew`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SessionSpecificRequest {
    pub datacenter: String,
    #[serde(rename = "SessionID")]
    pub session_id: String,
    /// The id once more, as older releases read it.
    pub session: String,
}

impl SessionSpecificRequest {
    pub fn of(datacenter: String, id: String) -> Self {
        Self { datacenter, session_id: id.clone(), session: id }
    }

    pub fn id(self) -> String {
        if self.session_id.is_empty() { self.session } else { self.session_id }
    }
}

/// Answer of all methods that list sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Sessions<T> {
    pub sessions: T,
}
