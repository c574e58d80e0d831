//! Counts and times every request by its route, and gives each an id under which the log speaks of it.

use super::newcomers::Place;
use crate::metric_names::{HTTP_REQUESTS, HTTP_SECONDS};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use metrics::{Counter, Histogram, counter, histogram};
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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
    if let Some(place) = request.conn_data::<Place>() {
        place.leave();
    }
    let mut response = next.call(request).await?;
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
    let mut text = Uuid::encode_buffer();
    if let Ok(id) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
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
