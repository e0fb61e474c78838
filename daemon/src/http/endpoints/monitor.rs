//! `/v1/agent/monitor`: the log, line by line as it is written.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use consul_acl::{Access, Resource};
use consul_telemetry::log::{Format, Level, Monitor, MonitorEvent, Record};
use futures::stream;
use http::Method;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::write::require;

pub const ROUTES: &[Route] = &[Route::exact("/v1/agent/monitor", &[Method::GET], handler!(monitor))];

/// Lines that arrive within this time travel together.
const GATHER: Duration = Duration::from_millis(100);
/// Enough of them do not wait any longer.
const GATHERED_MAX: usize = 16 << 10;

async fn monitor(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::write_options(&request);
    require(agent.authorize(&options.token)?.allows(Resource::Agent(agent.node_name()), Access::Read))?;
    let level = request.params.non_empty("loglevel").unwrap_or("info");
    let level: Level =
        level.parse().map_err(|error| Failure::bad_request(format!("Bad request: {error}")))?;
    let format = if request.params.has("logjson") { Format::Json } else { Format::Text };
    let tail = Tail { monitor: agent.logs.monitor(level, format), format, stop: agent.stop.clone() };
    let lines = stream::unfold(tail, |mut tail| async move { Some((Ok(tail.next().await?), tail)) });
    Ok(Reply::stream(None, Box::pin(lines)))
}

/// A log stream on its way to one client.
struct Tail {
    monitor: Monitor,
    format: Format,
    stop: CancellationToken,
}

impl Tail {
    /// The next lines. `None` once the agent stops or the log is closed.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = String::new();
        let first = tokio::select! {
            event = self.monitor.next() => event?,
            () = self.stop.cancelled() => return None,
        };
        self.write(&mut out, &first);
        let deadline = tokio::time::Instant::now() + GATHER;
        while out.len() < GATHERED_MAX {
            match tokio::time::timeout_at(deadline, self.monitor.next()).await {
                Ok(Some(event)) => self.write(&mut out, &event),
                Ok(None) | Err(_) => break,
            }
        }
        Some(out.into())
    }

    fn write(&self, out: &mut String, event: &MonitorEvent) {
        match event {
            MonitorEvent::Line(line) => out.push_str(line),
            MonitorEvent::Dropped(count) => out.push_str(&dropped(*count, self.format)),
        }
        out.push('\n');
    }
}

/// What a client that is too slow reads in place of the lines that it missed.
fn dropped(count: u64, format: Format) -> String {
    let mut record = Record::new(SystemTime::now(), Level::Warn, "agent");
    record.message = format!("Dropped {count} logs during monitor request");
    match format {
        Format::Text => record.text(time::UtcOffset::UTC),
        Format::Json => record.json(time::UtcOffset::UTC),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told_in_the_stream_s_own_format() {
        assert!(dropped(7, Format::Text).ends_with("[WARN]  agent: Dropped 7 logs during monitor request"));
        let json: serde_json::Value = serde_json::from_str(&dropped(7, Format::Json)).unwrap();
        assert_eq!(json["@message"], "Dropped 7 logs during monitor request");
    }
}
