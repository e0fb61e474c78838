//! Addresses that are worked out on the machine: `{{ GetPrivateIP }}`, `{{ GetInterfaceIP "eth0" }}` and pipes such
//! as `{{ GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address" }}`.
//!
//! The syntax is that of go-sockaddr. Only its pipes are understood, not the loops and conditions of the general
//! template language around it, which nobody uses for an address.

mod attribute;
mod filter;
pub(crate) mod ranges;

use crate::host::Interface;
use thiserror::Error;

/// Longest template; addresses are short.
const TEMPLATE_LEN_MAX: usize = 4096;

/// Why a template gives no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unable to parse template {template:?}: {reason}")]
pub struct TemplateError {
    template: String,
    reason: String,
}

/// Replaces every `{{ … }}` of `text`. Text without templates comes back as it is, trimmed.
pub fn expand(text: &str, interfaces: &[Interface]) -> Result<String, TemplateError> {
    let fail = |reason: &str| TemplateError { template: text.to_owned(), reason: reason.to_owned() };
    if !text.contains("{{") {
        return Ok(text.trim().to_owned());
    }
    if text.len() > TEMPLATE_LEN_MAX {
        return Err(TemplateError { template: "…".to_owned(), reason: "too long".to_owned() });
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (action, after) = after.split_once("}}").ok_or_else(|| fail("unclosed action"))?;
        let action = action.strip_prefix('-').unwrap_or(action);
        let action = action.strip_suffix('-').unwrap_or(action);
        out.push_str(&evaluate(action, interfaces).map_err(|reason| fail(&reason))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out.trim().to_owned())
}

/// What flows through a pipe.
enum Flow {
    Text(String),
    Interfaces(Vec<Interface>),
}

fn evaluate(action: &str, interfaces: &[Interface]) -> Result<String, String> {
    let mut action = action.trim();
    while let Some(inner) = action.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        action = inner.trim();
    }
    let mut flow: Option<Flow> = None;
    for stage in split_pipe(action)? {
        let (name, args) = stage.split_first().ok_or("missing value for command")?;
        flow = Some(match flow {
            None => source(name, args, interfaces)?,
            Some(Flow::Interfaces(list)) => filter::apply(name, args, list)?,
            Some(Flow::Text(_)) => return Err(format!("{name:?} cannot take a text")),
        });
    }
    match flow {
        Some(Flow::Text(text)) => Ok(text),
        Some(Flow::Interfaces(_)) => {
            Err("it gives interfaces, not an address; end it with attr or join".to_owned())
        }
        None => Err("missing value for command".to_owned()),
    }
}

/// Splits at bars outside quotes, and each part into words with their quotes removed.
fn split_pipe(action: &str) -> Result<Vec<Vec<String>>, String> {
    let mut stages = vec![Vec::new()];
    let mut chars = action.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '|' => stages.push(Vec::new()),
            '"' | '`' => {
                let mut word = String::new();
                loop {
                    match chars.next() {
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' => word.extend(chars.next()),
                        Some(other) => word.push(other),
                        None => return Err("unterminated quoted string".to_owned()),
                    }
                }
                stages.last_mut().into_iter().for_each(|stage| stage.push(word.clone()));
            }
            c => {
                let mut word = String::from(c);
                while let Some(next) = chars.peek().copied().filter(|n| !n.is_whitespace() && *n != '|') {
                    word.push(next);
                    chars.next();
                }
                stages.last_mut().into_iter().for_each(|stage| stage.push(word.clone()));
            }
        }
    }
    Ok(stages)
}

fn source(name: &str, args: &[String], interfaces: &[Interface]) -> Result<Flow, String> {
    let all = || interfaces.to_vec();
    let addresses = |list: Vec<Interface>| {
        Flow::Text(list.iter().map(|i| i.address.to_string()).collect::<Vec<_>>().join(" "))
    };
    let first =
        |list: Vec<Interface>| Flow::Text(list.first().map(|i| i.address.to_string()).unwrap_or_default());
    let one_name = || match args {
        [name] => Ok(name.as_str()),
        _ => Err(format!("{name} takes the name of an interface")),
    };
    let named = |wanted: &str| all().into_iter().filter(|i| i.name == wanted).collect::<Vec<_>>();
    Ok(match name {
        "GetAllInterfaces" => Flow::Interfaces(all()),
        "GetDefaultInterfaces" => Flow::Interfaces(all().into_iter().filter(|i| i.default_route).collect()),
        "GetPrivateInterfaces" => Flow::Interfaces(private(all(), true)),
        "GetPublicInterfaces" => Flow::Interfaces(private(all(), false)),
        "GetPrivateIP" => first(private(all(), true)),
        "GetPrivateIPs" => addresses(private(all(), true)),
        "GetPublicIP" => first(private(all(), false)),
        "GetPublicIPs" => addresses(private(all(), false)),
        "GetInterfaceIP" => {
            first(named(one_name()?).into_iter().filter(|i| ranges::is_forwardable(i.address)).collect())
        }
        "GetInterfaceIPs" => addresses(named(one_name()?)),
        other => return Err(format!("function {other:?} not defined")),
    })
}

/// Usable addresses inside (or outside) the special-purpose ranges, the default route's first, IPv4 before IPv6,
/// larger networks before smaller ones.
fn private(mut list: Vec<Interface>, inside: bool) -> Vec<Interface> {
    list.retain(|i| {
        i.up && ranges::is_forwardable(i.address) && ranges::in_rfc(6890, i.address) == Some(inside)
    });
    list.sort_by_key(|i| (!i.default_route, i.address.is_ipv6(), i.prefix_len));
    list
}
