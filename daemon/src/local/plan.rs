//! What must be written so that the catalog shows this host as its book does. Pure: both sides come in as arguments.

use std::collections::BTreeMap;

use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::health::HealthCheck;

use super::entry::Sync;
use super::state::LocalState;

/// What the catalog holds for this node.
#[derive(Clone, Debug, Default)]
pub struct CatalogView {
    pub node: Option<Node>,
    pub services: BTreeMap<String, NodeService>,
    pub checks: Vec<HealthCheck>,
}

/// Entries that the leader keeps for servers, which no agent removes.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    pub service_id: Option<&'a str>,
    pub check_id: &'a str,
}

/// Compares the whole book with the catalog: everything that differs becomes dirty, everything that the book does not
/// know is returned for removal. Entries that are the same become clean.
pub fn compare(state: &mut LocalState, catalog: &CatalogView, kept: Kept<'_>) -> Strangers {
    compare_services(state, catalog);
    compare_checks(state, catalog);
    let is_kept = |id: &str| kept.service_id == Some(id);
    let unknown_service = |id: &&String| !state.all_services().contains_key(*id) && !is_kept(id);
    let services: Vec<String> = catalog.services.keys().filter(unknown_service).cloned().collect();
    let unknown_check = |check: &&HealthCheck| {
        check.check_id != kept.check_id
            && !state.all_checks().contains_key(&check.check_id)
            // These go with their service.
            && !services.contains(&check.service_id)
            && !is_kept(&check.service_id)
    };
    let checks = catalog.checks.iter().filter(unknown_check).map(|check| check.check_id.clone()).collect();
    Strangers { services, checks }
}

/// What the catalog has and the book does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    pub services: Vec<String>,
    pub checks: Vec<String>,
}

fn compare_services(state: &mut LocalState, catalog: &CatalogView) {
    let ids: Vec<String> = state.all_services().keys().cloned().collect();
    for id in ids {
        let Some(entry) = state.all_services().get(&id) else { continue };
        let there = catalog.services.get(&id);
        if entry.sync == Sync::Deleted {
            if there.is_none() {
                state.forget_deleted(Some(&id), None);
            }
            continue;
        }
        let Some(there) = there else {
            state.set_service_sync(&id, Sync::Dirty);
            continue;
        };
        if entry.service.enable_tag_override && entry.service.tags != there.tags {
            state.adopt_tags(&id, there.tags.clone());
        }
        let same = state.service(&id).is_some_and(|entry| same_service(&entry.service, there));
        state.set_service_sync(&id, if same { Sync::InSync } else { Sync::Dirty });
    }
}

fn compare_checks(state: &mut LocalState, catalog: &CatalogView) {
    let there: BTreeMap<&str, &HealthCheck> =
        catalog.checks.iter().map(|check| (check.check_id.as_str(), check)).collect();
    let ids: Vec<String> = state.all_checks().keys().cloned().collect();
    for id in ids {
        let Some(entry) = state.all_checks().get(&id) else { continue };
        let there = there.get(id.as_str());
        match (entry.sync, there) {
            (Sync::Deleted, None) => state.forget_deleted(None, Some(&id)),
            (Sync::Deleted, Some(_)) => {}
            (_, None) => state.set_check_sync(&id, Sync::Dirty),
            (_, Some(there)) => {
                let waits = entry.output_due.is_some();
                let same = same_check(&entry.check, there, waits);
                state.set_check_sync(&id, if same { Sync::InSync } else { Sync::Dirty });
            }
        }
    }
}

/// Equal but for the indexes, which only the catalog knows. Absent and empty maps and lists mean the same.
fn same_service(ours: &NodeService, theirs: &NodeService) -> bool {
    let normal = |service: &NodeService| NodeService {
        create_index: 0,
        modify_index: 0,
        tags: Some(service.tags.clone().unwrap_or_default()),
        meta: Some(service.meta.clone().unwrap_or_default()),
        tagged_addresses: Some(service.tagged_addresses.clone().unwrap_or_default()),
        ..service.clone()
    };
    normal(ours) == normal(theirs)
}

/// The same for checks; an output whose write waits does not count as a difference.
fn same_check(ours: &HealthCheck, theirs: &HealthCheck, output_waits: bool) -> bool {
    let normal = |check: &HealthCheck| HealthCheck {
        create_index: 0,
        modify_index: 0,
        output: if output_waits { String::new() } else { check.output.clone() },
        service_tags: Some(check.service_tags.clone().unwrap_or_default()),
        ..check.clone()
    };
    normal(ours) == normal(theirs)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use consul_api::types::agent::CheckDefinition;
    use consul_api::types::health::Status;

    use super::*;
    use crate::local::entry::Source;
    use crate::local::state::new_check;
    use crate::rpc::Token;

    const KEPT: Kept<'static> = Kept { service_id: Some("consul"), check_id: "serfHealth" };

    fn service(id: &str, port: i64) -> NodeService {
        NodeService { id: id.into(), service: id.into(), port, ..NodeService::default() }
    }

    fn view(services: &[NodeService]) -> CatalogView {
        let services = services.iter().map(|service| (service.id.clone(), service.clone())).collect();
        CatalogView { services, ..CatalogView::default() }
    }

    fn book(services: &[NodeService]) -> LocalState {
        let mut state = LocalState::default();
        for service in services {
            state.put_service(service.clone(), Token::default(), Source::Remote, None);
        }
        state
    }

    #[test]
    fn equal_entries_are_clean_whatever_their_indexes() {
        let mut state = book(&[service("web", 80)]);
        let there =
            NodeService { create_index: 7, modify_index: 9, tags: Some(vec![]), ..service("web", 80) };
        assert_eq!(compare(&mut state, &view(&[there]), KEPT), Strangers::default());
        assert_eq!(state.service("web").unwrap().sync, Sync::InSync);
    }

    #[test]
    fn differing_and_missing_entries_are_dirty() {
        let mut state = book(&[service("web", 80), service("db", 1)]);
        state.set_service_sync("web", Sync::InSync);
        state.set_service_sync("db", Sync::InSync);
        compare(&mut state, &view(&[service("web", 81)]), KEPT);
        assert!(state.services().all(|entry| entry.sync == Sync::Dirty));
    }

    #[test]
    fn strangers_go_but_not_what_the_leader_keeps() {
        let mut state = book(&[]);
        let mut catalog = view(&[service("consul", 8300), service("old", 1)]);
        let check = |id: &str, service_id: &str| HealthCheck {
            check_id: id.into(),
            service_id: service_id.into(),
            ..HealthCheck::default()
        };
        catalog.checks = vec![check("serfHealth", ""), check("stale", ""), check("of-old", "old")];
        let strangers = compare(&mut state, &catalog, KEPT);
        assert_eq!(strangers, Strangers { services: vec!["old".into()], checks: vec!["stale".into()] });
    }

    #[test]
    fn the_catalogs_tags_win_where_allowed() {
        let ours =
            NodeService { enable_tag_override: true, tags: Some(vec!["a".into()]), ..service("web", 80) };
        let theirs = NodeService { tags: Some(vec!["b".into()]), ..ours.clone() };
        let mut state = book(&[ours]);
        compare(&mut state, &view(&[theirs]), KEPT);
        let entry = state.service("web").unwrap();
        assert_eq!((entry.service.tags.as_deref(), entry.sync), (Some(&["b".to_owned()][..]), Sync::InSync));
    }

    #[test]
    fn an_output_that_may_wait_is_no_difference() {
        let definition = CheckDefinition { id: "c".into(), name: "c".into(), ..CheckDefinition::default() };
        let mut state = LocalState::default();
        state.put_check(new_check("n", &definition, "ttl", Token::default(), Source::Remote)).unwrap();
        let now = Instant::now();
        state.update_check("c", Status::Passing, "1", now, Duration::ZERO);
        let there = state.check("c").unwrap().check.clone();
        state.check_synced("c", &there);
        state.update_check("c", Status::Passing, "2", now, Duration::from_secs(300));
        let catalog = CatalogView { checks: vec![there], ..CatalogView::default() };
        compare(&mut state, &catalog, KEPT);
        assert_eq!(state.check("c").unwrap().sync, Sync::InSync);
    }
}
