//! Services that other agents poll although they are not built or not switched on here.
//!
//! Each is answered in words that callers know, or with an empty list, because a method that is not found ends the
//! stream and fills logs on both sides.

use consul_rpc::messages::value;
use consul_rpc::server::CallError;
use serde::Serialize;

use super::Answer;
use super::call::{Call, answer, refuse};
use crate::rpc::catalog::ServiceNames;

const CONNECT_DISABLED: &str = "Connect must be enabled in order to use this endpoint";
const ACL_DISABLED: &str = "ACL support disabled";
const AUTO_ENCRYPT_DISABLED: &str = "AutoEncrypt.AllowTLS must be enabled in order to use this endpoint";
const AUTO_CONFIG_DISABLED: &str = "Auto Config is disabled";

const ACL_METHODS: [&str; 38] = [
    "AuthMethodDelete",
    "AuthMethodList",
    "AuthMethodRead",
    "AuthMethodSet",
    "Authorize",
    "Apply",
    "BindingRuleDelete",
    "BindingRuleList",
    "BindingRuleRead",
    "BindingRuleSet",
    "Bootstrap",
    "BootstrapTokens",
    "Get",
    "GetPolicy",
    "List",
    "Login",
    "Logout",
    "PolicyBatchRead",
    "PolicyDelete",
    "PolicyList",
    "PolicyRead",
    "PolicyResolve",
    "PolicySet",
    "ReplicationStatus",
    "RoleBatchRead",
    "RoleDelete",
    "RoleList",
    "RoleRead",
    "RoleResolve",
    "RoleSet",
    "TokenBatchRead",
    "TokenClone",
    "TokenDelete",
    "TokenList",
    "TokenRead",
    "TokenSet",
    "TemplatedPolicyList",
    "TemplatedPolicyRead",
];

pub async fn call(call: Call<'_>, service: &str, name: &str) -> Answer {
    match (service, name) {
        ("ACL", name) if ACL_METHODS.contains(&name) => refuse(ACL_DISABLED),
        ("ConnectCA", "Roots" | "Sign" | "SignIntermediate" | "ConfigurationGet" | "ConfigurationSet")
        | ("DiscoveryChain", "Get") => refuse(CONNECT_DISABLED),
        ("FederationState", "List") => federation(call).await,
        ("FederationState", "ListMeshGateways") => mesh_gateways(call).await,
        ("FederationState", "Get") => answer(&FederationState { state: None }, &fresh(call).await?),
        // Told from `true`: nothing is kept.
        ("FederationState", "Apply") => Ok(value(&false)),
        ("AutoEncrypt", "Sign") => refuse(AUTO_ENCRYPT_DISABLED),
        ("AutoConfig", "InitialConfiguration") => refuse(AUTO_CONFIG_DISABLED),
        ("ACL" | "ConnectCA" | "DiscoveryChain" | "FederationState" | "AutoEncrypt" | "AutoConfig", _) => {
            Err(CallError::UnknownMethod)
        }
        _ => Err(CallError::UnknownService),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FederationStates {
    states: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FederationState {
    state: Option<()>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GatewayNodes {
    gateway_nodes: Option<()>,
}

/// The freshness of a list without elements: it blocks like any other, so that pollers do not spin.
async fn fresh(call: Call<'_>) -> Result<crate::rpc::ReadMeta, CallError> {
    Ok(call.read(&ServiceNames::default()).await?.0)
}

async fn federation(call: Call<'_>) -> Answer {
    answer(&FederationStates { states: [] }, &fresh(call).await?)
}

async fn mesh_gateways(call: Call<'_>) -> Answer {
    answer(&GatewayNodes { gateway_nodes: None }, &fresh(call).await?)
}
