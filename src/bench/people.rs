//! Who and what is there before anything is measured: people with a user id, an anonymous id and traits, and events of theirs.

use super::bodies::{self, MESSAGE_ID, TIME, device_id, event_id, now, time_text, user_id};
use super::http::Connection;
use super::target::Target;
use anyhow::Result;
use tokio_postgres::Client;

/// People made by one statement.
const PEOPLE_AT_ONCE: u32 = 20_000;
/// People made by one request.
const PEOPLE_OF_A_REQUEST: u32 = 100;

const MAKE_PEOPLE: &str = "-- bench_make_people
WITH person AS (
    SELECT n, gen_random_uuid() AS profile_id FROM generate_series($2::INT4, $3::INT4 - 1) AS n
), born AS (
    INSERT INTO profile (project_id, profile_id, traits, stamps, version, created_at, updated_at)
    SELECT $1::INT4, profile_id, $4::TEXT::JSONB, '{\"base\":0}'::JSONB, 1, now(), now() FROM person
    RETURNING profile_id -- CockroachDB refuses a CTE that returns nothing
)
INSERT INTO identity (project_id, kind, value, profile_id, first_seen)
SELECT $1::INT4, called.kind, called.beginning || lpad(n::TEXT, 7, '0'), profile_id, now()
FROM person, (VALUES ('user_id', 'user-'), ('anonymous_id', 'device-')) AS called (kind, beginning)";

/// Events made by one statement.
const EVENTS_AT_ONCE: u32 = 50_000;

const MAKE_EVENTS: &str = "-- bench_make_events
INSERT INTO event (project_id, event_id, profile_id, type, name, occurred_at, received_at, properties, context, via)
SELECT $1::INT4, gen_random_uuid(), i.profile_id, 'track', 'Product Viewed', now() - n * INTERVAL '1 second', now(), $5::TEXT::JSONB, $6::TEXT::JSONB, 0
FROM generate_series($2::INT4, $3::INT4 - 1) AS n
JOIN identity AS i ON i.project_id = $1::INT4 AND i.kind = 'user_id' AND i.value = 'user-' || lpad((n % $4::INT4)::TEXT, 7, '0')";

/// Lets the people of a project have so many events behind them.
pub async fn make_events(
    client: &Client,
    project: i32,
    (people, events): (u32, u32),
) -> Result<()> {
    let sample = bodies::track(0);
    let (properties, context) = (sample.properties.get(), sample.context.get());
    let people = people.cast_signed();
    let mut first = 0;
    while first < events {
        let last = events.min(first + EVENTS_AT_ONCE);
        let (from, to) = (first.cast_signed(), last.cast_signed());
        client
            .execute(
                MAKE_EVENTS,
                &[&project, &from, &to, &people, &properties, &context],
            )
            .await?;
        first = last;
    }
    Ok(())
}

/// Fills a project with so many people.
pub async fn make_people(client: &Client, project: i32, people: u32) -> Result<()> {
    let traits = bodies::traits(0, "2026-01-05T08:00:00.000Z");
    let mut first = 0;
    while first < people {
        let last = people.min(first + PEOPLE_AT_ONCE);
        let (from, to) = (first.cast_signed(), last.cast_signed());
        client
            .execute(MAKE_PEOPLE, &[&project, &from, &to, &traits])
            .await?;
        first = last;
    }
    Ok(())
}

/// The same by requests, for a service whose database is not known. Who is there already stays.
pub async fn send_people(target: &Target, people: u32) -> Result<()> {
    let mut connection = Connection::open(target.socket).await?;
    let mut first = 0;
    while first < people {
        let last = people.min(first + PEOPLE_OF_A_REQUEST);
        let calls: Vec<String> = (first..last).map(introduction).collect();
        let body = format!(r#"{{"batch":[{}]}}"#, calls.join(","));
        let (host, prefix, length) = (&target.host, &target.prefix, body.len());
        let key = bodies::credential(&target.key);
        let request = format!(
            "POST {prefix}/v1/batch HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        connection.exchange(request.as_bytes()).await?;
        first = last;
    }
    Ok(())
}

fn introduction(number: u32) -> String {
    let call = bodies::call_of_two_names(&bodies::identify(0));
    call.replace(bodies::USER_ID, &user_id(number))
        .replace(bodies::DEVICE_ID, &device_id(number))
        .replace(MESSAGE_ID, &event_id().hyphenated().to_string())
        .replace(TIME, &time_text(now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_introduction_has_both_names_and_no_mark() {
        let call: serde_json::Value = serde_json::from_str(&introduction(7)).expect("JSON");
        assert_eq!(call["userId"], "user-0000007");
        assert_eq!(call["anonymousId"], "device-0000007");
        let text = call.to_string().replace("@segment/", "");
        assert!(!text.contains('@'), "{text}");
    }
}
