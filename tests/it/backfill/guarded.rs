//! Brokers that want to know who comes (SASL, SCRAM) or are only reached encrypted (TLS): librdkafka's own properties are handed through.

use super::{Road, Settings, history};
use crate::harness::{Project, ROSTER, public_dir, shared};
use crate::java::free_port;
use crate::kafka::Broker;
use std::fs;
use std::path::Path;
use std::process::Command;

const PASSWORD: &str = "not-to-be-seen";

/// A key and a certificate of this machine's loopback address, which vouches for itself.
fn certificate(folder: &Path) {
    let mut command = Command::new("openssl");
    command.args([
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
    ]);
    command.args([
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]);
    command.arg("-keyout").arg(folder.join("key.pem"));
    command.arg("-out").arg(folder.join("ca.pem"));
    let made = command.output().expect("openssl runs");
    let told = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "{told}");
    let both =
        ["key.pem", "ca.pem"].map(|name| fs::read_to_string(folder.join(name)).expect("made"));
    fs::write(folder.join("both.pem"), both.concat()).expect("written");
}

/// A broker that is reached by TLS, or with a name and a password; the test itself comes in plainly.
async fn guarded(folder: &Path, tls: &str, sasl: &str) -> Broker {
    certificate(folder);
    let settings = format!(
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,KNOWN:SASL_PLAINTEXT\n\
         listener.name.tls.ssl.keystore.type=PEM\nlistener.name.tls.ssl.keystore.location={}\n\
         sasl.enabled.mechanisms=SCRAM-SHA-256\n\
         listener.name.known.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
        folder.join("both.pem").display()
    );
    let user = format!("SCRAM-SHA-256=[name=roster,password={PASSWORD}]");
    let listeners = [("TLS", tls), ("KNOWN", sasl)];
    Broker::with(
        folder.to_owned(),
        &listeners,
        &settings,
        &["--add-scram", &user],
    )
    .await
}

/// What `roster backfill run` says about brokers that it can't come to.
fn refused(road: &Road, address: &str, properties: &[&str]) -> String {
    let mut command = Command::new(ROSTER);
    command.args([
        "--database-url",
        &road.database_url,
        "backfill",
        "run",
        "--until-end",
    ]);
    command.args(["--topic", &road.topic, "--project", &road.project.name]);
    command.args(["--brokers", address]);
    for property in properties {
        command.args(["--kafka", property]);
    }
    let output = command.output().expect("runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{told}");
    assert!(!told.contains(PASSWORD), "{told}");
    // What it ends with, without what was logged on the way.
    let last = told.rfind("roster: ").expect("a reason");
    told[last..].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn backfill_comes_by_scram_and_by_tls_and_says_what_keeps_it_out() {
    let folder = public_dir("guarded");
    let [tls, sasl] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let broker = guarded(&folder, &tls, &sasl).await;
    let ca = format!(
        "\"ssl.ca.location\" = \"{}\"",
        folder.join("ca.pem").display()
    );
    let by_tls = format!("\"security.protocol\" = \"SSL\"\n{ca}");
    let by_scram = format!(
        "\"security.protocol\" = \"SASL_PLAINTEXT\"\n\"sasl.mechanism\" = \"SCRAM-SHA-256\"\n\
         \"sasl.username\" = \"roster\"\n\"sasl.password\" = \"{PASSWORD}\""
    );
    let (records, expected) = history(20, 3, 1);
    for (address, properties) in [(&tls, &by_tls), (&sasl, &by_scram)] {
        let settings = Settings {
            properties,
            address: Some(address),
            ..Settings::default()
        };
        let database = shared().await.database_url.clone();
        let project = Project::fresh().await;
        let road = Road::of(&broker, 2, settings, project, database).await;
        road.send(&records).await;
        let _node = road.node(&[]).await;
        road.arrived().await;
        road.ends_as(20, &expected).await;
    }
    let road = Road::on(&broker, 1, "").await;
    let told = refused(&road, &tls, &["security.protocol=SSL"]);
    assert!(told.contains("certificate"), "{told}");
    let wrong = [
        "security.protocol=SASL_PLAINTEXT",
        "sasl.mechanism=SCRAM-SHA-256",
        "sasl.username=roster",
        "sasl.password=not-to-be-seen-either",
    ];
    let told = refused(&road, &sasl, &wrong);
    assert!(told.to_lowercase().contains("authentication"), "{told}");
}
