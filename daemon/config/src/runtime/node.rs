//! Who this agent is.

use super::Context;
use crate::node_id::NodeId;
use crate::section::Section;
use crate::validate::meta;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    pub name: String,
    /// The id that was configured; without one it comes from the data directory.
    pub id: Option<NodeId>,
    pub meta: BTreeMap<String, String>,
    pub datacenter: String,
    /// Where access control and the like are decided; equals `datacenter` unless set.
    pub primary_datacenter: String,
    /// Absent in dev mode without `-data-dir`.
    pub data_dir: Option<PathBuf>,
    /// Make up a random id instead of deriving it from the host's.
    pub disable_host_node_id: bool,
    /// How long a server may have been away before it refuses to start.
    pub server_rejoin_age_max: std::time::Duration,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            id: None,
            meta: BTreeMap::new(),
            datacenter: "dc1".to_owned(),
            primary_datacenter: String::new(),
            data_dir: None,
            disable_host_node_id: true,
            server_rejoin_age_max: std::time::Duration::from_secs(168 * 3600),
        }
    }
}

impl NodeConfig {
    pub(super) fn read(root: &Section<'_>, cx: &mut Context<'_>) -> Self {
        let defaults = Self::default();
        let datacenter = root.text("datacenter").map_or(defaults.datacenter, |name| name.to_lowercase());
        let primary = root.text_or_empty("primary_datacenter").to_lowercase();
        Self {
            name: name(root, cx),
            id: id(root),
            meta: node_meta(root),
            primary_datacenter: if primary.is_empty() { datacenter.clone() } else { primary },
            datacenter,
            data_dir: root.text("data_dir").filter(|path| !path.is_empty()).map(PathBuf::from),
            disable_host_node_id: root.flag("disable_host_node_id").unwrap_or(defaults.disable_host_node_id),
            server_rejoin_age_max: root
                .duration("server_rejoin_age_max")
                .unwrap_or(defaults.server_rejoin_age_max),
        }
    }
}

fn name(root: &Section<'_>, cx: &mut Context<'_>) -> String {
    let name = root.text_or_empty("node_name").trim().to_owned();
    let name = if name.is_empty() { cx.host.name.trim().to_owned() } else { name };
    let undiscoverable = format!("Node name {name:?} will not be discoverable via DNS due to");
    if name.chars().any(|c| !c.is_ascii_alphanumeric() && c != '-') {
        let message = format!(
            "{undiscoverable} invalid characters. Valid characters include all alpha-numerics and dashes."
        );
        cx.warnings.push(message, root.pos("node_name"));
    } else if name.len() > 63 {
        let message =
            format!("{undiscoverable} it being too long. Valid lengths are between 1 and 63 bytes.");
        cx.warnings.push(message, root.pos("node_name"));
    }
    name
}

fn id(root: &Section<'_>) -> Option<NodeId> {
    let text = root.text("node_id").filter(|text| !text.trim().is_empty())?;
    match NodeId::parse(&text) {
        Ok(id) => Some(id),
        Err(error) => {
            root.report("node_id", format!("failed to setup node ID: specified NodeID is invalid: {error}"));
            None
        }
    }
}

fn node_meta(root: &Section<'_>) -> BTreeMap<String, String> {
    let map = root.map("node_meta");
    if let Err(error) = meta::check(&map) {
        root.report("node_meta", format!("node_meta invalid: {error}"));
    }
    map
}
