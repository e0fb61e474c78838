//! The proxy service that a definition with `connect.sidecar_service` registers beside itself.

use consul_api::types::agent::{CheckDefinition, ConnectDefinition, ServiceDefinition};
use consul_api::types::duration::GoDuration;

/// Ports given to sidecars that name none.
pub const PORT_MIN: i64 = 21_000;
pub const PORT_MAX: i64 = 21_255;

/// Takes the sidecar out of `definition` and completes it. `free_port` finds a port that no local service has.
pub fn take(
    definition: &mut ServiceDefinition,
    free_port: impl FnOnce() -> Option<i64>,
) -> Result<Option<ServiceDefinition>, String> {
    let Some(ConnectDefinition { sidecar_service, .. }) = &mut definition.connect else { return Ok(None) };
    let Some(mut sidecar) = sidecar_service.take().map(|boxed| *boxed) else { return Ok(None) };
    if sidecar.connect.as_ref().is_some_and(|connect| connect.sidecar_service.is_some()) {
        return Err("sidecar service can't have a nested sidecar_service".into());
    }
    let id = if definition.id.is_empty() { definition.name.clone() } else { definition.id.clone() };
    sidecar.id = format!("{id}-sidecar-proxy");
    if sidecar.name.is_empty() {
        sidecar.name = format!("{}-sidecar-proxy", definition.name);
    }
    if sidecar.kind.is_empty() {
        sidecar.kind = "connect-proxy".into();
    }
    sidecar.tags = sidecar.tags.or_else(|| definition.tags.clone());
    sidecar.meta = sidecar.meta.or_else(|| definition.meta.clone());
    let proxy = sidecar.proxy.get_or_insert_default();
    if proxy.destination_service_name.is_empty() {
        proxy.destination_service_name.clone_from(&definition.name);
        proxy.destination_service_id.clone_from(&id);
    }
    if proxy.local_service_port == 0 {
        proxy.local_service_port = definition.port;
    }
    if proxy.local_service_address.is_empty() {
        proxy.local_service_address = "127.0.0.1".into();
    }
    if sidecar.port == 0 {
        sidecar.port = free_port().ok_or_else(|| {
            format!(
                "no free port between {PORT_MIN} and {PORT_MAX} is left for the sidecar of service {id:?}"
            )
        })?;
    }
    if sidecar.check.is_none() && sidecar.checks.is_none() {
        sidecar.checks = Some(default_checks(&id, &sidecar));
    }
    Ok(Some(sidecar))
}

fn default_checks(id: &str, sidecar: &ServiceDefinition) -> Vec<CheckDefinition> {
    let host = if sidecar.address.is_empty() { "127.0.0.1" } else { &sidecar.address };
    vec![
        CheckDefinition {
            name: "Connect Sidecar Listening".into(),
            tcp: format!("{host}:{}", sidecar.port),
            interval: GoDuration::from_secs(10),
            ..CheckDefinition::default()
        },
        CheckDefinition {
            name: format!("Connect Sidecar Aliasing {id}"),
            alias_service: id.to_owned(),
            ..CheckDefinition::default()
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_sidecar_is_filled_from_its_service() {
        let connect = ConnectDefinition { native: false, sidecar_service: Some(Box::default()) };
        let mut web = ServiceDefinition {
            name: "web".into(),
            port: 80,
            connect: Some(connect),
            ..ServiceDefinition::default()
        };
        let sidecar = take(&mut web, || Some(21_000)).unwrap().unwrap();
        assert_eq!(
            (sidecar.id.as_str(), sidecar.kind.as_str(), sidecar.port),
            ("web-sidecar-proxy", "connect-proxy", 21_000)
        );
        let proxy = sidecar.proxy.unwrap();
        assert_eq!((proxy.destination_service_id.as_str(), proxy.local_service_port), ("web", 80));
        assert_eq!(sidecar.checks.unwrap().len(), 2);
        assert!(take(&mut web, || None).unwrap().is_none());
    }

    #[test]
    fn without_a_free_port_the_definition_is_refused() {
        let connect = ConnectDefinition { native: false, sidecar_service: Some(Box::default()) };
        let mut web =
            ServiceDefinition { name: "web".into(), connect: Some(connect), ..ServiceDefinition::default() };
        assert!(take(&mut web, || None).unwrap_err().contains("no free port"));
    }
}
