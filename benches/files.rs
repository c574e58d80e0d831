//! How fast the bytes of a file become records: lines of objects, and rows of a table.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roster::files::{FileLimits, FileReader, Layout};
use std::hint::black_box;

const RECORDS: usize = 20_000;
/// As an upload comes.
const PIECE: usize = 64 << 10;

fn lines() -> String {
    let line = |number: usize| {
        format!(
            "{{\"type\":\"track\",\"event\":\"Product Viewed\",\"userId\":\"user-{number:07}\",\"messageId\":\"m-{number:012}\",\"timestamp\":\"2026-08-01T12:00:00Z\",\"properties\":{{\"sku\":\"G-{number:04}\",\"price\":19.95}}}}\n"
        )
    };
    (0..RECORDS).map(line).collect()
}

fn table() -> String {
    let row = |number: usize| {
        format!(
            "person-{number}@example.com,\"Name, {number}\",pro,{number},2026-08-01,\"says \"\"hi\"\"\"\n"
        )
    };
    let header = "email,name,plan,score,since,note\n".to_owned();
    std::iter::once(header)
        .chain((0..RECORDS).map(row))
        .collect()
}

fn read(format: &str, text: &str) -> usize {
    let mut layout = Layout::default();
    layout.set("format", format).expect("a format");
    let mut reader = FileReader::new(&layout, FileLimits::default()).expect("a layout");
    let (mut records, mut count) = (Vec::new(), 0);
    for piece in text.as_bytes().chunks(PIECE) {
        reader.feed(piece, &mut records).expect("a good file");
        count += black_box(&records).len();
        records.clear();
    }
    reader.end(&mut records).expect("a good file");
    count + records.len()
}

fn files(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("files");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (format, text) in [("ndjson", lines()), ("json", lines()), ("csv", table())] {
        assert_eq!(read(format, &text), RECORDS);
        group.bench_with_input(
            BenchmarkId::from_parameter(format),
            &text,
            |bencher, text| {
                bencher.iter(|| black_box(read(format, text)));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, files);
criterion_main!(benches);
