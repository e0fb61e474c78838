//! What operators may know about a template.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::template::State;
use super::{Ask, Live};

/// How one template fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateStatus {
    pub rendered: bool,
    /// When the file was last found or made to be right.
    pub last_render: Option<SystemTime>,
    /// When the file was last written.
    pub last_change: Option<SystemTime>,
    /// What went wrong since.
    pub last_error: Option<String>,
    pub depends_on: Vec<String>,
    /// What must come before it is rendered again; with the reason why it does not come.
    pub waits_for: Vec<String>,
}

pub fn of<D: Ask>(state: &State<D>, live: &BTreeMap<D, Live>) -> TemplateStatus {
    let mut waits_for: Vec<String> = Vec::new();
    for dependency in &state.missing {
        let known = live.get(dependency);
        let why = match known {
            Some(Live { failing: Some(why), .. }) => format!("{dependency} ({why})"),
            Some(Live { answered: true, .. }) => format!("{dependency} (does not exist)"),
            _ => dependency.to_string(),
        };
        waits_for.push(why);
    }
    for dependency in state.used.difference(&state.missing) {
        if let Some(Live { failing: Some(why), .. }) = live.get(dependency) {
            waits_for.push(format!("{dependency} ({why})"));
        }
    }
    if state.held.is_some() {
        waits_for.push("the data to settle".to_owned());
    }
    TemplateStatus {
        rendered: state.rendered,
        last_render: state.last_render,
        last_change: state.last_change,
        last_error: state.error.clone(),
        depends_on: state.used.union(&state.missing).map(ToString::to_string).collect(),
        waits_for,
    }
}
