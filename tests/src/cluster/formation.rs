//! Plans of clusters, and clusters that run.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::Signal;
use rand::Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::clock::Clock;
use super::network::{Filter, Host, Network};
use crate::place::Place;
use crate::wait::{check, eventually, within};
use crate::{Agent, Setup};

/// Elections, joins and anti-entropy of several agents, one after the other.
const FORMED: Duration = Duration::from_secs(90);

/// A request to an agent that may be paused or cut off.
const QUICK: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Server,
    Client,
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    role: Role,
    datacenter: String,
}

type Edit = Box<dyn Fn(&mut Value)>;
type Choice = Box<dyn Fn(&str) -> bool>;

/// Which agents a cluster has.
#[derive(Default)]
pub struct Plan {
    members: Vec<Member>,
    edits: Vec<Edit>,
    programs: Vec<(PathBuf, Choice)>,
    clocks: bool,
}

impl Plan {
    /// Servers `s1`, `s2`, … in `dc1`.
    pub fn servers(count: usize) -> Self {
        Self::default().datacenter("dc1", "s", count, Role::Server)
    }

    /// Clients `c1`, `c2`, … in `dc1`.
    pub fn clients(self, count: usize) -> Self {
        self.datacenter("dc1", "c", count, Role::Client)
    }

    /// Agents of one role in a datacenter; `stem` begins their names.
    pub fn datacenter(mut self, datacenter: &str, stem: &str, count: usize, role: Role) -> Self {
        let members = (1..=count).map(|number| Member {
            name: format!("{stem}{number}"),
            role,
            datacenter: datacenter.to_owned(),
        });
        self.members.extend(members);
        self
    }

    /// Changes the configuration of every agent.
    pub fn config(mut self, edit: impl Fn(&mut Value) + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    /// Has the agents whose names are chosen run another binary than the one under test.
    pub fn program(mut self, path: &Path, chosen: impl Fn(&str) -> bool + 'static) -> Self {
        self.programs.push((path.to_owned(), Box::new(chosen)));
        self
    }

    /// Gives every agent a wall clock that can be moved, where that is possible.
    pub fn clocks(mut self) -> Self {
        self.clocks = true;
        self
    }

    /// Starts all agents, each on a host of its own.
    pub fn on(self, network: &Network) -> Cluster {
        let address = |number: usize| Ipv4Addr::new(10, 77, 0, 10 + octet(number));
        let hosts: Vec<Host> = (0..self.members.len())
            .map(|number| network.host(&self.members[number].name, address(number)))
            .collect();
        let setups = hosts.iter().map(Host::agent).collect();
        self.launch(setups, hosts)
    }

    fn launch(self, setups: Vec<Setup>, hosts: Vec<Host>) -> Cluster {
        let addresses: Vec<Ipv4Addr> = setups.iter().map(Setup::address).collect();
        let mut clocks = Vec::new();
        let mut agents = Vec::new();
        for (member, setup) in self.members.iter().zip(setups) {
            let mut setup = setup.config(|config| self.configure(member, &addresses, config));
            for (path, _) in self.programs.iter().filter(|(_, chosen)| chosen(&member.name)) {
                setup = setup.program(path);
            }
            let clock = if self.clocks { Clock::new() } else { None };
            if let Some(clock) = &clock {
                setup = clock.govern(setup);
            }
            clocks.push(clock);
            agents.push(setup.launch());
        }
        let running = vec![true; agents.len()];
        let lives = agents.iter().map(|_| Rc::default()).collect();
        Cluster { agents, running, lives, members: self.members, clocks, hosts }
    }

    fn configure(&self, member: &Member, addresses: &[Ipv4Addr], config: &mut Value) {
        let servers_of = |wanted: &dyn Fn(&Member) -> bool| -> Vec<&Ipv4Addr> {
            let servers = self.members.iter().zip(addresses);
            servers
                .filter(|(other, _)| other.role == Role::Server && wanted(other))
                .map(|(_, address)| address)
                .collect()
        };
        let own = servers_of(&|other| other.datacenter == member.datacenter);
        let all = servers_of(&|_| true);
        config["datacenter"] = json!(member.datacenter);
        config["data_dir"] = json!("data");
        config["retry_join"] = json!(own);
        config["retry_interval"] = json!("1s");
        // The times of production elections are for several servers on a slow network.
        config["performance"] = json!({"raft_multiplier": 1});
        if member.role == Role::Server {
            config["server"] = json!(true);
            config["bootstrap_expect"] = json!(own.len());
            if all.len() > own.len() {
                config["retry_join_wan"] = json!(all);
                config["retry_interval_wan"] = json!("1s");
            }
        }
        for edit in &self.edits {
            edit(config);
        }
    }
}

fn octet(number: usize) -> u8 {
    u8::try_from(number).expect("clusters here are small")
}

/// Agents that were started together. All are killed when it is dropped.
pub struct Cluster {
    // Before the hosts: agents end before their network does.
    agents: Vec<Agent>,
    running: Vec<bool>,
    lives: Vec<Rc<Cell<u64>>>,
    members: Vec<Member>,
    clocks: Vec<Option<Clock>>,
    hosts: Vec<Host>,
}

impl Cluster {
    /// Starts the agents on this machine, each with an address of its own in 127/8.
    pub fn on_loopback(plan: Plan) -> Self {
        let mut rng = rand::rng();
        let subnet = loop {
            let subnet = [rng.random_range(1..255), rng.random_range(0..=255)];
            if std::net::TcpListener::bind((Ipv4Addr::new(127, subnet[0], subnet[1], 10), 8300)).is_ok() {
                break subnet;
            }
        };
        let place = |number: usize| Place::at(Ipv4Addr::new(127, subnet[0], subnet[1], 10 + octet(number)));
        let names = plan.members.iter().enumerate();
        let setups = names.map(|(number, member)| Setup::in_place(&member.name, place(number))).collect();
        plan.launch(setups, Vec::new())
    }

    pub fn len(&self) -> usize {
        self.agents.len()
    }

    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Agents in the order of the plan: servers first if it began with them.
    pub fn agent(&self, number: usize) -> &Agent {
        &self.agents[number]
    }

    pub fn agent_mut(&mut self, number: usize) -> &mut Agent {
        &mut self.agents[number]
    }

    /// Numbers of the servers of a datacenter.
    pub fn servers_of(&self, datacenter: &str) -> Vec<usize> {
        let servers = self.members.iter().enumerate();
        servers
            .filter(|(_, member)| member.role == Role::Server && member.datacenter == datacenter)
            .map(|(number, _)| number)
            .collect()
    }

    pub fn is_running(&self, number: usize) -> bool {
        self.running[number]
    }

    /// Counts how often the agent was started again.
    pub fn lives(&self, number: usize) -> Rc<Cell<u64>> {
        self.lives[number].clone()
    }

    // -- life and death --

    /// kill -9
    pub fn kill(&mut self, number: usize) {
        self.agents[number].kill();
        self.running[number] = false;
    }

    /// SIGTERM, and the end of it.
    pub async fn terminate(&mut self, number: usize) {
        self.agents[number].terminate().await;
        self.running[number] = false;
    }

    /// Waits until an agent ends that was told to leave.
    pub async fn ended(&mut self, number: usize) -> ExitStatus {
        let status = self.agents[number].ends().await;
        self.running[number] = false;
        status
    }

    /// Starts an agent that ended again, with the data it has.
    pub fn relaunch(&mut self, number: usize) {
        self.agents[number].relaunch();
        self.running[number] = true;
        let lives = &self.lives[number];
        lives.set(lives.get() + 1);
    }

    pub fn pause(&self, number: usize) {
        self.agents[number].signal(Signal::SIGSTOP);
    }

    pub fn resume(&self, number: usize) {
        self.agents[number].signal(Signal::SIGCONT);
    }

    // -- network and clocks --

    /// Whether agents can be cut off from each other.
    pub fn can_cut(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Drops what comes from the agents `from` at agent `at`, and a part of what comes from all other agents.
    pub fn filter(&self, at: usize, from: &[usize], loss: f64) {
        let address = |number: usize| self.hosts[number].address();
        let cut_off = from.iter().copied().map(address).collect();
        let others = (0..self.len()).filter(|&other| other != at && loss > 0.0);
        self.hosts[at].filter(&Filter { cut_off, lossy: others.map(address).collect(), loss });
    }

    /// Cuts these agents off from all the others, both ways. The test still reaches everybody.
    pub fn isolate(&self, numbers: &[usize]) {
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            (0..self.len()).partition(|number| numbers.contains(number));
        for &number in &inside {
            self.filter(number, &outside, 0.0);
        }
        for &number in &outside {
            self.filter(number, &inside, 0.0);
        }
    }

    /// Everybody hears everybody again.
    pub fn heal(&self) {
        for host in &self.hosts {
            host.filter(&Filter::default());
        }
    }

    /// The agent's clock, if it goes by one that can be moved.
    pub async fn movable_clock(&self, number: usize) -> Option<&Clock> {
        let clock = self.clocks[number].as_ref()?;
        clock.moves(&self.agents[number]).await.then_some(clock)
    }

    pub fn clock(&self, number: usize) -> Option<&Clock> {
        self.clocks[number].as_ref()
    }

    // -- waiting --

    /// Whom `number` takes for the leader; nobody if it cannot say.
    pub async fn leader_seen_by(&self, number: usize) -> Option<usize> {
        let asked = self.agents[number].try_request(Method::GET, "/v1/status/leader", Vec::new());
        let reply = tokio::time::timeout(QUICK, asked).await.ok()?.ok()?;
        let reply = if reply.status == 200 { reply.json() } else { return None };
        let address = reply.as_str()?.rsplit_once(':')?.0.to_owned();
        self.agents.iter().position(|agent| agent.address().to_string() == address)
    }

    /// Waits until all of `numbers` name the same leader, one of them if they are servers, and returns it.
    pub async fn leader_among(&self, numbers: &[usize]) -> usize {
        within(FORMED, &format!("{} agree on a leader", self.names(numbers)), async || {
            let mut seen = Vec::new();
            for &number in numbers {
                seen.push(self.leader_seen_by(number).await);
            }
            let agreed = seen.first().copied().flatten();
            let leader = agreed.filter(|leader| seen.iter().all(|seen| seen.as_ref() == Some(leader)));
            leader.filter(|leader| numbers.contains(leader)).ok_or(seen)
        })
        .await
    }

    /// Waits until every running agent of `dc1` names the same leader.
    pub async fn leader(&self) -> usize {
        self.leader_among(&self.present("dc1")).await
    }

    /// Waits until every running agent of a datacenter sees exactly the running ones alive.
    pub async fn members_agree(&self, datacenter: &str) {
        let present = self.present(datacenter);
        let mut wanted: Vec<&str> = present.iter().map(|&number| self.agents[number].name()).collect();
        wanted.sort_unstable();
        for &number in &present {
            let what = format!("{} sees {wanted:?} alive", self.agents[number].name());
            within(FORMED, &what, async || {
                let asked = self.agents[number].try_request(Method::GET, "/v1/agent/members", Vec::new());
                let reply = asked.await.map_err(|error| error.to_string())?;
                check(reply.status == 200, reply.text())?;
                let members = reply.json();
                let mut alive: Vec<&str> = members
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|member| member["Status"] == 1)
                    .filter_map(|member| member["Name"].as_str())
                    .collect();
                alive.sort_unstable();
                check(alive == wanted, format!("{alive:?}"))
            })
            .await;
        }
    }

    /// Waits until a datacenter has a leader, all members know each other, the catalog holds all of them in good
    /// health, and every server has what was written last. Returns the leader.
    pub async fn converged_in(&self, datacenter: &str) -> usize {
        let present = self.present(datacenter);
        let leader = self.leader_among(&present).await;
        self.members_agree(datacenter).await;
        for &number in &present {
            let name = self.agents[number].name();
            let path = format!("/v1/health/node/{name}");
            within(FORMED, &format!("{name} is healthy in the catalog"), async || {
                let asked = self.agents[leader].try_request(Method::GET, &path, Vec::new());
                let reply = asked.await.map_err(|error| error.to_string())?;
                check(reply.status == 200 && reply.json()[0]["Status"] == "passing", reply.text())
            })
            .await;
        }
        self.servers_caught_up(&present).await;
        leader
    }

    /// [`Self::converged_in`] `dc1`.
    pub async fn converged(&self) -> usize {
        self.converged_in("dc1").await
    }

    async fn servers_caught_up(&self, present: &[usize]) {
        let marker = rand::rng().random::<u64>().to_string();
        let first = &self.agents[present[0]];
        eventually("a mark is written", async || {
            let sent = first.try_request(Method::PUT, "/v1/kv/caught-up", marker.clone().into_bytes()).await;
            let reply = sent.map_err(|error| error.to_string())?;
            check(reply.status == 200 && reply.text().trim() == "true", reply.text())
        })
        .await;
        for &number in present {
            self.agents[number]
                .until("/v1/kv/caught-up?raw&stale", |reply| reply.status == 200 && reply.text() == marker)
                .await;
        }
    }

    fn present(&self, datacenter: &str) -> Vec<usize> {
        (0..self.len())
            .filter(|&number| self.running[number] && self.members[number].datacenter == datacenter)
            .collect()
    }

    fn names(&self, numbers: &[usize]) -> String {
        let names: Vec<&str> = numbers.iter().map(|&number| self.agents[number].name()).collect();
        names.join(", ")
    }
}
