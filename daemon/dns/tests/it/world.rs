//! A catalog in memory and a server in front of it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use consul_api::types::StringMap;
use consul_api::types::catalog::{Node, NodeService, Weights};
use consul_dns::backend::{
    Backend, BackendError, Consistency, Event, Health, Holder, Instance, Instances, NodeAsk, QueryAnswer,
    QueryAsk, Read, Reply, ServiceAsk, ServiceView,
};
use consul_dns::server::{Listeners, Server, ServerLimits};
use consul_dns::settings::Settings;
use tokio::sync::Semaphore;

pub struct World {
    settings: Mutex<Arc<Settings>>,
    pub nodes: HashMap<String, Arc<Node>>,
    pub services: HashMap<String, Instances>,
    pub queries: HashMap<String, QueryAnswer>,
    /// Age of what a stale read returns.
    pub last_contact: Duration,
    pub events: Mutex<Vec<Event>>,
    pub reads: Mutex<Vec<Read>>,
    pub sources: Mutex<Vec<IpAddr>>,
    /// The service `slow` answers once this has a permit.
    pub slow: Semaphore,
}

pub fn node(name: &str, address: &str, meta: &[(&str, &str)]) -> Arc<Node> {
    let meta: StringMap = meta.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Arc::new(Node { node: name.into(), address: address.into(), meta: Some(meta), ..Node::default() })
}

pub fn instance(
    node: &Arc<Node>,
    service: &str,
    address: &str,
    port: i64,
    tags: &[&str],
    health: Health,
) -> Instance {
    Instance {
        node: node.clone(),
        service: Arc::new(NodeService {
            id: service.into(),
            service: service.into(),
            address: address.into(),
            port,
            tags: Some(tags.iter().map(|t| (*t).to_owned()).collect()),
            weights: Some(Weights { passing: 2, warning: 1 }),
            ..NodeService::default()
        }),
        health,
    }
}

impl World {
    /// Node `n1`, a server; `web0` to `web3` with the service `web`, of which the last is critical.
    pub fn new() -> Self {
        let mut world = Self {
            settings: Mutex::new(Arc::new(Settings::new("dc1", "n1", "consul.").unwrap())),
            nodes: HashMap::new(),
            services: HashMap::new(),
            queries: HashMap::new(),
            last_contact: Duration::ZERO,
            events: Mutex::default(),
            reads: Mutex::default(),
            sources: Mutex::default(),
            slow: Semaphore::new(0),
        };
        let server = node("n1", "127.0.0.1", &[]);
        world.add(instance(&server, "consul", "", 8300, &[], Health::Passing));
        let states = [Health::Passing, Health::Passing, Health::Warning, Health::Critical];
        for (n, health) in states.into_iter().enumerate() {
            let node = node(
                &format!("web{n}"),
                &format!("10.2.0.{n}"),
                &[("rack", "r1"), ("rfc1035-note", "plain")],
            );
            let version = format!("v{n}");
            world.add(instance(
                &node,
                "web",
                "",
                80 + i64::try_from(n).unwrap(),
                &["rails", &version],
                health,
            ));
        }
        world
    }

    pub fn add(&mut self, instance: Instance) {
        self.nodes.insert(instance.node.node.to_lowercase(), instance.node.clone());
        let entry = self.services.entry(instance.service.service.to_lowercase()).or_default();
        *entry = entry.iter().cloned().chain([instance]).collect();
    }

    /// `count` instances of `service`, each on a node of its own.
    pub fn add_many(&mut self, service: &str, count: u8) {
        for n in 0..count {
            let node = node(&format!("{service}-{n}"), &format!("10.4.0.{n}"), &[("a", "1"), ("b", "2")]);
            self.add(instance(&node, service, "", 80, &[], Health::Passing));
        }
    }

    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let mut current = self.settings.lock().unwrap();
        change(Arc::make_mut(&mut current));
    }

    fn reply<T>(&self, read: Read, value: T) -> Reply<T> {
        self.reads.lock().unwrap().push(read);
        match read.consistency {
            Consistency::Stale => Reply { value, last_contact: self.last_contact },
            Consistency::Default => Reply::fresh(value),
        }
    }
}

fn known(datacenter: &str) -> Result<(), BackendError> {
    match datacenter {
        "dc1" => Ok(()),
        "leaderless" => Err(BackendError::NoLeader),
        _ => Err(BackendError::UnknownDatacenter),
    }
}

#[async_trait]
impl Backend for World {
    fn settings(&self) -> Arc<Settings> {
        self.settings.lock().unwrap().clone()
    }

    async fn service_nodes(&self, ask: ServiceAsk<'_>) -> Result<Reply<Instances>, BackendError> {
        known(ask.datacenter)?;
        if ask.service == "slow" {
            self.slow.acquire().await.unwrap().forget();
        }
        let found = match ask.view {
            ServiceView::Plain => self.services.get(ask.service).cloned().unwrap_or_default(),
            ServiceView::Connect | ServiceView::Ingress => Instances::default(),
        };
        let tagged = |instance: &Instance| match ask.tag {
            None => true,
            Some(tag) => instance.service.tags.iter().flatten().any(|t| t.eq_ignore_ascii_case(tag)),
        };
        Ok(self.reply(ask.read, found.iter().filter(|i| tagged(i)).cloned().collect()))
    }

    async fn node(&self, ask: NodeAsk<'_>) -> Result<Reply<Option<Arc<Node>>>, BackendError> {
        known(ask.datacenter)?;
        Ok(self.reply(ask.read, self.nodes.get(ask.node).cloned()))
    }

    async fn prepared_query(&self, ask: QueryAsk<'_>) -> Result<Reply<QueryAnswer>, BackendError> {
        known(ask.datacenter)?;
        self.sources.lock().unwrap().push(ask.source_ip);
        let answer = self.queries.get(ask.query).cloned().ok_or(BackendError::NotFound)?;
        Ok(self.reply(ask.read, answer))
    }

    async fn reverse(&self, ip: IpAddr, read: Read) -> Result<Reply<Option<Holder>>, BackendError> {
        let node = self.nodes.values().find(|node| node.address.parse() == Ok(ip));
        let holder = node.map(|node| Holder::Node { name: node.node.clone(), datacenter: "dc1".into() });
        Ok(self.reply(read, holder))
    }

    fn observe(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }
}

pub struct Running {
    pub world: Arc<World>,
    pub server: Server,
    pub addr: SocketAddr,
}

pub async fn serve(world: World) -> Running {
    serve_with(world, ServerLimits::default()).await
}

pub async fn serve_with(world: World, limits: ServerLimits) -> Running {
    let listeners = Listeners::bind(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
    let addr = listeners.addresses()[0];
    let world = Arc::new(world);
    Running { server: listeners.serve(world.clone(), limits), world, addr }
}
