//! The route table: which paths there are, what they take, who answers.

use std::pin::Pin;
use std::sync::Arc;

use http::Method;

use super::failure::Failure;
use super::reply::Reply;
use super::request::Request;
use crate::agent::Agent;

pub type Answer = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;
pub type Handler = fn(Arc<Agent>, Request) -> Answer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The whole path.
    Exact,
    /// Ends in `/`; what follows goes to the handler.
    Prefix,
}

/// What a failed read still tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureMeta {
    None,
    /// Index 1, no known leader.
    Unknown,
}

/// Who answers OPTIONS and refuses methods that are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksMethods {
    /// The row's methods hold for the whole path.
    Table,
    /// They depend on what the handler finds in the path.
    Handler,
}

/// One row: a path, its methods in the order that `Allow` lists them, and the handler.
pub struct Route {
    pub path: &'static str,
    pub shape: Shape,
    pub methods: &'static [Method],
    pub failure_meta: FailureMeta,
    pub checks_methods: ChecksMethods,
    pub handler: Handler,
}

impl Route {
    pub const fn exact(path: &'static str, methods: &'static [Method], handler: Handler) -> Self {
        Self::new(path, Shape::Exact, methods, handler)
    }

    pub const fn prefix(path: &'static str, methods: &'static [Method], handler: Handler) -> Self {
        Self::new(path, Shape::Prefix, methods, handler)
    }

    const fn new(path: &'static str, shape: Shape, methods: &'static [Method], handler: Handler) -> Self {
        let (failure_meta, checks_methods) = (FailureMeta::None, ChecksMethods::Table);
        Self { path, shape, methods, failure_meta, checks_methods, handler }
    }

    /// Its handler gets requests of every method.
    pub const fn with_own_methods(mut self) -> Self {
        self.checks_methods = ChecksMethods::Handler;
        self
    }

    /// Its errors carry the read headers too.
    pub const fn with_failure_meta(mut self) -> Self {
        self.failure_meta = FailureMeta::Unknown;
        self
    }

    /// Value of the `Allow` header.
    pub fn allow(&self) -> String {
        self.methods.iter().fold(String::from("OPTIONS"), |list, method| list + "," + method.as_str())
    }
}

/// What a path leads to.
pub enum Found<'a> {
    Route {
        index: usize,
        route: &'static Route,
        rest: &'a [u8],
    },
    /// A prefix route written without its slash.
    AddSlash,
    Nothing,
}

/// All rows, ordered for lookup.
pub struct Router {
    /// Sorted by path, so that the longest prefix is found by walking back.
    rows: Vec<&'static Route>,
}

impl Router {
    pub fn new(groups: &[&'static [Route]]) -> Self {
        let mut rows: Vec<&'static Route> = groups.iter().flat_map(|group| group.iter()).collect();
        rows.sort_by_key(|row| row.path);
        Self { rows }
    }

    pub fn rows(&self) -> &[&'static Route] {
        &self.rows
    }

    /// The row with the longest path that fits. `path` is decoded.
    pub fn find<'a>(&self, path: &'a [u8]) -> Found<'a> {
        let mut candidate = path;
        loop {
            if let Ok(index) = self.rows.binary_search_by(|row| row.path.as_bytes().cmp(candidate)) {
                let route = self.rows[index];
                if route.shape == Shape::Prefix || candidate.len() == path.len() {
                    return Found::Route { index, route, rest: &path[candidate.len()..] };
                }
            }
            let trimmed = candidate.strip_suffix(b"/").unwrap_or(candidate);
            match trimmed.iter().rposition(|byte| *byte == b'/') {
                Some(slash) => candidate = &path[..=slash],
                None => break,
            }
        }
        let mut with_slash = path.to_vec();
        with_slash.push(b'/');
        let is_prefix = self.rows.binary_search_by(|row| row.path.as_bytes().cmp(&with_slash)).is_ok();
        if is_prefix { Found::AddSlash } else { Found::Nothing }
    }
}

/// Declares a handler row's function: `handler!(name)` boxes the async function's future.
#[macro_export]
macro_rules! handler {
    ($function:path) => {
        |agent, request| Box::pin($function(agent, request))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn nothing(_: Arc<Agent>, _: Request) -> Result<Reply, Failure> {
        Ok(Reply::empty())
    }

    static ROWS: &[Route] = &[
        Route::prefix("/v1/kv/", &[Method::GET, Method::PUT], handler!(nothing)),
        Route::exact("/v1/status/leader", &[Method::GET], handler!(nothing)),
        Route::exact("/v1/query", &[Method::GET], handler!(nothing)),
        Route::prefix("/v1/query/", &[Method::GET], handler!(nothing)),
    ];

    fn find(path: &str) -> String {
        let router = Router::new(&[ROWS]);
        match router.find(path.as_bytes()) {
            Found::Route { route, rest, .. } => format!("{} {}", route.path, String::from_utf8_lossy(rest)),
            Found::AddSlash => "slash".into(),
            Found::Nothing => "nothing".into(),
        }
    }

    #[test]
    fn longest_fitting_row_wins() {
        assert_eq!(find("/v1/kv/a/b"), "/v1/kv/ a/b");
        assert_eq!(find("/v1/kv/"), "/v1/kv/ ");
        assert_eq!(find("/v1/status/leader"), "/v1/status/leader ");
        assert_eq!(find("/v1/query"), "/v1/query ");
        assert_eq!(find("/v1/query/x/execute"), "/v1/query/ x/execute");
    }

    #[test]
    fn what_is_no_route() {
        assert_eq!(find("/v1/kv"), "slash");
        assert_eq!(find("/v1/status/leader/"), "nothing");
        assert_eq!(find("/v1/nope"), "nothing");
        assert_eq!(find("/V1/kv/a"), "nothing");
        assert_eq!(find(""), "nothing");
    }

    #[test]
    fn allow_lists_options_first() {
        assert_eq!(ROWS[0].allow(), "OPTIONS,GET,PUT");
    }
}
