//! Counts and times every request by its route, and gives each an id under which the log speaks of it.

use super::connections::connection::Connection;
use super::{State, ops};
use crate::metric_names::{HTTP_REQUESTS, HTTP_SECONDS};
use crate::traces::{self, Span};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use metrics::{Counter, Histogram, counter, histogram};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C's Trace Context: of which trace the caller is a part.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

thread_local! {
    /// The handles of each route that this thread has served: making the labels of a metric costs more than raising it. Routes are
    /// patterns, so there are as many as `configure` has.
    static ROUTES: RefCell<HashMap<String, Route>> = RefCell::default();
}

/// What requests of one route are counted with.
struct Route {
    seconds: Histogram,
    answers: HashMap<StatusCode, Counter>,
}

/// The middleware.
pub async fn observe<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let connection = request.conn_data::<Rc<Connection>>().cloned();
    let _turn = connection.map(Connection::begin_turn);
    let method = request.method().clone();
    let mut span = traced(&request);
    let mut response = traces::within(span.as_ref(), next.call(request)).await?;
    // The pattern, never the path: paths carry keys and people.
    let route = response
        .request()
        .match_pattern()
        .unwrap_or_else(|| "none".into());
    let status = response.status();
    count(&route, status, started.elapsed());
    let id = Uuid::now_v7();
    // A probe that is told "not ready" got what it asked for.
    if status.is_server_error() && route != "/readyz" {
        tracing::warn!(
            request_id = %id,
            route,
            status = status.as_u16(),
            "request failed"
        );
    }
    if let Some(span) = &mut span {
        tell(span, (&method, &route, status), id);
    }
    let mut text = Uuid::encode_buffer();
    if let Ok(id) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// The span of a request that is traced. Probes are not: nobody waits for them.
fn traced(request: &ServiceRequest) -> Option<Span> {
    let tracer = request.app_data::<Data<State>>()?.tracer.as_ref()?;
    if ops::PATHS.contains(&request.path()) {
        return None;
    }
    let header = request.headers().get(TRACEPARENT);
    tracer.request(header.and_then(|value| value.to_str().ok()))
}

fn tell(span: &mut Span, (method, route, status): (&Method, &str, StatusCode), id: Uuid) {
    span.rename(format!("{method} {route}"));
    span.note("http.request.method", method.as_str().to_owned());
    span.note("http.route", route.to_owned());
    span.note("http.response.status_code", usize::from(status.as_u16()));
    span.note("roster.request_id", id.to_string());
    if status.is_server_error() {
        span.fail(status.as_str().to_owned());
    }
}

fn count(route: &str, status: StatusCode, time: Duration) {
    ROUTES.with_borrow_mut(|routes| {
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), Route::of(route));
        }
        let counted = routes.get_mut(route).expect("just seen to");
        counted.seconds.record(time);
        counted.answer(route, status).increment(1);
    });
}

impl Route {
    fn of(route: &str) -> Self {
        Self {
            seconds: histogram!(HTTP_SECONDS, "route" => route.to_owned()),
            answers: HashMap::new(),
        }
    }

    fn answer(&mut self, route: &str, status: StatusCode) -> &Counter {
        let labelled = || {
            let status = status.as_str().to_owned();
            counter!(HTTP_REQUESTS, "route" => route.to_owned(), "status" => status)
        };
        self.answers.entry(status).or_insert_with(labelled)
    }
}
