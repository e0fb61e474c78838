//! A check that mirrors the health of another service or node.
//!
//! The evaluation is a pure function over a snapshot of checks. Where snapshots come from (the agent's own state, or
//! the catalog for another node) is the agent's business: it implements `AliasWatch`.

use consul_api::types::health::{HealthCheck, Status};
use futures::future::BoxFuture;
use thiserror::Error;

/// What is mirrored: a service of a node, or the node itself if no service is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AliasTarget {
    /// None: the agent's own node.
    pub node: Option<String>,
    /// A service id.
    pub service: Option<String>,
}

/// The checks of the target's node at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AliasView {
    /// Handed back to `AliasWatch::next` to wait for something newer. Only equality with an earlier one matters.
    pub index: u64,
    pub node_found: bool,
    /// Whether the target's service is registered; of no meaning where the target is a node.
    pub service_found: bool,
    /// May hold checks of other services: they are ignored.
    pub checks: Vec<HealthCheck>,
}

/// The target's state could not be learnt; the text ends up in the check's output.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct AliasWatchError(pub String);

/// Source of snapshots.
pub trait AliasWatch: Send + Sync + 'static {
    /// A snapshot at once if `after` is None; else waits until the target's checks may differ from those of the view
    /// with that index, but no longer than a minute.
    fn next<'a>(
        &'a self,
        target: &'a AliasTarget,
        after: Option<u64>,
    ) -> BoxFuture<'a, Result<AliasView, AliasWatchError>>;
}

/// State and output of an alias check: the worst of the target's own checks and those of its node.
///
/// Alias checks never count. One that counted itself could not recover, and two that mirror each other would feed
/// on each other's output.
pub fn evaluate(target: &AliasTarget, view: &AliasView) -> (Status, String) {
    if !view.node_found {
        let node = target.node.as_deref().unwrap_or_default();
        return (Status::Critical, format!("Node {node} could not be found"));
    }
    if let Some(service) = target.service.as_deref().filter(|_| !view.service_found) {
        let node = target.node.as_deref().unwrap_or_default();
        return (Status::Critical, format!("Service {service} could not be found on node {node}"));
    }
    let relevant = || view.checks.iter().filter(|check| counts(target, check));
    for status in [Status::Critical, Status::Warning] {
        if let Some(check) = relevant().find(|check| check.status == status.as_str()) {
            return (status, format!("Aliased check {:?} failing: {}", check.name, check.output));
        }
    }
    let output = if relevant().next().is_some() { "All checks passing." } else { "No checks found." };
    (Status::Passing, output.to_owned())
}

fn counts(target: &AliasTarget, check: &HealthCheck) -> bool {
    let of_node = check.service_id.is_empty();
    let of_service = target.service.as_deref() == Some(check.service_id.as_str());
    (of_node || of_service) && check.r#type != "alias"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, status: &str, output: &str, service: &str) -> HealthCheck {
        HealthCheck {
            name: name.into(),
            status: status.into(),
            output: output.into(),
            service_id: service.into(),
            ..Default::default()
        }
    }

    fn target(node: Option<&str>, service: Option<&str>) -> AliasTarget {
        AliasTarget { node: node.map(Into::into), service: service.map(Into::into) }
    }

    fn view(checks: Vec<HealthCheck>) -> AliasView {
        AliasView { index: 1, node_found: true, service_found: true, checks }
    }

    #[test]
    fn worst_of_the_services_and_the_nodes_checks_decides() {
        let base = target(None, Some("base"));
        let fine = check("a", "passing", "", "base");
        let slow = check("b", "warning", "slow", "base");
        let down = check("c \"q\"", "critical", "down", "");
        let other = check("d", "critical", "unrelated", "other");
        assert_eq!(evaluate(&base, &view(vec![])), (Status::Passing, "No checks found.".into()));
        assert_eq!(
            evaluate(&base, &view(vec![other.clone(), fine.clone()])),
            (Status::Passing, "All checks passing.".into())
        );
        assert_eq!(
            evaluate(&base, &view(vec![fine.clone(), slow.clone()])),
            (Status::Warning, "Aliased check \"b\" failing: slow".into())
        );
        assert_eq!(
            evaluate(&base, &view(vec![slow, down, other])),
            (Status::Critical, "Aliased check \"c \\\"q\\\"\" failing: down".into())
        );
    }

    #[test]
    fn alias_checks_do_not_count_themselves_or_each_other() {
        let mut own = check("mirror", "critical", "Aliased check", "");
        own.r#type = "alias".into();
        let node = target(None, None);
        assert_eq!(evaluate(&node, &view(vec![own])), (Status::Passing, "No checks found.".into()));
    }

    #[test]
    fn a_node_alias_ignores_the_nodes_services() {
        let failing = check("svc", "critical", "x", "web");
        let node = target(Some("other"), None);
        assert_eq!(evaluate(&node, &view(vec![failing])).0, Status::Passing);
    }

    #[test]
    fn absent_targets_are_critical() {
        let nothing = AliasView { node_found: true, ..Default::default() };
        assert_eq!(
            evaluate(&target(None, Some("nope")), &nothing),
            (Status::Critical, "Service nope could not be found on node ".into())
        );
        assert_eq!(
            evaluate(&target(Some("n2"), Some("nope")), &nothing),
            (Status::Critical, "Service nope could not be found on node n2".into())
        );
        assert_eq!(
            evaluate(&target(Some("n2"), None), &AliasView::default()),
            (Status::Critical, "Node n2 could not be found".into())
        );
    }
}
