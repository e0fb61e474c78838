//! From sources to a configuration: a pure function, so that a reload can be tried before anything is touched.

use crate::error::{ConfigError, ConfigErrors};
use crate::hcl;
use crate::json;
use crate::keys::AGENT;
use crate::legacy;
use crate::merge::{gather_definitions, merge};
use crate::raw::{Decoder, Raw, Syntax};
use crate::runtime::RuntimeConfig;
use crate::section::{Findings, Section};
use crate::source::{Document, Sources};
use crate::validate;
use crate::value::Spanned;
use crate::warnings::{Warning, Warnings};

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
    let problems = findings.problems.take();
    if !problems.is_empty() {
        return Err(ConfigError::Values(problems).into());
    }
    validate::check_rules(&config, &root, &mut warnings)?;
    Ok(Loaded { config, warnings: warnings.into_vec() })
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
        let preset = Document { name: "dev".to_owned(), syntax: Syntax::Hcl, text: DEV_MODE.to_owned() };
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
