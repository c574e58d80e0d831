//! How much a test does: enough to see the fault in every run, or the long form of `make faults`, which tries for minutes.

/// The first number usually, the second where `ROSTER_FAULTS=long`.
pub fn of_form<T>(short: T, long: T) -> T {
    match std::env::var("ROSTER_FAULTS").as_deref() {
        Ok("long") => long,
        _ => short,
    }
}

/// The seeds of a test that draws its story: the first few, or all; `ROSTER_TEST_SEEDS=7,8` names them.
pub fn seeds(short: u64, long: u64) -> Vec<u64> {
    let Ok(given) = std::env::var("ROSTER_TEST_SEEDS") else {
        return (0..of_form(short, long)).collect();
    };
    let seeds = given.split(',');
    seeds.map(|seed| seed.parse().expect("a number")).collect()
}
