//! Templates in Handlebars.
//!
//! They ask for the same data with the same functions. A helper hands its arguments to the function of the same
//! name and its result on as JSON, so calls can stand inside of one another: `{{#each (service "web")}}`.

mod convert;
mod nesting;
mod partials;
mod sugar;

use std::sync::{Arc, Mutex, PoisonError};

use consul_template_language::{CallError, Record as _, Templates, Value};
use handlebars::{
    Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson,
    no_escape,
};
use serde_json::Value as Json;

use crate::functions::is_denied;
use crate::pass::Pass;
use crate::template::{Settings, TemplateError};

/// Name under which the template is registered, and partials are not.
const MAIN: &str = "template";
/// Functions that make no sense where templates of the other language are not, and what stands for `scratch`.
const LEFT_OUT: &[&str] = &["executeTemplate", "scratch"];
const SCRATCH: &[(&str, &str)] = &[
    ("scratchSet", "Set"),
    ("scratchSetX", "SetX"),
    ("scratchGet", "Get"),
    ("scratchKey", "Key"),
    ("scratchMapSet", "MapSet"),
    ("scratchMapSetX", "MapSetX"),
    ("scratchMapValues", "MapValues"),
];

/// A template that was parsed.
pub(crate) struct Sheet {
    registry: Handlebars<'static>,
    desk: Arc<Desk>,
    /// One execution at a time: helpers find what belongs to it on the desk.
    turn: Mutex<()>,
}

/// What all helpers share.
struct Desk {
    functions: Templates<Pass>,
    pass: Mutex<Option<Pass>>,
}

impl Sheet {
    /// Parses a template; `functions` has the functions it can call.
    pub(crate) fn parse(
        source: &str,
        functions: Templates<Pass>,
        settings: &Settings,
    ) -> Result<Sheet, TemplateError> {
        if !settings.left_delimiter.is_empty() || !settings.right_delimiter.is_empty() {
            return Err(TemplateError::Delimiters);
        }
        if nesting::is_too_deep(source) {
            return Err(TemplateError::Handlebars("nested too deep".into()));
        }
        let mut registry = Handlebars::new();
        registry.register_escape_fn(no_escape);
        registry.set_strict_mode(settings.error_on_missing_key);
        registry
            .register_template_string(MAIN, source)
            .map_err(|error| TemplateError::Handlebars(error.to_string()))?;
        if let Some(name) = registry.get_template(MAIN).and_then(|template| partials::endless(template, MAIN))
        {
            return Err(TemplateError::EndlessPartial(name));
        }
        let language = consul_template_language::Functions::<Pass>::new();
        let builtin: Vec<&str> = language.names().filter(|name| *name != "printf").collect();
        let names: Vec<String> = functions.function_names().map(str::to_owned).collect();
        let desk = Arc::new(Desk { functions, pass: Mutex::new(None) });
        for name in names {
            if builtin.contains(&name.as_str()) || LEFT_OUT.contains(&name.as_str()) {
                continue;
            }
            registry.register_helper(&name, Box::new(Call { name: name.clone(), desk: Arc::clone(&desk) }));
        }
        for (name, method) in SCRATCH {
            let denied = is_denied(name, &settings.denied_functions)
                || is_denied("scratch", &settings.denied_functions);
            registry.register_helper(name, Box::new(Scratch { method, denied, desk: Arc::clone(&desk) }));
        }
        Ok(Sheet { registry, desk, turn: Mutex::new(()) })
    }

    /// Executes the template; the pass comes back with what was asked for.
    pub(crate) fn render(&self, pass: Pass) -> (Result<String, RenderError>, Option<Pass>) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        *self.desk.lock() = Some(pass);
        let result = self.registry.render(MAIN, &Json::Object(serde_json::Map::new()));
        (result, self.desk.lock().take())
    }
}

impl Desk {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Pass>> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_pass<R>(&self, work: impl FnOnce(&mut Pass) -> Result<R, CallError>) -> Result<R, CallError> {
        match self.lock().as_mut() {
            Some(pass) => work(pass),
            None => Err("called outside of an execution".into()),
        }
    }
}

/// A helper that is a function.
struct Call {
    name: String,
    desk: Arc<Desk>,
}

impl HelperDef for Call {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let keep_empty = self.name.starts_with("to") || self.name.starts_with("sprig_");
        let mut args: Vec<Value> =
            helper.params().iter().map(|param| convert::argument(param.value(), keep_empty)).collect();
        sugar::apply(&self.name, &mut args, |name| helper.hash_get(name).map(|value| value.render()));
        let result = self.desk.with_pass(|pass| self.desk.functions.call(&self.name, pass, args));
        finish(&self.name, result)
    }
}

/// A helper that is a method of the place where a template keeps values.
struct Scratch {
    method: &'static str,
    denied: bool,
    desk: Arc<Desk>,
}

impl HelperDef for Scratch {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        if self.denied {
            return finish(helper.name(), Err("function is disabled".into()));
        }
        let mut args: Vec<Value> =
            helper.params().iter().map(|param| convert::argument(param.value(), true)).collect();
        let wanted = match self.method {
            "Set" | "SetX" => 2,
            "MapSet" | "MapSetX" => 3,
            _ => 1,
        };
        if args.len() != wanted {
            let message = format!("wrong number of args: want {wanted} got {}", args.len());
            return finish(helper.name(), Err(message.into()));
        }
        // Names may have come out of data as numbers.
        args.iter_mut().take(wanted.saturating_sub(usize::from(wanted > 1))).for_each(|arg| {
            *arg = arg.to_text().into();
        });
        finish(helper.name(), self.desk.with_pass(|pass| pass.scratch.call(self.method, &args)))
    }
}

fn finish<'rc>(name: &str, result: Result<Value, CallError>) -> Result<ScopedJson<'rc>, RenderError> {
    result
        .and_then(|value| convert::result(&value))
        .map(ScopedJson::Derived)
        .map_err(|error| RenderErrorReason::Other(format!("error calling {name}: {error}")).into())
}
