//! How fast a body of 100 track calls becomes items.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roster::api::buffer::Body;
use roster::api::charge::Charge;
use roster::api::document::Document;
use roster::api::tracking::call::Source;
use roster::api::tracking::items;
use roster::config::Config;
use roster::domain::{Class, KeyKind, ProjectId, Timestamp};
use roster::ingest::Admission;
use std::collections::HashMap;
use std::hint::black_box;

const CALLS: usize = 100;

fn body() -> Bytes {
    let call = |index: usize| {
        format!(
            r#"{{"type":"track","event":"Product Viewed","userId":"user-{index:07}","messageId":"76309aa1-4dd3-4019-9f4e-{index:012}","timestamp":"2026-08-01T12:00:00.123Z","properties":{{"product_id":"507f1f77bcf86cd7994{index:05}","sku":"G-{index:04}","category":"Apparel","price":19.95,"quantity":1,"currency":"EUR","color":"navy","position":{index},"coupon":null}},"context":{{"library":{{"name":"@segment/analytics-node","version":"2.3.0"}},"ip":"203.0.113.7","locale":"de-DE","timezone":"Europe/Berlin","page":{{"path":"/shop/{index}","title":"Shop"}}}},"integrations":{{}}}}"#
        )
    };
    let calls: Vec<String> = (0..CALLS).map(call).collect();
    format!(
        r#"{{"batch":[{}],"sentAt":"2026-08-01T12:00:01.000Z"}}"#,
        calls.join(",")
    )
    .into()
}

fn parse(criterion: &mut Criterion) {
    let limits = Config::load(None, HashMap::new()).expect("defaults").limits;
    let body = body();
    let source = Source {
        project_id: ProjectId(1),
        class: Class::Live,
        by: KeyKind::Write,
        kinds: std::sync::Arc::default(),
        signing: None,
        received_at: Timestamp::from_micros(1_785_585_602_000_000).expect("small"),
        sent_at: None,
        idempotency_key: None,
        path_type: None,
    };
    let admission = Admission::new(1 << 30);
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(CALLS as u64));
    group.bench_function("batch_of_100", |bencher| {
        bencher.iter(|| {
            let document = Document::new(Body::loose(body.clone()), 1 << 20).expect("room");
            let room = admission.try_reserve(0).expect("room");
            let mut charge = Charge::new(room, usize::MAX);
            black_box(items::items(&document, &source, &limits, &mut charge).expect("items"))
        });
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
