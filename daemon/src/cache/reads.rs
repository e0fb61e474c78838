//! Which reads the cache may answer, and how they are fetched.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::BoxFuture;

use super::{CacheControl, Fetched, Key, Source};
use crate::agent::Agent;
use crate::rpc::catalog::{ServiceInstances, ServiceNames};
use crate::rpc::operation::datacenters::ListDatacenters;
use crate::rpc::query::{QueryAnswer, QueryExecute};
use crate::rpc::remote::RemoteRead;
use crate::rpc::{Consistency, ReadMeta, ReadOptions, RpcError};

/// How long one read of a watched entry blocks.
const REFRESH_WAIT: Duration = Duration::from_secs(600);

/// A blocking read that the cache may answer.
pub trait Cacheable:
    RemoteRead<Reply: Clone + Send + Sync + 'static> + Clone + std::fmt::Debug + 'static
{
    /// Distinguishes kinds of requests whose spelling is alike.
    const KIND: &'static str;
}

impl Cacheable for ServiceInstances {
    const KIND: &'static str = "service-instances";
}

impl Cacheable for ServiceNames {
    const KIND: &'static str = "service-names";
}

/// Whether the cache takes part in a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    Use,
    Bypass,
}

impl Agent {
    /// The cache is used where the caller asks for it and the configuration allows it.
    pub fn caching(&self, options: &ReadOptions) -> Caching {
        if options.cached && self.config.load().http.use_cache { Caching::Use } else { Caching::Bypass }
    }

    /// [`Agent::read`], from the cache if the caller wants that.
    pub async fn read_cached<R: Cacheable>(
        self: &Arc<Self>,
        request: R,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, R::Reply), RpcError> {
        if self.caching(options) == Caching::Bypass {
            return self.read(&request, options).await;
        }
        let key = key(R::KIND, &request, options);
        let own_options =
            ReadOptions { min_index: 0, max_wait: REFRESH_WAIT, cached: false, ..options.clone() };
        let source =
            || Box::new(AgentSource { agent: Arc::downgrade(self), request, options: own_options }) as _;
        let fetched = self.cache.watched(key, source, options.min_index, options.max_wait).await?;
        unpack(fetched)
    }

    /// Runs a query through the cache.
    pub async fn execute_query_cached(
        self: &Arc<Self>,
        request: QueryExecute,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, QueryAnswer), RpcError> {
        let key = key("query-execute", &request, options);
        let fetch = async {
            let (meta, answer) = self.operate(&request, options).await?;
            Ok(Fetched { meta, value: Arc::new(answer) })
        };
        unpack(self.cache.fetched(key, options.cache_control, fetch).await?)
    }

    /// The names of all datacenters through the cache.
    pub async fn datacenters_cached(
        self: &Arc<Self>,
        control: CacheControl,
    ) -> Result<(ReadMeta, Vec<String>), RpcError> {
        let key = key("datacenters", &(), &ReadOptions::default());
        let fetch = async {
            let (_, names) = self.operate(&ListDatacenters, &ReadOptions::default()).await?;
            Ok(Fetched { meta: ReadMeta::default(), value: Arc::new(names) })
        };
        unpack(self.cache.fetched(key, control, fetch).await?)
    }
}

fn key(kind: &'static str, request: &impl std::fmt::Debug, options: &ReadOptions) -> Key {
    Key {
        kind,
        request: format!("{request:?}"),
        datacenter: options.datacenter.clone(),
        token: options.token.clone(),
        stale: matches!(options.consistency, Consistency::Stale { .. }),
    }
}

fn unpack<T: Clone + 'static>(fetched: Fetched) -> Result<(ReadMeta, T), RpcError> {
    let value = fetched.value.downcast_ref::<T>().cloned();
    value
        .map(|value| (fetched.meta, value))
        .ok_or_else(|| RpcError::refused("the cache holds another kind of answer"))
}

/// Fetches by reading like any client. Holds the agent weakly, because the agent owns the cache.
struct AgentSource<R> {
    agent: Weak<Agent>,
    request: R,
    options: ReadOptions,
}

impl<R: Cacheable> Source for AgentSource<R> {
    fn fetch(&self, min_index: u64) -> BoxFuture<'_, Option<Result<Fetched, RpcError>>> {
        Box::pin(async move {
            let agent = self.agent.upgrade()?;
            let options = ReadOptions { min_index, ..self.options.clone() };
            tokio::select! {
                () = agent.stop.cancelled() => None,
                answer = agent.read(&self.request, &options) => {
                    Some(answer.map(|(meta, reply)| Fetched { meta, value: Arc::new(reply) }))
                }
            }
        })
    }
}
