//! A network that delays, loses, doubles and reorders, in one process and by one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use crate::handle::RaftHandle;
use crate::machine::StateMachine;
use crate::transport::{Method, Transport, TransportError};
use crate::types::Peer;

type Serve = Arc<dyn Fn(Method, Bytes) -> BoxFuture<'static, Result<Bytes, String>> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Net {
    inner: Arc<Mutex<Wires>>,
}

struct Wires {
    random: StdRng,
    servers: BTreeMap<String, Serve>,
    /// Directed: from, to.
    cut: BTreeSet<(String, String)>,
    /// A stopped process: what is for it waits, and so does what it sends.
    paused: BTreeMap<String, Instant>,
    weather: Weather,
}

/// What happens to each message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub loss: f64,
    pub duplication: f64,
    pub delay_max: Duration,
}

impl Weather {
    pub const FAIR: Self = Self { loss: 0.0, duplication: 0.0, delay_max: Duration::from_millis(2) };
}

impl Net {
    pub fn new(seed: u64) -> Self {
        let wires = Wires {
            random: StdRng::seed_from_u64(seed),
            servers: BTreeMap::new(),
            cut: BTreeSet::new(),
            paused: BTreeMap::new(),
            weather: Weather::FAIR,
        };
        Self { inner: Arc::new(Mutex::new(wires)) }
    }

    pub fn join<S: StateMachine>(&self, address: &str, server: &RaftHandle<S>) {
        let server = server.clone();
        let serve: Serve = Arc::new(move |method, body| {
            let server = server.clone();
            Box::pin(async move { server.serve(method, &body).await.map_err(|error| error.to_string()) })
        });
        self.inner.lock().servers.insert(address.to_owned(), serve);
    }

    pub fn leave(&self, address: &str) {
        self.inner.lock().servers.remove(address);
    }

    pub fn cut(&self, from: &str, to: &str) {
        self.inner.lock().cut.insert((from.to_owned(), to.to_owned()));
    }

    pub fn heal(&self) {
        let mut wires = self.inner.lock();
        wires.cut.clear();
        wires.paused.clear();
        wires.weather = Weather::FAIR;
    }

    pub fn pause(&self, address: &str, time: Duration) {
        self.inner.lock().paused.insert(address.to_owned(), Instant::now() + time);
    }

    pub fn set_weather(&self, weather: Weather) {
        self.inner.lock().weather = weather;
    }

    pub fn port(&self, address: &str) -> Arc<dyn Transport> {
        Arc::new(Port { net: self.clone(), from: address.to_owned() })
    }

    /// Moves one message; whether it arrives.
    async fn travel(&self, from: &str, to: &str) -> bool {
        let (lost, delay) = {
            let mut wires = self.inner.lock();
            let Weather { loss, delay_max, .. } = wires.weather;
            let lost = wires.random.random_bool(loss);
            (lost, delay_max.mul_f64(wires.random.random()))
        };
        tokio::time::sleep(delay).await;
        let resumed = {
            let wires = self.inner.lock();
            wires.paused.get(from).max(wires.paused.get(to)).copied()
        };
        if let Some(resumed) = resumed {
            tokio::time::sleep_until(resumed).await;
        }
        !lost && !self.inner.lock().cut.contains(&(from.to_owned(), to.to_owned()))
    }

    fn listener(&self, address: &str) -> Option<Serve> {
        self.inner.lock().servers.get(address).cloned()
    }

    fn doubles(&self) -> Option<Duration> {
        let mut wires = self.inner.lock();
        let Weather { duplication, delay_max, .. } = wires.weather;
        let doubled = wires.random.random_bool(duplication);
        let delay = delay_max.mul_f64(wires.random.random_range(0.0..10.0));
        doubled.then_some(delay)
    }

    async fn exchange(&self, from: &str, to: &str, method: Method, body: Bytes) -> Result<Bytes, String> {
        if !self.travel(from, to).await {
            return std::future::pending().await;
        }
        let serve = self.listener(to).ok_or("nobody listens")?;
        if let Some(delay) = self.doubles() {
            let (serve, body) = (serve.clone(), body.clone());
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let _ = serve(method, body).await;
            });
        }
        // What arrived is worked on even if the sender does not wait any more.
        let answer = tokio::spawn(serve(method, body)).await.map_err(|error| error.to_string())??;
        if !self.travel(to, from).await {
            return std::future::pending().await;
        }
        Ok(answer)
    }
}

struct Port {
    net: Net,
    from: String,
}

impl Transport for Port {
    fn call<'a>(
        &'a self,
        peer: &'a Peer,
        method: Method,
        body: Bytes,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Bytes, TransportError>> {
        let address = peer.address.clone();
        Box::pin(async move {
            if self.net.listener(&self.from).is_none() && self.net.listener(&address).is_none() {
                let reason = "nobody listens".to_owned();
                return Err(TransportError::Unreachable { address, reason });
            }
            let exchange = self.net.exchange(&self.from, &peer.address, method, body);
            match tokio::time::timeout(timeout, exchange).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(reason)) if reason == "nobody listens" => {
                    Err(TransportError::Unreachable { address, reason })
                }
                Ok(Err(reason)) => Err(TransportError::Failed { address, reason }),
                Err(_) => Err(TransportError::Failed { address, reason: "no answer in time".to_owned() }),
            }
        })
    }
}
