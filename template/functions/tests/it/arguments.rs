//! The grammar of arguments, and the ids of what they mean.

use consul_template_functions::{ArgumentError, Dependency};

type Parse = fn(&str) -> Result<Dependency, ArgumentError>;

fn some(parsed: Result<Option<Dependency>, ArgumentError>) -> Result<Dependency, ArgumentError> {
    parsed.map(|dependency| dependency.expect("the argument is not empty"))
}

const SERVICE: Parse = |argument| some(Dependency::service(argument));
const KEY: Parse = |argument| some(Dependency::key(argument));
const KEYS: Parse = |argument| some(Dependency::keys(argument));

#[track_caller]
fn check(parse: Parse, rows: &[(&str, &str)]) {
    for (argument, expected) in rows {
        let found = match parse(argument) {
            Ok(dependency) => dependency.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, *expected, "{argument}");
    }
}

#[test]
fn services() {
    check(
        SERVICE,
        &[
            ("web", "health.service(web|passing)"),
            ("web|passing", "health.service(web|passing)"),
            ("tag.web", "health.service(tag.web|passing)"),
            ("a.b=c:1.web", "health.service(a.b=c:1.web|passing)"),
            ("web@dc-1.x~_agent", "health.service(web@dc-1.x~_agent|passing)"),
            (
                "t.web?ns=n&partition=p&peer=x@dc1~n1|warning,critical",
                "health.service(t.web@dc1@partition=p@ns=n@peer=x~n1|critical,warning)",
            ),
            ("web?sameness-group=g", "health.service(web@sameness-group=g|passing)"),
            ("web|any", "health.service(web|any)"),
            ("web~near@dc", r#"health.service: invalid format: "web~near@dc""#),
            ("we b", r#"health.service: invalid format: "we b""#),
            ("web|bad", r#"health.service: invalid filter: "bad" in "web|bad""#),
            (
                "web?x=1",
                r#"health.service: invalid query parameter key "x" in query "x=1": supported keys: ns,peer,partition,sameness-group"#,
            ),
            (
                "web?peer=a&sameness-group=b",
                r#"health.service: cannot specify both peer and sameness-group in query "peer=a&sameness-group=b""#,
            ),
            ("web\n", r#"health.service: invalid format: "web\n""#),
        ],
    );
    assert_eq!(Dependency::service(""), Ok(None));
    assert_eq!(Dependency::service("|any"), Ok(None));
    check(|argument| some(Dependency::connect(argument)), &[("web", "health.connect(web|passing)")]);
}

#[test]
fn the_catalog() {
    check(
        Dependency::services,
        &[
            ("", "catalog.services"),
            ("@dc1", "catalog.services(@dc1)"),
            ("?ns=a@dc1", "catalog.services(@dc1@ns=a)"),
            ("web", r#"catalog.services: invalid format: "web""#),
        ],
    );
    check(
        Dependency::nodes,
        &[
            ("", "catalog.nodes"),
            ("@dc1~n", "catalog.nodes(@dc1~n)"),
            ("~_agent", "catalog.nodes(~_agent)"),
            ("n1", r#"catalog.nodes: invalid format: "n1""#),
        ],
    );
    check(
        Dependency::node,
        &[
            ("", "catalog.node"),
            ("a.b-c@dc1", "catalog.node(a.b-c@dc1)"),
            ("a b", r#"catalog.node: invalid format: "a b""#),
        ],
    );
    check(
        Dependency::peerings,
        &[
            ("", "list.peerings"),
            ("?partition=p", "list.peerings(?partition=p)"),
            ("x", r#"list.peering: invalid format: "x""#),
        ],
    );
}

#[test]
fn keys() {
    check(
        KEY,
        &[
            ("a/b c", "kv.block(a/b c)"),
            ("/a", "kv.block(a)"),
            ("a@dc1", "kv.block(a@dc1)"),
            ("a?ns=n@dc1", "kv.block(a@dc1@ns=n)"),
            ("a@dc 1", r#"kv.get: invalid format: "a@dc 1""#),
        ],
    );
    check(|argument| some(Dependency::key_if_any(argument)), &[("a", "kv.get(a)")]);
    check(KEYS, &[("a/", "kv.list(a/)"), ("/", "kv.list(/)"), ("a@", r#"kv.list: invalid format: "a@""#)]);
    assert_eq!(Dependency::key(""), Ok(None));
    assert_eq!(Dependency::keys(""), Ok(None));
}

#[test]
fn endpoints() {
    let rows: &[(Dependency, &str)] = &[
        (SERVICE("t.web@dc1~n").unwrap(), "/v1/health/service/web?dc=dc1&near=n&tag=t&passing=1"),
        (SERVICE("web|any").unwrap(), "/v1/health/service/web?"),
        (KEY("a/b").unwrap(), "/v1/kv/a/b?"),
        (KEYS("/").unwrap(), "/v1/kv/?recurse="),
        (Dependency::node("").unwrap(), "/v1/agent/self?"),
        (Dependency::node("n@d").unwrap(), "/v1/catalog/node/n?dc=d"),
    ];
    for (dependency, expected) in rows {
        let endpoint = dependency.endpoint().unwrap();
        let query: Vec<String> =
            endpoint.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(format!("{}?{}", endpoint.path, query.join("&")), *expected);
    }
    assert_eq!(Dependency::File { path: "/x".into() }.endpoint(), None);
}
