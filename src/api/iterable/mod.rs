//! The Iterable-compatible API: users, events and purchases as Iterable's public clients send them
//! (`contracts/iterable-api.md`), answered in its envelopes. `docs/ITERABLE.md` says what is there, and what differs.

mod bulk;
mod commerce;
mod cors;
mod devices;
mod drawn;
mod events;
mod fault;
mod fields;
mod forgotten;
mod frame;
mod gone;
mod identity;
mod jwt;
mod known;
mod list_members;
mod lists;
mod messages;
mod names;
mod operations;
mod owners;
mod people;
mod reads;
mod refusal;
mod reply;
mod request;
mod saying;
mod sdk;
mod show;
mod spelling;
mod subscription_groups;
mod subscriptions;
mod timeline;
mod tokens;
mod types;
mod unknown;
mod users;
mod when;

pub use operations::{operations, shapes};

use crate::api::State;
use actix_web::dev::HttpServiceFactory;
use actix_web::guard::{self, GuardContext, fn_guard};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, Route};
use refusal::Failure;
use reply::Answer;
use request::Access::{self, Apps, Open, Readers, Servers};
use request::{Asked, Readable};

/// The busiest paths.
pub fn configure_busiest(app: &mut ServiceConfig) {
    app.service(at("users/update", [post(Apps, users::update)]))
        .service(at("users/bulkUpdate", [post(Servers, users::bulk_update)]))
        .service(at("events/track", [post(Apps, events::track)]))
        .service(at("events/trackBulk", [post(Servers, events::track_bulk)]));
}

/// The other paths; what has a name of its own stands before what takes any.
pub fn configure(app: &mut ServiceConfig) {
    app.service(at(
        "commerce/trackPurchase",
        [post(Apps, commerce::purchase)],
    ))
    .service(at(
        "commerce/updateCart",
        [post(Apps, commerce::update_cart)],
    ));
    configure_users(app);
    for (path, event_type) in messages::MESSAGES {
        let track = move |asked, readable| messages::track(asked, readable, event_type);
        app.service(at(path, [post(Apps, track)]));
    }
    for (path, access, document) in sdk::FIXED {
        let show = move |asked| sdk::show(asked, document);
        app.service(at(path, [get(access, show)]));
    }
    for path in ["unknownuser/events/session", "anonymoususer/events/session"] {
        app.service(at(path, [post(Open, unknown::session)]));
    }
    for path in ["unknownuser/list", "anonymoususer/list"] {
        app.service(at(path, [get(Open, unknown::criteria)]));
    }
    for path in ["unknownuser/consent", "anonymoususer/consent"] {
        let thanked = |_, _| async { Ok(Answer::success()) };
        app.service(at(path, [post(Open, thanked)]));
    }
    configure_addresses(app);
    configure_lists(app);
    app.service(at(
        "auth/jwts/invalidate",
        [post(Servers, tokens::invalidate)],
    ));
    app.service(at(
        "events/byUserId/{id}",
        [get(Readers, timeline::by_user_id)],
    ))
    .service(at("events/{email}", [get(Readers, timeline::by_email)]))
    .service(whatever_else());
}

fn configure_users(app: &mut ServiceConfig) {
    app.service(at(
        "users/updateEmail",
        [post(Apps, identity::update_email)],
    ))
    .service(at("users/merge", [post(Open, identity::merge)]))
    .service(at(
        "users/updateSubscriptions",
        [post(Apps, subscriptions::update)],
    ))
    .service(at(
        "users/bulkUpdateSubscriptions",
        [post(Servers, subscriptions::bulk_update)],
    ))
    .service(at(
        "users/registerDeviceToken",
        [post(Apps, devices::register)],
    ))
    .service(at(
        "users/registerBrowserToken",
        [post(Apps, devices::register_browser)],
    ))
    .service(at("users/disableDevice", [post(Open, devices::disable)]))
    .service(at("users/forget", [post(Servers, gone::forget)]))
    .service(at("users/unforget", [post(Servers, gone::unforget)]))
    .service(at("users/getByEmail", [get(Readers, reads::by_email)]))
    .service(at("users/getFields", [get(Readers, reads::fields)]))
    .service(at("users/forgotten", [get(Readers, forgotten::emails)]))
    .service(at(
        "users/forgottenUserIds",
        [get(Readers, forgotten::user_ids)],
    ))
    .service(at("users/byUserId", [get(Readers, reads::by_user_id)]))
    .service(at(
        "users/byUserId/{id}",
        [
            get(Readers, reads::by_user_id_in_path),
            delete(Servers, gone::delete_by_user_id),
        ],
    ));
}

fn configure_lists(app: &mut ServiceConfig) {
    app.service(at(
        "lists",
        [get(Readers, lists::show), post(Servers, lists::create)],
    ))
    .service(at("lists/subscribe", [post(Servers, lists::subscribe)]))
    .service(at("lists/unsubscribe", [post(Servers, lists::unsubscribe)]))
    .service(at("lists/getUsers", [get(Readers, list_members::all)]))
    .service(at(
        "lists/previewUsers",
        [get(Readers, list_members::preview)],
    ))
    .service(at("lists/{id}/size", [get(Readers, lists::size)]))
    .service(at("lists/{id}", [delete(Servers, lists::delete)]))
    .service(at(
        "subscriptions/{group}/{id}",
        [put(Servers, subscription_groups::bulk)],
    ))
    .service(at(
        "subscriptions/{group}/{id}/user/{email}",
        [
            patch(Servers, subscription_groups::subscribe_email),
            delete(Servers, subscription_groups::unsubscribe_email),
        ],
    ))
    .service(at(
        "subscriptions/{group}/{id}/byUserId/{userId}",
        [
            patch(Servers, subscription_groups::subscribe_user_id),
            delete(Servers, subscription_groups::unsubscribe_user_id),
        ],
    ));
}

/// `users/{email}` takes what no other path takes.
fn configure_addresses(app: &mut ServiceConfig) {
    app.service(at(
        "users/{email}",
        [
            get(Readers, reads::by_email_in_path),
            delete(Servers, gone::delete_by_email),
        ],
    ));
}

/// What no path takes, but below `/api/s/`, where Jitsu's are.
fn whatever_else() -> impl HttpServiceFactory {
    let is_ours = |context: &GuardContext<'_>| !context.head().uri.path().starts_with("/api/s/");
    web::resource("/api/{anything:.*}")
        .guard(fn_guard(is_ours))
        .route(web::method(Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(reply::not_found))
        .wrap(from_fn(cors::cross_origin))
}

/// A path with its routes, its preflight, and CORS on every answer.
fn at<const N: usize>(path: &str, routes: [Route; N]) -> impl HttpServiceFactory + use<N> {
    let resource = web::resource(format!("/api/{path}"))
        .route(web::method(Method::OPTIONS).to(cors::preflight))
        .default_service(web::to(reply::not_found));
    let resource = routes
        .into_iter()
        .fold(resource, actix_web::Resource::route);
    resource.wrap(from_fn(cors::cross_origin))
}

fn post<F, R>(access: Access, act: F) -> Route
where
    F: Fn(Asked, Readable) -> R + Clone + 'static,
    R: Future<Output = Result<Answer, Failure>> + 'static,
{
    telling(web::post(), access, act)
}

fn put<F, R>(access: Access, act: F) -> Route
where
    F: Fn(Asked, Readable) -> R + Clone + 'static,
    R: Future<Output = Result<Answer, Failure>> + 'static,
{
    telling(web::put(), access, act)
}

fn telling<F, R>(route: Route, access: Access, act: F) -> Route
where
    F: Fn(Asked, Readable) -> R + Clone + 'static,
    R: Future<Output = Result<Answer, Failure>> + 'static,
{
    route.to(
        move |request: HttpRequest, payload: Payload, state: Data<State>| {
            let act = act.clone();
            async move {
                let outcome = async {
                    let asked = Asked::new(request.clone(), state.clone(), access).await?;
                    let readable = asked.read(payload).await?;
                    act(asked, readable).await
                };
                reply::answer(&request, &state, outcome.await)
            }
        },
    )
}

fn get<F, R>(access: Access, act: F) -> Route
where
    F: Fn(Asked) -> R + Clone + 'static,
    R: Future<Output = Result<Answer, Failure>> + 'static,
{
    let is_read = guard::Any(guard::Get()).or(guard::Head());
    asking(web::route().guard(is_read), access, act)
}

fn patch<F, R>(access: Access, act: F) -> Route
where
    F: Fn(Asked) -> R + Clone + 'static,
    R: Future<Output = Result<Answer, Failure>> + 'static,
{
    asking(web::patch(), access, act)
}

fn delete<F, R>(access: Access, act: F) -> Route
where
    F: Fn(Asked) -> R + Clone + 'static,
    R: Future<Output = Result<Answer, Failure>> + 'static,
{
    asking(web::delete(), access, act)
}

/// A body of a read is nobody's concern: some clients send `{}` with each.
fn asking<F, R>(route: Route, access: Access, act: F) -> Route
where
    F: Fn(Asked) -> R + Clone + 'static,
    R: Future<Output = Result<Answer, Failure>> + 'static,
{
    route.to(move |request: HttpRequest, state: Data<State>| {
        let act = act.clone();
        async move {
            let outcome = async {
                let asked = Asked::new(request.clone(), state.clone(), access).await?;
                act(asked).await
            };
            reply::answer(&request, &state, outcome.await)
        }
    })
}
