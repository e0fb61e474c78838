//! Access control, documents, intentions and autopilot.

use consul_api::types::acl::{AclAuthMethod, AclBindingRule, AclLink, AclPolicy, AclRole, AclToken};
use consul_api::types::config_entry::ConfigEntry;
use consul_api::types::intention::Intention;
use consul_api::types::operator::AutopilotConfig;
use consul_state::acl::AclCommand;
use consul_state::autopilot::AutopilotCommand;
use consul_state::config_entry::ConfigEntryCommand;
use consul_state::intention::{self, IntentionCommand, Side};
use consul_state::{Command, Reply, Store, Table, WatchSet};

use crate::support::{apply, uuid};

fn watch() -> WatchSet {
    WatchSet::new()
}

fn acl(store: &Store, command: AclCommand) -> Result<u64, String> {
    let outcome = apply(store, Command::Acl(command));
    outcome.reply.map(|_| outcome.index).map_err(|error| error.to_string())
}

fn token(accessor: u32, secret: &str) -> AclToken {
    AclToken { accessor_id: uuid(accessor), secret_id: secret.to_owned(), ..AclToken::default() }
}

fn policy(number: u32, name: &str) -> AclPolicy {
    AclPolicy { id: uuid(number), name: name.to_owned(), ..AclPolicy::default() }
}

fn applied(store: &Store, command: Command) -> bool {
    match apply(store, command).reply.unwrap() {
        Reply::Applied(applied) => applied,
        other => panic!("expected whether it happened, got {other:?}"),
    }
}

#[test]
fn bootstrapping_works_once_and_again_after_a_reset() {
    let store = Store::new();
    let bootstrap = |accessor, reset_index| {
        let token = Box::new(token(accessor, &uuid(100 + accessor)));
        acl(&store, AclCommand::Bootstrap { token, reset_index })
    };
    assert_eq!(store.version().acl_bootstrap_index(), None);
    let first = bootstrap(1, 0).unwrap();
    assert_eq!(store.version().acl_bootstrap_index(), Some(first));
    assert_eq!(
        bootstrap(2, 0).unwrap_err(),
        format!("ACL bootstrap no longer allowed (reset index: {first})")
    );
    assert_eq!(
        bootstrap(2, 13).unwrap_err(),
        format!("Invalid bootstrap reset index (specified 13, reset index: {first})")
    );
    let second = bootstrap(2, first).unwrap();
    assert_eq!(store.version().acl_bootstrap_index(), Some(second));
    assert!(store.version().acl_token(&uuid(1), &mut watch()).unwrap().1.is_some());
}

#[test]
fn tokens_are_found_by_secret_and_accessor() {
    let store = Store::new();
    let created = acl(&store, AclCommand::SetTokens(vec![token(1, "one"), token(2, "two")])).unwrap();
    assert_eq!(
        acl(&store, AclCommand::SetTokens(vec![token(3, "three"), token(4, "one")])).unwrap_err(),
        "Invalid Token: SecretID is already in use"
    );
    assert!(store.version().acl_token_by_secret("three").is_none(), "all or nothing");
    acl(&store, AclCommand::SetTokens(vec![token(1, "changed")])).unwrap();
    let version = store.version();
    assert!(version.acl_token_by_secret("one").is_none());
    let stored = version.acl_token_by_secret("changed").unwrap();
    assert_eq!((stored.create_index, stored.hash.len()), (created, 32));
    acl(&store, AclCommand::DeleteTokens(vec![uuid(1), uuid(9)])).unwrap();
    assert!(store.version().acl_token(&uuid(1), &mut watch()).unwrap().1.is_none());
    assert_eq!(store.version().acl_tokens(&mut watch()).1.count(), 1);
    assert_eq!(
        acl(&store, AclCommand::DeleteTokens(vec!["x".to_owned()])).unwrap_err(),
        "failed acl token lookup: index error: UUID must be 36 characters"
    );
}

#[test]
fn names_of_policies_and_roles_are_unique() {
    let store = Store::new();
    acl(&store, AclCommand::SetPolicies(vec![policy(1, "read")])).unwrap();
    assert_eq!(
        acl(&store, AclCommand::SetPolicies(vec![policy(2, "READ")])).unwrap_err(),
        "Invalid Policy: A Policy with Name \"READ\" already exists"
    );
    let role = |number: u32| AclRole { id: uuid(number), name: "r1".to_owned(), ..AclRole::default() };
    acl(&store, AclCommand::SetRoles(vec![role(3)])).unwrap();
    assert_eq!(
        acl(&store, AclCommand::SetRoles(vec![role(4)])).unwrap_err(),
        "Invalid Role: A Role with Name \"r1\" already exists"
    );
    acl(&store, AclCommand::SetPolicies(vec![policy(1, "renamed")])).unwrap();
    let version = store.version();
    assert!(version.acl_policy_by_name("read", &mut watch()).1.is_none());
    let links =
        vec![AclLink { id: uuid(1), name: "read".to_owned() }, AclLink { id: uuid(8), ..AclLink::default() }];
    let current = version.acl_policy_links(Some(&links));
    assert_eq!(current, [AclLink { id: uuid(1), name: "renamed".to_owned() }]);
    acl(&store, AclCommand::DeletePolicies(vec![uuid(1)])).unwrap();
    acl(&store, AclCommand::SetPolicies(vec![policy(2, "renamed")])).unwrap();
    acl(&store, AclCommand::DeleteRoles(vec![uuid(3)])).unwrap();
    assert!(store.version().acl_role_by_name("r1", &mut watch()).1.is_none());
}

#[test]
fn an_auth_method_goes_with_its_rules_and_tokens() {
    let store = Store::new();
    let method = AclAuthMethod { name: "JWT".to_owned(), ..AclAuthMethod::default() };
    let rule = AclBindingRule { id: uuid(1), auth_method: "jwt".to_owned(), ..AclBindingRule::default() };
    assert_eq!(
        acl(&store, AclCommand::SetBindingRules(vec![rule.clone()])).unwrap_err(),
        "cannot find auth method with name \"jwt\""
    );
    acl(&store, AclCommand::SetAuthMethods(vec![method])).unwrap();
    acl(&store, AclCommand::SetBindingRules(vec![rule])).unwrap();
    let login = AclToken { auth_method: "JWT".to_owned(), ..token(2, "login") };
    acl(&store, AclCommand::SetTokens(vec![login, token(3, "other")])).unwrap();
    let gone = acl(&store, AclCommand::DeleteAuthMethods(vec!["jwt".to_owned()])).unwrap();
    let version = store.version();
    assert_eq!(version.acl_auth_methods(&mut watch()).1.count(), 0);
    assert_eq!(version.acl_binding_rules(&mut watch()).1.count(), 0);
    assert!(version.acl_token_by_secret("login").is_none() && version.acl_token_by_secret("other").is_some());
    assert_eq!(version.table_index(Table::AclTokens, &mut watch()), gone);
}

#[test]
fn commands_and_tokens_show_no_secret() {
    let command = Command::Acl(AclCommand::SetTokens(vec![token(1, "s3cret")]));
    assert!(!format!("{command:?}").contains("s3cret"));
}

#[test]
fn documents_are_replaced_and_deleted_by_index() {
    let store = Store::new();
    let entry = |protocol: &str| ConfigEntry {
        kind: "service-defaults".to_owned(),
        name: "web".to_owned(),
        fields: [("Protocol".to_owned(), protocol.into())].into_iter().collect(),
        ..ConfigEntry::default()
    };
    let put = |protocol: &str, cas| {
        applied(
            &store,
            Command::ConfigEntry(ConfigEntryCommand::Set { entry: Box::new(entry(protocol)), cas }),
        )
    };
    let delete = |cas| {
        let (kind, name) = ("service-defaults".to_owned(), "WEB".to_owned());
        applied(&store, Command::ConfigEntry(ConfigEntryCommand::Delete { kind, name, cas }))
    };
    let index = || store.version().table_index(Table::ConfigEntries, &mut watch());
    assert!(!put("http", Some(9)) && put("http", Some(0)) && !put("grpc", Some(0)));
    let first = index();
    assert!(put("http", None));
    assert_eq!(index(), first, "an equal document changes nothing");
    assert!(put("grpc", Some(first)));
    assert_eq!(store.version().config_entries(Some("service-defaults"), &mut watch()).1.count(), 1);
    assert_eq!(store.version().config_entries(Some("mesh"), &mut watch()).1.count(), 0);
    assert!(!delete(Some(first)) && delete(Some(index())) && delete(None) && !delete(Some(1)));
    assert!(store.version().config_entry("service-defaults", "web", &mut watch()).1.is_none());
}

fn intention(number: u32, source: &str, destination: &str) -> Intention {
    Intention {
        id: uuid(number),
        source_name: source.to_owned(),
        destination_name: destination.to_owned(),
        action: "allow".to_owned(),
        ..Intention::default()
    }
}

fn put_intention(store: &Store, mut intention: Intention) -> Result<(), String> {
    intention::validate(&mut intention).map_err(|error| error.to_string())?;
    let outcome = apply(store, Command::Intention(IntentionCommand::Set(Box::new(intention))));
    outcome.reply.map(drop).map_err(|error| error.to_string())
}

#[test]
fn the_most_specific_intention_comes_first() {
    let store = Store::new();
    for (number, source, destination) in
        [(1, "*", "*"), (2, "a", "*"), (3, "*", "b"), (4, "a", "b"), (5, "c", "d")]
    {
        put_intention(&store, intention(number, source, destination)).unwrap();
    }
    let version = store.version();
    let matching = |side, name: &str| -> Vec<String> {
        let (_, found) = version.intentions_matching(side, name, &mut watch());
        found.into_iter().map(|intention| intention.id.clone()).collect()
    };
    assert_eq!(matching(Side::Destination, "B"), [4, 3, 2, 1].map(uuid));
    assert_eq!(matching(Side::Source, "a"), [4, 3, 2, 1].map(uuid));
    assert_eq!(version.intention_exact("c", "d", &mut watch()).1.unwrap().precedence, 9);
    assert_eq!(version.intentions(&mut watch()).1.len(), 5);
    assert_eq!(
        put_intention(&store, intention(6, "A", "b")).unwrap_err(),
        format!("duplicate intention found: ALLOW default/a => default/b (ID: {}, Precedence: 9)", uuid(4))
    );
    put_intention(&store, Intention { action: "deny".to_owned(), ..intention(4, "a", "b") }).unwrap();
    apply(&store, Command::Intention(IntentionCommand::Delete { id: uuid(4) })).reply.unwrap();
    assert!(store.version().intention(&uuid(4), &mut watch()).unwrap().1.is_none());
}

#[test]
fn an_intention_needs_names_and_an_action() {
    let store = Store::new();
    let bare = Intention { id: uuid(1), ..Intention::default() };
    assert_eq!(
        put_intention(&store, bare).unwrap_err(),
        "3 errors occurred:\n\t* SourceName must be set\n\t* DestinationName must be set\n\
         \t* Action must be set to 'allow' or 'deny'\n\n"
    );
    assert!(put_intention(&store, intention(1, "we*", "b")).is_err());
}

#[test]
fn autopilot_is_replaced_by_index() {
    let store = Store::new();
    let put = |max_trailing_logs, cas| {
        let config = AutopilotConfig { max_trailing_logs, ..AutopilotConfig::default() };
        applied(&store, Command::Autopilot(AutopilotCommand { config, cas }))
    };
    assert!(store.version().autopilot(&mut watch()).1.is_none());
    assert!(!put(1, Some(1)) && put(1, None));
    let created = store.version().autopilot(&mut watch()).1.unwrap().modify_index;
    assert!(!put(2, Some(created + 1)) && put(2, Some(created)));
    let version = store.version();
    let config = version.autopilot(&mut watch()).1.unwrap();
    assert_eq!((config.create_index, config.max_trailing_logs), (created, 2));
}
