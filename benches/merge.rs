//! How fast a profile of 50 traits takes a write of 50, from stored text to stored text.

use criterion::{Criterion, criterion_group, criterion_main};
use roster::domain::profile::Traits;
use roster::domain::{Json, Mode, Stamp, TraitWrite};
use std::collections::BTreeMap;
use std::hint::black_box;

const TRAITS: usize = 50;

fn write(at: i64, value: &str) -> TraitWrite {
    TraitWrite {
        stamp: Stamp::live(at),
        times: BTreeMap::new(),
        mode: Mode::Single,
        traits: (0..TRAITS)
            .map(|index| {
                let value = Json::from_database(format!(r#""{value}-{index}""#));
                (format!("trait_{index:02}"), value)
            })
            .collect(),
    }
}

fn merge(criterion: &mut Criterion) {
    let mut known = Traits::default();
    known.merge(&write(1, "known"));
    let (traits, stamps) = known.to_stored();
    let newer = write(2, "newer");
    criterion.bench_function("merge_50_traits", |bencher| {
        bencher.iter(|| {
            let mut merged = Traits::from_stored(&traits, &stamps).expect("own text");
            black_box(merged.merge(&newer));
            black_box(merged.to_stored())
        });
    });
}

criterion_group!(benches, merge);
criterion_main!(benches);
