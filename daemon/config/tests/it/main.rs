//! Behaviour of configuration loading, seen from outside.

mod definitions;
mod errors;
mod flags;
mod legacy;
mod merging;
mod properties;
mod running;
mod templates;
mod tutorials;
mod unserved;

use consul_config::{AgentFlags, ConfigErrors, Document, Host, Interface, Loaded, Sources, Syntax, load};

/// A host with one private address.
fn host() -> Host {
    Host {
        name: "host-1".to_owned(),
        interfaces: vec![interface("eth0", "10.1.2.3", 24)],
        open_files_max: Some(20_000),
        intro_token: None,
    }
}

fn interface(name: &str, address: &str, prefix_len: u8) -> Interface {
    let address: std::net::IpAddr = address.parse().expect("address");
    Interface {
        name: name.to_owned(),
        address,
        prefix_len,
        up: true,
        loopback: address.is_loopback(),
        broadcast: true,
        multicast: true,
        point_to_point: false,
        default_route: name == "eth0",
    }
}

fn document(name: &str, text: &str) -> Document {
    let syntax = if name.ends_with(".json") { Syntax::Json } else { Syntax::Hcl };
    Document { name: name.to_owned(), syntax, text: text.to_owned() }
}

fn sources(args: &[&str], files: &[(&str, &str)]) -> Sources {
    Sources {
        flags: AgentFlags::parse(args.iter().copied()).expect("flags"),
        documents: files.iter().map(|(name, text)| document(name, text)).collect(),
        skipped: Vec::new(),
        host: host(),
    }
}

/// Loads files on top of a minimal agent.
fn try_load(args: &[&str], files: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    let mut all = vec!["-data-dir=/var/lib/agent"];
    all.extend(args);
    load(&sources(&all, files))
}

fn load_ok(args: &[&str], files: &[(&str, &str)]) -> Loaded {
    match try_load(args, files) {
        Ok(loaded) => loaded,
        Err(error) => panic!("refused: {error}"),
    }
}

fn load_err(args: &[&str], files: &[(&str, &str)]) -> String {
    try_load(args, files).expect_err("must be refused").to_string()
}

fn messages(loaded: &Loaded) -> Vec<&str> {
    loaded.warnings.iter().map(|warning| warning.message.as_str()).collect()
}
