//! This agent as the catalog shows it.

use consul_api::types::StringMap;
use consul_api::types::request::RegisterRequest;

use crate::agent::Agent;
use crate::rpc::Token;

/// Node metadata that the agent adds by itself.
const SEGMENT_META: &str = "consul-network-segment";
const VERSION_META: &str = "consul-version";

impl Agent {
    /// The registration of this node alone.
    pub fn node_registration(&self) -> RegisterRequest {
        let config = self.config.load();
        RegisterRequest {
            id: self.identity.node_id.clone(),
            node: self.identity.node_name.clone(),
            address: self.identity.advertise.to_string(),
            tagged_addresses: Some(config.network.tagged_addresses.clone()),
            node_meta: Some(self.node_meta()),
            ..RegisterRequest::default()
        }
    }

    /// Configured metadata and what the agent adds.
    pub fn node_meta(&self) -> StringMap {
        let mut meta: StringMap = self.config.load().node.meta.clone();
        meta.insert(SEGMENT_META.to_owned(), String::new());
        meta.insert(VERSION_META.to_owned(), crate::version::API_LEVEL.to_owned());
        meta
    }

    /// The token of the agent's own requests.
    pub fn own_token(&self) -> Token {
        Token::default()
    }

    /// `token`, or the agent's own if there is none.
    pub fn token_or_own(&self, token: Token) -> Token {
        if token.is_empty() { self.own_token() } else { token }
    }
}
