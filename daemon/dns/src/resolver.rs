//! One question from packet to packet.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::{BoxFuture, join_all};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{DNSClass, Name, Record, RecordType};
use rand::seq::SliceRandom;
use tracing::{debug, error, warn};

use crate::LOG;
use crate::answer::{self, Code, Hosts, Question, Sections};
use crate::backend::{
    Backend, BackendError, Cache, Consistency, Event, Instances, NodeAsk, QueryAnswer, QueryAsk, Read, Reply,
    ServiceAsk, ServiceView,
};
use crate::name::{self, Form, Lookup, Target};
use crate::recursor::Recursor;
use crate::reply::{self, Limits, Stamp, Transport};
use crate::request::{self, Incoming, Request};
use crate::settings::{Settings, Zone, whole_secs};
use crate::throttle::Throttle;

/// Names of ours that lead to names of ours are followed this many times.
const ALIAS_DEPTH_MAX: usize = 3;
/// Records taken over from a recursor for a client without EDNS.
const ALIAS_RECORDS_MINIMAL: usize = 5;
/// The service that every server is an instance of.
const SERVERS: &str = "consul";
/// Answers older than this are counted as stale.
const STALE_AFTER: Duration = Duration::from_secs(5);
/// Warnings and errors about questions, each second.
const LOG_LINES_PER_SECOND: u32 = 20;

/// Answers questions from a [`Backend`].
pub struct Resolver {
    backend: Arc<dyn Backend>,
    recursor: Recursor,
    /// Of lines that any stranger can cause.
    log: Throttle,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub addr: SocketAddr,
    pub transport: Transport,
}

/// What becomes of a packet.
pub enum Step {
    /// Nothing is sent.
    Drop,
    /// A reply that took no thought.
    Reply(Vec<u8>),
    /// The reply to come. Usually ready when first polled.
    Later(Pin<Box<dyn Future<Output = Vec<u8>> + Send>>),
}

/// What a lookup needs to know of the client.
#[derive(Clone, Copy)]
struct Asker {
    source_ip: IpAddr,
    minimal: bool,
}

impl Resolver {
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, recursor: Recursor::default(), log: Throttle::new(LOG_LINES_PER_SECOND) }
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// Takes a packet from `client`.
    pub fn take(self: &Arc<Self>, packet: &[u8], client: Client) -> Step {
        match request::read(packet) {
            Incoming::Ignore => Step::Drop,
            Incoming::Reject(header) => Step::Reply(request::header_only(&header)),
            Incoming::Question(request) if request.has_unknown_edns() => {
                Step::Reply(self.bad_version(&request, client))
            }
            Incoming::Question(request) => {
                let (resolver, packet) = (self.clone(), packet.to_vec());
                Step::Later(Box::pin(async move { resolver.answer(&request, &packet, client).await }))
            }
        }
    }

    fn bad_version(&self, request: &Request, client: Client) -> Vec<u8> {
        let settings = self.backend.settings();
        let limits = Limits::new(request, client.transport, &settings);
        let stamp = Stamp { code: Some(ResponseCode::BADVERS), ..Stamp::default() };
        reply::write(request, Sections::default(), stamp, limits, &settings)
    }

    async fn answer(&self, request: &Request, packet: &[u8], client: Client) -> Vec<u8> {
        let started = Instant::now();
        let settings = self.backend.settings();
        let query = &request.query;
        let form = if query.query_type() == RecordType::SRV { Form::Srv } else { Form::Other };
        let target = name::parse(query.name(), form, &settings);
        let limits = Limits::new(request, client.transport, &settings);
        let internet = matches!(query.query_class(), DNSClass::IN | DNSClass::ANY);
        let (reply, event): (_, fn(Duration) -> Event) = match target {
            Target::Foreign => (self.recurse(request, packet, client, &settings).await, Event::Recursed),
            _ if !internet => {
                let stamp = Stamp { code: Some(ResponseCode::Refused), ..Stamp::default() };
                (reply::write(request, Sections::default(), stamp, limits, &settings), Event::DomainQuery)
            }
            Target::Reverse(ip) => {
                (self.reverse(request, packet, client, ip, limits, &settings).await, Event::PtrQuery)
            }
            Target::Catalog { zone, lookup } => (
                self.catalog_reply(request, client, zone, lookup, limits, &settings).await,
                Event::DomainQuery,
            ),
        };
        self.backend.observe(event(started.elapsed()));
        debug!(
            target: LOG,
            name = %query.name(),
            r#type = %query.query_type(),
            class = %query.query_class(),
            latency = ?started.elapsed(),
            client = %client.addr,
            client_network = client.transport.as_str(),
            "request served from client"
        );
        reply
    }

    async fn catalog_reply(
        &self,
        request: &Request,
        client: Client,
        zone: &Zone,
        lookup: Lookup,
        limits: Limits,
        settings: &Settings,
    ) -> Vec<u8> {
        let question = Question {
            settings,
            zone,
            name: request.query.name(),
            asked: request.query.query_type(),
            now: now(),
            // One more than fits tells that something was left out.
            answers_max: limits.answers.saturating_add(1),
        };
        let subnet = request.edns.as_ref().and_then(|edns| edns.subnet.as_ref());
        let source_ip = subnet.and_then(|subnet| subnet.ip()).unwrap_or(client.addr.ip().to_canonical());
        let asker = Asker { source_ip, minimal: limits.minimal };
        let by_query = matches!(lookup, Lookup::PreparedQuery { .. });
        let sections = match question.asked {
            RecordType::SOA => question.apex_soa(&self.servers(settings).await.refs()),
            RecordType::NS => question.apex_ns(&self.servers(settings).await.refs()),
            RecordType::AXFR => Sections::code(Code::NotImplemented),
            _ => self.lookup(question, lookup, asker, 0).await,
        };
        let stamp = Stamp {
            authoritative: true,
            recursion_available: !settings.recursors.is_empty(),
            by_subnet: by_query && sections.code == Code::Success,
            ..Stamp::default()
        };
        reply::write(request, sections, stamp, limits, settings)
    }

    fn lookup<'a>(
        &'a self,
        question: Question<'a>,
        lookup: Lookup,
        asker: Asker,
        depth: usize,
    ) -> BoxFuture<'a, Sections> {
        Box::pin(async move {
            let found = match &lookup {
                Lookup::Service { service, tag, view, datacenter } => {
                    let dc = datacenter.as_deref().unwrap_or(&question.settings.datacenter);
                    self.service(question, dc, service, tag.as_deref(), *view, asker, depth).await
                }
                Lookup::Node { node, datacenter } => {
                    let dc = datacenter.as_deref().unwrap_or(&question.settings.datacenter);
                    self.node(question, dc, node, asker, depth).await
                }
                Lookup::PreparedQuery { query, datacenter } => {
                    let dc = datacenter.as_deref().unwrap_or(&question.settings.datacenter);
                    self.prepared_query(question, dc, query, asker, depth).await
                }
                Lookup::Address(ip) => Ok(question.literal(*ip)),
                Lookup::EmptyAddress => Ok(Sections::default()),
                Lookup::Nothing => {
                    if let Some(suppressed) = self.log.admit(Instant::now()) {
                        warn!(target: LOG, qname = %question.name, suppressed, "QName invalid");
                    }
                    Ok(question.no_name())
                }
            };
            found.unwrap_or_else(|error| self.failure(&question, &error))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one service name")]
    async fn service(
        &self,
        question: Question<'_>,
        dc: &str,
        service: &str,
        tag: Option<&str>,
        view: ServiceView,
        asker: Asker,
        depth: usize,
    ) -> Result<Sections, BackendError> {
        let settings = question.settings;
        let instances = self
            .read(settings, |read| {
                self.backend.service_nodes(ServiceAsk { datacenter: dc, service, tag, view, read })
            })
            .await?;
        let mut healthy = answer::healthy(&instances, settings.only_passing);
        if healthy.is_empty() {
            return Ok(question.no_name());
        }
        healthy.shuffle(&mut rand::rng());
        let hosts = self.hosts(question.service_hosts(&healthy, dc), settings, asker, depth).await;
        Ok(question.service(&healthy, dc, settings.service_ttl.secs(service), &hosts))
    }

    async fn prepared_query(
        &self,
        question: Question<'_>,
        dc: &str,
        query: &str,
        asker: Asker,
        depth: usize,
    ) -> Result<Sections, BackendError> {
        let settings = question.settings;
        let source_ip = asker.source_ip;
        let QueryAnswer { service, datacenter, instances, ttl } = self
            .read(settings, |read| {
                self.backend.prepared_query(QueryAsk { datacenter: dc, query, source_ip, read })
            })
            .await?;
        if instances.is_empty() {
            return Ok(question.no_name());
        }
        // The query has filtered and ordered them.
        let instances: Vec<_> = instances.iter().collect();
        let hosts = self.hosts(question.service_hosts(&instances, &datacenter), settings, asker, depth).await;
        let ttl = ttl.map_or_else(|| settings.service_ttl.secs(&service), whole_secs);
        Ok(question.service(&instances, &datacenter, ttl, &hosts))
    }

    async fn node(
        &self,
        question: Question<'_>,
        dc: &str,
        node: &str,
        asker: Asker,
        depth: usize,
    ) -> Result<Sections, BackendError> {
        let settings = question.settings;
        let found =
            self.read(settings, |read| self.backend.node(NodeAsk { datacenter: dc, node, read })).await?;
        let Some(node) = found else { return Ok(question.no_name()) };
        let host = question.node_host(&node, dc).into_iter().collect();
        let hosts = self.hosts(host, settings, asker, depth).await;
        Ok(question.node(&node, dc, &hosts))
    }

    async fn servers(&self, settings: &Settings) -> Servers {
        let read = self
            .read(settings, |read| {
                self.backend.service_nodes(ServiceAsk {
                    datacenter: &settings.datacenter,
                    service: SERVERS,
                    tag: None,
                    view: ServiceView::Plain,
                    read,
                })
            })
            .await;
        match read {
            Ok(instances) => {
                let mut order: Vec<usize> = (0..instances.len()).collect();
                order.shuffle(&mut rand::rng());
                Servers { instances, order, only_passing: settings.only_passing }
            }
            Err(error) => {
                warn!(target: LOG, %error, "Unable to get list of servers");
                Servers { instances: Instances::from([]), order: Vec::new(), only_passing: false }
            }
        }
    }

    /// Reads as fresh as the configuration asks for.
    async fn read<'a, T, F>(&'a self, settings: &Settings, ask: F) -> Result<T, BackendError>
    where
        F: Fn(Read) -> BoxFuture<'a, Result<Reply<T>, BackendError>> + Send,
        T: Send,
    {
        let consistency = if settings.allow_stale { Consistency::Stale } else { Consistency::Default };
        let cache = if settings.use_cache { Cache::MaxAge(settings.cache_max_age) } else { Cache::Bypass };
        let reply = ask(Read { consistency, cache }).await?;
        if consistency == Consistency::Stale && reply.last_contact > settings.max_stale {
            warn!(target: LOG, "Query results too stale, re-requesting");
            let fresh = Read { consistency: Consistency::Default, cache: Cache::Bypass };
            return Ok(ask(fresh).await?.value);
        }
        if reply.last_contact > STALE_AFTER {
            self.backend.observe(Event::StaleAnswer);
        }
        Ok(reply.value)
    }

    async fn hosts(&self, names: Vec<Name>, settings: &Settings, asker: Asker, depth: usize) -> Hosts {
        let resolve = async |name: Name| {
            let records = self.resolve_host(&name, settings, asker, depth).await;
            (name, records)
        };
        join_all(names.into_iter().map(resolve)).await.into_iter().collect()
    }

    /// The records that lead from a host name in the catalog to addresses.
    async fn resolve_host(
        &self,
        host: &Name,
        settings: &Settings,
        asker: Asker,
        depth: usize,
    ) -> Vec<Record> {
        let Target::Catalog { zone, lookup } = name::parse(host, Form::Other, settings) else {
            let mut records = self.recursor.addresses(host, settings).await;
            if asker.minimal {
                records.truncate(ALIAS_RECORDS_MINIMAL);
            }
            return records;
        };
        if depth >= ALIAS_DEPTH_MAX {
            if let Some(suppressed) = self.log.admit(Instant::now()) {
                error!(target: LOG, name = %host, suppressed, "Infinite recursion detected for name, won't perform any CNAME resolution.");
            }
            return Vec::new();
        }
        let asked = RecordType::ANY;
        let question = Question { settings, zone, name: host, asked, now: now(), answers_max: usize::MAX };
        let mut records = self.lookup(question, lookup, asker, depth + 1).await.answers;
        records.retain(answer::leads_to_address);
        records
    }

    async fn reverse(
        &self,
        request: &Request,
        packet: &[u8],
        client: Client,
        ip: Option<IpAddr>,
        limits: Limits,
        settings: &Settings,
    ) -> Vec<u8> {
        let holder = match ip {
            Some(ip) => self.read(settings, |read| self.backend.reverse(ip, read)).await,
            None => Ok(None),
        };
        let holder = holder.unwrap_or_else(|error| {
            self.log_failure(&error);
            None
        });
        let found = holder.and_then(|holder| answer::reverse(request.query.name(), settings, &holder));
        let recursion_available = !settings.recursors.is_empty();
        match found {
            Some(sections) => {
                let stamp = Stamp { authoritative: true, recursion_available, ..Stamp::default() };
                reply::write(request, sections, stamp, limits, settings)
            }
            None if recursion_available => self.recurse(request, packet, client, settings).await,
            // Whose address it is we cannot tell, which is not to say that it is nobody's.
            None => {
                let stamp = Stamp { recursion_available: true, ..Stamp::default() };
                reply::write(request, Sections::code(Code::Failed), stamp, limits, settings)
            }
        }
    }

    fn failure(&self, question: &Question<'_>, error: &BackendError) -> Sections {
        if error.hides_name() {
            return question.no_name();
        }
        self.log_failure(error);
        Sections::code(Code::Failed)
    }

    fn log_failure(&self, error: &BackendError) {
        if let Some(suppressed) = self.log.admit(Instant::now()) {
            error!(target: LOG, %error, suppressed, "rpc error");
        }
    }

    /// Passes a question on. Refused if there is nobody to pass it to.
    async fn recurse(
        &self,
        request: &Request,
        packet: &[u8],
        client: Client,
        settings: &Settings,
    ) -> Vec<u8> {
        let limits = Limits::new(request, client.transport, settings);
        if settings.recursors.is_empty() {
            let stamp = Stamp { code: Some(ResponseCode::Refused), no_edns: true, ..Stamp::default() };
            return reply::write(request, Sections::default(), stamp, limits, settings);
        }
        match self.recursor.forward(packet, client.transport, settings).await {
            Some(reply) => reply,
            None => {
                if let Some(suppressed) = self.log.admit(Instant::now()) {
                    error!(
                        target: LOG,
                        question = %request.query,
                        client = %client.addr,
                        client_network = client.transport.as_str(),
                        suppressed,
                        "all resolvers failed for question from client"
                    );
                }
                let stamp = Stamp { recursion_available: true, ..Stamp::default() };
                reply::write(request, Sections::code(Code::Failed), stamp, limits, settings)
            }
        }
    }
}

/// The servers of this datacenter in random order.
struct Servers {
    instances: Instances,
    order: Vec<usize>,
    only_passing: bool,
}

impl Servers {
    fn refs(&self) -> Vec<&crate::backend::Instance> {
        let shuffled = self.order.iter().filter_map(|at| self.instances.get(*at));
        shuffled.filter(|instance| answer::is_healthy(instance, self.only_passing)).collect()
    }
}

/// Unix time in seconds.
fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}
