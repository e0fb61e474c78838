//! What lies outside of the template: the environment, programs, files, addresses of the machine.

use Param::{Any, String as Str};
use consul_template_language::{CallError, CallResult, Execution, Functions, Param, Text, Value};

use crate::brain::FileToWrite;
use crate::pass::Pass;

pub(super) fn register(functions: &mut Functions<Pass>) {
    functions
        .add("env", [Str], |run, args| Ok(run.context().brain.env(&args.str(0)).unwrap_or_default().into()));
    functions.add("mustEnv", [Str], |run, args| {
        match run.context().brain.env(&args.str(0)).filter(|value| !value.is_empty()) {
            Some(value) => Ok(value.into()),
            None => Err(format!("required environment variable {} is empty", args.str(0)).into()),
        }
    });
    functions.add("envOrDefault", [Str, Str], |run, args| {
        Ok(run.context().brain.env(&args.str(0)).map_or_else(|| args.value(1).clone(), Value::from))
    });
    functions.add("plugin", ([Str], Str), |run, args| {
        let name = args.str(0);
        if name.is_empty() {
            return Ok(Value::fixed(""));
        }
        let given = args.rest(1).iter().map(|arg| arg.to_text().to_str().trim().to_owned());
        let given: Vec<String> = given.filter(|arg| !arg.is_empty()).collect();
        let output = run.context().brain.run_plugin(&name, &given)?;
        Ok(Text::from(output.trim_ascii()).into())
    });
    functions.add("sockaddr", [Str], |run, args| {
        let interfaces = run.context().brain.interfaces();
        let template = format!("{{{{ {} }}}}", args.str(0));
        consul_config::expand_addresses(&template, &interfaces)
            .map(Value::from)
            .map_err(|error| format!("sockaddr: {error}").into())
    });
    functions.add("writeToFile", ([Str, Str, Str, Str], Str), |run, args| {
        let text = |index: usize| args.str(index);
        write(run, [&text(0), &text(1), &text(2), &text(3)], args.rest(4))
    });
    functions.add("executeTemplate", ([Str], Any), |run, args| {
        if args.len() > 2 {
            let given = args.len();
            return Err(format!(
                "executeTemplate: wrong number of arguments, expected 1 or 2, but got {given}"
            )
            .into());
        }
        Ok(run.render(&args.str(0), args.value(1).clone())?.into())
    });
}

fn write(run: &mut Execution<'_, Pass>, places: [&str; 4], rest: &[Value]) -> CallResult {
    let [path, user, group, permissions] = places;
    let (flags, content) = match rest {
        [content] => (Text::EMPTY, content.to_text()),
        [flags, content] => (flags.to_text(), content.to_text()),
        _ => {
            return Err(format!(
                "writeToFile: wrong number of arguments, expected 5 or 6, but got {}",
                rest.len() + 4
            )
            .into());
        }
    };
    let flags = flags.to_str();
    let mode = u32::from_str_radix(permissions, 8).ok().filter(|mode| *mode <= 0o7777);
    let mode =
        mode.ok_or_else(|| CallError::new(format!("writeToFile: invalid permissions {permissions:?}")))?;
    let mut bytes = content.as_bytes().to_vec();
    if flags.contains("newline") {
        bytes.push(b'\n');
    }
    let append = flags.contains("append");
    let file = FileToWrite { path, user, group, mode, append, content: &bytes };
    run.context().brain.write_file(&file)?;
    Ok(Value::fixed(""))
}
