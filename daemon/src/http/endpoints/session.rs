//! `/v1/session/*`.

use std::sync::Arc;

use consul_api::types::duration::{GoDuration, Nanoseconds};
use consul_api::types::health::SERF_HEALTH;
use consul_api::types::session::{ServiceCheck, Session};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::agent::Agent;
use crate::handler;
use crate::http::decode::{self, REQUEST_DECODE_FAILED};
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::operation::session::{EndSession, OpenSession, RenewSession};
use crate::rpc::session::SessionList;

const GET: &[Method] = &[Method::GET];
const PUT: &[Method] = &[Method::PUT];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/session/create", PUT, handler!(create)),
    Route::prefix("/v1/session/destroy/", PUT, handler!(destroy)),
    Route::prefix("/v1/session/info/", GET, handler!(info)).with_failure_meta(),
    Route::exact("/v1/session/list", GET, handler!(list)).with_failure_meta(),
    Route::prefix("/v1/session/node/", GET, handler!(node)).with_failure_meta(),
    Route::prefix("/v1/session/renew/", PUT, handler!(renew)),
];

const DEFAULT_LOCK_DELAY: Nanoseconds = Nanoseconds(15_000_000_000);
/// Smaller numbers are taken as seconds: the field once was that.
const SECONDS_BELOW: i64 = 1_000;

/// The body of a creation. Absent and `null` mean the default, but for check lists an explicit `null` means none.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Creation {
    name: String,
    node: String,
    lock_delay: Option<LockDelay>,
    behavior: String,
    #[serde(rename = "TTL")]
    ttl: String,
    node_checks: Option<Vec<String>>,
    service_checks: Option<Vec<ServiceCheck>>,
    checks: Option<Vec<String>>,
}

/// Text or number; small values are seconds.
struct LockDelay(Nanoseconds);

impl<'de> Deserialize<'de> for LockDelay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Delay;

        impl Visitor<'_> for Delay {
            type Value = i64;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
                text.parse::<GoDuration>().map(|span| span.0).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
                Ok(number)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
                i64::try_from(number).map_err(|_| E::custom("lock delay out of range"))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
                Ok(number as i64)
            }
        }

        let number = deserializer.deserialize_any(Delay)?;
        if number < 0 {
            return Err(de::Error::custom("lock delay must not be negative"));
        }
        let scale = if number < SECONDS_BELOW { 1_000_000_000 } else { 1 };
        Ok(Self(Nanoseconds(number * scale)))
    }
}

impl Creation {
    /// Both check lists start with the node's own health, and what the body says changes them in the way that clients
    /// have come to rely on: an empty `Checks` drops it, an empty `NodeChecks` drops `Checks`.
    fn into_session(self, body_has: Presence, own_node: &str) -> Session {
        let serf_health = || vec![SERF_HEALTH.to_owned()];
        let mut node_checks = if body_has.node_checks { self.node_checks } else { Some(serf_health()) };
        let mut checks = if body_has.checks { self.checks } else { Some(serf_health()) };
        if checks.as_ref().is_none_or(Vec::is_empty) {
            node_checks = Some(Vec::new());
            checks = None;
        } else if node_checks.as_ref().is_none_or(Vec::is_empty) {
            checks = None;
        }
        if checks.as_deref().is_some_and(|ids| ids == [SERF_HEALTH]) {
            checks = None;
        }
        Session {
            name: self.name,
            node: if self.node.is_empty() { own_node.to_owned() } else { self.node },
            lock_delay: self.lock_delay.map_or(DEFAULT_LOCK_DELAY, |delay| delay.0),
            behavior: self.behavior,
            ttl: self.ttl,
            node_checks,
            service_checks: self.service_checks,
            checks,
            ..Session::default()
        }
    }
}

/// Which check lists the body names, `null` included.
#[derive(Clone, Copy, Default)]
struct Presence {
    node_checks: bool,
    checks: bool,
}

impl Presence {
    fn of(body: &[u8]) -> Self {
        let Ok(serde_json::Value::Object(fields)) = serde_json::Deserializer::from_slice(body)
            .into_iter()
            .next()
            .unwrap_or(Ok(serde_json::Value::Null))
        else {
            return Self::default();
        };
        let has = |name: &str| fields.keys().any(|key| key.eq_ignore_ascii_case(name));
        Self { node_checks: has("NodeChecks"), checks: has("Checks") }
    }
}

async fn create(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let given = body.trim_ascii();
    let creation: Creation =
        if given.is_empty() { Creation::default() } else { decode::lenient(given, REQUEST_DECODE_FAILED)? };
    let session = creation.into_session(Presence::of(given), agent.node_name());
    let options = options::write_options(&request);
    let (_, id) = agent.operate(&OpenSession { session }, &(&options).into()).await?;
    Reply::json(&request, &serde_json::json!({ "ID": id }))
}

async fn destroy(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let id = session_id(&request)?;
    let options = options::write_options(&request);
    agent.operate(&EndSession { id }, &(&options).into()).await?;
    Reply::json(&request, &true)
}

async fn renew(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let id = session_id(&request)?;
    let options = options::write_options(&request);
    match agent.operate(&RenewSession { id: id.clone() }, &(&options).into()).await? {
        (_, Some(session)) => Reply::json(&request, &[session]),
        (_, None) => Err(Failure::new(StatusCode::NOT_FOUND, format!("Session id '{id}' not found"))),
    }
}

async fn info(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let id = session_id(&request)?;
    answer(agent, request, SessionList::Id(id)).await
}

async fn list(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    answer(agent, request, SessionList::All).await
}

async fn node(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let node = request.rest_text();
    if node.is_empty() {
        return Err(Failure::bad_request("Missing node name"));
    }
    answer(agent, request, SessionList::Node(node)).await
}

async fn answer(agent: Arc<Agent>, request: Request, read: SessionList) -> Result<Reply, Failure> {
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, sessions) = agent.read(&read, &options).await?;
    Ok(Reply::json(&request, &sessions)?.with_meta(&meta, MetaHeaders::Index))
}

fn session_id(request: &Request) -> Result<String, Failure> {
    if request.rest.is_empty() {
        Err(Failure::bad_request("Missing session"))
    } else {
        Ok(request.rest_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(body: &str) -> Session {
        let creation: Creation = decode::lenient(body.as_bytes(), "").unwrap();
        creation.into_session(Presence::of(body.as_bytes()), "me")
    }

    fn lists(body: &str) -> (Option<Vec<String>>, Option<Vec<String>>) {
        let session = session(body);
        (session.node_checks, session.checks)
    }

    #[test]
    fn check_lists_follow_the_old_rules() {
        let ids = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(lists("{}"), (ids(&["serfHealth"]), None));
        assert_eq!(lists(r#"{"Checks":["nn"]}"#), (ids(&["serfHealth"]), ids(&["nn"])));
        assert_eq!(lists(r#"{"Checks":[]}"#), (ids(&[]), None));
        assert_eq!(lists(r#"{"Checks":null}"#), (ids(&[]), None));
        assert_eq!(lists(r#"{"NodeChecks":["nn"]}"#), (ids(&["nn"]), None));
        assert_eq!(lists(r#"{"NodeChecks":[],"Checks":["nn"]}"#), (ids(&[]), None));
    }

    #[test]
    fn small_lock_delays_are_seconds() {
        assert_eq!(session("{}").lock_delay, DEFAULT_LOCK_DELAY);
        assert_eq!(session(r#"{"LockDelay":15}"#).lock_delay.0, 15_000_000_000);
        assert_eq!(session(r#"{"LockDelay":15000}"#).lock_delay.0, 15_000);
        assert_eq!(session(r#"{"LockDelay":"20s"}"#).lock_delay.0, 20_000_000_000);
        assert_eq!(session(r#"{"LockDelay":0}"#).lock_delay.0, 0);
    }
}
