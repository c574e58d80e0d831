//! Published SDKs, unmodified: what they were told to send is what can be read, field by field, at once, on any node.

mod model;
mod plan;

use crate::harness::{Project, Service, shared};
use model::{Expected, Name};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use plan::Plan;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SEED: u64 = 20_240_102;

/// What drives an SDK.
#[derive(Clone, Copy, PartialEq)]
enum Language {
    Python,
    Node,
    Java,
}

/// An SDK, and all that is its own way of doing things; what is not said here is the same for all.
pub struct Sdk {
    package: &'static str,
    language: Language,
    /// What it calls itself in `context.library`.
    library_name: &'static str,
    /// Python's integers have no bounds; JavaScript's lose digits beyond 2^53 before any SDK sees them.
    big_integers: bool,
    /// @segment/analytics-node refuses user ids that are numbers.
    numeric_user_ids: bool,
    /// RudderStack's put an identify's traits into `context.traits`, over what the application had put there.
    traits_go_to_context: bool,
    /// @segment/analytics-node writes a page's category over `properties.category`; elsewhere the two stand side by side, and
    /// Roster lets the property win.
    page_category_overrides: bool,
    /// Segment's Java SDK has no category of a screen, and adds `context.instanceId`, drawn for each run.
    is_java: bool,
}

const PYTHON: Sdk = Sdk {
    package: "segment-analytics-python",
    language: Language::Python,
    library_name: "analytics-python",
    big_integers: true,
    numeric_user_ids: true,
    traits_go_to_context: false,
    page_category_overrides: false,
    is_java: false,
};

const NODE: Sdk = Sdk {
    package: "analytics-node",
    language: Language::Node,
    library_name: "analytics-node",
    big_integers: false,
    ..PYTHON
};

#[tokio::test]
async fn segment_analytics_python() {
    check(&PYTHON).await;
}

#[tokio::test]
async fn rudder_sdk_python() {
    let rudder = Sdk {
        package: "rudder-sdk-python",
        traits_go_to_context: true,
        ..PYTHON
    };
    check(&rudder).await;
}

#[tokio::test]
async fn segment_analytics_node() {
    let segment = Sdk {
        package: "@segment/analytics-node",
        library_name: "@segment/analytics-node",
        numeric_user_ids: false,
        page_category_overrides: true,
        ..NODE
    };
    check(&segment).await;
}

#[tokio::test]
async fn rudder_sdk_node() {
    let rudder = Sdk {
        package: "@rudderstack/rudder-sdk-node",
        traits_go_to_context: true,
        ..NODE
    };
    check(&rudder).await;
}

#[tokio::test]
async fn analytics_node() {
    check(&NODE).await;
}

#[tokio::test]
async fn segment_analytics_java() {
    let java = Sdk {
        package: "analytics-java",
        language: Language::Java,
        library_name: "analytics-java",
        numeric_user_ids: false,
        is_java: true,
        ..PYTHON
    };
    check(&java).await;
}

/// Has the SDK send a plan to one node, then reads everything back, from another node first.
async fn check(sdk: &Sdk) {
    let shared = shared().await;
    let project = Project::fresh().await;
    let second = Service::start(&shared.database_url, &[]).await;
    let plan = Plan::new(sdk, SEED);
    assert_eq!(plan.kinds().len(), 6, "every type of call");
    assert!(plan.lines.len() > plan.calls.len(), "some are resent");
    send(sdk, &project, &plan).await;
    for reader in [&project.through(&second.url), &project] {
        let mut wrong = Vec::new();
        for person in 0..plan.people {
            let expected = Expected::of(&plan, person, sdk);
            wrong.extend(differences(reader, &expected).await);
        }
        assert!(
            wrong.is_empty(),
            "{} differences\n{}",
            wrong.len(),
            wrong[..wrong.len().min(10)].join("\n")
        );
        assert_eq!(reader.rejections().await, [json!(null); 0]);
    }
    assert_eq!(project.count("*", "event").await, plan.calls.len());
    let people = "(SELECT * FROM identity WHERE kind <> 'group_id')";
    assert_eq!(
        project.count("DISTINCT t.profile_id", people).await,
        plan.people
    );
    for (group, members) in plan.groups() {
        let found = project.profile(&format!("group_id:{group}")).await;
        let belong = format!(
            "(SELECT m.project_id, COALESCE(p.merged_into, p.profile_id) AS profile_id FROM membership AS m
              JOIN profile AS p ON p.project_id = m.project_id AND p.profile_id = m.profile_id WHERE m.group_id = '{}')",
            found["id"].as_str().expect("text")
        );
        let belonging = project.count("DISTINCT t.profile_id", &belong).await;
        assert_eq!(belonging, members, "members of {group}");
    }
}

/// Compares all that can be read about a person with what is expected.
async fn differences(project: &Project, expected: &Expected) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut owners = BTreeMap::<String, Vec<&Name>>::new();
    let mut profile = Value::Null;
    for name in &expected.names {
        let (status, found) = project
            .get(&format!("/v1/profiles/{}", reference(name)))
            .await;
        if status != 200 {
            wrong.push(format!("{name:?}: {status}"));
            continue;
        }
        owners
            .entry(found["id"].to_string())
            .or_default()
            .push(name);
        profile = found;
    }
    if owners.len() != 1 {
        wrong.push(format!("one person is several: {owners:?}"));
        return wrong;
    }
    let known = profile["identities"].as_array().expect("a list");
    if known.len() != expected.names.len() {
        wrong.push(format!(
            "identities {known:?}, expected {:?}",
            expected.names
        ));
    }
    if profile["traits"] != expected.traits {
        wrong.push(format!(
            "traits {}\nexpected {}",
            profile["traits"], expected.traits
        ));
    }
    let timeline = project
        .timeline(&format!("id:{}", profile["id"].as_str().expect("text")))
        .await;
    wrong.extend(timeline_differences(&timeline, expected));
    wrong
}

fn timeline_differences(timeline: &[Value], expected: &Expected) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut events: BTreeMap<String, Value> = BTreeMap::new();
    for event in timeline {
        let message_id = event["message_id"].as_str().expect("text").to_owned();
        if events
            .insert(message_id.clone(), comparable(event, expected))
            .is_some()
        {
            wrong.push(format!("{message_id} is there twice"));
        }
    }
    for message_id in expected.events.keys().chain(events.keys()) {
        let (found, wanted) = (events.get(message_id), expected.events.get(message_id));
        if found != wanted {
            wrong.push(format!("{message_id}: {found:?}\nexpected {wanted:?}"));
        }
    }
    if !timeline
        .is_sorted_by(|newer, older| newer["occurred_at"].as_str() >= older["occurred_at"].as_str())
    {
        wrong.push("the timeline is not newest first".to_owned());
    }
    let order = timeline
        .iter()
        .filter_map(|event| event["message_id"].as_str());
    let order: Vec<&str> = order
        .filter(|id| {
            expected
                .events
                .get(*id)
                .is_some_and(|event| event["occurred_at"].is_string())
        })
        .collect();
    if order != expected.order {
        wrong.push(format!("order {order:?}\nexpected {:?}", expected.order));
    }
    wrong
}

/// A stored event without what only the service knows; without its time too, where the call had none and it is "now".
fn comparable(event: &Value, expected: &Expected) -> Value {
    let mut event = event.clone();
    let fields = event.as_object_mut().expect("an object");
    fields.remove("id").expect("has one");
    let received_at = fields.remove("received_at").expect("has one");
    // Java's: drawn for each run.
    let context = event["context"].as_object_mut().expect("an object");
    context.remove("instanceId");
    let message_id = event["message_id"].as_str().expect("text");
    let untimed = expected
        .events
        .get(message_id)
        .is_some_and(|event| event["occurred_at"].is_null());
    let age = seconds(&received_at) - seconds(&event["occurred_at"]);
    if untimed && (0..=60).contains(&age) {
        event["occurred_at"] = Value::Null;
    }
    event
}

fn seconds(time: &Value) -> i64 {
    let time: jiff::Timestamp = time.as_str().expect("text").parse().expect("a time");
    time.as_second()
}

/// An identity as a path names it.
fn reference((kind, value): &Name) -> String {
    format!("{kind}:{}", utf8_percent_encode(value, NON_ALPHANUMERIC))
}

/// Has the SDK make the plan's calls, and returns when it says that all were delivered.
async fn send(sdk: &Sdk, project: &Project, plan: &Plan) {
    let mut driver = sdk.driver();
    driver.args([
        "--sdk",
        sdk.package,
        "--host",
        &project.url,
        "--write-key",
        &project.write_key,
    ]);
    driver
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut driver = driver
        .spawn()
        .expect("`scripts/setup test` installs the SDKs");
    let mut input = driver.stdin.take().expect("piped");
    let lines: String = plan.lines.iter().map(|line| format!("{line}\n")).collect();
    let told = async move { input.write_all(lines.as_bytes()).await };
    let (_, done) = tokio::join!(told, driver.wait_with_output());
    let done = done.expect("it ended");
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    let all = plan.lines.len();
    assert!(
        done.status.success() && answer["delivered"] == all,
        "{} {answer}\n{}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
}

impl Sdk {
    fn driver(&self) -> Command {
        match self.language {
            Language::Python => {
                let mut python = Command::new(format!("{ROOT}/.dev/sdk/python/bin/python"));
                python.arg(format!("{ROOT}/tests/sdk/python/drive.py"));
                python
            }
            Language::Node => {
                let mut node = Command::new("node");
                node.arg(format!("{ROOT}/tests/sdk/node/drive.mjs"));
                node.args(["--modules", &format!("{ROOT}/.dev/sdk/node")]);
                node
            }
            Language::Java => {
                let mut java = Command::new("java");
                let folder = format!("{ROOT}/.dev/sdk/java");
                java.args(["-Xmx256m", "-cp", &format!("{folder}:{folder}/*"), "Drive"]);
                java
            }
        }
    }

    /// Its name and version in `context.library`; the version is the one that is pinned.
    fn library(&self) -> (&'static str, String) {
        let read = |path: &str| {
            std::fs::read_to_string(format!("{ROOT}/tests/sdk/{path}")).expect("is there")
        };
        let version = match self.language {
            Language::Python => {
                let pins = read("python/requirements.in");
                let pin = pins
                    .lines()
                    .find_map(|line| line.strip_prefix(self.package)?.strip_prefix("=="));
                pin.map(str::to_owned)
            }
            Language::Node => {
                let package: Value =
                    serde_json::from_str(&read("node/package.json")).expect("JSON");
                package["dependencies"][self.package]
                    .as_str()
                    .map(str::to_owned)
            }
            Language::Java => {
                let pom = read("java/pom.xml");
                let version = pom
                    .split_once("<version>3")
                    .and_then(|(_, rest)| rest.split_once('<'));
                version.map(|(rest, _)| format!("3{rest}"))
            }
        };
        (self.library_name, version.expect("the SDK is pinned"))
    }
}
