//! Prepared queries: validation, names, templates, lookup.

use consul_api::types::query::{PreparedQuery, QueryTemplate};
use consul_state::query::template::Template;
use consul_state::query::{QueryCommand, validate};
use consul_state::{Command, Store, Table, WatchSet};

use crate::support::{apply, node, register, session, uuid};

fn query(number: u32, name: &str, service: &str) -> PreparedQuery {
    let mut query = PreparedQuery { id: uuid(number), name: name.to_owned(), ..PreparedQuery::default() };
    query.service.service = service.to_owned();
    query
}

fn template(number: u32, name: &str, regexp: &str, service: &str) -> PreparedQuery {
    let template = QueryTemplate {
        r#type: "name_prefix_match".to_owned(),
        regexp: regexp.to_owned(),
        remove_empty_tags: false,
    };
    PreparedQuery { template, ..query(number, name, service) }
}

fn store_query(store: &Store, query: PreparedQuery) -> Result<u64, String> {
    validate::definition(&query).map_err(|error| error.to_string())?;
    let outcome = apply(store, Command::PreparedQuery(QueryCommand::Set(Box::new(query))));
    outcome.reply.map(|_| outcome.index).map_err(|error| error.to_string())
}

fn rendered(query: &PreparedQuery, name: &str) -> PreparedQuery {
    Template::of(query).unwrap().unwrap().render(name, "alpha").unwrap()
}

#[test]
fn refusals_have_the_known_texts() {
    let refused = |tune: &dyn Fn(&mut PreparedQuery)| {
        let mut query = query(1, "q", "redis");
        tune(&mut query);
        validate::definition(&query).unwrap_err().to_string()
    };
    let prefix = "Invalid prepared query: ";
    assert_eq!(refused(&|q| q.name.clear()), format!("{prefix}Must be bound to a session"));
    assert_eq!(
        refused(&|q| q.service.service.clear()),
        format!("{prefix}Must provide a Service name to query")
    );
    assert_eq!(
        refused(&|q| q.service.failover.nearest_n = -1),
        format!("{prefix}Bad NearestN '-1', must be >= 0")
    );
    assert_eq!(
        refused(&|q| q.dns.ttl = "xx".into()),
        format!("{prefix}Bad DNS TTL 'xx': time: invalid duration \"xx\"")
    );
    assert_eq!(refused(&|q| q.dns.ttl = "-5us".into()), format!("{prefix}DNS TTL '-5000', must be >=0"));
    assert!(refused(&|q| q.token = "<hidden>".into()).starts_with(&format!("{prefix}Bad Token '<hidden>'")));
    assert_eq!(
        refused(&|q| q.service.node_meta = Some([(String::new(), "v".to_owned())].into())),
        format!("{prefix}Couldn't load metadata pair ('', 'v'): Key cannot be blank")
    );
    let text = |query: &PreparedQuery| validate::definition(query).unwrap_err().to_string();
    let mut odd = template(1, "", "", "x");
    odd.template.r#type = "nope".to_owned();
    assert_eq!(text(&odd), "failed compiling template: Bad Template.Type 'nope'");
    assert!(text(&template(1, "", "(", "x")).starts_with("failed compiling template: Bad Regexp: "));
    assert_eq!(
        text(&template(1, "", "", "${match(1")),
        "failed compiling template: Bad format '${match(1' in Service.Service: parse error: syntax error"
    );
    assert_eq!(
        text(&template(1, "", "", "${bogus}")),
        "failed compiling template: Bad evaluation for '${bogus}' in Service.Service: 1:3: unknown variable \
         accessed: bogus"
    );
}

#[test]
fn keys_of_the_reserved_prefix_may_be_asked_for() {
    let mut filtered = query(1, "q", "s");
    filtered.service.node_meta = Some([("consul-network-segment".to_owned(), "a".to_owned())].into());
    assert_eq!(validate::definition(&filtered), Ok(()));
}

#[test]
fn templates_fill_every_string_of_the_service_part() {
    let mut query = template(1, "geo-", "^geo-(.*?)-([^-]+)$", "${match(1)}");
    query.service.tags =
        Some(vec!["${match(2)}".into(), "${match(7)}".into(), "x${name.suffix}$${y}".into()]);
    query.service.near = "${agent.segment}".to_owned();
    query.service.failover.datacenters = Some(vec!["${name.full}".to_owned()]);
    query.service.service_meta = Some([("k".to_owned(), "${ name.prefix }".to_owned())].into());
    let done = rendered(&query, "geo-db-master");
    assert_eq!((done.service.service.as_str(), done.service.near.as_str()), ("db", "alpha"));
    assert_eq!(done.service.tags.unwrap(), ["master", "", "xdb-master${y}"]);
    assert_eq!(done.service.failover.datacenters.unwrap(), ["geo-db-master"]);
    assert_eq!(done.service.service_meta.unwrap()["k"], "geo-");
    assert_eq!((done.id, done.name.as_str()), (uuid(1), "geo-"));
    query.template.remove_empty_tags = true;
    assert_eq!(rendered(&query, "geo-db-master").service.tags.unwrap(), ["master", "xdb-master${y}"]);
    assert_eq!(rendered(&query, "geo-").service.service, "", "no match is empty");
}

#[test]
fn lookup_goes_by_id_then_name_then_longest_prefix() {
    let store = Store::new();
    store_query(&store, query(1, "Geo-static", "s")).unwrap();
    for (number, name) in [(2, ""), (3, "geo-"), (4, "geo-db")] {
        store_query(&store, template(number, name, "", "${name.full}")).unwrap();
    }
    let version = store.version();
    let found = |name: &str| version.resolve_query(name).map(|found| found.query.id.clone());
    for (name, number) in
        [(uuid(3).as_str(), 3), ("GEO-STATIC", 1), ("geo-x", 3), ("Geo-DB-1", 4), ("other", 2), ("", 2)]
    {
        assert_eq!(found(name), Some(uuid(number)), "{name}");
    }
    apply(&store, Command::PreparedQuery(QueryCommand::Delete { id: uuid(2) })).reply.unwrap();
    assert!(store.version().resolve_query("other").is_none());
}

#[test]
fn names_are_unique_and_no_ids() {
    let store = Store::new();
    store_query(&store, query(1, "q1", "s")).unwrap();
    store_query(&store, query(1, "q1", "other")).unwrap();
    assert_eq!(
        store_query(&store, query(2, "Q1", "s")).unwrap_err(),
        "name 'Q1' aliases an existing query name"
    );
    assert_eq!(
        store_query(&store, query(2, &uuid(1), "s")).unwrap_err(),
        format!("name '{}' aliases an existing query ID", uuid(1))
    );
    store_query(&store, template(3, "", "", "s")).unwrap();
    assert_eq!(
        store_query(&store, template(4, "", "", "s")).unwrap_err(),
        "a query template with an empty name already exists"
    );
    let renamed = store_query(&store, query(1, "q2", "s")).unwrap();
    let version = store.version();
    let stored = version.query(&uuid(1), &mut WatchSet::new()).unwrap().1.unwrap();
    assert_eq!((stored.create_index, stored.modify_index), (1, renamed));
    store_query(&store, query(5, "q1", "s")).unwrap();
    assert_eq!(
        version.query("q1", &mut WatchSet::new()).unwrap_err().to_string(),
        "failed prepared query lookup: index error: UUID must be 36 characters"
    );
}

#[test]
fn queries_end_with_their_session() {
    let store = Store::new();
    register(&store, node("n")).unwrap();
    let bound = |id: &str| PreparedQuery { session: id.to_owned(), ..query(1, "", "s") };
    assert_eq!(
        store_query(&store, bound("abc")).unwrap_err(),
        "invalid session: index error: UUID must be 36 characters"
    );
    assert_eq!(store_query(&store, bound(&uuid(9))).unwrap_err(), format!("invalid session \"{}\"", uuid(9)));
    apply(&store, Command::SessionCreate(session(9, "n"))).reply.unwrap();
    store_query(&store, bound(&uuid(9))).unwrap();
    store_query(&store, query(2, "free", "s")).unwrap();
    let ended = apply(&store, Command::SessionDestroy { id: uuid(9) }).index;
    let version = store.version();
    let (index, queries) = version.queries(&mut WatchSet::new());
    assert_eq!((index, queries.count()), (ended, 1));
    assert_eq!(version.table_index(Table::PreparedQueries, &mut WatchSet::new()), ended);
}
