//! An agent that knows keys, services and sessions, answers blocking queries, and can be taken down.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base64::Engine as _;

#[derive(Clone, Default)]
struct Entry {
    value: Vec<u8>,
    flags: u64,
    session: String,
    index: u64,
}

#[derive(Default)]
struct State {
    index: u64,
    keys: BTreeMap<String, Entry>,
    /// Ports of the instances of each service.
    services: BTreeMap<String, Vec<u16>>,
    sessions: Vec<String>,
    requests: Vec<String>,
    down: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// A running agent.
#[derive(Clone)]
pub struct Agent {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Agent {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let agent = Self { shared: Arc::default(), address: listener.local_addr().unwrap() };
        agent.state().index = 1;
        let shared = Arc::clone(&agent.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || drop(serve(&stream, &shared)));
            }
        });
        agent
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        state.index += 1;
        change(&mut state);
        self.shared.changed.notify_all();
    }

    pub fn put(&self, key: &str, value: &str) {
        self.change(|state| {
            let entry = Entry { value: value.into(), index: state.index, ..Entry::default() };
            state.keys.insert(key.to_owned(), entry);
        });
    }

    pub fn delete(&self, key: &str) {
        self.change(|state| {
            state.keys.remove(key);
        });
    }

    pub fn service(&self, name: &str, ports: &[u16]) {
        self.change(|state| {
            state.services.insert(name.to_owned(), ports.to_vec());
        });
    }

    /// Ends a session as if its owner were gone: the keys it holds vanish.
    pub fn end_sessions(&self) {
        self.change(|state| {
            state.sessions.clear();
            state.keys.retain(|_, entry| entry.session.is_empty());
        });
    }

    /// While down, connections are closed without an answer.
    pub fn set_down(&self, down: bool) {
        self.change(|state| state.down = down);
    }

    /// Requests so far whose target contains this text.
    pub fn requests(&self, text: &str) -> usize {
        self.state().requests.iter().filter(|request| request.contains(text)).count()
    }

    pub fn keys(&self) -> Vec<String> {
        self.state().keys.keys().cloned().collect()
    }
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Answers the requests of one connection until it ends.
fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream.try_clone()?;
    while let Some(request) = read(&mut reader)? {
        let Some((status, index, body)) = answer(&request, shared) else { return Ok(()) };
        write!(
            writer,
            "HTTP/1.1 {status} X\r\nX-Consul-Index: {index}\r\nX-Consul-LastContact: 0\r\n\
             X-Consul-KnownLeader: true\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        writer.flush()?;
    }
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(Some(Request { method, path: path.to_owned(), query, body }))
}

/// Status, index and body; none if the agent is down.
fn answer(request: &Request, shared: &Shared) -> Option<(u16, u64, String)> {
    let mut state = shared.state.lock().unwrap();
    state.requests.push(format!("{} {}", request.method, request.path));
    if request.method == "PUT" && !state.down {
        state.index += 1;
        shared.changed.notify_all();
        return Some(write_answer(request, &mut state));
    }
    let number =
        |name: &str| request.query.get(name).and_then(|text| text.trim_end_matches("ms").parse::<u64>().ok());
    let deadline = Instant::now() + Duration::from_millis(number("wait").unwrap_or(60_000));
    let after = number("index").unwrap_or(0);
    while state.index <= after && !state.down {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        state = shared.changed.wait_timeout(state, left).unwrap().0;
    }
    if state.down {
        return None;
    }
    let (status, body) = read_answer(request, &state);
    Some((status, state.index, body))
}

fn write_answer(request: &Request, state: &mut State) -> (u16, u64, String) {
    let index = state.index;
    let body = match request.path.as_str() {
        "/v1/session/create" => {
            let id = format!("session-{index}");
            state.sessions.push(id.clone());
            format!("{{\"ID\":\"{id}\"}}")
        }
        path if path.starts_with("/v1/session/destroy/") => {
            let id = path.trim_start_matches("/v1/session/destroy/");
            state.sessions.retain(|known| known != id);
            state.keys.retain(|_, entry| entry.session != id);
            "true".to_owned()
        }
        path if path.starts_with("/v1/session/renew/") => {
            let id = path.trim_start_matches("/v1/session/renew/");
            if !state.sessions.iter().any(|known| known == id) {
                return (404, index, String::new());
            }
            format!("[{{\"ID\":\"{id}\"}}]")
        }
        path => {
            let key = path.trim_start_matches("/v1/kv/").to_owned();
            let session = request.query.get("acquire").cloned().unwrap_or_default();
            let held = state.keys.get(&key).map(|entry| entry.session.clone()).unwrap_or_default();
            let known = state.sessions.contains(&session);
            let may = known && (held.is_empty() || held == session);
            if may {
                let flags = request.query.get("flags").and_then(|text| text.parse().ok()).unwrap_or(0);
                state.keys.insert(key, Entry { value: request.body.clone(), flags, session, index });
            }
            may.to_string()
        }
    };
    (200, index, body)
}

fn read_answer(request: &Request, state: &State) -> (u16, String) {
    if let Some(key) = request.path.strip_prefix("/v1/kv/") {
        let recurse = request.query.contains_key("recurse");
        let pairs: Vec<String> = state
            .keys
            .iter()
            .filter(|(known, _)| if recurse { known.starts_with(key) } else { *known == key })
            .map(|(key, entry)| pair(key, entry))
            .collect();
        return if pairs.is_empty() { (404, String::new()) } else { (200, format!("[{}]", pairs.join(","))) };
    }
    if let Some(name) = request.path.strip_prefix("/v1/health/service/") {
        let ports = state.services.get(name).cloned().unwrap_or_default();
        let instances: Vec<String> = ports
            .iter()
            .map(|port| {
                format!(
                    "{{\"Node\":{{\"Node\":\"n1\",\"Address\":\"10.0.0.1\"}},\
                     \"Service\":{{\"ID\":\"{name}-{port}\",\"Service\":\"{name}\",\"Port\":{port}}},\"Checks\":[]}}"
                )
            })
            .collect();
        return (200, format!("[{}]", instances.join(",")));
    }
    if request.path == "/v1/catalog/services" {
        let names: Vec<String> = state.services.keys().map(|name| format!("\"{name}\":[]")).collect();
        return (200, format!("{{{}}}", names.join(",")));
    }
    (500, format!("no such endpoint: {}", request.path))
}

fn pair(key: &str, entry: &Entry) -> String {
    let value = base64::engine::general_purpose::STANDARD.encode(&entry.value);
    let (flags, index) = (entry.flags, entry.index);
    let session = match entry.session.as_str() {
        "" => String::new(),
        id => format!(",\"Session\":\"{id}\""),
    };
    format!(
        "{{\"Key\":\"{key}\",\"Value\":\"{value}\",\"Flags\":{flags},\"LockIndex\":0,\
         \"CreateIndex\":{index},\"ModifyIndex\":{index}{session}}}"
    )
}
