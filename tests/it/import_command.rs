//! `roster import`: whole files, killed and begun again, with what was refused written down, mended and sent again.

mod parts;
mod troubles;

use crate::folder::public_dir;
use crate::harness::{Project, ROSTER, wait_until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

fn line(at: usize) -> String {
    let call = json!({"type": "track", "userId": format!("u{}", at % 100), "event": "Seen",
        "timestamp": "2026-01-01T00:00:00Z", "properties": {"at": at}});
    format!("{call}\n")
}

fn written(name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = public_dir("import").join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = Command::new(ROSTER);
    command
        .arg("import")
        .args(arguments)
        .env("ROSTER_URL", &project.url)
        .env("ROSTER_KEY", &project.server_key)
        .stdin(Stdio::null());
    command
}

async fn run(project: &Project, arguments: &[&str]) -> Output {
    let mut command = command(project, arguments);
    tokio::task::spawn_blocking(move || command.output().expect("it runs"))
        .await
        .expect("it ended")
}

/// The jobs that a command printed, and how it ended.
fn told(output: &Output) -> (Option<i32>, Vec<Value>) {
    let text = String::from_utf8_lossy(&output.stdout);
    let jobs = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    (output.status.code(), jobs.collect())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[tokio::test]
async fn files_go_in_and_the_same_again_add_nothing() {
    let project = Project::fresh().await;
    let plain: String = (0..500).map(line).collect();
    let path = written("events.ndjson", &plain);
    let (code, jobs) = told(&run(&project, &[text(&path)]).await);
    assert_eq!(
        (code, &jobs[0]["stored"]),
        (Some(0), &json!(500)),
        "{jobs:?}"
    );
    let (code, jobs) = told(&run(&project, &[text(&path)]).await);
    assert_eq!(
        (code, &jobs[0]["duplicate"]),
        (Some(0), &json!(500)),
        "{jobs:?}"
    );
    // Compressed it is the same file where its name is: the ids of events follow from name and line.
    let folder = public_dir("packed");
    let packed = folder.join("events.ndjson");
    let file = std::fs::File::create(&packed).expect("a file");
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, plain.as_bytes()).expect("written");
    gzip.finish().expect("written");
    let (code, jobs) = told(&run(&project, &[text(&packed)]).await);
    assert_eq!(
        (code, &jobs[0]["duplicate"]),
        (Some(0), &json!(500)),
        "{jobs:?}"
    );
    assert_eq!(project.count("*", "event").await, 500);
}

#[tokio::test]
async fn names_with_stars_and_the_standard_input_are_taken() {
    let project = Project::fresh().await;
    let folder = public_dir("several");
    for part in 0..3 {
        let lines: String = (part * 10..part * 10 + 10).map(line).collect();
        std::fs::write(folder.join(format!("part-{part}.ndjson")), lines).expect("a file");
    }
    let pattern = folder.join("part-*.ndjson");
    let (code, jobs) = told(&run(&project, &[text(&pattern), "--parallel", "3"]).await);
    assert_eq!((code, jobs.len()), (Some(0), 3), "{jobs:?}");
    let mut piped = command(&project, &["-", "--name", "piped.ndjson"]);
    piped.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.spawn().expect("it runs");
    let lines: String = (100..110).map(line).collect();
    let mut input = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut input, lines.as_bytes()).expect("read");
    drop(input);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().expect("it ends"));
    let (code, jobs) = told(&output.await.expect("it ended"));
    assert_eq!(
        (code, &jobs[0]["stored"]),
        (Some(0), &json!(10)),
        "{jobs:?}"
    );
    assert_eq!(project.count("*", "event").await, 40);
}

#[tokio::test]
async fn killed_at_a_tenth_a_half_and_nine_tenths_it_goes_on_there() {
    let project = Project::fresh().await;
    let lines = 200_000;
    let all: String = (0..lines).map(line).collect();
    let length = all.len() as u64;
    let path = written("events.ndjson", all);
    let job = async || {
        let all = project.read("/v1/imports?name=events.ndjson").await;
        all["imports"].as_array().expect("a list").clone()
    };
    for percent in [10, 50, 90] {
        let mut command = command(&project, &[text(&path)]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let is_there = async || {
            let offset = job().await.first().and_then(|job| job["offset"].as_u64());
            offset.is_some_and(|offset| offset * 100 >= length * percent)
        };
        wait_until(&format!("{percent} percent"), PATIENCE, is_there).await;
        child.kill().expect("it ran");
        child.wait().expect("it ended");
    }
    let output = run(&project, &[text(&path)]).await;
    let (code, jobs) = told(&output);
    assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let count = |name: &str| jobs[0][name].as_u64().expect(name);
    assert_eq!(
        count("stored") + count("duplicate"),
        lines as u64,
        "{jobs:?}"
    );
    assert_eq!(job().await.len(), 1, "one job all along");
    assert_eq!(project.count("*", "event").await, lines);
}

#[test]
fn a_preview_prints_what_a_file_is_and_a_mapping_to_begin_with() {
    let table = "User ID;email;joined\n1;ada@example.com;2026-01-31\n2;bob@;2026-02-01\n";
    let path = written("people.csv", table);
    let preview = |more: &[&str]| {
        let mut command = Command::new(ROSTER);
        command.args(["import", text(&path)]).args(more);
        command.output().expect("it runs")
    };
    let output = preview(&["--preview"]);
    let printed = String::from_utf8(output.stdout).expect("text");
    let (document, mapping) = printed
        .split_once("\n# a mapping to begin with\n")
        .expect("both");
    let document: Value = serde_json::from_str(document).expect("JSON");
    assert_eq!(
        [
            &document["delimiter"],
            &document["records"],
            &document["format"]
        ],
        [&json!(";"), &json!(2), &json!("csv")]
    );
    assert_eq!(document["columns"].as_array().expect("columns").len(), 3);
    let refused = &document["rejections"][0];
    assert!(refused.to_string().contains("email"), "{document}");
    assert_eq!(output.status.code(), Some(2), "a record would be refused");
    // The mapping is one, and reads the file.
    let mapped = written("people.toml", mapping);
    let output = preview(&["--dry-run", "--mapping", text(&mapped)]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("3 lines"), "{told}");
    assert!(told.contains("true since the file's own time"), "{told}");
    assert_eq!(output.status.code(), Some(2), "{told}");
}

#[test]
fn a_dry_run_refuses_a_table_as_the_service_does() {
    for (table, why) in [
        ("foo,bar\n1,2\n", "kind of identity"),
        ("foo,bar\n", "kind of identity"),
        (
            "Email,email\na@x.test,b@x.test\n",
            "both called as the kind email",
        ),
    ] {
        let path = written("refused.csv", table);
        let mut command = Command::new(ROSTER);
        command.args(["import", text(&path), "--dry-run"]);
        let output = command.output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn another_file_under_the_same_name_and_time_is_not_gone_on_with() {
    let project = Project::fresh().await;
    let path = written("events.ndjson", (0..20).map(line).collect::<String>());
    let time = "2026-01-01T00:00:00Z";
    let half = std::fs::read(&path).expect("a file");
    let metadata = |name: &str, value: &str| {
        use base64::Engine as _;
        format!(
            "{name} {}",
            base64::engine::general_purpose::STANDARD.encode(value)
        )
    };
    let said = [
        metadata("filename", "events.ndjson"),
        metadata("format", "ndjson"),
        metadata("time", time),
    ];
    let request = project.client.post(format!("{}/v1/imports", project.url));
    let begun = request
        .bearer_auth(&project.server_key)
        .header("tus-resumable", "1.0.0")
        .header("upload-length", half.len())
        .header("upload-metadata", said.join(","))
        .header("content-type", "application/offset+octet-stream")
        .body(half[..half.len() / 2].to_vec());
    assert!(begun.send().await.expect("an answer").status().is_success());
    let mut other = half.clone();
    let at = other
        .iter()
        .position(|byte| *byte == b'u')
        .expect("a letter");
    other[at] = b'v';
    std::fs::write(&path, &other).expect("a file");
    let output = run(&project, &[text(&path), "--time", time]).await;
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("is not the one of import"), "{error}");
    std::fs::write(&path, &half).expect("a file");
    let (code, jobs) = told(&run(&project, &[text(&path), "--time", time]).await);
    assert_eq!(
        (code, &jobs[0]["stored"]),
        (Some(0), &json!(20)),
        "{jobs:?}"
    );
}

#[tokio::test]
async fn what_is_refused_is_written_down_and_mended_it_completes_the_set() {
    let project = Project::fresh().await;
    let broken = |at: usize| at % 10 == 3;
    let text_of = |at| {
        if broken(at) {
            line(at).replace('{', "(")
        } else {
            line(at)
        }
    };
    let path = written("events.ndjson", (0..50).map(text_of).collect::<String>());
    let refused = path.with_file_name("refused.ndjson");
    let arguments = [text(&path), "--rejections", text(&refused)];
    let (code, jobs) = told(&run(&project, &arguments).await);
    assert_eq!(
        (code, &jobs[0]["rejected"]),
        (Some(2), &json!(5)),
        "{jobs:?}"
    );
    let listed = std::fs::read_to_string(&refused).expect("a file");
    assert_eq!(listed.lines().count(), 5, "{listed}");
    let mended = written("mended.ndjson", listed.replace('(', "{"));
    let (code, jobs) = told(&run(&project, &[text(&mended)]).await);
    assert_eq!((code, &jobs[0]["stored"]), (Some(0), &json!(5)), "{jobs:?}");
    assert_eq!(project.count("*", "event").await, 50);
}

#[tokio::test]
async fn what_can_not_be_sent_is_said() {
    let project = Project::fresh().await;
    let path = written("events.ndjson", line(1));
    let cases: [(&[&str], &str); 5] = [
        (&["/nowhere/x.ndjson"], "/nowhere/x.ndjson"),
        (&[text(&path), "--time", "yesterday"], "yesterday"),
        (&[text(&path), "--option", "delimiter=xx"], "delimiter"),
        (&[text(&path), "--key", "nobodys"], "401"),
        (&[text(&path), "--rejections", text(&path)], "is to be read"),
    ];
    for (arguments, part) in cases {
        let output = run(&project, arguments).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), line(1));
    let away = [
        "--url",
        "http://127.0.0.1:1",
        "--patience-seconds",
        "1",
        text(&path),
    ];
    let output = run(&project, &away).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("goes on from here"), "{error}");
    assert_eq!(project.count("*", "event").await, 0);
}

/// The shell blocks of a section of the page, as one script.
fn script(section: &str) -> String {
    let page = format!("{}/docs/IMPORTS.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(page).expect("a page");
    let begin = page.find(&format!("## {section}\n")).expect("the section");
    let section = page[begin + 3..].split("\n## ").next().expect("one");
    let blocks = section.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    blocks.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_five_minutes_of_the_page_are_as_they_are_printed() {
    let project = Project::fresh().await;
    let script = script("In five minutes")
        .replace("http://127.0.0.1:8080", &project.url)
        .replace("dev-server-key", &project.server_key);
    let folder = public_dir("five");
    let programs = Path::new(ROSTER).parent().expect("a folder");
    let path = format!(
        "{}:{}",
        programs.display(),
        std::env::var("PATH").expect("set")
    );
    let mut bash = Command::new("bash");
    bash.args(["-euc", &script])
        .current_dir(&folder)
        .env("PATH", path);
    let output = tokio::task::spawn_blocking(move || bash.output().expect("it runs"));
    let output = output.await.expect("it ended");
    let (told, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains("upserts 2"), "{told}\n{errors}");
    assert!(told.contains("ended with 2"), "{told}\n{errors}");
    let jobs = told
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let jobs: Vec<Value> = jobs.filter(|job| job.get("state").is_some()).collect();
    let stored: Vec<_> = jobs.iter().map(|job| job["stored"].as_u64()).collect();
    assert_eq!(stored, [Some(2), Some(0), Some(1)], "{told}");
    let ada = project.profile("email:ada@example.com").await;
    assert_eq!(ada["traits"]["plan"], "pro", "{ada}");
    assert_eq!(
        project.profile("email:eve@example.com").await["traits"]["signed_up"],
        "2024-01-01"
    );
}

#[tokio::test]
async fn a_misspelt_option_sends_nothing() {
    let project = Project::fresh().await;
    let path = written("option.csv", "user_id,plan\n1,\n");
    for option in [
        "emtpy=null",
        "Empty=null",
        "name=other.csv",
        "time=2026-01-01T00:00:00Z",
        "empty=none",
        "format=csv",
    ] {
        let output = run(&project, &[text(&path), "--option", option]).await;
        let told = String::from_utf8_lossy(&output.stderr);
        let name = option.split_once('=').expect("a name").0;
        assert!(
            output.status.code() == Some(1) && told.contains(name),
            "{told}"
        );
    }
    let imports = project.read("/v1/imports").await;
    assert_eq!(imports["imports"], json!([]));
    let arguments = [
        text(&path),
        "--option",
        "empty.Plan=null",
        "--option",
        "delimiter=comma",
    ];
    let (code, jobs) = told(&run(&project, &arguments).await);
    assert_eq!((code, &jobs[0]["stored"]), (Some(0), &json!(1)));
}

#[tokio::test]
async fn of_a_compressed_file_that_is_cut_what_comes_before_is_stored() {
    let project = Project::fresh().await;
    let plain: String = (0..500).map(line).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, plain.as_bytes()).expect("memory");
    let packed = gzip.finish().expect("memory");
    let path = written("cut.ndjson.gz", &packed[..packed.len() - 4]);
    let output = run(&project, &[text(&path)]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && told.contains("cut off"),
        "{told}"
    );
    assert_eq!(project.count("*", "event").await, 500);
}
