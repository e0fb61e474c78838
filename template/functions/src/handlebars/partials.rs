//! Inline partials that include each other in a circle.
//!
//! Nothing in Handlebars limits how deep partials are nested, so a circle would use up the stack and end the
//! whole program. It is found before the template is ever executed.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::Template;
use handlebars::template::{DecoratorTemplate, Parameter, TemplateElement};

/// How deep blocks may be nested; deeper ones are not looked into.
const MAX_DEPTH: usize = 200;

type Includes = BTreeMap<String, BTreeSet<String>>;

/// The name of a partial that includes itself, directly or through others. The template itself is one too, called
/// `main`.
pub(super) fn endless(template: &Template, main: &str) -> Option<String> {
    let mut includes = Includes::from([(main.to_owned(), BTreeSet::new())]);
    collect(template, main, main, &mut includes, 0);
    let names: Vec<String> = includes.keys().cloned().collect();
    names.into_iter().find(|name| reaches(&includes, name, name))
}

fn reaches(includes: &Includes, from: &str, wanted: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        for next in includes.get(name).into_iter().flatten() {
            if next == wanted {
                return true;
            }
            if seen.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    false
}

/// Notes which partials the partial `inside` includes.
fn collect(template: &Template, main: &str, inside: &str, includes: &mut Includes, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    for element in &template.elements {
        match element {
            TemplateElement::HelperBlock(block) => {
                for part in block.template.iter().chain(&block.inverse) {
                    collect(part, main, inside, includes, depth + 1);
                }
            }
            TemplateElement::DecoratorBlock(block) => {
                let name = block.params.first().and_then(literal);
                let name = name.unwrap_or_default();
                includes.entry(name.clone()).or_default();
                block.template.iter().for_each(|part| collect(part, main, &name, includes, depth + 1));
            }
            TemplateElement::PartialExpression(partial) | TemplateElement::PartialBlock(partial) => {
                include(partial, main, inside, includes);
                partial.template.iter().for_each(|part| collect(part, main, inside, includes, depth + 1));
            }
            _ => {}
        }
    }
}

fn include(partial: &DecoratorTemplate, main: &str, inside: &str, includes: &mut Includes) {
    let name = match partial.name.as_name() {
        Some(name) => name,
        // The template itself is never included where it stands, whatever name is worked out.
        None if inside == main => return,
        // A name that is worked out could be any, so it is taken for that of the partial it stands in.
        None => inside,
    };
    includes.entry(inside.to_owned()).or_default().insert(name.to_owned());
}

fn literal(parameter: &Parameter) -> Option<String> {
    match parameter {
        Parameter::Literal(json) => json.as_str().map(str::to_owned),
        other => other.as_name().map(str::to_owned),
    }
}
