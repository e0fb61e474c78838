//! Functions for data of Vault and Nomad. Their names are known, so that templates that mention them load.

use consul_template_language::{CallResult, Functions, Param, Value};

use crate::pass::Pass;

const VAULT: &[&str] = &["secret", "secrets", "pkiCert"];
const NOMAD: &[&str] =
    &["nomadServices", "nomadService", "nomadVarList", "nomadVarListSafe", "nomadVar", "nomadVarExists"];

pub(super) fn register(functions: &mut Functions<Pass>) {
    for (names, product) in [(VAULT, "vault"), (NOMAD, "nomad")] {
        for name in names {
            functions.add(name, ([], Param::Any), move |_, args| -> CallResult {
                if *name == "secret" && args.is_empty() {
                    return Ok(Value::Nil);
                }
                Err(format!("{name}: {product} support is not built in").into())
            });
        }
    }
}
