//! What an operator plans: where the documents are, and who may say so.

use crate::domain::Allowed;
use serde::{Deserialize, Serialize};

/// Bytes of the name of an index, and characters of a topic's: their stores take no longer ones.
const LONGEST_INDEX: usize = 255;
const LONGEST_TOPIC: usize = 249;

/// The plan of a migration.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct MigrationPlan {
    /// The text of the mapping file.
    pub mapping: String,
    /// The source of legacy records, by its name in the settings.
    pub source: Option<String>,
    /// The index that is mirrored to; empty where there is only a topic.
    pub index: String,
    /// The topic that is mirrored to.
    #[serde(default)]
    pub topic: Option<String>,
    #[serde(default)]
    pub topic_format: TopicFormat,
    /// Somebody at a command line named index and topic. Else the settings have to allow them.
    #[serde(default)]
    pub is_by_operator: bool,
    /// The kind of identity that is the id of a document.
    pub document_kind: String,
    pub soak_seconds: i64,
}

/// What the records of a topic look like.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicFormat {
    /// Roster's own.
    #[default]
    Roster,
    /// Documents as the mapping reads them.
    Document,
}

impl TopicFormat {
    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "roster" => Some(Self::Roster),
            "document" => Some(Self::Document),
            _ => None,
        }
    }
}

impl MigrationPlan {
    /// What is wrong with the names of index and topic. One name each: a list or a pattern would reach into what is somebody else's.
    pub fn complaint(&self) -> Option<&'static str> {
        let topic = self.topic.as_deref();
        if self.index.is_empty() && topic.is_none() {
            return Some("a plan names an index or a topic");
        }
        if !self.index.is_empty() && !is_index(&self.index) {
            return Some("index is the name of one index: no pattern, no list, no capitals");
        }
        if topic.is_some_and(|topic| !is_topic(topic)) {
            return Some("topic is the name of one topic: letters, digits, '.', '_' and '-'");
        }
        None
    }

    /// Why a project may not be mirrored where the plan says: nobody at a command line planned it, and the settings do not allow it.
    pub fn refusal(
        &self,
        project: &str,
        (indices, topics): (&Allowed, &Allowed),
    ) -> Option<String> {
        if self.is_by_operator {
            return None;
        }
        let told = |what: &str, setting: &str| {
            format!(
                "project {project} may not name the {what}: the operator allows it by {setting}, or plans it at the command line"
            )
        };
        if !self.index.is_empty() && !indices.allows(project, &self.index) {
            return Some(told(&format!("index {}", self.index), "legacy.indices"));
        }
        let topic = self.topic.as_deref();
        let topic = topic.filter(|topic| !topics.allows(project, topic));
        topic.map(|topic| told(&format!("topic {topic}"), "legacy.topics"))
    }

    /// The kind of the names whose erasure is noted; empty for all, since a record says of each that it is gone.
    pub(super) fn noted_kind(&self) -> &str {
        let is_all = self.topic.is_some() && self.topic_format == TopicFormat::Roster;
        if is_all { "" } else { &self.document_kind }
    }
}

fn is_index(name: &str) -> bool {
    let has_meaning = |c: char| c.is_whitespace() || c.is_uppercase() || c.is_control();
    name.len() <= LONGEST_INDEX
        && !name.starts_with(['_', '-', '+', '.'])
        && !name.contains(|c| has_meaning(c) || "*?\"<>|,#:/\\".contains(c))
}

fn is_topic(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=LONGEST_TOPIC).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(index: &str, topic: Option<&str>) -> MigrationPlan {
        MigrationPlan {
            index: index.to_owned(),
            topic: topic.map(str::to_owned),
            ..MigrationPlan::default()
        }
    }

    #[test]
    fn one_name_of_each_and_at_least_one_of_both() {
        assert_eq!(plan("people-1", None).complaint(), None);
        assert_eq!(plan("", Some("People.v1_a-b")).complaint(), None);
        let long = "x".repeat(256);
        for index in [
            "*",
            "people-*",
            "a,b",
            "_all",
            "-a",
            ".kibana",
            "A",
            "b:c",
            "<d-{now}>",
            "e f",
            &long,
        ] {
            assert!(plan(index, None).complaint().is_some(), "{index}");
        }
        for topic in ["", "..", "a b", "a/b", "é", &long] {
            assert!(plan("", Some(topic)).complaint().is_some(), "{topic}");
        }
        assert!(plan("", None).complaint().is_some());
    }

    #[test]
    fn who_has_no_command_line_names_what_the_settings_allow() {
        let allowed = |text: &str| serde_json::from_value(serde_json::json!(text)).expect("one");
        let (indices, topics): (Allowed, Allowed) = (allowed("shop=people"), allowed("shop=out"));
        let own = plan("people", Some("out"));
        assert_eq!(own.refusal("shop", (&indices, &topics)), None);
        let told = own.refusal("news", (&indices, &topics)).expect("refused");
        assert!(
            told.contains("index people") && told.contains("legacy.indices"),
            "{told}"
        );
        let told = own.refusal("shop", (&indices, &Allowed::default()));
        assert!(told.expect("refused").contains("legacy.topics"));
        let by_operator = MigrationPlan {
            is_by_operator: true,
            ..own
        };
        assert_eq!(by_operator.refusal("news", (&indices, &topics)), None);
    }

    #[test]
    fn a_plan_of_before_there_were_topics_reads_as_one_without() {
        let old = r#"{"mapping":"","source":null,"index":"people","document_kind":"user_id","soak_seconds":0}"#;
        let old: MigrationPlan = serde_json::from_str(old).expect("a plan");
        assert!(old.topic.is_none() && !old.is_by_operator);
    }
}
