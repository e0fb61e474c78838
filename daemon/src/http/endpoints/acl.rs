//! `/v1/acl/*` and the UI's permission check: while access control is off, each of them says so.

use std::sync::Arc;

use http::{Method, StatusCode};

use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;

const GET: &[Method] = &[Method::GET];
const PUT: &[Method] = &[Method::PUT];
const POST: &[Method] = &[Method::POST];
const OBJECT: &[Method] = &[Method::GET, Method::PUT, Method::DELETE];

/// What every endpoint of access control answers while it is off.
pub const DISABLED: &str = "ACL support disabled";

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/acl/bootstrap", PUT, handler!(disabled)),
    Route::exact("/v1/acl/create", PUT, handler!(disabled)),
    Route::exact("/v1/acl/update", PUT, handler!(disabled)),
    Route::prefix("/v1/acl/destroy/", PUT, handler!(disabled)),
    Route::prefix("/v1/acl/info/", GET, handler!(disabled)),
    Route::prefix("/v1/acl/clone/", PUT, handler!(disabled)),
    Route::exact("/v1/acl/list", GET, handler!(disabled)),
    Route::exact("/v1/acl/login", POST, handler!(disabled)),
    Route::exact("/v1/acl/logout", POST, handler!(disabled)),
    Route::exact("/v1/acl/replication", GET, handler!(disabled)),
    Route::exact("/v1/acl/policies", GET, handler!(disabled)),
    Route::exact("/v1/acl/policy", PUT, handler!(disabled)),
    Route::prefix("/v1/acl/policy/", OBJECT, handler!(disabled)),
    Route::prefix("/v1/acl/policy/name/", GET, handler!(disabled)),
    Route::exact("/v1/acl/roles", GET, handler!(disabled)),
    Route::exact("/v1/acl/role", PUT, handler!(disabled)),
    Route::prefix("/v1/acl/role/name/", GET, handler!(disabled)),
    Route::prefix("/v1/acl/role/", OBJECT, handler!(disabled)),
    Route::exact("/v1/acl/binding-rules", GET, handler!(disabled)),
    Route::exact("/v1/acl/binding-rule", PUT, handler!(disabled)),
    Route::prefix("/v1/acl/binding-rule/", OBJECT, handler!(disabled)),
    Route::exact("/v1/acl/auth-methods", GET, handler!(disabled)),
    Route::exact("/v1/acl/auth-method", PUT, handler!(disabled)),
    Route::prefix("/v1/acl/auth-method/", OBJECT, handler!(disabled)),
    Route::exact("/v1/acl/rules/translate", POST, handler!(disabled)),
    Route::prefix("/v1/acl/rules/translate/", GET, handler!(disabled)),
    Route::exact("/v1/acl/tokens", GET, handler!(disabled)),
    Route::exact("/v1/acl/token", PUT, handler!(disabled)),
    Route::exact("/v1/acl/token/self", GET, handler!(disabled)),
    Route::prefix("/v1/acl/token/", OBJECT, handler!(disabled)),
    Route::exact("/v1/acl/templated-policies", GET, handler!(disabled)),
    Route::prefix("/v1/acl/templated-policy/name/", GET, handler!(disabled)),
    Route::prefix("/v1/acl/templated-policy/preview/", POST, handler!(disabled)),
    Route::exact("/v1/internal/acl/authorize", POST, handler!(disabled)),
];

async fn disabled(_: Arc<Agent>, _: Request) -> Result<Reply, Failure> {
    Err(Failure::new(StatusCode::UNAUTHORIZED, DISABLED))
}
