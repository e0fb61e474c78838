//! Joining other agents: at once when a user asks, again and again when the configuration does.

use std::net::SocketAddr;
use std::sync::Arc;

use consul_config::JoinPool;
use futures::future::BoxFuture;
use thiserror::Error;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::address::JoinAddress;

/// A pool that can be joined to others.
pub trait Joins: Send + Sync + 'static {
    /// Exchanges members with each address; one result for each, in order.
    fn join<'a>(&'a self, addresses: &'a [SocketAddr]) -> BoxFuture<'a, Vec<Result<(), String>>>;

    /// Where the others find this agent.
    fn own(&self) -> SocketAddr;
}

/// What became of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Agents that were reached.
    pub count: usize,
    /// Whether this agent itself is one of them: lists of servers are often the same everywhere.
    pub reached_self: bool,
    /// One line for each address that was not.
    pub failures: Vec<String>,
}

impl Joined {
    /// Whether somebody else was reached, or nobody else was asked for.
    fn is_enough(&self) -> bool {
        self.count > usize::from(self.reached_self) || self.count > 0 && self.failures.is_empty()
    }

    /// All failures as one text, in the form of a list that users know.
    pub fn failure(&self) -> String {
        let list: String = self.failures.iter().map(|line| format!("\t* {line}\n")).collect();
        let plural = if self.failures.len() == 1 { "error" } else { "errors" };
        format!("{} {plural} occurred:\n{list}\n", self.failures.len())
    }
}

/// Tries all `addresses`, in the forms of [`JoinAddress`].
pub async fn join(pool: &dyn Joins, addresses: &[String], default_port: u16) -> Joined {
    let mut joined = Joined::default();
    for text in addresses {
        let resolved = match JoinAddress::parse(text, default_port) {
            Ok(address) => address.resolve().await,
            Err(error) => Err(error),
        };
        let sockets = match resolved {
            Ok(sockets) => sockets,
            Err(error) => {
                joined.failures.push(format!("Failed to join {text}: {error}"));
                continue;
            }
        };
        for (socket, result) in sockets.iter().zip(pool.join(&sockets).await) {
            match result {
                Ok(()) => {
                    joined.count += 1;
                    joined.reached_self |= *socket == pool.own();
                }
                Err(reason) => {
                    // The name is what the user knows; the address is what did not answer.
                    let shown =
                        if sockets.len() > 1 { format!("{text} ({socket})") } else { shown(text, *socket) };
                    let advice = advice(&reason);
                    joined.failures.push(format!("Failed to join {shown}: {reason}{advice}"));
                }
            }
        }
    }
    joined
}

/// What to do about a failure that does not say it itself.
fn advice(reason: &str) -> &'static str {
    if reason.contains("crypt") {
        "; all agents of a pool need the same 'encrypt' key, and a keyring file in the data directory wins over it"
    } else {
        ""
    }
}

/// The host as written, without a port that only repeats the socket's.
fn shown(text: &str, socket: SocketAddr) -> String {
    let ip = socket.ip().to_string();
    if text.contains(&ip) { ip } else { text.to_owned() }
}

/// Why no further attempt is made.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum GivenUp {
    /// `retry_max` attempts were made in vain.
    #[error("agent: max join {label} retry exhausted, exiting")]
    Exhausted { label: &'static str },
    /// Trying again could not help.
    #[error("agent: {label} cannot be joined, exiting: {refusal}")]
    Refused { label: &'static str, refusal: String },
}

/// Tries until another agent is reached. Names are looked up anew each time. `is_final` says of a failure that no later
/// attempt can do better.
pub async fn keep_joining(
    pool: Arc<dyn Joins>,
    label: &'static str,
    settings: JoinPool,
    default_port: u16,
    is_final: fn(&str) -> bool,
    stop: CancellationToken,
) -> Result<(), GivenUp> {
    if settings.retry.is_empty() {
        return Ok(());
    }
    info!(target: "agent", cluster = label, "Joining cluster...");
    let mut attempts: u32 = 0;
    loop {
        let joined = tokio::select! {
            joined = join(&*pool, &settings.retry, default_port) => joined,
            () = stop.cancelled() => return Ok(()),
        };
        let is_last = settings.retry_max > 0 && attempts >= settings.retry_max;
        // The first of several servers reaches nobody but itself; that must not end it.
        if joined.is_enough() || is_last && joined.count > 0 {
            info!(
                target: "agent", cluster = label, num_agents = joined.count,
                "Join cluster completed. Synced with initial agents"
            );
            return Ok(());
        }
        if let Some(refusal) = joined.failures.iter().find(|failure| is_final(failure)) {
            return Err(GivenUp::Refused { label, refusal: refusal.clone() });
        }
        let failure = joined.failure();
        if is_last {
            error!(target: "agent", cluster = label, error = %failure, "Join cluster failed");
            return Err(GivenUp::Exhausted { label });
        }
        attempts += 1;
        warn!(
            target: "agent", cluster = label, retry_interval = ?settings.retry_interval, error = %failure,
            "Join cluster failed, will retry"
        );
        tokio::select! {
            () = sleep(settings.retry_interval) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    const OWN: &str = "10.0.0.7:8301";

    /// Answers nobody but itself before the given attempt.
    struct Reluctant {
        attempts: AtomicU32,
        answers_at: u32,
    }

    impl Joins for Reluctant {
        fn join<'a>(&'a self, addresses: &'a [SocketAddr]) -> BoxFuture<'a, Vec<Result<(), String>>> {
            let attempt = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
            let result = |at: &SocketAddr| {
                if attempt >= self.answers_at || *at == self.own() { Ok(()) } else { Err("refused".into()) }
            };
            let results = addresses.iter().map(result).collect();
            Box::pin(async { results })
        }

        fn own(&self) -> SocketAddr {
            OWN.parse().unwrap()
        }
    }

    fn reluctant(answers_at: u32) -> Arc<Reluctant> {
        Arc::new(Reluctant { attempts: AtomicU32::new(0), answers_at })
    }

    async fn retry(pool: Arc<Reluctant>, retry_max: u32, is_final: fn(&str) -> bool) -> Result<(), GivenUp> {
        retry_all(pool, &["10.0.0.1"], retry_max, is_final).await
    }

    async fn retry_all(
        pool: Arc<Reluctant>,
        addresses: &[&str],
        retry_max: u32,
        is_final: fn(&str) -> bool,
    ) -> Result<(), GivenUp> {
        let retry_interval = Duration::from_secs(30);
        let retry = addresses.iter().map(|address| (*address).to_owned()).collect();
        let settings = JoinPool { retry, retry_interval, retry_max, ..JoinPool::default() };
        keep_joining(pool, "LAN", settings, 8301, is_final, CancellationToken::new()).await
    }

    #[tokio::test(start_paused = true)]
    async fn joining_goes_on_until_somebody_answers() {
        let pool = reluctant(4);
        retry(pool.clone(), 0, |_| false).await.unwrap();
        assert_eq!(pool.attempts.load(Ordering::Relaxed), 4);
        let exhausted = GivenUp::Exhausted { label: "LAN" };
        assert_eq!(retry(reluctant(9), 2, |_| false).await, Err(exhausted));
    }

    #[tokio::test(start_paused = true)]
    async fn who_reaches_only_itself_goes_on_unless_it_asked_for_nobody_else() {
        // Each address of each round is an attempt.
        for (addresses, answers_at, retry_max, attempts) in
            [(&[OWN, "10.0.0.1"][..], 6, 0, 6), (&[OWN, "10.0.0.1"], 100, 2, 6), (&[OWN], 100, 0, 1)]
        {
            let pool = reluctant(answers_at);
            assert_eq!(retry_all(pool.clone(), addresses, retry_max, |_| false).await, Ok(()));
            assert_eq!(pool.attempts.load(Ordering::Relaxed), attempts, "{addresses:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn joining_ends_when_trying_again_cannot_help() {
        let pool = reluctant(4);
        let given_up = retry(pool.clone(), 0, |failure| failure.ends_with(": refused")).await;
        assert!(matches!(given_up, Err(GivenUp::Refused { .. })), "{given_up:?}");
        assert_eq!(pool.attempts.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn each_failure_is_told() {
        let addresses = ["10.0.0.1".to_owned(), "host:port".into(), String::new()];
        let joined = join(&*reluctant(9), &addresses, 8301).await;
        assert_eq!(joined.count, 0);
        let text = joined.failure();
        assert!(text.starts_with("3 errors occurred:\n\t* Failed to join 10.0.0.1: refused\n"), "{text}");
        assert!(text.contains("Failed to join host:port: invalid port"), "{text}");
    }
}
