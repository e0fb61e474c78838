//! Data of a Consul cluster.

use std::path::Path;

use Param::{Bool, String as Str};
use consul_template_language::{CallError, CallResult, Execution, Functions, List, Param, Value};

use crate::argument::ArgumentError;
use crate::data::{self, Data, KeyPair, Rows};
use crate::dependency::Dependency;
use crate::pass::Pass;

impl From<ArgumentError> for CallError {
    fn from(error: ArgumentError) -> Self {
        CallError::from_error(error)
    }
}

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions.add("datacenters", ([], Bool), |run, args| {
        if args.len() > 1 {
            return Err(format!(
                "datacenters: wrong number of arguments, expected 0 or 1, but got {}",
                args.len()
            )
            .into());
        }
        recall(run, Dependency::Datacenters { ignore_failing: args.bool(0) }, || {
            List::strings([""; 0]).into()
        })
    });
    functions.add("services", ([], Str), |run, args| {
        recall(run, Dependency::services(&joined(args.all()))?, data::none::<data::ServiceName>)
    });
    functions
        .add("service", ([], Str), |run, args| instances(run, Dependency::service(&joined(args.all()))?));
    functions
        .add("connect", ([], Str), |run, args| instances(run, Dependency::connect(&joined(args.all()))?));
    functions.add("nodes", ([], Str), |run, args| {
        recall(run, Dependency::nodes(&joined(args.all()))?, data::none::<data::Node>)
    });
    functions.add("node", ([], Str), |run, args| recall(run, Dependency::node(&args.str(0))?, || Value::Nil));
    register_keys(functions);
    functions.add("file", [Str], |run, args| {
        let path = args.str(0);
        if path.is_empty() {
            return Ok(Value::fixed(""));
        }
        confine(run.context(), &path)?;
        recall(run, Dependency::File { path: path.into_owned() }, || Value::fixed(""))
    });
    register_mesh(functions);
}

fn register_keys(functions: &mut Functions<Pass>) {
    functions.add("key", [Str], |run, args| match Dependency::key(&args.str(0))? {
        Some(dependency) => recall(run, dependency, || Value::fixed("")),
        None => Ok(Value::fixed("")),
    });
    functions.add("keyExists", [Str], |run, args| {
        let found = match Dependency::key_if_any(&args.str(0))? {
            Some(dependency) => run.context().recall(dependency),
            None => None,
        };
        Ok(matches!(found, Some(Data::TextIfAny(Some(_)))).into())
    });
    functions.add("keyOrDefault", [Str, Str], |run, args| {
        let found = match Dependency::key_if_any(&args.str(0))? {
            Some(dependency) => run.context().recall(dependency),
            None => None,
        };
        match found {
            Some(Data::TextIfAny(Some(text))) if !text.0.is_empty() => Ok(text.0.into()),
            _ => Ok(args.value(1).clone()),
        }
    });
    functions.alias("key_exists", "keyExists");
    functions.alias("key_or_default", "keyOrDefault");
    functions.add("ls", [Str], |run, args| pairs(run, &args.str(0), Depth::Top, IfNone::Render));
    functions.add("tree", [Str], |run, args| pairs(run, &args.str(0), Depth::All, IfNone::Render));
    functions.add("safeLs", [Str], |run, args| pairs(run, &args.str(0), Depth::Top, IfNone::Wait));
    functions.add("safeTree", [Str], |run, args| pairs(run, &args.str(0), Depth::All, IfNone::Wait));
}

fn register_mesh(functions: &mut Functions<Pass>) {
    functions.add("caRoots", [], |run, _| recall(run, Dependency::CaRoots, data::none::<data::CaRoot>));
    functions.add("caLeaf", [Str], |run, args| {
        if args.str(0).is_empty() {
            return Ok(Value::Nil);
        }
        recall(run, Dependency::CaLeaf { service: args.str(0).into_owned() }, || Value::Nil)
    });
    functions.add("peerings", ([], Str), |run, args| {
        recall(run, Dependency::peerings(&joined(args.all()))?, data::none::<data::Peering>)
    });
    functions
        .add("partitions", [], |run, _| recall(run, Dependency::Partitions, || List::any(Vec::new()).into()));
    functions.add("exportedServices", ([], Str), |run, args| {
        let partition = Some(args.str(0).into_owned()).filter(|partition| !partition.is_empty());
        recall(run, Dependency::ExportedServices { partition }, || List::any(Vec::new()).into())
    });
    functions.add("importedServices", ([], Str), |run, args| {
        let partition = Some(args.str(0).into_owned()).filter(|partition| !partition.is_empty());
        recall(run, Dependency::ImportedServices { partition }, || List::any(Vec::new()).into())
    });
}

/// Several arguments are one, written in pieces.
fn joined(args: &[Value]) -> String {
    let pieces: Vec<String> = args.iter().map(|arg| arg.to_text().to_string()).collect();
    pieces.join("|")
}

/// What is known, or an empty value of the same type.
fn recall(
    run: &mut Execution<'_, Pass>,
    dependency: Dependency,
    empty: impl FnOnce() -> Value,
) -> CallResult {
    Ok(run.context().recall(dependency).map_or_else(empty, |data| data.to_value()))
}

fn instances(run: &mut Execution<'_, Pass>, dependency: Option<Dependency>) -> CallResult {
    match dependency {
        Some(dependency) => recall(run, dependency, data::none::<data::HealthService>),
        None => Ok(data::none::<data::HealthService>()),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Depth {
    Top,
    All,
}

#[derive(Clone, Copy, PartialEq)]
enum IfNone {
    Render,
    Wait,
}

fn pairs(run: &mut Execution<'_, Pass>, argument: &str, depth: Depth, if_none: IfNone) -> CallResult {
    let Some(dependency) = Dependency::keys(argument)? else { return Ok(data::none::<KeyPair>()) };
    let found = match run.context().recall(dependency.clone()) {
        Some(Data::Pairs(found)) => found,
        _ => return Ok(data::none::<KeyPair>()),
    };
    let wanted = |pair: &KeyPair| !pair.is_folder() && (depth == Depth::All || !pair.key.contains('/'));
    if found.iter().all(|pair| wanted(pair)) {
        return finish(run, found, dependency, if_none);
    }
    let found = Rows::new(found.iter().filter(|pair| wanted(pair)).cloned().collect());
    finish(run, found, dependency, if_none)
}

fn finish(
    run: &mut Execution<'_, Pass>,
    found: Rows<KeyPair>,
    dependency: Dependency,
    if_none: IfNone,
) -> CallResult {
    if found.is_empty() && if_none == IfNone::Wait {
        run.context().missing.insert(dependency);
    }
    Ok(found.to_list().into())
}

/// Checks that a file is inside of the directory that files must be in.
fn confine(pass: &Pass, path: &str) -> Result<(), CallError> {
    let Some(sandbox) = pass.sandbox.as_deref().filter(|sandbox| *sandbox != Path::new("")) else {
        return Ok(());
    };
    let real = |path: &str, what: &str| {
        pass.brain
            .real_path(path)
            .map_err(|error| CallError::new(format!("failed to resolve {what} path: {error}")))
    };
    let sandbox = real(&sandbox.to_string_lossy(), "sandbox")?;
    if !real(path, "target")?.starts_with(sandbox) {
        return Err(format!("'{path}' is outside of sandbox").into());
    }
    Ok(())
}
