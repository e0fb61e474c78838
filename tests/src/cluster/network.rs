//! Hosts on a network that only a test can see.
//!
//! Every host has a namespace, a link into a common bridge and the address that a document gives it; agents on it use
//! the ports that every document names. The test's own thread lives in the bridge's namespace and reaches all of them.
//! Each host filters what comes in, which is how partitions and loss are made: a sender notices nothing, as on a real
//! network.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use tempfile::TempDir;

use super::namespace::Namespace;
use crate::place::Place;
use crate::ports::Ports;
use crate::shell::Shell;
use crate::{Background, Setup, tools};

const PREFIX_BITS: u8 = 24;

/// A bridge that hosts hang on.
pub struct Network {
    hub: Namespace,
    subnets: RefCell<BTreeSet<[u8; 3]>>,
    links: RefCell<usize>,
}

impl Network {
    /// Why there can be no such network here; nothing if there can.
    fn new() -> Result<Self, String> {
        let missing: Vec<_> = ["ip", "nsenter", "unshare", "setpriv", "iptables-restore"]
            .into_iter()
            .filter(|program| tools::find(program).is_none())
            .collect();
        if !missing.is_empty() {
            return Err(format!("not installed: {}", missing.join(", ")));
        }
        let hub = Namespace::create()?;
        hub.run("ip", &["link", "add", "br0", "type", "bridge"], "")?;
        hub.run("ip", &["link", "set", "br0", "up"], "")?;
        Ok(Self { hub, subnets: RefCell::default(), links: RefCell::default() })
    }

    /// Runs a test on a thread of its own inside a new network. Says so if this machine has none to give.
    pub fn run<T>(test: T)
    where
        T: AsyncFnOnce(Network) + Send + 'static,
    {
        let thread = std::thread::Builder::new()
            .name(std::thread::current().name().unwrap_or("network").to_owned())
            .spawn(move || {
                let network = match Self::new() {
                    Ok(network) => network,
                    Err(why) => return tools::skip(&why),
                };
                network.hub.enter().expect("whoever makes a namespace may enter it");
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.expect("a runtime can be built");
                tokio::task::LocalSet::new().block_on(&runtime, test(network));
            })
            .expect("a thread can be started");
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }

    /// A new host with this address, in a subnet of 256; the first address of the subnet is the gateway, which is us.
    pub fn host(&self, name: &str, address: Ipv4Addr) -> Host {
        self.connect(name, address).unwrap_or_else(|why| panic!("host {name}: {why}"))
    }

    fn connect(&self, name: &str, address: Ipv4Addr) -> Result<Host, String> {
        let [a, b, c, _] = address.octets();
        let gateway = Ipv4Addr::new(a, b, c, 1).to_string();
        if self.subnets.borrow_mut().insert([a, b, c]) {
            self.hub.run("ip", &["address", "add", &format!("{gateway}/{PREFIX_BITS}"), "dev", "br0"], "")?;
        }
        let namespace = Namespace::create()?;
        let link = format!("h{}", self.links.borrow());
        *self.links.borrow_mut() += 1;
        let peer = ["type", "veth", "peer", "name", "eth0", "netns", &namespace.path()];
        self.hub.run("ip", &[["link", "add", link.as_str()].as_slice(), &peer].concat(), "")?;
        self.hub.run("ip", &["link", "set", &link, "master", "br0", "up"], "")?;
        let address_and_prefix = format!("{address}/{PREFIX_BITS}");
        namespace.run("ip", &["address", "add", &address_and_prefix, "dev", "eth0"], "")?;
        namespace.run("ip", &["link", "set", "eth0", "up"], "")?;
        namespace.run("ip", &["route", "add", "default", "via", &gateway], "")?;
        let dir = TempDir::with_prefix("consul-host-").map_err(|error| error.to_string())?;
        Ok(Host { name: name.to_owned(), address, namespace, dir })
    }

    /// The namespace that the test itself lives in.
    pub fn hub(&self) -> &Namespace {
        &self.hub
    }
}

/// What a host drops of what its peers send.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Everything from these.
    pub cut_off: BTreeSet<Ipv4Addr>,
    /// This part of everything from these, at random.
    pub lossy: BTreeSet<Ipv4Addr>,
    /// 0.3 is 30 %.
    pub loss: f64,
}

impl Filter {
    /// In the words of `iptables-restore`, which puts it in place at once and as a whole.
    fn rules(&self) -> String {
        let cut = self.cut_off.iter().map(|peer| format!("-A INPUT -s {peer}/32 -j DROP\n"));
        let lose = self.lossy.iter().map(|peer| {
            let loss = self.loss;
            format!("-A INPUT -s {peer}/32 -m statistic --mode random --probability {loss:.3} -j DROP\n")
        });
        let rules: String = cut.chain(lose).collect();
        format!("*filter\n:INPUT ACCEPT [0:0]\n{rules}COMMIT\n")
    }
}

/// A machine on a [`Network`]: an address, a host name, a directory.
pub struct Host {
    name: String,
    address: Ipv4Addr,
    namespace: Namespace,
    dir: TempDir,
}

impl Host {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Where its processes run. They die with the thread that started them.
    fn place(&self, address: Ipv4Addr) -> Place {
        let mut launcher: Vec<String> = ["setpriv", "--pdeathsig", "KILL", "--"].map(str::to_owned).into();
        launcher.extend(self.namespace.launcher());
        let name = "echo \"$0\" >/proc/sys/kernel/hostname && exec \"$@\"";
        launcher.extend(["unshare", "--uts", "--", "sh", "-c", name, &self.name].map(str::to_owned));
        Place::behind(address, launcher)
    }

    /// An agent of this host's name, bound to its address.
    pub fn agent(&self) -> Setup {
        Setup::in_place(&self.name, self.place(self.address)).config(|config| {
            // Those who sit at the host ask its loopback, the test asks its address.
            config["client_addr"] = "0.0.0.0".into();
        })
    }

    /// For somebody who sits at this host and types what documents print.
    pub fn shell(&self) -> Shell {
        Shell::new(self.dir.path(), Ports::standard()).in_place(self.place(Ipv4Addr::LOCALHOST))
    }

    /// Starts what a document starts in a terminal of its own.
    pub fn background(&self, shell: &Shell, printed: &str) -> Background {
        Background::spawn(shell.command(&format!("exec {printed}")))
    }

    /// Replaces what the host drops.
    pub fn filter(&self, filter: &Filter) {
        self.namespace
            .run("iptables-restore", &[], &filter.rules())
            .unwrap_or_else(|why| panic!("host {}: {why}", self.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_is_replaced_as_a_whole() {
        let peer = Ipv4Addr::new(10, 77, 0, 12);
        let filter = Filter { cut_off: BTreeSet::from([peer]), lossy: BTreeSet::from([peer]), loss: 0.3 };
        assert_eq!(
            filter.rules(),
            "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 10.77.0.12/32 -j DROP\n-A INPUT -s 10.77.0.12/32 -m \
             statistic --mode random --probability 0.300 -j DROP\nCOMMIT\n"
        );
        assert_eq!(Filter::default().rules(), "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n");
    }

    #[test]
    fn filter_cuts_one_way_and_heals() {
        Network::run(async |network| {
            let left = network.host("left", Ipv4Addr::new(10, 77, 0, 11));
            let right = network.host("right", Ipv4Addr::new(10, 77, 0, 12));
            let answers = |from: &Host, to: &Host| {
                let to = to.address().to_string();
                from.namespace.run("ip", &["neigh", "flush", "all"], "").expect("the host is ours");
                let script = "import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n\
                              s.settimeout(0.7)\ntry: s.connect((sys.argv[1], 9))\n\
                              except ConnectionRefusedError: print('refused')\nexcept OSError: print('silence')";
                from.namespace
                    .run("python3", &["-c", script, &to], "")
                    .expect("python runs")
                    .trim()
                    .to_owned()
            };
            if tools::lacks(&["python3"]) {
                return;
            }
            assert_eq!(answers(&left, &right), "refused", "nothing listens, but the host answers");
            right.filter(&Filter { cut_off: BTreeSet::from([left.address()]), ..Filter::default() });
            assert_eq!(answers(&left, &right), "silence");
            right.filter(&Filter::default());
            assert_eq!(answers(&left, &right), "refused");
        });
    }
}
