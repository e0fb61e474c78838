//! Metrics for servers that want them sent: statsd, statsite and DogStatsD.
//!
//! Once a second what has changed is written into packets and handed to one task per server, each with a short
//! queue. A server that does not keep up or is not there loses packets; the agent waits for none.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::config::{MetricsConfig, SinkAddress};
use super::name::{self, SeriesName};
use super::registry::{Inner, Registry};

/// The largest datagram: what an Ethernet frame carries without being cut in pieces.
const PACKET_BYTES_MAX: usize = 1400;

/// How many packets wait for a server.
const PACKETS_MAX: usize = 1024;

const FLUSH_PERIOD: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// One change of one series.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    kind: Kind,
    value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Timer,
}

/// Closes intervals and feeds the configured servers until `stop` becomes true or is dropped; sends what there is
/// before it returns. The registry must be configured before; servers are not changed while this runs.
pub async fn run(registry: Arc<Registry>, mut stop: watch::Receiver<bool>) {
    let config = registry.config();
    let mut servers = Servers::start(&config);
    let mut ticks = interval(FLUSH_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        flush(&registry, &config, &servers);
    }
    flush(&registry, &config, &servers);
    servers.finish().await;
}

fn flush(registry: &Registry, config: &MetricsConfig, servers: &Servers) {
    let mut inner = registry.at(SystemTime::now());
    if !config.has_push_sinks() {
        return;
    }
    let changes = inner.changes();
    let host = inner.gauge_host().map(str::to_owned);
    drop(inner);
    servers.send(config, host.as_deref(), &changes);
}

impl Inner {
    /// What has happened since the last call.
    fn changes(&mut self) -> Vec<(SeriesName, Change)> {
        let mut changes = Vec::new();
        for (name, series) in &mut self.counters {
            let total = series.total.sum + series.cell.peek().sum;
            let value = total - series.pushed;
            series.pushed = total;
            if series.allowed && value != 0.0 {
                changes.push((name.clone(), Change { kind: Kind::Counter, value }));
            }
        }
        for (name, series) in &self.gauges {
            let Some(value) = series.cell.take_new().filter(|_| series.allowed) else { continue };
            changes.push((name.clone(), Change { kind: Kind::Gauge, value }));
        }
        for (name, series) in &self.samples {
            let (values, _) = series.cell.take_raw();
            if series.allowed {
                let timers =
                    values.into_iter().map(|value| (name.clone(), Change { kind: Kind::Timer, value }));
                changes.extend(timers);
            }
        }
        changes
    }
}

/// `consul.kvs.apply:3.000000|c`
fn statsd_line(config: &MetricsConfig, host: Option<&str>, name: &SeriesName, change: &Change) -> String {
    let host = host.filter(|_| change.kind == Kind::Gauge);
    let name = name::statsd(&name.flattened(&config.prefix, host));
    format!("{name}:{:.6}|{}\n", change.value, change.kind.code())
}

/// `consul.kvs.apply:3|c|#tag,label:value`
fn dogstatsd_line(config: &MetricsConfig, host: Option<&str>, name: &SeriesName, change: &Change) -> String {
    let host = host.filter(|_| change.kind == Kind::Gauge);
    let mut line = name::statsd(&name.dotted(&config.prefix, host));
    let _ = write!(line, ":{}|{}", change.value, change.kind.code());
    let labels =
        name.labels.iter().map(|(key, value)| format!("{}:{}", name::statsd(key), name::statsd(value)));
    for (at, tag) in config.dogstatsd_tags.iter().cloned().chain(labels).enumerate() {
        line.push_str(if at == 0 { "|#" } else { "," });
        line.push_str(&tag);
    }
    line.push('\n');
    line
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Self::Counter => "c",
            Self::Gauge => "g",
            Self::Timer => "ms",
        }
    }
}

/// Lines in packets that a datagram can carry.
fn packets(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut packets: Vec<String> = Vec::new();
    for line in lines.filter(|line| line.len() <= PACKET_BYTES_MAX) {
        match packets.last_mut().filter(|packet| packet.len() + line.len() <= PACKET_BYTES_MAX) {
            Some(packet) => packet.push_str(&line),
            None => packets.push(line),
        }
    }
    packets
}

struct Server {
    queue: mpsc::Sender<String>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Servers {
    statsd: Vec<Server>,
    dogstatsd: Vec<Server>,
}

impl Servers {
    fn start(config: &MetricsConfig) -> Self {
        let udp = |address: &SinkAddress| {
            let (queue, packets) = mpsc::channel(PACKETS_MAX);
            Server { queue, task: tokio::spawn(send_udp(address.clone(), packets)) }
        };
        let tcp = |address: &SinkAddress| {
            let (queue, packets) = mpsc::channel(PACKETS_MAX);
            Server { queue, task: tokio::spawn(send_tcp(address.clone(), packets)) }
        };
        Self {
            statsd: config.statsd.iter().map(udp).chain(config.statsite.iter().map(tcp)).collect(),
            dogstatsd: config.dogstatsd.iter().map(udp).collect(),
        }
    }

    fn send(&self, config: &MetricsConfig, host: Option<&str>, changes: &[(SeriesName, Change)]) {
        let queue =
            |servers: &[Server], line: fn(&MetricsConfig, Option<&str>, &SeriesName, &Change) -> String| {
                if servers.is_empty() {
                    return;
                }
                for packet in packets(changes.iter().map(|(name, change)| line(config, host, name, change))) {
                    for server in servers {
                        // A full queue means that the server is gone or too slow: newer packets are lost.
                        let _ = server.queue.try_send(packet.clone());
                    }
                }
            };
        queue(&self.statsd, statsd_line);
        queue(&self.dogstatsd, dogstatsd_line);
    }

    async fn finish(&mut self) {
        for Server { queue, mut task } in self.statsd.drain(..).chain(self.dogstatsd.drain(..)) {
            drop(queue);
            if timeout(WRITE_TIMEOUT, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

async fn send_udp(address: SinkAddress, mut packets: mpsc::Receiver<String>) {
    let mut socket = None;
    while let Some(packet) = packets.recv().await {
        if socket.is_none() {
            socket = connect_udp(&address).await;
        }
        let Some(connected) = &socket else { continue };
        if connected.send(packet.as_bytes()).await.is_err() {
            // The name may stand for another host by now.
            socket = None;
        }
    }
}

async fn connect_udp(address: &SinkAddress) -> Option<UdpSocket> {
    let found =
        timeout(CONNECT_TIMEOUT, tokio::net::lookup_host(with_host(address))).await.ok()?.ok()?.next()?;
    let local = if found.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).await.ok()?;
    socket.connect(found).await.ok()?;
    Some(socket)
}

async fn send_tcp(address: SinkAddress, mut packets: mpsc::Receiver<String>) {
    let mut stream: Option<TcpStream> = None;
    while let Some(packet) = packets.recv().await {
        if stream.is_none() {
            let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(with_host(&address))).await;
            stream = connected.ok().and_then(Result::ok);
        }
        let Some(connected) = &mut stream else { continue };
        let sent = timeout(WRITE_TIMEOUT, connected.write_all(packet.as_bytes())).await;
        if !matches!(sent, Ok(Ok(()))) {
            stream = None;
        }
    }
}

/// An address without a host means this one.
fn with_host(address: &SinkAddress) -> String {
    let text = address.as_str();
    if text.starts_with(':') { format!("127.0.0.1{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: Kind, value: f64) -> Change {
        Change { kind, value }
    }

    #[test]
    fn lines() {
        let config =
            MetricsConfig { dogstatsd_tags: vec!["a:b".to_owned(), "c".to_owned()], ..Default::default() };
        let plain = SeriesName::new("kvs.apply", &[]);
        let labelled = SeriesName::new("fsm.ca", &[("op", "set config")]);
        let host = Some("n1");
        assert_eq!(
            statsd_line(&config, host, &plain, &change(Kind::Counter, 3.0)),
            "consul.kvs.apply:3.000000|c\n"
        );
        assert_eq!(
            statsd_line(&config, host, &plain, &change(Kind::Gauge, 0.5)),
            "consul.n1.kvs.apply:0.500000|g\n"
        );
        assert_eq!(
            statsd_line(&config, host, &labelled, &change(Kind::Timer, 0.024_427)),
            "consul.fsm.ca.set_config:0.024427|ms\n"
        );
        assert_eq!(
            dogstatsd_line(&config, None, &labelled, &change(Kind::Counter, 1.0)),
            "consul.fsm.ca:1|c|#a:b,c,op:set_config\n"
        );
        let untagged = MetricsConfig::default();
        assert_eq!(
            dogstatsd_line(&untagged, None, &plain, &change(Kind::Gauge, 1.5)),
            "consul.kvs.apply:1.5|g\n"
        );
    }

    #[test]
    fn packets_fit_a_datagram_and_keep_lines_whole() {
        let line = "x".repeat(500) + "\n";
        let lines =
            std::iter::repeat_n(line.clone(), 5).chain([String::from_utf8(vec![b'y'; 2000]).expect("ASCII")]);
        let packets = packets(lines);
        assert_eq!(packets.len(), 3);
        assert!(packets.iter().all(|packet| packet.len() <= PACKET_BYTES_MAX && packet.ends_with('\n')));
    }
}
