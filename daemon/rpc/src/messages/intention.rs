//! `Intention.*`.

use serde::{Deserialize, Serialize};

/// `Intention.Apply`: `create`, `update`, `delete` (and `upsert` on newer servers); answers with the id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IntentionRequest<I> {
    pub datacenter: String,
    pub op: String,
    pub intention: I,
}

/// `Intention.Get`, `Intention.Match` and `Intention.Check`, each with its own field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IntentionQueryRequest {
    pub datacenter: String,
    #[serde(rename = "IntentionID")]
    pub intention_id: String,
    pub r#match: Option<IntentionMatch>,
    pub check: Option<IntentionCheck>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IntentionMatch {
    /// `source` or `destination`.
    pub r#type: String,
    pub entries: Option<Vec<IntentionMatchEntry>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IntentionMatchEntry {
    pub namespace: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IntentionCheck {
    #[serde(rename = "SourceNS")]
    pub source_ns: String,
    pub source_name: String,
    #[serde(rename = "DestinationNS")]
    pub destination_ns: String,
    pub destination_name: String,
    pub source_type: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IntentionCheckResponse {
    pub allowed: bool,
}

/// Answer of `Intention.Get` and `Intention.List`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Intentions<T> {
    pub intentions: T,
}

/// Answer of `Intention.Match`: one list for each entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Matches<T> {
    pub matches: T,
}
