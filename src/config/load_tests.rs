//! Settings from all places, and everything that is wrong with them at once.

use super::*;

fn load(environment: &[(&str, &str)]) -> Result<Config, Error> {
    Config::load(
        None,
        environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    )
}

#[test]
fn defaults_are_valid_and_the_environment_wins() {
    let config = load(&[]).expect("defaults");
    config.validate().expect("valid");
    assert!(config.is_embedded());
    let config = load(&[
        ("ROSTER__INGEST__MAX_BATCH_ROWS", "7"),
        ("ROSTER__DATABASE__URL", "postgresql://u:secret@h/d"),
        ("OTHER", "x"),
    ])
    .expect("environment");
    assert_eq!(config.ingest.max_batch_rows, 7);
    assert!(!format!("{config:?}").contains("secret"));
    assert!(!toml_of(&config).contains("secret"));
}

fn toml_of(config: &Config) -> String {
    serde_json::to_string(config).expect("plain values")
}

fn complaint(environment: &[(&str, &str)]) -> String {
    let environment = environment.iter();
    let environment = environment.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let (config, faults) = Config::read(None, environment.collect()).expect("read");
    let complaint = config.validate_beside(faults).err();
    complaint.map_or_else(String::new, |error| error.to_string())
}

#[test]
fn unknown_keys_and_every_bad_value_are_told() {
    assert!(load(&[("ROSTER__INGEST__ROWS", "7")]).is_err());
    let text = complaint(&[
        ("ROSTER__LIMITS__DEPTH", "1000"),
        ("ROSTER__INGEST__MAX_BATCH_ROWS", "0"),
        ("ROSTER__INGEST__ROWS", "7"),
        ("ROSTER__SERVER__LISTEN", "everywhere"),
        ("ROSTER__SERVER__WORKERS", "many"),
        ("ROSTER__KEYS__CACHE_SECONDS", "99"),
    ]);
    for told in [
        "depth",
        "max_batch_rows",
        "`rows`",
        "listen",
        "workers",
        "cache_seconds",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn of_a_file_every_bad_value_is_told_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("roster.toml");
    let text =
        "[server]\nworkers = 'many'\nlisten = '0.0.0.0:1'\n[log]\nformat = 'xml'\nlevel = 'warn'\n";
    std::fs::write(&file, text).expect("written");
    let environment = [("ROSTER__LOG__LEVEL".to_owned(), "error".to_owned())];
    let read = Config::read(Some(&file), HashMap::from(environment));
    let (config, faults) = read.expect("read");
    assert_eq!(faults.len(), 2, "{faults:?}");
    let kept = (config.server.listen.port(), config.log.level.as_str());
    assert_eq!(kept, (1, "error"), "the environment wins all the same");
    std::fs::write(&file, "[server").expect("written");
    assert!(Config::read(Some(&file), HashMap::new()).is_err());
}

#[test]
fn what_would_refuse_or_silence_everything_is_told() {
    for (variable, value) in [
        ("LIMITS__DEPTH", "0"),
        ("LIMITS__BATCH_ITEMS", "0"),
        ("LIMITS__NAME_BYTES", "0"),
        ("LIMITS__IDENTITY_BYTES", "0"),
        ("LIMITS__MESSAGE_ID_BYTES", "0"),
        ("LIMITS__EVENT_BYTES", "0"),
        ("INGEST__WRITE_DEADLINE_MS", "0"),
        ("LOG__LEVEL", "a=b=c"),
        ("LOG__LEVEL", "verbose"),
        ("LOG__LINES_PER_MINUTE", "0"),
        ("DATABASE__MAX_CLOCK_DIFFERENCE_MS", "0"),
        ("SERVER__SHUTDOWN_TIMEOUT_MS", "0"),
        ("SERVER__PUBLIC_URL", "events.example.com"),
        ("LEGACY__URL", "elastic:9200"),
        ("LEGACY__URL", "http://u:pw3@h:9200"),
        ("TRACES__ENDPOINT", "http://u:pw3@h:4318"),
    ] {
        let text = complaint(&[(&format!("ROSTER__{variable}"), value)]);
        let name = variable.to_lowercase().replace("__", ".");
        assert!(
            text.contains(&name) && !text.contains("pw3"),
            "{name}: {text}"
        );
    }
    let fine = [
        (
            "ROSTER__SERVER__PUBLIC_URL",
            "https://events.example.com/in/",
        ),
        ("ROSTER__LEGACY__URL", "http://127.0.0.1:9200"),
    ];
    assert_eq!(complaint(&fine), "");
}

#[test]
fn a_text_of_the_environment_stays_the_text_it_is() {
    let texts = ["00123", "+49123", "Infinity", "1e5", "TRUE", "-0", "0x1F"];
    for text in texts {
        let config = load(&[
            ("ROSTER__TRACES__AUTHORIZATION", text),
            ("ROSTER__LEGACY__USERNAME", text),
            ("ROSTER__LEGACY__PASSWORD", text),
            ("ROSTER__LEGACY__CA_FILE", text),
            ("ROSTER__LIMITS__PLACEHOLDERS", text),
            ("ROSTER__BACKFILL__KAFKA__SASL.PASSWORD", text),
        ]);
        let config = config.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(config.traces.authorization.reveal(), text);
        assert_eq!(config.legacy.username, text);
        assert_eq!(config.legacy.password.reveal(), text);
        assert_eq!(config.legacy.ca_file.as_deref(), Some(Path::new(text)));
        assert_eq!(config.limits.placeholders, text);
        assert_eq!(config.backfill.kafka["sasl.password"].reveal(), text);
    }
}

#[test]
fn numbers_booleans_and_lists_are_read_from_the_environment() {
    let config = load(&[
        ("ROSTER__DATABASE__MIGRATE", "False"),
        ("ROSTER__TRACES__SAMPLE_RATIO", "1"),
        ("ROSTER__SERVER__WORKERS", "3"),
        ("ROSTER__LEGACY__INDICES", "shop = people-*, news = readers"),
    ])
    .expect("read");
    let read = (config.database.migrate, config.traces.sample_ratio);
    assert_eq!(read, (false, 1.0));
    assert_eq!(config.server.workers, 3);
    let indices = &config.legacy.indices;
    assert!(indices.allows("shop", "people-1") && indices.allows("news", "readers"));
}

/// What a file with these lines is refused for.
fn complaint_about(lines: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("roster.toml");
    std::fs::write(&file, lines).expect("written");
    match Config::read(Some(&file), HashMap::new()) {
        Ok((config, faults)) => {
            let complaint = config.validate_beside(faults).err();
            complaint.map_or_else(String::new, |error| error.to_string())
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_value_of_a_wrong_type_is_refused_by_its_name() {
    for (section, name, values) in [
        ("server", "max_connections", ["true", "'9'", "2.0"]),
        ("server", "workers", ["1.5", "-1", "[]"]),
        ("ingest", "patience_ms", ["0.4", "false", "1.0"]),
        ("database", "migrate", ["2", "'yes'", "0"]),
        ("legacy", "username", ["7", "true", "1.5"]),
    ] {
        for value in values {
            let told = complaint_about(&format!("[{section}]\n{name} = {value}\n"));
            let setting = format!("{section}.{name}");
            assert!(told.contains(&setting), "{setting} = {value}: {told}");
        }
    }
    for (variable, values) in [
        ("SERVER__MAX_CONNECTIONS", ["true", "2.0"]),
        ("SERVER__WORKERS", ["1.5", "18446744073709551615"]),
        ("DATABASE__MIGRATE", ["2", "yes"]),
        ("TRACES__SAMPLE_RATIO", ["all", "true"]),
    ] {
        for value in values {
            let told = complaint(&[(&format!("ROSTER__{variable}"), value)]);
            let setting = variable.to_lowercase().replace("__", ".");
            assert!(told.contains(&setting), "{setting} = {value}: {told}");
        }
    }
}

#[test]
fn a_secret_of_a_wrong_type_or_in_a_broken_line_is_not_repeated() {
    for lines in [
        "[legacy]\npassword = 4711\n",
        "[legacy]\npassword = 4711 4711\n",
        "[backfill.kafka]\n'sasl.password' = [4711]\n",
        "[traces]\n\nauthorization = 'x4711\n",
    ] {
        let told = complaint_about(lines);
        assert!(!told.is_empty() && !told.contains("4711"), "{told}");
    }
    let told = complaint_about("[traces]\n\nauthorization = 'x4711\n");
    assert!(told.contains("line 3"), "{told}");
}

#[test]
fn an_address_with_a_password_is_refused_and_not_repeated() {
    for lines in [
        "[server]\npublic_url = 'https://u:4711@h/'\n",
        "[[imports.pulls.places]]\nurl = 'https://u:4711@h/'\nprojects = ['*']\n",
        "[[imports.pulls.places]]\nurl = 's3://b/'\nendpoint = 'https://u:4711@h/'\nprojects = ['*']\n",
    ] {
        let told = complaint_about(lines);
        assert!(told.contains(" holds "), "{told}");
        assert!(!told.contains("4711"), "{told}");
    }
}

#[test]
fn properties_of_kafka_need_no_quotes_where_they_are_numbers_or_booleans() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("roster.toml");
    let lines = "[backfill.kafka]\n'session.timeout.ms' = 6000\n'enable.metrics.push' = false\n";
    std::fs::write(&file, lines).expect("written");
    let config = Config::load(Some(&file), HashMap::new()).expect("read");
    let shown = |name: &str| config.backfill.kafka[name].reveal();
    assert_eq!(shown("session.timeout.ms"), "6000");
    assert_eq!(shown("enable.metrics.push"), "false");
}

#[test]
fn no_number_is_so_large_that_something_overflows() {
    let all = entries();
    let numbers = all.iter().filter(|one| one.default.parse::<i64>().is_ok());
    for entry in numbers {
        let told = complaint(&[(&entry.variable(), &i64::MAX.to_string())]);
        assert!(told.contains(&entry.key), "{}: {told}", entry.key);
    }
    for (variable, value) in [
        ("SERVER__WORKERS", "1000000"),
        ("IMPORTS__EXPIRE_SECONDS", "10000000000000"),
        ("DATABASE__STATEMENT_TIMEOUT_MS", "9000000000"),
        ("INGEST__PARALLEL_FLUSHES", "9223372036854775807"),
        ("BACKFILL__MAX_RECORD_BYTES", "9223372036854775807"),
    ] {
        let told = complaint(&[(&format!("ROSTER__{variable}"), value)]);
        assert!(told.contains("must be at most"), "{variable}: {told}");
    }
}
