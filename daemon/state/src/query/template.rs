//! Query templates: one definition that answers for every name with its prefix.
//!
//! Strings inside the service part may hold `${...}` with expressions over the variables `name.full`, `name.prefix`,
//! `name.suffix` and `agent.segment` and `match(n)`: the n-th group of the template's regular expression applied to
//! the whole name. `$$` stands for a literal `$`.

use consul_api::types::query::{PreparedQuery, ServiceQuery};
use regex::{Regex, RegexBuilder};
use thiserror::Error;

use super::expression::{Names, Problem, Text};

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
    #[error("Bad format '{text}' in {path}: parse error: syntax error")]
    Format { text: String, path: String },
    #[error("Bad evaluation for '{text}' in {path}: {problem}")]
    Evaluation { text: String, path: String, problem: String },
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
    let value = Text::read(text).and_then(|read| read.evaluate(scope));
    value.map_err(|problem| {
        let (text, path) = (text.to_owned(), path.to_owned());
        match problem {
            Problem::Syntax => TemplateError::Format { text, path },
            Problem::Meaning(problem) => TemplateError::Evaluation { text, path, problem },
        }
    })
}

impl Names for Scope<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        match name {
            "name.full" => Some(self.full),
            "name.prefix" => Some(self.prefix),
            "name.suffix" => Some(self.suffix),
            "agent.segment" => Some(self.segment),
            _ => None,
        }
    }

    fn group(&self, number: i64) -> &str {
        let group = usize::try_from(number).ok().and_then(|number| self.groups.get(number));
        group.copied().unwrap_or_default()
    }
}
