//! From sources to a configuration: a pure function, so that a reload can be tried before anything is touched.

use crate::error::{ConfigError, ConfigErrors};
use crate::flags::AgentFlags;
use crate::hcl;
use crate::json;
use crate::keys::AGENT;
use crate::legacy;
use crate::merge::{gather_definitions, merge};
use crate::raw::{Decoder, Raw, Syntax};
use crate::runtime::RuntimeConfig;
use crate::section::{Findings, Section};
use crate::source::{Document, Sources};
use crate::unserved;
use crate::validate;
use crate::value::Spanned;
use crate::warnings::{Warning, Warnings};
use std::path::PathBuf;

/// Source name of what dev mode presets.
pub(crate) const PRESET: &str = "dev";

/// What dev mode presets. Files and flags may still change it.
const DEV_MODE: &str = r#"
    server = true
    bind_addr = "127.0.0.1"
    log_level = "DEBUG"
    enable_debug = true
    disable_keyring_file = true
    ui_config { enabled = true }
    connect { enabled = true }
    performance { raft_multiplier = 1 }
    ports { grpc = 8502 }
    gossip_lan {
      gossip_interval = "100ms"
      probe_interval  = "100ms"
      probe_timeout   = "100ms"
      suspicion_mult  = 3
    }
    gossip_wan {
      gossip_interval = "100ms"
      probe_interval  = "100ms"
      probe_timeout   = "100ms"
      suspicion_mult  = 3
    }
"#;

/// A configuration that works, and what its author should hear about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: RuntimeConfig,
    /// In the order found, each once.
    pub warnings: Vec<Warning>,
    /// Settings that this agent does not act on yet, in whole sentences.
    pub unserved: Vec<String>,
}

/// Makes a configuration. All files are read before any error is returned, so that one attempt reports them all.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let mut warnings = Warnings::default();
    for warning in sources.skipped.iter().chain(&sources.flags.warnings) {
        warnings.push(warning.message.clone(), warning.pos.clone());
    }
    let mut raw = merged(sources, &mut warnings)?;

    let findings = Findings::default();
    legacy::modernize(&mut raw, &mut warnings, &mut findings.problems.borrow_mut());
    let root = Section::root(&raw, &AGENT, &findings);
    let config = RuntimeConfig::read(&root, &sources.host, sources.flags.dev, &mut warnings);
    if let Some(error) = ConfigError::from_values(findings.problems.take()) {
        return Err(error.into());
    }
    validate::check_rules(&config, &root, &mut warnings)?;
    let unserved = unserved::notices(&raw, &config);
    Ok(Loaded { config, warnings: warnings.into_vec(), unserved })
}

/// What `consul validate` does: loads files and directories as an agent without flags would.
pub fn validate_paths(paths: Vec<PathBuf>, format: Option<String>) -> Result<Loaded, ConfigErrors> {
    load(&Sources::read(AgentFlags::for_files(paths, format))?)
}

/// Lays all sources over each other, the strongest last.
fn merged(sources: &Sources, warnings: &mut Warnings) -> Result<Raw, ConfigErrors> {
    let mut errors = Vec::new();
    let mut raw = Raw::default();
    let mut lay =
        |document: &Document, raw: &mut Raw, warnings: &mut Warnings| match decode(document, warnings) {
            Ok(layer) => merge(raw, layer),
            Err(error) => errors.push(error),
        };
    if sources.flags.dev {
        let preset = Document { name: PRESET.to_owned(), syntax: Syntax::Hcl, text: DEV_MODE.to_owned() };
        lay(&preset, &mut raw, warnings);
    }
    merge(&mut raw, sources.flags.lists.clone());
    for document in &sources.documents {
        lay(document, &mut raw, warnings);
    }
    merge(&mut raw, sources.flags.scalars.clone());
    for (at, text) in sources.flags.hcl.iter().enumerate() {
        let fragment = Document { name: format!("flags-{at}.hcl"), syntax: Syntax::Hcl, text: text.clone() };
        lay(&fragment, &mut raw, warnings);
    }
    if errors.is_empty() { Ok(raw) } else { Err(ConfigErrors(errors)) }
}

fn decode(document: &Document, warnings: &mut Warnings) -> Result<Raw, ConfigError> {
    let file = &document.name;
    if document.text.trim().is_empty() {
        return Ok(Raw::default());
    }
    let (root, syntax) =
        parse(document, warnings).map_err(|error| ConfigError::Syntax { file: file.clone(), error })?;
    let mut decoder = Decoder::new(syntax);
    let mut raw = decoder.object(&AGENT, root.value.as_object().unwrap_or_default(), "");
    if !decoder.types.is_empty() {
        return Err(ConfigError::Decode { file: file.clone(), problems: decoder.types });
    }
    if !decoder.unknown.is_empty() {
        return Err(ConfigError::UnknownKeys { file: file.clone(), problems: decoder.unknown });
    }
    gather_definitions(&mut raw);
    Ok(raw)
}

fn parse(
    document: &Document,
    warnings: &mut Warnings,
) -> Result<(Spanned, Syntax), crate::error::SyntaxError> {
    let Document { name, text, .. } = document;
    // A JSON object is taken from a `.hcl` file too.
    if document.syntax == Syntax::Hcl && !text.trim_start().starts_with('{') {
        return Ok((hcl::parse(name, text)?, Syntax::Hcl));
    }
    let parsed = json::parse(name, text)?;
    for pos in parsed.broken_strings {
        let message = format!("{pos}: a line break inside a string is kept as part of it");
        warnings.push(message, Some(pos));
    }
    Ok((parsed.root, Syntax::Json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::schema::{Kind, Schema, Status};
    use std::collections::BTreeSet;

    /// One of everything that is read only where it is present.
    const PRESENT: &str = r#"
        service { name = "a" ports = [ { name = "p" port = 1 } ] tagged_addresses { lan { address = "x" port = 1 } }
                  check { name = "b" ttl = "1s" } checks = [ { name = "c" ttl = "1s" } ] }
        check { name = "d" ttl = "1s" }
        ui_config { content_path = "x" }
    "#;

    fn live_paths(schema: &'static Schema, path: &str, into: &mut BTreeSet<String>) {
        for key in schema.keys.iter().filter(|key| key.status == Status::Live) {
            let path = crate::raw::join(path, key.name);
            match key.kind {
                Kind::Block(inner) | Kind::Blocks(inner) | Kind::BlockMap(inner) => {
                    live_paths(inner, &path, into);
                }
                _ => {
                    into.insert(path);
                }
            }
        }
    }

    fn without_indexes(path: &str) -> String {
        let mut out = String::new();
        let mut depth = 0;
        for c in path.chars() {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                c if depth == 0 => out.push(c),
                _ => {}
            }
        }
        out
    }

    #[test]
    fn every_live_key_is_read() {
        let document = Document { name: "a.hcl".into(), syntax: Syntax::Hcl, text: PRESENT.into() };
        let mut warnings = Warnings::default();
        let raw = decode(&document, &mut warnings).expect("valid");
        let findings = Findings::default();
        let root = Section::root(&raw, &AGENT, &findings);
        let host = Host { name: "host-1".into(), ..Host::default() };
        let config = RuntimeConfig::read(&root, &host, true, &mut warnings);
        let _ = validate::check_rules(&config, &root, &mut warnings);

        let read: BTreeSet<String> =
            findings.read.borrow().iter().map(|path| without_indexes(path)).collect();
        let mut live = BTreeSet::new();
        live_paths(&AGENT, "", &mut live);
        // The single forms are folded into the lists before anything is read.
        live.retain(|path| !path.starts_with("service.") && !path.starts_with("check."));
        let unread: Vec<_> = live.difference(&read).collect();
        assert!(unread.is_empty(), "accepted but never read: {unread:?}");
    }

    #[test]
    fn old_keys_point_to_keys_that_exist() {
        fn check(schema: &'static Schema, live: &BTreeSet<String>) {
            for key in schema.keys {
                if let Status::Moved(to) = key.status {
                    assert!(live.contains(to) || !to.contains('.'), "{} -> {to}", key.name);
                }
                if let Kind::Block(inner) = key.kind {
                    check(inner, live);
                }
            }
        }
        let mut live = BTreeSet::new();
        live_paths(&AGENT, "", &mut live);
        check(&AGENT, &live);
    }
}
