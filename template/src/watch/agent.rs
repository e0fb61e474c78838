//! Follows what the agent knows.

use std::time::{Duration, Instant};

use consul_api::client::watch::IndexTracker;
use consul_api::client::{Answer, Client, ClientError, Consistency, QueryOptions};
use consul_template_functions::{Data, Dependency, Endpoint};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::failures::Failures;
use super::turns::Watcher;
use super::{Asking, News};

/// Changes that come faster than this are taken together.
const INTERVAL: Duration = Duration::from_millis(100);
/// Up to so much later, so that watchers do not move in step.
const JITTER: Duration = Duration::from_millis(20);

/// What one dependency yielded last, to tell news from repetition.
struct Source {
    dependency: Dependency,
    client: Client,
    asking: Asking,
    news: mpsc::Sender<News>,
    failures: Failures,
    last: Option<Data>,
    absent: bool,
    /// The agent's own node, once it is known.
    own_node: Option<Endpoint>,
}

/// Nobody listens any more.
struct Unheard;

/// Follows by blocking queries until nobody listens or retries are used up.
pub async fn follow(
    dependency: Dependency,
    client: Client,
    asking: Asking,
    watcher: Watcher,
    news: mpsc::Sender<News>,
) {
    let mut source = Source::new(dependency, client, asking, news);
    let mut index = IndexTracker::default();
    loop {
        let started = Instant::now();
        let mut turn = watcher.turn(index.request_index()).await;
        let wait = turn.wait(asking.wait);
        let asked = tokio::select! {
            asked = source.ask(index.request_index(), wait) => asked,
            () = turn.is_wanted() => continue,
        };
        drop(turn);
        match asked {
            Ok(answer) => {
                let is_first = index.request_index() == 0;
                let changed = index.observe(answer.meta.index);
                let is_news = changed || is_first || source.failures.is_failing();
                if is_news && source.tell(answer.value).await.is_err() {
                    return;
                }
                let pause =
                    INTERVAL.saturating_sub(started.elapsed()) + JITTER.mul_f64(rand::random_range(0.0..1.0));
                tokio::time::sleep(pause).await;
            }
            Err(error) => {
                // Whatever was there before the agent went away must be looked at anew.
                index.reset();
                if source.pause_after(&error).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Follows by asking again and again, for what cannot be waited for.
pub async fn poll(
    dependency: Dependency,
    every: Duration,
    client: Client,
    asking: Asking,
    news: mpsc::Sender<News>,
) {
    let mut source = Source::new(dependency, client, asking, news);
    loop {
        let told = match source.ask(0, asking.wait).await {
            Ok(answer) => {
                let told = source.tell(answer.value).await;
                tokio::time::sleep(every).await;
                told
            }
            Err(error) => source.pause_after(&error).await,
        };
        if told.is_err() {
            return;
        }
    }
}

impl Source {
    fn new(dependency: Dependency, client: Client, asking: Asking, news: mpsc::Sender<News>) -> Self {
        let failures = Failures::new(asking.retry);
        Self { dependency, client, asking, news, failures, last: None, absent: false, own_node: None }
    }

    /// One answer, fresh enough. None is the answer that there is no such thing.
    async fn ask(&mut self, index: u64, wait: Duration) -> Result<Answer<Option<Data>>, ClientError> {
        let stale = !self.asking.max_stale.is_zero();
        let consistency = if stale { Consistency::Stale } else { Consistency::Default };
        let answer = self.request(index, wait, consistency).await?;
        if !stale || answer.meta.last_contact <= self.asking.max_stale {
            return Ok(answer);
        }
        tracing::debug!(target: "view", "{}: the answer is too old; asking the leader", self.dependency);
        self.request(0, wait, Consistency::Default).await
    }

    async fn request(
        &mut self,
        index: u64,
        wait: Duration,
        consistency: Consistency,
    ) -> Result<Answer<Option<Data>>, ClientError> {
        let Some(endpoint) = self.endpoint().await? else {
            return Err(ClientError::Parameter("dependency"));
        };
        let options = QueryOptions { consistency, ..QueryOptions::default() }.after(index, wait);
        let found = get(&self.client, &endpoint, &options).await?;
        let (value, meta) = (found.value, found.meta);
        let Some(body) = value else {
            let data = Data::absent(&self.dependency);
            return match (&data, &self.dependency) {
                (Some(_), _) | (None, Dependency::Key { .. }) => Ok(Answer { value: data, meta }),
                _ => Err(ClientError::Status { status: 404, body: "not found".to_owned() }),
            };
        };
        let data = Data::from_answer(&self.dependency, body.as_ref())?;
        let data = match (&self.dependency, data) {
            (Dependency::Datacenters { ignore_failing: true }, Data::Names(names)) => {
                Data::datacenters(self.reachable(names.iter().map(ToString::to_string).collect()).await)
            }
            (_, data) => data,
        };
        Ok(Answer { value: Some(data), meta })
    }

    /// Where to ask. For the agent's own node that has to be found out first.
    async fn endpoint(&mut self) -> Result<Option<Endpoint>, ClientError> {
        let Dependency::Node { name: None, scope } = &self.dependency else {
            return Ok(self.dependency.endpoint());
        };
        if self.own_node.is_none() {
            #[derive(Deserialize)]
            #[serde(rename_all = "PascalCase")]
            struct Agent {
                config: Named,
            }
            #[derive(Deserialize)]
            #[serde(rename_all = "PascalCase")]
            struct Named {
                node_name: String,
            }
            let agent: Agent = self.client.get("/v1/agent/self").fetch_value().await?;
            self.own_node = Some(Endpoint::node(&agent.config.node_name, scope));
        }
        Ok(self.own_node.clone())
    }

    /// Those datacenters that answer.
    async fn reachable(&self, names: Vec<String>) -> Vec<String> {
        let mut reachable = Vec::with_capacity(names.len());
        for name in names {
            let options = QueryOptions {
                datacenter: Some(name.clone()),
                consistency: Consistency::Consistent,
                ..QueryOptions::default()
            };
            match self.client.get("/v1/catalog/services").query(&options).fetch_bytes().await {
                Ok(_) => reachable.push(name),
                Err(error) => {
                    tracing::debug!(target: "view", "leaving out datacenter {name}: {error}");
                }
            }
        }
        reachable
    }

    /// Passes an answer on, as news only if it differs from the last one.
    async fn tell(&mut self, value: Option<Data>) -> Result<(), Unheard> {
        let recovered = self.failures.succeeded();
        let dependency = self.dependency.clone();
        let news = match value {
            Some(data) if self.last.as_ref() == Some(&data) && !self.absent => {
                if !recovered {
                    return Ok(());
                }
                News::Answered(dependency)
            }
            Some(data) => {
                self.last = Some(data.clone());
                self.absent = false;
                News::Data(dependency, data)
            }
            // What a template has of a key that was deleted stays as it is.
            None => {
                self.absent = true;
                News::Absent(dependency)
            }
        };
        self.news.send(news).await.map_err(|_| Unheard)
    }

    async fn pause_after(&mut self, error: &ClientError) -> Result<(), Unheard> {
        let (news, pause) = self.failures.failed(&self.dependency, &error.to_string());
        self.news.send(news).await.map_err(|_| Unheard)?;
        tokio::time::sleep(pause.ok_or(Unheard)?).await;
        Ok(())
    }
}

async fn get(
    client: &Client,
    endpoint: &Endpoint,
    options: &QueryOptions,
) -> Result<Answer<Option<impl AsRef<[u8]> + use<>>>, ClientError> {
    let mut request = client.get(&endpoint.path).query(options);
    for (name, value) in &endpoint.query {
        request = request.param(name, value.as_str());
    }
    request.find_bytes().await
}
