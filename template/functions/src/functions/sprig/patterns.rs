//! Regular expressions.

use Param::{Int, String as Str};
use consul_template_language::{List, Param, Text};

use super::Library;

pub(super) fn register(library: &mut Library<'_>) {
    library.with_pass("regexMatch mustRegexMatch", [Str, Str], |run, args| {
        Ok(run.context().pattern(&args.text(0))?.is_match(&args.str(1)).into())
    });
    library.with_pass("regexFind mustRegexFind", [Str, Str], |run, args| {
        let text = args.str(1);
        let found = run.context().pattern(&args.text(0))?.find(&text).map(|found| Text::from(found.as_str()));
        Ok(found.unwrap_or_default().into())
    });
    library.with_pass("regexFindAll mustRegexFindAll", [Str, Str, Int], |run, args| {
        let (text, limit) = (args.str(1), limit(args.int(2)));
        let pattern = run.context().pattern(&args.text(0))?;
        Ok(List::strings(pattern.find_iter(&text).take(limit).map(|found| found.as_str())).into())
    });
    library.with_pass("regexReplaceAll mustRegexReplaceAll", [Str, Str, Str], |run, args| {
        let pattern = run.context().pattern(&args.text(0))?;
        Ok(pattern.replace_all(&args.str(1), &*args.str(2)).into())
    });
    library.with_pass("regexReplaceAllLiteral mustRegexReplaceAllLiteral", [Str, Str, Str], |run, args| {
        let pattern = run.context().pattern(&args.text(0))?;
        Ok(pattern.replace_all(&args.str(1), regex::NoExpand(&args.str(2))).into())
    });
    library.with_pass("regexSplit mustRegexSplit", [Str, Str, Int], |run, args| {
        let (text, limit) = (args.str(1), limit(args.int(2)));
        let pattern = run.context().pattern(&args.text(0))?;
        Ok(List::strings(pattern.splitn(&text, limit)).into())
    });
    library.add("regexQuoteMeta mustRegexQuoteMeta", [Str], |args| {
        let text = args.str(0);
        let mut out = String::with_capacity(text.len());
        for char in text.chars() {
            if r"\.+*?()|[]{}^$".contains(char) {
                out.push('\\');
            }
            out.push(char);
        }
        Ok(out.into())
    });
}

/// A negative count stands for all.
fn limit(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
