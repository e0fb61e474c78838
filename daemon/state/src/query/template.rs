//! Query templates: one definition that answers for every name with its prefix.
//!
//! Strings inside the service part may hold `${...}` with one of the variables `name.full`, `name.prefix`,
//! `name.suffix` and `agent.segment`, or `match(n)`: the n-th group of the template's regular expression applied to
//! the whole name. `$${` stands for a literal `${`.

use consul_api::types::query::{PreparedQuery, ServiceQuery};
use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// The only kind of template there is.
pub const TYPE_NAME_PREFIX_MATCH: &str = "name_prefix_match";

/// Memory a compiled expression may take; ordinary ones need a few kilobytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TemplateError {
    #[error("Bad Template.Type '{0}'")]
    Type(String),
    #[error("Bad Regexp: {0}")]
    Regexp(String),
    #[error("Bad format '{text}' in {path}: parse error: {reason}")]
    Format { text: String, path: String, reason: &'static str },
    #[error("Bad evaluation for '{text}' in {path}: 1:{column}: {problem}")]
    Evaluation { text: String, path: String, column: usize, problem: String },
}

/// A template ready to render.
#[derive(Clone, Debug)]
pub struct Template {
    query: PreparedQuery,
    regex: Option<Regex>,
}

/// What a name gives the variables.
struct Scope<'a> {
    full: &'a str,
    prefix: &'a str,
    suffix: &'a str,
    segment: &'a str,
    groups: Vec<&'a str>,
}

impl Template {
    /// Compiles `query` if it is a template. Every string in it is tried, so that rendering cannot fail later.
    pub fn of(query: &PreparedQuery) -> Result<Option<Self>, TemplateError> {
        match query.template.r#type.as_str() {
            "" => return Ok(None),
            TYPE_NAME_PREFIX_MATCH => {}
            other => return Err(TemplateError::Type(other.to_owned())),
        }
        let pattern = &query.template.regexp;
        let regex = if pattern.is_empty() {
            None
        } else {
            let compiled = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
            Some(compiled.map_err(|error| TemplateError::Regexp(error.to_string()))?)
        };
        let template = Self { query: query.clone(), regex };
        template.render(&query.name, "")?;
        Ok(Some(template))
    }

    /// The query for `name`, asked from a network segment. Id and name stay those of the template.
    pub fn render(&self, name: &str, segment: &str) -> Result<PreparedQuery, TemplateError> {
        let captures = self.regex.as_ref().and_then(|regex| regex.captures(name));
        let groups = captures.iter().flat_map(|captures| captures.iter());
        let scope = Scope {
            full: name,
            prefix: &self.query.name,
            suffix: name.get(self.query.name.len()..).unwrap_or_default(),
            segment,
            groups: groups.map(|group| group.map_or("", |group| group.as_str())).collect(),
        };
        let mut query = self.query.clone();
        visit(&mut query.service, &mut |path, text| expand(path, text, &scope))?;
        if query.template.remove_empty_tags
            && let Some(tags) = &mut query.service.tags
        {
            tags.retain(|tag| !tag.is_empty());
        }
        Ok(query)
    }
}

/// Replaces every string of the service part.
fn visit(
    service: &mut ServiceQuery,
    replace: &mut dyn FnMut(&str, &str) -> Result<String, TemplateError>,
) -> Result<(), TemplateError> {
    let plain = [("Service.Service", &mut service.service), ("Service.Near", &mut service.near)];
    for (path, text) in plain {
        *text = replace(path, text)?;
    }
    let lists = [
        ("Service.Failover.Datacenters", &mut service.failover.datacenters),
        ("Service.IgnoreCheckIDs", &mut service.ignore_check_ids),
        ("Service.Tags", &mut service.tags),
    ];
    for (path, list) in lists {
        for (at, text) in list.iter_mut().flatten().enumerate() {
            *text = replace(&format!("{path}[{at}]"), text)?;
        }
    }
    let maps =
        [("Service.NodeMeta", &mut service.node_meta), ("Service.ServiceMeta", &mut service.service_meta)];
    for (path, map) in maps {
        for (key, text) in map.iter_mut().flatten() {
            *text = replace(&format!("{path}[{key}]"), text)?;
        }
    }
    Ok(())
}

fn expand(path: &str, text: &str, scope: &Scope<'_>) -> Result<String, TemplateError> {
    let format_error =
        |reason| TemplateError::Format { text: text.to_owned(), path: path.to_owned(), reason };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let inner = &from[2..];
        let end = inner.find('}').ok_or_else(|| format_error("syntax error"))?;
        let expression = inner[..end].trim();
        let column = text.len() - inner.len() + 1;
        out.push_str(evaluate(expression, scope).map_err(|problem| match problem {
            Problem::Syntax => format_error("syntax error"),
            Problem::Unknown(problem) => {
                TemplateError::Evaluation { text: text.to_owned(), path: path.to_owned(), column, problem }
            }
        })?);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

enum Problem {
    Syntax,
    Unknown(String),
}

fn evaluate<'a>(expression: &str, scope: &Scope<'a>) -> Result<&'a str, Problem> {
    match expression {
        "name.full" => return Ok(scope.full),
        "name.prefix" => return Ok(scope.prefix),
        "name.suffix" => return Ok(scope.suffix),
        "agent.segment" => return Ok(scope.segment),
        _ => {}
    }
    let word = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    };
    if let Some((function, rest)) = expression.split_once('(') {
        let (function, argument) =
            (function.trim_end(), rest.strip_suffix(')').ok_or(Problem::Syntax)?.trim());
        if function != "match" {
            return Err(if word(function) {
                Problem::Unknown(format!("unknown function called: {function}"))
            } else {
                Problem::Syntax
            });
        }
        let argument = argument.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(argument);
        let number: i64 = argument.parse().map_err(|_| Problem::Syntax)?;
        let group = usize::try_from(number).ok().and_then(|number| scope.groups.get(number));
        return Ok(group.copied().unwrap_or_default());
    }
    if word(expression) {
        return Err(Problem::Unknown(format!("unknown variable accessed: {expression}")));
    }
    Err(Problem::Syntax)
}
