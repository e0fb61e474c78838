//! Where alias checks learn the state of what they mirror: our own book, or the catalog for another node.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use consul_api::types::health::HealthCheck;
use consul_checks::{AliasTarget, AliasView, AliasWatch, AliasWatchError};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::book::Book;
use crate::agent::Agent;
use crate::rpc::catalog::NodeServicesOf;
use crate::rpc::health::{CheckList, ChecksOf};
use crate::rpc::{ReadOptions, RpcError};

/// The longest wait for a change.
const WAIT: Duration = Duration::from_secs(60);

/// Reads the catalog for checks of other nodes. A trait, because the agent owns the services: a type that contains itself
/// makes the compiler prove again and again that it may be shared between threads.
trait ReadsCatalog: Send + Sync {
    /// The node's state, once its index differs from `after`.
    fn alias_view<'a>(
        &'a self,
        target: &'a AliasTarget,
        after: Option<u64>,
    ) -> BoxFuture<'a, Result<AliasView, RpcError>>;
}

/// The agent whose catalog reads answer for other nodes; set once it exists.
#[derive(Clone, Default)]
pub struct CatalogChecks(Arc<OnceLock<Weak<dyn ReadsCatalog>>>);

impl CatalogChecks {
    pub fn set(&self, agent: &Arc<Agent>) {
        let agent: Arc<dyn ReadsCatalog> = agent.clone();
        // Set once at start; a second agent in one process has its own.
        let _ = self.0.set(Arc::downgrade(&agent));
    }

    fn agent(&self) -> Result<Arc<dyn ReadsCatalog>, AliasWatchError> {
        let agent = self.0.get().and_then(Weak::upgrade);
        agent.ok_or_else(|| AliasWatchError("the agent is not ready".into()))
    }
}

pub struct LocalAliases {
    book: Arc<Book>,
    node: String,
    catalog: CatalogChecks,
}

impl LocalAliases {
    pub fn new(book: Arc<Book>, node: String, catalog: CatalogChecks) -> Self {
        Self { book, node, catalog }
    }

    fn is_local(&self, target: &AliasTarget) -> bool {
        target.node.as_deref().is_none_or(|node| node.is_empty() || node.eq_ignore_ascii_case(&self.node))
    }

    async fn local(&self, target: &AliasTarget, after: Option<u64>) -> AliasView {
        let deadline = tokio::time::Instant::now() + WAIT;
        let mut changes = self.book.subscribe();
        loop {
            changes.borrow_and_update();
            let view = self.local_view(target);
            if after != Some(view.index)
                || tokio::time::timeout_at(deadline, changes.changed()).await.is_err()
            {
                return view;
            }
        }
    }

    /// The index is a fingerprint of what matters, so that other services' changes do not wake the check.
    fn local_view(&self, target: &AliasTarget) -> AliasView {
        let service = target.service.as_deref().unwrap_or_default();
        let (service_found, checks) = self.book.read(|state| {
            let relevant = state.checks().map(|entry| &entry.check);
            let checks: Vec<HealthCheck> = relevant
                .filter(|check| check.service_id.is_empty() || check.service_id == service)
                .cloned()
                .collect();
            (state.service(service).is_some(), checks)
        });
        let mut hash = DefaultHasher::new();
        service_found.hash(&mut hash);
        for check in &checks {
            (&check.check_id, &check.status, &check.output, &check.name).hash(&mut hash);
        }
        AliasView { index: hash.finish(), node_found: true, service_found, checks }
    }

    async fn remote(&self, target: &AliasTarget, after: Option<u64>) -> Result<AliasView, AliasWatchError> {
        let view = self.catalog.agent()?.alias_view(target, after).await;
        view.map_err(|error| AliasWatchError(error.to_string()))
    }
}

impl ReadsCatalog for Agent {
    fn alias_view<'a>(
        &'a self,
        target: &'a AliasTarget,
        after: Option<u64>,
    ) -> BoxFuture<'a, Result<AliasView, RpcError>> {
        async move {
            let node = target.node.clone().unwrap_or_default();
            let options =
                ReadOptions { min_index: after.unwrap_or(0), max_wait: WAIT, ..ReadOptions::default() };
            let list = CheckList {
                of: ChecksOf::Node(node.clone()),
                node_meta: Default::default(),
                near: String::new(),
            };
            let (meta, checks) = self.read(&list, &options).await?;
            let (_, found) = self.read(&NodeServicesOf { node }, &ReadOptions::default()).await?;
            let service = target.service.as_deref().unwrap_or_default();
            Ok(AliasView {
                index: meta.index,
                node_found: found.is_some(),
                service_found: found.is_some_and(|found| found.services.contains_key(service)),
                checks: checks.iter().map(|check| (**check).clone()).collect(),
            })
        }
        .boxed()
    }
}

impl AliasWatch for LocalAliases {
    fn next<'a>(
        &'a self,
        target: &'a AliasTarget,
        after: Option<u64>,
    ) -> BoxFuture<'a, Result<AliasView, AliasWatchError>> {
        async move {
            if self.is_local(target) {
                Ok(self.local(target, after).await)
            } else {
                self.remote(target, after).await
            }
        }
        .boxed()
    }
}
