//! Autopilot's configuration and the counts of `Operator.Usage`.

use std::sync::Arc;

use consul_api::types::operator::AutopilotConfig;
use consul_rpc::messages::encode;
use consul_rpc::messages::operator::AutopilotSetRequest;

use super::catalog::whole_datacenter;
use super::common::{whole, write_request};
use super::{RemoteRead, RemoteWrite};
use crate::rpc::operator::{AutopilotGet, AutopilotSet};
use crate::rpc::{ReadMeta, ReadOptions, RpcError, WriteOptions};

impl RemoteRead for AutopilotGet {
    fn method(&self) -> &'static str {
        "Operator.AutopilotGetConfiguration"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        whole_datacenter(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let config: AutopilotConfig = whole(body)?;
        Ok((ReadMeta { index: 1, known_leader: true, ..ReadMeta::default() }, Some(Arc::new(config))))
    }
}

impl RemoteWrite for AutopilotSet {
    fn method(&self) -> &'static str {
        "Operator.AutopilotSetConfiguration"
    }

    fn arguments(&self, options: &WriteOptions) -> Vec<u8> {
        let config = AutopilotConfig {
            modify_index: self.cas.unwrap_or(self.config.modify_index),
            ..self.config.clone()
        };
        let own =
            AutopilotSetRequest { datacenter: options.datacenter.clone(), config, cas: self.cas.is_some() };
        encode(&own, &write_request(options))
    }

    fn reply(&self, body: &[u8]) -> Result<bool, RpcError> {
        // Without a condition older servers answer `false` although it happened.
        let happened: bool = whole(body)?;
        Ok(happened || self.cas.is_none())
    }
}
