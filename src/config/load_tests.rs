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
