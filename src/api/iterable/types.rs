//! Refusals of what does not fit a project's plan of fields, in the words of the contract's section 1.2.

use super::refusal::Refusal;
use crate::domain::ProjectId;
use crate::domain::tracking_plan::{Category, Mismatch};
use crate::domain::type_check::{Surplus, Told};
use serde_json::{Map, Value, json};

/// Why nothing of a request is written.
pub fn refusal(project_id: ProjectId, told: &Told) -> Refusal {
    match &told.surplus {
        Some(surplus) if told.mismatches.is_empty() => too_many(project_id, surplus),
        _ => mismatched(project_id, &told.mismatches),
    }
}

fn mismatched(project_id: ProjectId, mismatches: &[Mismatch]) -> Refusal {
    let sentences: Vec<String> = mismatches.iter().map(sentence).collect();
    let message = format!(
        "Project {}: The request does not have the same data types as the data previously submitted. {}",
        project_id.0,
        sentences.join(" ")
    );
    let errors = mismatches.iter().map(|one| (name_of(one), error(one)));
    let errors: Map<String, Value> = errors.collect();
    Refusal {
        params: json!({ "validationErrors": errors }),
        ..Refusal::of("RequestFieldsTypesMismatched", message)
    }
}

fn sentence(mismatch: &Mismatch) -> String {
    format!(
        "Field '{}' already exists for type '{}' and has a data type of '{}' but possible types '{}' in the request.",
        name_of(mismatch),
        mismatch.category.shown(),
        mismatch.expected.as_str(),
        mismatch.incoming_types().join(", ")
    )
}

/// Fields of events carry their event's name.
fn name_of(mismatch: &Mismatch) -> String {
    match &mismatch.category {
        Category::Event(name) => format!("{name}:::{}", mismatch.path),
        Category::User | Category::Group => mismatch.path.clone(),
    }
}

fn error(mismatch: &Mismatch) -> Value {
    let value: Value = serde_json::from_slice(mismatch.value.as_bytes()).unwrap_or_default();
    json!({
        "incomingTypes": mismatch.incoming_types(),
        "expectedType": mismatch.expected.as_str(),
        "category": mismatch.category.shown(),
        "offendingValue": value,
        "_type": "UnexpectedType",
    })
}

fn too_many(project_id: ProjectId, surplus: &Surplus) -> Refusal {
    let message = format!(
        "Project {}: The request would increase the number of object fields to {} by adding [{}], which exceeds the limit of {}",
        project_id.0,
        surplus.total,
        surplus.names.join(", "),
        surplus.limit
    );
    Refusal {
        params: json!({
            "limit": surplus.limit,
            "requestedTotal": surplus.total,
            "newFields": surplus.names,
        }),
        ..Refusal::of("UniqueFieldsLimitExceeded", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FieldType, Json};

    /// Recorded in 2021 (contract section 1.2).
    #[test]
    fn a_mismatch_is_told_as_it_was_recorded() {
        let mismatch = Mismatch {
            category: Category::User,
            path: "signupDate".to_owned(),
            expected: FieldType::Date,
            incoming: FieldType::String,
            value: Json::of(&"GGG"),
        };
        let told = Told {
            mismatches: vec![mismatch],
            ..Told::default()
        };
        let refusal = refusal(ProjectId(10216), &told);
        assert_eq!(
            refusal.message,
            "Project 10216: The request does not have the same data types as the data previously submitted. Field 'signupDate' already \
             exists for type 'user' and has a data type of 'date' but possible types 'string, keyword' in the request."
        );
        assert_eq!(
            refusal.params,
            json!({"validationErrors": {"signupDate": {"incomingTypes": ["string", "keyword"], "expectedType": "date",
                "category": "user", "offendingValue": "GGG", "_type": "UnexpectedType"}}})
        );
    }

    #[test]
    fn too_many_fields_are_told_with_the_new_ones() {
        let surplus = Surplus {
            limit: 15_000,
            total: 19_434,
            names: vec!["a".to_owned(), "b".to_owned()],
        };
        let told = Told {
            surplus: Some(surplus),
            ..Told::default()
        };
        let refusal = refusal(ProjectId(9434), &told);
        assert_eq!(
            refusal.message,
            "Project 9434: The request would increase the number of object fields to 19434 by adding [a, b], which exceeds the limit of 15000"
        );
        assert_eq!(refusal.code, "UniqueFieldsLimitExceeded");
        assert_eq!(refusal.params["requestedTotal"], 19_434);
    }
}
